"""HTTP datagrams: which request a QUIC datagram belongs to.

RFC 9297 §2.1.
"""

from __future__ import annotations

from typing import Final

import quicvarint
from qhttp3.errors import H3_DATAGRAM_ERROR, ConnectionViolation

# RFC 9297 §2.1: stream ids end at 2^62 - 1, so their quarters at 2^60 - 1.
MAX_QUARTER: Final = (1 << 60) - 1


def encode_datagram(stream_id: int, data: bytes) -> bytes:
    """Put the quarter stream id in front."""
    out = bytearray()
    quicvarint.append(out, stream_id >> 2)
    return bytes(out + data)


def parse_datagram(datagram: bytes) -> tuple[int, bytes]:
    """Give stream id and payload.

    Raises:
        ConnectionViolation: no room for the quarter stream id, or one that no stream can have.
    """
    try:
        quarter, position = quicvarint.parse(datagram)
    except quicvarint.VarintError as error:
        raise ConnectionViolation(H3_DATAGRAM_ERROR, "datagram ends within its quarter stream id") from error
    if quarter > MAX_QUARTER:
        raise ConnectionViolation(H3_DATAGRAM_ERROR, f"quarter stream id {quarter} too large")
    return quarter << 2, datagram[position:]
