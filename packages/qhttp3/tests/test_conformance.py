"""Violations, each with the exact code it must give: a bad client against our server, a bad server against our client."""

from collections.abc import Callable

import pytest

from qhttp3 import frames
from qhttp3.config import H3Config
from qhttp3.errors import (
    H3_CLOSED_CRITICAL_STREAM,
    H3_DATAGRAM_ERROR,
    H3_EXCESSIVE_LOAD,
    H3_FRAME_ERROR,
    H3_FRAME_UNEXPECTED,
    H3_ID_ERROR,
    H3_MESSAGE_ERROR,
    H3_MISSING_SETTINGS,
    H3_REQUEST_INCOMPLETE,
    H3_SETTINGS_ERROR,
    H3_STREAM_CREATION_ERROR,
    QPACK_DECODER_STREAM_ERROR,
    QPACK_DECOMPRESSION_FAILED,
    QPACK_ENCODER_STREAM_ERROR,
)
from qhttp3.events import ConnectionFailed, HeadersReceived, RequestFailed
from qhttp3.qpack import Encoder, field_lines, instructions
from qhttp3.settings import H3Settings
from qhttp3.testing import MemoryTransport, Pair

Field = tuple[bytes, bytes]

CONTROL, PUSH, ENCODER, DECODER = b"\x00", b"\x01", b"\x02", b"\x03"
SETTINGS = frames.frame(frames.SETTINGS, b"")
GET: list[Field] = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":authority", b"a.example"),
    (b":path", b"/"),
]
OK: list[Field] = [(b":status", b"200")]


def section(fields: list[Field]) -> bytes:
    return Encoder().encode(0, fields)


def head(fields: list[Field]) -> bytes:
    return frames.frame(frames.HEADERS, section(fields))


def data(body: bytes) -> bytes:
    return frames.frame(frames.DATA, body)


class BadPeer:
    """Bytes of our own choice towards an engine. Streams are opened in the order in which they are written."""

    def __init__(self, is_client: bool, config: H3Config | None = None) -> None:
        self.is_client = is_client
        self.pair = Pair(config, config, with_client=not is_client, with_server=is_client)
        self.transport: MemoryTransport = (
            self.pair.client_transport if is_client else self.pair.server_transport
        )
        self.theirs: MemoryTransport = self.pair.server_transport if is_client else self.pair.client_transport
        self.control: int | None = None

    def greet(self, settings: bytes = SETTINGS) -> None:
        self.control = self.uni(CONTROL + settings)

    def uni(self, content: bytes, end: bool = False) -> int:
        stream_id = self.transport.open_stream(False)
        self.transport.send(stream_id, content, end)
        self.pair.run()
        return stream_id

    def say(self, content: bytes) -> None:
        assert self.control is not None
        self.transport.send(self.control, content)
        self.pair.run()

    def request(self, content: bytes, end: bool = True) -> int:
        stream_id = self.transport.open_stream()
        self.transport.send(stream_id, content, end)
        self.pair.run()
        return stream_id

    def respond(self, content: bytes, end: bool = True, fields: list[Field] = GET) -> int:
        stream_id = self.pair.client.send_request(fields, True)
        assert stream_id is not None
        self.pair.run()
        self.transport.send(stream_id, content, end)
        self.pair.run()
        return stream_id

    @property
    def closed(self) -> int | None:
        return None if self.theirs.closed is None else self.theirs.closed[0]


Act = Callable[[BadPeer], object]


def on_control(*content: bytes) -> Act:
    def act(peer: BadPeer) -> None:
        peer.greet()
        peer.say(b"".join(content))

    return act


def on_request(*content: bytes, end: bool = True) -> Act:
    def act(peer: BadPeer) -> None:
        peer.greet()
        peer.request(b"".join(content), end)

    return act


def on_response(*content: bytes, end: bool = True) -> Act:
    def act(peer: BadPeer) -> None:
        peer.greet()
        peer.respond(b"".join(content), end)

    return act


def on_uni(*contents: bytes, end: bool = False) -> Act:
    def act(peer: BadPeer) -> None:
        peer.greet()
        for content in contents:
            peer.uni(content, end)

    return act


def goaways(*identifiers: int) -> Act:
    return on_control(*(frames.frame_with_id(frames.GOAWAY, identifier) for identifier in identifiers))


UNDONE = frames.frame_header(frames.HEADERS, 10) + b"\0\0\xd1"

BOTH = [  # whoever does it, the connection is closed
    pytest.param(
        lambda peer: peer.uni(CONTROL + data(b"")), H3_MISSING_SETTINGS, id="H6 DATA before SETTINGS"
    ),
    pytest.param(
        lambda peer: peer.uni(CONTROL + frames.frame_with_id(frames.GOAWAY, 0)),
        H3_MISSING_SETTINGS,
        id="H6 GOAWAY before SETTINGS",
    ),
    pytest.param(
        lambda peer: peer.uni(CONTROL + b"\x21\x00"), H3_MISSING_SETTINGS, id="reserved before SETTINGS"
    ),
    pytest.param(on_control(data(b"x")), H3_FRAME_UNEXPECTED, id="H7 DATA on control"),
    pytest.param(on_control(head(GET)), H3_FRAME_UNEXPECTED, id="H8 HEADERS on control"),
    pytest.param(
        on_control(frames.frame(frames.PUSH_PROMISE, b"\0")),
        H3_FRAME_UNEXPECTED,
        id="PUSH_PROMISE on control",
    ),
    pytest.param(on_control(SETTINGS), H3_FRAME_UNEXPECTED, id="H9 second SETTINGS"),
    pytest.param(lambda peer: peer.greet(b"\x04\x02\x02\x00"), H3_SETTINGS_ERROR, id="H10 setting of HTTP/2"),
    pytest.param(lambda peer: peer.greet(b"\x04\x04\x01\x00\x01\x00"), H3_SETTINGS_ERROR, id="setting twice"),
    pytest.param(lambda peer: peer.greet(b"\x04\x01\x01"), H3_FRAME_ERROR, id="SETTINGS cut"),
    pytest.param(
        lambda peer: peer.greet(b"\x04\x80\x01\x00\x00"), H3_EXCESSIVE_LOAD, id="SETTINGS of 64 KiB"
    ),
    pytest.param(on_control(b"\x07\x00"), H3_FRAME_ERROR, id="GOAWAY without identifier"),
    pytest.param(on_control(b"\x07\x02\x00\x00"), H3_FRAME_ERROR, id="GOAWAY too long"),
    pytest.param(goaways(4, 8), H3_ID_ERROR, id="GOAWAY with a larger id"),
    pytest.param(
        on_control(frames.frame_with_id(frames.CANCEL_PUSH, 0)), H3_ID_ERROR, id="CANCEL_PUSH of nothing"
    ),
    *(
        pytest.param(
            on_control(frames.frame(kind, b"")), H3_FRAME_UNEXPECTED, id=f"frame {kind} of HTTP/2 on control"
        )
        for kind in sorted(frames.HTTP2_FRAMES)
    ),
    pytest.param(
        lambda peer: peer.uni(CONTROL + SETTINGS, True), H3_CLOSED_CRITICAL_STREAM, id="H12 control ended"
    ),
    pytest.param(on_uni(ENCODER, end=True), H3_CLOSED_CRITICAL_STREAM, id="encoder stream ended"),
    pytest.param(on_uni(DECODER, end=True), H3_CLOSED_CRITICAL_STREAM, id="decoder stream ended"),
    pytest.param(
        lambda peer: (peer.greet(), peer.transport.reset(peer.control, 0), peer.pair.run()),
        H3_CLOSED_CRITICAL_STREAM,
        id="control reset",
    ),
    pytest.param(
        lambda peer: (
            peer.pair.run(),
            peer.transport.stop_sending(2 if not peer.is_client else 3, 0),
            peer.pair.run(),
        ),
        H3_CLOSED_CRITICAL_STREAM,
        id="our control stream stopped",
    ),
    pytest.param(on_uni(CONTROL + SETTINGS), H3_STREAM_CREATION_ERROR, id="second control stream"),
    pytest.param(on_uni(ENCODER, ENCODER), H3_STREAM_CREATION_ERROR, id="second encoder stream"),
    pytest.param(on_uni(DECODER, DECODER), H3_STREAM_CREATION_ERROR, id="second decoder stream"),
    pytest.param(
        on_uni(ENCODER + instructions.set_capacity(4097)), QPACK_ENCODER_STREAM_ERROR, id="Q2 capacity"
    ),
    pytest.param(
        on_uni(ENCODER + instructions.duplicate(0)), QPACK_ENCODER_STREAM_ERROR, id="duplicate of nothing"
    ),
    pytest.param(
        on_uni(DECODER + instructions.insert_count_increment(0)),
        QPACK_DECODER_STREAM_ERROR,
        id="Q3 increment 0",
    ),
    pytest.param(
        on_uni(DECODER + instructions.insert_count_increment(1)),
        QPACK_DECODER_STREAM_ERROR,
        id="increment too far",
    ),
    pytest.param(
        on_uni(DECODER + instructions.section_acknowledgment(0)),
        QPACK_DECODER_STREAM_ERROR,
        id="acknowledgment of nothing",
    ),
]

FROM_CLIENTS = [
    pytest.param(on_request(data(b"x")), H3_FRAME_UNEXPECTED, id="H1 DATA before HEADERS"),
    pytest.param(
        on_request(head(GET), frames.frame_with_id(frames.CANCEL_PUSH, 0)),
        H3_FRAME_UNEXPECTED,
        id="H11 CANCEL_PUSH",
    ),
    *(
        pytest.param(
            on_request(head(GET), frames.frame(kind, b"\0")), H3_FRAME_UNEXPECTED, id=f"frame {kind:#x}"
        )
        for kind in sorted(frames.CONTROL_FRAMES | frames.HTTP2_FRAMES | {frames.PUSH_PROMISE})
    ),
    pytest.param(on_request(SETTINGS), H3_FRAME_UNEXPECTED, id="SETTINGS before HEADERS"),
    pytest.param(on_request(head(GET), head([]), head([])), H3_FRAME_UNEXPECTED, id="HEADERS after trailers"),
    pytest.param(on_request(head(GET), head([]), data(b"")), H3_FRAME_UNEXPECTED, id="DATA after trailers"),
    pytest.param(on_request(UNDONE), H3_FRAME_ERROR, id="HEADERS cut"),
    pytest.param(on_request(head(GET), b"\x00\x05abc"), H3_FRAME_ERROR, id="DATA cut"),
    pytest.param(on_request(head(GET), b"\x21\x05abc"), H3_FRAME_ERROR, id="reserved frame cut"),
    pytest.param(on_request(head(GET), b"\x00"), H3_FRAME_ERROR, id="frame header cut"),
    pytest.param(
        on_request(frames.frame(1, b"\0\0\xff\x24")), QPACK_DECOMPRESSION_FAILED, id="Q1 static index 99"
    ),
    pytest.param(on_request(frames.frame(1, b"")), QPACK_DECOMPRESSION_FAILED, id="empty section"),
    pytest.param(
        lambda peer: (
            peer.greet(),
            peer.uni(ENCODER + instructions.set_capacity(100) + instructions.insert_literal(b"a", b"b")),
            peer.request(frames.frame(1, b"\x02\0\xd1")),
        ),
        QPACK_DECOMPRESSION_FAILED,
        id="Required Insert Count without reference",
    ),
    pytest.param(
        lambda peer: [
            peer.greet(),
            *(peer.request(frames.frame(1, b"\x02\0\x80"), False) for _ in range(17)),
        ],
        QPACK_DECOMPRESSION_FAILED,
        id="17 blocked streams",
    ),
    pytest.param(on_uni(PUSH + b"\0"), H3_STREAM_CREATION_ERROR, id="push stream from a client"),
    pytest.param(
        on_control(
            frames.frame_with_id(frames.MAX_PUSH_ID, 5),
            frames.frame_with_id(frames.MAX_PUSH_ID, 4),
        ),
        H3_ID_ERROR,
        id="smaller MAX_PUSH_ID",
    ),
    pytest.param(
        on_control(frames.frame_with_id(frames.PRIORITY_UPDATE, 1, b"u=1")),
        H3_ID_ERROR,
        id="priority of no request",
    ),
    pytest.param(
        on_control(frames.frame_with_id(frames.PRIORITY_UPDATE_PUSH, 0, b"u=1")),
        H3_ID_ERROR,
        id="priority of a push",
    ),
    pytest.param(
        on_control(frames.frame_header(frames.PRIORITY_UPDATE, 5000)),
        H3_EXCESSIVE_LOAD,
        id="priority of 5000 bytes",
    ),
]

FROM_SERVERS = [
    pytest.param(on_response(data(b"x")), H3_FRAME_UNEXPECTED, id="DATA before HEADERS"),
    pytest.param(on_response(head(OK), SETTINGS), H3_FRAME_UNEXPECTED, id="SETTINGS in a response"),
    pytest.param(on_response(head(OK), head([]), data(b"")), H3_FRAME_UNEXPECTED, id="DATA after trailers"),
    pytest.param(
        on_response(head(OK), frames.frame(frames.PUSH_PROMISE, b"\0\0\0")), H3_ID_ERROR, id="PUSH_PROMISE"
    ),
    pytest.param(on_response(head(OK), b"\x00\x05abc"), H3_FRAME_ERROR, id="DATA cut"),
    pytest.param(on_uni(PUSH + b"\0"), H3_ID_ERROR, id="push stream"),
    pytest.param(
        on_control(frames.frame_with_id(frames.MAX_PUSH_ID, 5)), H3_FRAME_UNEXPECTED, id="MAX_PUSH_ID"
    ),
    pytest.param(
        on_control(frames.frame_with_id(frames.PRIORITY_UPDATE, 0, b"")),
        H3_FRAME_UNEXPECTED,
        id="PRIORITY_UPDATE",
    ),
    pytest.param(goaways(1), H3_ID_ERROR, id="GOAWAY with no request"),
    pytest.param(
        lambda peer: (peer.greet(), peer.request(head(GET))),
        H3_STREAM_CREATION_ERROR,
        id="request from a server",
    ),
]


@pytest.mark.parametrize(("act", "code"), [*BOTH, *FROM_CLIENTS])
def test_server_closes_the_connection(act: Act, code: int) -> None:
    peer = BadPeer(is_client=True)
    act(peer)

    assert code == peer.closed
    failed = [event for event in peer.pair.server_events if isinstance(event, ConnectionFailed)]
    assert [code] == [event.code for event in failed]
    assert failed[0].reason
    assert peer.pair.server.is_closed


@pytest.mark.parametrize(("act", "code"), [*BOTH, *FROM_SERVERS])
def test_client_closes_the_connection(act: Act, code: int) -> None:
    peer = BadPeer(is_client=False)
    act(peer)

    assert code == peer.closed
    assert [code] == [event.code for event in peer.pair.client_events if isinstance(event, ConnectionFailed)]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(head([GET[0], *GET]), H3_MESSAGE_ERROR, id="H2 duplicate pseudo-header"),
        pytest.param(head(GET[:3]), H3_MESSAGE_ERROR, id="H3 mandatory pseudo-header absent"),
        pytest.param(head([*GET, (b":foo", b"x")]), H3_MESSAGE_ERROR, id="H4 prohibited pseudo-header"),
        pytest.param(head([(b"x", b"y"), *GET]), H3_MESSAGE_ERROR, id="H5 pseudo-header after a field"),
        pytest.param(head([*GET, (b"X", b"y")]), H3_MESSAGE_ERROR, id="upper case"),
        pytest.param(head([*GET, (b"connection", b"x")]), H3_MESSAGE_ERROR, id="connection-specific field"),
        pytest.param(head([*GET, (b"x", b"a\nb")]), H3_MESSAGE_ERROR, id="LF in a value"),
        pytest.param(
            head([*GET, (b"content-length", b"4")]) + data(b"abc"), H3_MESSAGE_ERROR, id="body too short"
        ),
        pytest.param(
            head([*GET, (b"content-length", b"2")]) + data(b"abc"), H3_MESSAGE_ERROR, id="body too long"
        ),
        pytest.param(head([*GET, (b"content-length", b"2")]), H3_MESSAGE_ERROR, id="no body"),
        pytest.param(head(GET) + head([(b":path", b"/")]), H3_MESSAGE_ERROR, id="pseudo-header in trailers"),
        pytest.param(b"", H3_REQUEST_INCOMPLETE, id="no request"),
        pytest.param(b"\x21\x00", H3_REQUEST_INCOMPLETE, id="reserved frame alone"),
    ],
)
def test_server_resets_the_request(content: bytes, code: int) -> None:
    peer = BadPeer(is_client=True)
    peer.greet()
    stream_id = peer.request(content)
    peer.pair.server.read_body(stream_id)
    peer.pair.run()

    assert peer.closed is None
    assert code == peer.theirs.resets[stream_id]
    assert [code] == [event.code for event in peer.pair.server_events if isinstance(event, RequestFailed)]
    assert 0 == peer.pair.server.request_count
    peer.request(head(GET))  # the connection goes on
    assert isinstance(peer.pair.server_events[-1], HeadersReceived)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="no response"),
        pytest.param(head([(b":status", b"103")]), id="only an interim response"),
        pytest.param(head([(b"x", b"y")]), id="no status"),
        pytest.param(head([(b":status", b"101")]), id="101"),
        pytest.param(head([*OK, (b"content-length", b"4")]) + data(b"abc"), id="body too short"),
        pytest.param(head([*OK, (b"content-length", b"2")]) + data(b"abc"), id="body too long"),
        pytest.param(head([*OK, (b"transfer-encoding", b"chunked")]), id="connection-specific field"),
    ],
)
def test_client_gives_the_request_up(content: bytes) -> None:
    peer = BadPeer(is_client=False)
    peer.greet()
    stream_id = peer.respond(content)
    peer.pair.client.read_body(stream_id)
    peer.pair.run()

    assert peer.closed is None
    failed = [event for event in peer.pair.client_events if isinstance(event, RequestFailed)]
    assert [H3_MESSAGE_ERROR] == [event.code for event in failed]
    assert 0 == peer.pair.client.request_count


def test_a_bad_datagram_closes_the_connection() -> None:  # RFC 9297 §2.1
    peer = BadPeer(True, H3Config(settings=H3Settings.build(h3_datagram=True)))
    peer.greet()
    peer.transport.send_datagram(b"\x40")
    peer.pair.run()

    assert H3_DATAGRAM_ERROR == peer.closed


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(
            on_control(b"\x21\x03abc", b"\x40\x64\x00"), id="reserved and unknown frames on control"
        ),
        pytest.param(
            on_request(b"\x21\x03abc", head(GET), b"\x21\x00", data(b"x")), id="reserved frames in a request"
        ),
        pytest.param(on_uni(b"\x21" + b"junk" * 100), id="reserved stream"),
        pytest.param(on_uni(b"\x40\x54junk", end=True), id="unknown stream that ends"),
        pytest.param(on_uni(b"", end=True), id="stream that ends before its type"),
        pytest.param(on_uni(b"\xc0\x00", end=True), id="stream that ends within its type"),
        pytest.param(lambda peer: peer.greet(b"\x04\x06\x40\xfa\x05\x7f\xff\x00"), id="reserved setting"),
        pytest.param(on_control(frames.frame_with_id(frames.MAX_PUSH_ID, 5)), id="MAX_PUSH_ID"),
        pytest.param(goaways(8, 8, 4, 0), id="GOAWAY with smaller ids"),
        pytest.param(
            on_uni(DECODER + instructions.stream_cancellation(400)), id="cancellation of an unknown stream"
        ),
        pytest.param(on_request(head([*GET, (b"content-length", b"0")])), id="content-length 0"),
    ],
)
def test_what_must_be_tolerated_is(act: Act) -> None:  # RFC 9114 §6.2, §7.2.8, §9
    peer = BadPeer(is_client=True)
    act(peer)

    assert peer.closed is None
    assert {} == peer.theirs.resets


def test_unknown_frames_are_not_buffered() -> None:  # rigs M15
    peer = BadPeer(is_client=True)
    peer.greet()
    stream_id = peer.transport.open_stream()
    peer.transport.send(stream_id, frames.frame_header(0x21, 1 << 40))
    for _ in range(100):
        peer.transport.send(stream_id, b"x" * 60_000)
        peer.pair.run()
    stream = peer.pair.server._requests.under_way.get(stream_id)

    assert stream is not None
    assert 8192 > len(stream._buffer)
    assert 0 == len(peer.theirs.incoming[stream_id].data)


def test_unknown_streams_are_refused_unread() -> None:  # RFC 9114 §6.2
    peer = BadPeer(is_client=True)
    peer.greet()
    stream_id = peer.uni(b"\x40\x54" + b"x" * 1000)

    assert {stream_id: H3_STREAM_CREATION_ERROR} == peer.theirs.stopped


def test_a_header_bomb_is_answered_with_431() -> None:  # RFC 9114 §4.2.2, rigs M13
    peer = BadPeer(is_client=True)
    peer.greet()
    peer.uni(ENCODER + instructions.set_capacity(4096) + instructions.insert_literal(b"n", b"v" * 4000))
    bomb = field_lines.section_prefix(1, 1, 128) + field_lines.indexed_dynamic(0) * 150
    stream_id = peer.request(frames.frame(frames.HEADERS, bomb), end=False)
    answer, end = peer.transport.read(stream_id)

    assert frames.frame(frames.HEADERS, section([(b":status", b"431")])) == answer
    assert end
    assert {stream_id: H3_EXCESSIVE_LOAD} == peer.theirs.stopped
    assert peer.closed is None


BOMB = field_lines.section_prefix(1, 1, 128) + field_lines.indexed_dynamic(0) * 150
MANY = head([*GET, *((b"x", b"") for _ in range(300))])


def arm(peer: BadPeer) -> None:
    """Insert an entry of 4,000 bytes, to which one byte refers."""
    peer.greet()
    peer.uni(ENCODER + instructions.set_capacity(4096) + instructions.insert_literal(b"n", b"v" * 4000))


@pytest.mark.parametrize(
    "trailers",
    [
        pytest.param(frames.frame(frames.HEADERS, BOMB), id="large"),
        pytest.param(head([(b"x", b"")] * 300), id="many"),
    ],
)
def test_a_bomb_in_trailers_of_a_request(trailers: bytes) -> None:  # RFC 9114 §4.2.2
    peer = BadPeer(is_client=True)
    arm(peer)
    stream_id = peer.request(head(GET) + data(b"x") + trailers)
    peer.pair.server.read_body(stream_id)
    peer.pair.run()

    failed = [event for event in peer.pair.server_events if isinstance(event, RequestFailed)]
    assert [H3_EXCESSIVE_LOAD] == [event.code for event in failed]
    assert peer.closed is None


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(frames.frame(frames.HEADERS, BOMB), id="large"),
        pytest.param(head([*OK, *((b"x", b"") for _ in range(300))]), id="many"),
        pytest.param(head(OK) + data(b"x") + frames.frame(frames.HEADERS, BOMB), id="large trailers"),
        pytest.param(head(OK) + data(b"x") + head([(b"x", b"")] * 300), id="many trailers"),
    ],
)
def test_a_bomb_in_a_response(response: bytes) -> None:  # RFC 9114 §4.2.2
    peer = BadPeer(is_client=False)
    arm(peer)
    stream_id = peer.respond(response)
    peer.pair.client.read_body(stream_id)
    peer.pair.run()

    failed = [event for event in peer.pair.client_events if isinstance(event, RequestFailed)]
    assert [H3_EXCESSIVE_LOAD] == [event.code for event in failed]
    assert peer.closed is None


def test_many_fields_are_answered_with_431() -> None:  # RFC 9114 §4.2.2
    peer = BadPeer(is_client=True)
    peer.greet()
    stream_id = peer.request(MANY, end=False)

    assert {stream_id: H3_EXCESSIVE_LOAD} == peer.theirs.stopped


def test_blocked_streams_hold_no_more_than_their_number_and_size() -> None:  # RFC 9204 §2.1.2
    peer = BadPeer(is_client=True)
    peer.greet()
    large = frames.frame(frames.HEADERS, b"\x02\0\x80" + bytes(60_000))
    for _ in range(16):
        peer.request(large, end=False)
    assert peer.closed is None
    peer.request(large, end=False)

    assert QPACK_DECOMPRESSION_FAILED == peer.closed


def test_a_frame_of_fields_beyond_the_limit_is_not_collected() -> None:
    peer = BadPeer(is_client=True)
    peer.greet()
    stream_id = peer.request(frames.frame_header(frames.HEADERS, 1 << 20), end=False)

    assert {stream_id: H3_EXCESSIVE_LOAD} == peer.theirs.stopped


def test_abandoning_many_requests_is_excessive() -> None:  # rigs M7
    peer = BadPeer(is_client=True)
    peer.greet()
    count = 0
    while peer.closed is None and count < 1000:
        stream_id = peer.request(head(GET), end=False)
        peer.transport.reset(stream_id, 0x10C)
        peer.pair.run()
        count += 1

    assert H3_EXCESSIVE_LOAD == peer.closed
    assert 201 == count


def test_completed_requests_earn_credit() -> None:
    peer = BadPeer(is_client=True)
    peer.greet()
    for _ in range(500):
        stream_id = peer.request(head(GET), end=False)
        peer.transport.reset(stream_id, 0x10C)
        peer.pair.run()
        stream_id = peer.request(head(GET))
        peer.pair.server.send_headers(stream_id, OK, True)
        peer.pair.run()

    assert peer.closed is None
