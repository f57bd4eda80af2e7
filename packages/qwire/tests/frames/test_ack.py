"""ACK frames that must not be written."""

import pytest

from qwire.buffer import Writer
from qwire.frames import AckFrame


def test_largest_is_the_top_of_the_first_range() -> None:
    assert 100 == AckFrame([(90, 100), (1, 2)], 0).largest


@pytest.mark.parametrize(
    "ranges",
    [
        pytest.param([], id="none"),
        pytest.param([(5, 4)], id="turned"),
        pytest.param([(1, 2), (5, 6)], id="lowest first"),
        pytest.param([(5, 6), (4, 4)], id="touching"),
        pytest.param([(5, 9), (3, 7)], id="overlapping"),
    ],
)
def test_impossible_ranges_are_misuse(ranges: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError):
        AckFrame(ranges, 0).append(Writer())
