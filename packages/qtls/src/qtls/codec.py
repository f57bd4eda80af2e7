"""TLS presentation language: a reader with bounds, and builders of vectors.

RFC 8446 §3. All integers are big endian. Readers raise ``DecodeError`` and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack, unpack
from typing import final

from .errors import DecodeError

__all__ = ["Reader", "message", "sole_vector16", "uint16_list", "vector8", "vector16", "vector24"]


@final
class Reader:
    """Reads ``data`` from ``position`` up to ``end``."""

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes, position: int = 0, end: int = -1) -> None:
        self.data = data
        self.position = position
        self.end = len(data) if end < 0 else end

    def remaining(self) -> int:
        """Bytes not yet read."""
        return self.end - self.position

    def read_uint8(self) -> int:
        """One byte."""
        position = self.position
        if position >= self.end:
            raise DecodeError("truncated")
        self.position = position + 1
        return self.data[position]

    def read_uint16(self) -> int:
        """Two bytes."""
        position = self.position
        if position + 2 > self.end:
            raise DecodeError("truncated")
        self.position = position + 2
        return self.data[position] << 8 | self.data[position + 1]

    def read_uint24(self) -> int:
        """Three bytes."""
        return int.from_bytes(self.read_bytes(3), "big")

    def read_uint32(self) -> int:
        """Four bytes."""
        return int.from_bytes(self.read_bytes(4), "big")

    def read_bytes(self, size: int) -> bytes:
        """``size`` bytes."""
        start = self.position
        stop = start + size
        if size < 0 or stop > self.end:
            raise DecodeError("truncated")
        self.position = stop
        return self.data[start:stop]

    def read_vector8(self) -> bytes:
        """The content of a vector with a length of one byte."""
        start = self.position + 1
        if start > self.end:
            raise DecodeError("truncated")
        stop = start + self.data[start - 1]
        if stop > self.end:
            raise DecodeError("truncated")
        self.position = stop
        return self.data[start:stop]

    def read_vector16(self) -> bytes:
        """The content of a vector with a length of two bytes."""
        start = self.position + 2
        if start > self.end:
            raise DecodeError("truncated")
        stop = start + (self.data[start - 2] << 8 | self.data[start - 1])
        if stop > self.end:
            raise DecodeError("truncated")
        self.position = stop
        return self.data[start:stop]

    def read_vector24(self) -> bytes:
        """The content of a vector with a length of three bytes."""
        return self.read_bytes(self.read_uint24())

    def read_uint16_list(self) -> tuple[int, ...]:
        """A vector of two-byte integers with a length of two bytes."""
        return uint16s(self.read_vector16())

    def read_rest(self) -> bytes:
        """All that is left."""
        return self.read_bytes(self.end - self.position)

    def expect_end(self, what: str) -> None:
        """Refuse bytes after the end of a structure."""
        if self.position != self.end:
            raise DecodeError(f"{self.end - self.position} bytes after the end of {what}")


def uint16s(data: bytes) -> tuple[int, ...]:
    """The two-byte integers in ``data``."""
    if len(data) & 1:
        raise DecodeError("odd length of a list of two-byte numbers")
    return unpack(f">{len(data) >> 1}H", data)


def sole_vector16(data: bytes, what: str) -> bytes:
    """The content of a vector with a length of two bytes, with nothing behind it."""
    size = len(data) - 2
    told = data[0] << 8 | data[1] if size >= 0 else 0
    if told > size:
        raise DecodeError("truncated")
    if told != size:
        raise DecodeError(f"{size - told} bytes after the end of {what}")
    return data[2:]


def vector8(content: bytes) -> bytes:
    """``content`` behind a length of one byte."""
    return len(content).to_bytes(1, "big") + content


def vector16(content: bytes) -> bytes:
    """``content`` behind a length of two bytes."""
    return len(content).to_bytes(2, "big") + content


def vector24(content: bytes) -> bytes:
    """``content`` behind a length of three bytes."""
    return len(content).to_bytes(3, "big") + content


def uint16_list(values: Sequence[int]) -> bytes:
    """Two-byte integers behind a length of two bytes."""
    return pack(f">{len(values) + 1}H", 2 * len(values), *values)


def message(message_type: int, body: bytes) -> bytes:
    """A handshake message, RFC 8446 §4."""
    return bytes((message_type,)) + vector24(body)
