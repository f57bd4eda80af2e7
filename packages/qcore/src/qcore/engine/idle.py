"""Idle timeout and keep-alive. RFC 9000 §10.1."""

# ruff: noqa: FURB136 - per packet, and min() is a call

from __future__ import annotations

import math
from typing import final


@final
class IdleTimer:
    """When silence ends the connection, and when a PING breaks the silence.

    The timeout restarts when a packet arrives, and with the first ack-eliciting packet sent since then.
    """

    __slots__ = ("_last_activity", "_sent_since_receipt", "_since", "keep_alive", "timeout")

    def __init__(self, timeout: float, keep_alive: float | None, now: float) -> None:
        self.timeout = timeout if timeout > 0 else math.inf
        self.keep_alive = keep_alive
        self._since = now
        self._last_activity = now
        self._sent_since_receipt = False

    def on_peer_timeout(self, timeout: float) -> None:
        """The peer's max_idle_timeout in seconds; 0 means that it sets none. The smaller one counts."""
        if timeout > 0:
            self.timeout = min(self.timeout, timeout)

    def on_received(self, now: float) -> None:
        self._since = now
        self._last_activity = now
        self._sent_since_receipt = False

    def on_sent(self, now: float, ack_eliciting: bool) -> None:
        if not ack_eliciting:
            return
        self._last_activity = now
        if not self._sent_since_receipt:
            self._sent_since_receipt = True
            self._since = now

    def deadline(self, pto: float) -> float:
        """RFC 9000 §10.1: at least three times the current probe timeout."""
        least = 3 * pto
        return self._since + (self.timeout if self.timeout > least else least)

    def keep_alive_deadline(self) -> float:
        """When to send a PING; never later than half the idle timeout."""
        if self.keep_alive is None:
            return math.inf
        return self._last_activity + min(self.keep_alive, self.timeout / 2)

    def on_keep_alive(self, now: float) -> None:
        """A PING is queued; while congestion control holds it back, the next one is not due at once."""
        self._last_activity = now
