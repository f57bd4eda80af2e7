"""Reading and writing of variable-length integers.

The two highest bits of the first byte tell the size of the whole: 1, 2, 4 or 8 bytes; the other bits are the
value, most significant first. Values are plain integers, input is ``bytes``, output goes to a ``bytearray``.
RFC 9000 §16.
"""

from __future__ import annotations

from typing import Final

MAX: Final = 0x3FFF_FFFF_FFFF_FFFF
"""The largest value that can be written: 2^62 - 1."""


class VarintError(ValueError):
    """The input ends before the integer does."""


def parse(data: bytes, position: int = 0) -> tuple[int, int]:
    """Read the integer that begins at ``position``.

    RFC 9000 §16. An encoding longer than necessary is accepted: only frame types must be minimal.

    Returns:
        The value and the position after it.

    Raises:
        VarintError: the input ends inside the integer, or before it.
        ValueError: ``position`` is negative.
    """
    total = len(data)
    if position >= total:
        raise VarintError(f"truncated: no byte at {position}, the input has {total}")
    if position < 0:
        raise ValueError(f"negative position {position}")
    first = data[position]
    if first < 0x40:
        return first, position + 1
    if first < 0x80:
        end = position + 2
        if end > total:
            raise VarintError(f"truncated: 2 bytes from {position}, the input has {total}")
        return (first & 0x3F) << 8 | data[position + 1], end
    if first < 0xC0:
        end = position + 4
        if end > total:
            raise VarintError(f"truncated: 4 bytes from {position}, the input has {total}")
        return int.from_bytes(data[position:end], "big") & 0x3FFF_FFFF, end
    end = position + 8
    if end > total:
        raise VarintError(f"truncated: 8 bytes from {position}, the input has {total}")
    return int.from_bytes(data[position:end], "big") & MAX, end


def size(value: int) -> int:
    """Bytes of the shortest encoding: 1, 2, 4 or 8.

    RFC 9000 §16, table 4.

    Raises:
        ValueError: ``value`` is negative or above ``MAX``.
    """
    if value < 0:
        raise ValueError(f"{value} is negative")
    if value < 0x40:
        return 1
    if value < 0x4000:
        return 2
    if value < 0x4000_0000:
        return 4
    if value <= MAX:
        return 8
    raise ValueError(f"{value} is above {MAX}")


def append(buffer: bytearray, value: int) -> None:
    """Write ``value`` to the end of ``buffer`` in its shortest encoding.

    RFC 9000 §16.

    Raises:
        ValueError: ``value`` is negative or above ``MAX``; the buffer is unchanged.
    """
    if value < 0:
        raise ValueError(f"{value} is negative")
    if value < 0x40:
        buffer.append(value)
    elif value < 0x4000:
        buffer += (value | 0x4000).to_bytes(2, "big")
    elif value < 0x4000_0000:
        buffer += (value | 0x8000_0000).to_bytes(4, "big")
    elif value <= MAX:
        buffer += (value | 0xC000_0000_0000_0000).to_bytes(8, "big")
    else:
        raise ValueError(f"{value} is above {MAX}")


def append_sized(buffer: bytearray, value: int, size: int) -> None:
    """Write ``value`` to the end of ``buffer`` in ``size`` bytes, which may be more than it needs.

    RFC 9000 §16: encodings need not be minimal, except for frame types.

    Raises:
        ValueError: ``size`` is not 1, 2, 4 or 8, or ``value`` does not fit; the buffer is unchanged.
    """
    if size == 1:
        limit, mark = 0x40, 0
    elif size == 2:
        limit, mark = 0x4000, 0x4000
    elif size == 4:
        limit, mark = 0x4000_0000, 0x8000_0000
    elif size == 8:
        limit, mark = MAX + 1, 0xC000_0000_0000_0000
    else:
        raise ValueError(f"size {size} is not 1, 2, 4 or 8")
    if value < 0 or value >= limit:
        raise ValueError(f"{value} does not fit {size} bytes")
    buffer += (value | mark).to_bytes(size, "big")
