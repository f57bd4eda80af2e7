from qcore.congestion.new_reno import NewReno

SIZE = 1200


def in_avoidance(window: int) -> NewReno:
    """A controller that has just lost a packet at twice `window`."""
    controller = NewReno(SIZE)
    controller.window = 2 * window
    controller.on_lost(SIZE, 1, 0.5, 1.0)
    assert window == controller.window
    return controller


def test_loss_halves_the_window() -> None:  # RFC 9002 §7.3.2
    controller = NewReno(SIZE)
    controller.on_lost(SIZE, 1, 0.0, 0.1)

    assert (6_000, 6_000) == (controller.window, controller.ssthresh)


def test_avoidance_adds_one_datagram_per_window() -> None:  # RFC 9002 §7.3.3
    controller = in_avoidance(12_000)
    windows = []
    for round_trip in range(1, 5):
        now = 1.0 + round_trip * 0.1
        controller.on_acked(controller.window, now - 0.05, now, 0.1, 0.1, controller.window)
        windows.append(controller.window)

    assert [13_200, 14_400, 15_600, 16_800] == windows


def test_single_packets_add_up() -> None:  # RFC 9002 §7.3.3
    controller = in_avoidance(12_000)
    for _ in range(9):
        controller.on_acked(SIZE, 1.05, 1.1, 0.1, 0.1, controller.window)
    assert 12_000 == controller.window
    controller.on_acked(SIZE, 1.05, 1.1, 0.1, 0.1, controller.window)

    assert 13_200 == controller.window


def test_slow_start_stops_at_the_threshold() -> None:  # RFC 9002 §7.3.1
    controller = in_avoidance(24_000)
    controller.on_persistent_congestion()
    for round_trip in range(1, 8):
        now = 1.0 + round_trip * 0.1
        controller.on_acked(controller.window, now - 0.05, now, 0.1, 0.1, controller.window)

    assert 24_000 <= controller.window <= 24_000 + 3 * SIZE
