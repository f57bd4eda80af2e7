"""The sending half. RFC 9000 §3.1."""

from collections.abc import Callable

import pytest

from qcore.packing.builder import PacketBuilder
from qcore.packing.source import FrameSource
from qcore.streams.send import CONNECTION_BLOCKED, IDLE, NO_ROOM, READY, STREAM_BLOCKED, SendStream
from qcore.streams.states import SendState
from qwire.frames import StreamFrame

MakePacket = Callable[..., PacketBuilder]
OWNER = FrameSource()
MUCH = 1 << 30


def new_stream(limit: int = MUCH, bound: int = 10_000) -> SendStream:
    return SendStream(4, limit, bound)


def written(stream: SendStream, packet: PacketBuilder, credit: int = MUCH) -> StreamFrame:
    assert stream.write_frame(packet, OWNER, credit) != NO_ROOM
    frame = packet.frames[-1][0]
    assert isinstance(frame, StreamFrame)
    return frame


@pytest.mark.parametrize("room", range(40, 90))
@pytest.mark.parametrize("waiting", [1, 30, 37, 38, 62, 63, 64, 65, 66, 200])
def test_fills_a_packet_exactly_or_gives_a_length(packet: MakePacket, room: int, waiting: int) -> None:
    builder = packet(room)
    stream = new_stream()
    stream.write(bytes(waiting), fin=False)

    frame = written(stream, builder)

    assert frame.has_length or builder.room == 0
    # A varint that grows by a byte may leave one byte that nothing fits into.
    assert len(frame.data) == waiting or builder.room <= 1


@pytest.mark.parametrize("room", range(4, 20))
def test_a_little_room_is_used_by_those_who_want_to(packet: MakePacket, room: int) -> None:
    stream = new_stream()
    stream.write(bytes(1000), fin=False)
    builder = packet(room)
    assert NO_ROOM == stream.write_frame(builder, OWNER, MUCH)

    builder.smallest_cut = 1
    assert room - 2 == stream.write_frame(builder, OWNER, MUCH)
    assert 0 == builder.room


@pytest.mark.parametrize("room", range(1200, 1204))
def test_a_bulk_transfer_leaves_no_byte_of_a_packet_empty(packet: MakePacket, room: int) -> None:
    stream = new_stream()
    stream.write(bytes(100_000), fin=False)

    for _ in range(50):
        builder = packet(room)
        frame = written(stream, builder)
        assert 0 == builder.room
        assert not frame.has_length


def acked(stream: SendStream, frame: StreamFrame) -> bool:
    return stream.on_acked(frame.offset, len(frame.data), frame.fin)


def test_cuts_no_crumbs(packet: MakePacket) -> None:
    stream = new_stream()
    stream.write(bytes(1000), fin=False)

    assert NO_ROOM == stream.write_frame(packet(20), OWNER, MUCH)
    assert 0 == stream.buffer.next_offset


@pytest.mark.parametrize(("room", "size"), [(2, NO_ROOM), (3, 1), (20, 18)])
def test_cuts_crumbs_where_asked(packet: MakePacket, room: int, size: int) -> None:
    stream = new_stream()
    stream.write(bytes(1000), fin=False)

    builder = packet(room)
    builder.smallest_cut = 1
    assert size == stream.write_frame(builder, OWNER, MUCH)


def test_the_end_goes_with_the_last_bytes(packet: MakePacket) -> None:
    stream = new_stream()
    stream.write(b"bytes", fin=True)

    assert StreamFrame(4, 0, b"bytes", True, True) == written(stream, packet())
    assert SendState.DATA_SENT is stream.state
    assert IDLE == stream.readiness(MUCH)


def test_the_end_alone_needs_no_credit(packet: MakePacket) -> None:
    stream = new_stream(limit=0)
    stream.write(b"", fin=True)

    assert READY == stream.readiness(0)
    assert StreamFrame(4, 0, b"", True, True) == written(stream, packet(), credit=0)


def test_readiness_names_what_blocks() -> None:
    stream = new_stream(limit=10)
    assert IDLE == stream.readiness(MUCH)

    stream.write(bytes(20), fin=False)
    assert READY == stream.readiness(1)
    assert CONNECTION_BLOCKED == stream.readiness(0)
    stream.buffer.take(10)
    assert STREAM_BLOCKED == stream.readiness(MUCH)


def test_lost_bytes_need_no_credit(packet: MakePacket) -> None:  # RFC 9000 §4.1
    stream = new_stream(limit=5)
    stream.write(b"12345678", fin=False)
    first = written(stream, packet())
    stream.on_lost(first)

    assert READY == stream.readiness(0)
    builder = packet()
    assert 0 == stream.write_frame(builder, OWNER, 0)
    assert [StreamFrame(4, 0, b"12345", False, True)] == [frame for frame, _ in builder.frames]
    assert STREAM_BLOCKED == stream.readiness(0)


def test_a_lost_end_is_sent_again(packet: MakePacket) -> None:
    stream = new_stream()
    stream.write(b"ab", fin=False)
    first = written(stream, packet())
    stream.write(b"", fin=True)
    end = written(stream, packet())
    stream.on_lost(end)
    stream.on_lost(first)

    assert StreamFrame(4, 0, b"ab", True, True) == written(stream, packet())
    assert IDLE == stream.readiness(MUCH)


def test_over_when_everything_is_acknowledged(packet: MakePacket) -> None:
    stream = new_stream()
    stream.write(b"ab", fin=False)
    first = written(stream, packet())
    stream.write(b"cd", fin=True)
    last = written(stream, packet())

    assert not acked(stream, last)
    assert not stream.is_over
    assert acked(stream, first)
    assert SendState.DATA_RECVD is stream.state
    assert not acked(stream, first)


def test_reset_drops_what_waits_and_fixes_the_size(packet: MakePacket) -> None:
    stream = new_stream()
    stream.write(bytes(2000), fin=False)
    frame = written(stream, packet(1000))

    assert stream.reset(7)
    assert not stream.reset(8)
    assert (7, len(frame.data)) == (stream.reset_code, stream.final_size)
    stream.on_lost(frame)
    assert IDLE == stream.readiness(MUCH)
    assert not acked(stream, frame)
    stream.on_reset_acked()
    assert stream.is_over


def test_a_finished_stream_cannot_be_reset(packet: MakePacket) -> None:
    stream = new_stream()
    stream.write(b"", fin=True)
    acked(stream, written(stream, packet()))

    assert not stream.reset(1)
    assert SendState.DATA_RECVD is stream.state


def test_writable_once_a_quarter_is_free(packet: MakePacket) -> None:
    stream = new_stream(bound=1000)
    stream.write(bytes(1200), fin=False)
    frames = [written(stream, packet(130)) for _ in range(9)]

    assert -200 == stream.capacity
    told = []
    for frame in frames:
        acked(stream, frame)
        told.append((stream.capacity, stream.take_writable()))

    assert [capacity for capacity, is_told in told if is_told] == [
        next(capacity for capacity, _ in told if capacity >= 250)
    ]
