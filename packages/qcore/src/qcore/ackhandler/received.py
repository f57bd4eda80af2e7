"""What has arrived in one packet-number space, and when to acknowledge it.

Taking note of a packet is a few integer steps; whether an ACK must go is decided once per batch, when somebody
asks. Recognizes duplicates. Sends ACK frames as their `FrameSource`, and stops repeating what the peer is known
to have read. RFC 9000 §13.2.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, final

from qwire.frames import AckFrame, Frame

from ..packing.source import FrameSource
from ..spaces import APPLICATION
from .ecn import CE, ECT0, ECT1
from .ranges import MAX_RANGES, RangeSet

if TYPE_CHECKING:
    from ..packing.builder import PacketBuilder

ACK_ELICITING_THRESHOLD: Final = 2  # RFC 9000 §13.2.2
MAX_ACK_DELAY: Final = 0.025  # RFC 9000 §18.2
ACK_DELAY_EXPONENT: Final = 3  # RFC 9000 §18.2


@final
class ReceivedPacketHandler(FrameSource):
    """Received packets of one space.

    Args:
        max_ack_delay: seconds that an ack-eliciting packet may wait for its ACK.
        ack_delay_exponent: that of the ACKs' delays.
        learns: whether the next ACK leaves at once where the last one waited in vain.

    Attributes:
        deadline: when a delayed ACK has to go; math.inf when none is delayed, or one is due at once.
        ack_pending: whether ack-eliciting packets wait for an ACK, delayed or not.
        is_hasty: the last ACK that waited for company left alone, so that the next one does not wait: it would cost both
            sides a wake-up of its own, when whatever it concerns is forgotten.
        largest_received: -1 before the first packet.
        ect0, ect1, ce: packets by ECN mark.
    """

    __slots__ = (
        "_delay",
        "_eliciting_threshold",
        "_exponent",
        "_hurried",
        "_ignores_first_gap",
        "_is_owed",
        "_largest_eliciting",
        "_largest_reported",
        "_largest_time",
        "_learns",
        "_ranges",
        "_reordering_threshold",
        "_report_from",
        "_reports_delay",
        "_space",
        "_unacked",
        "ack_pending",
        "ce",
        "deadline",
        "ect0",
        "ect1",
        "is_hasty",
        "largest_received",
    )

    def __init__(
        self,
        space: int,
        *,
        max_ack_delay: float = MAX_ACK_DELAY,
        ack_delay_exponent: int = ACK_DELAY_EXPONENT,
        learns: bool = False,
    ) -> None:
        self._space = space
        self._exponent = ack_delay_exponent
        # RFC 9000 §13.2.1: Initial and Handshake packets are acknowledged at once.
        self._delay = max_ack_delay if space == APPLICATION else 0.0
        self._learns = learns and space == APPLICATION
        self._hurried = -math.inf  # when an ACK was last sent in haste
        self._eliciting_threshold = ACK_ELICITING_THRESHOLD if space == APPLICATION else 1
        self._reordering_threshold = 1
        self._reports_delay = space == APPLICATION
        self._ignores_first_gap = False
        self._ranges = RangeSet(MAX_RANGES)
        # Numbers below are known to the peer as received, and not repeated.
        self._report_from = 0
        self._largest_time = 0.0
        self._largest_eliciting = -1
        self._largest_reported = -1
        self._unacked = 0
        self._is_owed = False
        self.ack_pending = False
        self.is_hasty = False
        self.deadline = math.inf
        self.largest_received = -1
        self.ect0 = 0
        self.ect1 = 0
        self.ce = 0

    def is_duplicate(self, packet_number: int) -> bool:
        """Whether the packet was received before, or is too old to tell. RFC 9000 §13.2.3."""
        if packet_number > self.largest_received:
            return False
        return packet_number < self._ranges.floor or packet_number in self._ranges

    def on_received(self, packet_number: int, ack_eliciting: bool, now: float, ecn: int = 0) -> None:
        """Take note of a packet that was opened and is no duplicate."""
        if packet_number < self._ranges.floor or not self._ranges.add(packet_number):
            return
        expected = self.largest_received + 1
        if packet_number >= expected:
            self.largest_received = packet_number
            self._largest_time = now
        elif packet_number < self._report_from:
            # Older than what the peer knows: this one it does not know.
            self._report_from = packet_number
        if ecn:
            self._count_mark(ecn)
        if not ack_eliciting:
            return
        self._unacked += 1
        self.ack_pending = True
        if not self._is_owed:
            if (
                self._unacked >= self._eliciting_threshold
                or ecn == CE  # RFC 9000 §13.2.1
                or (
                    (packet_number != expected or self._reordering_threshold > 1)
                    and self._is_out_of_order(packet_number, expected)
                )
            ):
                self._is_owed = True
                self.deadline = math.inf
            elif self._unacked == 1:
                self._wait(now)
        if packet_number > self._largest_eliciting:  # noqa: PLR1730 - per packet, and max() is a call
            self._largest_eliciting = packet_number

    def on_run_received(self, count: int, now: float, ecn: int = 0) -> None:
        """Take note of `count` ack-eliciting packets that follow the largest one without a gap."""
        first = self.largest_received + 1
        last = self.largest_received + count
        if self._reordering_threshold > 1 or ecn == CE:
            for number in range(first, last + 1):
                self.on_received(number, True, now, ecn)
            return
        self._ranges.extend(first, last)
        self.largest_received = last
        self._largest_time = now
        self._largest_eliciting = last
        if ecn == ECT0:
            self.ect0 += count
        elif ecn == ECT1:
            self.ect1 += count
        was_pending = self._unacked > 0
        self._unacked += count
        self.ack_pending = True
        if not self._is_owed:
            if self._unacked >= self._eliciting_threshold:
                self._is_owed = True
                self.deadline = math.inf
            elif not was_pending:
                self._wait(now)

    def ack_frame(self, now: float, max_ranges: int = MAX_RANGES) -> AckFrame | None:
        """What there is to acknowledge, newest ranges first; None when the peer knows everything.

        Changes nothing; whoever sends it says so by `on_ack_sent`.
        """
        ranges = self._ranges.descending(self._report_from, max_ranges)
        if not ranges:
            return None
        delay = 0
        if self._reports_delay and now > self._largest_time:
            # In microseconds, scaled down (RFC 9000 §19.3). The handshake's are not delayed unless somebody wants
            # it so, and the peer may not yet know the exponent.
            delay = int((now - self._largest_time) * 1_000_000) >> self._exponent
        ecn = (self.ect0, self.ect1, self.ce) if self.ect0 or self.ect1 or self.ce else None
        return AckFrame(ranges, delay, ecn)

    def on_ack_sent(self) -> None:
        """An ACK frame of the present state is on its way."""
        self.ack_pending = False
        self._is_owed = False
        self._unacked = 0
        self._largest_reported = self.largest_received
        self.deadline = math.inf

    def ack_due(self, now: float) -> bool:
        """Whether an ACK must go now, even alone."""
        return self._is_owed or self.deadline <= now

    def handle_timeout(self, now: float) -> None:
        """A delayed ACK whose time has come is due."""
        if self.deadline <= now:
            self._is_owed = True
            self.is_hasty = self._learns
            self.deadline = math.inf

    def calm(self, now: float) -> None:
        """A packet comes or goes, whose ACK or which an ACK could have shared that was sent in haste not long ago."""
        if now - self._hurried < self._delay:
            self.is_hasty = False

    def ack_immediately(self) -> None:
        """The peer asks for an ACK: IMMEDIATE_ACK of draft-ietf-quic-ack-frequency §5."""
        self._is_owed = True
        self.ack_pending = True
        self.deadline = math.inf

    def repeat(self) -> None:
        """The next packet carries an ACK although nothing is new: the last one may be what was lost."""
        self.ack_pending = True

    def set_handshake_habit(self, threshold: int, delay: float, reports_delay: bool) -> None:
        """How Initial or Handshake packets are acknowledged, where that is not at once. RFC 9000 §13.2.1.

        Args:
            threshold: ack-eliciting packets that call for an ACK.
            delay: seconds that fewer of them wait.
            reports_delay: whether ACKs tell how long they took.
        """
        self._eliciting_threshold = threshold
        self._delay = delay
        self._reports_delay = reports_delay

    def ignore_first_gap(self) -> None:
        """Where the peer counts through all spaces, its numbers in this one begin anywhere."""
        self._ignores_first_gap = True

    def set_ack_frequency(self, threshold: int, max_delay: float, reordering_threshold: int) -> None:
        """The peer's wishes: ACK_FREQUENCY of draft-ietf-quic-ack-frequency §4.

        Args:
            threshold: ack-eliciting packets that may arrive without an ACK.
            max_delay: seconds.
            reordering_threshold: 0 to ignore gaps, 1 to answer each at once, more to let small ones pass.
        """
        self._eliciting_threshold = threshold + 1
        self._delay = max_delay
        self._learns = False
        self.is_hasty = False
        self._reordering_threshold = reordering_threshold

    def has_frames(self, space: int) -> bool:
        """Whether an ACK must go now. A delay that ran out counts once `handle_timeout` has seen it."""
        return self._is_owed and space == self._space

    def write_frames(self, builder: PacketBuilder) -> None:
        """Put an ACK into any packet that is built while one is pending; the oldest ranges give way to room."""
        if not self.ack_pending or builder.space != self._space:
            return
        count = MAX_RANGES
        while count:
            frame = self.ack_frame(builder.now, count)
            if frame is None:
                self.on_ack_sent()
                return
            if builder.append(frame, self):
                self.on_ack_sent()
                return
            count = min(count, len(frame.ranges)) >> 1

    def on_acked(self, frame: Frame) -> None:
        """The peer has read an ACK: what it lists is not repeated. RFC 9000 §13.2.4."""
        if isinstance(frame, AckFrame):
            largest = frame.ranges[0][1]
            if largest >= self._report_from:
                self._report_from = largest + 1

    def on_lost(self, frame: Frame) -> None:
        """The next ACK says all that this one said."""

    def _wait(self, now: float) -> None:
        """Delay the ACK of the first packet that asks for one, unless that is known to be in vain."""
        if self.is_hasty:
            self.calm(now)
            if self.is_hasty:
                self._hurried = now
                self._is_owed = True
                return
        self.deadline = now + self._delay

    def _count_mark(self, ecn: int) -> None:
        if ecn == ECT0:
            self.ect0 += 1
        elif ecn == CE:
            self.ce += 1
        elif ecn == ECT1:
            self.ect1 += 1

    def _is_out_of_order(self, packet_number: int, expected: int) -> bool:
        """Whether an ack-eliciting packet out of order calls for an ACK at once. RFC 9000 §13.2.1."""
        if not expected and self._ignores_first_gap:
            return False
        threshold = self._reordering_threshold
        if threshold == 1:
            if packet_number < expected:
                return packet_number < self._largest_eliciting
            return True
        if threshold == 0:
            return False
        # draft-ietf-quic-ack-frequency §6.1: packets that the peer could declare lost by the last ACK are not
        # news; the smallest other one that is missing decides.
        newest = max(packet_number, self._largest_eliciting)
        missing = self._ranges.smallest_missing_above(max(self._largest_reported - threshold, -1))
        return missing < newest and newest - missing >= threshold
