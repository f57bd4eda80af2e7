"""How many bytes of a packet number are sent, and how the receiver completes them.

RFC 9000 §17.1, appendices A.2 and A.3.
"""

from __future__ import annotations

from typing import Final

MAX_PACKET_NUMBER: Final = 0x3FFF_FFFF_FFFF_FFFF  # RFC 9000 §12.3


def encoded_size(packet_number: int, largest_acked: int) -> int:
    """Bytes, 1 to 4, in which the peer can still recognize ``packet_number``.

    RFC 9000 A.2: the bytes sent must be able to tell apart twice the packets not acknowledged.
    ``largest_acked`` is -1 as long as nothing is.

    Raises:
        ValueError: the number is not above ``largest_acked``, or too far above it for 4 bytes.
    """
    unacknowledged = packet_number - largest_acked
    if unacknowledged <= 0x80:
        if unacknowledged <= 0:
            raise ValueError(f"packet {packet_number} is not above {largest_acked}, which is acknowledged")
        return 1
    if unacknowledged <= 0x8000:
        return 2
    if unacknowledged <= 0x80_0000:
        return 3
    if unacknowledged <= 0x8000_0000:
        return 4
    raise ValueError(f"packet {packet_number} is too far above {largest_acked}")


def expand(truncated: int, size: int, largest_received: int) -> int:
    """The whole packet number of which the low ``size`` bytes are ``truncated``.

    RFC 9000 A.3: the one nearest to the next number expected. ``largest_received`` is -1 before the first packet.
    """
    expected = largest_received + 1
    window = 1 << 8 * size
    half = window >> 1
    candidate = expected - expected % window + truncated
    if candidate <= expected - half:
        if candidate <= MAX_PACKET_NUMBER - window:
            return candidate + window
    elif candidate > expected + half and candidate >= window:
        return candidate - window
    return candidate
