"""ngtcp2's layout against what captures of curl show."""

from pathlib import Path

import pytest

from qcore.packing.initial_flight import Crypto, FlightContext, Padding, Placement, check_layout
from qmimic.capture import read_capture
from qmimic.layouts import Halving
from qmimic.layouts.halving import move_all, size_of
from qmimic.layouts.ranges import merged
from qmimic.learned_layout import falls_into_halves, is_halved, learn_layout
from qmimic.observation import observe
from qmimic.randomness import SeededBytes

ROOM = 1131


def flight(size: int, name: tuple[int, int] | None, seed: int, room: int = ROOM) -> FlightContext:
    return FlightContext(bytes(size), rooms=[room], random=SeededBytes(seed), server_name_range=name)


def ranges(part: object) -> list[tuple[int, int]]:
    return [(item.start, item.stop) for item in part if isinstance(item, Crypto)]  # type: ignore[attr-defined] # a list of placements


@pytest.mark.parametrize("size", [60, 250, 1_077, 1_078, 1_100, 1_541, 2_000, 2_130, 2_300, 4_000])
@pytest.mark.parametrize("name", [None, (60, 82), (1_060, 1_077), (1_500, 1_520)])
def test_every_byte_is_placed_once(size: int, name: tuple[int, int] | None) -> None:
    for seed in range(40):
        context = flight(size, name if name is not None and name[1] < size else None, seed)
        plan = Halving().lay_out(context)
        assert plan is not None
        check_layout(context, plan)
        placed = sorted(item for part in plan for item in ranges(part))
        assert size == sum(stop - start for start, stop in placed)


def test_the_second_half_of_the_name_waits_for_the_second_packet() -> None:
    gaps = set()
    for seed in range(200):
        plan = Halving().lay_out(flight(1_541, (132, 156), seed))
        assert plan is not None
        first, second = map(ranges, plan)
        covered = sorted(first)
        assert 1_077 == covered[-1][1]
        assert 11 >= len(first)
        hidden = sorted(item for item in second if item[0] < 1_077)
        assert 144 == hidden[0][0]
        gaps.add(hidden[-1][1] - 144)
    assert set(range(1, 31)) == gaps


def test_pieces_are_halves_of_halves() -> None:
    plan = Halving().lay_out(flight(2_000, None, 1))
    assert plan is not None
    for part, (start, stop) in zip(plan, [(0, 1_077), (1_077, 2_000)], strict=True):
        found = ranges(part)
        assert 11 == len(found)
        assert found != sorted(found)
        assert falls_into_halves(start, stop, {begin for begin, _ in found})
    assert not falls_into_halves(0, 100, {33})


def test_nothing_is_placed_where_there_is_no_room() -> None:
    assert Halving().lay_out(flight(500, None, 1, room=32)) is None
    with pytest.raises(ValueError, match="lies between 1"):
        Halving(cuts=0)


def test_frames_and_what_is_between_them_take_all_that_was_set_aside() -> None:
    for seed in range(60):
        context = flight(1_541, (132, 156), seed)
        plan = Halving().lay_out(context)
        assert plan is not None
        first = plan[0]
        spent = size_of(context, first)
        lowest = min(item.stop for item in first if isinstance(item, Crypto))
        # Room was left for the longest header of the first piece; a short one has a byte less.
        assert ROOM - (lowest < 64) == spent


def test_nothing_stays_in_its_place() -> None:
    for seed in range(60):
        placements: list[Placement] = [Padding(index) for index in range(9)]
        move_all(SeededBytes(seed), placements)
        assert not any(item == Padding(index) for index, item in enumerate(placements))


def test_lost_pieces_are_laid_out_anew() -> None:
    context = FlightContext(
        bytes(1_541), rooms=[ROOM], ranges=[(144, 160), (1_077, 1_541)], random=SeededBytes(1)
    )
    plan = Halving().lay_out(context)

    assert plan is not None
    assert [[(144, 160), (1_077, 1_541)]] == [merged(ranges(part)) for part in plan]


@pytest.mark.parametrize(
    "name",
    [
        "curl-8.23.0-OpenSSL_3.6.5-ngtcp2_1.24.0",
        "pycurl-8.23.0-openssl3.6.5-ngtcp2_1.25.0",
        "curl_cffi-0.17.0",
        "curl_cffi-chrome152-0.17.0",
        "curl_cffi-safari270-0.17.0",
    ],
)
def test_all_captures_of_ngtcp2_follow_it(shared: Path, name: str) -> None:
    items = observe(read_capture(shared / "captures" / f"{name}-flight-train.jsonl"))

    assert items
    assert all(map(is_halved, items))
    assert Halving() == learn_layout(items)
