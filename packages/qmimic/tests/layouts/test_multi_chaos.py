"""Chromium's split of a ClientHello over packets, with the figures of its captures."""

from collections import Counter

import pytest

from qcore.packing.initial_flight import Crypto, FlightContext, Ping, check_layout
from qmimic.layouts import MultiChaos
from qmimic.randomness import SeededBytes


def flight(size: int, seed: int) -> FlightContext:
    return FlightContext(bytes(size), rooms=[1215, 1214], random=SeededBytes(seed))


def test_the_split_is_nearly_even() -> None:
    for seed in range(50):
        split = MultiChaos().split(flight(1_880, seed))
        assert split is not None
        [(start, head), (tail, end)], [middle] = split

        assert (0, 1_880) == (start, end)
        assert (head, tail) == middle
        assert 938 == head + (end - tail)
        assert 942 == tail - head


def test_the_beginning_is_drawn_evenly() -> None:
    heads: Counter[int] = Counter()
    for seed in range(3_200):
        split = MultiChaos().split(flight(1_880, seed))
        assert split is not None
        heads[split[0][0][1]] += 1

    assert set(range(55, 87)) == set(heads)
    assert all(60 < count < 145 for count in heads.values())


def test_two_packets_suffice_up_to_2415_bytes() -> None:
    def packets(size: int) -> int:
        plan = MultiChaos().lay_out(flight(size, 1))
        assert plan is not None
        return len(plan)

    assert 1 == packets(1_200)
    assert 2 == packets(1_300)
    assert 2 == packets(2_415)
    assert 3 == packets(2_416)


@pytest.mark.parametrize("size", range(2_408, 2_420))
def test_later_packets_have_a_byte_less_where_their_numbers_take_one_more(size: int) -> None:
    for seed in range(60):
        context = flight(size, seed)
        plan = MultiChaos().lay_out(context)
        assert plan is not None
        check_layout(context, plan)


def test_counts_of_frames() -> None:
    crypto: Counter[int] = Counter()
    pings: Counter[int] = Counter()
    for seed in range(600):
        plan = MultiChaos().lay_out(flight(1_880, seed))
        assert plan is not None
        crypto[sum(isinstance(item, Crypto) for item in plan[0])] += 1
        pings[sum(isinstance(item, Ping) for item in plan[0])] += 1

    assert {4, 5, 6, 7, 8, 9, 10, 11, 12} == {count for count, times in crypto.items() if times > 12}
    assert set(range(2, 11)) == set(pings)
