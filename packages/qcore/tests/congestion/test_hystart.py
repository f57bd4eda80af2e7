import pytest

from qcore.congestion.hystart import CSS_ROUNDS, SAMPLES, HyStart


def run_round(hystart: HyStart, rtt: float, samples: int = SAMPLES) -> None:
    hystart.on_round()
    for _ in range(samples):
        hystart.on_sample(rtt)


def test_steady_round_trips_change_nothing() -> None:
    hystart = HyStart()
    for _ in range(20):
        run_round(hystart, 0.05)

    assert not hystart.in_css
    assert 1200 == hystart.growth(1200)


@pytest.mark.parametrize(
    ("before", "after", "slows_down"),
    [
        pytest.param(0.040, 0.0449, False, id="less than an eighth"),
        pytest.param(0.040, 0.0451, True, id="more than an eighth"),
        pytest.param(0.010, 0.0139, False, id="below the lower bound"),
        pytest.param(0.010, 0.0141, True, id="above the lower bound"),
        pytest.param(0.400, 0.4159, False, id="below the upper bound"),
        pytest.param(0.400, 0.4161, True, id="above the upper bound"),
    ],
)
def test_rising_round_trips_slow_growth_down(
    before: float, after: float, slows_down: bool
) -> None:  # RFC 9406 §4.2
    hystart = HyStart()
    run_round(hystart, before)
    run_round(hystart, after)

    assert slows_down == hystart.in_css
    assert (300 if slows_down else 1200) == hystart.growth(1200)


def test_a_rise_needs_eight_samples() -> None:  # RFC 9406 §4.2
    hystart = HyStart()
    run_round(hystart, 0.05)
    run_round(hystart, 0.1, SAMPLES - 1)
    assert not hystart.in_css

    hystart.on_sample(0.1)
    assert hystart.in_css


def test_one_quick_packet_shows_that_there_is_no_queue() -> None:  # RFC 9406 §4.2
    hystart = HyStart()
    run_round(hystart, 0.05)
    run_round(hystart, 0.05, 1)
    for _ in range(SAMPLES):
        hystart.on_sample(0.1)

    assert not hystart.in_css


def test_five_slow_rounds_end_slow_start() -> None:  # RFC 9406 §4.2
    hystart = HyStart()
    run_round(hystart, 0.05)
    run_round(hystart, 0.1)
    for _ in range(CSS_ROUNDS - 1):
        run_round(hystart, 0.1)
        assert not hystart.is_done
    hystart.on_round()

    assert hystart.is_done


def test_falling_round_trips_resume_slow_start() -> None:  # RFC 9406 §4.2
    hystart = HyStart()
    run_round(hystart, 0.05)
    run_round(hystart, 0.1)
    assert hystart.in_css
    run_round(hystart, 0.06)

    assert not hystart.in_css
    for _ in range(2 * CSS_ROUNDS):
        run_round(hystart, 0.06)
    assert not hystart.is_done
