"""Sessions and the store in memory."""

from __future__ import annotations

from typing import Any

import pytest

from qtls import MemorySessionStore, Session
from qtls.resumption import obfuscated_age


def session(**changes: Any) -> Session:
    values: dict[str, Any] = {
        "ticket": b"ticket",
        "secret": b"s" * 32,
        "suite": 0x1301,
        "alpn": "h3",
        "server_name": "server.example",
        "lifetime": 3600.0,
        "age_add": 5,
        "issued_at": 1000.0,
        "quic_version": 1,
        **changes,
    }
    return Session(**values)


@pytest.mark.parametrize(
    ("lifetime", "at", "expected"),
    [(3600.0, 1000.0, True), (3600.0, 4599.9, True), (3600.0, 4600.0, False), (3600.0, 999.0, False)]
    + [(1e9, 1000.0 + 604_799, True), (1e9, 1000.0 + 604_800, False)],
)
def test_freshness(lifetime: float, at: float, expected: bool) -> None:  # RFC 8446 §4.6.1: a week at most
    assert expected is session(lifetime=lifetime).is_fresh(at)


def test_obfuscated_age() -> None:  # RFC 8446 §4.2.11.1
    assert 2505 == obfuscated_age(session(), 1002.5)
    assert 2499 == obfuscated_age(session(age_add=0xFFFFFFFF), 1002.5)


def test_binder_size_follows_the_hash() -> None:
    assert [32, 48, 32] == [session(suite=suite).binder_size for suite in (0x1301, 0x1302, 0x1303)]


def test_store_gives_the_newest_first_and_once() -> None:
    store = MemorySessionStore(tickets_per_key=2)
    for ticket in (b"1", b"2", b"3"):
        store.put("host:443", session(ticket=ticket))
    taken = [store.pop("host:443") for _ in range(3)]

    assert [b"3", b"2", None] == [each and each.ticket for each in taken]


def test_store_forgets_the_oldest_host() -> None:
    store = MemorySessionStore(keys=2)
    for host in ("a", "b", "a", "c"):
        store.put(host, session())

    assert store.pop("b") is None
    assert store.pop("a") is not None
    assert store.pop("c") is not None
