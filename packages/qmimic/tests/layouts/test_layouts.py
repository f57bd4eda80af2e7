"""What holds for every layout, over many sizes of ClientHello and of datagram."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcore.packing.initial_flight import (
    Crypto,
    FlightContext,
    FlightLayout,
    FlightReason,
    Padding,
    check_layout,
)
from qmimic.layouts import Chaos, MultiChaos, SniSlicing
from qmimic.randomness import SeededBytes


def context(
    size: int,
    room: int = 1215,
    *,
    seed: object = 0,
    ranges: list[tuple[int, int]] | None = None,
    name: tuple[int, int] | None = None,
    base: int = 0,
) -> FlightContext:
    return FlightContext(
        bytes(size),
        rooms=[room, room - 1],
        ranges=ranges,
        reason=FlightReason.FIRST if ranges is None else FlightReason.PROBE,
        random=SeededBytes(str(seed)),
        base=base,
        server_name_range=name,
    )


@pytest.mark.parametrize("layout", [Chaos(), MultiChaos()], ids=["chaos", "multi-chaos"])
@given(
    size=st.integers(1, 6_000),
    room=st.integers(1_000, 1_400),
    seed=st.integers(0, 1_000),
    base=st.integers(0, 9_000),
)
def test_chaos_fills_every_datagram_and_places_every_byte(
    layout: FlightLayout, size: int, room: int, seed: int, base: int
) -> None:
    flight = context(size, room, seed=seed, base=base)
    plan = layout.lay_out(flight)
    if plan is None:
        assert isinstance(layout, Chaos)
        assert flight.crypto_size(0, size) > room
        return

    check_layout(flight, plan)
    for index, placements in enumerate(plan):
        used = 0
        for placement in placements:
            if isinstance(placement, Crypto):
                used += flight.crypto_size(placement.start, placement.stop)
            else:
                used += placement.count if isinstance(placement, Padding) else 1
        assert flight.room(index) == used


@given(
    size=st.integers(60, 6_000),
    start=st.integers(0, 5_999),
    length=st.integers(1, 300),
    room=st.integers(1_000, 1_400),
)
def test_slicing_places_every_byte(size: int, start: int, length: int, room: int) -> None:
    start = min(start, size - 2)
    flight = context(size, room, name=(start, min(start + length, size)))
    plan = SniSlicing().lay_out(flight)
    if plan is not None:
        check_layout(flight, plan)


@pytest.mark.parametrize("layout", [Chaos(), MultiChaos()], ids=["chaos", "multi-chaos"])
def test_lost_bytes_alone_are_sent_again(layout: FlightLayout) -> None:
    ranges = [(0, 70), (1_100, 1_900)]
    flight = context(1_900, ranges=ranges)
    plan = layout.lay_out(flight)

    assert plan is not None
    check_layout(flight, plan)
    assert 1 == len(plan)
    assert 870 == sum(item.stop - item.start for item in plan[0] if isinstance(item, Crypto))


def test_lost_bytes_may_need_several_datagrams() -> None:
    flight = context(4_000, ranges=[(0, 1_000), (1_500, 3_900)])
    plan = MultiChaos().lay_out(flight)

    assert plan is not None
    check_layout(flight, plan)
    assert 3 == len(plan)


def test_slicing_leaves_retransmissions_and_nameless_hellos_alone() -> None:
    assert SniSlicing().lay_out(context(1_900, name=None)) is None
    assert SniSlicing().lay_out(context(1_900, name=(50, 60), ranges=[(0, 9)])) is None
