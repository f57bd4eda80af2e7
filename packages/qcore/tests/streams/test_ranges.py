"""Range sets against sets of integers."""

from hypothesis import given, settings
from hypothesis import strategies as st

from qcore.streams.ranges import RangeSet

LIMIT = 60
SPANS = st.tuples(st.integers(0, LIMIT), st.integers(0, LIMIT))


@given(st.lists(st.tuples(st.booleans(), SPANS), max_size=40), SPANS)
@settings(deadline=None)
def test_equals_a_set_of_integers(steps: list[tuple[bool, tuple[int, int]]], span: tuple[int, int]) -> None:
    ranges = RangeSet()
    model: set[int] = set()

    for is_added, (start, stop) in steps:
        new = set(range(start, stop))
        if is_added:
            assert len(new - model) == ranges.add(start, stop)
            model |= new
        else:
            ranges.remove(start, stop)
            model -= new

    assert model == {value for start, stop in ranges.ranges() for value in range(start, stop)}
    assert len(model) == ranges.count()
    assert [value in model for value in range(LIMIT)] == [value in ranges for value in range(LIMIT)]
    asked = set(range(*span))
    assert (asked <= model) is ranges.covers(*span)
    assert asked - model == {value for start, stop in ranges.missing(*span) for value in range(start, stop)}


@given(st.lists(st.tuples(st.booleans(), SPANS), max_size=40))
@settings(deadline=None)
def test_ranges_are_sorted_and_apart(steps: list[tuple[bool, tuple[int, int]]]) -> None:
    ranges = RangeSet()
    for is_added, (start, stop) in steps:
        if is_added:
            ranges.add(start, stop)
        else:
            ranges.remove(start, stop)

    borders = [border for pair in ranges.ranges() for border in pair]

    assert sorted(set(borders)) == borders
