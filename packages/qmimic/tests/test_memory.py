from dataclasses import replace

import pytest

from qmimic.memory import MAX_ORIGINS, MAX_PER_ORIGIN, Memory, MemoryFormatError
from qtls.resumption import Session

SESSION = Session(
    ticket=b"ticket",
    secret=bytes(48),
    suite=0x1302,
    alpn="h3",
    server_name="www.example.com",
    lifetime=60.0,
    age_add=7,
    issued_at=1_000.5,
    quic_version=1,
    max_early_data=0xFFFFFFFF,
    transport_parameters=b"\1\2\3",
    certificates=(b"leaf", b"issuer"),
)
KEY = "www.example.com:443"


def test_what_is_written_reads_back() -> None:
    memory = Memory()
    memory.resumption(KEY).sessions.put("any", SESSION)  # type: ignore[union-attr] # there is a store
    memory.tokens(KEY).put("any", b"token")
    memory.origin(KEY).rtt = 0.025
    again = Memory.loads(memory.dumps())

    assert memory.dumps() == again.dumps()
    resumption = again.resumption(KEY)
    assert (b"token", 0.025) == (resumption.token, resumption.rtt)
    assert resumption.sessions is not None
    assert SESSION == resumption.sessions.pop("any")


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"format": 2, "origins": {}}', '{"format": 1, "origins": {"a": {}}}', "[" * 100_000],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(MemoryFormatError, match="not a file of kept sessions"):
        Memory.loads(text)


def test_tickets_and_tokens_are_used_once() -> None:
    memory = Memory()
    origin = memory.origin(KEY)
    origin.sessions.append(SESSION)
    origin.tokens.append(b"token")
    first, second = memory.resumption(KEY), memory.resumption(KEY)

    assert (b"token", b"") == (first.token, second.token)
    assert first.sessions is not None and second.sessions is not None
    assert SESSION == first.sessions.pop("any")
    assert second.sessions.pop("any") is None


def test_origins_are_apart() -> None:
    memory = Memory()
    memory.tokens("a.example:443").put("any", b"token")

    assert b"" == memory.resumption("a.example:8443").token
    assert b"token" == memory.resumption("a.example:443").token


def test_a_token_before_any_ticket_may_be_dropped() -> None:  # Chromium keeps it only behind a ticket
    memory = Memory()
    tokens = memory.tokens(KEY, only_with_session=True)
    tokens.put("any", b"early")
    memory.origin(KEY).sessions.append(SESSION)
    tokens.put("any", b"late")

    assert b"late" == memory.resumption(KEY).token
    assert b"" == memory.resumption(KEY).token


def test_everything_is_bounded() -> None:
    memory = Memory()
    store = memory.resumption(KEY).sessions
    assert store is not None
    for number in range(10):
        store.put("any", replace(SESSION, age_add=number))
        memory.tokens(KEY).put("any", bytes([number]))
    assert [6, 7, 8, 9] == [session.age_add for session in memory.origin(KEY).sessions]
    assert MAX_PER_ORIGIN == len(memory.origin(KEY).tokens)
    for number in range(MAX_ORIGINS + 5):
        memory.origin(f"{number}.example:443")

    assert MAX_ORIGINS == len(memory)
