import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcore.ackhandler.history import MAX_LOST, MAX_UNANSWERABLE, MIN_TRIM, SentHistory, SentPacket
from qcore.spaces import APPLICATION


def packet(number: int, sent_time: float = 0.0, ack_eliciting: bool = True) -> SentPacket:
    return SentPacket(number, APPLICATION, sent_time, 1200, ack_eliciting, ack_eliciting, [])


def history_of(*numbers: int) -> SentHistory:
    history = SentHistory()
    for number in numbers:
        history.append(packet(number, float(number)))
    return history


def numbers(packets: list[SentPacket]) -> list[int]:
    return [packet.packet_number for packet in packets]


def test_acked_packets_are_taken_out_once() -> None:
    history = history_of(0, 1, 2, 3, 4)

    assert [3, 4, 1] == numbers(history.take_acked([(3, 4), (1, 1)]))
    assert [] == numbers(history.take_acked([(3, 4), (1, 1)]))
    assert [0, 2] == numbers(history.outstanding())


def test_ranges_below_the_oldest_outstanding_packet_are_ignored() -> None:
    history = history_of(*range(10))
    history.take_acked([(0, 6)])

    assert [8] == numbers(history.take_acked([(8, 8), (0, 6)]))
    assert [7, 9] == numbers(history.outstanding())


def test_first_number_need_not_be_zero() -> None:
    history = history_of(1000, 1001)

    assert (1000, 2) == (history.base, len(history.packets))
    assert [1001] == numbers(history.take_acked([(1001, 1001)]))
    assert 1002 == history.next_number


def test_numbers_below_the_first_were_never_sent() -> None:  # RFC 9000 §13.1
    history = history_of(5, 6)

    assert history.was_never_sent([(4, 6)])
    assert not history.was_never_sent([(5, 6)])


def test_skipped_numbers_stay_known_when_all_around_is_answered() -> None:  # RFC 9000 §21.4
    history = history_of(0, 1, 3, 4)
    history.take_acked([(3, 4), (0, 1)])
    history.append(packet(5))

    assert history.was_never_sent([(0, 5)])
    assert history.was_never_sent([(5, 5), (2, 2)])
    assert not history.was_never_sent([(3, 5), (0, 1)])


def test_numbers_above_the_largest_were_never_sent() -> None:  # RFC 9000 §13.1
    assert history_of(0, 1).was_never_sent([(0, 2)])
    assert SentHistory().was_never_sent([(0, 0)])


def test_numbers_ascend() -> None:
    history = history_of(0, 1, 5)

    with pytest.raises(ValueError, match="packet number 5 after 5"):
        history.append(packet(5))
    with pytest.raises(ValueError, match="packet number 3 after 5"):
        history.append(packet(3))


def test_find_knows_outstanding_packets_only() -> None:
    history = history_of(3, 4, 6)
    history.take_acked([(4, 4)])

    found = history.find(6)
    assert found is not None
    assert 6 == found.packet_number
    assert [None] * 5 == [history.find(number) for number in (0, 2, 4, 5, 7)]


def test_answered_head_is_cut_off() -> None:
    history = SentHistory()
    for number in range(20 * MIN_TRIM):
        history.append(packet(number))
        if number >= 10:
            history.take_acked([(0, number - 10)])
        assert len(history.packets) <= 2 * MIN_TRIM + 12

    assert list(range(20 * MIN_TRIM - 10, 20 * MIN_TRIM)) == numbers(history.outstanding())


def test_everything_answered_leaves_nothing() -> None:
    history = history_of(*range(100))
    history.take_acked([(0, 99)])

    assert ([], 0, 100) == (history.packets, history.head, history.base)


def test_passing_acknowledged_numbers_is_noticed() -> None:
    history = history_of(0, 1, 2)
    history.take_acked([(1, 1)])
    assert not history.passed_acked

    history.take_acked([(0, 0)])
    assert history.passed_acked


def test_passing_a_skipped_number_is_no_acknowledgement() -> None:
    history = history_of(0, 2, 3)
    history.take_head(1)

    assert not history.passed_acked
    assert 2 == history.base + history.head


def test_taking_all_keeps_the_numbers() -> None:
    history = history_of(0, 1, 2)
    history.take_acked([(1, 1)])

    assert [0, 2] == numbers(history.take_all())
    assert (3, 0, 0) == (history.next_number, history.ack_eliciting, len(history))
    history.append(packet(3))
    assert [3] == numbers(history.take_acked([(0, 3)]))


def test_lost_packets_are_recognized_when_late() -> None:
    history = history_of(*range(6))
    for lost in history.take_head(3):
        history.remember_lost(lost)

    assert [(1, 1.0), (2, 2.0)] == history.take_late([(4, 4), (1, 2)], -math.inf)
    assert [] == history.take_late([(4, 4), (1, 2)], -math.inf)
    assert [(0, 0.0)] == history.take_late([(0, 0)], -math.inf)


def test_lost_packets_are_forgotten_in_time() -> None:
    history = history_of(*range(6))
    for lost in history.take_head(3):
        history.remember_lost(lost)

    assert [(2, 2.0)] == history.take_late([(0, 5)], 1.5)
    assert [] == history.lost_numbers


def test_memory_of_lost_packets_is_bounded() -> None:
    history = history_of(*range(3 * MAX_LOST))
    for lost in history.take_head(2 * MAX_LOST):
        history.remember_lost(lost)

    assert list(range(MAX_LOST, 2 * MAX_LOST)) == history.lost_numbers


def test_ack_eliciting_packets_are_counted() -> None:
    history = SentHistory()
    history.append(packet(0, 1.0))
    history.append(packet(1, 2.0, ack_eliciting=False))

    assert (1, 1.0) == (history.ack_eliciting, history.last_eliciting_time)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("send"), st.integers(0, 3)),
            st.tuples(st.just("ack"), st.integers(0, 40)),
            st.tuples(st.just("lose"), st.integers(1, 3)),
        ),
        max_size=300,
    )
)
def test_behaves_like_a_dictionary(steps: list[tuple[str, int]]) -> None:
    history = SentHistory()
    model: dict[int, SentPacket] = {}
    sent: set[int] = set()
    number = 0
    for step, value in steps:
        if step == "send":
            number += value
            model[number] = packet(number)
            sent.add(number)
            history.append(model[number])
            number += 1
        elif step == "ack":
            last = number - 1 - value
            ranges = [(max(last - 3, 0), last)] if last >= 0 else []
            if ranges and not history.was_never_sent(ranges):
                expected = [n for n in sorted(model) if ranges[0][0] <= n <= last]
                assert expected == numbers(history.take_acked(ranges))
                for n in expected:
                    del model[n]
        else:
            count = min(value, len(history))
            slots = range(history.base + history.head, history.base + history.head + count)
            expected = [n for n in sorted(model) if n in slots]
            assert expected == numbers(history.take_head(count))
            for n in expected:
                del model[n]
        assert sorted(model) == numbers(history.outstanding())
        assert number == history.next_number or not sent
        if history.packets:
            assert history.packets[history.head] is not None


def test_forgotten_packet_has_no_fate() -> None:
    history = history_of(0, 1, 2)
    for number in (0, 1, 1, 9):
        history.forget(number)

    assert [2] == numbers(history.outstanding())
    assert 1 == len(history)
    assert not history.passed_acked


def test_the_oldest_of_what_need_not_be_acknowledged_is_forgotten_for_one_too_many() -> None:
    history = SentHistory()
    for number in range(MAX_UNANSWERABLE):
        assert history.add_unanswerable(packet(number, ack_eliciting=False)) is None
    oldest = history.add_unanswerable(packet(MAX_UNANSWERABLE, ack_eliciting=False))

    assert oldest is not None
    assert 0 == oldest.packet_number
    assert MAX_UNANSWERABLE + 1 == history.unanswerable_in_a_row


def test_what_need_not_be_acknowledged_is_taken_once_and_of_one_space() -> None:
    history, other = SentHistory(), SentHistory()
    for number in range(MAX_UNANSWERABLE):
        history.add_unanswerable(packet(number, ack_eliciting=False))

    assert [] == other.take_unanswerable()
    assert list(range(MAX_UNANSWERABLE)) == numbers(history.take_unanswerable())
    assert [] == history.take_unanswerable()
    assert history.add_unanswerable(packet(MAX_UNANSWERABLE, ack_eliciting=False)) is None
