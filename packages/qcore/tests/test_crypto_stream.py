"""Handshake bytes. RFC 9000 §7.5, §19.6."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qcore import spaces
from qcore.crypto_stream import BUFFER_LIMIT, CryptoStream
from qcore.errors import TransportError
from qwire.constants import CRYPTO_BUFFER_EXCEEDED
from qwire.frames import CryptoFrame, PingFrame

from . import packets


def written(stream: CryptoStream, room: int = 1200) -> list[CryptoFrame]:
    frames = packets.written(stream, room, space=spaces.INITIAL)
    return [frame for frame in frames if isinstance(frame, CryptoFrame)]


@given(st.binary(min_size=1, max_size=6000), st.integers(0, 1 << 32))
@settings(deadline=None, max_examples=100)
def test_everything_arrives_under_loss(data: bytes, seed: int) -> None:
    random = Random(seed)
    sender = CryptoStream(spaces.INITIAL)
    receiver = CryptoStream(spaces.INITIAL)
    received = b""
    position = 0
    flying: list[CryptoFrame] = []

    while not (sender.is_acked and position == len(data)):
        if position < len(data) and random.random() < 0.5:
            size = random.randint(1, 2000)
            sender.send(data[position : position + size])
            position = min(position + size, len(data))
        flying += written(sender, random.choice((30, 200, 1200)))
        if flying and random.random() < 0.8:
            frame = flying.pop(random.randrange(len(flying)))
            if random.random() < 0.3:
                sender.on_lost(frame)
            else:
                received += receiver.receive(frame)
                sender.on_acked(frame)

    assert data == received
    assert not sender.has_frames(spaces.INITIAL)


@pytest.mark.parametrize("room", [*range(20, 90), 1200])
def test_a_frame_fills_the_room(room: int) -> None:
    stream = CryptoStream(spaces.INITIAL)
    stream.send(bytes(3000))

    (frame,) = written(stream, room)

    # A length that would need a second byte may leave one byte free.
    assert frame.size() in (room, room - 1)


def test_no_crumbs_are_cut() -> None:
    stream = CryptoStream(spaces.INITIAL)
    stream.send(bytes(100))

    assert [] == written(stream, 18)
    assert [] == written(stream, 0)
    stream.on_lost(PingFrame())
    assert [(0, 100)] == stream.pending_ranges()


def test_frames_go_into_their_own_space_only() -> None:
    stream = CryptoStream(spaces.HANDSHAKE)
    stream.send(b"finished")

    assert stream.has_frames(spaces.HANDSHAKE)
    assert not stream.has_frames(spaces.INITIAL)


def test_a_layout_takes_ranges_by_itself() -> None:
    stream = CryptoStream(spaces.INITIAL)
    stream.send(b"0123456789")

    assert CryptoFrame(4, b"4567") == stream.take_range(4, 8)
    assert [(0, 4), (8, 10)] == stream.pending_ranges()
    assert (0, b"0123456789") == stream.pending()
    assert CryptoFrame(0, b"0123") == stream.take_range(0, 4)
    assert (8, b"89") == stream.pending()
    stream.take_range(8, 10)
    assert (10, b"") == stream.pending()
    assert not stream.has_frames(spaces.INITIAL)


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (3, 3), (4, 3), (9, 11)])
def test_refuses_ranges_that_are_not_there(start: int, stop: int) -> None:
    stream = CryptoStream(spaces.INITIAL)
    stream.send(b"0123456789")

    with pytest.raises(ValueError, match="not among 10"):
        stream.take_range(start, stop)


def test_a_probe_sees_what_is_not_acknowledged() -> None:
    stream = CryptoStream(spaces.INITIAL)
    stream.send(b"0123456789")
    written(stream)

    stream.on_acked(CryptoFrame(6, b"67"))
    assert (0, b"0123456789") == stream.unacked()
    stream.on_acked(CryptoFrame(0, b"0123"))
    assert (4, b"456789") == stream.unacked()
    stream.on_lost(CryptoFrame(0, b"0123456789"))
    assert [(4, 6), (8, 10)] == stream.pending_ranges()
    stream.on_acked(CryptoFrame(4, b"45"))
    stream.on_acked(CryptoFrame(8, b"89"))
    assert stream.is_acked
    assert (10, b"") == stream.unacked()


def test_restart_sends_everything_again() -> None:  # RFC 9000 §17.2.5.2
    stream = CryptoStream(spaces.INITIAL)
    stream.send(b"hello")
    written(stream)
    stream.on_acked(CryptoFrame(0, b"he"))

    stream.restart()

    assert [CryptoFrame(0, b"hello")] == written(stream)


def test_replace_changes_the_bytes() -> None:
    stream = CryptoStream(spaces.INITIAL)
    stream.send(b"hello of version 1")
    written(stream)

    stream.replace(b"hello again")

    assert [CryptoFrame(0, b"hello again")] == written(stream)
    assert 11 == stream.sent_size
    stream.on_acked(CryptoFrame(0, b"hello"))
    with pytest.raises(ValueError, match="acknowledged"):
        stream.replace(b"too late")


def test_a_peer_may_run_ahead_only_so_far() -> None:  # RFC 9000 §7.5, attack M1
    stream = CryptoStream(spaces.HANDSHAKE)
    assert b"ab" == stream.receive(CryptoFrame(0, b"ab"))
    stream.receive(CryptoFrame(BUFFER_LIMIT + 1, b"x"))

    with pytest.raises(TransportError) as caught:
        stream.receive(CryptoFrame(BUFFER_LIMIT + 2, b"x"))

    assert CRYPTO_BUFFER_EXCEEDED == caught.value.code


def test_fragments_end_the_connection() -> None:  # attack M1
    stream = CryptoStream(spaces.HANDSHAKE)

    with pytest.raises(TransportError, match="gaps") as caught:
        for index in range(100_000):
            stream.receive(CryptoFrame(1 + 2 * index, b"x"))

    assert CRYPTO_BUFFER_EXCEEDED == caught.value.code


def test_the_total_may_be_limited() -> None:
    stream = CryptoStream(spaces.APPLICATION, total_limit=100)
    stream.receive(CryptoFrame(0, bytes(60)))

    with pytest.raises(TransportError, match="100 allowed") as caught:
        stream.receive(CryptoFrame(60, bytes(41)))

    assert CRYPTO_BUFFER_EXCEEDED == caught.value.code
    assert 60 == stream.received_size


def test_what_is_settled_is_not_sent_again() -> None:  # an answer proves more than acknowledgements
    stream = CryptoStream(spaces.INITIAL)
    stream.send(bytes(100))
    frame = stream.take_range(0, 60)
    stream.settle(100)
    stream.send(b"second")
    stream.on_lost(frame)

    assert [(100, 106)] == stream.pending_ranges()
