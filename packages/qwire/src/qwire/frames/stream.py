"""STREAM and the frames that end a stream early. RFC 9000 §19.4, §19.5, §19.8; RESET_STREAM_AT.

The body of STREAM is read by ``qwire.frames.parser`` in place, for speed.
"""

from __future__ import annotations

from typing import ClassVar, Final, final

from qwire.buffer import BYTES, Reader, Writer, append_varint, encode_varint, varint_size
from qwire.compiling import mypyc_attr
from qwire.constants import (
    FRAME_RESET_STREAM,
    FRAME_RESET_STREAM_AT,
    FRAME_STOP_SENDING,
    FRAME_STREAM,
    STREAM_FIN,
    STREAM_LENGTH,
    STREAM_OFFSET,
)
from qwire.errors import DecodeError
from qwire.frames.base import Frame

# The first six bytes of a STREAM frame without Length whose offset takes four; ID and offset are still 0.
BULK_STREAM: Final = (FRAME_STREAM | STREAM_OFFSET) << 40 | 0x8000_0000


@final
@mypyc_attr(acyclic=True)
class StreamFrame(Frame):
    """STREAM, RFC 9000 §19.8.

    Attributes:
        has_length: False for a frame that extends to the end of its packet.
    """

    __slots__ = ("data", "fin", "has_length", "offset", "stream_id")
    TYPE: ClassVar[int] = FRAME_STREAM
    FIELDS: ClassVar[tuple[str, ...]] = ("stream_id", "offset", "data", "fin", "has_length")

    def __init__(self, stream_id: int, offset: int, data: bytes, fin: bool, has_length: bool = True) -> None:
        self.stream_id = stream_id
        self.offset = offset
        self.data = data
        self.fin = fin
        self.has_length = has_length

    @property
    def type(self) -> int:
        """0x08 to 0x0f: the bits tell whether offset and length are there and whether the stream ends."""
        kind = FRAME_STREAM
        if self.offset:
            kind |= STREAM_OFFSET
        if self.has_length:
            kind |= STREAM_LENGTH
        if self.fin:
            kind |= STREAM_FIN
        return kind

    def append(self, writer: Writer) -> None:
        """Write the frame; an offset of 0 is left out."""
        writer.data += self.encode()

    def encode(self) -> bytes:
        """What ``append`` writes, as a string of its own."""
        offset = self.offset
        stream_id = self.stream_id
        data = self.data
        if self.has_length:
            kind = FRAME_STREAM | STREAM_LENGTH
        else:
            kind = FRAME_STREAM
            if 0x4000 <= offset < 0x4000_0000 and stream_id < 0x40 and not self.fin:
                # The frame that bulk transfer consists of: type, one byte of ID, four of offset.
                return (BULK_STREAM | stream_id << 32 | offset).to_bytes(6, "big") + data
        if self.fin:
            kind |= STREAM_FIN
        encoded = BYTES[stream_id] if 0 <= stream_id < 0x40 else encode_varint(stream_id)
        if offset:
            encoded = BYTES[kind | STREAM_OFFSET] + encoded + encode_varint(offset)
        else:
            encoded = BYTES[kind] + encoded
        if not kind & STREAM_LENGTH:
            return encoded + data
        size = len(data)
        return encoded + (BYTES[size] if size < 0x40 else encode_varint(size)) + data

    def size(self) -> int:
        """Bytes that ``append`` writes."""
        size = len(self.data)
        total = 1 + varint_size(self.stream_id) + size
        if self.offset:
            total += varint_size(self.offset)
        if self.has_length:
            total += varint_size(size)
        return total


@final
@mypyc_attr(acyclic=True)
class ResetStreamFrame(Frame):
    """RESET_STREAM, RFC 9000 §19.4."""

    __slots__ = ("error_code", "final_size", "stream_id")
    TYPE: ClassVar[int] = FRAME_RESET_STREAM
    FIELDS: ClassVar[tuple[str, ...]] = ("stream_id", "error_code", "final_size")

    def __init__(self, stream_id: int, error_code: int, final_size: int) -> None:
        self.stream_id = stream_id
        self.error_code = error_code
        self.final_size = final_size

    def append(self, writer: Writer) -> None:
        """Write the frame."""
        data = writer.data
        data.append(FRAME_RESET_STREAM)
        append_varint(data, self.stream_id)
        append_varint(data, self.error_code)
        append_varint(data, self.final_size)


@final
@mypyc_attr(acyclic=True)
class ResetStreamAtFrame(Frame):
    """RESET_STREAM_AT, draft-ietf-quic-reliable-stream-reset §4.

    Attributes:
        reliable_size: bytes of the stream that are still delivered.
    """

    __slots__ = ("error_code", "final_size", "reliable_size", "stream_id")
    TYPE: ClassVar[int] = FRAME_RESET_STREAM_AT
    FIELDS: ClassVar[tuple[str, ...]] = ("stream_id", "error_code", "final_size", "reliable_size")

    def __init__(self, stream_id: int, error_code: int, final_size: int, reliable_size: int) -> None:
        self.stream_id = stream_id
        self.error_code = error_code
        self.final_size = final_size
        self.reliable_size = reliable_size

    def append(self, writer: Writer) -> None:
        """Write the frame."""
        data = writer.data
        data.append(FRAME_RESET_STREAM_AT)
        append_varint(data, self.stream_id)
        append_varint(data, self.error_code)
        append_varint(data, self.final_size)
        append_varint(data, self.reliable_size)


@final
@mypyc_attr(acyclic=True)
class StopSendingFrame(Frame):
    """STOP_SENDING, RFC 9000 §19.5."""

    __slots__ = ("error_code", "stream_id")
    TYPE: ClassVar[int] = FRAME_STOP_SENDING
    FIELDS: ClassVar[tuple[str, ...]] = ("stream_id", "error_code")

    def __init__(self, stream_id: int, error_code: int) -> None:
        self.stream_id = stream_id
        self.error_code = error_code

    def append(self, writer: Writer) -> None:
        """Write the frame."""
        data = writer.data
        data.append(FRAME_STOP_SENDING)
        append_varint(data, self.stream_id)
        append_varint(data, self.error_code)


def parse_reset_stream(reader: Reader) -> ResetStreamFrame:
    """Read the body of a RESET_STREAM frame. RFC 9000 §19.4."""
    return ResetStreamFrame(reader.read_varint(), reader.read_varint(), reader.read_varint())


def parse_reset_stream_at(reader: Reader) -> ResetStreamAtFrame:
    """Read the body of a RESET_STREAM_AT frame.

    draft-ietf-quic-reliable-stream-reset §4.

    Raises:
        DecodeError: truncated, or a reliable size above the final size.
    """
    frame = ResetStreamAtFrame(
        reader.read_varint(), reader.read_varint(), reader.read_varint(), reader.read_varint()
    )
    if frame.reliable_size > frame.final_size:
        raise DecodeError(f"reliable size {frame.reliable_size} beyond final size {frame.final_size}")
    return frame


def parse_stop_sending(reader: Reader) -> StopSendingFrame:
    """Read the body of a STOP_SENDING frame. RFC 9000 §19.5."""
    return StopSendingFrame(reader.read_varint(), reader.read_varint())
