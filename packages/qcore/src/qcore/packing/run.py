"""Packets of bulk transfer, many at a time.

Once the handshake is over and one source has a lot to say, packet after packet is the same: one frame that fills
it, under the next number. Such runs are built and protected here without the machinery for everything that can
be different. RFC 9000 §17.3.1.
"""

from __future__ import annotations

from typing import Final, final

from qtls.protection import Sealer
from qwire.headers import short_header

from ..ackhandler.history import SentPacket
from ..observer import Observer
from ..spaces import APPLICATION
from .builder import ONE_RTT, TAG_SIZE
from .source import FrameSource

# RFC 9000 A.2: up to so many numbers above the largest acknowledged one, a packet number fits 1 to 4 bytes.
REACH: Final = [0, 0x80, 0x8000, 0x80_0000, 0x8000_0000]


@final
class PacketRun:
    """Protected datagrams of one packet each, their bytes, and what the loss recovery keeps of them."""

    __slots__ = ("datagrams", "sent", "size")

    def __init__(self, datagrams: list[bytes], sent: list[SentPacket], size: int) -> None:
        self.datagrams = datagrams
        self.sent = sent
        self.size = size


def numbers_of_size(number_size: int, first: int, largest_acked: int) -> int:
    """How many packet numbers from `first` on are sent in `number_size` bytes, as `first` is."""
    return largest_acked + REACH[number_size] - first + 1


def pack_run(
    source: FrameSource,
    sealer: Sealer,
    destination_cid: bytes,
    number: int,
    number_size: int,
    key_phase: bool,
    spins: list[bool],
    limit: int,
    now: float,
    ecn: int,
    fixed_bit: bool,
    omits_length: bool,
    observer: Observer | None,
) -> PacketRun | None:
    """Up to `len(spins)` datagrams, each filled by a frame of `source`; None without any such frame.

    Args:
        number, number_size: the first packet number, and the bytes in which all of them are sent.
        spins: the spin bit of each packet.
        limit: the largest size of a datagram.
        omits_length: a DATAGRAM frame at the end of a packet goes without its Length.
        fixed_bit: that of all of them; a peer that takes any has a run of the same.
    """
    overhead = 1 + len(destination_cid) + number_size + TAG_SIZE
    frames = source.fill_packets(limit - overhead, len(spins))
    if not frames:
        return None
    headers: list[bytes] = []
    payloads: list[bytes] = []
    sent: list[SentPacket] = []
    first = number
    total = 0
    for frame, spin in zip(frames, spins, strict=False):
        headers.append(short_header(destination_cid, number, number_size, key_phase, spin, fixed_bit))
        if omits_length:
            frame.has_length = False
        payload = frame.encode()
        payloads.append(payload)
        size = overhead + len(payload)
        total += size
        sent.append(SentPacket(number, APPLICATION, now, size, True, True, [(frame, source)], ecn))
        number += 1
    datagrams = sealer.protect_run(first, number_size, headers, payloads)
    if observer is not None:
        for packet, single in zip(sent, frames, strict=True):
            observer.packet_sent(
                now, ONE_RTT, packet.packet_number, packet.size, [single], destination_cid, b""
            )
    return PacketRun(datagrams, sent, total)
