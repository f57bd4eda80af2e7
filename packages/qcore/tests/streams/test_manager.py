"""All streams of a connection."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from qcore import spaces
from qcore.errors import StreamLimitReached, TransportError, UnknownStream, UsageError
from qcore.events import (
    StreamFinished,
    StreamOpened,
    StreamReadable,
    StreamReset,
    StreamsAvailable,
    StreamStopped,
    StreamWritable,
)
from qcore.streams import StreamLimits
from qwire.constants import (
    FLOW_CONTROL_ERROR,
    FRAME_ENCODING_ERROR,
    PROTOCOL_VIOLATION,
    STREAM_LIMIT_ERROR,
    STREAM_STATE_ERROR,
)
from qwire.frames import (
    DataBlockedFrame,
    Frame,
    MaxDataFrame,
    MaxStreamDataFrame,
    MaxStreamsFrame,
    ResetStreamAtFrame,
    ResetStreamFrame,
    StopSendingFrame,
    StreamDataBlockedFrame,
    StreamFrame,
    StreamsBlockedFrame,
)

MakeSide = Callable[..., Any]
LIMITS = StreamLimits(
    data=100_000, bidi_local=30_000, bidi_remote=30_000, uni=20_000, streams_bidi=10, streams_uni=5
)


def changed(**values: int) -> StreamLimits:
    return StreamLimits(**{**LIMITS.values(), **values})


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        pytest.param(StreamFrame(0, 100_000_000, b"x", False), FLOW_CONTROL_ERROR, id="T1"),
        pytest.param(StreamFrame(1_000_000_000, 0, b"x", False), STREAM_LIMIT_ERROR, id="T2"),
        pytest.param(StreamFrame(40, 0, b"", False), STREAM_LIMIT_ERROR, id="T2 by one"),
        pytest.param(StreamFrame(22, 0, b"", False), STREAM_LIMIT_ERROR, id="T2 by one, one-way"),
        pytest.param(ResetStreamFrame(40, 0, 0), STREAM_LIMIT_ERROR, id="T2 by reset"),
        pytest.param(StopSendingFrame(40, 0), STREAM_LIMIT_ERROR, id="T2 by stop"),
        pytest.param(MaxStreamDataFrame(40, 9), STREAM_LIMIT_ERROR, id="T2 by credit"),
        pytest.param(StreamDataBlockedFrame(40, 9), STREAM_LIMIT_ERROR, id="T2 by blocked"),
        pytest.param(ResetStreamFrame(3, 0, 0), STREAM_STATE_ERROR, id="T16"),
        pytest.param(ResetStreamAtFrame(3, 0, 0, 0), STREAM_STATE_ERROR, id="T16 at"),
        pytest.param(StreamDataBlockedFrame(3, 0), STREAM_STATE_ERROR, id="blocked on a send-only stream"),
        pytest.param(StopSendingFrame(101, 0), STREAM_STATE_ERROR, id="T17"),
        pytest.param(StopSendingFrame(2, 0), STREAM_STATE_ERROR, id="stop of a receive-only stream"),
        pytest.param(StreamFrame(1, 0, b"x", False), STREAM_STATE_ERROR, id="T19"),
        pytest.param(ResetStreamFrame(1, 0, 0), STREAM_STATE_ERROR, id="T19 by reset"),
        pytest.param(StreamFrame(3, 0, b"x", False), STREAM_STATE_ERROR, id="T20"),
        pytest.param(MaxStreamDataFrame(101, 9), STREAM_STATE_ERROR, id="T21"),
        pytest.param(MaxStreamDataFrame(2, 9), STREAM_STATE_ERROR, id="T22"),
        pytest.param(MaxStreamsFrame(True, (1 << 60) + 1), FRAME_ENCODING_ERROR, id="T23"),
        pytest.param(MaxStreamsFrame(False, (1 << 60) + 1), FRAME_ENCODING_ERROR, id="T23 one-way"),
        pytest.param(StreamsBlockedFrame(True, (1 << 60) + 1), FRAME_ENCODING_ERROR, id="T24"),
        pytest.param(ResetStreamAtFrame(0, 0, 5, 6), FRAME_ENCODING_ERROR, id="more reliable than all"),
    ],
)
def test_refuses_what_the_peer_must_not_send(
    side: MakeSide, frame: Frame, code: int
) -> None:  # RFC 9000 §3, §19
    server = side()

    with pytest.raises(TransportError) as caught:
        server.receive(frame)

    assert code == caught.value.code
    assert frame.type == caught.value.frame_type
    assert {StreamOpened} >= {type(event) for event in server.events()}


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        pytest.param(StreamFrame(2, 0, b"x", False), STREAM_STATE_ERROR, id="data on our one-way stream"),
        pytest.param(StreamFrame(0, 0, b"x", False), STREAM_STATE_ERROR, id="data on a stream never opened"),
        pytest.param(StopSendingFrame(3, 0), STREAM_STATE_ERROR, id="stop of the server's one-way stream"),
        pytest.param(StreamFrame(41, 0, b"x", False), STREAM_LIMIT_ERROR, id="beyond the limit"),
    ],
)
def test_refuses_the_same_of_a_server(side: MakeSide, frame: Frame, code: int) -> None:
    client = side(is_client=True)

    with pytest.raises(TransportError) as caught:
        client.receive(frame)

    assert code == caught.value.code


def test_frames_at_the_limits_pass(side: MakeSide) -> None:
    server = side()

    server.receive_all(
        StreamFrame(36, 29_999, b"x", False),
        StreamFrame(18, 19_999, b"x", False),
        MaxStreamsFrame(True, 1 << 60),
        StreamsBlockedFrame(True, 1 << 60),
    )

    assert 2 == server.streams.open_count


@pytest.mark.parametrize(
    "frame",
    [
        StreamFrame(8, 0, b"", False),
        ResetStreamFrame(8, 0, 0),
        StreamDataBlockedFrame(8, 0),
        StopSendingFrame(8, 0),
        MaxStreamDataFrame(8, 50_000),
    ],
    ids=lambda frame: type(frame).__name__,
)
def test_any_frame_opens_a_stream_of_the_peer(side: MakeSide, frame: Frame) -> None:  # RFC 9000 §3
    server = side()

    assert StreamOpened(8) == server.receive_all(frame)[0]
    assert 1 == server.streams.open_count


def test_lower_streams_are_made_when_they_are_used(side: MakeSide) -> None:  # attack M7
    server = side()

    assert [StreamOpened(36), StreamReadable(36)] == server.receive_all(StreamFrame(36, 0, b"x", False))
    assert [StreamOpened(0), StreamReadable(0)] == server.receive_all(StreamFrame(0, 0, b"x", False))
    assert 2 == server.streams.open_count


def test_readable_is_told_once_until_drained(side: MakeSide) -> None:
    server = side()
    assert [StreamOpened(0)] == server.receive_all(StreamFrame(0, 3, b"def", False))
    assert [StreamReadable(0)] == server.receive_all(
        StreamFrame(0, 0, b"abc", False), StreamFrame(0, 6, b"g", False)
    )

    assert (b"ab", False) == server.streams.read(0, 2)
    assert [] == server.receive_all(StreamFrame(0, 7, b"h", False))
    assert (b"cdefgh", False) == server.streams.read(0)
    assert (b"", False) == server.streams.read(0)
    assert [StreamReadable(0)] == server.receive_all(StreamFrame(0, 8, b"", True))
    assert (b"", True) == server.streams.read(0)


def test_opens_up_to_the_limit_and_tells_when_more_are_allowed(side: MakeSide) -> None:
    client = side(is_client=True, peer=changed(streams_bidi=2, streams_uni=1))

    assert [0, 4, 2] == [client.streams.open(), client.streams.open(), client.streams.open(False)]
    for _ in range(2):
        with pytest.raises(StreamLimitReached, match="2 bidirectional"):
            client.streams.open()
    assert [StreamsBlockedFrame(True, 2)] == client.write_all()

    assert [StreamsAvailable(True)] == client.receive_all(MaxStreamsFrame(True, 3), MaxStreamsFrame(True, 3))
    assert 8 == client.streams.open()
    assert [] == client.receive_all(MaxStreamsFrame(True, 1), MaxStreamsFrame(False, 9))


def test_nothing_opens_before_the_limits_are_known(side: MakeSide) -> None:
    client = side(is_client=True, peer=None)

    with pytest.raises(StreamLimitReached):
        client.streams.open()


def test_sends_within_the_credit_of_a_stream(side: MakeSide) -> None:
    client = side(is_client=True, peer=changed(bidi_remote=1000))
    client.streams.send(client.streams.open(), bytes(1500))

    frames = client.write_all(room=600)

    assert 1000 == sum(len(frame.data) for frame in frames if isinstance(frame, StreamFrame))
    assert StreamDataBlockedFrame(0, 1000) == frames[-1]
    assert not client.streams.has_frames(spaces.APPLICATION)
    client.receive(MaxStreamDataFrame(0, 900))
    assert not client.streams.has_frames(spaces.APPLICATION)
    client.receive(MaxStreamDataFrame(0, 1500))
    assert [StreamFrame(0, 1000, bytes(500), False)] == client.write_all()


def test_sends_within_the_credit_of_the_connection(side: MakeSide) -> None:
    client = side(is_client=True, peer=changed(data=1000))
    for _ in range(3):
        client.streams.send(client.streams.open(), bytes(900))

    frames = client.write_all()

    assert 1000 == sum(len(frame.data) for frame in frames if isinstance(frame, StreamFrame))
    assert [DataBlockedFrame(1000)] == [frame for frame in frames if not isinstance(frame, StreamFrame)]
    assert not client.streams.has_frames(spaces.APPLICATION)
    client.receive(MaxDataFrame(2700))
    assert client.streams.has_frames(spaces.APPLICATION)
    assert 1700 == sum(len(frame.data) for frame in client.write_all() if isinstance(frame, StreamFrame))


def test_an_end_passes_without_credit_of_the_connection(side: MakeSide) -> None:
    client = side(is_client=True, peer=changed(data=10))
    client.streams.send(client.streams.open(), bytes(10))
    client.streams.send(client.streams.open(), b"", fin=True)

    assert [StreamFrame(0, 0, bytes(10), False), StreamFrame(4, 0, b"", True)] == client.write_all()


def test_lost_data_passes_without_credit_of_the_connection(side: MakeSide) -> None:
    client = side(is_client=True, peer=changed(data=500))
    client.streams.send(client.streams.open(), bytes(900))
    sent = client.write()
    client.write_all()

    for frame, source in sent:
        source.on_lost(frame)

    assert StreamFrame(0, 0, bytes(500), False) in client.write_all()
    client.receive(MaxDataFrame(900))
    assert [StreamFrame(0, 500, bytes(400), False)] == client.write_all()


def test_streams_share_packets_fairly(side: MakeSide) -> None:
    limits = changed(bidi_remote=1 << 20, data=1 << 24)
    client = side(is_client=True, peer=limits)
    for _ in range(5):
        client.streams.send(client.streams.open(), bytes(100_000))

    count = Counter(frame.stream_id for _ in range(50) for frame, _ in client.write())

    assert {10} == set(count.values())


def test_urgent_streams_go_first(side: MakeSide) -> None:  # RFC 9218
    client = side(is_client=True)
    for _ in range(2):
        client.streams.send(client.streams.open(), bytes(2000))

    client.streams.set_priority(4, 0, False)

    order = [frame.stream_id for frame in client.write_all()]
    assert sorted(order, reverse=True) == order


def test_streams_that_are_not_incremental_follow_one_another(side: MakeSide) -> None:  # RFC 9218 §10
    client = side(is_client=True)
    ids = [client.streams.open() for _ in range(3)]
    for stream_id in reversed(ids):
        client.streams.set_priority(stream_id, 3, False)
        client.streams.send(stream_id, bytes(2000))

    order = [frame.stream_id for frame in client.write_all()]
    assert sorted(order) == order
    assert {*ids} == {*order}


def test_writable_after_acknowledgements(side: MakeSide) -> None:
    client = side(is_client=True, send_buffer=3000)
    stream_id = client.streams.open()
    assert 3000 == client.streams.send_capacity(stream_id)
    client.streams.send(stream_id, bytes(4000))
    assert -1000 == client.streams.send_capacity(stream_id)
    sent = client.write() + client.write() + client.write()

    told = []
    for frame, source in sent:
        source.on_acked(frame)
        told.append(client.events())

    assert [[], [StreamWritable(0)], []] == told
    assert 0 < client.streams.send_capacity(stream_id)


def test_finished_when_all_is_acknowledged(side: MakeSide) -> None:
    client = side(is_client=True)
    stream_id = client.streams.open(False)
    client.streams.send(stream_id, b"all", fin=True)
    sent = client.write()
    assert [] == client.events()

    for frame, source in sent:
        source.on_acked(frame)

    assert [StreamFinished(2)] == client.events()
    assert 0 == client.streams.open_count


def test_stop_resets_our_side_with_the_same_code(side: MakeSide) -> None:  # RFC 9000 §3.5
    client = side(is_client=True)
    stream_id = client.streams.open()
    client.streams.send(stream_id, bytes(5000))
    sent = sum(len(frame.data) for frame, _ in client.write(room=500))

    assert [StreamStopped(0, 77)] == client.receive_all(StopSendingFrame(0, 77), StopSendingFrame(0, 78))
    assert [ResetStreamFrame(0, 77, sent)] == client.write_all()
    client.streams.send(stream_id, b"dropped")
    assert 0 < client.streams.send_capacity(stream_id)
    assert [] == client.write_all()


def test_reset_is_sent_until_acknowledged(side: MakeSide) -> None:
    client = side(is_client=True)
    stream_id = client.streams.open(False)
    client.streams.send(stream_id, b"abc")
    client.write()
    client.streams.reset(stream_id, 5)
    client.streams.reset(stream_id, 6)
    sent = client.write()
    assert [ResetStreamFrame(2, 5, 3)] == [frame for frame, _ in sent]

    for frame, source in sent:
        source.on_lost(frame)
    again = client.write()
    assert [ResetStreamFrame(2, 5, 3)] == [frame for frame, _ in again]
    for frame, source in again:
        source.on_acked(frame)

    assert 0 == client.streams.open_count
    client.streams.reset(stream_id, 7)
    assert [] == client.write_all()


def test_stop_sending_is_sent_until_the_stream_ends(side: MakeSide) -> None:
    server = side()
    server.receive_all(StreamFrame(2, 0, b"abc", False))
    server.streams.stop_sending(2, 5)
    server.streams.stop_sending(2, 6)
    sent = server.write()
    assert [StopSendingFrame(2, 5)] == [frame for frame, _ in sent]
    for frame, source in sent:
        source.on_lost(frame)
    sent = server.write()
    assert [StopSendingFrame(2, 5)] == [frame for frame, _ in sent]

    assert [] == server.receive_all(ResetStreamFrame(2, 5, 3))

    for frame, source in sent:
        source.on_lost(frame)
    assert [] == server.write_all()
    assert 0 == server.streams.open_count
    assert (b"", False) == server.streams.read(2)


def test_reset_of_the_peer_is_told_and_then_forgotten(side: MakeSide) -> None:
    server = side()
    server.receive_all(StreamFrame(2, 0, b"abc", False))

    server.receive(ResetStreamFrame(2, 9, 5))
    assert 1 == server.streams.open_count

    assert [StreamReset(2, 9)] == server.events()
    assert 0 == server.streams.open_count
    assert [] == server.receive_all(StreamFrame(2, 0, b"abc", False), ResetStreamFrame(2, 9, 5))
    assert 5 == server.flow.consumed


def test_both_halves_have_to_end(side: MakeSide) -> None:
    server = side()
    server.receive_all(StreamFrame(0, 0, b"request", True))
    assert (b"request", True) == server.streams.read(0)
    server.streams.send(0, b"response", fin=True)
    assert 1 == server.streams.open_count

    for frame, source in server.write():
        source.on_acked(frame)

    assert 0 == server.streams.open_count


def test_late_frames_of_closed_streams_are_ignored(side: MakeSide) -> None:
    server = side()
    server.receive_all(StreamFrame(0, 0, b"request", True))
    server.streams.read(0)
    server.streams.send(0, b"", fin=True)
    for frame, source in server.write():
        source.on_acked(frame)
    assert [StreamFinished(0)] == server.events()

    assert [] == server.receive_all(
        StreamFrame(0, 0, b"request", True),
        StreamFrame(0, 1_000_000, b"x", False),
        ResetStreamFrame(0, 0, 7),
        StopSendingFrame(0, 0),
        MaxStreamDataFrame(0, 1 << 40),
        StreamDataBlockedFrame(0, 0),
    )
    assert 0 == server.streams.open_count


def test_closed_streams_give_new_ones_once_they_were_read(side: MakeSide) -> None:
    server = side(limits=changed(streams_uni=4))
    for stream_id in (2, 6, 10, 14):
        server.receive_all(StreamFrame(stream_id, 0, b"x", True))
    assert [] == server.write_all()
    with pytest.raises(TransportError):
        server.receive(StreamFrame(18, 0, b"x", True))

    for stream_id in (2, 6, 10):
        server.streams.read(stream_id)

    assert [MaxStreamsFrame(False, 7)] == server.write_all()
    server.receive(StreamFrame(26, 0, b"x", True))


def test_two_thousand_streams_over_a_limit_of_ten(side: MakeSide) -> None:
    server = side(limits=changed(data=1 << 20))
    limit = 10

    for index in range(2000):
        assert index < limit
        server.receive_all(StreamFrame(index * 4, 0, b"GET", True))
        assert (b"GET", True) == server.streams.read(index * 4)
        server.streams.send(index * 4, b"OK", fin=True)
        for frame, source in server.write():
            source.on_acked(frame)
            if isinstance(frame, MaxStreamsFrame):
                limit = frame.maximum

    assert 0 == server.streams.open_count


def test_a_lost_limit_is_sent_as_the_newest(side: MakeSide) -> None:
    server = side(limits=changed(bidi_remote=1000))
    limits: list[Frame] = []
    sent: list[Any] = []
    for offset in range(0, 1000, 500):
        server.receive_all(StreamFrame(0, offset, bytes(500), False))
        server.streams.read(0)
        written = server.write(now=float(offset))
        sent += written
        limits += [frame for frame, _ in written]
    assert [MaxStreamDataFrame(0, 1500), MaxStreamDataFrame(0, 2000)] == limits

    for frame, source in sent:
        source.on_lost(frame)

    assert [MaxStreamDataFrame(0, 2000)] == server.write_all(now=1000.0)


def test_unread_data_makes_no_credit(side: MakeSide) -> None:  # attack M6
    server = side()
    for start in range(0, 30_000, 1000):
        server.receive_all(StreamFrame(0, start, bytes(1000), False))
    server.receive_all(StreamFrame(4, 29_999, b"x", False))

    assert [] == server.write_all()
    with pytest.raises(TransportError):
        server.receive(StreamFrame(0, 30_000, b"x", False))


def test_no_credit_for_a_stream_that_has_ended(side: MakeSide) -> None:
    server = side()
    server.receive_all(StreamFrame(2, 0, bytes(20_000), True))
    server.streams.read(2, 15_000)

    assert [] == server.write_all()


def test_a_stream_without_credit_gets_some(side: MakeSide) -> None:
    client = side(is_client=True, limits=changed(bidi_local=0))
    client.streams.open()

    (frame,) = client.write_all()

    assert isinstance(frame, MaxStreamDataFrame)
    assert 0 < frame.maximum


def test_a_flood_of_frames_about_streams_owes_one_of_each(side: MakeSide) -> None:  # attack M4
    server = side()
    server.receive_all(StreamFrame(0, 0, bytes(100), False))
    for _ in range(10_000):
        server.receive(StreamDataBlockedFrame(0, 0))
        server.receive(StreamsBlockedFrame(True, 0))
        server.receive(DataBlockedFrame(0))
        server.receive(StopSendingFrame(0, 1))

    assert 3 >= len(server.write_all())


@pytest.mark.parametrize(
    ("stream_id", "verb"),
    [
        pytest.param(4, "send", id="send on a stream never opened"),
        pytest.param(4, "read", id="read of a stream never opened"),
        pytest.param(1, "read", id="read of a stream that the peer never opened"),
        pytest.param(-4, "send", id="negative"),
        pytest.param(2, "read", id="read of our one-way stream"),
        pytest.param(2, "stop_sending", id="stop of our one-way stream"),
        pytest.param(3, "send", id="send on the peer's one-way stream"),
        pytest.param(3, "send_capacity", id="capacity of the peer's one-way stream"),
        pytest.param(3, "reset", id="reset of the peer's one-way stream"),
        pytest.param(3, "set_priority", id="priority of the peer's one-way stream"),
    ],
)
def test_refuses_verbs_on_streams_that_are_not_there(side: MakeSide, stream_id: int, verb: str) -> None:
    client = side(is_client=True)
    client.streams.open()
    client.streams.open(False)
    client.receive_all(StreamFrame(3, 0, b"x", False))
    arguments = {"send": (b"",), "reset": (0,), "stop_sending": (0,), "set_priority": (0, True)}

    with pytest.raises(UnknownStream):
        getattr(client.streams, verb)(stream_id, *arguments.get(verb, ()))


def test_refuses_data_after_the_end(side: MakeSide) -> None:
    client = side(is_client=True)
    stream_id = client.streams.open()
    client.streams.send(stream_id, b"abc", fin=True)

    with pytest.raises(UsageError, match="ended at 3"):
        client.streams.send(stream_id, b"d")


def test_remembered_limits_may_rise(side: MakeSide) -> None:  # RFC 9000 §7.4.1
    client = side(is_client=True, peer=changed(streams_bidi=1, bidi_remote=100))
    client.streams.send(client.streams.open(), bytes(300))
    with pytest.raises(StreamLimitReached):
        client.streams.open()
    assert 100 == sum(len(frame.data) for frame in client.write_all() if isinstance(frame, StreamFrame))

    client.streams.set_peer_limits(_parameters(streams_bidi=2, bidi_remote=300))

    assert [StreamsAvailable(True)] == client.events()
    assert [StreamFrame(0, 100, bytes(200), False)] == client.write_all()
    assert 4 == client.streams.open()


def _parameters(**values: int) -> Any:
    from qwire.transport_parameters import TransportParameters

    limits = {**LIMITS.values(), **values}
    return TransportParameters.build(
        initial_max_data=limits["data"],
        initial_max_stream_data_bidi_local=limits["bidi_local"],
        initial_max_stream_data_bidi_remote=limits["bidi_remote"],
        initial_max_stream_data_uni=limits["uni"],
        initial_max_streams_bidi=limits["streams_bidi"],
        initial_max_streams_uni=limits["streams_uni"],
    )


@pytest.mark.parametrize("name", list(LIMITS.values()))
def test_remembered_limits_may_not_fall(side: MakeSide, name: str) -> None:  # RFC 9000 §7.4.1
    client = side(is_client=True)

    with pytest.raises(TransportError, match=name) as caught:
        client.streams.set_peer_limits(_parameters(**{name: 1}))

    assert PROTOCOL_VIOLATION == caught.value.code


def test_rejected_early_data_leaves_nothing(side: MakeSide) -> None:  # RFC 9001 §4.6.2
    client = side(is_client=True)
    client.streams.send(client.streams.open(), bytes(500))
    client.write()
    client.streams.send(client.streams.open(), bytes(500))

    client.streams.reject_early_data()

    assert 0 == client.streams.open_count == client.flow.sent
    assert not client.streams.has_frames(spaces.APPLICATION)
    with pytest.raises(StreamLimitReached):
        client.streams.open()
    client.streams.set_peer_limits(_parameters(streams_bidi=1, data=700))
    assert [StreamsAvailable(True)] == client.events()
    assert 0 == client.streams.open()
    client.streams.send(0, bytes(600))
    assert [StreamFrame(0, 0, bytes(600), False)] == client.write_all()


def test_a_jump_of_credit_wakes_many_streams_once(side: MakeSide) -> None:
    client = side(is_client=True, peer=changed(data=0))
    for _ in range(10):
        client.streams.send(client.streams.open(), b"x")
    assert [DataBlockedFrame(0)] == client.write_all()

    client.receive(MaxDataFrame(10))

    assert list(range(0, 40, 4)) == [frame.stream_id for frame in client.write_all()]


@pytest.mark.parametrize("seed", range(30))
def test_all_bytes_arrive_over_a_bad_link(link: Callable[..., Any], seed: int) -> None:
    limits = changed(
        data=8_000, bidi_local=3_000, bidi_remote=3_000, uni=2_000, streams_bidi=3, streams_uni=2
    )
    connection = link(seed, 0.25, limits)
    random = connection.random
    requests = {index * 4: random.randbytes(random.randrange(12_000)) for index in range(12)}
    pending = list(requests.values())
    readable: set[int] = set()
    received: dict[int, bytearray] = {}
    returned: dict[int, bytearray] = {}
    opened: set[int] = set()
    done: set[int] = set()

    for _ in range(20_000):
        while pending:
            try:
                stream_id = connection.client.streams.open()
            except StreamLimitReached:
                break
            opened.add(stream_id)
            connection.client.streams.send(stream_id, pending.pop(0), fin=True)
        readable |= {
            event.stream_id for event in connection.server.events() if isinstance(event, StreamReadable)
        }
        for stream_id in list(readable):
            data, end = connection.server.streams.read(stream_id, random.choice((-1, 100, 1500)))
            received.setdefault(stream_id, bytearray()).extend(data)
            if data or end:
                connection.server.streams.send(stream_id, data, fin=end)
            else:
                readable.discard(stream_id)
            if end:
                readable.discard(stream_id)
        connection.client.events()
        for stream_id in requests.keys() - done:
            if stream_id in opened:
                data, end = connection.client.streams.read(stream_id)
                returned.setdefault(stream_id, bytearray()).extend(data)
                if end:
                    done.add(stream_id)
        if not connection.step() and len(done) == len(requests):
            break

    assert requests == received == returned
    assert 0 == connection.client.streams.open_count == connection.server.streams.open_count
    total = sum(map(len, requests.values()))
    assert total == connection.client.flow.sent == connection.server.flow.consumed
    finished = [event for event in connection.client.seen if isinstance(event, StreamFinished)]
    assert len(requests) == len(finished)
