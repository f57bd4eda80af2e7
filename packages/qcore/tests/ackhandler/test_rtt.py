import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcore.ackhandler.rtt import GRANULARITY, INITIAL_RTT, RttEstimator


def test_before_a_sample_the_initial_value_holds() -> None:  # RFC 9002 §6.2.2
    rtt = RttEstimator()

    assert (INITIAL_RTT, INITIAL_RTT / 2) == (rtt.smoothed, rtt.variance)
    assert not rtt.has_sample
    assert pytest.approx(0.999) == rtt.pto(0.0)


def test_first_sample_sets_everything() -> None:  # RFC 9002 §5.3
    rtt = RttEstimator()
    rtt.update(0.1, 0.02, 5.0)

    assert (0.1, 0.1, 0.05, 0.1, 5.0) == (
        rtt.latest,
        rtt.smoothed,
        rtt.variance,
        rtt.minimum,
        rtt.first_sample_time,
    )


def test_later_samples_move_the_average() -> None:  # RFC 9002 §5.3
    rtt = RttEstimator()
    rtt.update(0.1, 0.0, 0.0)
    rtt.update(0.2, 0.0, 1.0)

    assert pytest.approx(0.1125) == rtt.smoothed
    assert pytest.approx(0.75 * 0.05 + 0.25 * 0.1) == rtt.variance
    assert (0.1, 0.2, 0.0) == (rtt.minimum, rtt.latest, rtt.first_sample_time)


def test_delay_of_the_peer_is_taken_off() -> None:  # RFC 9002 §5.3
    rtt = RttEstimator()
    rtt.update(0.1, 0.0, 0.0)
    rtt.update(0.15, 0.04, 1.0)

    assert pytest.approx(0.875 * 0.1 + 0.125 * 0.11) == rtt.smoothed


def test_delay_never_takes_a_sample_below_the_minimum() -> None:  # RFC 9002 §5.3
    rtt = RttEstimator()
    rtt.update(0.1, 0.0, 0.0)
    rtt.update(0.12, 0.05, 1.0)

    assert pytest.approx(0.875 * 0.1 + 0.125 * 0.12) == rtt.smoothed


def test_minimum_ignores_the_peers_claims() -> None:  # RFC 9002 §5.2
    rtt = RttEstimator()
    rtt.update(0.1, 0.0, 0.0)
    rtt.update(0.09, 0.08, 1.0)

    assert 0.09 == rtt.minimum


def test_persistent_congestion_renews_the_minimum() -> None:  # RFC 9002 §5.2
    rtt = RttEstimator()
    rtt.update(0.1, 0.0, 0.0)
    rtt.update(0.3, 0.0, 1.0)
    rtt.on_persistent_congestion()

    assert 0.3 == rtt.minimum


def test_timeout_has_a_floor_for_the_variance() -> None:  # RFC 9002 §6.2.1
    rtt = RttEstimator()
    for _ in range(200):
        rtt.update(0.05, 0.0, 0.0)

    assert pytest.approx(0.05 + GRANULARITY + 0.025) == rtt.pto(0.025)


def test_initial_value_can_be_replaced_until_there_is_a_sample() -> None:  # RFC 9002 §6.2.2
    rtt = RttEstimator()
    rtt.set_initial(0.1)
    assert pytest.approx(0.3) == rtt.pto(0.0)

    rtt.update(0.04, 0.0, 0.0)
    rtt.set_initial(1.0)
    assert 0.04 == rtt.smoothed


def test_another_path_starts_afresh() -> None:  # RFC 9000 §9.4
    rtt = RttEstimator(0.2)
    rtt.update(0.04, 0.0, 3.0)
    rtt.reset()

    assert (0.2, False, math.inf) == (rtt.smoothed, rtt.has_sample, rtt.first_sample_time)


@pytest.mark.parametrize("initial", [0.0, -1.0, math.nan])
def test_senseless_initial_value_is_refused(initial: float) -> None:
    with pytest.raises(ValueError, match="makes no sense"):
        RttEstimator(initial)


# Nothing between 0 and a nanosecond, which no clock tells and in which floats lose their precision.
ROUND_TRIPS = st.one_of(st.floats(-1.0, 0.0), st.floats(1e-9, 100.0))


@given(st.lists(st.tuples(ROUND_TRIPS, st.floats(0.0, 1e9)), min_size=1))
def test_estimates_stay_within_what_was_measured(samples: list[tuple[float, float]]) -> None:
    rtt = RttEstimator()
    for sample, delay in samples:
        rtt.update(sample, delay, 0.0)
    measured = [max(sample, 0.0) for sample, _ in samples]

    assert min(measured) == rtt.minimum
    assert min(measured) <= rtt.smoothed * (1 + 1e-9)
    assert rtt.smoothed <= max(measured) * (1 + 1e-9)
    assert 0.0 <= rtt.variance <= max(measured)
    assert rtt.pto(0.0) > 0.0
