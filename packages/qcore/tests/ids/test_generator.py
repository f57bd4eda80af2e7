"""Generators of connection IDs."""

from random import Random

import pytest

from qcore.ids.generator import RandomIds


@pytest.mark.parametrize("size", [1, 8, 20])
def test_ids_have_the_size_and_differ(size: int) -> None:
    generator = RandomIds(size, Random(1).randbytes)

    made = [generator.generate() for _ in range(4)]

    assert [size] * 4 == [len(cid) for cid in made]
    assert 1 < len(set(made))


def test_size_zero_gives_the_empty_id() -> None:
    assert b"" == RandomIds(0, Random(1).randbytes).generate()


@pytest.mark.parametrize("size", [-1, 21])
def test_refuses_impossible_sizes(size: int) -> None:  # RFC 9000 §17.2
    with pytest.raises(ValueError, match="0 to 20 bytes"):
        RandomIds(size, Random(1).randbytes)
