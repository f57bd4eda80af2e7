"""Spreading what the window allows over the round trip.

A bucket of bytes that fills at the pacing rate. Once it is empty the sender waits until there is enough for a
burst worth a wake-up, so that one system call carries it. RFC 9002 §7.7.
"""

# ruff: noqa: FURB136, PLR1730 - per packet, and min() is a call

from __future__ import annotations

import math
from typing import Final, final

from qwire.compiling import mypyc_attr

# Bursts of this many datagrams are harmless; RFC 9002 §7.7 suggests the initial window as their limit.
BURST_DATAGRAMS: Final = 16
# Event loops do not keep shorter waits: the bucket saves up for each, and holds what a late timer would lose.
GRANULARITY: Final = 0.001
CAPACITY_TIME: Final = 0.002


@final
@mypyc_attr(acyclic=True)
class Pacer:
    """A token bucket.

    A deadline that was given is kept: at that time sending is allowed, whatever rounding says.

    Args:
        datagram_size: bytes of a full datagram.
        burst: datagrams that may leave at once, at any rate.
    """

    __slots__ = (
        "_budget",
        "_burst",
        "_capacity",
        "_datagram_size",
        "_deadline",
        "_is_waiting",
        "_rate",
        "_updated",
    )

    def __init__(self, datagram_size: int, burst: int = BURST_DATAGRAMS) -> None:
        if burst < 1:
            raise ValueError(f"a burst of {burst} datagrams sends nothing")
        self._datagram_size = datagram_size
        self._burst = burst
        self._rate = 0.0
        self._capacity = float(burst * datagram_size)
        self._budget = self._capacity
        self._updated = -math.inf
        self._deadline = 0.0
        self._is_waiting = False

    @property
    def deadline(self) -> float:
        """When sending may go on; math.inf when nothing holds it back."""
        return self._deadline if self._is_waiting else math.inf

    def is_ready(self, now: float) -> bool:
        """Whether a datagram may leave now; if not, `deadline` says when."""
        if now > self._updated:
            self._fill(now)
        if self._is_waiting:
            if now < self._deadline:
                return False
            self._is_waiting = False
            if self._budget < self._datagram_size:
                self._budget = float(self._datagram_size)
            return True
        if self._budget >= self._datagram_size:
            return True
        if self._rate <= 0.0:
            self._budget = float(self._datagram_size)
            return True
        worth = self._rate * GRANULARITY
        if worth < self._datagram_size:
            worth = float(self._datagram_size)
        elif worth > self._capacity:
            worth = self._capacity
        self._deadline = now + (worth - self._budget) / self._rate
        self._is_waiting = True
        return False

    def run_length(self, size: int, limit: int) -> int:
        """How many datagrams of `size` bytes, up to `limit`, may leave at once when `is_ready` has allowed one."""
        if self._rate <= 0.0:
            return limit
        return min(limit, int((self._budget - self._datagram_size) // size) + 1)

    def on_sent(self, size: int) -> None:
        """Bytes have left."""
        self._budget -= size

    def set_rate(self, rate: float, now: float) -> None:
        """Pace at `rate` bytes per second from now on."""
        if now > self._updated:
            self._fill(now)
        if self._is_waiting and rate > self._rate > 0.0:
            # What is left of the wait shrinks with the rate.
            self._deadline = now + max(self._deadline - now, 0.0) * self._rate / rate
        self._rate = rate
        capacity = float(self._burst * self._datagram_size)
        if capacity < rate * CAPACITY_TIME:
            capacity = rate * CAPACITY_TIME
        self._capacity = capacity
        if self._budget > capacity:
            self._budget = capacity

    def set_datagram_size(self, size: int) -> None:
        """The path carries datagrams of this size now."""
        self._datagram_size = size
        self.set_rate(self._rate, self._updated)

    def reset(self) -> None:
        """Another path: start with a full bucket."""
        self._budget = self._capacity
        self._is_waiting = False

    def _fill(self, now: float) -> None:
        if self._updated != -math.inf:
            budget = self._budget + (now - self._updated) * self._rate
            self._budget = budget if budget < self._capacity else self._capacity
        self._updated = now
