"""Stateless resets: tokens that need no memory, and restraint in sending them.

A token is an HMAC of the connection ID under a key of the endpoint, so that it is the same after a restart.
RFC 9000 §10.3.
"""

from __future__ import annotations

from typing import Final, final

from qtls.mac import MacKey
from qwire.constants import RESET_TOKEN_SIZE

# RFC 9000 §10.3: what looks like the smallest packet that the peer would send is answered by nothing larger.
LARGEST_RESET: Final = 42
# RFC 9000 §10.3: a packet of 41 bytes or fewer may itself be a reset and gets no answer, so that two
# endpoints without state fall silent: each answer is smaller than what caused it (§10.3.3).
SMALLEST_TRIGGER: Final = 42
# Resets per second of one endpoint, and at once. Honest peers need one per lost connection.
RESETS_PER_SECOND: Final = 50.0
RESET_BURST: Final = 50.0
KEY_SIZE: Final = 32


@final
class ResetTokens:
    """The tokens of connection IDs under an endpoint's key. RFC 9000 §10.3.2."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = MacKey("sha256", key)

    def make(self, cid: bytes) -> bytes:
        """The token of one connection ID; always the same."""
        return self._key.digest(b"stateless reset" + cid)[:RESET_TOKEN_SIZE]


def reset_size(trigger_size: int) -> int:
    """The size of the reset that answers a datagram of a size; 0 for no answer."""
    if trigger_size < SMALLEST_TRIGGER:
        return 0
    return min(trigger_size - 1, LARGEST_RESET)


@final
class ResetLimiter:
    """A token bucket over all resets of an endpoint. RFC 9000 §10.3.3."""

    __slots__ = ("_available", "_burst", "_rate", "_updated")

    def __init__(self, rate: float = RESETS_PER_SECOND, burst: float = RESET_BURST) -> None:
        self._rate = rate
        self._burst = burst
        self._available = burst
        self._updated = 0.0

    def allow(self, now: float) -> bool:
        """Whether one more reset may be sent; if so, it is counted."""
        if now > self._updated:
            self._available = min(self._burst, self._available + (now - self._updated) * self._rate)
            self._updated = now
        if self._available < 1.0:
            return False
        self._available -= 1.0
        return True
