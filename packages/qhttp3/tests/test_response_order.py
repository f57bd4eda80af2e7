"""What a server tells its transport about the order of responses."""

import pytest

from qhttp3 import frames
from qhttp3.config import H3Config, StreamKind
from qhttp3.events import Field
from qhttp3.qpack import EncoderPolicy, Insert
from qhttp3.response_order import MAX_AHEAD
from qhttp3.settings import H3Settings
from qhttp3.testing import Pair

GET: list[Field] = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":authority", b"a.example"),
    (b":path", b"/"),
]


@pytest.mark.parametrize(
    ("fields", "priority"),
    [
        pytest.param(GET, (3, False), id="nothing said"),
        pytest.param([*GET, (b"priority", b"u=1, i")], (1, True), id="field"),
        pytest.param([*GET, (b"priority", b"u=5"), (b"priority", b"i")], (5, True), id="two lines"),
        pytest.param([*GET, (b"priority", b"u=9;;")], (3, False), id="junk"),
        pytest.param(
            [(b":method", b"CONNECT"), (b":authority", b"a.example:1")], (3, True), id="tunnel shares"
        ),
        pytest.param(
            [(b":method", b"CONNECT"), (b":authority", b"a.example:1"), (b"priority", b"u=2")],
            (2, False),
            id="tunnel that wants otherwise",
        ),
    ],
)
def test_the_request_says_it(fields: list[Field], priority: tuple[int, bool]) -> None:  # RFC 9218 §4, §5
    pair = Pair()
    stream_id = pair.client.send_request(fields, False)
    pair.run()

    assert priority == pair.server_transport.priorities[stream_id or 0]
    assert {} == pair.client_transport.priorities


def test_an_update_counts_more_than_the_field() -> None:  # RFC 9218 §7
    pair = Pair()
    first = pair.client.send_request([*GET, (b"priority", b"u=1")], True, priority_update=b"u=6, i")
    pair.run()
    assert (6, True) == pair.server_transport.priorities[first or 0]

    pair.client.send_priority_update(first or 0, b"u=0")
    pair.run()
    assert (0, False) == pair.server_transport.priorities[first or 0]


def test_an_update_of_a_request_whose_fields_are_blocked_waits_for_them() -> None:
    config = H3Config(
        settings=H3Settings.build(qpack_max_table_capacity=4096, qpack_blocked_streams=8),
        qpack=EncoderPolicy(insert=Insert.EVERYTHING, capacity=4096),
    )
    pair = Pair(config, config)
    pair.run()
    stream_id = pair.client.send_request([*GET, (b"x", b"y"), (b"priority", b"u=1")], True)
    assert stream_id == 0
    encoder = pair.client_transport.outgoing[pair.client._plane.local.id_of(StreamKind.ENCODER)]
    held, encoder.data[:] = bytes(encoder.data), b""
    pair.run()
    assert {} == {key: value for key, value in pair.server_transport.priorities.items() if key == 0}

    pair.client.send_priority_update(0, b"u=4")
    pair.run()
    encoder.data += held
    pair.run()
    assert (4, False) == pair.server_transport.priorities[0]


def test_an_update_of_a_finished_request_is_of_no_interest() -> None:
    pair = Pair()
    stream_id = pair.client.send_request(GET, True)
    pair.run()
    pair.server.send_headers(0, [(b":status", b"200")], True)
    pair.run()
    pair.server_transport.priorities.clear()
    pair.client.send_priority_update(stream_id or 0, b"u=1")
    pair.run()

    assert {} == pair.server_transport.priorities
    assert pair.server._order is not None
    assert 0 == len(pair.server._order._ahead)


def test_no_more_is_kept_for_requests_to_come_than_browsers_send() -> None:
    pair = Pair(with_client=False)
    control = pair.client_transport.open_stream(False)
    pair.client_transport.send(control, b"\0" + frames.frame(frames.SETTINGS, b""))
    for number in range(MAX_AHEAD + 10):
        pair.client_transport.send(control, frames.frame_with_id(frames.PRIORITY_UPDATE, number * 4, b"u=1"))
    pair.client_transport.send(control, frames.frame_with_id(frames.PRIORITY_UPDATE, 0, b"u=2"))
    pair.run()

    assert pair.server._order is not None
    ahead = pair.server._order._ahead
    assert MAX_AHEAD == len(ahead)
    assert (2, False) == ahead[0]


def test_what_a_server_needs_to_be_understood_goes_first() -> None:
    pair = Pair()
    pair.run()

    assert {3: (0, True), 7: (0, True), 11: (0, True)} == pair.server_transport.priorities
