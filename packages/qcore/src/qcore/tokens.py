"""Address validation tokens: what a server gives to clients, and where a client keeps them.

A token is sealed under a key that the endpoint's owner gives, so any worker with the key can check it, and it
is bound to the client's address. Retry tokens live for seconds and carry the connection IDs of the exchange;
tokens for later connections live for a day and are taken once. RFC 9000 §8.1.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final, Protocol, final

from qtls import hkdf
from qtls.mac import MacKey
from qtls.one_time import KEY_SIZE, TAG_SIZE, open_once, seal_once

from .batch import Address

# First byte of a token. A wrong Retry token ends the connection, any other unknown token is overlooked.
RETRY_TOKEN: Final = 0x52
NEW_TOKEN: Final = 0x4E
# Random bytes in each token; they make its key, so no two tokens share one and a nonce is not needed.
SALT_SIZE: Final = 16
# A key must not be guessable.
SMALLEST_KEY: Final = 16
# RFC 9000 §8.1.3 asks for a short life of Retry tokens; the answer takes one round trip and some repetitions.
RETRY_LIFETIME: Final = 15.0
LIFETIME: Final = 86_400.0
# Clocks of workers may differ by this many seconds.
CLOCK_SKEW: Final = 10.0
# RFC 9000 §8.1.4: tokens remembered as used. Two halves of this size; with the older one the oldest are
# forgotten.
REPLAY_HALF: Final = 32_768
# Tokens that a client keeps per server, and servers: a server may send any number of them.
TOKENS_PER_ORIGIN: Final = 4
MAX_ORIGINS: Final = 256


class TokenVerdict(Enum):
    """What a token in an Initial packet proves."""

    ABSENT = "absent"
    RETRY = "retry"
    NEW = "new"
    INVALID_RETRY = "invalid retry"


@final
class TokenCheck:
    """The result of checking a token.

    Attributes:
        verdict: ABSENT proves nothing; RETRY and NEW validate the address; INVALID_RETRY is answered by
            closing with INVALID_TOKEN (RFC 9000 §8.1.3).
        original_cid, retry_source_cid: the connection IDs of the Retry exchange, for RETRY only.
    """

    __slots__ = ("original_cid", "retry_source_cid", "verdict")

    def __init__(
        self, verdict: TokenVerdict, original_cid: bytes = b"", retry_source_cid: bytes = b""
    ) -> None:
        self.verdict = verdict
        self.original_cid = original_cid
        self.retry_source_cid = retry_source_cid

    @property
    def validates(self) -> bool:
        """Whether the client's address is proven."""
        return self.verdict is TokenVerdict.RETRY or self.verdict is TokenVerdict.NEW


class UsedTokens(Protocol):
    """Remembers which tokens were used."""

    def is_new(self, salt: bytes, wall: float) -> bool:
        """Whether no token with this salt has been seen; remembers it."""
        ...


@final
class TokenMemory:
    """The tokens that this process has taken; with too many of them, the oldest are forgotten."""

    __slots__ = ("_used", "_used_before")

    def __init__(self) -> None:
        self._used: set[bytes] = set()
        self._used_before: set[bytes] = set()

    def is_new(self, salt: bytes, wall: float) -> bool:
        """Whether no token with this salt has been seen; remembers it."""
        if salt in self._used or salt in self._used_before:
            return False
        if len(self._used) >= REPLAY_HALF:
            self._used_before = self._used
            self._used = set()
        self._used.add(salt)
        return True


@final
class AddressTokens:
    """Makes and checks the tokens of a server.

    Args:
        keys: secrets of at least 16 bytes. The first one seals, all of them open, so that keys can be
            rotated.
        random: source of random bytes.
        used: where those that were taken are remembered; what several processes share, if they share the keys.
        retry_lifetime, lifetime: seconds for which Retry tokens, and others, are good.

    Times are seconds of the wall clock, because a token may outlive the process.
    """

    __slots__ = ("_keys", "_lifetime", "_random", "_retry_lifetime", "_used")

    def __init__(
        self,
        keys: Sequence[bytes],
        random: Callable[[int], bytes],
        *,
        used: UsedTokens | None = None,
        retry_lifetime: float = RETRY_LIFETIME,
        lifetime: float = LIFETIME,
    ) -> None:
        if not keys:
            raise ValueError("at least one token key is needed")
        if any(len(key) < SMALLEST_KEY for key in keys):
            raise ValueError(f"a token key has at least {SMALLEST_KEY} bytes")
        self._keys = [MacKey("sha256", hkdf.extract("sha256", b"address tokens", key)) for key in keys]
        self._random = random
        self._retry_lifetime = retry_lifetime
        self._lifetime = lifetime
        self._used = used or TokenMemory()

    def seal_retry(
        self, address: Address, original_cid: bytes, retry_source_cid: bytes, wall: float
    ) -> bytes:
        """A token for a Retry packet.

        Args:
            original_cid: destination of the client's first Initial packet.
            retry_source_cid: source of the Retry packet, and destination of what follows.
        """
        body = bytes((len(original_cid),)) + original_cid + retry_source_cid
        return self._seal(RETRY_TOKEN, _bound_to(address, with_port=True), body, wall)

    def seal_new(self, address: Address, wall: float) -> bytes:
        """A token for a NEW_TOKEN frame."""
        return self._seal(NEW_TOKEN, _bound_to(address, with_port=False), b"", wall)

    def _seal(self, kind: int, bound_to: bytes, body: bytes, wall: float) -> bytes:
        salt = self._random(SALT_SIZE)
        head = bytes((kind,)) + salt
        content = int(wall * 1000).to_bytes(8, "big") + body
        return head + seal_once(_key(self._keys[0], salt), content, head + bound_to)

    def check(self, token: bytes, address: Address, wall: float) -> TokenCheck:
        """What the token of an Initial packet from an address proves. Any bytes are taken."""
        kind = token[0] if token else 0
        if kind == RETRY_TOKEN:
            body = self._open(token, _bound_to(address, with_port=True), wall, self._retry_lifetime)
            if not body or body[0] >= len(body):
                return TokenCheck(TokenVerdict.INVALID_RETRY)
            return TokenCheck(TokenVerdict.RETRY, body[1 : 1 + body[0]], body[1 + body[0] :])
        if kind == NEW_TOKEN:
            body = self._open(token, _bound_to(address, with_port=False), wall, self._lifetime)
            if body is not None and self._used.is_new(token[1 : 1 + SALT_SIZE], wall):
                return TokenCheck(TokenVerdict.NEW)
        return TokenCheck(TokenVerdict.ABSENT)

    def _open(self, token: bytes, bound_to: bytes, wall: float, lifetime: float) -> bytes | None:
        head_size = 1 + SALT_SIZE
        if len(token) < head_size + 8 + TAG_SIZE:
            return None
        head = token[:head_size]
        for key in self._keys:
            payload = open_once(_key(key, head[1:]), token[head_size:], head + bound_to)
            if payload is not None:
                age = wall - int.from_bytes(payload[:8], "big") / 1000
                return payload[8:] if -CLOCK_SKEW <= age <= lifetime else None
        return None


def _key(secret: MacKey, salt: bytes) -> bytes:
    """The key of one token: HKDF-Expand with its salt, RFC 5869 §2.3."""
    return secret.digest(b"token" + salt + b"\x01")[:KEY_SIZE]


def _bound_to(address: Address, *, with_port: bool) -> bytes:
    """What identifies a client. A port changes between connections, but not between Retry and its answer."""
    host = address[0].encode()
    return host + address[1].to_bytes(2, "big") if with_port else host


class TokenStore(Protocol):
    """Where a client keeps tokens between connections. RFC 9000 §8.1.3."""

    def pop(self, key: str) -> bytes | None:
        """Take out a token for a server; each is used once, so that connections cannot be linked by it."""

    def put(self, key: str, token: bytes) -> None:
        """Keep a token of a server."""


@final
class MemoryTokenStore:
    """A bounded store: the newest tokens of the servers heard of last."""

    __slots__ = ("_origins",)

    def __init__(self) -> None:
        self._origins: dict[str, deque[bytes]] = {}

    def __len__(self) -> int:
        return sum(len(tokens) for tokens in self._origins.values())

    def pop(self, key: str) -> bytes | None:
        """The newest token of a server, or None."""
        tokens = self._origins.get(key)
        if not tokens:
            return None
        token = tokens.pop()
        if not tokens:
            del self._origins[key]
        return token

    def put(self, key: str, token: bytes) -> None:
        """Keep a token; the oldest of the server, or the server heard of longest ago, makes room."""
        tokens = self._origins.pop(key, None)
        if tokens is None:
            tokens = deque(maxlen=TOKENS_PER_ORIGIN)
            if len(self._origins) >= MAX_ORIGINS:
                del self._origins[next(iter(self._origins))]
        tokens.append(token)
        self._origins[key] = tokens
