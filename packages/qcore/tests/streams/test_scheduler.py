"""Turns of streams."""

from collections import Counter

from qcore.streams.scheduler import Scheduler
from qcore.streams.stream import Stream


def new_stream(stream_id: int, urgency: int = 3, incremental: bool = True) -> Stream:
    stream = Stream(stream_id, None, None)
    stream.urgency = urgency
    stream.incremental = incremental
    return stream


def turns(scheduler: Scheduler, count: int) -> list[int]:
    order: list[int] = []
    for _ in range(count):
        stream = scheduler.head()
        assert stream is not None
        order.append(stream.stream_id)
        scheduler.rotate()
    return order


def test_incremental_streams_take_turns() -> None:
    scheduler = Scheduler()
    for stream_id in (0, 4, 8):
        scheduler.add(new_stream(stream_id))

    assert Counter({0: 10, 4: 10, 8: 10}) == Counter(turns(scheduler, 30))
    assert [0, 4, 8, 0] == turns(scheduler, 4)


def test_urgent_streams_go_first() -> None:  # RFC 9218 §4.1
    scheduler = Scheduler()
    scheduler.add(new_stream(0))
    scheduler.add(new_stream(4, urgency=1))

    assert [4, 4] == turns(scheduler, 2)
    scheduler.pop()
    assert [0] == turns(scheduler, 1)


def test_others_are_served_to_their_end() -> None:  # RFC 9218 §4.2
    scheduler = Scheduler()
    for stream_id in (0, 4):
        scheduler.add(new_stream(stream_id, incremental=False))

    assert not scheduler.takes_turns
    assert [0, 0, 0] == turns(scheduler, 3)
    scheduler.pop()
    assert [4] == turns(scheduler, 1)


def test_others_are_served_by_number_whenever_they_come() -> None:  # RFC 9218 §10
    scheduler = Scheduler()
    for stream_id in (4, 12, 0, 8):
        scheduler.add(new_stream(stream_id, incremental=False))

    order = []
    while scheduler.head() is not None:
        order += turns(scheduler, 1)
        scheduler.pop()
    assert [0, 4, 8, 12] == order


def test_neither_kind_waits_for_the_end_of_the_other() -> None:
    scheduler = Scheduler()
    for stream_id in (0, 4):
        scheduler.add(new_stream(stream_id, incremental=False))
    for stream_id in (3, 7):
        scheduler.add(new_stream(stream_id))

    assert scheduler.takes_turns
    assert [0, 3, 0, 7, 0, 3] == turns(scheduler, 6)
    scheduler.pop()
    assert [4, 7, 4, 3] == turns(scheduler, 4)


def test_a_waiting_stream_changes_its_kind() -> None:
    scheduler = Scheduler()
    streams = [new_stream(stream_id) for stream_id in (0, 4, 8)]
    for stream in streams:
        scheduler.add(stream)

    scheduler.reprioritize(streams[1], 3, False)
    assert [4, 0, 4, 8] == turns(scheduler, 4)
    scheduler.reprioritize(streams[0], 3, False)
    scheduler.reprioritize(streams[2], 3, False)
    assert [0, 0] == turns(scheduler, 2)
    scheduler.reprioritize(streams[0], 3, True)
    scheduler.reprioritize(streams[1], 3, True)
    scheduler.reprioritize(streams[2], 3, True)
    assert 3 == len(scheduler)
    assert {0, 4, 8} == {*turns(scheduler, 3)}


def test_numbers_decide_where_streams_take_no_turns() -> None:
    scheduler = Scheduler(by_number=True)
    for stream_id in (2, 10, 6, 0):
        scheduler.add(new_stream(stream_id))
    late = new_stream(4, urgency=5)
    scheduler.add(late)
    scheduler.reprioritize(late, 3, True)

    order = []
    while scheduler.head() is not None:
        order += turns(scheduler, 2)
        scheduler.pop()
    assert [0, 0, 2, 2, 4, 4, 6, 6, 10, 10] == order


def test_a_stream_is_in_the_queue_once() -> None:
    scheduler = Scheduler()
    stream = new_stream(0)
    scheduler.add(stream)
    scheduler.add(stream)

    assert 1 == len(scheduler)
    scheduler.pop()
    assert scheduler.head() is None
    assert not stream.is_scheduled


def test_a_changed_urgency_moves_a_waiting_stream() -> None:
    scheduler = Scheduler()
    first, second = new_stream(0), new_stream(4)
    scheduler.add(first)
    scheduler.add(second)

    scheduler.reprioritize(second, 0, False)

    assert [4, 4] == turns(scheduler, 2)
    assert (0, False) == (second.urgency, second.incremental)


def test_clear_lets_streams_come_back() -> None:
    scheduler = Scheduler()
    stream = new_stream(0)
    scheduler.add(stream)

    scheduler.clear()
    scheduler.pop()
    scheduler.rotate()
    scheduler.add(stream)

    assert 1 == len(scheduler)
