import pickle
import random
from collections.abc import Callable

import pytest

from qhttp3 import frames
from qhttp3.config import H3Config, StreamKind
from qhttp3.engine import H3Engine
from qhttp3.errors import (
    H3_INTERNAL_ERROR,
    H3_NO_ERROR,
    H3_REQUEST_CANCELLED,
    H3_REQUEST_REJECTED,
    GoingAway,
    MalformedMessage,
    UsageError,
)
from qhttp3.events import (
    BodyWritable,
    DataReadable,
    Field,
    GoawayReceived,
    H3Event,
    HeadersReceived,
    HttpDatagramReceived,
    InformationalReceived,
    PriorityUpdated,
    RequestFailed,
    RequestsAvailable,
    SendingStopped,
    SettingsReceived,
    TrailersReceived,
)
from qhttp3.observer import Observer
from qhttp3.qpack import EncoderPolicy, Insert
from qhttp3.raw_frame import RawFrame
from qhttp3.settings import H3Settings
from qhttp3.testing import MemoryTransport, Pair

LAST_REQUEST = (1 << 62) - 4
GET: list[Field] = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":authority", b"a.example"),
    (b":path", b"/"),
]
POST: list[Field] = [(b":method", b"POST"), *GET[1:]]
OK: list[Field] = [(b":status", b"200")]


def request(pair: Pair, fields: list[Field] = GET, end: bool = True) -> int:
    stream_id = pair.client.send_request(fields, end)
    assert stream_id is not None
    pair.run()
    return stream_id


def drain(engine: H3Engine, stream_id: int) -> tuple[bytes, bool]:
    body = b""
    while True:
        data, end = engine.read_body(stream_id, 7)
        body += data
        if end or not data:
            return body, end


def of(events: list[H3Event], kind: type) -> list[H3Event]:
    return [event for event in events if isinstance(event, kind)]


def test_settings_are_exchanged() -> None:
    settings = H3Settings([(1, 4096), (7, 3), (6, 9000), (0x21, 7)])
    pair = Pair(client=H3Config(settings=settings))
    pair.run()

    assert settings == pair.server.peer_settings
    assert pair.server.config.settings == pair.client.peer_settings
    assert [SettingsReceived()] == pair.client_events == pair.server_events


def test_a_request_and_its_response() -> None:
    pair = Pair()
    stream_id = request(pair, [*GET, (b"X-Y", b"z")])

    assert [HeadersReceived(stream_id, [*GET, (b"x-y", b"z")], True)] == of(
        pair.server_events, HeadersReceived
    )
    pair.server.send_headers(stream_id, [*OK, (b"server", b"this")])
    assert 5 == pair.server.send_data(stream_id, b"hello", True)
    pair.run()
    assert [
        HeadersReceived(stream_id, [*OK, (b"server", b"this")], False),
        DataReadable(stream_id),
    ] == pair.client_events[1:]
    assert (b"hello", True) == pair.client.read_body(stream_id)
    assert 0 == pair.client.request_count == pair.server.request_count


def test_bodies_and_trailers_both_ways() -> None:
    pair = Pair()
    stream_id = request(pair, POST, end=False)
    pair.client.send_data(stream_id, b"first")
    pair.client.send_data(stream_id, b"second")
    pair.client.send_headers(stream_id, [(b"sum", b"1")])
    pair.run()
    assert (b"firstsecond", True) == drain(pair.server, stream_id)
    pair.server.send_headers(stream_id, OK)
    pair.server.send_data(stream_id, b"third")
    pair.server.send_headers(stream_id, [(b"sum", b"2")])
    pair.run()
    assert (b"third", True) == drain(pair.client, stream_id)
    pair.run()

    assert [TrailersReceived(stream_id, [(b"sum", b"1")])] == of(pair.server_events, TrailersReceived)
    assert [TrailersReceived(stream_id, [(b"sum", b"2")])] == of(pair.client_events, TrailersReceived)
    assert 0 == pair.client.request_count == pair.server.request_count


def test_interim_responses_come_first() -> None:  # RFC 9114 §4.1
    pair = Pair()
    stream_id = request(pair)
    for status in (b"100", b"103"):
        pair.server.send_headers(stream_id, [(b":status", status)])
    pair.server.send_headers(stream_id, [(b":status", b"204")], True)
    pair.run()

    assert [
        InformationalReceived(stream_id, [(b":status", b"100")]),
        InformationalReceived(stream_id, [(b":status", b"103")]),
        HeadersReceived(stream_id, [(b":status", b"204")], True),
    ] == pair.client_events[1:]


def test_a_response_to_head_has_a_length_and_no_body() -> None:  # RFC 9110 §9.3.2
    pair = Pair()
    stream_id = request(pair, [(b":method", b"HEAD"), *GET[1:]])
    pair.server.send_headers(stream_id, [*OK, (b"content-length", b"100")], True)
    pair.run()

    assert [] == of(pair.client_events, RequestFailed)
    assert 0 == pair.client.request_count


def size_of(seed: int) -> Callable[[int], int]:
    rng = random.Random(seed)
    return lambda available: rng.choice((1, 2, 3, 7, 64, available))


@pytest.mark.parametrize("seed", range(40))
def test_many_requests_in_pieces(seed: int) -> None:
    rng = random.Random(seed)
    insert = rng.choice(list(Insert))
    config = H3Config(qpack=EncoderPolicy(insert=insert))
    pair = Pair(config, config, size_of=size_of(seed), window=rng.choice((50, 1000, 1 << 20)))
    bodies = {
        request(pair, [*POST, (b"x-n", b"%d" % number)], False): rng.randbytes(rng.randrange(2000))
        for number in range(8)
    }
    for stream_id, body in bodies.items():
        assert len(body) == pair.client.send_data(stream_id, body)
        pair.client.send_headers(stream_id, [(b"x-trailer", b"%d" % stream_id)])
    received = dict.fromkeys(bodies, b"")
    answered = dict.fromkeys(bodies, b"")
    ended: set[int] = set()
    moved = True
    while moved or pair.client_events or pair.server_events:
        moved = pair.step()
        events, pair.server_events = pair.server_events, []
        for event in events:
            if isinstance(event, DataReadable):
                data, end = drain(pair.server, event.stream_id)
                received[event.stream_id] += data
                if end:
                    pair.server.send_headers(event.stream_id, [(b":status", b"103"), (b"link", b"x")])
                    pair.server.send_headers(event.stream_id, [*OK, (b"x-n", b"%d" % event.stream_id)])
                    pair.server.send_data(event.stream_id, received[event.stream_id][::-1], True)
        events, pair.client_events = pair.client_events, []
        for event in events:
            if isinstance(event, DataReadable):
                data, end = drain(pair.client, event.stream_id)
                answered[event.stream_id] += data
                ended.update([event.stream_id] if end else [])

    assert bodies == received
    assert {stream_id: body[::-1] for stream_id, body in bodies.items()} == answered
    assert set(bodies) == ended
    assert pair.client_transport.closed is None
    assert pair.server_transport.closed is None
    assert 0 == pair.client.request_count == pair.server.request_count


def test_a_body_that_nobody_reads_stays_in_the_transport() -> None:
    pair = Pair(window=10_000, send_buffer=10_000)
    stream_id = request(pair, POST, end=False)
    sent = 0
    while taken := pair.client.send_data(stream_id, b"x" * 3000):
        sent += taken
        pair.run()
    stream = pair.server._requests.under_way.get(stream_id)

    assert stream is not None
    assert 4096 >= len(stream._buffer)
    assert 10_000 + 10_000 + 4096 >= sent
    assert [] == of(pair.client_events, BodyWritable)
    received = 0
    while data := drain(pair.server, stream_id)[0]:
        received += len(data)
        pair.run()
    assert sent == received
    assert [BodyWritable(stream_id)] == of(pair.client_events, BodyWritable)


def test_what_does_not_fit_is_not_taken() -> None:
    pair = Pair(send_buffer=1000)
    stream_id = request(pair, POST, end=False)

    assert 1000 == pair.client.send_data(stream_id, b"x" * 3000, True)
    assert 0 == pair.client.send_data(stream_id, b"x" * 2000, True)
    pair.run()
    assert [BodyWritable(stream_id)] == of(pair.client_events, BodyWritable)
    assert (b"x" * 1000, False) == drain(pair.server, stream_id)


def test_reading_in_small_steps_sees_every_byte_and_the_end() -> None:
    pair = Pair()
    stream_id = request(pair, POST, end=False)
    for size in (0, 1, 5000, 3):
        pair.client.send_data(stream_id, b"y" * size)
    pair.client.send_data(stream_id, b"", True)
    pair.run()
    steps = []
    while True:
        data, end = pair.server.read_body(stream_id, 1000)
        steps.append(len(data))
        if end:
            break

    assert 5004 == sum(steps)
    assert 1000 == max(steps)


def test_cancelling_a_request_stops_both_directions() -> None:
    pair = Pair()
    stream_id = request(pair, POST, end=False)
    pair.client.cancel(stream_id)
    pair.run()

    assert {stream_id: H3_REQUEST_CANCELLED} == pair.client_transport.resets == pair.client_transport.stopped
    assert [RequestFailed(stream_id, H3_REQUEST_CANCELLED, "reset by the peer", False)] == of(
        pair.server_events, RequestFailed
    )
    assert 0 == pair.client.request_count == pair.server.request_count


def test_a_server_may_answer_before_it_has_heard_everything() -> None:  # RFC 9114 §4.1
    pair = Pair()
    stream_id = request(pair, POST, end=False)
    pair.server.send_headers(stream_id, OK, True)
    pair.server.stop_reading(stream_id)
    pair.run()

    assert [SendingStopped(stream_id, H3_NO_ERROR)] == of(pair.client_events, SendingStopped)
    assert [HeadersReceived(stream_id, OK, True)] == of(pair.client_events, HeadersReceived)
    assert 0 == pair.client.request_count == pair.server.request_count
    with pytest.raises(UsageError):
        pair.client.send_data(stream_id, b"more")


def test_a_server_that_gives_up_resets() -> None:
    pair = Pair()
    stream_id = request(pair)
    pair.server.send_headers(stream_id, OK)
    pair.server.cancel(stream_id, H3_INTERNAL_ERROR)
    pair.run()

    assert [RequestFailed(stream_id, H3_INTERNAL_ERROR, "reset by the peer", False)] == of(
        pair.client_events, RequestFailed
    )


def test_a_server_going_away_refuses_what_is_new() -> None:  # RFC 9114 §5.2
    pair = Pair()
    first = request(pair)
    pair.server.goaway()
    second = pair.client.send_request(GET, True)  # crosses the GOAWAY
    pair.run()

    assert [GoawayReceived(first + 4)] == of(pair.client_events, GoawayReceived)
    failed = of(pair.client_events, RequestFailed)
    assert [RequestFailed(4, H3_REQUEST_REJECTED, "the server is going away", False)] == failed
    assert second == 4
    assert isinstance(failed[0], RequestFailed)
    assert failed[0].is_unprocessed
    assert pair.client.is_going_away
    with pytest.raises(GoingAway):
        pair.client.send_request(GET, True)
    pair.server.send_headers(first, OK, True)
    pair.run()
    assert [HeadersReceived(first, OK, True)] == of(pair.client_events, HeadersReceived)


def test_a_request_that_crosses_goaway_is_rejected() -> None:  # RFC 9114 §5.2
    pair = Pair(with_client=False)
    control = pair.client_transport.open_stream(False)
    pair.client_transport.send(control, b"\0" + frames.frame(frames.SETTINGS, b""))
    pair.run()
    pair.server.goaway()
    stream_id = pair.client_transport.open_stream()
    pair.client_transport.send(stream_id, b"\x01\x03\0\0\xd1", True)
    pair.run()

    assert {stream_id: H3_REQUEST_REJECTED} == pair.server_transport.resets == pair.server_transport.stopped
    assert [] == of(pair.server_events, HeadersReceived)


def test_request_that_crosses_the_first_of_two_goaways_is_taken() -> None:  # RFC 9114 §5.2
    pair = Pair()
    pair.server.goaway(LAST_REQUEST)
    crossing = pair.client.send_request(GET, True)
    assert crossing is not None
    pair.run()
    pair.server.goaway()
    pair.run()

    assert [HeadersReceived(crossing, GET, True)] == of(pair.server_events, HeadersReceived)
    goaways = of(pair.client_events, GoawayReceived)
    assert [GoawayReceived(LAST_REQUEST), GoawayReceived(crossing + 4)] == goaways
    assert [] == of(pair.client_events, RequestFailed)


def test_goaway_never_grows() -> None:
    pair = Pair()
    request(pair)
    pair.server.goaway(8)
    pair.server.goaway(4)
    with pytest.raises(UsageError):
        pair.server.goaway(8)
    with pytest.raises(UsageError):
        pair.server.goaway(1)
    pair.client.goaway()
    pair.run()

    assert [GoawayReceived(8), GoawayReceived(4)] == of(pair.client_events, GoawayReceived)
    assert [GoawayReceived(0)] == of(pair.server_events, GoawayReceived)


def test_requests_wait_for_streams() -> None:
    pair = Pair()
    pair.client_transport.max_bidi = 1
    request(pair)

    assert pair.client.send_request(GET, True) is None
    pair.client_transport.max_bidi = 2
    pair.client.streams_available(True)
    pair.client.streams_available(True)
    assert [RequestsAvailable()] == pair.client.events()
    assert 4 == pair.client.send_request(GET, True)


def test_our_streams_wait_for_credit() -> None:
    pair = Pair(with_client=False)
    transport = pair.server_transport
    late = H3Engine(transport, is_client=False)
    transport.max_uni = 4
    late.start()
    before = {stream_id for stream_id in transport.outgoing if stream_id > 11}
    transport.max_uni = 6
    late.streams_available(False)

    assert {15} == before
    assert [b"\x00", b"\x02", b"\x03"] == [
        bytes(transport.outgoing[stream_id].data[:1]) for stream_id in (15, 19, 23)
    ]


def test_streams_may_arrive_in_any_order() -> None:
    pair = Pair()
    for _ in range(3):
        pair.client.send_request(GET, True)
    held = {stream_id: pair.client_transport.outgoing.pop(stream_id) for stream_id in (0, 4)}
    pair.run()
    pair.client_transport.outgoing.update(held)
    pair.run()

    received = of(pair.server_events, HeadersReceived)
    assert [8, 0, 4] == [event.stream_id for event in received if isinstance(event, HeadersReceived)]


def test_what_arrived_before_the_end_can_still_be_read() -> None:
    pair = Pair()
    stream_id = request(pair)
    pair.server.send_headers(stream_id, OK)
    pair.server.send_data(stream_id, b"last words", True)
    pair.server_transport.deliver(pair.client_transport, None, int)
    pair.client.connection_ended()
    pair.client.stream_readable(stream_id)

    assert [HeadersReceived(stream_id, OK, False), DataReadable(stream_id)] == pair.client.events()
    assert (b"last words", True) == pair.client.read_body(stream_id)
    with pytest.raises(GoingAway):
        pair.client.send_request(GET)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(GET[:3], id="no path"),
        pytest.param([*GET, (b"connection", b"close")], id="connection"),
        pytest.param([*GET, (b"x", b"a\r\nb: c")], id="line break"),
        pytest.param([*GET, (b"x", b"y" * 70_000)], id="more than the peer accepts"),
    ],
)
def test_malformed_requests_are_not_sent(fields: list[Field]) -> None:
    pair = Pair()
    pair.run()
    with pytest.raises(MalformedMessage):
        pair.client.send_request(fields)

    assert 0 == pair.client.request_count
    assert 0 == pair.client_transport._opened[0]


def test_malformed_responses_are_not_sent() -> None:
    pair = Pair()
    stream_id = request(pair)
    for fields in (
        [(b":status", b"20")],
        [(b":path", b"/")],
        [],
        [(b":status", b"200"), (b"upgrade", b"h2")],
    ):
        with pytest.raises(MalformedMessage):
            pair.server.send_headers(stream_id, fields)
    with pytest.raises(UsageError):
        pair.server.send_data(stream_id, b"body before head")
    pair.server.send_headers(stream_id, OK, True)
    with pytest.raises(UsageError):
        pair.server.send_headers(stream_id, OK)
    with pytest.raises(UsageError):
        pair.server.send_headers(400, OK)


def test_fields_wait_for_the_encoder_stream() -> None:  # RFC 9204 §2.1.2
    config = H3Config(qpack=EncoderPolicy(insert=Insert.EVERYTHING))
    pair = Pair(client=config)
    pair.run()
    stream_id = pair.client.send_request([*GET, (b"x-a", b"b")], True)
    assert stream_id is not None
    encoder = pair.client_transport.outgoing.pop(6)
    pair.run()
    assert [] == of(pair.server_events, HeadersReceived)
    pair.client_transport.outgoing[6] = encoder
    pair.run()

    assert [HeadersReceived(stream_id, [*GET, (b"x-a", b"b")], True)] == of(
        pair.server_events, HeadersReceived
    )
    pair.server.send_headers(stream_id, OK, True)
    pair.run()
    assert 0 == pair.client._plane.encoder._outstanding_count


def test_a_blocked_request_can_be_reset() -> None:
    pair = Pair(client=H3Config(qpack=EncoderPolicy(insert=Insert.EVERYTHING)))
    pair.run()
    stream_id = pair.client.send_request([*GET, (b"x-a", b"b")], True)
    assert stream_id is not None
    encoder = pair.client_transport.outgoing.pop(6)
    pair.run()
    pair.client.cancel(stream_id)
    pair.client_transport.outgoing[6] = encoder
    pair.run()

    assert pair.server_transport.closed is None
    assert pair.client_transport.closed is None
    assert 0 == pair.client._plane.encoder._outstanding_count


def test_priorities() -> None:  # RFC 9218 §7
    pair = Pair(client=H3Config(priority_update=b"u=1, i"))
    first = request(pair)
    second = pair.client.send_request(GET, True, priority_update=b"u=6")
    assert second is not None
    pair.client.send_priority_update(second, b"u=7")
    third = pair.client.send_request([*GET, (b"priority", b"u=2")], True)
    assert third is not None
    pair.run()

    assert [
        PriorityUpdated(first, b"u=1, i"),
        PriorityUpdated(second, b"u=6"),
        PriorityUpdated(second, b"u=7"),
        PriorityUpdated(third, b"u=2"),
    ] == of(pair.server_events, PriorityUpdated)


def test_http_datagrams() -> None:  # RFC 9297
    config = H3Config(settings=H3Settings.build(h3_datagram=True))
    pair = Pair(config, config)
    stream_id = request(pair, POST, end=False)
    assert pair.client.send_datagram(stream_id, b"ping")
    pair.run()
    assert pair.server.send_datagram(stream_id, b"pong")
    pair.run()

    assert [HttpDatagramReceived(stream_id, b"ping")] == of(pair.server_events, HttpDatagramReceived)
    assert [HttpDatagramReceived(stream_id, b"pong")] == of(pair.client_events, HttpDatagramReceived)
    plain = Pair()
    with pytest.raises(UsageError):
        plain.client.send_datagram(request(plain, POST, end=False), b"x")


CHROME = H3Config(
    settings=H3Settings([(1, 65536), (6, 262144), (7, 100), (0x33, 1), (0x1F * 5 + 0x21, 99)]),
    stream_order=(StreamKind.CONTROL, StreamKind.DECODER, StreamKind.ENCODER),
    lazy_streams=frozenset((StreamKind.DECODER, StreamKind.ENCODER)),
    control_frames=(RawFrame(0x1F * 9 + 0x21, b"ab", 8),),
    pseudo_order=(b":method", b":authority", b":scheme", b":path"),
    priority_update=b"u=0, i",
    qpack=EncoderPolicy(insert=Insert.EVERYTHING, capacity=65536),
)


def test_looks_are_configuration() -> None:
    pair = Pair(client=CHROME)
    transport = pair.client_transport
    hello = bytes(transport.outgoing[2].data)

    assert (
        b"\0" + frames.frame(frames.SETTINGS, CHROME.settings.encode()) + CHROME.control_frames[0].encode()
        == hello
    )
    assert [2, 6, 10] == sorted(transport.outgoing)
    assert b"" == bytes(transport.outgoing[6].data + transport.outgoing[10].data)
    pair.run()
    transport.outgoing[2].data.clear()
    assert 0 == pair.client.send_request([*GET, (b"user-agent", b"a"), (b"x", b"y")], True)

    assert frames.frame_with_id(frames.PRIORITY_UPDATE, 0, b"u=0, i") == bytes(transport.outgoing[2].data)
    assert b"\x02\x3f" == bytes(transport.outgoing[10].data[:2])
    assert 12 > len(transport.outgoing[0].data)
    assert b"" == bytes(transport.outgoing[6].data)
    pair.run()
    pair.server.send_headers(0, [*OK, (b"x", b"z")], True)
    received = pair.server_events[-1]
    assert isinstance(received, HeadersReceived)
    assert list(CHROME.pseudo_order) == [name for name, _ in received.fields[:4]]


def test_early_requests_use_remembered_settings() -> None:  # RFC 9114 §7.2.4.2
    remembered = H3Config().settings
    pair = Pair(client=CHROME, remembered=remembered)
    assert 0 == pair.client.send_request([*GET, (b"x", b"y")], True)
    assert b"" != bytes(pair.client_transport.outgoing[10].data)
    pair.run()

    assert [HeadersReceived(0, pair_fields(), True)] == of(pair.server_events, HeadersReceived)
    changed = Pair(remembered=H3Settings.build(qpack_max_table_capacity=100, max_field_section_size=100))
    changed.run()
    assert changed.client_transport.closed is not None


def pair_fields() -> list[Field]:
    by_name = dict(GET)
    return [*((name, by_name[name]) for name in CHROME.pseudo_order), (b"x", b"y")]


class Log(Observer):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def parameters_set(self, is_local: bool, entries: object) -> None:
        self.lines.append(f"parameters local={is_local}")

    def stream_type_set(
        self, stream_id: int, stream_type: str, is_local: bool, type_id: int | None = None
    ) -> None:
        self.lines.append(f"type {stream_id} {stream_type}")

    def frame_created(
        self,
        stream_id: int,
        frame_type: int,
        length: int,
        fields: object = (),
        value: int | None = None,
        data: bytes = b"",
    ) -> None:
        self.lines.append(f"created {stream_id} {frame_type:#x}")

    def frame_parsed(
        self,
        stream_id: int,
        frame_type: int,
        length: int,
        fields: object = (),
        value: int | None = None,
        data: bytes = b"",
    ) -> None:
        self.lines.append(f"parsed {stream_id} {frame_type:#x}")

    def goaway_sent(self, identifier: int) -> None:
        self.lines.append(f"goaway sent {identifier}")

    def goaway_received(self, identifier: int) -> None:
        self.lines.append(f"goaway received {identifier}")


def test_an_observer_hears_both_directions() -> None:
    client, server = Log(), Log()
    pair = Pair(client_observer=client, server_observer=server)
    stream_id = request(pair)
    pair.server.send_headers(stream_id, OK)
    pair.server.send_data(stream_id, b"x", True)
    pair.server.goaway()
    pair.run()
    pair.client.read_body(stream_id)

    assert client.lines[:5] == [
        "parameters local=True",
        "type 2 control",
        "type 6 qpack_encoder",
        "type 10 qpack_decoder",
        "created 2 0x4",
    ]
    for line in (
        "type 0 request",
        "created 0 0x1",
        "parsed 3 0x4",
        "parameters local=False",
        "parsed 0 0x1",
        "parsed 0 0x0",
    ):
        assert line in client.lines
    assert "goaway received 4" in client.lines
    for line in ("parsed 0 0x1", "created 0 0x1", "created 0 0x0", "goaway sent 4", "created 3 0x7"):
        assert line in server.lines


def test_nothing_happens_after_close() -> None:
    pair = Pair()
    stream_id = request(pair)
    pair.server.close()

    assert (H3_NO_ERROR, "") == pair.server_transport.closed
    pair.server.stream_readable(stream_id)
    pair.server.stream_reset(stream_id, 0)
    pair.server.stream_stopped(stream_id, 0)
    pair.server.datagram_received(b"")
    pair.server.goaway()
    assert [] == pair.server.events()
    assert (b"", False) == pair.server.read_body(stream_id)
    with pytest.raises(UsageError):
        pair.server.send_headers(stream_id, OK)


def test_configurations_can_be_pickled() -> None:
    assert CHROME == pickle.loads(pickle.dumps(CHROME))
    with pytest.raises(ValueError, match="once"):
        H3Config(stream_order=(StreamKind.CONTROL,))
    with pytest.raises(ValueError, match="control"):
        H3Config(lazy_streams=frozenset((StreamKind.CONTROL,)))


@pytest.mark.parametrize("seed", range(200))
def test_any_bytes_on_any_stream_do_no_harm(seed: int) -> None:
    rng = random.Random(seed)
    pair = Pair(with_client=False)
    transport = pair.client_transport
    transport.send(transport.open_stream(False), b"\0" + frames.frame(frames.SETTINGS, b""))
    for _ in range(10):
        stream_id = transport.open_stream(rng.random() < 0.6)
        for _ in range(rng.randrange(1, 4)):
            kind = rng.choice((0, 1, 1, 3, 4, 5, 7, 13, 0x21, 0xF0700))
            payload = rng.choice((rng.randbytes(rng.randrange(20)), b"\0\0\xd1\xd7\xc1\x50\x01a"))
            content = frames.frame(kind, payload) if rng.random() < 0.8 else rng.randbytes(rng.randrange(30))
            transport.send(stream_id, content)
        transport.outgoing[stream_id].end = rng.random() < 0.5
        pair.run()
        for event in pair.server_events:
            if isinstance(event, DataReadable):
                pair.server.read_body(event.stream_id)
        pair.server_events.clear()
        if pair.server.is_closed:
            break


class OrderedTransport(MemoryTransport):
    """Remembers which streams were written to, one after the other."""

    def __init__(self, is_client: bool) -> None:
        super().__init__(is_client)
        self.order: list[int] = []

    def send(self, stream_id: int, data: bytes, fin: bool = False) -> None:
        self.order.append(stream_id)
        super().send(stream_id, data, fin)


@pytest.mark.parametrize(("is_last", "order"), [(False, [6, 0]), (True, [0, 6])])
def test_instructions_go_before_or_behind_the_section_that_needs_them(
    is_last: bool, order: list[int]
) -> None:
    policy = EncoderPolicy(insert=Insert.EVERYTHING, instructions_last=is_last)
    transport = OrderedTransport(True)
    engine = H3Engine(
        transport, is_client=True, config=H3Config(qpack=policy), remembered=H3Config().settings
    )
    engine.start()
    transport.order.clear()
    engine.send_request(GET, True)

    assert order == transport.order


def test_capacity_of_remembered_settings_is_announced_at_once() -> None:
    policy = EncoderPolicy(insert=Insert.EVERYTHING, eager_capacity=True)
    transport = MemoryTransport(True)
    H3Engine(transport, is_client=True, config=H3Config(qpack=policy), remembered=H3Config().settings).start()

    assert bytes.fromhex("023fe11f") == bytes(transport.outgoing[6].data)  # RFC 9204 §4.3.1: 4096


def test_requests_apart_is_one_of_three() -> None:
    with pytest.raises(ValueError, match="apart"):
        H3Config(requests_apart="all")  # type: ignore[arg-type]  # what is wrong with it


@pytest.mark.parametrize("size", [0, 1, 4096, 10_000])
def test_a_response_can_be_sent_at_once(size: int) -> None:
    pair = Pair()
    stream_id = request(pair)

    assert size == pair.server.respond(stream_id, OK, bytes(size))
    pair.run()
    assert [HeadersReceived(stream_id, OK, size == 0)] == of(pair.client_events, HeadersReceived)
    assert (bytes(size), True) == drain(pair.client, stream_id)
    assert not pair.server.has_request(stream_id)


def test_a_response_is_sent_once_and_final() -> None:
    pair = Pair()
    stream_id = request(pair)
    with pytest.raises(UsageError, match="interim"):
        pair.server.respond(stream_id, [(b":status", b"103")], b"")
    pair.server.send_headers(stream_id, OK)

    with pytest.raises(UsageError, match="has begun"):
        pair.server.respond(stream_id, OK, b"")
