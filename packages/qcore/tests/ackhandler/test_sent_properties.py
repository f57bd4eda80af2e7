"""What holds for loss recovery whatever happens."""

import gc
import random
import sys
from collections import Counter
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qcore.ackhandler.history import SentPacket
from qcore.ackhandler.packet_numbers import separate, shared
from qcore.ackhandler.rtt import RttEstimator
from qcore.ackhandler.send_mode import SendMode
from qcore.ackhandler.sent import SentPacketHandler
from qcore.congestion import NAMES, make
from qcore.congestion.pacer import Pacer
from qcore.packing.source import FrameSource
from qcore.spaces import APPLICATION, COUNT
from qwire.frames import AckFrame, Frame, StreamFrame

SIZE = 1200


class Ledger(FrameSource):
    """Counts how often the fate of each frame is told, by the frame's offset."""

    def __init__(self) -> None:
        self.reports: Counter[int] = Counter()

    def on_acked(self, frame: Frame) -> None:
        assert isinstance(frame, StreamFrame)
        self.reports[frame.offset] += 1

    def on_lost(self, frame: Frame) -> None:
        self.on_acked(frame)


class Run:
    """A handler under random input, and what must be true of it."""

    def __init__(self, seed: int, congestion: str, is_client: bool, one_counter: bool) -> None:
        self.random = random.Random(seed)
        self.now = 100.0
        self.ledger = Ledger()
        self.handler = SentPacketHandler(
            is_client=is_client,
            rtt=RttEstimator(),
            congestion=make(congestion, SIZE),
            pacer=Pacer(SIZE),
            numbers=shared() if one_counter else separate(0, self.random.randbytes),
        )
        self.frames = 0
        self.discarded: set[int] = set()
        self.sent: list[list[int]] = [[] for _ in range(COUNT)]

    def send(self, space: int) -> None:
        if space in self.discarded or self.handler.send_mode(self.now) is SendMode.NONE:
            return
        handler = self.handler
        number = handler.next_packet_number(space)
        ack_eliciting = self.random.random() < 0.8
        frame = StreamFrame(0, self.frames, b"", False)
        self.frames += 1
        size = self.random.randrange(30, SIZE)
        packet = SentPacket(
            number, space, self.now, size, ack_eliciting, ack_eliciting, [(frame, self.ledger)]
        )
        handler.on_packet_sent(packet, self.now)
        self.sent[space].append(number)

    def ack(self, space: int) -> None:
        """An honest ACK of a part of what was sent."""
        sent = self.sent[space]
        if not sent or space in self.discarded:
            return
        received = sorted(number for number in sent[-30:] if self.random.random() < 0.7)
        ranges: list[tuple[int, int]] = []
        for number in reversed(received):
            if ranges and ranges[-1][0] == number + 1:
                ranges[-1] = (number, ranges[-1][1])
            else:
                ranges.append((number, number))
        if ranges:
            self.handler.on_ack(space, AckFrame(ranges, self.random.randrange(1000)), self.now)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.handler.handle_timeout(self.now)
        assert self.handler.next_timeout() > self.now

    def expire(self) -> None:
        """Handle the timer exactly at its deadline."""
        deadline = self.handler.next_timeout()
        if self.now < deadline < self.now + 1000.0:
            self.now = deadline
            self.handler.handle_timeout(deadline)
            assert self.handler.next_timeout() > deadline

    def discard(self, space: int) -> None:
        if space != APPLICATION:
            self.discarded.add(space)
            self.handler.discard_space(space)

    def check(self) -> None:
        handler = self.handler
        assert handler.bytes_in_flight >= 0
        assert handler.congestion.window >= handler.congestion.minimum_window
        assert handler.spurious_count <= handler.lost_count
        assert all(count == 1 for count in self.ledger.reports.values())

    def finish(self) -> None:
        """Every frame of a space that still exists was reported once."""
        for space in range(COUNT):
            self.handler.requeue_all(space)
        assert self.handler.bytes_in_flight == 0
        if not self.discarded:
            assert len(self.ledger.reports) == self.frames
        self.check()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 2), st.integers(1, 20)),
        st.tuples(st.just("send"), st.just(APPLICATION), st.integers(1, 20)),
        st.tuples(st.just("ack"), st.integers(0, 2), st.just(1)),
        st.tuples(st.just("wait"), st.just(0), st.integers(0, 400)),
        st.tuples(st.just("expire"), st.just(0), st.just(1)),
        st.tuples(st.just("confirm"), st.just(0), st.just(1)),
        st.tuples(st.just("discard"), st.integers(0, 1), st.just(1)),
        st.tuples(st.just("path"), st.just(0), st.just(1)),
    ),
    max_size=80,
)


@settings(max_examples=200)
@given(st.integers(0, 2**32), st.sampled_from(NAMES), st.booleans(), st.booleans(), STEPS)
def test_books_balance(
    seed: int, congestion: str, is_client: bool, one_counter: bool, steps: list[tuple[str, int, int]]
) -> None:
    run = Run(seed, congestion, is_client, one_counter)
    for step, space, value in steps:
        if step == "send":
            for _ in range(value):
                run.send(space)
        elif step == "ack":
            run.ack(space)
        elif step == "wait":
            run.wait(value / 100)
        elif step == "expire":
            run.expire()
        elif step == "confirm":
            run.handler.set_handshake_confirmed()
        elif step == "discard":
            run.discard(space)
        else:
            run.handler.on_path_changed(run.now)
        run.check()

    run.finish()


@pytest.mark.parametrize("seed", range(5))
def test_timeouts_without_an_answer_never_stay_due(seed: int) -> None:
    run = Run(seed, "cubic", True, False)
    run.handler.set_handshake_confirmed()
    for _ in range(20):
        run.send(APPLICATION)
    previous = run.now
    for _ in range(200):
        run.expire()
        assert run.now > previous
        previous = run.now
        run.check()


def lines_run(call: Any, *arguments: Any) -> int:
    """How many lines of Python a call runs: a cost that does not depend on the machine."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    gc.disable()  # finalizers of what other tests left behind would count
    sys.settrace(trace)
    try:
        call(*arguments)
    finally:
        sys.settrace(before)
        gc.enable()
    return count


def cost_with(flight: int) -> tuple[int, int, int]:
    """Lines run to send one packet, to take an ACK of two, and to set the timer, with `flight` outstanding."""
    run = Run(1, "cubic", is_client=True, one_counter=True)
    handler = run.handler
    handler.set_handshake_confirmed()
    for number in range(flight):
        handler.on_packet_sent(SentPacket(number, APPLICATION, run.now, SIZE, True, True, []), run.now)
    # What came before is settled, as in the middle of a transfer.
    handler.on_ack(APPLICATION, AckFrame([(0, 3)], 0), run.now + 0.1)
    handler.next_timeout()
    packet = SentPacket(flight, APPLICATION, run.now, SIZE, True, True, [])
    send = lines_run(handler.on_packet_sent, packet, run.now + 0.1)
    ack = lines_run(handler.on_ack, APPLICATION, AckFrame([(0, 5)], 0), run.now + 0.2)
    return send, ack, lines_run(handler.next_timeout)


def test_cost_does_not_grow_with_the_flight() -> None:
    assert cost_with(50) == cost_with(10_000)
