"""Reassembly against a plain byte string, and under attack."""

import tracemalloc
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qcore.streams.reassembler import MAX_GAPS, Reassembler

STREAM = bytes(Random(1).randbytes(400))


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(0, 399), st.integers(0, 120)),
            st.tuples(st.just("take"), st.integers(-1, 150), st.just(0)),
        ),
        max_size=60,
    )
)
@settings(deadline=None, max_examples=300)
def test_equals_a_byte_string(steps: list[tuple[str, int, int]]) -> None:
    reassembler = Reassembler()
    have: set[int] = set()
    taken = b""

    for step, first, size in steps:
        if step == "add":
            assert reassembler.add(first, STREAM[first : first + size])
            have |= set(range(first, min(first + size, 400)))
        else:
            taken += reassembler.take(first)
        ordered = next(index for index in range(401) if index not in have)
        waiting = {index for index in have if index >= ordered}
        runs = sum(1 for index in waiting if index - 1 not in have)
        assert ordered == reassembler.offset
        assert len(taken) == reassembler.consumed
        assert len(waiting) == reassembler.held
        assert runs == reassembler.gaps

    taken += reassembler.take()
    assert STREAM[: reassembler.offset] == taken


@given(st.data())
@settings(deadline=None, max_examples=50)
def test_order_of_arrival_does_not_matter(data: st.DataObject) -> None:
    size = data.draw(st.sampled_from([1, 2, 3, 7, 50]))
    pieces = [(start, STREAM[start : start + size]) for start in range(0, 400, size)]
    order = data.draw(st.permutations(pieces))
    reassembler = Reassembler()

    for start, piece in order:
        assert reassembler.add(start, piece)

    assert reassembler.take() == STREAM
    assert 0 == reassembler.gaps == reassembler.held


def test_data_in_order_is_not_copied() -> None:
    piece = bytes(range(200)) * 6
    reassembler = Reassembler()

    reassembler.add(0, piece)

    assert piece is reassembler.take()


def test_first_bytes_stay_where_pieces_overlap() -> None:
    reassembler = Reassembler()

    reassembler.add(2, b"cd")
    reassembler.add(0, b"ABCDEF")
    reassembler.add(0, b"------")

    assert b"ABcdEF" == reassembler.take()


def test_refuses_one_gap_too_many() -> None:  # attack M5
    reassembler = Reassembler()
    for index in range(MAX_GAPS):
        assert reassembler.add(1 + 2 * index, b"x")

    assert not reassembler.add(1 + 2 * MAX_GAPS, b"x")
    assert MAX_GAPS == reassembler.gaps
    assert reassembler.add(0, b"x")
    assert MAX_GAPS - 1 == reassembler.gaps


def test_loss_of_every_other_packet_is_no_attack() -> None:
    reassembler = Reassembler()

    for index in range(4 * MAX_GAPS):
        assert reassembler.add(2400 * index + 1200, bytes(1200))


@pytest.mark.parametrize(
    "offsets",
    [
        pytest.param(range(1, 100_001), id="ascending beyond a gap"),
        pytest.param(range(100_000, 0, -1), id="descending"),
        pytest.param(range(100_000), id="in order"),
    ],
)
def test_tiny_pieces_cost_little_more_than_their_bytes(offsets: range) -> None:  # attack M5
    reassembler = Reassembler()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]

    for offset in offsets:
        assert reassembler.add(offset, b"ab")
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert held < 4 * 100_000


def test_small_reads_of_a_large_piece() -> None:
    data = Random(2).randbytes(1 << 20)
    reassembler = Reassembler()
    reassembler.add(0, data)

    parts = [reassembler.take(100) for _ in range(len(data) // 100 + 1)]

    assert data == b"".join(parts)


def test_what_was_read_is_not_kept() -> None:
    reassembler = Reassembler()
    reassembler.add(0, bytes(100_000))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]

    for index in range(100_000):
        reassembler.add(100_000 + 2 * index, b"ab")
        reassembler.take(2)
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert 100_000 == reassembler.ready
    assert held < 200_000


def test_discards_everything() -> None:
    reassembler = Reassembler()
    reassembler.add(0, b"abc")
    reassembler.add(10, b"klm")

    reassembler.discard()

    assert b"" == reassembler.take()
    assert (3, 3, 0, 0) == (
        reassembler.offset,
        reassembler.consumed,
        reassembler.gaps,
        reassembler.held,
    )
