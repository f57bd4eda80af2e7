"""What was sent in one packet-number space and is still without an answer.

A flat list indexed by packet number minus a base: an acknowledgement is a slice, not a search. The answered
head is cut off once it is half of the list, which costs a constant per packet. Knows which numbers were never
sent, which packets were declared lost lately, and which the peer need not acknowledge. Decides nothing; `loss` and
`sent` do.
"""

# ruff: noqa: FURB136 - per ACK, and min() is a call

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final, final

from qwire.frames import Frame

from ..packing.source import FrameSource
from .packet_numbers import PacketNumbers
from .ranges import RangeSet

# Heads shorter than this are not worth cutting off.
MIN_TRIM: Final = 64
# Runs of never-sent numbers to remember. Acknowledging an old one gains a peer nothing.
MAX_GAPS: Final = 16
# Lost packets to remember, in case they were only late.
MAX_LOST: Final = 64

# Packets that elicit nothing and are remembered, the newest ones: to hear that an ACK has arrived only saves repeating it.
# Some 800 bytes each.
MAX_UNANSWERABLE: Final = 256

# What histories without losses share, and without such packets: nobody may put anything into these.
NO_NUMBERS: Final[list[int]] = []
NO_TIMES: Final[list[float]] = []
NO_GAPS: Final = RangeSet()
NO_MARKS: Final[tuple[int, int, int]] = (0, 0, 0)
NO_PACKETS: Final[list[SentPacket]] = []


@final
class SentPacket:
    """One sent packet.

    Attributes:
        size: bytes on the wire, including header and tag.
        ack_eliciting, in_flight: as RFC 9002 §2 defines them. `in_flight` is taken back when the path changes.
        frames: frames with whoever wrote them; emptied when they have been reported.
        ecn: the mark of its datagram.
        is_mtu_probe: its loss says nothing of congestion (RFC 9000 §14.4).
        is_off_path: it left on another path than the active one, and tells nothing of that.
    """

    __slots__ = (
        "ack_eliciting",
        "ecn",
        "frames",
        "in_flight",
        "is_mtu_probe",
        "is_off_path",
        "packet_number",
        "sent_time",
        "size",
        "space",
    )

    def __init__(
        self,
        packet_number: int,
        space: int,
        sent_time: float,
        size: int,
        ack_eliciting: bool,
        in_flight: bool,
        frames: list[tuple[Frame, FrameSource]],
        ecn: int = 0,
        is_mtu_probe: bool = False,
    ) -> None:
        self.packet_number = packet_number
        self.space = space
        self.sent_time = sent_time
        self.size = size
        self.ack_eliciting = ack_eliciting
        self.in_flight = in_flight
        self.frames = frames
        self.ecn = ecn
        self.is_mtu_probe = is_mtu_probe
        self.is_off_path = False

    def __repr__(self) -> str:
        return (
            f"SentPacket(packet_number={self.packet_number}, space={self.space}, sent_time={self.sent_time}, "
            f"size={self.size}, ack_eliciting={self.ack_eliciting}, in_flight={self.in_flight}, "
            f"frames={[frame for frame, _ in self.frames]!r}, ecn={self.ecn})"
        )


@final
class SentHistory:
    """Outstanding packets of one space.

    Attributes:
        packets: slot ``n`` belongs to packet number ``base + n``; None where nothing is outstanding.
        base, head: see `packets`; every slot before `head` is None, and the one at `head` is not, if it exists.
        next_number: one above the largest number sent.
        largest_acked: -1 before the first acknowledgement.
        ack_eliciting: outstanding packets that are ack-eliciting.
        last_eliciting_time: when the newest ack-eliciting packet was sent.
        loss_time: when the packet at the head will count as lost; math.inf when it will not by time.
        passed_acked: whether an acknowledged number was passed by the head since `loss` looked last.
        path_floor: the first packet number of the present path.
        is_discarded: the keys of the space are gone.
        numbers: what the next packet is numbered by; it may be that of other spaces, too.
        unanswerable_in_a_row: packets that the peer need not acknowledge, since the last that it has to.
        marked_sent, marked_acked: packets with the mark ECT(0). `ecn` counts them.
        marks_reported: ECT(0), ECT(1) and CE, as the peer has counted them.
        loss_run_start: everything sent since then was lost; math.inf if nothing is lost in a row. `loss` keeps it.
        lost_numbers: packets declared lost lately, ascending.
    """

    __slots__ = (
        "_last_gap",
        "_lost_times",
        "_never_sent",
        "_unanswerable",
        "ack_eliciting",
        "base",
        "head",
        "is_discarded",
        "largest_acked",
        "last_eliciting_time",
        "loss_run_start",
        "loss_time",
        "lost_numbers",
        "marked_acked",
        "marked_sent",
        "marks_reported",
        "next_number",
        "numbers",
        "packets",
        "passed_acked",
        "path_floor",
        "unanswerable_in_a_row",
    )

    def __init__(self, numbers: PacketNumbers | None = None) -> None:
        self.numbers = numbers or PacketNumbers()
        self.packets: list[SentPacket | None] = []
        self.base = 0
        self.head = 0
        self.next_number = 0
        self.largest_acked = -1
        self.ack_eliciting = 0
        self.last_eliciting_time = -math.inf
        self.loss_time = math.inf
        self.is_discarded = False
        self.passed_acked = False
        self.path_floor = 0
        self._never_sent = NO_GAPS
        self._last_gap = -1  # the largest number that was never sent
        self.lost_numbers: list[int] = NO_NUMBERS
        self._lost_times: list[float] = NO_TIMES
        self.loss_run_start = math.inf
        self.marked_sent = 0
        self.marked_acked = 0
        self.marks_reported = NO_MARKS
        self.unanswerable_in_a_row = 0
        self._unanswerable = NO_PACKETS

    def append(self, packet: SentPacket) -> None:
        """Remember a packet. Its number is above all before it; numbers in between were never sent.

        Raises:
            ValueError: the number is not above.
        """
        number = packet.packet_number
        if number != self.next_number:
            self._leave_gap(number)
        self.packets.append(packet)
        self.next_number = number + 1
        if packet.ack_eliciting:
            self.ack_eliciting += 1
            self.last_eliciting_time = packet.sent_time

    def extend(self, packets: Sequence[SentPacket]) -> None:
        """Remember ack-eliciting packets that left together, whose numbers follow one another."""
        self.append(packets[0])
        self.packets.extend(packets[1:])
        self.next_number += len(packets) - 1
        self.ack_eliciting += len(packets) - 1

    def was_never_sent(self, ranges: list[tuple[int, int]]) -> bool:
        """Whether any of the inclusive `ranges`, highest first, names a number that was not sent."""
        if not ranges:
            return False
        if ranges[0][1] >= self.next_number:
            return True
        if ranges[-1][0] > self._last_gap:
            return False
        never_sent = self._never_sent
        lowest = never_sent.smallest
        for first, last in ranges:
            if last < lowest:
                break
            if never_sent.overlaps(first, last):
                return True
        return False

    def find(self, number: int) -> SentPacket | None:
        """The packet of that number, if it is outstanding."""
        index = number - self.base
        return self.packets[index] if 0 <= index < len(self.packets) else None

    def take_acked(self, ranges: list[tuple[int, int]]) -> list[SentPacket]:
        """Remove and return the outstanding packets in `ranges`: inclusive, highest first.

        The cost is that of the packets found, of `ranges`, and of the reordering window. The highest range comes
        first in the result, and ascends within itself.
        """
        packets = self.packets
        base = self.base
        end = base + len(packets)
        floor = base + self.head
        acked: list[SentPacket] = []
        for first, last in ranges:
            if last < floor:
                break
            start = (first if first > floor else floor) - base
            stop = (last + 1 if last < end else end) - base
            if stop == start + 1:
                packet = packets[start]
                if packet is not None:
                    acked.append(packet)
                    packets[start] = None
            elif stop > start:
                acked += [packet for packet in packets[start:stop] if packet is not None]
                packets[start:stop] = [None] * (stop - start)
        if acked:
            self._trim()
        return acked

    def take_head(self, count: int) -> list[SentPacket]:
        """Remove and return the packets of the first `count` slots from the head on."""
        start = self.head
        stop = start + count
        packets = self.packets
        taken = [packet for packet in packets[start:stop] if packet is not None]
        packets[start:stop] = [None] * (stop - start)
        was_passed = self.passed_acked
        self._trim()
        # These slots were passed because they were taken, not because they were acknowledged.
        self.passed_acked = was_passed
        return taken

    def forget(self, number: int) -> None:
        """Drop a packet whose fate does not matter; nothing happens if it is not outstanding."""
        index = number - self.base
        if 0 <= index < len(self.packets) and self.packets[index] is not None:
            self.packets[index] = None
            was_passed = self.passed_acked
            self._trim()
            self.passed_acked = was_passed

    def take_all(self) -> list[SentPacket]:
        """Remove and return everything outstanding. Numbers go on; nothing that was lost is remembered."""
        taken = [packet for packet in self.packets if packet is not None]
        self.packets.clear()
        self.base = self.next_number
        self.head = 0
        self.ack_eliciting = 0
        self.loss_time = math.inf
        self.lost_numbers = NO_NUMBERS
        self._lost_times = NO_TIMES
        return taken

    def start_path(self) -> None:
        """Packets from here on travel another path; nothing that was lost on the old one is remembered."""
        self.path_floor = self.next_number
        self.loss_run_start = math.inf
        self.lost_numbers = NO_NUMBERS
        self._lost_times = NO_TIMES

    def outstanding(self) -> list[SentPacket]:
        """The packets without an answer, oldest first."""
        return [packet for packet in self.packets if packet is not None]

    def remember_lost(self, packet: SentPacket) -> None:
        """The packet was declared lost; an acknowledgement that still comes would show that it was not."""
        if not self.lost_numbers:
            self.lost_numbers = [packet.packet_number]
            self._lost_times = [packet.sent_time]
            return
        self.lost_numbers.append(packet.packet_number)
        self._lost_times.append(packet.sent_time)
        if len(self.lost_numbers) > MAX_LOST:
            del self.lost_numbers[0]
            del self._lost_times[0]

    def take_late(self, ranges: Sequence[tuple[int, int]], not_before: float) -> list[tuple[int, float]]:
        """Packets in `ranges` that had been declared lost, as (packet number, time sent).

        Those sent before `not_before` are forgotten.
        """
        numbers, times = self.lost_numbers, self._lost_times
        late: list[tuple[int, float]] = []
        if not numbers:
            return late
        expired = bisect_left(times, not_before)
        if expired:
            del numbers[:expired]
            del times[:expired]
        for first, last in ranges:
            if not numbers or last < numbers[0]:
                break
            start = bisect_left(numbers, first)
            stop = bisect_right(numbers, last)
            if start < stop:
                late.extend(zip(numbers[start:stop], times[start:stop], strict=True))
                del numbers[start:stop]
                del times[start:stop]
        return late

    def add_unanswerable(self, packet: SentPacket) -> SentPacket | None:
        """A packet that was appended need not be acknowledged; returns the one to `forget` for it, if there is one."""
        self.unanswerable_in_a_row += 1
        kept = self._unanswerable
        if kept:
            kept.append(packet)
        else:
            self._unanswerable = [packet]
        return kept.pop(0) if len(kept) > MAX_UNANSWERABLE else None

    def take_unanswerable(self) -> list[SentPacket]:
        """Those that were added and may be outstanding, oldest first. They are not told apart from others any more."""
        kept = self._unanswerable
        self._unanswerable = NO_PACKETS
        return kept

    def __len__(self) -> int:
        """Slots from the head on: packets outstanding, and those behind the oldest that are answered."""
        return len(self.packets) - self.head

    def _leave_gap(self, number: int) -> None:
        gap = number - self.next_number
        if gap < 0:
            raise ValueError(f"packet number {number} after {self.next_number - 1}")
        if self._never_sent is NO_GAPS:
            self._never_sent = RangeSet(MAX_GAPS)
        self._never_sent.add_range(self.next_number, number - 1)
        self._last_gap = number - 1
        if self.packets:
            self.packets.extend([None] * gap)
        else:
            self.base = number

    def _trim(self) -> None:
        """Move the head to the oldest outstanding packet, and cut off what lies before it now and then."""
        packets = self.packets
        start = head = self.head
        end = len(packets)
        while head < end and packets[head] is None:
            head += 1
        if head != start:
            first = self.base + start
            if head - start > 1 or first > self._last_gap or first not in self._never_sent:
                self.passed_acked = True
            if head == end:
                packets.clear()
                self.base = self.next_number
                head = 0
            elif head >= MIN_TRIM and 2 * head >= end:
                del packets[:head]
                self.base += head
                head = 0
            self.head = head
