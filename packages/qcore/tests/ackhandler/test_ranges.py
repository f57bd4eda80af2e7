import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcore.ackhandler.ranges import MAX_RANGES, RangeSet

NUMBERS = st.integers(min_value=0, max_value=60)


def filled(*numbers: int, limit: int = MAX_RANGES) -> RangeSet:
    ranges = RangeSet(limit)
    for number in numbers:
        ranges.add(number)
    return ranges


def runs_of(numbers: set[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


@pytest.mark.parametrize(
    ("numbers", "runs"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([5], [(5, 5)], id="one"),
        pytest.param([5, 6, 7], [(5, 7)], id="in order"),
        pytest.param([7, 6, 5], [(5, 7)], id="backwards"),
        pytest.param([1, 3], [(1, 1), (3, 3)], id="gap"),
        pytest.param([1, 3, 2], [(1, 3)], id="gap closed"),
        pytest.param([1, 5, 3], [(1, 1), (3, 3), (5, 5)], id="between two runs"),
        pytest.param([1, 5, 4], [(1, 1), (4, 5)], id="joins the run above"),
        pytest.param([1, 5, 2], [(1, 2), (5, 5)], id="joins the run below"),
        pytest.param([5, 1], [(1, 1), (5, 5)], id="below all"),
    ],
)
def test_numbers_melt_into_runs(numbers: list[int], runs: list[tuple[int, int]]) -> None:
    assert runs == filled(*numbers).ascending()


def test_adding_twice_is_noticed() -> None:
    ranges = RangeSet()

    assert ranges.add(4)
    assert not ranges.add(4)
    assert ranges.add(9)
    assert not ranges.add(4)


def test_runs_beyond_the_bound_are_forgotten_from_below() -> None:  # RFC 9000 §13.2.3
    ranges = filled(0, 2, 4, 6, limit=3)

    assert [(2, 2), (4, 4), (6, 6)] == ranges.ascending()
    assert 1 == ranges.floor


def test_a_number_in_a_full_set_may_be_forgotten_at_once() -> None:
    ranges = filled(4, 6, 8, limit=3)

    assert ranges.add(1)
    assert 1 not in ranges
    assert 2 == ranges.floor


def test_descending_is_cut_by_floor_and_limit() -> None:
    ranges = filled(0, 1, 2, 5, 6, 9)

    assert [(9, 9), (5, 6), (1, 2)] == ranges.descending(floor=1)
    assert [(9, 9), (5, 6)] == ranges.descending(limit=2)
    assert [] == ranges.descending(floor=10)


def test_empty_set_has_no_extremes() -> None:
    ranges = RangeSet()

    assert (-1, -1, 0) == (ranges.smallest, ranges.largest, len(ranges))
    assert not ranges.overlaps(0, 100)
    assert 4 == ranges.smallest_missing_above(3)


def test_empty_range_is_refused() -> None:
    with pytest.raises(ValueError, match="range from 5 to 4"):
        RangeSet().add_range(5, 4)


def test_room_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="room for one"):
        RangeSet(0)


def test_repr_lists_runs() -> None:
    assert "RangeSet(1-2, 5)" == repr(filled(1, 2, 5))


@given(st.lists(NUMBERS))
def test_behaves_like_a_set(numbers: list[int]) -> None:
    ranges = RangeSet()
    model: set[int] = set()
    for number in numbers:
        assert (number not in model) == ranges.add(number)
        model.add(number)

    assert runs_of(model) == ranges.ascending()
    assert list(reversed(runs_of(model))) == ranges.descending()
    for number in range(-1, 62):
        assert (number in model) == (number in ranges)
        assert min(set(range(number + 1, 64)) - model) == ranges.smallest_missing_above(number)


@given(
    st.lists(
        st.one_of(st.tuples(st.just("add"), NUMBERS, NUMBERS), st.tuples(st.just("below"), NUMBERS, NUMBERS))
    )
)
def test_ranges_behave_like_a_set(steps: list[tuple[str, int, int]]) -> None:
    ranges = RangeSet()
    model: set[int] = set()
    for step, one, other in steps:
        first, last = min(one, other), max(one, other)
        if step == "add":
            ranges.add_range(first, last)
            model |= set(range(first, last + 1))
        else:
            ranges.remove_below(first)
            model = {number for number in model if number >= first}
        assert bool(model & set(range(first, last + 1))) == ranges.overlaps(first, last)

    assert runs_of(model) == ranges.ascending()
    assert (min(model, default=-1), max(model, default=-1)) == (ranges.smallest, ranges.largest)


@given(st.lists(NUMBERS), st.integers(min_value=1, max_value=5))
def test_bound_keeps_the_highest(numbers: list[int], limit: int) -> None:
    ranges = RangeSet(limit)
    model: set[int] = set()
    for number in numbers:
        if number >= ranges.floor:
            ranges.add(number)
            model.add(number)

    assert len(ranges) <= limit
    assert runs_of({number for number in model if number >= ranges.floor}) == ranges.ascending()


def test_what_lies_above_extends_the_last_run_or_begins_one() -> None:
    ranges = RangeSet(2)
    ranges.extend(0, 3)
    ranges.extend(4, 5)
    ranges.extend(7, 7)
    assert [(0, 5), (7, 7)] == ranges.ascending()

    ranges.extend(10, 12)
    assert [(7, 7), (10, 12)] == ranges.ascending()
    assert 6 == ranges.floor
