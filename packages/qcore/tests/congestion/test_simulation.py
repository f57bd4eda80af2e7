"""Controllers in a loop with loss recovery, pacing, acknowledgements and a bottleneck."""

import heapq
import math
import random
from collections.abc import Callable
from itertools import count

import pytest

from qcore.ackhandler.history import SentPacket
from qcore.ackhandler.packet_numbers import separate
from qcore.ackhandler.received import ReceivedPacketHandler
from qcore.ackhandler.rtt import RttEstimator
from qcore.ackhandler.send_mode import SendMode
from qcore.ackhandler.sent import SentPacketHandler
from qcore.congestion import NAMES, make
from qcore.congestion.pacer import Pacer
from qcore.packing.source import FrameSource
from qcore.spaces import APPLICATION
from qwire.frames import AckFrame, Frame, StreamFrame

SIZE = 1200
# Those that grow a window until it is too large.
PROBING_BY_WINDOW = [name for name in NAMES if name != "bbr"]
# 9.6 Mbit/s with 50 ms there and back: 50 packets.
RATE = 1_200_000.0
DELAY = 0.025
BDP = int(RATE * 2 * DELAY)


class Simulation:
    """Virtual time, and one bottleneck that all flows share."""

    def __init__(
        self, *, rate: float = RATE, delay: float = DELAY, queue: int = BDP, loss: float = 0.0, seed: int = 1
    ) -> None:
        self.now = 0.0
        self.rate = rate
        self.delay = delay
        self.queue = queue
        self.loss = loss
        self.random = random.Random(seed)
        self.free_at = 0.0
        self.dropped = 0
        self.longest_queue = 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), what))

    def run(self, until: float) -> None:
        steps = 0
        while self._events and self._events[0][0] <= until:
            when, _, what = heapq.heappop(self._events)
            assert when >= self.now
            steps = steps + 1 if when == self.now else 0
            assert steps < 5_000, "time stands still"
            self.now = when
            what()
        self.now = until

    def transmit(self, size: int, arrive: Callable[[], None]) -> None:
        """Through the bottleneck: tail drop, then delay."""
        waiting = int(max(self.free_at - self.now, 0.0) * self.rate)
        if waiting + size > self.queue or self.random.random() < self.loss:
            self.dropped += 1
            return
        self.longest_queue = max(self.longest_queue, waiting + size)
        self.free_at = max(self.free_at, self.now) + size / self.rate
        self.at(self.free_at + self.delay, arrive)


class Flow(FrameSource):
    """A sender with as much data as it may send, and its receiver."""

    def __init__(
        self, simulation: Simulation, name: str, *, start: float = 0.0, supply: float = math.inf
    ) -> None:
        self.simulation = simulation
        self.handler = SentPacketHandler(
            is_client=True,
            rtt=RttEstimator(),
            congestion=make(name, SIZE),
            pacer=Pacer(SIZE),
            numbers=separate(0, simulation.random.randbytes),
        )
        self.handler.set_handshake_confirmed()
        self.receiver = ReceivedPacketHandler(APPLICATION)
        self.supply = supply
        self.start = start
        self.delivered = 0
        self.repeats: list[Frame] = []
        self.offset = 0
        self.alarm = math.inf
        self.windows: list[tuple[float, int]] = []
        self.states: list[str] = []
        simulation.at(start, self.wake)

    def on_lost(self, frame: Frame) -> None:
        self.repeats.append(frame)

    def wake(self) -> None:
        now = self.simulation.now
        handler = self.handler
        if now >= handler.next_timeout():
            handler.handle_timeout(now)
        mode = handler.send_mode(now)
        while mode is SendMode.ANY or mode is SendMode.PROBE:
            if self.repeats:
                frame = self.repeats.pop()
            elif self.supplied() > self.offset or mode is SendMode.PROBE:
                frame = StreamFrame(0, self.offset, b"", False)
                self.offset += SIZE
            else:
                break
            number = handler.next_packet_number(APPLICATION)
            handler.on_packet_sent(
                SentPacket(number, APPLICATION, now, SIZE, True, True, [(frame, self)]), now
            )
            self.simulation.transmit(SIZE, lambda number=number: self.arrive(number))  # type: ignore[misc]
            mode = handler.send_mode(now)
        self.windows.append((now, handler.congestion.window))
        if not self.states or self.states[-1] != handler.congestion.state:
            self.states.append(handler.congestion.state)
        deadlines = [handler.next_timeout()]
        if mode is SendMode.PACED:
            deadlines.append(handler.pacing_deadline())
        if self.supply != math.inf:
            deadlines.append(now + SIZE / self.supply)
        self.alarm = min(deadlines)
        assert self.alarm > now
        if self.alarm != math.inf:
            self.simulation.at(self.alarm, self.wake_if_due)

    def wake_if_due(self) -> None:
        if self.simulation.now == self.alarm:
            self.wake()

    def supplied(self) -> float:
        """Bytes that the application has handed over so far."""
        return math.inf if self.supply == math.inf else self.supply * (self.simulation.now - self.start)

    def arrive(self, number: int) -> None:
        now = self.simulation.now
        if self.receiver.is_duplicate(number):
            return
        self.delivered += SIZE
        self.receiver.on_received(number, True, now)
        if self.receiver.ack_due(now):
            self.acknowledge()
        elif self.receiver.deadline != math.inf:
            self.simulation.at(self.receiver.deadline, self.acknowledge_if_due)

    def acknowledge_if_due(self) -> None:
        if self.receiver.ack_due(self.simulation.now):
            self.acknowledge()

    def acknowledge(self) -> None:
        frame = self.receiver.ack_frame(self.simulation.now)
        assert frame is not None
        self.receiver.on_ack_sent()
        self.simulation.at(self.simulation.now + self.simulation.delay, lambda: self.acked(frame))

    def acked(self, frame: AckFrame) -> None:
        self.handler.on_ack(APPLICATION, frame, self.simulation.now)
        self.wake()

    def window_at(self, when: float) -> int:
        return [window for at, window in self.windows if at <= when][-1]


@pytest.mark.parametrize("name", NAMES)
def test_a_flow_fills_the_bottleneck(name: str) -> None:
    simulation = Simulation()
    flow = Flow(simulation, name)
    simulation.run(10.0)
    early = flow.delivered
    simulation.run(30.0)

    assert flow.delivered - early > 0.93 * RATE * 20.0
    assert flow.delivered <= RATE * 30.0


@pytest.mark.parametrize("name", NAMES)
def test_loss_is_repaired_and_nothing_is_sent_in_vain(name: str) -> None:
    simulation = Simulation(loss=0.01)
    flow = Flow(simulation, name)
    simulation.run(20.0)
    handler = flow.handler

    assert 0 == handler.spurious_count
    assert handler.pto_count <= 1
    assert abs(simulation.dropped - handler.lost_count) <= 10
    assert flow.delivered > 0.15 * RATE * 20.0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_heavy_loss_does_not_stop_a_flow(name: str, seed: int) -> None:
    simulation = Simulation(loss=0.2, seed=seed)
    flow = Flow(simulation, name)
    simulation.run(20.0)
    half = flow.delivered
    simulation.run(40.0)

    assert flow.delivered > half > 50 * SIZE


@pytest.mark.parametrize("name", NAMES)
def test_a_path_that_comes_back_is_used_again(name: str) -> None:  # RFC 9002 §6.2, §7.6
    simulation = Simulation()
    flow = Flow(simulation, name)
    simulation.run(5.0)
    simulation.loss = 1.0
    simulation.run(15.0)
    assert flow.handler.pto_count > 3
    simulation.loss = 0.0
    before = flow.delivered
    simulation.run(40.0)

    assert flow.delivered - before > 0.5 * RATE * 25.0


def test_hystart_leaves_slow_start_before_the_queue_overflows() -> None:  # RFC 9406
    overshoot = {}
    for name in PROBING_BY_WINDOW:
        simulation = Simulation(queue=16 * BDP)
        flow = Flow(simulation, name)
        simulation.run(3.0)
        overshoot[name] = simulation.dropped
        assert "slow_start" == flow.states[0]

    assert 0 == overshoot["cubic"]
    assert overshoot["newreno"] > 100


def test_newreno_draws_a_saw() -> None:  # RFC 9002 §7.3
    simulation = Simulation()
    flow = Flow(simulation, "newreno")
    simulation.run(60.0)
    windows = [window for at, window in flow.windows if at > 20.0]

    # Between half of what the path and its queue hold, and all of it.
    assert pytest.approx(2 * BDP, rel=0.15) == max(windows)
    assert pytest.approx(BDP, rel=0.15) == min(windows)


def test_cubic_stays_higher_than_newreno() -> None:  # RFC 9438 §4.6
    simulation = Simulation()
    flow = Flow(simulation, "cubic")
    simulation.run(60.0)
    windows = [window for at, window in flow.windows if at > 20.0]

    assert pytest.approx(2 * BDP, rel=0.15) == max(windows)
    assert pytest.approx(1.4 * BDP, rel=0.15) == min(windows)


def test_cubic_recovers_sooner_on_a_long_fat_path() -> None:  # RFC 9438 §1
    delivered = {}
    for name in PROBING_BY_WINDOW:
        simulation = Simulation(rate=4_000_000.0, delay=0.1, queue=400_000, loss=0.0002)
        flow = Flow(simulation, name)
        simulation.run(20.0)
        delivered[name] = flow.delivered

    assert delivered["cubic"] > 1.2 * delivered["newreno"]


@pytest.mark.parametrize("name", NAMES)
def test_flows_share(name: str) -> None:  # RFC 9438 §4.7
    simulation = Simulation()
    first = Flow(simulation, name)
    second = Flow(simulation, name, start=10.0)
    simulation.run(30.0)
    before = first.delivered, second.delivered
    simulation.run(70.0)
    shares = sorted((first.delivered - before[0], second.delivered - before[1]))

    assert sum(shares) > 0.93 * RATE * 40.0
    assert shares[1] < 2.5 * shares[0]


@pytest.mark.parametrize("name", PROBING_BY_WINDOW)
def test_a_thin_application_keeps_a_small_window(name: str) -> None:  # RFC 9002 §7.8
    simulation = Simulation()
    flow = Flow(simulation, name, supply=RATE / 20)
    simulation.run(30.0)

    # Twice what is in flight at most, or the initial window.
    assert flow.handler.congestion.window <= 12 * SIZE
    assert pytest.approx(RATE / 20 * 30.0, rel=0.05) == flow.delivered


def test_pacing_keeps_the_queue_short() -> None:  # RFC 9002 §7.7
    simulation = Simulation(queue=20 * BDP)
    flow = Flow(simulation, "newreno")
    flow.handler.congestion.ssthresh = BDP
    simulation.run(1.0)
    paced = simulation.longest_queue

    assert BDP <= flow.handler.congestion.window < 2 * BDP
    assert paced < 0.7 * BDP
