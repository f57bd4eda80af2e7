"""A server's session tickets: sealed state that only the server can read, and protection against replayed 0-RTT.

RFC 8446 §4.6.1, §8 and appendix B of RFC 5077 for the idea of self-contained tickets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .codec import Reader, vector8, vector16, vector24
from .errors import DecodeError

__all__ = ["ReplayGuard", "ReplayWindow", "TicketState", "open_ticket", "seal_ticket"]

FORMAT: Final = 1
KEY_NAME_SIZE: Final = 4
NONCE_SIZE: Final = 12
# A ticket rides in every resumed ClientHello; a client's chain that would bloat it means no ticket.
MAX_STATE_SIZE: Final = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketState:
    """What a server must know again when a ticket comes back; times are Unix time."""

    secret: bytes = field(repr=False)
    suite: int
    quic_version: int
    issued_at: float
    lifetime: float
    age_add: int = field(repr=False)
    early_data: bool
    alpn: str | None
    server_name: str | None
    transport_parameters: bytes = field(repr=False)
    client_certificates: tuple[bytes, ...] = field(default=(), repr=False)

    def is_fresh(self, wall_clock: float) -> bool:
        """Whether the ticket has not outlived its time."""
        return self.issued_at <= wall_clock < self.issued_at + self.lifetime

    def encode(self) -> bytes:
        """As it is sealed into a ticket."""
        flags = self.early_data | (self.alpn is not None) << 1 | (self.server_name is not None) << 2
        return b"".join(
            (
                bytes((FORMAT, flags)),
                self.suite.to_bytes(2, "big"),
                self.quic_version.to_bytes(4, "big"),
                int(self.issued_at * 1000).to_bytes(8, "big"),
                int(self.lifetime).to_bytes(4, "big"),
                self.age_add.to_bytes(4, "big"),
                vector8(self.secret),
                vector8((self.alpn or "").encode("latin-1")),
                vector16((self.server_name or "").encode("latin-1")),
                vector16(self.transport_parameters),
                vector24(b"".join([vector24(each) for each in self.client_certificates])),
            )
        )

    @classmethod
    def parse(cls, data: bytes) -> TicketState:
        """Read what ``encode`` made.

        Raises:
            DecodeError: another format.
        """
        reader = Reader(data)
        if reader.read_uint8() != FORMAT:
            raise DecodeError("ticket of another format")
        flags = reader.read_uint8()
        suite = reader.read_uint16()
        quic_version = reader.read_uint32()
        issued_at = int.from_bytes(reader.read_bytes(8), "big") / 1000
        lifetime = float(reader.read_uint32())
        age_add = reader.read_uint32()
        secret = reader.read_vector8()
        alpn = reader.read_vector8().decode("latin-1")
        server_name = reader.read_vector16().decode("latin-1")
        transport_parameters = reader.read_vector16()
        listed = Reader(reader.read_vector24())
        certificates = []
        while listed.remaining():
            certificates.append(listed.read_vector24())
        return cls(
            secret=secret,
            suite=suite,
            quic_version=quic_version,
            issued_at=issued_at,
            lifetime=lifetime,
            age_add=age_add,
            early_data=bool(flags & 1),
            alpn=alpn if flags & 2 else None,
            server_name=server_name if flags & 4 else None,
            transport_parameters=transport_parameters,
            client_certificates=tuple(certificates),
        )


def seal_ticket(state: TicketState, keys: Sequence[bytes], random: Callable[[int], bytes]) -> bytes | None:
    """A ticket under the first key, or None without keys or when the state is too large."""
    if not keys:
        return None
    plain = state.encode()
    if len(plain) > MAX_STATE_SIZE:
        return None
    nonce = random(NONCE_SIZE)
    name, cipher = _prepared(keys[0])
    return name + nonce + cipher.encrypt(nonce, plain, name)


def open_ticket(ticket: bytes, keys: Sequence[bytes]) -> TicketState | None:
    """The state in a ticket, or None when none of the keys made it."""
    if len(ticket) < KEY_NAME_SIZE + NONCE_SIZE + 16:
        return None
    name = ticket[:KEY_NAME_SIZE]
    nonce = ticket[KEY_NAME_SIZE : KEY_NAME_SIZE + NONCE_SIZE]
    for key in keys:
        key_name, cipher = _prepared(key)
        if key_name != name:
            continue
        try:
            return TicketState.parse(cipher.decrypt(nonce, ticket[KEY_NAME_SIZE + NONCE_SIZE :], name))
        except (InvalidTag, DecodeError):
            continue
    return None


class ReplayGuard(Protocol):
    """Decides whether 0-RTT with a binder may be taken."""

    def is_new(self, binder: bytes, wall_clock: float) -> bool:
        """Whether this binder has not been seen; remembers it."""
        ...


class ReplayWindow:
    """Remembers the binders of a time window, RFC 8446 §8.2; when it is full, 0-RTT is refused.

    Older replays fail the check of the ticket's age, so two windows of ``seconds`` are enough.
    """

    def __init__(self, seconds: float = 20.0, capacity: int = 100_000) -> None:
        self._seconds = seconds
        self._capacity = capacity
        self._started = 0.0
        self._current: set[bytes] = set()
        self._previous: set[bytes] = set()

    def is_new(self, binder: bytes, wall_clock: float) -> bool:
        """Whether this binder has not been seen; remembers it."""
        if not 0 <= wall_clock - self._started < self._seconds:
            recent = 0 <= wall_clock - self._started < 2 * self._seconds
            self._previous = self._current if recent else set()
            self._current = set()
            self._started = wall_clock
        # A prefix is enough to tell binders apart, and keeps the set small.
        mark = binder[:16]
        if mark in self._current or mark in self._previous or len(self._current) >= self._capacity:
            return False
        self._current.add(mark)
        return True


@lru_cache(maxsize=16)  # the keys of a server, the present one and those before
def _prepared(key: bytes) -> tuple[bytes, AESGCM]:
    """The name of a ticket key, which tells nothing about it, and its cipher."""
    return hashlib.sha256(b"ticket key name" + key).digest()[:KEY_NAME_SIZE], AESGCM(key)
