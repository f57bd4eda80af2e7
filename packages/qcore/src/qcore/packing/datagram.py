"""Filled packets to a datagram: written down for loss recovery, and protected together with others.

Knows nothing of what goes where. RFC 9000 §12.2, RFC 9001 §5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

from ..ackhandler.history import SentPacket
from ..batch import Address
from ..observer import Observer
from .builder import ONE_RTT, SAMPLE_OFFSET, PacketBuilder

NOWHERE: Final[Address] = ("", 0)


@final
class PackedDatagram:
    """One datagram, whose packets are still to be protected.

    Attributes:
        packets: what it holds.
        zeros: bytes that follow the packets.
        sent: what the loss recovery has to remember of each packet.
        size: bytes of the datagram.
        address, local, ecn: where it goes, from which socket, and with which mark; for whoever sends it.
    """

    __slots__ = ("address", "ecn", "local", "packets", "sent", "size", "zeros")

    def __init__(self, packets: list[PacketBuilder], zeros: int) -> None:
        self.packets = packets
        self.zeros = zeros
        self.sent: list[SentPacket] = []
        self.size = zeros
        self.address: Address = NOWHERE
        self.local = 0
        self.ecn = 0

    def protect(self) -> bytes:
        """The datagram as it leaves."""
        packets = self.packets
        data = packets[0].protect()
        if len(packets) > 1:
            data += b"".join([packet.protect() for packet in packets[1:]])
        return data + bytes(self.zeros) if self.zeros else data


@final
class DatagramWriter:
    """Writes the datagrams of one connection down.

    Attributes:
        observer: may be exchanged or removed at any time.
    """

    __slots__ = ("observer",)

    def __init__(self) -> None:
        self.observer: Observer | None = None

    def write(self, packets: list[PacketBuilder], now: float, zeros: int = 0) -> PackedDatagram:
        """A datagram of filled packets in their order, with `zeros` bytes behind them."""
        datagram = PackedDatagram(packets, zeros)
        for packet in packets:
            if len(packet.payload) < SAMPLE_OFFSET:
                packet.pad_for_sample()
            size = packet.total_size()
            datagram.size += size
            datagram.sent.append(
                SentPacket(
                    packet.packet_number,
                    packet.space,
                    now,
                    size,
                    packet.ack_eliciting,
                    packet.in_flight,
                    packet.frames,
                )
            )
            if self.observer is not None:
                self.observer.packet_sent(
                    now,
                    packet.packet_type,
                    packet.packet_number,
                    size,
                    [frame for frame, _ in packet.frames],
                    packet.destination_cid,
                    packet.source_cid,
                )
        return datagram


def protect(datagrams: Sequence[PackedDatagram]) -> list[bytes]:
    """The datagrams of one pass as they leave.

    Header protection of 1-RTT packets that follow one another is one call, as their masks are. RFC 9001 §5.4.
    """
    protected: list[bytes] = []
    start = 0
    while start < len(datagrams):
        stop = start + 1
        while stop < len(datagrams) and _is_next(datagrams[stop - 1], datagrams[stop]):
            stop += 1
        if stop == start + 1:
            protected.append(datagrams[start].protect())
        else:
            packets = [datagram.packets[0] for datagram in datagrams[start:stop]]
            first = packets[0]
            protected += first.sealer.protect_run(
                first.packet_number,
                first.packet_number_size,
                [packet.header() for packet in packets],
                [packet.payload for packet in packets],
            )
        start = stop
    return protected


def _is_next(one: PackedDatagram, other: PackedDatagram) -> bool:
    """Whether two datagrams are one 1-RTT packet each, alike but for the next packet number and what it holds."""
    if len(one.packets) > 1 or len(other.packets) > 1 or one.zeros or other.zeros:
        return False
    first, second = one.packets[0], other.packets[0]
    return (
        second.packet_number == first.packet_number + 1
        and second.packet_number_size == first.packet_number_size
        and second.sealer is first.sealer
        and second.packet_type is ONE_RTT
        and first.packet_type is ONE_RTT
        and len(second.destination_cid) == len(first.destination_cid)
    )
