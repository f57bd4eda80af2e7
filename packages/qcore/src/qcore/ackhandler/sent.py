"""Loss recovery: what was sent, what became of it, and when to send again.

Puts together the histories of the three spaces, round-trip time, loss detection, probe timeouts, congestion
control and pacing. Tells whoever wrote a frame of its fate, once. Decides how much may be sent, not what.
RFC 9002.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, final

from qwire.constants import PROTOCOL_VIOLATION
from qwire.frames import AckFrame

from ..congestion.base import CongestionController
from ..congestion.pacer import Pacer
from ..errors import TransportError
from ..observer import Observer
from ..spaces import APPLICATION, COUNT, HANDSHAKE, INITIAL
from .ecn import NOT_ECT, EcnValidator
from .fates import AckOutcome, oldest_with_frames, report_lost
from .history import SentHistory, SentPacket
from .loss import LossDetector
from .packet_numbers import PacketNumbers
from .probes import PROBES_PER_TIMEOUT, ProbeTimer
from .reporting import RecoveryReporter
from .rtt import RttEstimator
from .send_mode import SendMode

ACK_DELAY_EXPONENT: Final = 3  # RFC 9000 §18.2
MAX_ACK_DELAY: Final = 0.025  # RFC 9000 §18.2
# Small packets could be sent by the million before they fill a window.
MAX_OUTSTANDING: Final = 65_536
# A server's acknowledgement and its flight arrive together unless part of them is lost; as long as an ACK may take.
HURRY_DELAY: Final = 0.025
# RFC 9000 §13.2.4: acknowledgements are acknowledged only beside something that elicits one.
PING_AFTER: Final = 32
# How long a lost packet is remembered, in probe timeouts, to see whether it was only late.
LATE_PTOS: Final = 3


@final
class SentPacketHandler:
    """The sender's half of acknowledgement handling, for all spaces of a connection.

    Attributes:
        bytes_in_flight: bytes that count against the congestion window.
        lost_count: packets declared lost.
        largest_lost_size: bytes of the largest of them since whoever looks for black holes set it to 0.
        spurious_count: of these, packets that were acknowledged after all.
        rtt, congestion, pacer: the parts that hold the state of the path.
        ecn: what is known of marks on it; None if none are sent.
        peer_max_ack_delay: the longest that the peer delays acknowledgements, in seconds.
        observer: may be exchanged or removed at any time.

    Args:
        numbers: a counter for each space, or the same three times.
        ecn: None to send no marks.
        probes_per_timeout: packets that a probe timeout calls for.
        skip_before_probe: packet numbers to leave out before each probe timeout's packets.
    """

    __slots__ = (
        "_deadline",
        "_exponent",
        "_histories",
        "_is_deadline_stale",
        "_is_loss_deadline",
        "_loss",
        "_probes",
        "_reporter",
        "_skip_before_probe",
        "bytes_in_flight",
        "congestion",
        "ecn",
        "largest_lost_size",
        "lost_count",
        "observer",
        "pacer",
        "peer_max_ack_delay",
        "rtt",
        "spurious_count",
    )

    def __init__(
        self,
        *,
        is_client: bool,
        rtt: RttEstimator,
        congestion: CongestionController,
        pacer: Pacer,
        numbers: Sequence[PacketNumbers],
        ecn: EcnValidator | None = None,
        probes_per_timeout: int = PROBES_PER_TIMEOUT,
        skip_before_probe: int = 0,
        observer: Observer | None = None,
    ) -> None:
        self.rtt = rtt
        self.congestion = congestion
        self.pacer = pacer
        self.observer = observer
        self.bytes_in_flight = 0
        self.lost_count = 0
        self.largest_lost_size = 0
        self.spurious_count = 0
        self.ecn = ecn
        self._loss = LossDetector()
        self._histories = [SentHistory(each) for each in numbers]
        self._probes = ProbeTimer(is_client, probes_per_timeout)
        self._skip_before_probe = skip_before_probe
        self._exponent = ACK_DELAY_EXPONENT
        self.peer_max_ack_delay = MAX_ACK_DELAY
        self._is_deadline_stale = False
        self._deadline = math.inf
        self._is_loss_deadline = False
        self._reporter = RecoveryReporter(ecn)
        pacer.set_rate(congestion.pacing_rate(rtt.smoothed), -math.inf)

    # What was sent

    def next_packet_number(self, space: int) -> int:
        """The number of the next packet; asking does not use it up."""
        return self._histories[space].numbers.next_number

    def take_packet_number(self, space: int) -> int:
        """Use a number up before its packet is reported.

        Needed where several packets are built before the first is reported and spaces share a counter.
        """
        return self._histories[space].numbers.pop()

    def skip_packet_numbers(self, space: int, count: int) -> None:
        """Never send the next `count` numbers."""
        self._histories[space].numbers.skip(count)

    def largest_sent(self, space: int) -> int:
        """The largest number sent in a space, -1 for none."""
        return self._histories[space].next_number - 1

    def largest_acked(self, space: int) -> int:
        """The largest number acknowledged in a space, -1 for none."""
        return self._histories[space].largest_acked

    def on_packet_sent(self, packet: SentPacket, now: float) -> None:
        """A packet is on its way. Numbers of a space ascend.

        RFC 9002 appendix A.5.

        Raises:
            ValueError: the number is not above those before, or was not given out.
        """
        space = packet.space
        number = packet.packet_number
        history = self._histories[space]
        numbers = history.numbers
        if number >= numbers.next_number:
            if number > numbers.next_number:
                raise ValueError(f"packet number {number} sent, but {numbers.next_number} is next")
            numbers.pop()
        history.append(packet)
        self._is_deadline_stale = True
        self._probes.last_activity = now
        if packet.in_flight:
            size = packet.size
            self.bytes_in_flight += size
            self.pacer.on_sent(size)
            self.congestion.on_sent(size, self.bytes_in_flight, now)
        if packet.ack_eliciting:
            history.unanswerable_in_a_row = 0
            if self._probes.total and self._probes.on_sent(space) and self.observer is not None:
                self.observer.probe_sent(now, space)
        else:
            self._on_unanswerable_sent(history, packet)
        if packet.ecn and self.ecn is not None:
            self.ecn.on_sent(history)

    def run_length(self, size: int, limit: int) -> int:
        """How many 1-RTT packets of at most `size` bytes, up to `limit`, may leave together.

        Asked after `send_mode` has said `ANY`, which it would say before each of them.
        """
        if self.ecn is not None and self.ecn.is_testing:
            return 1
        congestion = self.congestion
        window = congestion.window - congestion.datagram_size - self.bytes_in_flight
        history = self._histories[APPLICATION]
        count = min(limit, window // size + 1, MAX_OUTSTANDING - history.ack_eliciting)
        return history.numbers.run_length(self.pacer.run_length(size, count))

    def on_run_sent(self, packets: Sequence[SentPacket], size: int, now: float) -> None:
        """1-RTT packets of the same kind, `size` bytes in all, are on their way, as `run_length` has allowed."""
        history = self._histories[APPLICATION]
        history.numbers.pop_run(len(packets))
        history.extend(packets)
        history.unanswerable_in_a_row = 0
        self._is_deadline_stale = True
        self._probes.last_activity = now
        self.bytes_in_flight += size
        self.pacer.on_sent(size)
        self.congestion.on_sent(size, self.bytes_in_flight, now)
        if packets[0].ecn and self.ecn is not None:
            self.ecn.on_sent(history, len(packets))

    def needs_ping(self, space: int) -> bool:
        """Whether the next packet should carry a PING, since the peer had nothing to answer for long.

        RFC 9000 §13.2.4.
        """
        return self._histories[space].unanswerable_in_a_row >= PING_AFTER

    def ecn_codepoint(self) -> int:
        """The mark for the next datagram."""
        return NOT_ECT if self.ecn is None else self.ecn.codepoint

    # What the peer says

    def can_wait(self, frame: AckFrame) -> bool:
        """Whether what an ACK of 1-RTT packets changes can wait for what is about to be sent.

        No packet is lost by it, since it leaves none behind, and there is none to probe for; `send_mode` tells whether
        the window lacks what it makes free.
        """
        history = self._histories[APPLICATION]
        first, last = frame.ranges[0]
        return (
            first <= history.base + history.head
            and last < history.next_number
            and self._probes.is_confirmed
            and not history.lost_numbers
            and not self.congestion.samples_delivery
        )

    def on_ack(
        self, space: int, frame: AckFrame, now: float, held_for: float = 0.0, in_flight: int = -1
    ) -> AckOutcome:
        """Take an ACK frame.

        RFC 9002 appendix A.7.

        Args:
            now: when it arrived.
            held_for: seconds that it waited here for keys, which are no part of a round trip (§5.3).
            in_flight: what `bytes_in_flight` was then, if it has changed since.

        Raises:
            TransportError: it acknowledges a packet that was never sent (RFC 9000 §13.1).
        """
        outcome = AckOutcome()
        history = self._histories[space]
        ranges = frame.ranges
        if history.is_discarded or not ranges:
            return outcome
        if history.was_never_sent(ranges):
            raise TransportError(
                PROTOCOL_VIOLATION,
                frame.type,
                f"acknowledgement of a packet that was never sent, in ranges up to {ranges[0][1]}",
            )
        if history.lost_numbers:
            self._take_late(history, ranges, now)
        largest = ranges[0][1]
        newest = history.find(largest)
        acked = history.take_acked(ranges)
        if largest > history.largest_acked:
            history.largest_acked = largest
            outcome.largest_advanced = True
        elif not acked:
            return outcome
        congestion = self.congestion
        old_state = congestion.state if self.observer is not None else ""
        if in_flight < 0:
            in_flight = self.bytes_in_flight
        outcome.take(acked, congestion.recovery_start)
        history.ack_eliciting -= outcome.eliciting
        self.bytes_in_flight -= outcome.acked_bytes

        rtt_sample = 0.0
        # RFC 9002 §5.1; packets of an older path tell nothing of this one.
        if (
            newest is not None
            and outcome.eliciting
            and newest.packet_number >= history.path_floor
            and not newest.is_off_path
        ):
            rtt_sample = now - newest.sent_time - held_for
            self.rtt.update(rtt_sample, self._ack_delay(space, frame.delay), now)
        if self.ecn is not None:
            if not outcome.largest_advanced:
                self.ecn.on_old_ack(history, outcome.marked)
            elif self.ecn.on_ack(history, outcome.marked, frame.ecn):
                outcome.ecn_ce = True
                congestion.on_ecn_ce(outcome.newest_time, now)
        window = congestion.window
        outcome.lost = self._detect_losses(space, now)
        if congestion.window < window:
            outcome.growing_bytes = 0  # whatever was acknowledged had been sent before this reaction
        if outcome.acked_bytes:
            congestion.on_acked(
                outcome.growing_bytes,
                outcome.newest_time,
                now,
                rtt_sample,
                self.rtt.smoothed,
                in_flight,
            )
        if space == HANDSHAKE:
            # RFC 9002 §6.2.2.1: only a server that has validated us can read, and answer, Handshake packets.
            self._probes.is_address_validated = True
        if acked:
            self._probes.on_answered()
            if space == INITIAL and history.ack_eliciting:
                self._probes.hurry(now, HURRY_DELAY)
        self._probes.last_activity = now
        self._is_deadline_stale = True
        self.pacer.set_rate(congestion.pacing_rate(self.rtt.smoothed), now)
        if self.observer is not None:
            self._report(now, old_state)
        return outcome

    def set_peer_ack_delay(self, exponent: int, max_delay: float) -> None:
        """What the peer's transport parameters say; `max_delay` in seconds. RFC 9000 §18.2."""
        self._exponent = exponent
        self.set_max_ack_delay(max_delay)

    def set_max_ack_delay(self, max_delay: float) -> None:
        """The peer delays acknowledgements so long, in seconds, by its own account or on our wish."""
        self.peer_max_ack_delay = max_delay
        self._is_deadline_stale = True

    # Timers

    def next_timeout(self) -> float:
        """When `handle_timeout` has something to do; math.inf for never. RFC 9002 appendix A.8."""
        if self._is_deadline_stale:
            self._is_deadline_stale = False
            self._set_deadline()
        return self._deadline

    def handle_timeout(self, now: float) -> None:
        """Declare packets lost, or ask for probes; nothing before the time.

        RFC 9002 appendix A.9. Afterwards `next_timeout` is later than `now`.
        """
        if now < self.next_timeout():
            return
        old_state = self.congestion.state if self.observer is not None else ""
        # A probe timeout may be due together with the loss timers, which hide it.
        for _ in range(COUNT + 1):
            if self.next_timeout() > now:
                break
            self._is_deadline_stale = True
            if not self._is_loss_deadline:
                self._on_probe_timeout(now)
                continue
            for space in range(COUNT):
                if self._histories[space].loss_time <= now:
                    self._detect_losses(space, now)
        self.pacer.set_rate(self.congestion.pacing_rate(self.rtt.smoothed), now)
        if self.observer is not None:
            self._report(now, old_state)

    def hurry(self, now: float) -> None:
        """The peer repeats itself, so what was sent of the handshake has not arrived. RFC 9002 §6.2.3.

        Not so if it is still under way: nothing is repeated within half a round trip, if that is known.
        """
        histories = self._histories
        newest = max(histories[INITIAL].last_eliciting_time, histories[HANDSHAKE].last_eliciting_time)
        if now - newest >= (self.rtt.smoothed / 2 if self.rtt.has_sample else HURRY_DELAY):
            self._probes.hurry(now)
            self._is_deadline_stale = True

    def hurry_for_keys(self, now: float) -> None:
        """Client: a packet came for which there are no keys, so what brings them may be lost. RFC 9002 §6.2.3."""
        self._probes.hurry(now, HURRY_DELAY, lacks_keys=True)
        self._is_deadline_stale = True

    def probes_owed(self, space: int) -> int:
        """Ack-eliciting packets that a space should send, whatever the window says. RFC 9002 §6.2.4."""
        return self._probes.owed(space)

    @property
    def pto_count(self) -> int:
        """Probe timeouts in a row without an answer."""
        return self._probes.count

    # How much may be sent

    def is_stranded(self, space: int) -> bool:
        """Whether a handshake space has nothing in flight, so that no timer would bring up what it has to send.

        1-RTT packets can fill the window while the peer cannot open them, and have no probe timeout before the
        handshake is confirmed (RFC 9002 §6.2.1): the handshake has to go on past the window then.
        """
        return space != APPLICATION and not self._histories[space].ack_eliciting

    def send_mode(self, now: float) -> SendMode:
        """What may be sent now."""
        if self._probes.is_blocked:
            return SendMode.NONE
        if self._probes.total:
            return SendMode.PROBE
        congestion = self.congestion
        if (
            self.bytes_in_flight + congestion.datagram_size > congestion.window
            or self._histories[APPLICATION].ack_eliciting >= MAX_OUTSTANDING
        ):
            return SendMode.ACK_ONLY
        if not self.pacer.is_ready(now):
            return SendMode.PACED
        if congestion.samples_delivery:
            congestion.on_offer(self.bytes_in_flight, now)
        return SendMode.ANY

    def pacing_deadline(self) -> float:
        """When `SendMode.PACED` ends."""
        return self.pacer.deadline

    # What the connection learns

    def set_handshake_keys(self) -> None:
        """A client has keys for Handshake packets: a probe against deadlock goes there. RFC 9002 §6.2.2.1."""
        self._probes.has_handshake_keys = True
        self._is_deadline_stale = True

    def set_handshake_confirmed(self) -> None:
        """RFC 9001 §4.1.2. From now on 1-RTT packets have a probe timeout (RFC 9002 §6.2.1)."""
        self._probes.is_confirmed = True
        self._probes.is_address_validated = True
        self._is_deadline_stale = True

    def set_amplification_blocked(self, blocked: bool) -> None:
        """A server has used up what it may send to an address that is not validated. RFC 9002 §6.2.2.1."""
        if blocked != self._probes.is_blocked:
            self._probes.is_blocked = blocked
            self._is_deadline_stale = True

    def set_datagram_size(self, size: int) -> None:
        """The path carries datagrams of this size now."""
        self.congestion.set_datagram_size(size)
        self.pacer.set_datagram_size(size)

    # Ends and restarts

    def discard_space(self, space: int) -> None:
        """The keys of a space are gone, and its packets with them; their frames get no report.

        RFC 9002 §6.4.
        """
        history = self._histories[space]
        if history.is_discarded:
            return
        history.is_discarded = True
        self._forget(history.take_all())
        history.take_unanswerable()
        self._probes.on_space_discarded(space)
        self._is_deadline_stale = True

    def rest(self) -> None:
        """Nothing was sent for a while: forget the packets that need no acknowledgement, for which none will come now."""
        history = self._histories[APPLICATION]
        for packet in history.take_unanswerable():
            self._forget_unanswerable(history, packet)

    def repeat_outstanding(self, space: int) -> None:
        """Have the frames of all unacknowledged packets sent again; the packets stay in flight."""
        report_lost(packet for packet in self._histories[space].outstanding() if packet.ack_eliciting)

    def requeue_all(self, space: int) -> None:
        """Hand the frames of all unacknowledged packets back, without a reaction to congestion."""
        packets = self._histories[space].take_all()
        self._forget(packets)
        report_lost(packets)
        self._is_deadline_stale = True

    def on_retry(self, now: float) -> None:
        """The server wants the first flight again. RFC 9002 §6.2.1.1 and §6.2.2.

        Initial and 0-RTT frames go back to their owners, congestion control starts anew, and the Retry tells a
        first round-trip time.
        """
        sent = [packet.sent_time for packet in self._histories[INITIAL].outstanding()]
        # RFC 9002 §6.2.2: only when it is clear which packet was answered.
        if len(sent) == 1 or (sent and self.pto_count == 0):
            self.rtt.set_initial(now - sent[0])
        self.requeue_all(INITIAL)
        self.requeue_all(APPLICATION)
        self._probes.cancel()
        self._probes.count = 0
        self.congestion.reset()
        self.pacer.reset()
        self.pacer.set_rate(self.congestion.pacing_rate(self.rtt.smoothed), now)

    def on_path_changed(self, now: float, rtt: float = 0.0) -> None:
        """Another address: nothing known of the old path holds for the new one. RFC 9000 §9.4.

        Args:
            rtt: seconds that the answer to a probe of the new path took, if there was one.
        """
        for history in self._histories:
            history.start_path()
            for packet in history.outstanding():
                packet.in_flight = False
        self.bytes_in_flight = 0
        self._probes.count = 0
        self.rtt.reset(rtt)
        self.congestion.reset()
        self._loss.reset()
        self.pacer.reset()
        self.pacer.set_rate(self.congestion.pacing_rate(self.rtt.smoothed), now)
        if self.ecn is not None:
            self.ecn.reset(self._histories)
        self._is_deadline_stale = True

    # Inside: acknowledgements and losses

    def _ack_delay(self, space: int, wire_delay: int) -> float:
        """The delay that the peer may claim, in seconds. RFC 9002 §5.3."""
        if space == INITIAL:
            return 0.0
        delay = (wire_delay << self._exponent) * 0.000_001
        # Until the handshake is confirmed, a peer may lack keys and take longer than it promised.
        return (
            self.peer_max_ack_delay
            if self._probes.is_confirmed and delay > self.peer_max_ack_delay
            else delay
        )

    def _take_late(self, history: SentHistory, ranges: Sequence[tuple[int, int]], now: float) -> None:
        """Find packets that were declared lost too early."""
        horizon = now - LATE_PTOS * self.rtt.pto(self.peer_max_ack_delay)
        for number, sent_time in history.take_late(ranges, horizon):
            self.spurious_count += 1
            self._loss.on_late(history.largest_acked - number)
            self.congestion.on_late(sent_time, now)

    def _detect_losses(self, space: int, now: float) -> int:
        """Find lost packets of a space and react. Returns how many were lost in flight."""
        history = self._histories[space]
        lost = self._loss.detect(history, self.rtt, now)
        if not lost:
            return 0
        lost_bytes = 0
        count = 0
        marked = 0
        newest_time = -math.inf
        for packet in lost:
            if packet.ack_eliciting:
                history.ack_eliciting -= 1
            if packet.in_flight:
                self.bytes_in_flight -= packet.size
                if packet.is_mtu_probe:
                    self.congestion.on_discarded(packet.size)
                else:
                    lost_bytes += packet.size
                    count += 1
                    self.largest_lost_size = max(self.largest_lost_size, packet.size)
                    newest_time = packet.sent_time
                    history.remember_lost(packet)
                    if packet.ecn:
                        marked += 1
            if self.observer is not None:
                by_number = history.largest_acked - packet.packet_number >= self._loss.packet_threshold
                trigger = "reordering_threshold" if by_number else "time_threshold"
                self.observer.packet_lost(now, space, packet.packet_number, trigger)
            report_lost((packet,))
        if count:
            self.lost_count += count
            self.congestion.on_lost(lost_bytes, count, newest_time, now)
            if self._loss.is_persistent(self.rtt, self.peer_max_ack_delay):
                for each in self._histories:
                    each.loss_run_start = math.inf  # what is lost next begins another span
                self.congestion.on_persistent_congestion()
                self.rtt.on_persistent_congestion()
        if marked and self.ecn is not None:
            self.ecn.on_lost(marked)
        return count

    # Inside: timers

    def _set_deadline(self) -> None:
        """RFC 9002 appendix A.8."""
        earliest = math.inf
        for history in self._histories:
            if history.loss_time < earliest:  # noqa: PLR1730 - per packet, and min() is a call
                earliest = history.loss_time
        self._is_loss_deadline = earliest != math.inf
        if not self._is_loss_deadline:
            earliest = self._probes.deadline(self._histories, self.rtt, self.peer_max_ack_delay)
        self._deadline = earliest

    def _on_probe_timeout(self, now: float) -> None:
        """Owe probes, and give sources something to put into them. RFC 9002 §6.2.4."""
        probes = self._probes
        if probes.hurry_at <= now:
            probes.expire_hurry(self._histories)
            for space in (INITIAL, HANDSHAKE):
                if probes.owed(space):
                    self.repeat_outstanding(space)
            return
        if self.ecn is not None:
            self.ecn.on_timeout()
        if self._skip_before_probe:
            self.skip_packet_numbers(probes.space, self._skip_before_probe)
        probes.expire(self._histories, now)
        for space in range(COUNT):
            if probes.owed(space):
                self._hand_back_oldest(space, probes.owed(space), now)

    def _hand_back_oldest(self, space: int, count: int, now: float) -> None:
        """Report the frames of the oldest packets as lost, so that they are sent again.

        The packets stay in flight: a timeout is no loss (RFC 9002 §6.2).
        """
        packets = oldest_with_frames(self._histories[space], count)
        if self.observer is not None:
            for packet in packets:
                self.observer.packet_lost(now, space, packet.packet_number, "pto_expired")
        report_lost(packets)

    # Inside: bookkeeping

    def _on_unanswerable_sent(self, history: SentHistory, packet: SentPacket) -> None:
        """A packet was sent that the peer need not acknowledge: the oldest such one may be forgotten."""
        oldest = history.add_unanswerable(packet)
        if oldest is None:
            return
        self._forget_unanswerable(history, oldest)
        if len(history) > MAX_OUTSTANDING:
            # Nothing was acknowledged for that long, and each packet since has its place here.
            self.requeue_all(packet.space)

    def _forget_unanswerable(self, history: SentHistory, packet: SentPacket) -> None:
        if history.find(packet.packet_number) is packet:
            history.forget(packet.packet_number)
            self._forget([packet])
            report_lost((packet,))

    def _forget(self, packets: list[SentPacket]) -> None:
        """Packets have no fate: they only cease to be in flight."""
        size = 0
        for packet in packets:
            if packet.in_flight:
                size += packet.size
        if size:
            self.bytes_in_flight -= size
            self.congestion.on_discarded(size)

    def _report(self, now: float, old_state: str) -> None:
        observer = self.observer
        if observer is None:
            return
        self._reporter.report(
            observer,
            now,
            self.rtt,
            self.congestion,
            old_state,
            self.bytes_in_flight,
            self.pto_count,
            self.ecn,
            self.next_timeout(),
        )
