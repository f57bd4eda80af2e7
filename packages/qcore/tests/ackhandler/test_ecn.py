import pytest

from qcore.ackhandler.ecn import CE, ECT0, ECT1, NOT_ECT, TESTING_PACKETS, EcnState, EcnValidator
from qcore.ackhandler.history import SentHistory


def marked(sent: int = TESTING_PACKETS) -> tuple[EcnValidator, SentHistory]:
    ecn, space = EcnValidator(), SentHistory()
    for _ in range(sent):
        assert ECT0 == ecn.codepoint
        ecn.on_sent(space)
    return ecn, space


def state_of(ecn: EcnValidator) -> EcnState:
    return ecn.state


def test_marks_are_those_of_the_ip_header() -> None:  # RFC 3168 §5
    assert (0, 1, 2, 3) == (NOT_ECT, ECT1, ECT0, CE)


def test_marking_stops_after_the_test_until_an_answer_comes() -> None:  # RFC 9000 appendix A.4
    ecn, space = marked()
    assert (EcnState.UNKNOWN, NOT_ECT) == (ecn.state, ecn.codepoint)

    assert 0 == ecn.on_ack(space, 2, (2, 0, 0))
    assert (EcnState.CAPABLE, ECT0) == (ecn.state, ecn.codepoint)


@pytest.mark.parametrize(
    ("newly_acked", "counts"),
    [
        pytest.param(3, None, id="no counts"),
        pytest.param(3, (2, 0, 0), id="bleached"),
        pytest.param(3, (0, 3, 0), id="remarked to ECT(1)"),
        pytest.param(3, (3, 1, 0), id="more marks of another kind"),
        pytest.param(3, (11, 0, 0), id="more than were sent"),
        pytest.param(3, (9, 0, 2), id="more than were sent, with CE"),
    ],
)
def test_wrong_counts_end_marking(
    newly_acked: int, counts: tuple[int, int, int] | None
) -> None:  # RFC 9000 §13.4.2.1
    ecn, space = marked()

    assert 0 == ecn.on_ack(space, newly_acked, counts)
    assert (EcnState.FAILED, NOT_ECT) == (ecn.state, ecn.codepoint)


def test_counts_never_shrink() -> None:  # RFC 9000 §13.4.2.1
    ecn, space = marked()
    ecn.on_ack(space, 5, (5, 0, 0))
    ecn.on_ack(space, 0, (4, 0, 1))

    assert EcnState.FAILED is state_of(ecn)


def test_new_congestion_marks_are_returned() -> None:  # RFC 9000 §13.4.2
    ecn, space = marked()

    assert 1 == ecn.on_ack(space, 3, (2, 0, 1))
    assert 0 == ecn.on_ack(space, 1, (3, 0, 1))
    assert 2 == ecn.on_ack(space, 2, (3, 0, 3))
    assert 3 == ecn.ce_count


def test_unmarked_packets_need_no_counts() -> None:  # RFC 9000 §13.4.2.1
    ecn, space = marked()
    ecn.on_ack(space, 0, None)

    assert EcnState.UNKNOWN is state_of(ecn)


def test_lost_marked_packets_are_not_missed_in_the_counts() -> None:
    ecn, space = marked()
    ecn.on_lost(4)
    ecn.on_ack(space, 6, (6, 0, 0))

    assert EcnState.CAPABLE is state_of(ecn)


def test_late_acknowledgements_are_made_up_for() -> None:  # RFC 9000 §13.4.2.1
    ecn, space = marked()
    ecn.on_ack(space, 2, (4, 0, 0))  # an ACK of two others was overtaken
    ecn.on_old_ack(space, 2)
    ecn.on_ack(space, 1, (5, 0, 0))

    assert EcnState.CAPABLE is state_of(ecn)


def test_a_path_that_drops_marked_packets_is_not_used_with_marks() -> None:  # RFC 9000 §13.4.2
    ecn, _ = marked()
    ecn.on_lost(TESTING_PACKETS - 1)
    assert EcnState.UNKNOWN is state_of(ecn)

    ecn.on_lost(1)
    assert EcnState.FAILED is state_of(ecn)


def test_three_timeouts_end_the_test() -> None:  # RFC 9000 appendix A.4
    ecn, _ = marked(2)
    for _ in range(3):
        assert ECT0 == ecn.codepoint
        ecn.on_timeout()

    assert NOT_ECT == ecn.codepoint


def test_timeouts_before_a_marked_packet_do_not_count() -> None:
    ecn = EcnValidator()
    for _ in range(5):
        ecn.on_timeout()

    assert ECT0 == ecn.codepoint


def test_each_space_has_its_own_counts() -> None:  # RFC 9000 §13.4.1
    ecn = EcnValidator()
    spaces = SentHistory(), SentHistory()
    for space in spaces:
        ecn.on_sent(space)
    for space in spaces:
        ecn.on_ack(space, 1, (1, 0, 0))

    assert EcnState.CAPABLE is state_of(ecn)


def test_another_path_is_tested_anew() -> None:  # RFC 9000 §13.4.2
    ecn, space = marked()
    ecn.on_ack(space, 3, (0, 0, 0))
    assert EcnState.FAILED is state_of(ecn)
    ecn.reset((space,))
    assert ECT0 == ecn.codepoint

    ecn.on_sent(space)
    ecn.on_ack(space, 1, (1, 0, 0))
    assert EcnState.CAPABLE is state_of(ecn)
