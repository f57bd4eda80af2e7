from collections import Counter
from itertools import permutations
from statistics import mean, stdev

import pytest

from qmimic.randomness import SeededBytes, below, between, normal, pick, shuffle


def test_a_seed_gives_the_same_bytes_however_they_are_cut() -> None:
    whole = SeededBytes(7)(100)
    cut = SeededBytes(7)

    assert whole == cut(1) + cut(0) + cut(63) + cut(36)


def test_seeds_of_different_kinds_differ() -> None:
    assert 3 == len({SeededBytes(seed)(32) for seed in (1, "1", b"1")})


def test_known_bytes() -> None:  # a seed means the same bytes in every release
    assert "363af6d51e0cc6e3" == SeededBytes(1)(8).hex()


def test_between_reaches_both_ends() -> None:
    random = SeededBytes("between")

    assert set(range(2, 11)) == {between(random, 2, 10) for _ in range(400)}


def test_below_and_pick_are_even() -> None:
    random = SeededBytes("even")
    counts = Counter(below(random, 5) for _ in range(5_000))
    picks = Counter(pick(random, "abcde") for _ in range(5_000))

    assert all(850 < count < 1_150 for count in (*counts.values(), *picks.values()))


def test_normal_numbers_have_their_mean_and_spread() -> None:
    random = SeededBytes("normal")
    drawn = [normal(random) for _ in range(3_000)]

    assert 0.0 == pytest.approx(mean(drawn), abs=0.06)
    assert 1.0 == pytest.approx(stdev(drawn), abs=0.04)


def test_every_order_is_as_likely() -> None:
    random = SeededBytes("shuffle")
    seen: Counter[tuple[int, ...]] = Counter()
    for _ in range(6_000):
        items = [1, 2, 3]
        shuffle(random, items)
        seen[tuple(items)] += 1

    assert set(permutations((1, 2, 3))) == set(seen)
    assert all(850 < count < 1_150 for count in seen.values())
