"""Events are values, and each of them happens in a connection."""

import inspect
from typing import get_args

import pytest

from qcore import events
from qcore.config import QuicConfig
from qcore.errors import ApplicationError
from qcore.events import (
    ConnectionEnded,
    EarlyDataDecided,
    Event,
    HandshakeCompleted,
    HandshakeConfirmed,
    StreamOpened,
    StreamReadable,
)

from .engine.crafting import confirmed_pair, resumed_pair

KINDS = get_args(Event)


def test_union_names_every_event() -> None:
    made_here = {
        kind
        for kind in vars(events).values()
        if isinstance(kind, type) and kind.__module__ == events.__name__
    }

    assert made_here == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_event_is_a_value(kind: type) -> None:
    names = list(inspect.signature(kind).parameters)
    values = [object() for _ in names]
    event = kind(*values)

    assert event == kind(*values)
    assert hash(event) == hash(kind(*values))
    assert values == [getattr(event, name) for name in names]
    assert not hasattr(event, "__dict__")
    for at, name in enumerate(names):
        assert event != kind(*values[:at], object(), *values[at + 1 :])
        assert f"{name}={values[at]!r}" in repr(event)


def everything() -> set[type]:
    """Kinds of events of a connection with all there is."""
    seen: set[type] = set()
    pair = resumed_pair()
    pair.run_until(lambda: pair.client.is_confirmed)
    seen |= {type(event) for event in [*pair.client_events, *pair.server_events]}
    pair = confirmed_pair(
        server_config=QuicConfig(max_bidi=1, stream_window=10_000),
        client_config=QuicConfig(send_buffer=5_000),
    )
    assert pair.server is not None
    stream = pair.client.open_stream()
    with pytest.raises(Exception, match="stream"):
        pair.client.open_stream()
    pair.client.send(stream, bytes(8_000))
    pair.client.send_capacity(stream)
    pair.run_for(1.0)
    pair.client.send(stream, b"", True)
    pair.run_until(lambda: ("server", stream) in pair.finished)
    pair.server.send(stream, b"answer", True)
    pair.run_for(1.0)
    stream = pair.client.open_stream()
    pair.client.send(stream, b"x")
    pair.run_for(1.0)
    pair.client.reset(stream, 1)
    pair.client.stop_sending(stream, 2)
    while pair.client.send_datagram(bytes(1_000)):
        pass
    pair.run_for(1.0)
    pair.client.close(3)
    pair.run_for(1.0)
    seen |= {type(event) for event in [*pair.client_events, *pair.server_events]}
    pair = confirmed_pair(server_config=QuicConfig(preferred_addresses=(("10.0.0.3", 443),)))
    pair.client_sockets[1] = ("10.0.0.9", 9)
    path = pair.client.paths.add(1, pair.now)
    pair.client.paths.switch(path, pair.now)
    pair.run_for(3.0)
    return seen | {type(event) for event in [*pair.client_events, *pair.server_events]}


def test_every_event_happens() -> None:
    assert [] == sorted(kind.__name__ for kind in set(KINDS) - everything())


def test_events_come_in_order_and_once() -> None:
    pair = confirmed_pair()
    stream = pair.client.open_stream()
    pair.client.send(stream, b"data", True)
    pair.run_for(1.0)
    pair.client.close(7, "enough")
    pair.run_for(1.0)
    assert pair.server is not None

    kinds = [type(event) for event in pair.server_events]
    order = [HandshakeCompleted, HandshakeConfirmed, StreamOpened, StreamReadable, ConnectionEnded]
    assert order == [kind for kind in kinds if kind in order]
    assert ConnectionEnded is kinds[-1]
    assert [] == pair.server.events() == pair.client.events()


def test_end_is_told_to_both_sides() -> None:
    pair = confirmed_pair()
    pair.client.close(7, "enough")
    pair.run_for(1.0)
    here, there = pair.client_events[-1], pair.server_events[-1]

    assert isinstance(here, ConnectionEnded)
    assert isinstance(there, ConnectionEnded)
    assert (True, False) == (here.is_local, there.is_local)
    for ended in (here, there):
        assert isinstance(ended.error, ApplicationError)
        assert (7, "enough") == (ended.error.code, ended.error.reason)


def test_readable_comes_once_until_the_stream_was_read_empty() -> None:
    pair = confirmed_pair(auto_read=False)
    assert pair.server is not None
    stream = pair.client.open_stream()
    for _ in range(3):
        pair.client.send(stream, b"more")
        pair.run_for(0.5)
    assert 1 == pair.server_events.count(StreamReadable(stream))

    assert (b"more" * 3, False) == pair.server.read(stream)
    pair.client.send(stream, b"still more")
    pair.run_for(0.5)
    assert 2 == pair.server_events.count(StreamReadable(stream))


def test_kinds_of_a_refused_early_attempt() -> None:
    pair = resumed_pair()
    pair.run_until(lambda: pair.client.is_confirmed)

    assert [EarlyDataDecided(True)] == [
        event for event in pair.client_events if isinstance(event, EarlyDataDecided)
    ]
