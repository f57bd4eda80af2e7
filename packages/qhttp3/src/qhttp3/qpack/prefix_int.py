"""Integers that begin within a byte.

RFC 9204 §4.1.1, RFC 7541 §5.1.
"""

from __future__ import annotations

from typing import Final

# RFC 9204 §4.1.1: implementations MUST be able to decode integers up to 62 bits long. Nothing in QPACK is larger.
MAX: Final = (1 << 62) - 1


class PrefixIntError(ValueError):
    """The integer exceeds 62 bits."""


def encode(value: int, prefix_bits: int, flags: int = 0) -> bytes:
    """Encode an integer whose first byte shares its high bits with ``flags``."""
    limit = (1 << prefix_bits) - 1
    if value < limit:
        return _BYTES[flags | value]
    encoded = flags | limit
    size = 2
    value -= limit
    while value >= 0x80:
        encoded = encoded << 8 | value & 0x7F | 0x80
        value >>= 7
        size += 1
    return (encoded << 8 | value).to_bytes(size, "big")


def parse(data: bytes, position: int, prefix_bits: int) -> tuple[int, int]:
    """Read an integer at a position.

    Returns:
        The value and the position behind it; the position is -1 when the data ends within the integer.

    Raises:
        PrefixIntError: longer than 62 bits.
    """
    end = len(data)
    if position >= end:
        return 0, -1
    limit = (1 << prefix_bits) - 1
    value = data[position] & limit
    position += 1
    if value < limit:
        return value, position
    shift = 0
    while position < end:
        byte = data[position]
        position += 1
        value += (byte & 0x7F) << shift
        if value > MAX or shift > 63:
            raise PrefixIntError("integer longer than 62 bits")
        if byte < 0x80:
            return value, position
        shift += 7
    return 0, -1


_BYTES: Final = [bytes((value,)) for value in range(256)]
