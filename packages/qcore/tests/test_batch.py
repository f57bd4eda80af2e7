"""Datagrams that one system call can carry together."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qcore.batch import MAX_RUN_SIZE, MAX_SEGMENTS, Address, Datagram, SendBatch

HERE: Address = ("192.0.2.1", 443)
THERE: Address = ("192.0.2.2", 443)


def shapes(batch: SendBatch) -> list[tuple[Address, int, list[int]]]:
    return [(run.address, run.ecn, [len(part) for part in run.parts]) for run in batch.runs]


def filled(*datagrams: tuple[Address, int, int]) -> SendBatch:
    batch = SendBatch(limit=1_000)
    for address, ecn, size in datagrams:
        batch.add(address, ecn, bytes(size))
    return batch


@pytest.mark.parametrize(
    ("datagrams", "runs"),
    [
        pytest.param([(HERE, 0, 1_200)] * 3, [(HERE, 0, [1_200] * 3)], id="equal sizes"),
        pytest.param(
            [(HERE, 0, 1_200), (HERE, 0, 1_200), (HERE, 0, 700)],
            [(HERE, 0, [1_200, 1_200, 700])],
            id="shorter end",
        ),
        pytest.param(
            [(HERE, 0, 1_200), (HERE, 0, 700), (HERE, 0, 700)],
            [(HERE, 0, [1_200, 700]), (HERE, 0, [700])],
            id="nothing after a shorter one",
        ),
        pytest.param(
            [(HERE, 0, 700), (HERE, 0, 1_200)], [(HERE, 0, [700]), (HERE, 0, [1_200])], id="no longer one"
        ),
        pytest.param(
            [(HERE, 0, 1_200), (THERE, 0, 1_200), (HERE, 0, 1_200)],
            [(HERE, 0, [1_200]), (THERE, 0, [1_200]), (HERE, 0, [1_200])],
            id="addresses",
        ),
        pytest.param(
            [(HERE, 0, 1_200), (HERE, 2, 1_200)], [(HERE, 0, [1_200]), (HERE, 2, [1_200])], id="ECN marks"
        ),
    ],
)
def test_runs(
    datagrams: Sequence[tuple[Address, int, int]], runs: list[tuple[Address, int, list[int]]]
) -> None:
    assert runs == shapes(filled(*datagrams))


def test_run_has_as_many_segments_as_the_system_takes() -> None:
    batch = filled(*[(HERE, 0, 100)] * (MAX_SEGMENTS + 1))

    assert [MAX_SEGMENTS, 1] == [len(run.parts) for run in batch.runs]


def test_run_has_as_many_bytes_as_the_system_takes() -> None:
    batch = filled(*[(HERE, 0, 9_000)] * 10)

    assert [7, 3] == [len(run.parts) for run in batch.runs]
    assert all(run.total <= MAX_RUN_SIZE for run in batch.runs)


def test_batch_is_full_at_its_limit() -> None:
    batch = SendBatch(limit=2)
    assert not batch.full
    batch.add(HERE, 0, b"a")
    assert not batch.full
    batch.add(THERE, 0, b"b")
    assert batch.full

    batch.clear()
    assert (0, 0, []) == (batch.count, batch.size, batch.runs)
    assert not batch.full


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([HERE, THERE]), st.sampled_from([0, 2]), st.sampled_from([1, 700, 1_200, 9_000])
        ),
        max_size=200,
    )
)
def test_batch_keeps_everything_in_order(datagrams: list[tuple[Address, int, int]]) -> None:
    batch = filled(*datagrams)

    assert datagrams == [(each.address, each.ecn, len(each.data)) for each in batch.datagrams()]
    assert len(datagrams) == batch.count
    assert sum(size for _, _, size in datagrams) == batch.size
    for run in batch.runs:
        sizes = [len(part) for part in run.parts]
        assert sum(sizes) == run.total <= MAX_RUN_SIZE
        assert all(size == run.segment_size for size in sizes[:-1])
        assert 1 <= sizes[-1] <= run.segment_size
    for one, other in pairwise(batch.runs):
        assert not (
            (one.address, one.ecn) == (other.address, other.ecn)
            and len(one.parts[-1]) == one.segment_size >= other.segment_size
            and len(one.parts) < MAX_SEGMENTS
            and one.total + len(other.parts[0]) <= MAX_RUN_SIZE
        ), "these could have been one"


def test_datagram_has_no_mark_unless_told() -> None:
    assert 0 == Datagram(b"x", HERE).ecn


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1]), st.sampled_from([900, 1_350]), st.integers(1, 150)), max_size=6
    )
)
def test_a_run_is_queued_as_its_datagrams_are(runs: list[tuple[int, int, int]]) -> None:
    one_by_one, together = SendBatch(limit=1_000), SendBatch(limit=1_000)
    for ecn, size, count in runs:
        datagrams = [index.to_bytes(2, "big") + bytes(size - 2) for index in range(count)]
        together.add_all(HERE, ecn, datagrams)
        for datagram in datagrams:
            one_by_one.add(HERE, ecn, datagram)

    assert shapes(one_by_one) == shapes(together)
    assert [each.data for each in one_by_one.datagrams()] == [each.data for each in together.datagrams()]
    assert (one_by_one.count, one_by_one.size) == (together.count, together.size)
