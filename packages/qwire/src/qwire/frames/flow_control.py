"""Credit, and the want of it: MAX_DATA to STREAMS_BLOCKED. RFC 9000 §19.9 to §19.14."""

from __future__ import annotations

from typing import ClassVar, final

from qwire.buffer import Reader, Writer, append_varint
from qwire.compiling import mypyc_attr
from qwire.constants import (
    FRAME_DATA_BLOCKED,
    FRAME_MAX_DATA,
    FRAME_MAX_STREAM_DATA,
    FRAME_MAX_STREAMS_BIDI,
    FRAME_MAX_STREAMS_UNI,
    FRAME_STREAM_DATA_BLOCKED,
    FRAME_STREAMS_BLOCKED_BIDI,
    FRAME_STREAMS_BLOCKED_UNI,
    MAX_STREAM_COUNT,
)
from qwire.errors import DecodeError
from qwire.frames.base import Frame


@final
@mypyc_attr(acyclic=True)
class MaxDataFrame(Frame):
    """MAX_DATA, RFC 9000 §19.9. ``maximum`` is in bytes."""

    __slots__ = ("maximum",)
    TYPE: ClassVar[int] = FRAME_MAX_DATA
    FIELDS: ClassVar[tuple[str, ...]] = ("maximum",)

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum

    def append(self, writer: Writer) -> None:
        """Write the frame."""
        writer.data.append(FRAME_MAX_DATA)
        append_varint(writer.data, self.maximum)


@final
@mypyc_attr(acyclic=True)
class MaxStreamDataFrame(Frame):
    """MAX_STREAM_DATA, RFC 9000 §19.10. ``maximum`` is in bytes."""

    __slots__ = ("maximum", "stream_id")
    TYPE: ClassVar[int] = FRAME_MAX_STREAM_DATA
    FIELDS: ClassVar[tuple[str, ...]] = ("stream_id", "maximum")

    def __init__(self, stream_id: int, maximum: int) -> None:
        self.stream_id = stream_id
        self.maximum = maximum

    def append(self, writer: Writer) -> None:
        """Write the frame."""
        data = writer.data
        data.append(FRAME_MAX_STREAM_DATA)
        append_varint(data, self.stream_id)
        append_varint(data, self.maximum)


@final
@mypyc_attr(acyclic=True)
class MaxStreamsFrame(Frame):
    """MAX_STREAMS, RFC 9000 §19.11. ``maximum`` is a count of streams since the start of the connection."""

    __slots__ = ("bidirectional", "maximum")
    TYPE: ClassVar[int] = FRAME_MAX_STREAMS_BIDI
    FIELDS: ClassVar[tuple[str, ...]] = ("bidirectional", "maximum")

    def __init__(self, bidirectional: bool, maximum: int) -> None:
        self.bidirectional = bidirectional
        self.maximum = maximum

    @property
    def type(self) -> int:
        """0x12 for bidirectional streams, 0x13 for unidirectional ones."""
        return FRAME_MAX_STREAMS_BIDI if self.bidirectional else FRAME_MAX_STREAMS_UNI

    def append(self, writer: Writer) -> None:
        """Write the frame."""
        writer.data.append(FRAME_MAX_STREAMS_BIDI if self.bidirectional else FRAME_MAX_STREAMS_UNI)
        append_varint(writer.data, self.maximum)


@final
@mypyc_attr(acyclic=True)
class DataBlockedFrame(Frame):
    """DATA_BLOCKED, RFC 9000 §19.12. ``limit`` is in bytes."""

    __slots__ = ("limit",)
    TYPE: ClassVar[int] = FRAME_DATA_BLOCKED
    FIELDS: ClassVar[tuple[str, ...]] = ("limit",)

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def append(self, writer: Writer) -> None:
        """Write the frame."""
        writer.data.append(FRAME_DATA_BLOCKED)
        append_varint(writer.data, self.limit)


@final
@mypyc_attr(acyclic=True)
class StreamDataBlockedFrame(Frame):
    """STREAM_DATA_BLOCKED, RFC 9000 §19.13. ``limit`` is in bytes."""

    __slots__ = ("limit", "stream_id")
    TYPE: ClassVar[int] = FRAME_STREAM_DATA_BLOCKED
    FIELDS: ClassVar[tuple[str, ...]] = ("stream_id", "limit")

    def __init__(self, stream_id: int, limit: int) -> None:
        self.stream_id = stream_id
        self.limit = limit

    def append(self, writer: Writer) -> None:
        """Write the frame."""
        data = writer.data
        data.append(FRAME_STREAM_DATA_BLOCKED)
        append_varint(data, self.stream_id)
        append_varint(data, self.limit)


@final
@mypyc_attr(acyclic=True)
class StreamsBlockedFrame(Frame):
    """STREAMS_BLOCKED, RFC 9000 §19.14. ``limit`` is a count of streams."""

    __slots__ = ("bidirectional", "limit")
    TYPE: ClassVar[int] = FRAME_STREAMS_BLOCKED_BIDI
    FIELDS: ClassVar[tuple[str, ...]] = ("bidirectional", "limit")

    def __init__(self, bidirectional: bool, limit: int) -> None:
        self.bidirectional = bidirectional
        self.limit = limit

    @property
    def type(self) -> int:
        """0x16 for bidirectional streams, 0x17 for unidirectional ones."""
        return FRAME_STREAMS_BLOCKED_BIDI if self.bidirectional else FRAME_STREAMS_BLOCKED_UNI

    def append(self, writer: Writer) -> None:
        """Write the frame."""
        writer.data.append(FRAME_STREAMS_BLOCKED_BIDI if self.bidirectional else FRAME_STREAMS_BLOCKED_UNI)
        append_varint(writer.data, self.limit)


def parse_max_data(reader: Reader) -> MaxDataFrame:
    """Read the body of a MAX_DATA frame. RFC 9000 §19.9."""
    return MaxDataFrame(reader.read_varint())


def parse_max_stream_data(reader: Reader) -> MaxStreamDataFrame:
    """Read the body of a MAX_STREAM_DATA frame. RFC 9000 §19.10."""
    return MaxStreamDataFrame(reader.read_varint(), reader.read_varint())


def parse_max_streams(reader: Reader, bidirectional: bool) -> MaxStreamsFrame:
    """Read the body of a MAX_STREAMS frame; counts above 2^60 are refused. RFC 9000 §19.11."""
    return MaxStreamsFrame(bidirectional, _read_stream_count(reader))


def parse_data_blocked(reader: Reader) -> DataBlockedFrame:
    """Read the body of a DATA_BLOCKED frame. RFC 9000 §19.12."""
    return DataBlockedFrame(reader.read_varint())


def parse_stream_data_blocked(reader: Reader) -> StreamDataBlockedFrame:
    """Read the body of a STREAM_DATA_BLOCKED frame. RFC 9000 §19.13."""
    return StreamDataBlockedFrame(reader.read_varint(), reader.read_varint())


def parse_streams_blocked(reader: Reader, bidirectional: bool) -> StreamsBlockedFrame:
    """Read the body of a STREAMS_BLOCKED frame; counts above 2^60 are refused. RFC 9000 §19.14."""
    return StreamsBlockedFrame(bidirectional, _read_stream_count(reader))


def _read_stream_count(reader: Reader) -> int:
    count = reader.read_varint()
    if count > MAX_STREAM_COUNT:  # RFC 9000 §4.6: a stream ID must stay below 2^62
        raise DecodeError(f"{count} streams are more than 2^60")
    return count
