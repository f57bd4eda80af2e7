"""Datagram packetization-layer path MTU discovery: how large datagrams on a path may be.

Probes are packets of nothing but PING and padding, one at a time; their loss says nothing about congestion.
The largest size is tried first, because most paths carry it, and then the range is halved. RFC 8899, RFC 9000
§14.3.
"""

from __future__ import annotations

import math
from typing import Final, final

from qwire.frames import Frame

from ..packing.source import FrameSource

# RFC 9000 §14: every path carries this.
BASE_SIZE: Final = 1200
# RFC 8899 §5.1.2: losses of one size until it counts as too large.
MAX_PROBES: Final = 3
# The search ends when less than this could be gained.
GRANULARITY: Final = 20
# Round trips between probes: a path that is searched hardly notices.
ROUND_TRIPS_BETWEEN: Final = 5
# RFC 8899 §5.1.1: after this many seconds a path that did not carry the largest size is tried anew.
RAISE_INTERVAL: Final = 600.0
# RFC 8899 §4.3: losses of large datagrams, with none of that size acknowledged between, that make a black
# hole.
BLACK_HOLE_LOSSES: Final = 3
BLACK_HOLE_PTOS: Final = 3
# After a black hole the search waits, so that a route that flaps is not tried at every turn.
BLACK_HOLE_PAUSE: Final = 60.0


@final
class MtuDiscovery(FrameSource):
    """The search on one path.

    It owns the PING of each probe and learns the fate of the probe through it.

    Args:
        base: the size that the path is known to carry.
        ceiling: the size beyond which nothing is tried.
        enabled: without it, `current` stays at the base.

    Attributes:
        current: UDP payload to use now.
        deadline: when the next probe is due.
        is_idle: a search may begin, and nobody has had use for it yet.
    """

    __slots__ = (
        "_base",
        "_ceiling",
        "_enabled",
        "_high",
        "_interval",
        "_large_losses",
        "_last_sent",
        "_losses",
        "_outstanding",
        "_permitted",
        "_try_ceiling",
        "current",
        "deadline",
        "is_idle",
    )

    def __init__(self, *, base: int = BASE_SIZE, ceiling: int, enabled: bool = True) -> None:
        self.current = base
        self.deadline = math.inf
        self._base = base
        self._ceiling = max(ceiling, base)
        self._enabled = enabled
        self._high = self._ceiling  # the largest size that may still work
        self._try_ceiling = True
        self._outstanding = 0
        self._losses = 0
        self._interval = 0.0
        self._last_sent = 0.0
        self._large_losses = 0
        self._permitted = 0.0
        self.is_idle = False

    def set_ceiling(self, size: int) -> None:
        """Lower or raise the largest size to try, which is never below the base."""
        self._ceiling = max(size, self._base)
        self._high = self._ceiling
        self.current = min(self.current, self._ceiling)

    def permit(self, now: float) -> None:
        """The handshake is confirmed, so a search may begin; RFC 9000 §14.3. It waits until somebody wants it.

        Most connections are over before they have filled a datagram, and would have no use for what probes find.
        """
        self._permitted = now
        self.is_idle = True

    def want(self) -> None:
        """A datagram was filled, or DATAGRAM frames are to be sent: larger ones would be of use."""
        if self.is_idle:
            self.is_idle = False
            self.start(self._permitted)

    def start(self, now: float) -> None:
        """Begin to search."""
        if self._enabled and self._wants_more():
            self.deadline = now

    def _wants_more(self) -> bool:
        if self._try_ceiling:
            return self._high > self.current
        return self._high - self.current >= GRANULARITY

    def probe_size(self, now: float) -> int:
        """The size of the probe that is due, or 0."""
        if now < self.deadline or self._outstanding:
            return 0
        if self._high < self._ceiling and not self._wants_more():
            self._high = self._ceiling  # the long pause is over
            self._try_ceiling = True
        if self._try_ceiling:
            return self._high
        return (self.current + self._high + 1) >> 1

    def on_probe_sent(self, size: int, now: float, rtt: float) -> None:
        """A probe has left; the next waits for its fate."""
        self._outstanding = size
        self._last_sent = now
        self._interval = ROUND_TRIPS_BETWEEN * rtt
        self.deadline = math.inf

    def _go_on(self) -> None:
        self._outstanding = 0
        if self._wants_more():
            self.deadline = self._last_sent + self._interval
        elif self.current < self._ceiling:
            self.deadline = self._last_sent + RAISE_INTERVAL
        else:
            self.deadline = math.inf

    def on_acked(self, frame: Frame) -> None:
        if self._outstanding:
            self.current = max(self.current, min(self._outstanding, self._ceiling))
            self._losses = 0
            self._large_losses = 0
            self._try_ceiling = False
            self._go_on()

    def on_lost(self, frame: Frame) -> None:
        if self._outstanding:
            self._losses += 1
            if self._losses >= MAX_PROBES:
                self._refuse(self._outstanding)
            self._go_on()

    def on_too_big(self, size: int) -> None:
        """The local system would not send a datagram of this size."""
        if size > self.current and size <= self._high:
            self._refuse(size)
            self._go_on()

    def _refuse(self, size: int) -> None:
        self._high = max(size - 1, self.current)
        self._losses = 0
        self._try_ceiling = False

    def on_packets_acked(self, largest_size: int) -> None:
        """An acknowledgement has come, for datagrams up to this size."""
        if largest_size > self._base:
            self._large_losses = 0

    def on_packets_lost(self, largest_size: int, now: float) -> bool:
        """Datagrams up to this size were lost together; True if the path swallows large ones by now."""
        if self.current <= self._base or largest_size <= self._base:
            return False
        self._large_losses += 1
        return self._large_losses >= BLACK_HOLE_LOSSES and self._fall_back(now)

    def on_pto(self, count: int, now: float) -> bool:
        """Nothing was heard for `count` probe timeouts in a row; True if large datagrams are suspected."""
        return count >= BLACK_HOLE_PTOS and self.current > self._base and self._fall_back(now)

    def _fall_back(self, now: float) -> bool:
        self.current = self._base
        self._high = self._ceiling
        self._try_ceiling = True
        self._outstanding = 0
        self._losses = 0
        self._large_losses = 0
        if self._enabled:
            self.deadline = now + BLACK_HOLE_PAUSE
        return True
