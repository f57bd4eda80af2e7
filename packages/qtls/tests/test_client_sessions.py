"""What a client does with tickets."""

from __future__ import annotations

import dataclasses

import pytest

from qtls import ClientTLS, LocalAlert, MemorySessionStore, Session
from qtls.client_sessions import session_of_ticket, usable_session
from qtls.hkdf import expand_label
from qtls.key_schedule import KeySchedule
from qtls.messages.new_session_ticket import EARLY_DATA, NewSessionTicket

NOW = 1000.0


def ticket(lifetime: int = 3600, max_early_data: int = 0) -> bytes:
    return NewSessionTicket(lifetime, 7, b"nonce", b"ticket", max_early_data).encode()


def session_of(raw: bytes) -> Session | None:
    return session_of_ticket(
        raw,
        KeySchedule("sha256"),
        bytes(32),
        suite=0x1301,
        alpn="h3",
        server_name="a.example",
        issued_at=NOW,
        quic_version=1,
        transport_parameters=b"limits",
        certificates=(b"leaf",),
    )


def made() -> Session:
    session = session_of(ticket())
    assert session is not None
    return session


def test_a_session_is_what_was_negotiated_and_the_secret_of_its_ticket() -> None:  # RFC 8446 §4.6.1
    secret = KeySchedule("sha256").derive(b"res master", bytes(32))

    assert made() == Session(
        ticket=b"ticket",
        secret=expand_label("sha256", secret, b"resumption", b"nonce", 32),
        suite=0x1301,
        alpn="h3",
        server_name="a.example",
        lifetime=3600.0,
        age_add=7,
        issued_at=NOW,
        quic_version=1,
        transport_parameters=b"limits",
        certificates=(b"leaf",),
    )


def test_early_data_is_all_or_nothing() -> None:  # RFC 9001 §4.6.1
    with_early_data = session_of(ticket(max_early_data=EARLY_DATA))
    assert with_early_data is not None
    assert EARLY_DATA == with_early_data.max_early_data
    with pytest.raises(LocalAlert, match="ticket permits 16384 bytes of 0-RTT"):
        session_of(ticket(max_early_data=16384))


def test_a_ticket_without_lifetime_is_forgotten() -> None:  # RFC 8446 §4.6.1
    assert session_of(ticket(lifetime=0)) is None


def usable(given: Session | None, store: MemorySessionStore | None = None) -> Session | None:
    config = ClientTLS(alpn=("h3",), ciphers=(0x1301, 0x1303), sessions=store)
    return usable_session(config, given, "a.example:443", "a.example", 1, NOW + 5)


def test_a_session_that_was_given_goes_before_those_that_are_kept() -> None:
    store = MemorySessionStore()
    kept = dataclasses.replace(made(), ticket=b"kept")
    store.put("a.example:443", kept)

    assert made() == usable(made(), store)
    assert kept == usable(None, store)
    assert usable(None, store) is None
    assert usable(None) is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"suite": 0x1302}, id="cipher that is not offered"),
        pytest.param({"server_name": "b.example"}, id="other name"),
        pytest.param({"quic_version": 0x6B3343CF}, id="other version"),
        pytest.param({"lifetime": 5.0}, id="too old"),
        pytest.param({"issued_at": NOW + 6}, id="of the future"),
    ],
)
def test_a_session_of_another_connection_is_not_offered(change: dict[str, object]) -> None:
    assert usable(dataclasses.replace(made(), **change)) is None  # type: ignore[arg-type]
