"""Frames of HTTP/3 that are given as bytes."""

from __future__ import annotations

import quicvarint
from qhttp3.light_dataclass import dataclass


@dataclass(frozen=True)
class RawFrame:
    """A frame given as bytes, for what the engine has no use for: reserved frames (RFC 9114 §7.2.8).

    ``type_size`` is the size of the type on the wire: 1, 2, 4, 8, or 0 for the shortest.
    """

    type: int
    payload: bytes = b""
    type_size: int = 0

    def encode(self) -> bytes:
        """Give the bytes on the wire."""
        out = bytearray()
        if self.type_size:
            quicvarint.append_sized(out, self.type, self.type_size)
        else:
            quicvarint.append(out, self.type)
        quicvarint.append(out, len(self.payload))
        return bytes(out + self.payload)
