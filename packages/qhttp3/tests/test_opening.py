"""How requests begin, on both sides."""

from typing import NamedTuple

import pytest

from qhttp3.config import H3Config
from qhttp3.control_plane import ControlPlane
from qhttp3.errors import H3_REQUEST_REJECTED, H3_STREAM_CREATION_ERROR, ConnectionViolation
from qhttp3.events import H3Event, RequestsAvailable
from qhttp3.opening import Opening
from qhttp3.request_table import RequestTable
from qhttp3.testing import MemoryTransport


class Side(NamedTuple):
    """What the requests of one side begin with."""

    opening: Opening
    transport: MemoryTransport
    requests: RequestTable
    plane: ControlPlane
    events: list[H3Event]


def side(is_client: bool, takes_sessions: bool = False) -> Side:
    transport = MemoryTransport(is_client)
    requests = RequestTable()
    events: list[H3Event] = []
    plane = ControlPlane(transport, is_client, H3Config(), events.append, None, None, None, None)
    opening = Opening(transport, is_client, requests, plane, events.append, None, False, takes_sessions, None)
    return Side(opening, transport, requests, plane, events)


def receive(server: Side, stream_id: int) -> None:
    """Have a client's stream arrive."""
    client = MemoryTransport(True)
    while client.open_stream() != stream_id:
        pass
    client.send(stream_id, b"x")
    client.deliver(server.transport, None, int)


def test_requests_of_ours_get_one_stream_after_another() -> None:
    client = side(True)

    assert [0, 4, 8] == [stream.stream_id for stream in (client.opening.open() for _ in range(3)) if stream]
    assert [0, 4, 8] == list(client.requests.under_way)
    assert 12 == client.requests.next_id


def test_the_end_of_a_lack_of_streams_is_told_once() -> None:
    client = side(True)
    client.transport.max_bidi = 0

    client.opening.on_streams_available()
    assert [] == client.events
    assert client.opening.open() is None
    assert client.opening.open() is None
    client.transport.max_bidi = 1
    client.opening.on_streams_available()
    client.opening.on_streams_available()
    assert [RequestsAvailable()] == client.events
    assert client.opening.open() is client.requests.under_way[0]


def test_a_request_of_the_peer_is_accepted_once() -> None:
    server = side(False)
    stream = server.opening.accept(4)

    assert stream is server.requests.under_way[4]
    assert server.requests.is_new(0)
    server.requests.finish(stream)
    assert server.opening.accept(4) is None
    assert [] == list(server.requests)


def test_requests_beyond_goaway_are_rejected() -> None:  # RFC 9114 §5.2
    server = side(False)
    server.plane.start()
    server.plane.send_goaway(4)
    receive(server, 4)

    assert server.opening.accept(0) is server.requests.under_way[0]
    assert server.opening.accept(4) is None
    assert [0] == list(server.requests.under_way)
    assert {4: H3_REQUEST_REJECTED} == server.transport.resets == server.transport.stopped
    assert not server.requests.is_new(4)


def test_a_stream_of_ours_that_is_over_does_not_begin_again() -> None:
    assert side(True).opening.accept(0) is None


@pytest.mark.parametrize("is_client", [True, False])
def test_servers_open_bidirectional_streams_for_sessions_alone(is_client: bool) -> None:  # RFC 9114 §6.1
    plain = side(is_client)
    with pytest.raises(ConnectionViolation, match="stream 1 opened by the server") as refused:
        plain.opening.accept(1)
    assert H3_STREAM_CREATION_ERROR == refused.value.code
    assert not plain.opening.is_of_session(1)

    with_sessions = side(is_client, takes_sessions=True)
    assert [False, True, False] == [with_sessions.opening.is_of_session(number) for number in (0, 1, 4)]
    assert side(False, takes_sessions=True).opening.accept(1) is None
