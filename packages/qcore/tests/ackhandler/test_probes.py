import math

import pytest

from qcore.ackhandler.history import SentHistory, SentPacket
from qcore.ackhandler.probes import MAX_HURRIES, MAX_PTO, ProbeTimer
from qcore.ackhandler.rtt import RttEstimator
from qcore.spaces import APPLICATION, COUNT, HANDSHAKE, INITIAL

MAX_ACK_DELAY = 0.025


def rtt_of(seconds: float = 0.1) -> RttEstimator:
    rtt = RttEstimator()
    rtt.update(seconds, 0.0, 0.0)
    return rtt


def histories(**sent: float) -> list[SentHistory]:
    """A history per space; a packet in each of those named, sent at that time."""
    made = [SentHistory() for _ in range(COUNT)]
    for name, sent_time in sent.items():
        space = ("initial", "handshake", "application").index(name)
        made[space].append(SentPacket(0, space, sent_time, 1200, True, True, []))
    return made


def deadline(timer: ProbeTimer, sent: list[SentHistory]) -> float:
    return timer.deadline(sent, rtt_of(), MAX_ACK_DELAY)


def server() -> ProbeTimer:
    return ProbeTimer(is_client=False)


def client() -> ProbeTimer:
    return ProbeTimer(is_client=True)


def test_runs_from_the_last_ack_eliciting_packet() -> None:  # RFC 9002 §6.2.1
    timer = server()

    assert pytest.approx(1.0 + 0.1 + 0.2) == deadline(timer, histories(initial=1.0))
    assert INITIAL == timer.space


def test_application_data_waits_for_confirmation() -> None:  # RFC 9002 §6.2.1
    timer = server()
    sent = histories(application=1.0)
    assert math.inf == deadline(timer, sent)

    timer.is_confirmed = True
    assert pytest.approx(1.0 + 0.3 + MAX_ACK_DELAY) == deadline(timer, sent)
    assert APPLICATION == timer.space


def test_earliest_space_comes_first() -> None:  # RFC 9002 §6.2.1
    timer = server()

    assert pytest.approx(1.3) == deadline(timer, histories(initial=2.0, handshake=1.0))
    assert HANDSHAKE == timer.space


def test_backs_off_by_doubling() -> None:  # RFC 9002 §6.2.1
    timer = server()
    sent = histories(initial=0.0)
    deadlines = []
    for _ in range(4):
        deadlines.append(deadline(timer, sent))
        timer.expire(sent, deadlines[-1])

    assert pytest.approx([0.3, 0.3 + 0.6, 0.9 + 1.2, 2.1 + 2.4]) == deadlines


def test_backoff_is_bounded() -> None:
    timer = server()
    sent = histories(initial=0.0)
    now = 0.0
    for _ in range(100):
        now = deadline(timer, sent)
        timer.expire(sent, now)

    assert pytest.approx(now + MAX_PTO) == deadline(timer, sent)


def test_handling_it_at_its_deadline_moves_it_even_when_no_probe_is_sent() -> None:
    timer = server()
    sent = histories(initial=0.0)
    for _ in range(50):
        at = deadline(timer, sent)
        timer.expire(sent, at)
        assert deadline(timer, sent) > at


def test_client_probes_although_nothing_is_in_flight() -> None:  # RFC 9002 §6.2.2.1
    timer = client()
    timer.last_activity = 1.0

    assert pytest.approx(1.3) == deadline(timer, histories())
    assert INITIAL == timer.space
    timer.has_handshake_keys = True
    deadline(timer, histories())
    assert HANDSHAKE == timer.space
    timer.expire(histories(), 1.3)
    assert (0, 1) == (timer.owed(INITIAL), timer.owed(HANDSHAKE))


def test_client_that_sent_nothing_has_no_timeout() -> None:
    assert math.inf == deadline(client(), histories())


def test_early_data_alone_does_not_stop_the_guard_against_deadlock() -> None:  # RFC 9002 §6.2.2.1
    timer = client()
    timer.last_activity = 1.0

    assert pytest.approx(1.3) == deadline(timer, histories(application=1.0))
    assert INITIAL == timer.space


def test_client_guards_against_deadlock_until_the_handshake_is_confirmed() -> None:  # RFC 9002 §6.2.2.1
    # Also when the server has acknowledged a Handshake packet: its view of the address may have changed since.
    timer = client()
    timer.last_activity = 1.0
    timer.is_address_validated = True
    assert pytest.approx(1.3) == deadline(timer, histories(application=1.0))

    timer.is_confirmed = True
    assert math.inf == deadline(timer, histories())


def test_server_guards_against_nothing() -> None:
    timer = server()
    timer.last_activity = 1.0

    assert math.inf == deadline(timer, histories())


def test_blocked_server_has_no_timeout() -> None:  # RFC 9002 §6.2.2.1
    timer = server()
    timer.is_blocked = True

    assert math.inf == deadline(timer, histories(initial=0.0))


def test_timeout_owes_two_probes_and_one_in_other_handshake_spaces() -> None:  # RFC 9002 §6.2.4
    timer = server()
    sent = histories(initial=0.0, handshake=0.1, application=0.1)
    deadline(timer, sent)
    timer.expire(sent, 0.3)

    assert [2, 1, 0] == [timer.owed(space) for space in range(COUNT)]
    assert 3 == timer.total


@pytest.mark.parametrize(
    ("sent", "owed"),
    [
        pytest.param({"handshake": 0.1, "application": 0.1}, [0, 2, 1], id="behind the Finished"),
        pytest.param({"initial": 0.0, "application": 0.0}, [2, 0, 0], id="early data"),
    ],
)
def test_what_a_client_said_behind_its_finished_goes_along(
    sent: dict[str, float], owed: list[int]
) -> None:  # RFC 9002 §6.2.4
    timer = client()
    made = histories(**sent)
    deadline(timer, made)
    timer.expire(made, 0.4)

    assert owed == [timer.owed(space) for space in range(COUNT)]


def test_probes_are_paid_one_by_one() -> None:
    timer = ProbeTimer(is_client=False, per_timeout=1)
    sent = histories(initial=0.0)
    deadline(timer, sent)
    timer.expire(sent, 0.3)

    assert [False, True, False] == [timer.on_sent(space) for space in (HANDSHAKE, INITIAL, INITIAL)]
    assert 0 == timer.total


def test_answer_cancels_probes_and_backoff() -> None:  # RFC 9002 §6.2.1
    timer = server()
    sent = histories(initial=0.0)
    deadline(timer, sent)
    timer.expire(sent, 0.3)
    timer.on_answered()

    assert (0, 0, 0) == (timer.count, timer.total, timer.owed(INITIAL))


def test_client_keeps_its_backoff_until_the_server_may_send() -> None:  # RFC 9002 §6.2.1
    timer = client()
    sent = histories(initial=0.0)
    deadline(timer, sent)
    for _ in range(MAX_HURRIES):  # a few times it is forgiven, §6.2.3
        timer.expire(sent, 0.3)
        timer.on_answered()
        assert 0 == timer.count
    timer.expire(sent, 0.3)
    timer.on_answered()
    assert 1 == timer.count

    timer.is_address_validated = True
    timer.on_answered()
    assert 0 == timer.count


def test_discarding_keys_resets_the_backoff() -> None:  # RFC 9002 §6.2.2
    timer = client()
    sent = histories(initial=0.0)
    deadline(timer, sent)
    timer.expire(sent, 0.3)
    timer.on_space_discarded(INITIAL)

    assert (0, 0, True) == (timer.count, timer.total, timer.has_handshake_keys)


def test_handshake_is_helped_along_before_its_timeout() -> None:  # RFC 9002 §6.2.3
    timer = server()
    sent = histories(initial=0.0, handshake=0.0)
    timer.hurry(0.1)
    assert 0.1 == deadline(timer, sent)

    timer.expire_hurry(sent)
    assert ([2, 2, 0], 0) == ([timer.owed(space) for space in range(COUNT)], timer.count)
    assert deadline(timer, sent) > 0.1


def test_what_was_sent_since_is_not_hurried() -> None:
    timer = server()
    timer.hurry(0.1, 0.025)
    timer.expire_hurry(histories(initial=0.11, handshake=0.09))

    assert [0, 2, 0] == [timer.owed(space) for space in range(COUNT)]


@pytest.mark.parametrize(("lacks_keys", "owed"), [(True, 1), (False, 0)])
def test_client_with_nothing_in_flight_asks_for_keys(lacks_keys: bool, owed: int) -> None:  # RFC 9002 §6.2.3
    timer = client()
    timer.last_activity = 0.0
    timer.hurry(0.1, lacks_keys=lacks_keys)
    timer.expire_hurry(histories())

    assert owed == timer.owed(INITIAL) == timer.total


def test_handshake_is_helped_along_a_few_times_only() -> None:  # RFC 9002 §6.2.3
    timer = server()
    sent = histories(initial=0.0)
    count = 0
    for _ in range(100):
        timer.hurry(0.1)
        if timer.hurry_at == 0.1:
            count += 1
            timer.expire_hurry(sent)

    assert MAX_HURRIES == count


def test_blocked_server_cannot_hurry() -> None:  # RFC 9002 §6.2.3, subject to RFC 9000 §8.1
    timer = server()
    timer.is_blocked = True
    timer.hurry(0.1)

    assert math.inf == deadline(timer, histories(initial=0.0))


def test_confirmed_handshake_needs_no_help() -> None:
    timer = server()
    timer.is_confirmed = True
    timer.hurry(0.1)

    assert math.inf == timer.hurry_at
