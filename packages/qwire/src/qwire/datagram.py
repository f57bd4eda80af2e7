"""Where the packets of a datagram begin and end, without keys.

Coalesced packets follow one another by the Length of their long headers; a short header, Retry or Version
Negotiation takes the rest. What is no packet becomes a part with a reason: some clients fill a datagram with
zeros after the last packet. RFC 9000 §12.2.
"""

from __future__ import annotations

from typing import Final, final

from qwire.constants import VERSION_1, VERSION_2, VERSION_NEGOTIATION, PacketType
from qwire.errors import DecodeError
from qwire.headers import FIXED_BIT, LONG_HEADER, LongHeader, long_packet_type, parse_long_header

ZEROS: Final = "zeros after the last packet"
"""The reason of a part that only fills its datagram."""


@final
class DatagramPart:
    """A range of a datagram.

    Attributes:
        start, end: the range; parts follow one another without gaps.
        packet_type: None when the range is no packet that is understood.
        header: of an Initial, 0-RTT or Handshake packet.
        reason: why the range is no packet; empty when it is one.
    """

    __slots__ = ("end", "header", "packet_type", "reason", "start")

    def __init__(
        self, start: int, end: int, packet_type: PacketType | None, header: LongHeader | None, reason: str
    ) -> None:
        self.start = start
        self.end = end
        self.packet_type = packet_type
        self.header = header
        self.reason = reason

    def __repr__(self) -> str:
        what = self.reason if self.packet_type is None else self.packet_type.name
        return f"DatagramPart({self.start}, {self.end}, {what})"


def split(datagram: bytes, *, fixed_bit: bool = True) -> list[DatagramPart]:
    """The parts of ``datagram``, in order; never raises for what is in it.

    RFC 9000 §12.2.

    Args:
        fixed_bit: take a packet whose fixed bit is 0 for junk; False once ``grease_quic_bit`` was agreed.
    """
    parts: list[DatagramPart] = []
    total = len(datagram)
    position = 0
    while position < total:
        first = datagram[position]
        if not first & LONG_HEADER:
            parts.append(_short_part(datagram, position, fixed_bit))
            break
        version = int.from_bytes(datagram[position + 1 : position + 5], "big")
        kind = _whole_datagram_type(first, version) if total - position >= 5 else None
        if kind is not None:
            parts.append(DatagramPart(position, total, kind, None, ""))
            break
        try:
            header = parse_long_header(datagram, position, fixed_bit=fixed_bit)
        except DecodeError as error:
            parts.append(DatagramPart(position, total, None, None, error.reason))
            break
        parts.append(DatagramPart(position, header.end, header.packet_type, header, ""))
        position = header.end
    return parts


def _short_part(datagram: bytes, position: int, fixed_bit: bool) -> DatagramPart:
    total = len(datagram)
    if position > 0 and datagram.count(0, position) == total - position:
        return DatagramPart(position, total, None, None, ZEROS)
    if fixed_bit and not datagram[position] & FIXED_BIT:
        return DatagramPart(position, total, None, None, "the fixed bit is 0")
    return DatagramPart(position, total, PacketType.ONE_RTT, None, "")


def _whole_datagram_type(first: int, version: int) -> PacketType | None:
    """The type of a long packet that has no Length, None for the others."""
    if version == VERSION_NEGOTIATION:
        return PacketType.VERSION_NEGOTIATION
    if version != VERSION_1 and version != VERSION_2:
        return None
    kind = long_packet_type(first, version)
    return kind if kind is PacketType.RETRY else None
