"""What all controllers have in common."""

import pytest

from qcore.congestion import NAMES, CongestionController, make
from qcore.congestion.base import MAXIMUM_WINDOW, UNLIMITED, initial_window

SIZE = 1200


# BBR keeps a model instead of these rules; see test_bbr.
@pytest.fixture(params=[name for name in NAMES if name != "bbr"])
def controller(request: pytest.FixtureRequest) -> CongestionController:
    return make(request.param, SIZE)


def acked(
    controller: CongestionController, now: float, size: int | None = None, in_flight: int | None = None
) -> None:
    """A round trip of 0.1 s ends with an ACK of `size` bytes, a full window unless said otherwise."""
    controller.on_acked(
        controller.window if size is None else size,
        now - 0.1,
        now,
        0.1,
        0.1,
        controller.window if in_flight is None else in_flight,
    )


def lost(controller: CongestionController, now: float, count: int = 1) -> None:
    controller.on_lost(count * SIZE, count, now - 0.05, now)


@pytest.mark.parametrize(
    ("datagram_size", "window"),
    [
        pytest.param(1200, 12_000, id="ten datagrams"),
        pytest.param(1472, 14_720, id="exactly"),
        pytest.param(4000, 14_720, id="bytes"),
        pytest.param(9000, 18_000, id="two datagrams"),
    ],
)
def test_initial_window(datagram_size: int, window: int) -> None:  # RFC 9002 §7.2
    assert window == initial_window(datagram_size)


def test_slow_start_doubles_each_round_trip(controller: CongestionController) -> None:  # RFC 9002 §7.3.1
    windows = [controller.window]
    for round_trip in range(1, 5):
        acked(controller, round_trip * 0.1)
        windows.append(controller.window)

    assert [12_000, 24_000, 48_000, 96_000, 192_000] == windows


def test_loss_begins_recovery(controller: CongestionController) -> None:  # RFC 9002 §7.3.2
    acked(controller, 0.1)
    lost(controller, 0.2)

    assert "recovery" == controller.state
    assert controller.window == controller.ssthresh < 24_000
    assert 0.2 == controller.recovery_start


def test_losses_of_one_round_trip_count_once(controller: CongestionController) -> None:  # RFC 9002 §7.3.2
    acked(controller, 0.1)
    lost(controller, 0.2, 3)
    window = controller.window
    lost(controller, 0.21)
    controller.on_ecn_ce(0.2, 0.22)

    assert window == controller.window


def test_recovery_ends_with_a_packet_sent_in_it(controller: CongestionController) -> None:  # RFC 9002 §7.3.2
    lost(controller, 0.2)
    controller.on_acked(0, 0.1, 0.25, 0.1, 0.1, controller.window)
    assert "recovery" == controller.state

    controller.on_acked(SIZE, 0.21, 0.31, 0.1, 0.1, controller.window)
    assert "congestion_avoidance" == controller.state


def test_congestion_mark_counts_like_a_loss(controller: CongestionController) -> None:  # RFC 9002 §7.1
    acked(controller, 0.1)
    twin = make(controller.name, SIZE)
    acked(twin, 0.1)
    controller.on_ecn_ce(0.15, 0.2)
    lost(twin, 0.2)

    assert (twin.window, "recovery") == (controller.window, controller.state)


def test_window_has_a_floor(controller: CongestionController) -> None:  # RFC 9002 §7.2
    for round_trip in range(1, 20):
        lost(controller, round_trip * 1.0)

    assert 2 * SIZE == controller.window


def test_window_has_a_ceiling(controller: CongestionController) -> None:
    for round_trip in range(1, 40):
        acked(controller, round_trip * 0.1)

    assert MAXIMUM_WINDOW == controller.window


def test_persistent_congestion_starts_from_the_floor(
    controller: CongestionController,
) -> None:  # RFC 9002 §7.6.2
    acked(controller, 0.1)
    lost(controller, 0.2)
    ssthresh = controller.ssthresh
    controller.on_persistent_congestion()

    assert (2 * SIZE, ssthresh, "slow_start") == (controller.window, controller.ssthresh, controller.state)
    acked(controller, 1.0)
    assert 4 * SIZE == controller.window


@pytest.mark.parametrize("in_flight", [SIZE, 5_000])
def test_window_does_not_grow_while_the_application_holds_back(  # RFC 9002 §7.8
    controller: CongestionController, in_flight: int
) -> None:
    for round_trip in range(1, 20):
        acked(controller, round_trip * 0.1, in_flight, in_flight)

    assert 12_000 == controller.window


def test_avoidance_does_not_grow_while_the_application_holds_back(  # RFC 9002 §7.8
    controller: CongestionController,
) -> None:
    for round_trip in range(1, 5):
        acked(controller, round_trip * 0.1)
    lost(controller, 0.5)
    window = controller.window
    for round_trip in range(6, 50):
        acked(controller, round_trip * 0.1, window // 2, window // 2)

    assert window == controller.window


def test_window_grows_again_when_the_application_fills_it(
    controller: CongestionController,
) -> None:  # RFC 9002 §7.8
    for round_trip in range(1, 5):
        acked(controller, round_trip * 0.1, SIZE, SIZE)
    acked(controller, 0.5)

    assert 24_000 == controller.window


def test_acks_that_split_a_round_trip_all_count() -> None:  # RFC 9002 §7.8
    controller = make("newreno", SIZE)
    flight = controller.window
    for _ in range(10):
        controller.on_acked(SIZE, 0.0, 0.1, 0.1, 0.1, flight)
        flight -= SIZE

    assert 24_000 == controller.window


def test_mistaken_reaction_is_undone(controller: CongestionController) -> None:  # RFC 9438 §4.9.2
    acked(controller, 0.1)
    lost(controller, 0.2, 2)
    controller.on_late(0.15, 0.21)
    assert "recovery" == controller.state

    controller.on_late(0.15, 0.22)
    assert (24_000, UNLIMITED, "slow_start") == (controller.window, controller.ssthresh, controller.state)


def test_half_a_mistake_is_none(controller: CongestionController) -> None:  # RFC 9438 §4.9.2
    acked(controller, 0.1)
    lost(controller, 0.2, 2)
    lost(controller, 0.21)
    window = controller.window
    for _ in range(2):
        controller.on_late(0.15, 0.22)

    assert window == controller.window


def test_reaction_to_a_mark_stays(controller: CongestionController) -> None:
    acked(controller, 0.1)
    controller.on_ecn_ce(0.15, 0.2)
    window = controller.window
    controller.on_late(0.15, 0.21)

    assert window == controller.window


def test_late_packets_of_an_older_reaction_do_not_count(controller: CongestionController) -> None:
    acked(controller, 0.1)
    lost(controller, 0.2)
    acked(controller, 0.4)
    lost(controller, 0.5)
    window = controller.window
    controller.on_late(0.15, 0.51)

    assert window == controller.window


def test_initial_window_follows_the_datagram_size(controller: CongestionController) -> None:  # RFC 9002 §7.2
    controller.set_datagram_size(1400)

    assert 14_000 == controller.window


def test_grown_window_does_not_follow_the_datagram_size(controller: CongestionController) -> None:
    acked(controller, 0.1)
    controller.set_datagram_size(1400)

    assert 24_000 == controller.window


def test_floor_follows_the_datagram_size(controller: CongestionController) -> None:  # RFC 9002 §7.2
    for round_trip in range(1, 20):
        lost(controller, round_trip * 1.0)
    controller.set_datagram_size(1400)

    assert 2_800 == controller.window


def test_pacing_is_faster_than_the_window(controller: CongestionController) -> None:  # RFC 9002 §7.7
    assert pytest.approx(2 * 12_000 / 0.1) == controller.pacing_rate(0.1)
    lost(controller, 0.2)

    assert pytest.approx(1.25 * controller.window / 0.1) == controller.pacing_rate(0.1)
    assert controller.pacing_rate(0.0) > 0


def test_another_path_starts_afresh(controller: CongestionController) -> None:  # RFC 9000 §9.4
    acked(controller, 0.1)
    lost(controller, 0.2)
    acked(controller, 0.4)
    controller.reset()
    fresh = make(controller.name, SIZE)

    for round_trip in range(5, 30):
        for one in (controller, fresh):
            if round_trip == 8:
                lost(one, round_trip * 0.1)
            else:
                acked(one, round_trip * 0.1)
        assert (fresh.window, fresh.ssthresh, fresh.state) == (
            controller.window,
            controller.ssthresh,
            controller.state,
        )
