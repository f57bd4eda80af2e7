"""Streams, datagrams and credit between two engines. After quic-go's integration tests."""

import pytest

from qcore.config import QuicConfig
from qcore.errors import ConnectionClosed, StreamLimitReached
from qcore.events import DatagramReceived, StreamReset, StreamsAvailable, StreamStopped
from qcore.testing import LinkConfig, Pair, Seeded
from qwire.frames import (
    AckFrame,
    DataBlockedFrame,
    MaxStreamsFrame,
    ResetStreamFrame,
    StreamDataBlockedFrame,
    StreamFrame,
    StreamsBlockedFrame,
)

COUNT = 50
SIZE = 4_000


def established(**options: object) -> Pair:
    pair = Pair(**options)  # type: ignore[arg-type]  # the options of Pair
    pair.run_until(lambda: pair.client.is_confirmed and pair.server is not None and pair.server.is_confirmed)
    return pair


def drained(pair: Pair) -> bool:
    return all(
        engine is not None and engine.parts.streams.open_count == 0 for engine in (pair.client, pair.server)
    )


@pytest.mark.parametrize("speaker", ["client", "server", "both"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_many_streams_at_once(bidirectional: bool, speaker: str) -> None:
    pair = established(to_server=LinkConfig(loss=0.05), to_client=LinkConfig(loss=0.05), seed=4)
    assert pair.server is not None
    expected: dict[tuple[str, int], bytes] = {}
    for engine, other, name in ((pair.client, "server", "client"), (pair.server, "client", "server")):
        if speaker in (name, "both"):
            for index in range(COUNT):
                stream = engine.open_stream(bidirectional)
                expected[other, stream] = Seeded(f"{name} {index}")(SIZE)
                engine.send(stream, expected[other, stream], True)
    pair.run_until(lambda: expected.keys() <= pair.finished)

    assert expected == {key: bytes(pair.received[key]) for key in expected}


@pytest.mark.parametrize("who", ["writer", "reader", "both", "before anything is sent"])
@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_storm_of_cancellations(who: str, loss: float) -> None:
    link = LinkConfig(loss=loss)
    pair = established(to_server=link, to_client=link, seed=5, server_config=QuicConfig(stream_window=2_000))
    assert pair.server is not None
    streams = [pair.client.open_stream(bidirectional=False) for _ in range(COUNT)]
    for index, stream in enumerate(streams):
        pair.client.send(stream, Seeded(f"{index}")(SIZE), True)
        if who == "before anything is sent" and index % 2:
            pair.client.reset(stream, index)
    if who != "before anything is sent":
        pair.run_for(0.02)
    for index, stream in enumerate(streams):
        if index % 2 and who in ("writer", "both"):
            pair.client.reset(stream, index)
        if index % 2 and who in ("reader", "both") and ("server", stream) in pair.received:
            pair.server.stop_sending(stream, index)
    pair.run_until(lambda: drained(pair), limit=30)

    for index, stream in enumerate(streams):
        if index % 2 == 0:
            assert Seeded(f"{index}")(SIZE) == pair.received["server", stream]
    told = [event for event in pair.server_events if isinstance(event, StreamReset)]
    assert all(streams[event.code] == event.stream_id for event in told)


def test_stopped_writer_resets_with_the_code_of_the_reader() -> None:  # RFC 9000 §3.5
    pair = established(server_config=QuicConfig(stream_window=5_000), auto_read=False)
    assert pair.server is not None
    stream = pair.client.open_stream()
    pair.client.send(stream, bytes(50_000))
    pair.run_for(0.2)
    pair.server.stop_sending(stream, 99)
    pair.run_until(lambda: StreamStopped(stream, 99) in pair.client_events)
    pair.run_for(0.2)

    resets = pair.client_trace.frames_sent(ResetStreamFrame)
    assert [(stream, 99)] == [(frame.stream_id, frame.error_code) for frame in resets]


def test_reset_gives_back_the_credit_of_what_was_not_read() -> None:  # RFC 9000 §4.5
    config = QuicConfig(stream_window=20_000, connection_window=20_000, max_connection_window=20_000)
    pair = established(server_config=config, auto_read=False)
    for index in range(5):
        stream = pair.client.open_stream()
        pair.client.send(stream, bytes(20_000))
        pair.run_for(0.5)
        pair.client.reset(stream, index)
        pair.run_until(lambda stream=stream, index=index: StreamReset(stream, index) in pair.server_events)  # type: ignore[misc]
        pair.run_for(0.2)

    sent = sum(len(frame.data) for frame in pair.client_trace.frames_sent(StreamFrame))
    assert sent >= 4 * 20_000


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        pytest.param(QuicConfig(stream_window=3_000), StreamDataBlockedFrame, id="stream"),
        pytest.param(QuicConfig(connection_window=3_000), DataBlockedFrame, id="connection"),
    ],
)
def test_blocked_sender_says_so_once_for_each_limit(
    config: QuicConfig, kind: type[StreamDataBlockedFrame] | type[DataBlockedFrame]
) -> None:  # RFC 9000 §4.1
    pair = established(server_config=config, auto_read=False)
    stream = pair.client.open_stream()
    pair.client.send(stream, bytes(10_000))
    pair.run_for(3.0)

    limits = [frame.limit for frame in pair.client_trace.frames_sent(kind)]
    assert limits
    assert {3_000} == set(limits)
    assert 3 >= len(limits), "also when it waits for long"


def test_opener_that_has_no_credit_says_so() -> None:  # RFC 9000 §4.6
    pair = established(server_config=QuicConfig(max_uni=3))
    for _ in range(3):
        pair.client.open_stream(bidirectional=False)
    with pytest.raises(StreamLimitReached):
        pair.client.open_stream(bidirectional=False)
    pair.run_for(0.5)

    assert [3] == [frame.limit for frame in pair.client_trace.frames_sent(StreamsBlockedFrame)]


def test_stream_credit_flows_for_as_long_as_streams_end() -> None:
    pair = established(server_config=QuicConfig(max_uni=5))
    sent: list[int] = []

    def pump() -> bool:
        while len(sent) < 200:
            try:
                stream = pair.client.open_stream(bidirectional=False)
            except StreamLimitReached:
                break
            pair.client.send(stream, b"x" * len(sent), True)
            sent.append(stream)
        return len(sent) == 200 and all(("server", stream) in pair.finished for stream in sent)

    pair.run_until(pump)
    assert StreamsAvailable(False) in pair.client_events
    # Not a frame for each stream that ends.
    assert len(pair.server_trace.frames_sent(MaxStreamsFrame)) < 150


def test_close_with_many_open_streams_ends_them_all() -> None:
    pair = established()
    assert pair.server is not None
    for _ in range(COUNT):
        pair.client.send(pair.client.open_stream(), bytes(SIZE))
    pair.run_for(0.1)
    pair.server.close(5, "enough")
    pair.run_until(
        lambda: pair.client.is_terminated and pair.server is not None and pair.server.is_terminated
    )

    for call in (
        lambda: pair.client.open_stream(),
        lambda: pair.client.send(0, b"x"),
        lambda: pair.client.ping(),
    ):
        with pytest.raises(ConnectionClosed):
            call()


def test_empty_stream_arrives() -> None:
    pair = established()
    stream = pair.client.open_stream()
    pair.client.send(stream, b"", True)
    pair.run_until(lambda: ("server", stream) in pair.finished)

    assert b"" == pair.received["server", stream]


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_datagrams_are_sent_once_and_arrive_at_most_once(loss: float) -> None:  # RFC 9221 §5.2
    pair = established(to_server=LinkConfig(loss=loss, duplicate=0.3), seed=11)
    sent = [b"%d" % index for index in range(100)]
    for data in sent:
        assert pair.client.send_datagram(data)
        pair.run_for(0.002)
    pair.run_for(1.0)
    got = [event.data for event in pair.server_events if isinstance(event, DatagramReceived)]

    assert len(set(got)) == len(got)
    assert set(got) <= set(sent)
    assert len(got) >= 100 * (1 - 2 * loss)


def test_datagrams_and_streams_share_the_link() -> None:
    link = LinkConfig(rate=1_250_000)
    pair = established(to_server=link, to_client=link)
    stream = pair.client.open_stream()
    data = Seeded("bulk")(400_000)
    pair.client.send(stream, data, True)
    count = 0
    while ("server", stream) not in pair.finished:
        count += pair.client.send_datagram(bytes(200))
        pair.run_for(0.01)

    assert data == pair.received["server", stream]
    arrived = sum(isinstance(event, DatagramReceived) for event in pair.server_events)
    assert arrived > 0.7 * count


def test_acknowledgements_are_bundled() -> None:  # RFC 9000 §13.2.2
    pair = established()
    stream = pair.client.open_stream()
    before = len(pair.server_trace.sent)
    pair.client.send(stream, bytes(300_000), True)
    pair.run_until(lambda: ("server", stream) in pair.finished)

    received = sum(
        any(isinstance(f, StreamFrame) for f in packet.frames) for packet in pair.server_trace.received
    )
    acks = sum(
        any(isinstance(f, AckFrame) for f in packet.frames) for packet in pair.server_trace.sent[before:]
    )
    assert acks < 0.55 * received


def test_lonely_packet_is_acknowledged_within_the_delay() -> None:  # RFC 9000 §13.2.1
    pair = established()
    pair.run_for(5.0)
    start = pair.now
    stream = pair.client.open_stream()
    pair.client.send(stream, b"x")
    pair.run_for(1.0)

    ack = next(
        packet
        for packet in pair.client_trace.received
        if packet.time > start and any(isinstance(frame, AckFrame) for frame in packet.frames)
    )
    assert ack.time - start <= 0.03 + 0.025 + 1e-6


def test_reordered_streams_come_out_in_order() -> None:
    link = LinkConfig(jitter=0.05)
    pair = established(to_server=link, to_client=link, seed=2)
    data = Seeded("reordered")(200_000)
    stream = pair.client.open_stream()
    pair.client.send(stream, data, True)
    pair.run_until(lambda: ("server", stream) in pair.finished)

    assert data == pair.received["server", stream]
