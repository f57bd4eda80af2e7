"""Unreliable datagrams. RFC 9221."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcore import spaces
from qcore.datagrams import LOW_WATER, MAX_QUEUED, DatagramQueue
from qcore.errors import DatagramsUnavailable, TransportError
from qcore.events import DatagramReceived, DatagramsWritable
from qwire.constants import PROTOCOL_VIOLATION
from qwire.frames import DatagramFrame, Frame

from .packets import written


def new_queue(local: int = 65_535, peer: int = 65_535, room: int = 1200) -> DatagramQueue:
    queue = DatagramQueue(local)
    queue.set_peer_limit(peer)
    queue.set_room(room)
    return queue


def test_sends_in_order_and_once() -> None:
    queue = new_queue()
    assert queue.send(b"one")
    assert queue.send(b"two")
    assert not queue.has_frames(spaces.INITIAL)

    frames = written(queue)

    assert [DatagramFrame(b"one", True), DatagramFrame(b"two", True)] == frames
    queue.on_lost(frames[0])
    assert [] == written(queue)


def test_the_length_is_left_out_of_a_full_packet() -> None:
    queue = new_queue(room=1202)
    queue.send(bytes(1199))

    assert [DatagramFrame(bytes(1199), False)] == written(queue)


@pytest.mark.parametrize(
    "space", [2, 3, 65, 66, 67, 68, 69, 1200, 16_385, 16_386, 16_387, 16_388, 16_390, 65_535]
)
def test_the_largest_datagram_fits(space: int) -> None:
    for peer, room in ((space, 100_000), (100_000, space)):
        queue = new_queue(peer=peer, room=room)
        size = queue.max_size

        assert queue.send(bytes(size))
        (frame,) = written(queue, room=max(space, size + 5))

        assert isinstance(frame, DatagramFrame)
        assert DatagramFrame(frame.data, True).size() <= space
        assert DatagramFrame(frame.data + b"xx", True).size() > space
        with pytest.raises(DatagramsUnavailable, match=f"{size} fit"):
            queue.send(bytes(size + 1))


def test_refuses_when_the_peer_takes_none() -> None:
    queue = DatagramQueue(1000)

    assert 0 == queue.max_size
    with pytest.raises(DatagramsUnavailable, match="does not take"):
        queue.send(b"")


def test_refuses_when_full_and_tells_when_to_go_on() -> None:  # attack M17
    queue = new_queue()
    assert all(queue.send(bytes(100)) for _ in range(MAX_QUEUED))
    assert not queue.send(b"one too many")

    while queue.drain_events() != [DatagramsWritable()]:
        assert 0 < len(written(queue))

    free = 0
    while queue.send(b"x"):
        free += 1
    assert MAX_QUEUED - LOW_WATER <= free < MAX_QUEUED


def test_what_no_longer_fits_the_path_is_dropped() -> None:
    queue = new_queue()
    queue.send(bytes(1100))
    queue.send(b"small")
    queue.set_room(1000)

    assert [DatagramFrame(b"small", True)] == written(queue)
    assert 1 == queue.dropped_sent


def test_a_datagram_waits_for_a_packet_with_room() -> None:
    queue = new_queue()
    queue.send(bytes(500))

    assert [] == written(queue, room=400)
    assert 1 == len(written(queue))


def test_received_datagrams_are_events() -> None:
    queue = new_queue()
    queue.receive(DatagramFrame(b"one"))
    queue.receive(DatagramFrame(b"two"))

    events = queue.drain_events()
    queue.receive(DatagramFrame(b"three"))

    assert [DatagramReceived(b"one"), DatagramReceived(b"two")] == events
    assert [DatagramReceived(b"three")] == queue.drain_events()
    assert [] == queue.drain_events()


def test_the_oldest_is_dropped_when_nobody_fetches() -> None:  # attack M17
    queue = new_queue()
    for number in range(10_000):
        queue.receive(DatagramFrame(number.to_bytes(2, "big")))

    events = queue.drain_events()

    assert MAX_QUEUED == len(events)
    assert DatagramReceived((9_999).to_bytes(2, "big")) == events[-1]
    assert 10_000 - MAX_QUEUED == queue.dropped_received


@pytest.mark.parametrize("limit", [pytest.param(0, id="not offered"), pytest.param(100, id="too large")])
def test_what_was_advertised_is_enforced(limit: int) -> None:  # RFC 9221 §3
    queue = new_queue(local=limit)

    with pytest.raises(TransportError) as caught:
        queue.receive(DatagramFrame(bytes(98)))

    assert PROTOCOL_VIOLATION == caught.value.code
    if limit:
        queue.receive(DatagramFrame(bytes(97)))


@given(
    st.lists(st.sampled_from([0, 1, 63, 500, 590, 600, 610, 1000, 1190, 1195, 1196, 1197]), max_size=12),
    st.sampled_from([600, 1200]),
)
def test_packets_are_filled_as_one_by_one(sizes: list[int], room: int) -> None:
    one_by_one, in_runs = new_queue(), new_queue()
    for index, size in enumerate(sizes):
        for queue in (one_by_one, in_runs):
            queue.send(bytes((index,)) * size)
    expected: list[list[Frame]] = []
    packets: list[list[Frame]] = []
    while len(expected) < len(sizes) and (frames := written(one_by_one, room)):
        expected.append(frames)
    while len(packets) < len(sizes):
        filled = in_runs.fill_packets(room, 3)
        packets += [[frame] for frame in filled]
        assert len(filled) <= 3
        if not filled:
            frames = written(in_runs, room)
            if not frames:
                break
            packets.append(frames)

    assert expected == packets
    assert one_by_one.dropped_sent == in_runs.dropped_sent
