"""BBR in a loop with loss recovery and a bottleneck, and alone. draft-ietf-ccwg-bbr-06."""

import pytest

from qcore.congestion import make
from qcore.congestion.bbr import Bbr
from qcore.congestion.bbr_phases import PACING_GAINS, Phase

from .test_simulation import BDP, RATE, SIZE, Flow, Simulation

# The link of the interoperability runner: 10 Mbit/s, 30 ms there and back, 25 packets of 1,500 bytes.
LINK_RATE = 1_250_000.0
LINK_DELAY = 0.015
LINK_QUEUE = 37_500
RTT = 0.05


def bbr_of(flow: Flow) -> Bbr:
    controller = flow.handler.congestion
    assert isinstance(controller, Bbr)
    return controller


def test_a_flow_fills_the_link_with_a_short_queue() -> None:
    simulation = Simulation(rate=LINK_RATE, delay=LINK_DELAY, queue=16 * LINK_QUEUE)
    flow = Flow(simulation, "bbr")
    simulation.run(3.0)
    before = flow.delivered
    simulation.longest_queue = 0
    simulation.run(18.0)

    assert flow.delivered - before > 0.9 * LINK_RATE * 15.0
    # §3.2: at most one and a half times what the path holds waits in the queue.
    assert simulation.longest_queue < 1.5 * LINK_RATE * 2 * LINK_DELAY
    assert 0 == simulation.dropped


def test_little_is_lost_where_the_queue_is_short() -> None:
    simulation = Simulation(rate=LINK_RATE, delay=LINK_DELAY, queue=LINK_QUEUE)
    flow = Flow(simulation, "bbr")
    simulation.run(3.0)
    before, dropped = flow.delivered, simulation.dropped
    simulation.run(13.0)

    assert flow.delivered - before > 0.9 * LINK_RATE * 10.0
    assert simulation.dropped - dropped < 0.01 * (flow.delivered - before) / SIZE


def test_random_loss_hurts_less_than_with_cubic() -> None:
    delivered = {}
    for name in ("bbr", "cubic"):
        simulation = Simulation(loss=0.02)
        flow = Flow(simulation, name)
        simulation.run(12.0)
        delivered[name] = flow.delivered

    assert delivered["bbr"] > 3 * delivered["cubic"]
    assert delivered["bbr"] > 0.6 * RATE * 12.0


def test_all_phases_come_in_their_order() -> None:  # §3.3
    simulation = Simulation()
    flow = Flow(simulation, "bbr")
    simulation.run(12.0)

    follows = {
        "startup": {"drain"},
        "drain": {"probe_bw_down", "probe_bw_cruise"},
        "probe_bw_down": {"probe_bw_cruise", "probe_bw_refill", "probe_rtt"},
        "probe_bw_cruise": {"probe_bw_refill", "probe_rtt"},
        "probe_bw_refill": {"probe_bw_up", "probe_rtt"},
        "probe_bw_up": {"probe_bw_down", "probe_bw_cruise", "probe_rtt"},
        "probe_rtt": {"probe_bw_cruise"},
    }
    assert set(follows) == set(flow.states)
    for before, after in zip(flow.states, flow.states[1:], strict=False):
        assert after in follows[before]


def test_shortest_round_trip_is_looked_for() -> None:  # §5.3.4
    simulation = Simulation(queue=16 * BDP)
    flow = Flow(simulation, "bbr")
    simulation.run(11.5)

    assert 1 <= flow.states.count("probe_rtt") <= 2
    assert pytest.approx(RTT, rel=0.05) == bbr_of(flow).model.min_rtt
    # Half of what the path holds is in flight meanwhile.
    assert min(window for at, window in flow.windows if at > 3.0) <= 0.55 * BDP


def test_a_path_that_became_longer_is_noticed() -> None:  # §5.5.7.2
    simulation = Simulation()
    flow = Flow(simulation, "bbr")
    simulation.run(4.0)
    simulation.delay = 2 * simulation.delay
    simulation.run(20.0)

    assert pytest.approx(2 * RTT, rel=0.1) == bbr_of(flow).model.min_rtt


def test_a_path_that_became_wider_is_filled() -> None:  # §5.3.3.5
    simulation = Simulation(rate=RATE / 4)
    flow = Flow(simulation, "bbr")
    simulation.run(5.0)
    assert bbr_of(flow).model.max_rate < 0.3 * RATE
    simulation.rate = RATE
    simulation.run(15.0)
    before = flow.delivered
    simulation.run(20.0)

    assert flow.delivered - before > 0.8 * RATE * 5.0


def test_a_path_that_became_narrower_is_not_flooded() -> None:  # §5.5.10.3
    simulation = Simulation()
    flow = Flow(simulation, "bbr")
    simulation.run(5.0)
    simulation.rate = RATE / 4
    simulation.run(15.0)
    before, dropped = flow.delivered, simulation.dropped
    simulation.run(20.0)

    assert flow.delivered - before > 0.8 * RATE / 4 * 5.0
    assert simulation.dropped - dropped < 0.02 * 5.0 * RATE / 4 / SIZE


def test_thin_application_is_not_taken_for_a_thin_path() -> None:  # §5.5.4
    simulation = Simulation()
    flow = Flow(simulation, "bbr")
    simulation.run(4.0)
    known = bbr_of(flow).model.max_rate
    flow.supply = 0.0  # what was sent before is all there is
    flow.start = simulation.now
    flow.offset = 0
    flow.supply = RATE / 20
    simulation.run(24.0)

    assert pytest.approx(RATE, rel=0.05) == known
    assert bbr_of(flow).model.max_rate > 0.9 * RATE


def test_startup_goes_on_while_the_application_holds_back() -> None:  # §5.3.1.2
    simulation = Simulation()
    flow = Flow(simulation, "bbr", supply=RATE / 20)
    simulation.run(10.0)

    assert {"startup", "probe_rtt"} == set(flow.states)
    assert not bbr_of(flow).model.is_full
    assert pytest.approx(RATE / 20 * 10.0, rel=0.05) == flow.delivered


def test_flows_share() -> None:  # §5.3.3.8
    simulation = Simulation()
    flows = [Flow(simulation, "bbr"), Flow(simulation, "bbr", start=4.0)]
    simulation.run(15.0)
    before = [flow.delivered for flow in flows]
    simulation.run(25.0)
    shares = sorted(flow.delivered - start for flow, start in zip(flows, before, strict=True))

    assert sum(shares) > 0.9 * RATE * 10.0
    assert shares[1] < 2.5 * shares[0]


def test_cubic_beside_it_does_not_starve() -> None:  # §5.3.3.8.1
    simulation = Simulation(queue=2 * BDP)
    flows = [Flow(simulation, "bbr"), Flow(simulation, "cubic", start=4.0)]
    simulation.run(15.0)
    before = [flow.delivered for flow in flows]
    simulation.run(25.0)
    shares = [flow.delivered - start for flow, start in zip(flows, before, strict=True)]

    assert min(shares) > 0.2 * RATE * 10.0


class Path:
    """ACKs for a controller by hand: a round trip of 0.1 s, at a rate of 1 MB/s, all of it filled."""

    def __init__(self) -> None:
        self.controller = Bbr(SIZE)
        self.now = 10.0

    def round(self, size: int = 100_000, lost: int = 0) -> None:
        controller = self.controller
        sent_time = self.now
        in_flight = 0
        for _ in range((size + lost) // SIZE):
            in_flight += SIZE
            controller.on_sent(SIZE, in_flight, sent_time)
        self.now += 0.1
        if lost:
            controller.on_lost(lost, lost // SIZE, sent_time, self.now)
        controller.on_acked(size, sent_time, self.now, self.now - sent_time, 0.1, in_flight)

    def fill(self) -> None:
        """Until it is in the probing cycle."""
        for _ in range(8):
            self.round()
        assert self.controller.phase in (Phase.DOWN, Phase.CRUISE)


def test_rate_is_what_was_delivered() -> None:
    path = Path()
    path.round()

    assert pytest.approx(1_000_000) == path.controller.model.max_rate
    assert pytest.approx(0.1) == path.controller.model.min_rtt


def test_pacing_follows_the_rate_and_the_phase() -> None:  # §5.6.2
    path = Path()
    assert pytest.approx(2.77 * 12_000 / 0.3) == path.controller.pacing_rate(0.3)
    path.round()
    assert pytest.approx(2.77 * 0.99 * 1_000_000) == path.controller.pacing_rate(0.1)
    path.fill()
    gain = PACING_GAINS[path.controller.phase]
    assert pytest.approx(gain * 0.99 * 1_000_000) == path.controller.pacing_rate(0.1)


def test_window_is_twice_what_the_path_holds() -> None:  # §5.6.4
    path = Path()
    path.fill()
    for _ in range(3):
        path.round()

    assert 2 * 100_000 <= path.controller.window <= 3.1 * 100_000, "and what ACKs bring at once"


def test_losses_outside_a_probe_lower_the_short_term_only() -> None:  # §5.5.10.3
    path = Path()
    path.fill()
    path.controller._is_probe_sample = False
    path.round(lost=12_000)
    path.round(lost=12_000)

    assert path.controller.model.inflight_short < float("inf")
    assert path.controller.model.inflight_long == float("inf")
    assert path.controller.model.max_rate == pytest.approx(1_000_000)


def test_losses_in_a_probe_bound_what_is_in_flight() -> None:  # §5.5.10.2
    path = Path()
    path.fill()
    for _ in range(100):
        if path.controller.phase is Phase.UP:
            break
        path.round()
    path.round(lost=12_000)

    assert path.controller.phase in (Phase.DOWN, Phase.CRUISE)
    assert 0.7 * 100_000 <= path.controller.model.inflight_long <= 112_000


def test_congestion_mark_counts_like_losses() -> None:  # §3.7
    path = Path()
    path.fill()
    for _ in range(100):
        if path.controller.phase is Phase.UP:
            break
        path.round()
    path.controller.on_ecn_ce(path.now - 0.1, path.now)

    assert path.controller.phase is Phase.DOWN
    assert path.controller.model.inflight_long < float("inf")


def test_congestion_mark_ends_startup() -> None:  # §5.3.1.3
    path = Path()
    path.round()
    path.controller.on_ecn_ce(path.now - 0.05, path.now)
    path.round()
    path.round()

    assert path.controller.phase is not Phase.STARTUP
    assert path.controller.model.inflight_long < float("inf")


def test_mistaken_loss_is_undone() -> None:  # §5.5.11.2
    path = Path()
    path.fill()
    for _ in range(100):
        if path.controller.phase is Phase.UP:
            break
        path.round()
    controller = path.controller
    lost_at = path.now
    path.round(lost=2 * SIZE + 2_400)
    controller.on_late(lost_at, path.now)
    assert controller.model.inflight_long < float("inf")
    for _ in range(3):
        controller.on_late(lost_at, path.now)

    assert controller.model.inflight_long == float("inf")
    assert controller.phase is Phase.REFILL


def test_another_path_starts_anew() -> None:  # RFC 9000 §9.4
    path = Path()
    path.fill()
    controller = path.controller
    controller.reset()

    assert ("startup", 12_000, 0.0) == (controller.state, controller.window, controller.model.max_rate)
    path.fill()
    assert pytest.approx(1_000_000) == controller.model.max_rate


def test_persistent_congestion_leaves_the_smallest_window() -> None:  # RFC 9002 §7.6.2
    path = Path()
    path.fill()
    path.controller.on_persistent_congestion()
    assert 4 * SIZE == path.controller.window
    path.round()

    assert path.controller.window >= 100_000


def test_window_has_a_floor() -> None:  # §5.6.4.3
    controller = make("bbr", SIZE)
    for index in range(50):
        controller.on_sent(SIZE, SIZE, index * 1.0)
        controller.on_lost(SIZE, 1, index * 1.0, index + 0.9)
        controller.on_sent(SIZE, SIZE, index + 0.91)
        controller.on_acked(SIZE, index + 0.91, index + 0.95, 0.04, 0.04, SIZE)

    assert controller.window >= 4 * SIZE
