"""HyStart++: leaving slow start before it overflows the path.

Watches the round-trip time of each round. When it rises, growth slows down for a few rounds; when it falls
again, that was no queue and slow start goes on. RFC 9406.
"""

# ruff: noqa: PLR1730 - per ACK, and min() is a call

from __future__ import annotations

import math
from typing import Final, final

from qwire.compiling import mypyc_attr

# RFC 9406 §4.3.
MIN_RTT_THRESHOLD: Final = 0.004
MAX_RTT_THRESHOLD: Final = 0.016
MIN_RTT_DIVISOR: Final = 8
SAMPLES: Final = 8
CSS_GROWTH_DIVISOR: Final = 4
CSS_ROUNDS: Final = 5


@final
@mypyc_attr(acyclic=True)
class HyStart:
    """The state of one initial slow start.

    Attributes:
        in_css: whether conservative slow start is on.
        is_done: whether slow start should end.
    """

    __slots__ = ("_baseline", "_css_rounds", "_current", "_last", "_samples", "in_css", "is_done")

    def __init__(self) -> None:
        self.in_css = False
        self.is_done = False
        self._last = math.inf
        self._current = math.inf
        self._samples = 0
        self._baseline = math.inf
        self._css_rounds = 0

    def on_round(self) -> None:
        """A packet sent in this round was acknowledged: the next round begins. RFC 9406 §4.2."""
        if self.in_css:
            self._css_rounds += 1
            if self._css_rounds >= CSS_ROUNDS:
                self.is_done = True
        self._last = self._current
        self._current = math.inf
        self._samples = 0

    def on_sample(self, rtt: float) -> None:
        """Take one round-trip time. RFC 9406 §4.2."""
        if rtt < self._current:
            self._current = rtt
        self._samples += 1
        if self._samples < SAMPLES:
            return
        if self.in_css:
            if self._current < self._baseline:
                # No queue was building: the rise was noise.
                self._baseline = math.inf
                self.in_css = False
        elif self._last != math.inf and self._current >= self._last + self._threshold():
            self._baseline = self._current
            self.in_css = True
            self._css_rounds = 0

    def growth(self, size: int) -> int:
        """Bytes by which the window grows when `size` bytes are acknowledged. Not limited: sending is paced."""
        return size // CSS_GROWTH_DIVISOR if self.in_css else size

    def _threshold(self) -> float:
        threshold = self._last / MIN_RTT_DIVISOR
        if threshold < MIN_RTT_THRESHOLD:
            return MIN_RTT_THRESHOLD
        return min(MAX_RTT_THRESHOLD, threshold)
