import random

import pytest

from qcore.ackhandler.packet_numbers import (
    FIRST_SKIP_PERIOD,
    MAX_SKIP_PERIOD,
    PacketNumbers,
    separate,
    shared,
)
from qcore.spaces import APPLICATION, HANDSHAKE, INITIAL
from qcore.testing.seeded import Seeded


def test_counts_from_the_first_number() -> None:
    numbers = PacketNumbers(7)

    assert [7, 8, 9] == [numbers.pop() for _ in range(3)]


def test_peeking_uses_nothing_up() -> None:
    numbers = PacketNumbers()

    assert [0, 0] == [numbers.peek(), numbers.peek()]
    assert 0 == numbers.pop()
    assert 1 == numbers.peek()


def test_numbers_are_left_out_on_request() -> None:
    numbers = PacketNumbers(1)
    numbers.pop()
    numbers.skip()
    numbers.skip(2)

    assert 5 == numbers.pop()


def test_each_space_counts_for_itself() -> None:  # RFC 9000 §12.3
    numbers = separate(3)
    for space in (INITIAL, INITIAL, HANDSHAKE):
        numbers[space].pop()

    assert [5, 1, 0] == [counter.peek() for counter in numbers]


def test_spaces_may_share_one_counter() -> None:
    numbers = shared(1)

    assert [1, 2, 3, 4] == [numbers[space].pop() for space in (INITIAL, INITIAL, HANDSHAKE, APPLICATION)]


@pytest.mark.parametrize("seed", range(20))
def test_numbers_are_left_out_at_random_ever_more_seldom(seed: int) -> None:  # RFC 9000 §21.4
    numbers = PacketNumbers(0, random.Random(seed).randbytes)
    given_out = [numbers.pop() for _ in range(10_000)]
    left_out = sorted(set(range(given_out[-1])) - set(given_out))

    assert left_out
    assert left_out[0] <= FIRST_SKIP_PERIOD
    assert 2 <= len(left_out) <= 40
    period = FIRST_SKIP_PERIOD
    previous = 0
    for number in left_out:
        assert previous + 1 < number <= previous + 2 + period
        previous = number
        period = min(2 * period, MAX_SKIP_PERIOD)


def test_only_application_numbers_are_left_out_at_random() -> None:
    numbers = separate(0, random.Random(1).randbytes)
    for counter in numbers[:2]:
        assert list(range(1_000)) == [counter.pop() for _ in range(1_000)]

    assert list(range(1_000)) != [numbers[APPLICATION].pop() for _ in range(1_000)]


def test_what_is_peeked_is_popped() -> None:
    numbers = PacketNumbers(0, random.Random(2).randbytes)
    for _ in range(5_000):
        assert numbers.peek() == numbers.pop()


@pytest.mark.parametrize("count", [-1, -5])
def test_going_back_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count}"):
        PacketNumbers(count)
    with pytest.raises(ValueError, match=f"{count}"):
        PacketNumbers().skip(count)


def test_runs_use_the_same_numbers_up_as_single_packets() -> None:
    one_by_one, in_runs = (PacketNumbers(0, Seeded("numbers")) for _ in range(2))
    expected = [one_by_one.pop() for _ in range(5_000)]
    numbers: list[int] = []
    while len(numbers) < 5_000:
        first = in_runs.peek()
        count = in_runs.run_length(64)
        assert 1 <= count <= 64
        numbers += range(first, first + count)
        in_runs.pop_run(count)

    assert expected == numbers[:5_000]
