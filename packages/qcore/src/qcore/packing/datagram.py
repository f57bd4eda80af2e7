"""Filled packets to a datagram: sealed, written down for loss recovery, left with the masker.

Knows nothing of what goes where. RFC 9000 §12.2.
"""

from collections.abc import Sequence
from typing import final

from ..ackhandler.history import SentPacket
from ..observer import Observer
from .builder import HeaderMasker, PacketBuilder


@final
class PackedDatagram:
    """One datagram, whose packets wait in the masker for header protection.

    Attributes:
        sent: what the loss recovery has to remember of each packet.
        zeros: bytes that follow the packets.
        size: bytes of the datagram.
    """

    __slots__ = ("sent", "size", "zeros")

    def __init__(self, zeros: int = 0) -> None:
        self.sent: list[SentPacket] = []
        self.zeros = zeros
        self.size = zeros


@final
class DatagramWriter:
    """Writes the datagrams of one connection.

    Attributes:
        masker: holds them until their headers are protected.
        observer: may be exchanged or removed at any time.
    """

    __slots__ = ("masker", "observer")

    def __init__(self) -> None:
        self.masker = HeaderMasker()
        self.observer: Observer | None = None

    def write(self, builders: Sequence[PacketBuilder], now: float, zeros: int = 0) -> PackedDatagram:
        """Seal packets in their order, with `zeros` bytes behind them."""
        datagram = PackedDatagram(zeros)
        for builder in builders:
            self._seal(builder, datagram, now)
        self.masker.end_datagram(len(builders), zeros)
        return datagram

    def _seal(self, builder: PacketBuilder, datagram: PackedDatagram, now: float) -> None:
        builder.pad_for_sample()
        header, ciphertext = builder.seal()
        size = len(header) + len(ciphertext)
        self.masker.add(builder.sealer, header, builder.packet_number_size, ciphertext)
        datagram.size += size
        datagram.sent.append(
            SentPacket(
                builder.packet_number,
                builder.space,
                now,
                size,
                builder.ack_eliciting,
                builder.in_flight,
                builder.frames,
            )
        )
        if self.observer is not None:
            self.observer.packet_sent(
                now,
                builder.packet_type,
                builder.packet_number,
                size,
                [frame for frame, _ in builder.frames],
                builder.destination_cid,
                builder.source_cid,
            )
