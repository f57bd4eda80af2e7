"""WebTransport without I/O: what is said on the wire, and the engine's part in it."""

import pytest

from qhttp3.config import DEFAULT_SETTINGS, H3Config
from qhttp3.errors import H3_ID_ERROR, H3_STREAM_CREATION_ERROR, StreamViolation, UsageError
from qhttp3.events import (
    SessionStreamOpened,
    SessionStreamReadable,
    SessionStreamReset,
    SessionStreamStopped,
    SettingsReceived,
)
from qhttp3.settings import H3Settings
from qhttp3.testing import Pair
from qhttp3.webtransport import (
    ENABLE_WEBTRANSPORT,
    FIRST_CODE,
    LAST_CODE,
    MAX_REASON,
    TOKEN,
    TOKEN_15,
    WT_ENABLED,
    decode_code,
    encode_close,
    encode_code,
    is_offered,
    parse_close,
    stream_prefix,
    token_for,
    with_webtransport,
)

CLIENT = H3Config(settings=with_webtransport(DEFAULT_SETTINGS, is_client=True))
SERVER = H3Config(settings=with_webtransport(DEFAULT_SETTINGS, is_client=False))
CONNECT = [
    (b":method", b"CONNECT"),
    (b":protocol", b"webtransport"),
    (b":scheme", b"https"),
    (b":authority", b"a"),
    (b":path", b"/"),
]


def session(pair: Pair) -> int:
    """Begin one; gives its id."""
    pair.run()
    stream_id = pair.client.send_request(CONNECT)
    assert stream_id is not None
    pair.run()
    pair.server.send_headers(stream_id, [(b":status", b"200")])
    pair.run()
    return stream_id


@pytest.mark.parametrize(
    ("code", "wire"), [(0, FIRST_CODE), (0x1D, FIRST_CODE + 0x1D), (0xFFFF_FFFF, LAST_CODE)]
)
def test_codes_have_their_place_among_those_of_http(code: int, wire: int) -> None:
    assert wire == encode_code(code)
    assert code == decode_code(wire)


def test_no_code_is_a_reserved_one_and_all_come_back() -> None:  # RFC 9114 §8.1
    for code in [*range(5000), *range(0xFFFF_FFFF - 100, 1 << 32)]:
        wire = encode_code(code)
        assert (wire - 0x21) % 0x1F
        assert code == decode_code(wire)


def test_other_codes_are_of_no_application() -> None:
    reserved = [code for code in range(FIRST_CODE, FIRST_CODE + 100) if (code - 0x21) % 0x1F == 0]
    assert [None] * 6 == [
        decode_code(code) for code in (0, 0x10C, FIRST_CODE - 1, LAST_CODE + 1, *reserved[:2])
    ]
    with pytest.raises(ValueError, match="32 bits"):
        encode_code(1 << 32)


def test_a_close_comes_back_and_a_long_reason_is_cut_between_characters() -> None:
    assert (5, "why") == parse_close(encode_close(5, "why"))
    code, reason = parse_close(encode_close(0, "é" * MAX_REASON))
    assert (0, "é" * (MAX_REASON // 2)) == (code, reason)


@pytest.mark.parametrize("value", [b"", b"123", bytes(4 + MAX_REASON + 1), bytes(4) + b"\xff"])
def test_a_bad_close_is_refused(value: bytes) -> None:
    with pytest.raises(StreamViolation):
        parse_close(value)


def test_the_newest_draft_that_a_server_tells_is_spoken() -> None:
    common = {"enable_connect_protocol": True, "h3_datagram": True}
    assert token_for(H3Settings.build(**common)) is None
    for extra, token in (((ENABLE_WEBTRANSPORT, 1), TOKEN), ((WT_ENABLED, 1), TOKEN_15)):
        settings = H3Settings([*H3Settings.build(**common).entries, extra])
        assert is_offered(settings)
        assert token == token_for(settings)
    assert token_for(H3Settings([(WT_ENABLED, 1)])) is None
    assert TOKEN_15 == token_for(SERVER.settings)


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_streams_of_both_kinds_reach_their_session_in_pieces_of_any_size(size: int) -> None:
    pair = Pair(CLIENT, SERVER, size_of=lambda waiting: min(size, waiting))
    session_id = session(pair)
    for side, other, transport, events in (
        (pair.client, pair.server, pair.client_transport, pair.server_events),
        (pair.server, pair.client, pair.server_transport, pair.client_events),
    ):
        for bidirectional in (True, False):
            events.clear()
            stream_id = side.open_session_stream(session_id, bidirectional)
            transport.send(stream_id, b"of the application", True)
            received = b""
            end = False
            while pair.step() or not end:
                if stream_id in other.sessions:
                    data, end = other.sessions.read(stream_id)
                    received += data
            assert b"of the application" == received
            assert SessionStreamOpened(stream_id, session_id) == events[0]


def test_requests_go_on_beside_a_session() -> None:
    pair = Pair(CLIENT, SERVER)
    session_id = session(pair)
    pair.client.open_session_stream(session_id)
    head = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"a"), (b":path", b"/")]
    stream_id = pair.client.send_request(head, True)
    assert 8 == stream_id
    pair.run()
    pair.server.respond(stream_id, [(b":status", b"200")], b"x")
    pair.run()
    assert (b"x", True) == pair.client.read_body(stream_id)
    assert pair.client_transport.closed is None
    assert pair.server_transport.closed is None


def test_ends_of_streams_have_codes_of_the_application() -> None:
    pair = Pair(CLIENT, SERVER)
    session_id = session(pair)
    stream_id = pair.client.open_session_stream(session_id)
    pair.run()
    pair.server_events.clear()
    pair.server.sessions.stop_sending(stream_id, 3)
    pair.server.stream_reset(stream_id, encode_code(4))
    pair.server.stream_reset(stream_id, 0x10C)
    pair.server.stream_readable(stream_id)
    pair.run()
    assert SessionStreamStopped(stream_id, 3) in pair.client_events
    assert [
        SessionStreamReset(stream_id, 4),
        SessionStreamReset(stream_id, None),
        SessionStreamReadable(stream_id),
    ] == pair.server_events


def test_a_stop_that_overtakes_the_prefix_is_not_lost() -> None:
    pair = Pair(CLIENT, SERVER)
    session_id = session(pair)
    stream_id = pair.client_transport.open_stream()
    pair.client_transport.send(stream_id, stream_prefix(session_id, True)[:1])
    pair.run()
    pair.server_events.clear()
    pair.server.stream_stopped(stream_id, encode_code(6))
    pair.client_transport.send(stream_id, stream_prefix(session_id, True)[1:])
    pair.run()
    assert [
        SessionStreamOpened(stream_id, session_id),
        SessionStreamStopped(stream_id, 6),
    ] == pair.server_events[-2:]


def test_a_stream_of_what_can_be_no_session_ends_the_connection() -> None:
    for bidirectional in (True, False):
        pair = Pair(CLIENT, SERVER)
        pair.run()
        stream_id = pair.client_transport.open_stream(bidirectional)
        pair.client_transport.send(stream_id, stream_prefix(3, bidirectional))
        pair.run()
        assert pair.server_transport.closed is not None
        assert H3_ID_ERROR == pair.server_transport.closed[0]


def test_a_server_may_open_streams_for_sessions_only() -> None:  # RFC 9114 §6.1
    pair = Pair(CLIENT, SERVER)
    pair.run()
    stream_id = pair.server_transport.open_stream()
    pair.server_transport.send(stream_id, b"\x01\x00")
    pair.run()
    assert pair.client_transport.closed is not None
    assert H3_STREAM_CREATION_ERROR == pair.client_transport.closed[0]


def test_the_signal_behind_another_frame_is_an_unknown_frame() -> None:
    pair = Pair(CLIENT, SERVER)
    pair.run()
    stream_id = pair.client_transport.open_stream()
    pair.client_transport.send(stream_id, b"\x21\x00" + stream_prefix(0, True))
    pair.run()
    assert [SettingsReceived()] == pair.server_events
    assert pair.server_transport.closed is None


def test_who_offers_nothing_takes_no_streams() -> None:
    pair = Pair(H3Config(), H3Config())
    pair.run()
    with pytest.raises(UsageError):
        _ = pair.server.sessions
    stream_id = pair.client_transport.open_stream(False)
    pair.client_transport.send(stream_id, stream_prefix(0, False) + b"x")
    pair.run()
    assert {stream_id: H3_STREAM_CREATION_ERROR} == pair.server_transport.stopped


def test_reading_stops_where_it_is_told_to() -> None:
    pair = Pair(CLIENT, SERVER)
    session_id = session(pair)
    stream_id = pair.client.open_session_stream(session_id)
    pair.client_transport.send(stream_id, b"0123456789", True)
    pair.run()
    read = pair.server.sessions.read
    assert [(b"0123", False), (b"45", False), (b"6789", True)] == [
        read(stream_id, 4),
        read(stream_id, 2),
        read(stream_id),
    ]
