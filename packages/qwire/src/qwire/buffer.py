"""A position over bytes, and bytes that grow; the one place where integers become bytes.

``Reader`` raises ``Truncated`` when it is asked for more than there is. The functions below the classes are the
same for code that keeps the position itself. They repeat quicvarint's few lines on purpose: in compiled form
a call into another distribution costs ten times the decoding. RFC 9000 §16.
"""

from __future__ import annotations

from typing import Final, final

from qwire.compiling import mypyc_attr
from qwire.errors import Truncated

MAX_VARINT: Final = 0x3FFF_FFFF_FFFF_FFFF
# Every byte as bytes: cheaper than to make them anew.
BYTES: Final = [bytes((value,)) for value in range(256)]


@final
@mypyc_attr(acyclic=True)
class Reader:
    """Reads fields one after another from ``data``, up to ``end``.

    Attributes:
        data: the bytes read from; never copied as a whole.
        position: where the next read begins.
        end: where reading ends, by default at the end of ``data``.
    """

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes, position: int = 0, end: int | None = None) -> None:
        self.data = data
        self.position = position
        self.end = len(data) if end is None else end
        if not 0 <= position <= self.end <= len(data):
            raise ValueError(f"positions {position} to {self.end} do not lie in {len(data)} bytes")

    def remaining(self) -> int:
        """Bytes not read yet."""
        return self.end - self.position

    def at_end(self) -> bool:
        """Whether everything has been read."""
        return self.position >= self.end

    def read_uint8(self) -> int:
        """The next byte."""
        position = self.position
        if position >= self.end:
            raise Truncated("truncated: 1 byte wanted, 0 left")
        self.position = position + 1
        return self.data[position]

    def read_uint16(self) -> int:
        """The next 2 bytes as an integer, most significant first."""
        return int.from_bytes(self.read_bytes(2), "big")

    def read_uint24(self) -> int:
        """The next 3 bytes as an integer, most significant first."""
        return int.from_bytes(self.read_bytes(3), "big")

    def read_uint32(self) -> int:
        """The next 4 bytes as an integer, most significant first."""
        return int.from_bytes(self.read_bytes(4), "big")

    def read_uint64(self) -> int:
        """The next 8 bytes as an integer, most significant first."""
        return int.from_bytes(self.read_bytes(8), "big")

    def read_varint(self) -> int:
        """The next variable-length integer, minimal or not. RFC 9000 §16."""
        position = self.position
        if position >= self.end:
            raise Truncated("truncated: a varint wanted, 0 bytes left")
        data = self.data
        first = data[position]
        if first < 0x40:
            self.position = position + 1
            return first
        size = 1 << (first >> 6)
        stop = position + size
        if stop > self.end:
            raise Truncated(f"truncated: a varint of {size} bytes, {self.end - position} left")
        self.position = stop
        if size == 2:
            return (first & 0x3F) << 8 | data[position + 1]
        value = int.from_bytes(data[position:stop], "big")
        return value & (0x3FFF_FFFF if size == 4 else MAX_VARINT)

    def read_bytes(self, size: int) -> bytes:
        """The next ``size`` bytes.

        Raises:
            Truncated: there are fewer.
            ValueError: ``size`` is negative.
        """
        if size < 0:
            raise ValueError(f"negative size {size}")
        position = self.position
        stop = position + size
        if stop > self.end:
            raise Truncated(f"truncated: {size} bytes wanted, {self.end - position} left")
        self.position = stop
        return self.data[position:stop]

    def read_rest(self) -> bytes:
        """Everything not read yet; may be empty."""
        position = self.position
        self.position = self.end
        return self.data[position : self.end]


@final
@mypyc_attr(acyclic=True)
class Writer:
    """Appends fields to ``data``. Values that do not fit raise ``ValueError``.

    Attributes:
        data: what was written so far; frames append to it directly.
    """

    __slots__ = ("data",)

    def __init__(self) -> None:
        self.data = bytearray()

    def __len__(self) -> int:
        return len(self.data)

    def getvalue(self) -> bytes:
        """A copy of what was written."""
        return bytes(self.data)

    def write_uint8(self, value: int) -> None:
        """One byte."""
        self.data.append(value)

    def write_uint16(self, value: int) -> None:
        """Two bytes, most significant first."""
        append_uint(self.data, value, 2)

    def write_uint24(self, value: int) -> None:
        """Three bytes, most significant first."""
        append_uint(self.data, value, 3)

    def write_uint32(self, value: int) -> None:
        """Four bytes, most significant first."""
        append_uint(self.data, value, 4)

    def write_uint64(self, value: int) -> None:
        """Eight bytes, most significant first."""
        append_uint(self.data, value, 8)

    def write_varint(self, value: int) -> None:
        """A variable-length integer in its shortest form. RFC 9000 §16."""
        append_varint(self.data, value)

    def write_varint_sized(self, value: int, size: int) -> None:
        """A variable-length integer in ``size`` bytes: 1, 2, 4 or 8. RFC 9000 §16."""
        append_varint_sized(self.data, value, size)

    def write_bytes(self, data: bytes) -> None:
        """The bytes as they are."""
        self.data += data


def varint_at(data: bytes, position: int) -> tuple[int, int]:
    """The variable-length integer at ``position``, and the position after it.

    RFC 9000 §16.

    Raises:
        Truncated: ``data`` ends before the integer does.
    """
    left = len(data) - position
    if left <= 0:
        raise Truncated("truncated: a varint wanted, 0 bytes left")
    first = data[position]
    if first < 0x40:
        return first, position + 1
    if first < 0x80:
        if left < 2:
            raise Truncated("truncated: a varint of 2 bytes, 1 left")
        return (first & 0x3F) << 8 | data[position + 1], position + 2
    if first < 0xC0:
        if left < 4:
            raise Truncated(f"truncated: a varint of 4 bytes, {left} left")
        return int.from_bytes(data[position : position + 4], "big") & 0x3FFF_FFFF, position + 4
    if left < 8:
        raise Truncated(f"truncated: a varint of 8 bytes, {left} left")
    return int.from_bytes(data[position : position + 8], "big") & MAX_VARINT, position + 8


def varint_size(value: int) -> int:
    """Bytes of the shortest form of ``value``. RFC 9000 §16, table 4."""
    if value < 0x40:
        return 1
    if value < 0x4000:
        return 2
    if value < 0x4000_0000:
        return 4
    return 8


def encode_varint(value: int) -> bytes:
    """``value`` in its shortest form.

    RFC 9000 §16.

    Raises:
        ValueError: ``value`` is negative or above 2^62 - 1.
    """
    if value < 0x40:
        if value < 0:
            raise ValueError(f"{value} is negative")
        return BYTES[value]
    if value < 0x4000:
        return BYTES[0x40 | value >> 8] + BYTES[value & 0xFF]
    if value < 0x4000_0000:
        return (value | 0x8000_0000).to_bytes(4, "big")
    if value <= MAX_VARINT:
        return (value | 0xC000_0000_0000_0000).to_bytes(8, "big")
    raise ValueError(f"{value} is above 2^62 - 1")


def append_varint(data: bytearray, value: int) -> None:
    """Write ``value`` to the end of ``data`` as `encode_varint` gives it."""
    if 0 <= value < 0x40:
        data.append(value)
    else:
        data += encode_varint(value)


def append_varint_sized(data: bytearray, value: int, size: int) -> None:
    """Write ``value`` to the end of ``data`` in ``size`` bytes, which may be more than it needs.

    RFC 9000 §16.

    Raises:
        ValueError: ``size`` is not 1, 2, 4 or 8, or ``value`` does not fit.
    """
    if size == 2:  # the usual size of a Length field
        limit, mark = 0x4000, 0x4000
    elif size == 1:
        limit, mark = 0x40, 0
    elif size == 4:
        limit, mark = 0x4000_0000, 0x8000_0000
    elif size == 8:
        limit, mark = MAX_VARINT + 1, 0xC000_0000_0000_0000
    else:
        raise ValueError(f"size {size} is not 1, 2, 4 or 8")
    if value < 0 or value >= limit:
        raise ValueError(f"{value} does not fit {size} bytes")
    data += (value | mark).to_bytes(size, "big")


def append_uint(data: bytearray, value: int, size: int) -> None:
    """Write ``value`` to the end of ``data`` in ``size`` bytes, most significant first.

    Raises:
        ValueError: ``value`` is negative or does not fit.
    """
    if value < 0 or value >> 8 * size:
        raise ValueError(f"{value} does not fit {size} bytes")
    data += value.to_bytes(size, "big")
