"""Counts of streams. RFC 9000 §4.6."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qcore.errors import TransportError
from qcore.streams.ids import MAX_STREAM_COUNT
from qcore.streams.limits import LocalStreams, PeerStreams
from qwire.constants import STREAM_LIMIT_ERROR
from qwire.frames import StreamFrame

FRAME = StreamFrame(0, 0, b"", False)


@given(st.lists(st.integers(0, 49), max_size=80))
@settings(deadline=None)
def test_each_stream_is_new_once_in_any_order(indexes: list[int]) -> None:
    streams = PeerStreams(50)
    seen: set[int] = set()

    for index in indexes:
        assert (index not in seen) is streams.admit(index, FRAME)
        seen.add(index)
        assert max(seen) + 1 == streams.opened
        assert [other in seen for other in range(50)] == [streams.has_closed(other) for other in range(50)]


def test_enforces_what_was_advertised() -> None:  # h3spec T2
    streams = PeerStreams(3)
    streams.admit(2, FRAME)

    with pytest.raises(TransportError, match="3 allowed") as caught:
        streams.admit(3, FRAME)

    assert STREAM_LIMIT_ERROR == caught.value.code
    assert FRAME.type == caught.value.frame_type


def test_more_are_allowed_only_after_they_were_told() -> None:
    streams = PeerStreams(2)
    streams.admit(1, FRAME)
    streams.on_closed()

    with pytest.raises(TransportError):
        streams.admit(2, FRAME)
    assert streams.is_due
    assert 3 == streams.advance()
    assert streams.admit(2, FRAME)


def test_limits_are_told_when_half_is_used() -> None:
    streams = PeerStreams(10)
    due: list[bool] = []
    for index in range(6):
        streams.admit(index, FRAME)
        streams.on_closed()
        due.append(streams.is_due)

    assert [False] * 4 + [True] * 2 == due


def test_a_jump_to_a_high_stream_costs_one_entry() -> None:  # attack M7
    streams = PeerStreams(MAX_STREAM_COUNT)

    assert streams.admit(MAX_STREAM_COUNT - 1, FRAME)
    assert streams.admit(5, FRAME)
    assert not streams.admit(5, FRAME)
    streams.on_closed()
    assert MAX_STREAM_COUNT == streams.advance()


def test_refusal_is_told_once_per_limit() -> None:  # RFC 9000 §19.14
    streams = LocalStreams()
    streams.refuse()
    assert streams.is_blocked_due
    streams.is_blocked_due = False
    streams.refuse()
    assert not streams.is_blocked_due

    assert streams.allow(1)
    assert not streams.allow(1)
    streams.opened = 1
    streams.refuse()
    assert streams.is_blocked_due


def test_a_lower_limit_is_ignored() -> None:  # RFC 9000 §4.6
    streams = LocalStreams()
    streams.allow(5)

    assert not streams.allow(4)
    assert 5 == streams.limit
