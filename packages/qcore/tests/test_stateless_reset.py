"""Stateless resets. RFC 9000 §10.3."""

import pytest

from qcore.stateless_reset import ResetLimiter, ResetTokens, reset_size


def test_a_token_depends_on_key_and_id_alone() -> None:
    tokens = ResetTokens(b"key")
    token = tokens.make(b"cid")

    assert 16 == len(token)
    assert token == ResetTokens(b"key").make(b"cid")
    assert token != tokens.make(b"cie")
    assert token != ResetTokens(b"kez").make(b"cid")


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [(0, 0), (21, 0), (41, 0), (42, 41), (43, 42), (44, 42), (1200, 42), (65_527, 42)],
)
def test_an_answer_is_smaller_than_its_cause(trigger: int, expected: int) -> None:  # attack A8
    assert expected == reset_size(trigger)


def test_two_endpoints_without_state_fall_silent() -> None:  # RFC 9000 §10.3.3
    size = 1500
    exchanged = 0
    while size:
        size = reset_size(size)
        exchanged += 1

    assert 3 == exchanged


def test_resets_are_limited_in_rate() -> None:
    limiter = ResetLimiter(rate=10.0, burst=5.0)

    assert [True] * 5 + [False] * 5 == [limiter.allow(100.0) for _ in range(10)]
    assert [True, False] == [limiter.allow(100.125) for _ in range(2)]
    assert 5 == sum(limiter.allow(200.0) for _ in range(10))
