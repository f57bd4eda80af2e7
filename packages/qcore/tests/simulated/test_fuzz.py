"""A few rounds of `fuzz` in each state, at each side."""

import pytest

from .fuzz import PLACES, run

ROUNDS = 3


@pytest.mark.parametrize("index", range(len(PLACES)), ids=[f"{state} {side}" for state, side in PLACES])
def test_junk_does_no_harm(index: int) -> None:
    for turn in range(ROUNDS):
        run(index + turn * len(PLACES))
