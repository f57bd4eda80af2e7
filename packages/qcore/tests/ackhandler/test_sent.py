import math

import pytest

from qcore.ackhandler.ecn import ECT0, NOT_ECT, EcnState, EcnValidator
from qcore.ackhandler.fates import AckOutcome
from qcore.ackhandler.history import MAX_UNANSWERABLE, SentPacket
from qcore.ackhandler.packet_numbers import separate, shared
from qcore.ackhandler.rtt import RttEstimator
from qcore.ackhandler.send_mode import SendMode
from qcore.ackhandler.sent import PING_AFTER, SentPacketHandler
from qcore.congestion import make
from qcore.congestion.base import UNLIMITED
from qcore.congestion.pacer import Pacer
from qcore.errors import TransportError
from qcore.observer import Observer
from qcore.packing.source import FrameSource
from qcore.spaces import APPLICATION, HANDSHAKE, INITIAL
from qwire.constants import FRAME_ACK, PROTOCOL_VIOLATION
from qwire.frames import AckFrame, Frame, PingFrame

SIZE = 1200


class Ledger(FrameSource):
    """Writes down the fate of every frame."""

    def __init__(self) -> None:
        self.acked: list[Frame] = []
        self.lost: list[Frame] = []

    def on_acked(self, frame: Frame) -> None:
        self.acked.append(frame)

    def on_lost(self, frame: Frame) -> None:
        self.lost.append(frame)


class Wire:
    """A handler, and the packets that go through it."""

    def __init__(
        self,
        *,
        is_client: bool = True,
        confirmed: bool = True,
        ecn: EcnValidator | None = None,
        initial_rtt: float = 0.1,
        probes_per_timeout: int = 2,
        skip_before_probe: int = 0,
        one_counter: bool = False,
        observer: Observer | None = None,
    ) -> None:
        self.ledger = Ledger()
        self.ecn = ecn
        self.handler = SentPacketHandler(
            is_client=is_client,
            rtt=RttEstimator(initial_rtt),
            congestion=make("newreno", SIZE),
            pacer=Pacer(SIZE),
            numbers=shared(1) if one_counter else separate(),
            ecn=ecn,
            probes_per_timeout=probes_per_timeout,
            skip_before_probe=skip_before_probe,
            observer=observer,
        )
        if confirmed:
            self.handler.set_handshake_confirmed()
        self.handler.set_peer_ack_delay(3, 0.025)

    def send(
        self,
        now: float,
        count: int = 1,
        *,
        space: int = APPLICATION,
        ack_eliciting: bool = True,
        size: int = SIZE,
        is_mtu_probe: bool = False,
        frame: Frame | None = None,
    ) -> list[int]:
        numbers = []
        for _ in range(count):
            number = self.handler.next_packet_number(space)
            self.handler.on_packet_sent(
                SentPacket(
                    number,
                    space,
                    now,
                    size,
                    ack_eliciting,
                    ack_eliciting,
                    [(frame or PingFrame(), self.ledger)],
                    self.handler.ecn_codepoint(),
                    is_mtu_probe,
                ),
                now,
            )
            numbers.append(number)
        return numbers

    def ack(
        self,
        now: float,
        *ranges: tuple[int, int],
        space: int = APPLICATION,
        delay: int = 0,
        ecn: tuple[int, int, int] | None = None,
    ) -> AckOutcome:
        return self.handler.on_ack(space, AckFrame(list(ranges), delay, ecn), now)


@pytest.fixture
def wire() -> Wire:
    return Wire()


# Acknowledgements


def test_acked_packets_leave_the_flight(wire: Wire) -> None:  # RFC 9002 appendix A.7
    wire.send(0.0, 5)
    assert 5 * SIZE == wire.handler.bytes_in_flight
    outcome = wire.ack(0.1, (0, 2))

    assert (3, 3 * SIZE, 0, True) == (
        outcome.acked,
        outcome.acked_bytes,
        outcome.lost,
        outcome.largest_advanced,
    )
    assert 2 * SIZE == wire.handler.bytes_in_flight
    assert 3 == len(wire.ledger.acked)
    assert (4, 2) == (wire.handler.largest_sent(APPLICATION), wire.handler.largest_acked(APPLICATION))


def test_repeated_ack_changes_nothing(wire: Wire) -> None:
    wire.send(0.0, 3)
    wire.ack(0.1, (0, 2))
    before = (wire.handler.congestion.window, wire.handler.rtt.smoothed)
    outcome = wire.ack(0.9, (0, 2))

    assert (0, False) == (outcome.acked, outcome.largest_advanced)
    assert before == (wire.handler.congestion.window, wire.handler.rtt.smoothed)
    assert 3 == len(wire.ledger.acked)


@pytest.mark.parametrize(
    "ranges",
    [
        pytest.param([(0, 5)], id="beyond the last"),
        pytest.param([(100, 100)], id="far beyond"),
        pytest.param([(4, 4), (0, 2)], id="skipped"),
        pytest.param([(0, 4)], id="over a skipped one"),
    ],
)
def test_ack_of_what_was_never_sent_is_a_violation(
    wire: Wire, ranges: list[tuple[int, int]]
) -> None:  # RFC 9000 §13.1
    wire.send(0.0, 2)
    wire.handler.skip_packet_numbers(APPLICATION, 1)
    wire.send(0.0, 2)
    if ranges[0] == (4, 4):
        ranges = [(3, 4), (0, 2)]

    with pytest.raises(TransportError, match="never sent") as caught:
        wire.ack(0.1, *ranges)
    assert (PROTOCOL_VIOLATION, FRAME_ACK) == (caught.value.code, caught.value.frame_type)
    assert [] == wire.ledger.acked


def test_ack_in_a_space_where_nothing_was_sent_is_a_violation(wire: Wire) -> None:  # RFC 9000 §13.1
    wire.send(0.0, 2)

    with pytest.raises(TransportError, match="never sent"):
        wire.ack(0.1, (0, 0), space=HANDSHAKE)


def test_numbers_of_other_spaces_were_not_sent_in_this_one() -> None:  # RFC 9000 §12.3
    wire = Wire(one_counter=True)
    wire.send(0.0, 2, space=INITIAL)
    wire.send(0.0, 1, space=HANDSHAKE)
    wire.send(0.0, 1, space=INITIAL)

    assert 2 == wire.ack(0.1, (1, 2), space=INITIAL).acked
    with pytest.raises(TransportError, match="never sent"):
        wire.ack(0.1, (1, 4), space=INITIAL)


def test_packet_numbers_may_be_taken_ahead() -> None:
    wire = Wire(one_counter=True)
    first = wire.handler.take_packet_number(INITIAL)
    second = wire.handler.take_packet_number(HANDSHAKE)
    for space, number in ((INITIAL, first), (HANDSHAKE, second)):
        wire.handler.on_packet_sent(SentPacket(number, space, 0.0, SIZE, True, True, []), 0.0)

    assert (1, 2, 3) == (first, second, wire.handler.next_packet_number(APPLICATION))


def test_numbers_that_were_not_given_out_are_refused(wire: Wire) -> None:
    with pytest.raises(ValueError, match="packet number 5 sent, but 0 is next"):
        wire.handler.on_packet_sent(SentPacket(5, APPLICATION, 0.0, SIZE, True, True, []), 0.0)


def test_acks_of_discarded_spaces_are_ignored(wire: Wire) -> None:  # RFC 9002 §6.4
    wire.send(0.0, 1, space=INITIAL)
    wire.handler.discard_space(INITIAL)

    assert 0 == wire.ack(0.1, (0, 0), space=INITIAL).acked


# Round-trip time


def test_round_trip_is_measured_with_the_largest_packet(wire: Wire) -> None:  # RFC 9002 §5.1
    wire.send(0.0)
    wire.send(0.05)
    wire.ack(0.15, (0, 1))

    assert pytest.approx(0.1) == wire.handler.rtt.latest


def test_no_sample_without_a_new_largest_packet(wire: Wire) -> None:  # RFC 9002 §5.1
    wire.send(0.0, 2)
    wire.ack(0.1, (1, 1))
    wire.ack(0.5, (0, 1))

    assert pytest.approx(0.1) == wire.handler.rtt.latest


def test_no_sample_from_packets_that_elicit_nothing(wire: Wire) -> None:  # RFC 9002 §5.1
    wire.send(0.0, ack_eliciting=False)
    wire.ack(0.1, (0, 0))

    assert not wire.handler.rtt.has_sample


@pytest.mark.parametrize(
    ("space", "confirmed", "delay", "adjusted"),
    [
        pytest.param(APPLICATION, True, 1250, 0.19, id="as claimed"),
        pytest.param(APPLICATION, True, 12500, 0.175, id="limited after confirmation"),
        pytest.param(HANDSHAKE, False, 5000, 0.16, id="not limited before"),
        pytest.param(INITIAL, False, 1250, 0.2, id="ignored in Initial"),
        pytest.param(HANDSHAKE, False, 2**61, 0.2, id="absurd"),
    ],
)
def test_delay_of_the_peer(space: int, confirmed: bool, delay: int, adjusted: float) -> None:  # RFC 9002 §5.3
    wire = Wire(confirmed=confirmed)
    wire.send(0.0, space=space)
    wire.ack(0.1, (0, 0), space=space)
    wire.send(1.0, space=space)
    wire.ack(1.2, (1, 1), space=space, delay=delay)

    assert pytest.approx(0.875 * 0.1 + 0.125 * adjusted) == wire.handler.rtt.smoothed


# Losses


def test_lost_packets_go_back_to_their_owners(wire: Wire) -> None:  # RFC 9002 §6.1.1
    wire.send(0.0, 6)
    outcome = wire.ack(0.1, (4, 5))

    assert (2, 3) == (outcome.acked, outcome.lost)
    assert (2, 3) == (len(wire.ledger.acked), len(wire.ledger.lost))
    assert SIZE == wire.handler.bytes_in_flight
    assert 3 == wire.handler.lost_count


def test_loss_timer_declares_the_rest_lost(wire: Wire) -> None:  # RFC 9002 §6.1.2
    wire.send(0.0, 3)
    wire.ack(0.1, (2, 2))
    deadline = wire.handler.next_timeout()
    assert pytest.approx(0.1125) == deadline
    wire.handler.handle_timeout(deadline - 0.001)
    assert [] == wire.ledger.lost

    wire.handler.handle_timeout(deadline)
    assert 2 == len(wire.ledger.lost)
    assert math.inf == wire.handler.next_timeout()
    assert 0 == wire.handler.bytes_in_flight


def test_loss_halves_the_window_once_per_round_trip(wire: Wire) -> None:  # RFC 9002 §7.3.2
    wire.send(0.0, 10)
    window = wire.handler.congestion.window
    wire.ack(0.1, (5, 5))
    assert window // 2 == wire.handler.congestion.window

    wire.ack(0.101, (9, 9))
    assert window // 2 == wire.handler.congestion.window


def test_packets_sent_before_recovery_do_not_grow_the_window(wire: Wire) -> None:  # RFC 9002 §7.3.2
    wire.send(0.0, 10)
    wire.ack(0.1, (5, 5))
    window = wire.handler.congestion.window
    wire.ack(0.11, (6, 9))

    assert window == wire.handler.congestion.window
    assert "recovery" == wire.handler.congestion.state


def test_lost_mtu_probe_is_no_congestion(wire: Wire) -> None:  # RFC 9000 §14.4
    window = wire.handler.congestion.window
    wire.send(0.0, 1, is_mtu_probe=True, size=1400)
    wire.send(0.0, 4)
    outcome = wire.ack(0.1, (1, 4))

    assert (window + 4 * SIZE, 0, 0) == (
        wire.handler.congestion.window,
        outcome.lost,
        wire.handler.lost_count,
    )
    assert 1 == len(wire.ledger.lost)
    assert 0 == wire.handler.bytes_in_flight


def test_persistent_congestion_leaves_the_smallest_window(wire: Wire) -> None:  # RFC 9002 §7.6
    wire.send(0.0)
    wire.ack(0.1, (0, 0))
    for now in (1.0, 2.0, 3.0, 4.0):
        wire.send(now)
    wire.send(5.0, 3)
    wire.ack(5.1, (7, 7))

    assert 2 * SIZE == wire.handler.congestion.window
    assert pytest.approx(5.1 - 5.0) == wire.handler.rtt.minimum


def test_spurious_loss_undoes_the_reaction(wire: Wire) -> None:  # RFC 9438 §4.9.2
    wire.send(0.0, 10)
    window = wire.handler.congestion.window
    wire.ack(0.1, (4, 4))
    assert 2 == len(wire.ledger.lost)
    wire.ack(0.11, (0, 4))

    assert window == wire.handler.congestion.window
    assert UNLIMITED == wire.handler.congestion.ssthresh
    assert (2, 2) == (wire.handler.lost_count, wire.handler.spurious_count)


def test_owners_hear_once_of_a_packet_that_was_only_late(wire: Wire) -> None:
    wire.send(0.0, 5)
    wire.ack(0.1, (4, 4))
    wire.ack(0.11, (0, 4))

    assert (3, 2) == (len(wire.ledger.acked), len(wire.ledger.lost))


def test_reordering_is_learned(wire: Wire) -> None:
    wire.send(0.0, 10)
    wire.ack(0.1, (5, 5))
    wire.ack(0.11, (0, 9))
    wire.send(1.0, 10)

    assert 0 == wire.ack(1.1, (15, 15)).lost
    assert 1 == wire.ack(1.1, (16, 16)).lost


# Probe timeout


def test_probe_timeout_owes_probes_and_hands_frames_back(wire: Wire) -> None:  # RFC 9002 §6.2.4
    wire.send(0.0, 5)
    deadline = wire.handler.next_timeout()
    assert pytest.approx(0.3 + 0.025) == deadline
    wire.handler.handle_timeout(deadline)

    assert (1, 2) == (wire.handler.pto_count, wire.handler.probes_owed(APPLICATION))
    assert 2 == len(wire.ledger.lost)
    assert 5 * SIZE == wire.handler.bytes_in_flight
    assert 0 == wire.handler.lost_count
    assert SendMode.PROBE is wire.handler.send_mode(deadline)


def test_frames_handed_back_are_not_reported_again(wire: Wire) -> None:
    wire.send(0.0, 5)
    wire.handler.handle_timeout(wire.handler.next_timeout())
    wire.ack(0.4, (0, 4))

    assert (3, 2) == (len(wire.ledger.acked), len(wire.ledger.lost))
    assert 0 == wire.handler.bytes_in_flight


def test_repeated_timeouts_hand_back_what_comes_next(wire: Wire) -> None:
    wire.send(0.0, 3)
    for expected in (2, 3, 3):
        wire.handler.handle_timeout(wire.handler.next_timeout())
        assert expected == len(wire.ledger.lost)


def test_probes_ignore_the_window_but_count(wire: Wire) -> None:  # RFC 9002 §7.5
    wire.send(0.0, 10)
    assert SendMode.ACK_ONLY is wire.handler.send_mode(0.0)
    now = wire.handler.next_timeout()
    wire.handler.handle_timeout(now)
    for owed in (2, 1):
        assert owed == wire.handler.probes_owed(APPLICATION)
        assert SendMode.PROBE is wire.handler.send_mode(now)
        wire.send(now)

    assert SendMode.ACK_ONLY is wire.handler.send_mode(now)
    assert 12 * SIZE == wire.handler.bytes_in_flight


def test_packets_that_elicit_nothing_pay_no_probe(wire: Wire) -> None:  # RFC 9002 §6.2.4
    wire.send(0.0)
    now = wire.handler.next_timeout()
    wire.handler.handle_timeout(now)
    wire.send(now, ack_eliciting=False)

    assert 2 == wire.handler.probes_owed(APPLICATION)


def test_answer_ends_the_backoff(wire: Wire) -> None:  # RFC 9002 §6.2.1
    wire.send(0.0)
    wire.handler.handle_timeout(wire.handler.next_timeout())
    wire.ack(0.4, (0, 0))

    assert (0, 0) == (wire.handler.pto_count, wire.handler.probes_owed(APPLICATION))
    assert math.inf == wire.handler.next_timeout()


def test_a_client_may_leave_numbers_out_before_its_probes() -> None:
    wire = Wire(confirmed=False, probes_per_timeout=1, skip_before_probe=1)
    wire.send(0.0, 2, space=INITIAL)
    for number in (3, 5, 7):
        now = wire.handler.next_timeout()
        wire.handler.handle_timeout(now)
        assert [number] == wire.send(now, space=INITIAL)


def test_mtu_probes_are_not_repeated_by_a_timeout(wire: Wire) -> None:  # RFC 9000 §14.4
    wire.send(0.0, is_mtu_probe=True)
    wire.handler.handle_timeout(wire.handler.next_timeout())

    assert [] == wire.ledger.lost
    assert 2 == wire.handler.probes_owed(APPLICATION)


def test_client_guards_against_deadlock() -> None:  # RFC 9002 §6.2.2.1
    wire = Wire(confirmed=False)
    wire.send(0.0, space=INITIAL)
    wire.ack(0.1, (0, 0), space=INITIAL)
    deadline = wire.handler.next_timeout()
    assert pytest.approx(0.1 + 0.3) == deadline
    wire.handler.handle_timeout(deadline)

    assert (1, 0) == (wire.handler.probes_owed(INITIAL), wire.handler.probes_owed(HANDSHAKE))


def test_confirmation_ends_the_guard() -> None:  # RFC 9002 §6.2.2.1
    wire = Wire(confirmed=False)
    wire.send(0.0, space=HANDSHAKE)
    wire.ack(0.1, (0, 0), space=HANDSHAKE)
    assert math.inf > wire.handler.next_timeout()
    wire.handler.set_handshake_confirmed()

    assert math.inf == wire.handler.next_timeout()


def test_server_waits_while_it_may_not_send() -> None:  # RFC 9002 §6.2.2.1
    wire = Wire(is_client=False, confirmed=False)
    wire.send(0.0, space=INITIAL)
    wire.handler.set_amplification_blocked(True)
    assert math.inf == wire.handler.next_timeout()
    assert SendMode.NONE is wire.handler.send_mode(0.0)

    wire.handler.set_amplification_blocked(False)
    assert pytest.approx(0.3) == wire.handler.next_timeout()
    assert SendMode.ANY is wire.handler.send_mode(0.0)


# How much may be sent


def test_window_stops_sending(wire: Wire) -> None:  # RFC 9002 §7
    wire.send(0.0, 9)
    assert SendMode.ANY is wire.handler.send_mode(0.0)
    wire.send(0.0)

    assert SendMode.ACK_ONLY is wire.handler.send_mode(0.0)


def test_pacer_stops_bursts(wire: Wire) -> None:  # RFC 9002 §7.7
    wire.handler.congestion.window = 100 * SIZE
    wire.send(0.0)
    wire.ack(0.1, (0, 0))
    sent = 0
    while wire.handler.send_mode(0.1) is SendMode.ANY:
        wire.send(0.1)
        sent += 1

    assert 15 == sent
    assert SendMode.PACED is wire.handler.send_mode(0.1)
    deadline = wire.handler.pacing_deadline()
    assert 0.1 < deadline < 0.11
    assert SendMode.ANY is wire.handler.send_mode(deadline)
    assert math.inf == wire.handler.pacing_deadline()


def test_acks_do_not_use_the_window(wire: Wire) -> None:  # RFC 9002 §7
    wire.send(0.0, 40, ack_eliciting=False)

    assert 0 == wire.handler.bytes_in_flight
    assert SendMode.ANY is wire.handler.send_mode(0.0)


def test_a_ping_is_asked_for_when_nothing_was_answerable(wire: Wire) -> None:  # RFC 9000 §13.2.4
    wire.send(0.0, PING_AFTER - 1, ack_eliciting=False)
    assert not wire.handler.needs_ping(APPLICATION)
    wire.send(0.0, 1, ack_eliciting=False)
    assert wire.handler.needs_ping(APPLICATION)

    wire.send(0.0)
    assert not wire.handler.needs_ping(APPLICATION)


def test_packets_that_elicit_nothing_do_not_pile_up(wire: Wire) -> None:
    wire.send(0.0, 3 * MAX_UNANSWERABLE, ack_eliciting=False)
    outcome = wire.ack(1.0, (0, 3 * MAX_UNANSWERABLE - 1))

    assert outcome.acked <= MAX_UNANSWERABLE
    assert 3 * MAX_UNANSWERABLE == len(wire.ledger.acked) + len(wire.ledger.lost)


# Marks


def test_marked_packets_are_validated() -> None:  # RFC 9000 §13.4.2
    ecn = EcnValidator()
    wire = Wire(ecn=ecn)
    assert ECT0 == wire.handler.ecn_codepoint()
    wire.send(0.0, 3)
    wire.ack(0.1, (0, 2), ecn=(3, 0, 0))

    assert EcnState.CAPABLE is ecn.state


def test_congestion_mark_shrinks_the_window() -> None:  # RFC 9002 §7.1
    wire = Wire(ecn=EcnValidator())
    window = wire.handler.congestion.window
    wire.send(0.0, 3)
    outcome = wire.ack(0.1, (0, 2), ecn=(2, 0, 1))

    assert outcome.ecn_ce
    assert window // 2 == wire.handler.congestion.window


def test_marks_of_a_reordered_ack_are_not_looked_at() -> None:  # RFC 9000 §13.4.2.1
    ecn = EcnValidator()
    wire = Wire(ecn=ecn)
    wire.send(0.0, 3)
    wire.ack(0.1, (2, 2), ecn=(3, 0, 0))
    wire.ack(0.1, (0, 1), ecn=(2, 0, 0))

    assert EcnState.CAPABLE is ecn.state


def test_peer_without_counts_ends_marking() -> None:  # RFC 9000 §13.4.2.1
    wire = Wire(ecn=EcnValidator())
    wire.send(0.0)
    wire.ack(0.1, (0, 0))

    assert NOT_ECT == wire.handler.ecn_codepoint()


def test_without_a_validator_nothing_is_marked(wire: Wire) -> None:
    assert NOT_ECT == wire.handler.ecn_codepoint()


# Ends and restarts


def test_discarded_space_leaves_the_flight_without_reports() -> None:  # RFC 9002 §6.4
    wire = Wire(confirmed=False)
    wire.send(0.0, 2, space=INITIAL)
    wire.handler.handle_timeout(wire.handler.next_timeout())
    reported = len(wire.ledger.lost)
    wire.send(0.4, 1, space=HANDSHAKE)
    wire.handler.discard_space(INITIAL)

    assert SIZE == wire.handler.bytes_in_flight
    assert reported == len(wire.ledger.lost)
    assert (0, 0) == (wire.handler.pto_count, wire.handler.probes_owed(INITIAL))
    assert pytest.approx(0.4 + 0.3) == wire.handler.next_timeout()


def test_requeue_gives_everything_back_without_a_reaction(wire: Wire) -> None:
    wire.send(0.0, 4)
    wire.ack(0.1, (0, 0))
    window = wire.handler.congestion.window
    wire.handler.requeue_all(APPLICATION)

    assert 3 == len(wire.ledger.lost)
    assert (0, window, 0) == (
        wire.handler.bytes_in_flight,
        wire.handler.congestion.window,
        wire.handler.lost_count,
    )
    assert [4] == wire.send(0.2)
    assert 1 == wire.ack(0.3, (0, 4)).acked


def test_retry_restarts_the_first_flight() -> None:  # RFC 9002 §6.2.1.1, §6.2.2
    wire = Wire(confirmed=False)
    wire.send(0.0, 1, space=INITIAL)
    wire.send(0.0, 1, space=APPLICATION)
    wire.handler.on_retry(0.04)

    assert 2 == len(wire.ledger.lost)
    assert (0, 0) == (wire.handler.bytes_in_flight, wire.handler.pto_count)
    assert 0.04 == wire.handler.rtt.smoothed
    assert [1] == wire.send(0.04, space=INITIAL)
    assert pytest.approx(0.04 + 0.12) == wire.handler.next_timeout()


def test_retry_after_a_timeout_measures_nothing() -> None:  # RFC 9002 §6.2.2
    wire = Wire(confirmed=False)
    wire.send(0.0, 1, space=INITIAL)
    now = wire.handler.next_timeout()
    wire.handler.handle_timeout(now)
    wire.send(now, space=INITIAL)
    wire.handler.on_retry(now + 0.01)

    assert 0.1 == wire.handler.rtt.smoothed


def test_another_path_starts_afresh(wire: Wire) -> None:  # RFC 9000 §9.4
    wire.send(0.0, 10)
    wire.ack(0.02, (5, 5))
    wire.handler.on_path_changed(0.05)

    assert 0 == wire.handler.bytes_in_flight
    assert (10 * SIZE, UNLIMITED) == (wire.handler.congestion.window, wire.handler.congestion.ssthresh)
    assert not wire.handler.rtt.has_sample


def test_packets_of_the_old_path_say_nothing_of_the_new_one(wire: Wire) -> None:  # RFC 9000 §9.4
    wire.send(0.0, 10)
    wire.handler.on_path_changed(0.05)
    window = wire.handler.congestion.window
    wire.ack(0.1, (5, 9))

    assert not wire.handler.rtt.has_sample
    assert (window, 0, 0) == (
        wire.handler.congestion.window,
        wire.handler.bytes_in_flight,
        wire.handler.lost_count,
    )
    assert 10 == len(wire.ledger.acked) + len(wire.ledger.lost)
    wire.send(0.1)
    wire.ack(0.3, (10, 10))
    assert pytest.approx(0.2) == wire.handler.rtt.latest


def test_larger_datagrams_reach_the_window(wire: Wire) -> None:  # RFC 9002 §7.2
    wire.handler.set_datagram_size(1400)

    assert 14_000 == wire.handler.congestion.window


# What can be watched


class Watcher(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []

    def packet_lost(self, now: float, space: int, packet_number: int, trigger: str) -> None:
        self.events.append(("lost", packet_number, trigger))

    def congestion_state(self, now: float, old: str, new: str) -> None:
        self.events.append(("state", old, new))

    def probe_sent(self, now: float, space: int) -> None:
        self.events.append(("probe", space))

    def loss_timer(self, now: float, deadline: float) -> None:
        self.events.append(("timer", round(deadline, 4)))


def test_observer_sees_losses_and_states() -> None:
    watcher = Watcher()
    wire = Wire(observer=watcher)
    wire.send(0.0, 6)
    wire.ack(0.1, (4, 4))
    wire.handler.handle_timeout(wire.handler.next_timeout())

    assert [
        ("lost", 0, "reordering_threshold"),
        ("lost", 1, "reordering_threshold"),
        ("state", "slow_start", "recovery"),
        ("timer", 0.1125),
        ("lost", 2, "time_threshold"),
        ("lost", 3, "time_threshold"),
        ("timer", 0.325),
    ] == watcher.events


def test_observer_sees_probes() -> None:
    watcher = Watcher()
    wire = Wire(observer=watcher)
    wire.send(0.0)
    now = wire.handler.next_timeout()
    wire.handler.handle_timeout(now)
    wire.send(now)

    assert ("lost", 0, "pto_expired") in watcher.events
    assert ("probe", APPLICATION) == watcher.events[-1]


def test_sizes_tell_what_the_path_carries(wire: Wire) -> None:  # RFC 8899 §4.3
    wire.send(0.0, size=1400)
    wire.send(0.0, 4)
    wire.send(0.0, size=1300)
    outcome = wire.ack(0.1, (4, 5))

    assert (1300, 1400) == (outcome.largest_acked_size, wire.handler.largest_lost_size)


def test_a_handshake_space_with_nothing_in_flight_is_stranded(wire: Wire) -> None:  # RFC 9002 §6.2.1
    assert wire.handler.is_stranded(HANDSHAKE)
    wire.send(0.0, space=HANDSHAKE)

    assert not wire.handler.is_stranded(HANDSHAKE)
    assert not wire.handler.is_stranded(APPLICATION)
