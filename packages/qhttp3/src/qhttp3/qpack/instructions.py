"""Instructions of the encoder stream and of the decoder stream.

Functions encode them; the parsers read as many whole instructions as the data holds and report each to a sink.
RFC 9204 §4.3, §4.4.
"""

from __future__ import annotations

from typing import Final

from qhttp3.qpack import huffman, prefix_int
from qhttp3.qpack.errors import DecoderStreamError, EncoderStreamError
from qhttp3.qpack.field_lines import string
from qhttp3.qpack.static_table import FIELDS

STATIC_COUNT: Final = len(FIELDS)


class EncoderInstructionSink:
    """Obeys the peer's encoder stream."""

    __slots__ = ()

    def on_capacity(self, capacity: int) -> None:
        """Set Dynamic Table Capacity."""
        raise NotImplementedError

    def on_insert_named(self, is_static: bool, index: int, value: bytes) -> None:
        """Insert with Name Reference; a dynamic index is relative to the insert count."""
        raise NotImplementedError

    def on_insert(self, name: bytes, value: bytes) -> None:
        """Insert with Literal Name."""
        raise NotImplementedError

    def on_duplicate(self, index: int) -> None:
        """Duplicate; the index is relative to the insert count."""
        raise NotImplementedError


class DecoderInstructionSink:
    """Obeys the peer's decoder stream."""

    __slots__ = ()

    def on_section_acknowledgment(self, stream_id: int) -> None:
        """Section Acknowledgment."""
        raise NotImplementedError

    def on_stream_cancellation(self, stream_id: int) -> None:
        """Stream Cancellation."""
        raise NotImplementedError

    def on_insert_count_increment(self, increment: int) -> None:
        """Insert Count Increment."""
        raise NotImplementedError


def set_capacity(capacity: int) -> bytes:
    """Set Dynamic Table Capacity, §4.3.1."""
    return prefix_int.encode(capacity, 5, 0x20)


def insert_static_name(index: int, value: bytes) -> bytes:
    """Insert with a static name reference, §4.3.2."""
    return prefix_int.encode(index, 6, 0xC0) + string(value)


def insert_dynamic_name(relative: int, value: bytes) -> bytes:
    """Insert with a dynamic name reference, §4.3.2."""
    return prefix_int.encode(relative, 6, 0x80) + string(value)


def insert_literal(name: bytes, value: bytes) -> bytes:
    """Insert with Literal Name, §4.3.3."""
    return string(name, 5, 0x40) + string(value)


def duplicate(relative: int) -> bytes:
    """Duplicate, §4.3.4."""
    return prefix_int.encode(relative, 5)


def section_acknowledgment(stream_id: int) -> bytes:
    """Section Acknowledgment, §4.4.1."""
    return prefix_int.encode(stream_id, 7, 0x80)


def stream_cancellation(stream_id: int) -> bytes:
    """Stream Cancellation, §4.4.2."""
    return prefix_int.encode(stream_id, 6, 0x40)


def insert_count_increment(increment: int) -> bytes:
    """Insert Count Increment, §4.4.3."""
    return prefix_int.encode(increment, 6)


def parse_encoder_stream(data: bytes, sink: EncoderInstructionSink, max_string: int) -> tuple[int, int]:
    """Read the whole instructions in ``data``.

    Args:
        max_string: No entry longer than this can be inserted, so a longer string is refused before it arrives.

    Returns:
        How many bytes were read, the rest being the beginning of an instruction; and how long that rest must
        become before it is worth another try.

    Raises:
        EncoderStreamError: an instruction is malformed, or the sink refuses it.
    """
    done = 0
    position = 0
    value = b""
    end = len(data)
    try:
        while done < end:
            first = data[done]
            if first >= 0x80:  # 1 T index(6+), H value(7+)
                index, position = prefix_int.parse(data, done, 6)
                if position >= 0:
                    if first >= 0xC0 and index >= STATIC_COUNT:
                        raise EncoderStreamError(f"static index {index} out of range")
                    value, position = _parse_string(data, position, 7, max_string)
                if position < 0:
                    break
                sink.on_insert_named(first >= 0xC0, index, value)
            elif first >= 0x40:  # 01 H name(5+), H value(7+)
                name, position = _parse_string(data, done, 5, max_string)
                if position >= 0:
                    value, position = _parse_string(data, position, 7, max_string)
                if position < 0:
                    break
                sink.on_insert(name, value)
            elif first >= 0x20:  # 001 capacity(5+)
                capacity, position = prefix_int.parse(data, done, 5)
                if position < 0:
                    break
                sink.on_capacity(capacity)
            else:  # 000 index(5+)
                index, position = prefix_int.parse(data, done, 5)
                if position < 0:
                    break
                sink.on_duplicate(index)
            done = position
    except (prefix_int.PrefixIntError, huffman.HuffmanError) as error:
        raise EncoderStreamError(str(error)) from error
    return done, max(-position, end + 1) - done


def parse_decoder_stream(data: bytes, sink: DecoderInstructionSink) -> int:
    """Read the whole instructions in ``data``; returns how many bytes were read.

    Raises:
        DecoderStreamError: an instruction is malformed, or the sink refuses it.
    """
    done = 0
    end = len(data)
    try:
        while done < end:
            first = data[done]
            if first >= 0x80:
                value, position = prefix_int.parse(data, done, 7)
                if position < 0:
                    break
                sink.on_section_acknowledgment(value)
            elif first >= 0x40:
                value, position = prefix_int.parse(data, done, 6)
                if position < 0:
                    break
                sink.on_stream_cancellation(value)
            else:
                value, position = prefix_int.parse(data, done, 6)
                if position < 0:
                    break
                sink.on_insert_count_increment(value)
            done = position
    except prefix_int.PrefixIntError as error:
        raise DecoderStreamError(str(error)) from error
    return done


def _parse_string(data: bytes, position: int, prefix_bits: int, max_string: int) -> tuple[bytes, int]:
    # When the data ends too early the position is minus the size it should have, as far as that is known.
    if position >= len(data):
        return b"", -1
    is_huffman = data[position] >> prefix_bits & 1
    size, position = prefix_int.parse(data, position, prefix_bits)
    if position < 0:
        return b"", -1
    # A code word has 5 to 30 bits: so many encoded bytes may stand for a string that still fits.
    if size > (max_string * 4 if is_huffman else max_string):
        raise EncoderStreamError(f"string of {size} bytes exceeds the table capacity {max_string}")
    end = position + size
    if end > len(data):
        return b"", -end
    content = data[position:end]
    return (huffman.decode(content) if is_huffman else content), end
