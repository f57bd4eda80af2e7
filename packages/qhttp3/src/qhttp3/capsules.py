"""The Capsule Protocol: typed messages in the body of an extended CONNECT.

RFC 9297 §3.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import quicvarint
from qhttp3.errors import H3_DATAGRAM_ERROR, StreamViolation

DATAGRAM: Final = 0x00
# Of a type that is wanted; a DATAGRAM capsule may be as long as a UDP datagram. Others are skipped, whatever their length.
MAX_CAPSULE_SIZE: Final = 65_536


class Capsule(NamedTuple):
    """One capsule."""

    type: int
    value: bytes


def encode_capsule(capsule_type: int, value: bytes = b"") -> bytes:
    """Give a capsule's bytes."""
    out = bytearray()
    quicvarint.append(out, capsule_type)
    quicvarint.append(out, len(value))
    return bytes(out + value)


class CapsuleReader:
    """Takes capsules out of a body that arrives in pieces.

    Args:
        wanted: types to give; all others are passed over, as RFC 9297 §3.2 has it.
    """

    __slots__ = ("_buffer", "_skip", "_wanted")

    def __init__(self, wanted: frozenset[int]) -> None:
        self._wanted = wanted
        self._buffer = b""
        self._skip = 0  # of the value of a capsule nobody wants

    def receive(self, data: bytes) -> list[Capsule]:
        """Give the capsules that are complete now.

        Raises:
            StreamViolation: one that is wanted is too long.
        """
        found: list[Capsule] = []
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        data = self._buffer + data
        position = 0
        while (header := _header(data, position)) is not None:
            capsule_type, size, start = header
            if capsule_type not in self._wanted:
                position = min(start + size, len(data))
                self._skip = start + size - position
                continue
            if size > MAX_CAPSULE_SIZE:
                raise StreamViolation(H3_DATAGRAM_ERROR, f"capsule 0x{capsule_type:x} of {size} bytes")
            if start + size > len(data):
                break
            position = start + size
            found.append(Capsule(capsule_type, data[start:position]))
        self._buffer = data[position:]
        return found

    def finish(self) -> None:
        """The body has ended.

        Raises:
            StreamViolation: within a capsule (RFC 9297 §3.3).
        """
        if self._buffer or self._skip:
            raise StreamViolation(H3_DATAGRAM_ERROR, "the body ended within a capsule")


def _header(data: bytes, position: int) -> tuple[int, int, int] | None:
    """Type, length, and where the value begins; None while that is not known."""
    try:
        capsule_type, position = quicvarint.parse(data, position)
        size, position = quicvarint.parse(data, position)
    except quicvarint.VarintError:
        return None
    return capsule_type, size, position
