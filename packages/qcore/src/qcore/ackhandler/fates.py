"""What becomes of sent packets, told to whoever wrote their frames.

Each frame is acknowledged or lost once; a packet that has handed its frames back holds none. Also what one ACK frame
changed in all. RFC 9002 §2, §13.3 of RFC 9000.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, final

from qwire.frames import Frame

from ..packing.source import FrameSource
from .history import SentHistory, SentPacket

# Stands for whoever is told of frames first.
NOBODY: Final = FrameSource()


@final
class AckOutcome:
    """What one ACK frame changed.

    Attributes:
        acked, acked_bytes: packets newly acknowledged, and the bytes of those in flight.
        growing_bytes: those of packets that left after congestion was last reacted to.
        largest_acked_size: bytes of the largest of the packets.
        eliciting, marked: how many of them were ack-eliciting, and how many carried an ECN mark.
        newest_time: when the newest of those in flight was sent; -math.inf if there was none.
        lost: packets newly declared lost.
        largest_advanced: whether the largest acknowledged number of the space rose.
        ecn_ce: whether it reports new congestion marks.
    """

    __slots__ = (
        "acked",
        "acked_bytes",
        "ecn_ce",
        "eliciting",
        "growing_bytes",
        "largest_acked_size",
        "largest_advanced",
        "lost",
        "marked",
        "newest_time",
    )

    def __init__(self) -> None:
        self.acked = 0
        self.acked_bytes = 0
        self.growing_bytes = 0
        self.largest_acked_size = 0
        self.eliciting = 0
        self.marked = 0
        self.newest_time = -math.inf
        self.lost = 0
        self.largest_advanced = False
        self.ecn_ce = False

    def take(self, packets: list[SentPacket], recovery_start: float) -> None:
        """Count acknowledged packets, and tell the owners of their frames."""
        acked_bytes = 0
        growing_bytes = 0
        largest = 0
        eliciting = 0
        marked = 0
        newest_time = -math.inf
        # Who is told next, and of which frames: of all that follow one another at once.
        told = NOBODY
        frames: list[Frame] = []
        for packet in packets:
            size = packet.size
            if size > largest:  # noqa: PLR1730 - per packet, and max() is a call
                largest = size
            if packet.in_flight:
                acked_bytes += size
                sent_time = packet.sent_time
                if sent_time > recovery_start:
                    growing_bytes += size
                if sent_time > newest_time:  # noqa: PLR1730
                    newest_time = sent_time
            if packet.ack_eliciting:
                eliciting += 1
            if packet.ecn:
                marked += 1
            for frame, owner in packet.frames:
                if owner is not told:
                    if frames:
                        told.on_all_acked(frames)
                        frames = []
                    told = owner
                frames.append(frame)
        if frames:
            told.on_all_acked(frames)
        self.acked = len(packets)
        self.acked_bytes = acked_bytes
        self.growing_bytes = growing_bytes
        self.largest_acked_size = largest
        self.eliciting = eliciting
        self.marked = marked
        self.newest_time = newest_time


def report_lost(packets: Iterable[SentPacket]) -> None:
    """Hand the frames of packets back to their owners, once."""
    for packet in packets:
        frames = packet.frames
        packet.frames = []
        for frame, owner in frames:
            owner.on_lost(frame)


def oldest_with_frames(history: SentHistory, count: int) -> list[SentPacket]:
    """Up to `count` packets of a space that a probe timeout repeats, the oldest first. RFC 9002 §6.2.4."""
    found: list[SentPacket] = []
    packets = history.packets
    for index in range(history.head, len(packets)):
        packet = packets[index]
        if packet is not None and packet.ack_eliciting and packet.frames and not packet.is_mtu_probe:
            found.append(packet)
            if len(found) == count:
                break
    return found
