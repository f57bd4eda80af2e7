import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcore.ackhandler.ecn import CE, ECT0, ECT1
from qcore.ackhandler.ranges import MAX_RANGES
from qcore.ackhandler.received import ReceivedPacketHandler
from qcore.spaces import APPLICATION, HANDSHAKE, INITIAL
from qwire.frames import AckFrame, Frame

from ..packets import new_packet


def handler_with(*numbers: int, now: float = 0.0) -> ReceivedPacketHandler:
    handler = ReceivedPacketHandler(APPLICATION)
    for number in numbers:
        handler.on_received(number, True, now)
    return handler


def ack_of(handler: ReceivedPacketHandler, now: float = 0.0) -> AckFrame:
    frame = handler.ack_frame(now)
    assert frame is not None
    return frame


def written(frames: list[Frame]) -> AckFrame:
    (frame,) = frames
    assert isinstance(frame, AckFrame)
    return frame


def test_first_ack_eliciting_packet_waits() -> None:  # RFC 9000 §13.2.1
    handler = handler_with(0, now=1.0)

    assert not handler.has_frames(APPLICATION)
    assert handler.ack_pending
    assert 1.025 == handler.deadline


def test_second_ack_eliciting_packet_is_acknowledged_at_once() -> None:  # RFC 9000 §13.2.2
    handler = handler_with(0, 1)

    assert handler.has_frames(APPLICATION)
    assert math.inf == handler.deadline


def test_delay_counts_from_the_first_packet() -> None:  # RFC 9000 §13.2.1
    handler = handler_with(0, now=1.0)
    handler.on_received(1, False, 1.02)

    assert 1.025 == handler.deadline


def test_expired_delay_makes_the_ack_due() -> None:  # RFC 9000 §13.2.1
    handler = handler_with(0, now=1.0)
    assert not handler.ack_due(1.02)
    handler.handle_timeout(1.02)
    assert not handler.has_frames(APPLICATION)

    deadline = handler.deadline
    assert handler.ack_due(deadline)
    handler.handle_timeout(deadline)
    assert handler.has_frames(APPLICATION)
    assert math.inf == handler.deadline


def test_probe_repeats_the_last_ack() -> None:  # RFC 9000 §13.2.1
    handler = handler_with(0, 1)
    handler.write_frames(new_packet())
    target = new_packet()
    handler.write_frames(target)
    assert [] == target.frames

    handler.repeat()
    assert not handler.has_frames(APPLICATION), "nothing new that would go alone"
    handler.write_frames(target)
    assert [(0, 1)] == written([frame for frame, _ in target.frames]).ranges


def test_probe_has_no_ack_when_the_peer_knows_everything() -> None:
    handler = handler_with(0)
    handler.on_acked(ack_of(handler))
    handler.repeat()
    target = new_packet()
    handler.write_frames(target)

    assert [] == target.frames
    assert not handler.ack_pending


def test_packets_that_elicit_nothing_get_no_ack() -> None:  # RFC 9000 §13.2.1
    handler = ReceivedPacketHandler(APPLICATION)
    for number in (0, 1, 5, 3):
        handler.on_received(number, False, 0.0)

    assert not handler.ack_pending
    assert not handler.has_frames(APPLICATION)
    assert math.inf == handler.deadline
    target = new_packet()
    handler.write_frames(target)
    assert [] == target.frames


def test_packets_that_elicit_nothing_are_listed_beside_others() -> None:  # RFC 9000 §13.2.1
    handler = handler_with(0)
    handler.on_received(1, False, 0.0)

    assert [(0, 1)] == ack_of(handler).ranges


@pytest.mark.parametrize("space", [INITIAL, HANDSHAKE])
def test_handshake_packets_are_acknowledged_at_once(space: int) -> None:  # RFC 9000 §13.2.1
    handler = ReceivedPacketHandler(space)
    handler.on_received(0, True, 0.0)

    assert handler.has_frames(space)
    assert 0 == ack_of(handler, 5.0).delay


def test_only_its_own_space_has_frames() -> None:
    handler = handler_with(0, 1)
    target = new_packet(space=HANDSHAKE)
    handler.write_frames(target)

    assert not handler.has_frames(HANDSHAKE)
    assert [] == target.frames


@pytest.mark.parametrize(
    ("before", "packet_number", "at_once"),
    [
        pytest.param([0, 1], 2, False, id="in order"),
        pytest.param([0, 1], 3, True, id="gap"),
        pytest.param([0, 2], 1, True, id="reordered"),
        pytest.param([0, 5, 6], 7, False, id="in order behind an old gap"),
        pytest.param([], 0, False, id="first"),
        pytest.param([], 1, True, id="first number missing"),
    ],
)
def test_reordering_is_told_at_once(
    before: list[int], packet_number: int, at_once: bool
) -> None:  # RFC 9000 §13.2.1
    handler = handler_with(*before)
    handler.on_ack_sent()
    handler.on_received(packet_number, True, 0.0)

    assert at_once == handler.has_frames(APPLICATION)


def test_reordering_behind_packets_that_elicit_nothing_can_wait() -> None:  # RFC 9000 §13.2.1
    handler = handler_with(0)
    handler.on_received(2, False, 0.0)
    handler.on_ack_sent()
    handler.on_received(1, True, 0.0)

    assert not handler.has_frames(APPLICATION)
    assert handler.ack_pending


def test_congestion_mark_is_told_at_once() -> None:  # RFC 9000 §13.2.1
    handler = ReceivedPacketHandler(APPLICATION)
    handler.on_received(0, True, 0.0, CE)

    assert handler.has_frames(APPLICATION)


def hasty() -> ReceivedPacketHandler:
    """One whose first ACK has waited in vain, from 0 to 25 ms."""
    handler = ReceivedPacketHandler(APPLICATION, learns=True)
    handler.on_received(0, True, 0.0)
    assert not handler.has_frames(APPLICATION)
    handler.handle_timeout(handler.deadline)
    handler.on_ack_sent()
    return handler


def test_an_ack_leaves_at_once_where_the_last_one_waited_in_vain() -> None:
    handler = hasty()
    for number in (1, 2):
        handler.on_received(number, True, float(number))
        assert handler.has_frames(APPLICATION)
        handler.on_ack_sent()


@pytest.mark.parametrize("comes", [True, False])
def test_haste_is_over_once_something_comes_or_goes_that_could_have_been_waited_for(comes: bool) -> None:
    handler = hasty()
    handler.on_received(1, True, 1.0)
    handler.on_ack_sent()
    number = 2
    if comes:
        handler.on_received(number, True, 1.01)
        assert not handler.has_frames(APPLICATION)
        assert pytest.approx(1.035) == handler.deadline
        handler.on_ack_sent()
        number = 3
    else:
        handler.calm(1.01)

    handler.on_received(number, True, 2.0)
    assert not handler.has_frames(APPLICATION)


def test_what_goes_much_later_does_not_end_the_haste() -> None:
    handler = hasty()
    handler.on_received(1, True, 1.0)
    handler.on_ack_sent()
    handler.calm(1.03)

    handler.on_received(2, True, 2.0)
    assert handler.has_frames(APPLICATION)


def test_a_peer_that_asks_for_fewer_acks_gets_none_in_haste() -> None:
    handler = hasty()
    handler.set_ack_frequency(9, 0.025, 1)
    handler.on_received(1, True, 1.0)
    handler.handle_timeout(1.025)
    handler.on_ack_sent()
    handler.on_received(2, True, 2.0)

    assert not handler.has_frames(APPLICATION)


def test_marks_are_counted_once_per_packet() -> None:  # RFC 9000 §13.4.1
    handler = ReceivedPacketHandler(APPLICATION)
    for number, mark in ((0, ECT0), (1, ECT0), (1, ECT0), (2, CE), (3, ECT1), (4, 0)):
        handler.on_received(number, True, 0.0, mark)

    assert (2, 1, 1) == ack_of(handler).ecn


def test_no_marks_make_no_counts() -> None:  # RFC 9000 §13.4.1
    assert ack_of(handler_with(0)).ecn is None


def test_duplicates_are_recognized() -> None:  # RFC 9000 §12.3
    handler = handler_with(0, 1, 4)

    assert [True, True, False, False, True, False] == [handler.is_duplicate(n) for n in range(6)]


def test_numbers_too_old_to_tell_are_duplicates() -> None:  # RFC 9000 §13.2.3
    handler = handler_with(*range(2, 2 * MAX_RANGES + 10, 2))
    forgotten = [number for number in range(MAX_RANGES) if handler.is_duplicate(number) and number % 2]

    assert forgotten
    for number in forgotten:
        handler.on_received(number, True, 0.0)
    assert MAX_RANGES == len(ack_of(handler).ranges)


def test_a_full_set_of_ranges_keeps_what_it_can_tell() -> None:
    handler = handler_with(*range(2, 2 * MAX_RANGES + 2, 2))

    assert MAX_RANGES == len(ack_of(handler).ranges)
    assert not handler.is_duplicate(1)


def test_ranges_are_listed_from_the_top() -> None:  # RFC 9000 §19.3
    assert [(7, 8), (4, 4), (0, 2)] == ack_of(handler_with(0, 1, 2, 4, 7, 8)).ranges


def test_delay_is_scaled() -> None:  # RFC 9000 §19.3
    handler = ReceivedPacketHandler(APPLICATION, ack_delay_exponent=3)
    handler.on_received(0, True, 1.0)

    assert pytest.approx(8_000 / 8, abs=1) == ack_of(handler, 1.008).delay


def test_delay_is_that_of_the_largest_packet() -> None:  # RFC 9000 §13.2.5
    handler = ReceivedPacketHandler(APPLICATION, ack_delay_exponent=0)
    handler.on_received(5, True, 1.0)
    handler.on_received(3, True, 2.0)

    assert pytest.approx(2_000_000, abs=1) == ack_of(handler, 3.0).delay


def test_acknowledged_ranges_are_not_repeated() -> None:  # RFC 9000 §13.2.4
    handler = handler_with(0, 1, 3, 4)
    sent = ack_of(handler)
    handler.on_received(5, True, 0.0)
    handler.on_acked(sent)

    assert [(5, 5)] == ack_of(handler).ranges


def test_acknowledged_ranges_are_still_known_as_received() -> None:  # RFC 9000 §13.2.3
    handler = handler_with(0, 1, 3, 4)
    handler.on_acked(ack_of(handler))

    assert [True, True, False, True, True] == [handler.is_duplicate(number) for number in range(5)]
    assert handler.ack_frame(0.0) is None


def test_packet_older_than_what_was_pruned_is_acknowledged() -> None:
    handler = handler_with(0, 1, 3, 4)
    handler.on_acked(ack_of(handler))
    handler.on_received(2, True, 0.0)

    assert [(2, 4)] == ack_of(handler).ranges


def test_old_ack_frame_brings_nothing_back() -> None:
    handler = handler_with(0, 1)
    old = ack_of(handler)
    handler.on_received(2, True, 0.0)
    handler.on_acked(ack_of(handler))
    handler.on_acked(old)
    handler.on_received(3, True, 0.0)

    assert [(3, 3)] == ack_of(handler).ranges


def test_lost_ack_is_forgotten() -> None:  # RFC 9000 §13.2.1
    handler = handler_with(0, 1)
    frame = ack_of(handler)
    handler.on_ack_sent()
    handler.on_lost(frame)

    assert not handler.ack_pending
    assert [(0, 1)] == ack_of(handler).ranges


def test_pending_ack_rides_along() -> None:  # RFC 9000 §13.2.1
    handler = handler_with(0, now=1.0)
    target = new_packet(now=1.01)
    handler.write_frames(target)

    assert [(0, 0)] == written([frame for frame, _ in target.frames]).ranges
    assert handler is target.frames[0][1]
    assert not handler.ack_pending
    assert math.inf == handler.deadline


def test_nothing_is_written_twice() -> None:
    handler = handler_with(0, 1)
    target = new_packet()
    handler.write_frames(target)
    handler.write_frames(target)

    assert 1 == len(target.frames)


def test_oldest_ranges_give_way_to_room() -> None:
    handler = handler_with(*range(0, 100, 2))
    target = new_packet(40)
    handler.write_frames(target)
    ranges = written([frame for frame, _ in target.frames]).ranges

    assert ack_of(handler).ranges[: len(ranges)] == ranges
    assert 1 < len(ranges) < 50


def test_no_room_leaves_the_ack_owed() -> None:
    handler = handler_with(0, 1)
    target = new_packet(3)
    handler.write_frames(target)

    assert [] == target.frames
    assert handler.has_frames(APPLICATION)


def test_peer_may_ask_for_an_ack() -> None:  # draft-ietf-quic-ack-frequency §5
    handler = handler_with(0)
    handler.ack_immediately()

    assert handler.has_frames(APPLICATION)


def test_asking_with_nothing_to_tell_ends() -> None:
    handler = ReceivedPacketHandler(APPLICATION)
    handler.ack_immediately()
    target = new_packet()
    handler.write_frames(target)

    assert [] == target.frames
    assert not handler.has_frames(APPLICATION)


def test_peer_may_ask_for_fewer_acks() -> None:  # draft-ietf-quic-ack-frequency §4
    handler = ReceivedPacketHandler(APPLICATION)
    handler.set_ack_frequency(9, 0.1, 1)
    for number in range(9):
        handler.on_received(number, True, 0.0)
    assert not handler.has_frames(APPLICATION)
    assert 0.1 == handler.deadline

    handler.on_received(9, True, 0.0)
    assert handler.has_frames(APPLICATION)


@pytest.mark.parametrize(
    ("threshold", "arriving", "at_once"),
    [
        pytest.param(0, [0, 1, 5, 3], None, id="never"),
        pytest.param(1, [0, 1, 3], 3, id="each gap"),
        pytest.param(3, [0, 1, 3, 4], None, id="small gap may pass"),
        pytest.param(3, [0, 1, 3, 4, 5], 5, id="gap is three behind"),
        pytest.param(3, [0, 1, 3, 4, 2, 5], None, id="gap closed"),
        pytest.param(5, [0, 6], 6, id="wide gap"),
        pytest.param(5, [0, 5], None, id="gap not wide enough"),
    ],
)
def test_reordering_threshold_lets_small_gaps_pass(  # draft-ietf-quic-ack-frequency §6.1
    threshold: int, arriving: list[int], at_once: int | None
) -> None:
    handler = ReceivedPacketHandler(APPLICATION)
    handler.set_ack_frequency(1000, 0.1, threshold)
    told: int | None = None
    for number in arriving:
        handler.on_received(number, True, 0.0)
        if told is None and handler.has_frames(APPLICATION):
            told = number

    assert at_once == told


@given(st.integers(0, 2**32), st.integers(1, 400), st.floats(0.0, 0.4), st.floats(0.0, 0.4))
def test_everything_received_is_told_while_it_matters(
    seed: int, count: int, loss: float, reordering: float
) -> None:
    source = random.Random(seed)
    numbers = [number for number in range(count) if source.random() >= loss]
    for index in range(len(numbers) - 3):
        if source.random() < reordering:
            other = index + source.randrange(1, 4)
            numbers[index], numbers[other] = numbers[other], numbers[index]
    handler = ReceivedPacketHandler(APPLICATION)
    received: set[int] = set()
    told: set[int] = set()
    floor = 0
    now = 0.0
    for number in numbers:
        now += 0.001
        known = {n for n in range(count + 1) if handler.is_duplicate(n)}
        assert received <= known
        if number in known:
            continue
        handler.on_received(number, True, now)
        received.add(number)
        assert handler.largest_received == max(received)
        if handler.ack_due(now):
            target = new_packet(now=now)
            handler.write_frames(target)
            frame = written([frame for frame, _ in target.frames])
            listed = {n for first, last in frame.ranges for n in range(first, last + 1)}
            assert listed <= received
            told |= listed
            floor = max(floor, frame.ranges[-1][0])
            assert not handler.ack_due(now)
            if source.random() < 0.3:
                handler.on_acked(frame)
        assert handler.deadline > now

    if handler.ack_pending:
        told |= {n for first, last in ack_of(handler, now).ranges for n in range(first, last + 1)}
    assert received == told


def test_handshake_packets_are_answered_in_pairs_or_after_a_while() -> None:
    handler = ReceivedPacketHandler(HANDSHAKE)
    handler.set_handshake_habit(2, 0.001, False)
    handler.on_received(0, True, 1.0)
    assert not handler.has_frames(HANDSHAKE)
    assert 1.001 == pytest.approx(handler.deadline)

    handler.on_received(1, True, 1.0)
    assert handler.has_frames(HANDSHAKE)


@pytest.mark.parametrize(("reports", "delay"), [(False, 0), (True, 500)])
def test_handshake_delay_is_reported_if_wanted(reports: bool, delay: int) -> None:
    handler = ReceivedPacketHandler(INITIAL)
    handler.set_handshake_habit(1, 0.0, reports)
    handler.on_received(0, True, 1.0)
    frame = handler.ack_frame(1.004)

    assert frame is not None
    assert delay == pytest.approx(frame.delay, abs=1)


@pytest.mark.parametrize("ignores", [False, True])
def test_first_gap_can_be_ignored(ignores: bool) -> None:
    handler = ReceivedPacketHandler(APPLICATION)
    if ignores:
        handler.ignore_first_gap()
    handler.on_received(5, True, 1.0)
    assert ignores is not handler.ack_due(1.0)

    handler = ReceivedPacketHandler(APPLICATION)
    handler.ignore_first_gap()
    handler.on_received(5, True, 1.0)
    handler.on_received(7, True, 1.0)
    assert handler.ack_due(1.0)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 12), st.integers(0, 3)), max_size=12),
    st.integers(1, 6),
    st.integers(0, 4),
    st.sampled_from([0, 1, 5]),
)
def test_a_run_is_noted_as_its_packets_are(
    runs: list[tuple[int, int, int]], threshold: int, reordering: int, acks_every: int
) -> None:
    one_by_one, together = ReceivedPacketHandler(APPLICATION), ReceivedPacketHandler(APPLICATION)
    for handler in (one_by_one, together):
        handler.set_ack_frequency(threshold, 0.01, reordering)
    number, now = 0, 1.0
    for step, (skip, count, ecn) in enumerate(runs):
        now += 0.001
        if skip:  # a gap, made by a packet that goes the ordinary way
            number += skip
            for handler in (one_by_one, together):
                handler.on_received(number, True, now, ecn)
            number += 1
        elif not step:
            for handler in (one_by_one, together):
                handler.on_received(number, True, now, ecn)
            number += 1
        for each in range(number, number + count):
            one_by_one.on_received(each, True, now, ecn)
        together.on_run_received(count, now, ecn)
        number += count
        assert one_by_one.ack_frame(now) == together.ack_frame(now)
        assert one_by_one.ack_due(now) == together.ack_due(now)
        assert (one_by_one.deadline, one_by_one.ack_pending) == (together.deadline, together.ack_pending)
        if acks_every and step % acks_every == 0:
            for handler in (one_by_one, together):
                handler.on_ack_sent()
