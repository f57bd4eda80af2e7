"""Idle timeout and keep-alive. RFC 9000 §10.1."""

import math

import pytest

from qcore.engine.idle import IdleTimer


@pytest.mark.parametrize(
    ("local", "peer", "timeout"),
    [
        pytest.param(30.0, 10.0, 10.0, id="the peer's is smaller"),
        pytest.param(10.0, 30.0, 10.0, id="ours is smaller"),
        pytest.param(30.0, 0.0, 30.0, id="the peer has none"),
        pytest.param(0.0, 10.0, 10.0, id="we have none"),
        pytest.param(0.0, 0.0, math.inf, id="nobody has one"),
    ],
)
def test_the_smaller_timeout_counts(local: float, peer: float, timeout: float) -> None:
    idle = IdleTimer(local, None, 100.0)
    idle.on_peer_timeout(peer)

    assert 100.0 + timeout == idle.deadline(0.1)


def test_timeout_is_at_least_three_probe_timeouts() -> None:
    assert 103.0 == IdleTimer(2.0, None, 100.0).deadline(1.0)


def test_receipt_restarts_the_timeout() -> None:
    idle = IdleTimer(10.0, None, 100.0)
    idle.on_received(105.0)

    assert 115.0 == idle.deadline(0.1)


def test_only_the_first_packet_sent_after_a_receipt_restarts_it() -> None:
    idle = IdleTimer(10.0, None, 100.0)
    idle.on_sent(101.0, True)
    idle.on_sent(105.0, True)
    assert 111.0 == idle.deadline(0.1)

    idle.on_received(106.0)
    idle.on_sent(107.0, True)
    assert 117.0 == idle.deadline(0.1)


def test_packets_that_elicit_nothing_do_not_restart_it() -> None:
    idle = IdleTimer(10.0, 5.0, 100.0)
    idle.on_sent(104.0, False)

    assert 110.0 == idle.deadline(0.1)
    assert 105.0 == idle.keep_alive_deadline()


@pytest.mark.parametrize(
    ("timeout", "keep_alive", "pause"),
    [
        pytest.param(30.0, 5.0, 5.0, id="as asked"),
        pytest.param(30.0, 25.0, 15.0, id="half the timeout at the latest"),
        pytest.param(0.0, 25.0, 25.0, id="no timeout"),
        pytest.param(30.0, None, math.inf, id="off"),
    ],
)
def test_keep_alive(timeout: float, keep_alive: float | None, pause: float) -> None:
    idle = IdleTimer(timeout, keep_alive, 100.0)
    idle.on_sent(101.0, True)

    assert 101.0 + pause == idle.keep_alive_deadline()


def test_keep_alive_that_was_handled_is_not_due_any_more() -> None:
    idle = IdleTimer(30.0, 5.0, 100.0)
    idle.on_keep_alive(105.0)

    assert 110.0 == idle.keep_alive_deadline()
    assert 130.0 == idle.deadline(0.1), "nothing was sent"
