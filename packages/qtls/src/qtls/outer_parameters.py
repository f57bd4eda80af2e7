"""The transport parameters that an outer ClientHello shows.

An encrypted ClientHello carries the real ones. Outside stays what a server needs to read the hello at all: a
connection fails anyway if the server goes on with the outer hello. RFC 9849 §6.1, RFC 9000 §18.
"""

from __future__ import annotations

from typing import Final

from .codec import Reader

__all__ = ["reduced_parameters"]

INITIAL_SOURCE_CONNECTION_ID: Final = 0x0F
VERSION_INFORMATION: Final = 0x11
KEPT: Final = frozenset((INITIAL_SOURCE_CONNECTION_ID, VERSION_INFORMATION))


def reduced_parameters(encoded: bytes, kept: frozenset[int] = KEPT) -> bytes:
    """The entries whose number is in ``kept``, in their order and as they were encoded.

    Raises:
        DecodeError: malformed.
    """
    reader = Reader(encoded)
    parts = []
    while reader.remaining():
        start = reader.position
        number = _read_varint(reader)
        reader.read_bytes(_read_varint(reader))
        if number in kept:
            parts.append(encoded[start : reader.position])
    return b"".join(parts)


def _read_varint(reader: Reader) -> int:
    """A variable-length integer, RFC 9000 §16."""
    first = reader.read_uint8()
    size = 1 << (first >> 6)
    return int.from_bytes(bytes((first & 0x3F,)) + reader.read_bytes(size - 1), "big")
