import math

import pytest

from qcore.ackhandler.history import SentHistory, SentPacket
from qcore.ackhandler.loss import (
    MAX_PACKET_THRESHOLD,
    MAX_TIME_THRESHOLD,
    PACKET_THRESHOLD,
    LossDetector,
)
from qcore.ackhandler.rtt import GRANULARITY, RttEstimator
from qcore.spaces import APPLICATION


def sent(*times: float) -> SentHistory:
    """One packet for each of `times`."""
    history = SentHistory()
    for number, sent_time in enumerate(times):
        history.append(SentPacket(number, APPLICATION, sent_time, 1200, True, True, []))
    return history


def acked(history: SentHistory, *ranges: tuple[int, int]) -> None:
    history.take_acked(list(ranges))
    history.largest_acked = max(history.largest_acked, ranges[0][1])


def measured(rtt: float = 0.1, at: float = -1.0) -> RttEstimator:
    estimator = RttEstimator()
    estimator.update(rtt, 0.0, at)
    return estimator


def lost_numbers(
    detector: LossDetector, history: SentHistory, now: float, rtt: RttEstimator | None = None
) -> list[int]:
    found = detector.detect(history, rtt or measured(), now)
    return [packet.packet_number for packet in found]


def test_a_packet_is_lost_three_numbers_behind() -> None:  # RFC 9002 §6.1.1
    history = sent(0.0, 0.0, 0.0, 0.0, 0.0)
    acked(history, (3, 3))

    assert [0] == lost_numbers(LossDetector(), history, 0.01)


def test_a_packet_is_lost_when_old_and_a_later_one_arrived() -> None:  # RFC 9002 §6.1.2
    history = sent(0.0, 0.1)
    acked(history, (1, 1))
    detector = LossDetector()

    assert [] == lost_numbers(detector, history, 0.05)
    assert pytest.approx(0.1125) == history.loss_time
    assert [0] == lost_numbers(detector, history, history.loss_time)
    assert math.inf == history.loss_time


def test_nothing_is_lost_before_something_later_is_acknowledged() -> None:  # RFC 9002 §6.1
    history = sent(0.0, 0.0, 0.0, 0.0, 0.0)
    acked(history, (0, 0))

    assert [] == lost_numbers(LossDetector(), history, 100.0)
    assert math.inf == history.loss_time


def test_time_threshold_follows_the_larger_estimate() -> None:  # RFC 9002 §6.1.2
    rtt = measured(0.1)
    rtt.update(0.5, 0.0, 0.0)

    assert pytest.approx(0.5 * 9 / 8) == LossDetector().delay(rtt)


def test_time_threshold_has_a_floor() -> None:  # RFC 9002 §6.1.2
    assert GRANULARITY == LossDetector().delay(measured(0.000_01))


def test_search_ends_at_the_first_packet_that_is_not_lost() -> None:
    history = sent(*[0.0] * 10)
    acked(history, (9, 9), (4, 5))
    found = lost_numbers(LossDetector(), history, 0.01)

    assert [0, 1, 2, 3, 6] == found
    assert 7 == history.base + history.head


def test_late_packet_by_number_raises_the_packet_threshold() -> None:
    detector = LossDetector()
    detector.on_late(7)
    history = sent(*[0.0] * 10)
    acked(history, (8, 8))

    assert [0] == lost_numbers(detector, history, 0.01)
    assert 8 == detector.packet_threshold


def test_late_packet_by_time_raises_the_time_threshold() -> None:
    detector = LossDetector()
    detector.on_late(1)

    assert (PACKET_THRESHOLD, 1.25) == (detector.packet_threshold, detector.time_threshold)


def test_patience_is_bounded() -> None:
    detector = LossDetector()
    for _ in range(100):
        detector.on_late(1_000_000)
        detector.on_late(0)

    assert (MAX_PACKET_THRESHOLD, MAX_TIME_THRESHOLD) == (detector.packet_threshold, detector.time_threshold)
    detector.reset()
    assert PACKET_THRESHOLD == detector.packet_threshold


# RFC 9002 §7.6: with an RTT of 0.1 s, its variance at 0.05 and an ACK delay of 0.025 s, the period is 0.975 s.
PERIOD = 3 * (0.1 + 4 * 0.05 + 0.025)


@pytest.mark.parametrize(
    ("span", "is_persistent"),
    [
        pytest.param(PERIOD - 0.01, False, id="too short"),
        pytest.param(PERIOD + 0.01, True, id="long enough"),
    ],
)
def test_long_losses_are_persistent_congestion(span: float, is_persistent: bool) -> None:
    history = sent(0.0, span / 2, span, 2.0, 2.0, 2.0)
    acked(history, (5, 5))
    detector = LossDetector()

    assert [0, 1, 2] == lost_numbers(detector, history, 2.05)
    assert is_persistent == detector.is_persistent(measured(), 0.025)


def test_an_acknowledged_packet_in_between_breaks_the_span() -> None:  # RFC 9002 §7.6.2
    history = sent(0.0, 0.6, 1.2, 2.0, 2.0, 2.0)
    acked(history, (5, 5), (1, 1))
    detector = LossDetector()

    assert [0, 2] == lost_numbers(detector, history, 2.05)
    assert not detector.is_persistent(measured(), 0.025)


def test_a_span_goes_on_over_several_detections() -> None:  # RFC 9002 §7.6.2
    history = sent(0.0, 1.2, 2.0, 2.0, 2.0, 2.0)
    detector = LossDetector()
    acked(history, (3, 3))
    assert [0] == lost_numbers(detector, history, 1.25)
    acked(history, (4, 4))

    assert [1] == lost_numbers(detector, history, 2.05)
    assert detector.is_persistent(measured(), 0.025)


def test_an_acknowledgement_between_detections_breaks_the_span() -> None:  # RFC 9002 §7.6.2
    history = sent(0.0, 0.5, 1.2, 2.0, 2.0, 2.0)
    detector = LossDetector()
    acked(history, (3, 3))
    assert [0] == lost_numbers(detector, history, 0.55)
    acked(history, (5, 5), (1, 1))

    assert [2] == lost_numbers(detector, history, 2.05)
    assert not detector.is_persistent(measured(), 0.025)


def test_packets_before_the_first_sample_do_not_count() -> None:  # RFC 9002 §7.6.2
    history = sent(0.0, 1.2, 2.0, 2.0, 2.0)
    acked(history, (4, 4))
    detector = LossDetector()
    rtt = measured(at=0.5)
    lost_numbers(detector, history, 2.05, rtt)

    assert not detector.is_persistent(rtt, 0.025)


def test_persistent_congestion_is_declared_once() -> None:
    history = sent(0.0, 1.2, 1.3, 2.0, 2.0, 2.0)
    detector = LossDetector()
    acked(history, (4, 4))
    lost_numbers(detector, history, 1.35)
    assert detector.is_persistent(measured(), 0.025)
    history.loss_run_start = math.inf
    acked(history, (5, 5))

    assert [2] == lost_numbers(detector, history, 2.05)
    assert not detector.is_persistent(measured(), 0.025)
