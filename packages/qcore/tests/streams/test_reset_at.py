"""Streams that are reset and deliver their beginning all the same. draft-ietf-quic-reliable-stream-reset."""

from collections.abc import Callable
from random import Random

import pytest

from qcore.errors import TransportError, UsageError
from qcore.events import StreamFinished, StreamReadable, StreamReset
from qcore.flow_control import ConnectionFlow
from qcore.streams import StreamLimits, StreamManager
from qwire.constants import FINAL_SIZE_ERROR, FRAME_ENCODING_ERROR, STREAM_STATE_ERROR
from qwire.frames import (
    Frame,
    MaxDataFrame,
    MaxStreamDataFrame,
    ResetStreamAtFrame,
    ResetStreamFrame,
    StopSendingFrame,
    StreamFrame,
)
from qwire.transport_parameters import TransportParameters

from .conftest import DEFAULT, Link, MakeSide, Side

DATA = Random(5).randbytes(60_000)
CODE = 0x1234


def writing(side: MakeSide, size: int, **options: object) -> tuple[Side, int]:
    """A client that has written so many bytes on a stream, none of which is sent."""
    client = side(is_client=True, **options)
    stream = client.streams.open()
    client.streams.send(stream, DATA[:size])
    return client, stream


def test_reset_follows_what_it_lets_through(side: MakeSide) -> None:
    client, stream = writing(side, 5_000)
    client.streams.reset(stream, CODE, 3_000)
    client.streams.send(stream, b"too late")

    frames = client.write_all()

    assert ResetStreamAtFrame(stream, CODE, 3_000, 3_000) == frames[-1]
    assert DATA[:3_000] == b"".join(frame.data for frame in frames if isinstance(frame, StreamFrame))
    assert not any(frame.fin for frame in frames if isinstance(frame, StreamFrame))


def test_final_size_is_that_of_what_was_sent(side: MakeSide) -> None:
    client, stream = writing(side, 5_000)
    client.write_all()
    client.streams.reset(stream, CODE, 100)

    assert [ResetStreamAtFrame(stream, CODE, 5_000, 100)] == client.write_all()


def test_end_that_was_sent_stays_the_end(side: MakeSide) -> None:
    client, stream = writing(side, 5_000)
    client.streams.send(stream, b"", True)
    sent = client.write_all()
    client.streams.reset(stream, CODE, 100)

    assert [ResetStreamAtFrame(stream, CODE, 5_000, 100)] == client.write_all()
    for frame in sent:
        client.streams.on_lost(frame)
    again = client.write_all()
    assert [(0, DATA[:100], False)] == [
        (frame.offset, frame.data, frame.fin) for frame in again if isinstance(frame, StreamFrame)
    ]


def test_reset_waits_for_credit(side: MakeSide) -> None:  # draft §5.1
    client, stream = writing(side, 50_000)
    client.streams.reset(stream, CODE, 40_000)
    assert not any(isinstance(frame, ResetStreamAtFrame) for frame in client.write_all())

    client.receive_all(MaxStreamDataFrame(stream, 45_000))

    assert ResetStreamAtFrame(stream, CODE, 40_000, 40_000) == client.write_all()[-1]


def test_reset_waits_for_credit_of_the_connection(side: MakeSide) -> None:
    tight = StreamLimits(data=500, bidi_local=9_000, bidi_remote=9_000, uni=0, streams_bidi=1, streams_uni=0)
    client, stream = writing(side, 5_000, peer=tight)
    client.streams.reset(stream, CODE, 1_000)
    assert not any(isinstance(frame, ResetStreamAtFrame) for frame in client.write_all())

    client.receive_all(MaxDataFrame(1_000))

    assert ResetStreamAtFrame(stream, CODE, 1_000, 1_000) == client.write_all()[-1]


def test_only_what_was_promised_is_repeated(side: MakeSide) -> None:
    client, stream = writing(side, 5_000)
    sent = client.write_all()
    client.streams.reset(stream, CODE, 2_500)
    sent += client.write_all()
    for frame in sent:
        client.streams.on_lost(frame)

    again = client.write_all()

    assert ResetStreamAtFrame(stream, CODE, 5_000, 2_500) in again
    assert DATA[:2_500] == b"".join(frame.data for frame in again if isinstance(frame, StreamFrame))


def test_sending_half_is_over_when_promise_and_reset_have_arrived(side: MakeSide) -> None:
    for order in (1, -1):
        client, stream = writing(side, 5_000)
        client.streams.reset(stream, CODE, 2_500)
        frames = client.write_all()[::order]
        for frame in frames[:-1]:
            client.streams.on_acked(frame)
        client.receive_all(ResetStreamFrame(stream, 0, 0))
        assert 1 == client.streams.open_count
        client.streams.on_acked(frames[-1])

        assert 0 == client.streams.open_count
        assert StreamFinished(stream) not in client.events()
        for frame in frames:
            client.streams.on_lost(frame)
            client.streams.on_acked(frame)
        assert [] == client.write_all()


def test_later_reset_may_only_promise_less(side: MakeSide) -> None:  # draft §5.2
    client, stream = writing(side, 5_000)
    client.streams.reset(stream, CODE, 2_500)
    client.write_all()
    client.streams.reset(stream, CODE, 2_500)
    client.streams.reset(stream, CODE, 4_000)
    assert [] == client.write_all()
    client.streams.reset(stream, 99, 1_000)
    assert [ResetStreamAtFrame(stream, CODE, 2_500, 1_000)] == client.write_all()
    client.streams.reset(stream, 99)
    assert [ResetStreamFrame(stream, CODE, 2_500)] == client.write_all()
    client.streams.reset(stream, 99, 500)
    assert [] == client.write_all()


def test_acknowledgement_of_an_older_promise_is_not_enough(side: MakeSide) -> None:
    client, stream = writing(side, 5_000)
    client.streams.reset(stream, CODE, 2_500)
    frames = client.write_all()
    client.streams.reset(stream, CODE, 1_000)
    (newest,) = client.write_all()
    client.receive_all(ResetStreamFrame(stream, 0, 0))
    for frame in frames:
        client.streams.on_acked(frame)
    assert 1 == client.streams.open_count

    client.streams.on_acked(newest)

    assert 0 == client.streams.open_count


def test_reader_who_stops_ends_the_promise(side: MakeSide) -> None:  # RFC 9000 §3.5
    client, stream = writing(side, 50_000)
    client.streams.reset(stream, CODE, 40_000)
    client.write_all()
    client.receive_all(StopSendingFrame(stream, 7))

    assert [ResetStreamFrame(stream, CODE, 30_000)] == client.write_all()


def test_promises_that_cannot_be_kept_are_refused(side: MakeSide) -> None:
    client, stream = writing(side, 500)
    with pytest.raises(UsageError, match="501 bytes of 500"):
        client.streams.reset(stream, CODE, 501)
    with pytest.raises(UsageError):
        client.streams.reset(stream, CODE, -1)
    assert [StreamFrame(stream, 0, DATA[:500], False)] == client.write_all()

    client = side(is_client=True, peer=None)
    client.streams.set_peer_limits(
        TransportParameters.build(initial_max_streams_bidi=1, initial_max_data=1_000)
    )
    stream = client.streams.open()
    client.streams.send(stream, b"data")
    with pytest.raises(UsageError, match="does not take"):
        client.streams.reset(stream, CODE, 4)


# The receiving half


def test_promised_bytes_come_before_the_reset(side: MakeSide) -> None:
    server = side()
    assert StreamReadable(0) in server.receive_all(StreamFrame(0, 0, b"first", False))
    assert [] == server.receive_all(ResetStreamAtFrame(0, CODE, 100, 10))
    assert (b"first", False) == server.streams.read(0)
    assert [StreamReadable(0)] == server.receive_all(StreamFrame(0, 5, b"second", False))

    assert (b"second", False) == server.streams.read(0)
    assert [StreamReset(0, CODE)] == server.events()


def test_reset_is_told_even_if_all_bytes_were_promised(side: MakeSide) -> None:
    server = side()
    server.receive_all(ResetStreamAtFrame(0, CODE, 5, 5), StreamFrame(0, 0, b"whole", False))

    assert (b"whole", False) == server.streams.read(0)
    assert [StreamReset(0, CODE)] == server.events()


def test_promise_of_nothing_is_a_plain_reset(side: MakeSide) -> None:
    assert StreamReset(0, CODE) in side().receive_all(ResetStreamAtFrame(0, CODE, 5, 0))


@pytest.mark.parametrize("sizes", [(5, 3), (3, 5)])
def test_smallest_promise_counts_in_any_order(side: MakeSide, sizes: tuple[int, int]) -> None:  # draft §5.2
    server = side()
    server.receive_all(*[ResetStreamAtFrame(0, CODE, 9, size) for size in sizes])
    server.receive_all(StreamFrame(0, 0, b"abc", False))

    assert (b"abc", False) == server.streams.read(0)
    assert [StreamReset(0, CODE)] == server.events()


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        pytest.param(ResetStreamAtFrame(0, CODE + 1, 9, 3), STREAM_STATE_ERROR, id="another code"),
        pytest.param(ResetStreamFrame(0, CODE + 1, 9), STREAM_STATE_ERROR, id="another code, plain"),
        pytest.param(ResetStreamAtFrame(0, CODE, 10, 5), FINAL_SIZE_ERROR, id="another size"),
        pytest.param(StreamFrame(0, 0, b"abc", True), FINAL_SIZE_ERROR, id="another end"),
    ],
)
def test_resets_that_contradict_are_violations(side: MakeSide, frame: Frame, code: int) -> None:  # draft §5.2
    server = side()
    server.receive_all(ResetStreamAtFrame(0, CODE, 9, 5))

    with pytest.raises(TransportError) as caught:
        server.receive(frame)

    assert (code, frame.type) == (caught.value.code, caught.value.frame_type)


def test_frame_that_was_not_offered_is_unknown() -> None:  # RFC 9000 §12.4
    streams = StreamManager(is_client=False, flow=ConnectionFlow(1_000, 1_000), local=DEFAULT)

    with pytest.raises(TransportError) as caught:
        streams.receive_reset_at(ResetStreamAtFrame(0, 0, 0, 0))

    assert FRAME_ENCODING_ERROR == caught.value.code


def test_credit_of_what_is_not_delivered_comes_back(side: MakeSide) -> None:  # RFC 9000 §4.5
    server = side()
    server.receive_all(StreamFrame(0, 0, bytes(10), False), ResetStreamAtFrame(0, CODE, 20_000, 10))
    server.streams.read(0)
    server.events()

    assert 20_000 == server.flow.window.consumed


# Both together


@pytest.mark.parametrize("loss", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(12))
def test_promise_is_kept_over_any_link(link: Callable[..., Link], seed: int, loss: float) -> None:
    made = link(seed, loss)
    random = Random(f"reset at {seed} {loss}")
    expected: dict[int, int] = {}
    for _ in range(4):
        stream = made.client.streams.open(bidirectional=False)
        made.client.streams.send(stream, DATA[: random.randrange(1, 20_000)])
        expected[stream] = -1
    received = {stream: b"" for stream in expected}
    resets: dict[int, int] = {}
    for step in range(3_000):
        for stream, promised in expected.items():
            if promised < 0 and random.random() < 0.05:
                written = made.client.streams._streams[stream].send
                assert written is not None
                expected[stream] = random.randrange(0, written.buffer.end + 1)
                made.client.streams.reset(stream, stream + 40, expected[stream])
            elif promised > 0 and random.random() < 0.02:
                expected[stream] = random.randrange(0, promised)
                made.client.streams.reset(stream, 1, expected[stream])
        is_busy = made.step()
        for event in made.server.events():
            if isinstance(event, StreamReset):
                resets[event.stream_id] = event.code
        for stream in received:
            if made.server.streams._streams.get(stream) is not None and stream not in resets:
                received[stream] += made.server.streams.read(stream)[0]
        if not is_busy and step > 200 and len(resets) == len(expected):
            break

    assert {stream: stream + 40 for stream in expected} == resets
    for stream, data in received.items():
        assert expected[stream] <= len(data)
        assert DATA[: len(data)] == data
    assert 0 == made.client.streams.open_count
