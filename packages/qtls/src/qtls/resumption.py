"""Sessions a client can resume, and where it keeps them.

A ``Session`` is one ticket with what must be remembered beside it. RFC 8446 §4.6.1 and §4.2.11, RFC 9000 §7.4.1.
"""

from __future__ import annotations

from typing import Final, Protocol

from .light_dataclass import dataclass, field
from .packet_keys import suite_parameters

__all__ = ["MemorySessionStore", "Session", "SessionStore", "obfuscated_age"]

# RFC 8446 §4.6.1: clients must not cache tickets for longer than 7 days.
MAX_LIFETIME: Final = 604_800.0


@dataclass(frozen=True, kw_only=True)
class Session:
    """A ticket and the state it stands for. Use each at most once. RFC 8446 §C.4."""

    ticket: bytes = field(repr=False)
    secret: bytes = field(repr=False)
    suite: int
    alpn: str | None
    server_name: str | None
    lifetime: float
    age_add: int = field(repr=False)
    issued_at: float
    quic_version: int
    max_early_data: int = 0
    transport_parameters: bytes = field(default=b"", repr=False)
    certificates: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def binder_size(self) -> int:
        """Size of the PSK binder: that of the suite's hash."""
        return suite_parameters(self.suite).hash_size

    def is_fresh(self, wall_clock: float) -> bool:
        """Whether the ticket may be offered at ``wall_clock``."""
        return self.issued_at <= wall_clock < self.issued_at + min(self.lifetime, MAX_LIFETIME)

    def fits(self, server_name: str | None, quic_version: int, wall_clock: float) -> bool:
        """Whether a client may offer the ticket on a connection.

        RFC 8446 §4.6.1: only for the name it was made for. RFC 9369 §5: nor for another QUIC version.
        """
        return (
            self.is_fresh(wall_clock)
            and self.server_name == server_name
            and self.quic_version == quic_version
        )


class SessionStore(Protocol):
    """Keeps sessions by a key chosen by the caller, such as "host:port"."""

    def pop(self, key: str) -> Session | None:
        """Take the newest session of ``key`` out of the store."""
        ...

    def put(self, key: str, session: Session) -> None:
        """Keep a session."""
        ...


class MemorySessionStore:
    """A bounded store in memory: a few tickets for each of the most recently used keys."""

    def __init__(self, keys: int = 256, tickets_per_key: int = 4) -> None:
        self._keys = keys
        self._tickets = tickets_per_key
        self._sessions: dict[str, list[Session]] = {}

    def pop(self, key: str) -> Session | None:
        """Take the newest session of ``key`` out of the store."""
        kept = self._sessions.get(key)
        if not kept:
            return None
        session = kept.pop()
        if not kept:
            del self._sessions[key]
        return session

    def put(self, key: str, session: Session) -> None:
        """Keep a session, and forget the oldest beyond the bounds."""
        kept = self._sessions.pop(key, [])
        kept.append(session)
        del kept[: -self._tickets]
        self._sessions[key] = kept
        while len(self._sessions) > self._keys:
            del self._sessions[next(iter(self._sessions))]


def obfuscated_age(session: Session, wall_clock: float) -> int:
    """obfuscated_ticket_age of a ticket offered at ``wall_clock``, RFC 8446 §4.2.11.1."""
    return (int((wall_clock - session.issued_at) * 1000) + session.age_add) & 0xFFFFFFFF
