"""CUBIC: growth by the time since the last loss, not by the round-trip time. RFC 9438, with HyStart++ (RFC 9406)."""

from __future__ import annotations

import math
from typing import ClassVar, Final, final

from .base import UNLIMITED, CongestionController
from .hystart import HyStart

# RFC 9438 §4.6, §4.1.2; C counts in datagrams per second cubed.
BETA: Final = 0.7
C: Final = 0.4
# RFC 9438 §4.3: growth per round trip that is as aggressive as Reno's with its factor of one half.
ALPHA: Final = 3 * (1 - BETA) / (1 + BETA)
# RFC 9438 §4.2: the window grows by at most half in one round trip.
MAX_TARGET: Final = 1.5


@final
class Cubic(CongestionController):
    """RFC 9438. Windows are floats in bytes inside, so that small steps add up."""

    __slots__ = (
        "_epoch_start",
        "_hystart",
        "_idle_since",
        "_k",
        "_prior",
        "_reno",
        "_undo_w_max",
        "_w_max",
        "_window",
    )

    name: ClassVar[str] = "cubic"

    def __init__(self, datagram_size: int) -> None:
        super().__init__(datagram_size)
        self._hystart = HyStart()
        self._window = 0.0
        # The window before the last reduction, as fast convergence sees it; 0 before the first.
        self._w_max = 0.0
        # The window at which the last reduction set in.
        self._prior = 0.0
        self._k = 0.0
        self._epoch_start = math.inf
        self._idle_since = math.inf
        self._reno = 0.0
        self._undo_w_max = 0.0

    def _grow(
        self, size: int, now: float, rtt: float, smoothed_rtt: float, is_new_round: bool, is_limited: bool
    ) -> None:
        if self.window < self.ssthresh:
            self._grow_slow_start(size, rtt, is_new_round, is_limited)
        elif is_limited:
            self._grow_avoidance(size, now, smoothed_rtt)
        elif self._idle_since == math.inf:
            self._idle_since = now

    def _grow_slow_start(self, size: int, rtt: float, is_new_round: bool, is_limited: bool) -> None:
        # RFC 9406 §4.3: for the first slow start; later ones know a threshold.
        uses_hystart = self.ssthresh == UNLIMITED
        if uses_hystart:
            if is_new_round:
                self._hystart.on_round()
            if rtt > 0.0:
                self._hystart.on_sample(rtt)
            if self._hystart.is_done:
                self.ssthresh = self.window
                return
        if is_limited:
            growth = self._hystart.growth(size) if uses_hystart else size
            self._set_window(min(self.window + growth, self.ssthresh))

    def _grow_avoidance(self, size: int, now: float, smoothed_rtt: float) -> None:
        if self._epoch_start == math.inf:
            self._start_epoch(now)
        elif self._idle_since != math.inf:
            # RFC 9438 §5.8: time in which the application held back does not count.
            self._epoch_start += now - self._idle_since
        self._idle_since = math.inf
        # A larger datagram size may have raised the window.
        window = self._window if self._window > self.window else float(self.window)
        datagram_size = self.datagram_size
        # RFC 9438 §4.3: what Reno would have; without its head start once the old window is reached again.
        alpha = ALPHA if self._reno < self._prior else 1.0
        self._reno += alpha * datagram_size * size / window
        elapsed = now - self._epoch_start
        if self._curve(elapsed) < self._reno:
            window = max(window, self._reno)
        else:
            target = self._curve(elapsed + smoothed_rtt)
            target = min(target, MAX_TARGET * window)
            if target > window:
                # RFC 9438 §4.4, §4.5: (target - window) / window for each datagram acknowledged.
                step = (target - window) * size / window
                window = min(target, window + step)
        self._set_window(int(window))
        self._window = window if window < self.window + 1 else float(self.window)

    def _start_epoch(self, now: float) -> None:
        """Congestion avoidance begins. RFC 9438 §4.2."""
        self._epoch_start = now
        self._window = float(self.window)
        self._reno = self._window
        if self._w_max <= self._window:
            # RFC 9438 §4.10: no reduction led here, or one that is made good already.
            self._w_max = self._window
            self._k = 0.0
        else:
            self._k = math.cbrt((self._w_max - self._window) / (C * self.datagram_size))

    def _curve(self, elapsed: float) -> float:
        """The cubic function of RFC 9438 §4.2, in bytes."""
        distance = elapsed - self._k
        return C * self.datagram_size * distance * distance * distance + self._w_max

    def _reduce(self, now: float) -> None:
        window = float(self.window)
        self._prior = window
        # RFC 9438 §4.7, fast convergence: a flow that did not get back to where it was makes room for others.
        self._w_max = window * (1 + BETA) / 2 if window < self._w_max else window
        self.window = int(window * BETA)
        self.ssthresh = max(self.window, self.minimum_window)
        self._epoch_start = math.inf
        self._idle_since = math.inf

    def _forget_epoch(self) -> None:
        self._epoch_start = math.inf
        self._idle_since = math.inf
        self._w_max = 0.0
        self._prior = 0.0
        if self.ssthresh == UNLIMITED:
            self._hystart = HyStart()

    def _save(self) -> None:
        self._undo_w_max = self._w_max

    def _restore(self) -> None:
        self._w_max = self._undo_w_max
        self._epoch_start = math.inf
        self._idle_since = math.inf
