import math
from itertools import pairwise

import pytest

from qcore.congestion.cubic import ALPHA, BETA, C, Cubic
from qcore.congestion.new_reno import NewReno

SIZE = 1000
RTT = 0.1


def after_loss(window: int, now: float = 0.0) -> Cubic:
    """A controller that loses a packet with `window`, outside slow start."""
    controller = Cubic(SIZE)
    controller.ssthresh = window
    controller.window = window
    controller.on_lost(SIZE, 1, now - RTT / 2, now)
    return controller


def run(
    controller: Cubic | NewReno, start: float, seconds: float, rtt: float = RTT, acks: int = 10
) -> list[int]:
    """Full windows acknowledged in `acks` ACKs per round trip; the window after each round trip."""
    windows = []
    now = start
    for _ in range(round(seconds / rtt)):
        window = controller.window
        for _ in range(acks):
            now += rtt / acks
            controller.on_acked(window // acks, now - rtt, now, rtt, rtt, controller.window)
        windows.append(controller.window)
    return windows


def plateau(window: int) -> float:
    """K of RFC 9438 §4.2."""
    return math.cbrt(window * (1 - BETA) / SIZE / C)


def test_loss_takes_three_tenths() -> None:  # RFC 9438 §4.6
    controller = after_loss(1_000_000)

    assert (700_000, 700_000) == (controller.window, controller.ssthresh)


def test_window_is_concave_up_to_the_old_one_and_convex_beyond() -> None:  # RFC 9438 §4.4, §4.5
    controller = after_loss(1_000_000)
    period = plateau(1_000_000)
    windows = run(controller, RTT, 2 * period)
    steps = [later - earlier for earlier, later in pairwise(windows)]
    middle = round(period / RTT)

    assert pytest.approx(1_000_000, rel=0.01) == windows[middle]
    assert max(steps[1:10]) > 4 * max(steps[middle - 3 : middle + 3])
    assert steps[-1] > 4 * max(steps[middle - 3 : middle + 3])
    assert pytest.approx(1_300_000, rel=0.03) == windows[-1]
    assert windows == sorted(windows)


def test_growth_depends_on_time_rather_than_on_round_trips() -> None:  # RFC 9438 §3.1
    seconds = 2 * plateau(1_000_000)
    short = run(after_loss(1_000_000), 0.05, seconds, rtt=0.05)[-1]
    long = run(after_loss(1_000_000), 0.2, seconds, rtt=0.2)[-1]

    assert pytest.approx(long, rel=0.05) == short


def test_growth_does_not_depend_on_how_acks_are_batched() -> None:
    fine = run(after_loss(1_000_000), RTT, 10.0, acks=100)[-1]
    coarse = run(after_loss(1_000_000), RTT, 10.0, acks=2)[-1]

    assert pytest.approx(fine, rel=0.03) == coarse


def test_small_windows_grow_like_reno() -> None:  # RFC 9438 §4.3
    controller = after_loss(20_000)
    reno = NewReno(SIZE)
    reno.ssthresh = reno.window = 14_000
    windows = run(controller, RTT, 1.0)
    reference = run(reno, RTT, 1.0)

    # Until the old window is reached, alpha is 0.53; Reno takes one datagram.
    assert pytest.approx(14_000 + 10 * ALPHA * SIZE, rel=0.05) == windows[-1]
    assert windows[-1] < reference[-1]


def test_reno_pace_is_one_datagram_once_the_old_window_is_back() -> None:  # RFC 9438 §4.3
    controller = after_loss(20_000)
    windows = run(controller, RTT, 3.0)
    steps = [later - earlier for earlier, later in pairwise(windows) if earlier > 21_000]

    assert len(steps) > 5
    assert pytest.approx(SIZE, rel=0.1) == sum(steps[:5]) / 5


def test_reno_region_ends_where_the_curve_is_faster() -> None:  # RFC 9438 §4.3
    controller = after_loss(20_000)
    reno = NewReno(SIZE)
    reno.ssthresh = reno.window = 14_000

    assert run(controller, RTT, 20.0)[-1] > 2 * run(reno, RTT, 20.0)[-1]


def test_a_flow_that_did_not_recover_makes_room() -> None:  # RFC 9438 §4.7
    generous = after_loss(1_000_000)
    run(generous, RTT, 1.0)
    assert generous.window < 1_000_000
    window = generous.window
    generous.on_lost(SIZE, 1, 1.2, 1.25)
    reached = run(generous, 1.3, plateau(window))[-1]

    # Its plateau is at 0.85 of the window it lost, not at the window.
    assert reached < 0.90 * window
    assert pytest.approx(0.85 * window, rel=0.03) == reached


def test_growth_is_bounded_by_half_a_window_per_round_trip() -> None:  # RFC 9438 §4.2
    controller = after_loss(20_000)
    windows = run(controller, 0.1, 100.0, rtt=1.0)

    assert all(later <= 1.5 * earlier + SIZE for earlier, later in pairwise(windows))


def test_time_in_which_the_application_holds_back_does_not_count() -> None:  # RFC 9438 §5.8
    busy = after_loss(1_000_000)
    idle = after_loss(1_000_000)
    run(busy, RTT, 2.0)
    run(idle, RTT, 2.0)
    before = idle.window
    for step in range(300):
        now = 2.2 + step * RTT
        idle.on_acked(SIZE, now - RTT, now, RTT, RTT, SIZE)
    # The first round trip still counts as full.
    assert pytest.approx(before, rel=0.001) == idle.window

    expected = run(busy, 2.1, 2.0)[-1]
    assert pytest.approx(expected, rel=0.02) == run(idle, 2.2 + 300 * RTT, 2.0)[-1]


def test_undone_reaction_leaves_the_old_curve() -> None:  # RFC 9438 §4.9.2
    controller = after_loss(1_000_000)
    controller.on_late(-RTT / 2, 0.01)

    assert 1_000_000 == controller.window


def test_rising_round_trips_end_slow_start_without_a_loss() -> None:  # RFC 9406 §4.2
    controller = Cubic(SIZE)
    now = 0.0
    rtt = 0.05
    for round_trip in range(20):
        window = controller.window
        for _ in range(10):
            now += rtt / 10
            controller.on_acked(window // 10, now - rtt, now, rtt, rtt, controller.window)
        if round_trip >= 3:
            rtt = min(rtt + 0.02, 0.15)
        if controller.state != "slow_start":
            break

    assert "congestion_avoidance" == controller.state
    assert controller.ssthresh == controller.window


def test_steady_round_trips_keep_slow_start() -> None:  # RFC 9406 §4.2
    controller = Cubic(SIZE)
    run(controller, 0.0, 1.0)

    assert "slow_start" == controller.state
    assert controller.window > 100 * 10_000


def test_later_slow_starts_end_at_the_threshold() -> None:  # RFC 9406 §4.3
    controller = after_loss(1_000_000)
    controller.on_persistent_congestion()
    windows = run(controller, 1.0, 2.0)

    assert [4_000, 8_000, 16_000] == windows[:3]
    assert 700_000 <= windows[-1] < 800_000
