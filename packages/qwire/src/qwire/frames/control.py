"""Frames without a subject: PADDING, PING, HANDSHAKE_DONE, and DATAGRAM. RFC 9000 §19.1, §19.2, §19.20; RFC 9221."""

from __future__ import annotations

from typing import ClassVar, final

from qwire.buffer import BYTES, Reader, Writer, encode_varint, varint_size
from qwire.compiling import mypyc_attr
from qwire.constants import (
    FRAME_DATAGRAM,
    FRAME_DATAGRAM_WITH_LENGTH,
    FRAME_HANDSHAKE_DONE,
    FRAME_PADDING,
    FRAME_PING,
)
from qwire.frames.base import Frame


@final
@mypyc_attr(acyclic=True)
class PaddingFrame(Frame):
    """A run of ``count`` PADDING frames, one byte each. RFC 9000 §19.1."""

    __slots__ = ("count",)
    TYPE: ClassVar[int] = FRAME_PADDING
    FIELDS: ClassVar[tuple[str, ...]] = ("count",)
    ack_eliciting: ClassVar[bool] = False

    def __init__(self, count: int) -> None:
        self.count = count

    def append(self, writer: Writer) -> None:
        """Write ``count`` zero bytes."""
        writer.data += bytes(self.count)

    def size(self) -> int:
        """``count``."""
        return self.count


@final
@mypyc_attr(acyclic=True)
class PingFrame(Frame):
    """PING, RFC 9000 §19.2."""

    __slots__ = ()
    TYPE: ClassVar[int] = FRAME_PING

    def __init__(self) -> None:
        pass

    def append(self, writer: Writer) -> None:
        """Write the type, which is all there is."""
        writer.data.append(FRAME_PING)

    def size(self) -> int:
        """1."""
        return 1


@final
@mypyc_attr(acyclic=True)
class HandshakeDoneFrame(Frame):
    """HANDSHAKE_DONE, RFC 9000 §19.20."""

    __slots__ = ()
    TYPE: ClassVar[int] = FRAME_HANDSHAKE_DONE

    def __init__(self) -> None:
        pass

    def append(self, writer: Writer) -> None:
        """Write the type, which is all there is."""
        writer.data.append(FRAME_HANDSHAKE_DONE)

    def size(self) -> int:
        """1."""
        return 1


@final
@mypyc_attr(acyclic=True)
class DatagramFrame(Frame):
    """DATAGRAM, RFC 9221 §4.

    Attributes:
        has_length: False for a frame that extends to the end of its packet.
    """

    __slots__ = ("data", "has_length")
    TYPE: ClassVar[int] = FRAME_DATAGRAM
    FIELDS: ClassVar[tuple[str, ...]] = ("data", "has_length")

    def __init__(self, data: bytes, has_length: bool = True) -> None:
        self.data = data
        self.has_length = has_length

    @property
    def type(self) -> int:
        """0x31 with a length, 0x30 without."""
        return FRAME_DATAGRAM_WITH_LENGTH if self.has_length else FRAME_DATAGRAM

    def append(self, writer: Writer) -> None:
        """Write the frame."""
        writer.data += self.encode()

    def encode(self) -> bytes:
        """What ``append`` writes, as a string of its own."""
        data = self.data
        if self.has_length:
            return BYTES[FRAME_DATAGRAM_WITH_LENGTH] + encode_varint(len(data)) + data
        return BYTES[FRAME_DATAGRAM] + data

    def size(self) -> int:
        """Bytes that ``append`` writes."""
        size = len(self.data)
        return 1 + varint_size(size) + size if self.has_length else 1 + size


def parse_datagram(reader: Reader, has_length: bool) -> DatagramFrame:
    """Read the body of a DATAGRAM frame. RFC 9221 §4."""
    data = reader.read_bytes(reader.read_varint()) if has_length else reader.read_rest()
    return DatagramFrame(data, has_length)
