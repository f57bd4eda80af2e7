"""Server tickets and replay protection."""

from __future__ import annotations

import random as seeded
from dataclasses import replace

import pytest

from qtls import DecodeError
from qtls.tickets import ReplayWindow, TicketState, open_ticket, seal_ticket

KEY, OTHER = b"k" * 32, b"o" * 32
RANDOM = seeded.Random(1).randbytes
STATE = TicketState(
    secret=b"s" * 48,
    suite=0x1302,
    quic_version=1,
    issued_at=1_790_000_000.125,
    lifetime=3600.0,
    age_add=0x12345678,
    early_data=True,
    alpn="h3",
    server_name="server.example",
    transport_parameters=b"parameters",
    client_certificates=(b"leaf", b"issuer"),
)


@pytest.mark.parametrize(
    "state",
    [STATE, replace(STATE, alpn=None, server_name=None, early_data=False, client_certificates=()), replace(STATE, alpn="")],
)  # fmt: skip
def test_state_survives_a_ticket(state: TicketState) -> None:
    ticket = seal_ticket(state, (KEY, OTHER), RANDOM)

    assert ticket is not None
    assert state == open_ticket(ticket, (KEY,)) == open_ticket(ticket, (OTHER, KEY))
    assert open_ticket(ticket, (OTHER,)) is None
    assert open_ticket(ticket, ()) is None
    assert state.secret not in ticket


def test_no_bit_of_a_ticket_may_change() -> None:
    ticket = seal_ticket(STATE, (KEY,), RANDOM)
    assert ticket is not None

    for index in range(len(ticket)):
        changed = bytearray(ticket)
        changed[index] ^= 0x10
        assert open_ticket(bytes(changed), (KEY,)) is None
        assert open_ticket(ticket[:index], (KEY,)) is None


def test_no_ticket_without_keys_or_for_too_much_state() -> None:
    assert seal_ticket(STATE, (), RANDOM) is None
    assert seal_ticket(replace(STATE, client_certificates=(bytes(9000),)), (KEY,), RANDOM) is None


def test_state_of_another_format() -> None:
    encoded = STATE.encode()
    with pytest.raises(DecodeError, match="another format"):
        TicketState.parse(b"\2" + encoded[1:])
    for size in range(len(encoded)):
        with pytest.raises(DecodeError):
            TicketState.parse(encoded[:size])


def test_freshness() -> None:
    assert STATE.is_fresh(STATE.issued_at) and STATE.is_fresh(STATE.issued_at + 3599)
    assert not STATE.is_fresh(STATE.issued_at + 3600)
    assert not STATE.is_fresh(STATE.issued_at - 1)


def test_secrets_are_not_shown() -> None:
    assert "ssss" not in repr(STATE)
    assert str(0x12345678) not in repr(STATE)


def test_replays_within_the_windows() -> None:  # RFC 8446 §8.2
    window = ReplayWindow(seconds=10)

    assert window.is_new(b"a" * 32, 100.0)
    assert not window.is_new(b"a" * 32, 100.0)
    assert window.is_new(b"b" * 32, 109.0)
    assert not window.is_new(b"a" * 32, 111.0)  # a new window began, the one before is kept
    assert not window.is_new(b"b" * 32, 119.0)
    assert window.is_new(b"a" * 32, 200.0)


def test_a_full_window_takes_no_more() -> None:
    window = ReplayWindow(seconds=10, capacity=3)

    assert [True, True, True, False] == [window.is_new(bytes((each,)) * 32, 5.0) for each in range(4)]
    assert window.is_new(b"x" * 32, 16.0)
