"""Layouts written down frame by frame, and those drawn between bounds."""

from typing import Any

import pytest

from qcore.packing.initial_flight import Ack, Crypto, FlightContext, Padding, Ping, check_layout
from qmimic.layouts import Pinned, PinnedDatagram, Scattered, ScatteredDatagram
from qmimic.layouts.pinned import cut
from qmimic.layouts.ranges import merged
from qmimic.randomness import SeededBytes

ROOM = 1215


def context(size: int, seed: int = 1, **more: Any) -> FlightContext:
    return FlightContext(bytes(size), rooms=[ROOM], random=SeededBytes(seed), **more)


def pinned(*frames: str) -> PinnedDatagram:
    return PinnedDatagram(frames=frames)


HEAD_AND_TAIL = Pinned(
    datagrams=(
        pinned("crypto -600:", "ping", "padding 3", "crypto :60", "padding"),
        pinned("padding", "crypto 60:-600"),
    )
)


@pytest.mark.parametrize("size", [1200, 1700, 1760])
def test_slices_count_from_both_ends(size: int) -> None:
    flight = context(size)
    plan = HEAD_AND_TAIL.lay_out(flight)

    assert plan is not None
    check_layout(flight, plan)
    first, second = plan
    assert [Crypto(size - 600, size), Ping(), Padding(3), Crypto(0, 60)] == first[:4]
    assert isinstance(second[0], Padding)
    assert Crypto(60, size - 600) == second[1]
    for placements in (first, second):
        sizes = [
            flight.crypto_size(item.start, item.stop)
            if isinstance(item, Crypto)
            else item.count
            if isinstance(item, Padding)
            else 1
            for item in placements
        ]
        assert ROOM == sum(sizes)


def test_what_is_lost_goes_the_ordinary_way() -> None:
    lost = context(1700, ranges=((60, 1100),))

    assert HEAD_AND_TAIL.lay_out(lost) is None
    assert Scattered(datagrams=(ScatteredDatagram(),)).lay_out(lost) is None


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(("stream 0:5",), id="unknown frame"),
        pytest.param(("crypto 5",), id="no slice"),
        pytest.param(("crypto a:b",), id="no numbers"),
        pytest.param(("padding -1",), id="negative"),
        pytest.param(("padding", "padding"), id="two rests"),
    ],
)
def test_frames_that_mean_nothing_are_refused(frames: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="padding"):
        PinnedDatagram(frames=frames)


CHROME_115 = Scattered(
    datagrams=(
        ScatteredDatagram(
            min_crypto=1, max_crypto=8, min_pings=0, max_pings=8, min_paddings=3, max_paddings=4
        ),
    )
)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("size", [1, 2, 300, 1100, 1213, 1700, 3000])
def test_every_byte_is_placed_and_packets_are_full(seed: int, size: int) -> None:
    flight = context(size, seed)
    plan = CHROME_115.lay_out(flight)

    assert plan is not None
    check_layout(flight, plan)
    for placements in plan:
        assert 1 <= sum(isinstance(item, Crypto) for item in placements) <= 8
        assert sum(isinstance(item, Ping) for item in placements) <= 8
        assert sum(isinstance(item, Padding) for item in placements) in (3, 4)


def test_counts_reach_both_bounds() -> None:
    plans = [CHROME_115.lay_out(context(300, seed)) for seed in range(300)]
    counts = {sum(isinstance(item, Crypto) for item in plan[0]) for plan in plans if plan}
    pings = {sum(isinstance(item, Ping) for item in plan[0]) for plan in plans if plan}

    assert set(range(1, 9)) == counts
    assert set(range(9)) == pings


def test_fixed_ranges_with_random_frames() -> None:
    layout = Scattered(
        datagrams=(
            ScatteredDatagram(ranges=(":70", "-800:"), min_crypto=4, max_crypto=6),
            ScatteredDatagram(ranges=("70:-800",), max_pings=2, max_paddings=2),
        )
    )
    flight = context(1750, 5)
    plan = layout.lay_out(flight)

    assert plan is not None
    check_layout(flight, plan)
    first = sorted((item.start, item.stop) for item in plan[0] if isinstance(item, Crypto))
    assert {70, 1750} <= {stop for _, stop in first}
    assert 4 <= len(first) <= 6


def test_the_ranges_of_a_scattered_datagram_are_checked() -> None:
    with pytest.raises(ValueError, match="START:STOP"):
        ScatteredDatagram(ranges=("all",))
    with pytest.raises(ValueError, match="crypto"):
        ScatteredDatagram(min_crypto=4, max_crypto=2)
    with pytest.raises(ValueError, match="at least one"):
        Scattered(datagrams=())


def test_an_acknowledgement_has_its_place_in_a_list() -> None:
    layout = Pinned(datagrams=(pinned("crypto :", "ack", "padding"),))
    plan = layout.lay_out(context(900))

    assert plan is not None
    assert [Crypto(0, 900), Ack(), Padding(ROOM - 904)] == plan[0]


def test_an_acknowledgement_is_mixed_in_or_first() -> None:
    def places(ack: str) -> set[int]:
        rule = ScatteredDatagram(min_crypto=4, max_crypto=4, ack=ack)  # type: ignore[arg-type] # one of two
        plans = [Scattered(datagrams=(rule,)).lay_out(context(900, seed)) for seed in range(50)]
        return {part.index(Ack()) for plan in plans if plan is not None for part in plan if Ack() in part}

    assert set() == places("first")
    assert set(range(5)) == places("mixed")


@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_ranges_are_cut_into_as_many_pieces_as_are_asked_for(count: int) -> None:
    for seed in range(20):
        pieces = cut(SeededBytes(seed), [(0, 20), (50, 51), (90, 120)], count)

        assert max(3, count) == len(pieces)
        assert [(0, 20), (50, 51), (90, 120)] == merged(pieces)
        assert all(start < stop for start, stop in pieces)


def test_more_pieces_than_bytes_are_single_bytes() -> None:
    assert [(3, 4), (4, 5)] == cut(SeededBytes(1), [(3, 5)], 9)
