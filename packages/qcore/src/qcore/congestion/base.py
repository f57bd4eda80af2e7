"""What every congestion controller is made of.

Counts in bytes, is told of acknowledgements and losses in sums, and keeps a window. Knows no packets and no
spaces. The rules that controllers share are here: one reaction per round trip, no growth while the application
sends too little, undoing a reaction to losses that were none. RFC 9002 §7.
"""

# ruff: noqa: FURB136, PLR1730 - per ACK, and min() is a call

from __future__ import annotations

import math
from typing import ClassVar, Final

from qwire.compiling import mypyc_attr

INITIAL_WINDOW_DATAGRAMS: Final = 10  # RFC 9002 §7.2
INITIAL_WINDOW_BYTES: Final = 14_720  # RFC 9002 §7.2
MINIMUM_WINDOW_DATAGRAMS: Final = 2  # RFC 9002 §7.2
# 10 Gbit/s over 50 ms. Beyond it a peer that acknowledges fast could make us hold too much.
MAXIMUM_WINDOW: Final = 1 << 26
# The largest integer that compiled code handles without making an object.
UNLIMITED: Final = (1 << 62) - 1
# RFC 9002 §7.7 suggests 1.25. Slow start needs 2, or pacing would keep the window from doubling each round trip.
PACING_GAIN: Final = 1.25
SLOW_START_PACING_GAIN: Final = 2.0
MINIMUM_RTT: Final = 0.000_001


@mypyc_attr(allow_interpreted_subclasses=True)
class CongestionController:
    """A window, and the reactions that all controllers have in common.

    Subclasses say how the window grows (`_grow`) and shrinks (`_reduce`), and what of their own is to be saved
    before it shrinks (`_save`, `_restore`).

    Attributes:
        window: bytes that may be in flight.
        ssthresh: the window at which slow start ends; `UNLIMITED` at first.
        recovery_start: packets sent at or before this time neither grow the window nor shrink it again.
        datagram_size: bytes of a full datagram.
    """

    __slots__ = (
        "_has_undo",
        "_is_initial",
        "_late_in_recovery",
        "_lost_in_recovery",
        "_peak",
        "_previous_peak",
        "_round_start",
        "_undo_recovery_start",
        "_undo_ssthresh",
        "_undo_window",
        "datagram_size",
        "in_recovery",
        "recovery_start",
        "ssthresh",
        "window",
    )

    name: ClassVar[str] = ""
    # Whether `on_offer` wants to be called.
    samples_delivery: ClassVar[bool] = False

    def __init__(self, datagram_size: int) -> None:
        self.datagram_size = datagram_size
        self.window = initial_window(datagram_size)
        self.ssthresh: int = UNLIMITED
        self.recovery_start = -math.inf
        self.in_recovery = False
        self._is_initial = True
        self._round_start = -math.inf
        self._peak = 0
        self._previous_peak = 0
        self._has_undo = False
        self._undo_window = 0
        self._undo_ssthresh: int = UNLIMITED
        self._undo_recovery_start = -math.inf
        self._lost_in_recovery = 0
        self._late_in_recovery = 0

    @property
    def state(self) -> str:
        """One of "slow_start", "congestion_avoidance" and "recovery", if the controller knows these."""
        if self.in_recovery:
            return "recovery"
        return "slow_start" if self.window < self.ssthresh else "congestion_avoidance"

    @property
    def minimum_window(self) -> int:
        """The smallest window there is."""
        return MINIMUM_WINDOW_DATAGRAMS * self.datagram_size

    def on_offer(self, in_flight: int, now: float) -> None:
        """A datagram may be sent now. When nothing was by the next call, the application had nothing to send."""

    def on_sent(self, size: int, in_flight: int, now: float) -> None:
        """A packet that counts as in flight was sent, or several; `in_flight` includes them."""

    def on_acked(
        self, size: int, sent_time: float, now: float, rtt: float, smoothed_rtt: float, in_flight: int
    ) -> None:
        """Packets in flight were acknowledged by one ACK.

        Args:
            size: their bytes, without packets sent at or before `recovery_start`.
            sent_time: when the newest of them was sent.
            rtt: the round-trip time that this ACK measured; 0.0 when it measured none.
            smoothed_rtt: the running estimate.
            in_flight: bytes in flight before the ACK.
        """
        is_new_round = sent_time >= self._round_start
        if is_new_round:
            self._round_start = now
            self._previous_peak = self._peak
            self._peak = 0
        if in_flight > self._peak:
            self._peak = in_flight
        if not size:
            return
        self.in_recovery = False
        self._grow(size, now, rtt, smoothed_rtt, is_new_round, self._is_limited())

    def on_lost(self, size: int, count: int, sent_time: float, now: float) -> None:
        """Packets in flight were declared lost.

        Args:
            size, count: their bytes and number.
            sent_time: when the newest of them was sent.
        """
        if sent_time <= self.recovery_start:
            self._lost_in_recovery += count
            return
        self._enter_recovery(now)
        self._lost_in_recovery = count

    def on_ecn_ce(self, sent_time: float, now: float) -> None:
        """The peer reports congestion marks; `sent_time` is that of the largest packet acknowledged with them.

        RFC 9002 §7.1.
        """
        if sent_time > self.recovery_start:
            self._enter_recovery(now)
            self._has_undo = False  # a mark is no mistake

    def on_persistent_congestion(self) -> None:
        """Everything was lost for long: start again with the smallest window. RFC 9002 §7.6.2."""
        self.window = self.minimum_window
        self.recovery_start = -math.inf
        self.in_recovery = False
        self._has_undo = False
        self._forget_epoch()

    def on_late(self, sent_time: float, now: float) -> None:
        """A packet declared lost has arrived after all.

        When that holds for every loss behind the last reaction, the reaction is undone. RFC 9438 §4.9.2.
        """
        if not self._has_undo or not self._undo_recovery_start < sent_time <= self.recovery_start:
            return
        self._late_in_recovery += 1
        if self._late_in_recovery < self._lost_in_recovery:
            return
        self._has_undo = False
        self.in_recovery = False
        self.window = max(self.window, self._undo_window)
        self.ssthresh = max(self.ssthresh, self._undo_ssthresh)
        self._restore()

    def on_discarded(self, size: int) -> None:
        """Bytes are no longer in flight, and nothing is known of their fate."""

    def set_datagram_size(self, datagram_size: int) -> None:
        """The path carries datagrams of this size now. RFC 9002 §7.2."""
        self.datagram_size = datagram_size
        if self._is_initial:
            self.window = initial_window(datagram_size)
        elif self.window < self.minimum_window:
            self.window = self.minimum_window

    def pacing_rate(self, smoothed_rtt: float) -> float:
        """Bytes per second. RFC 9002 §7.7."""
        gain = SLOW_START_PACING_GAIN if self.window < self.ssthresh else PACING_GAIN
        return gain * self.window / (smoothed_rtt if smoothed_rtt > MINIMUM_RTT else MINIMUM_RTT)

    def reset(self) -> None:
        """Another path, or a Retry: everything as at the start. RFC 9000 §9.4, RFC 9002 §6.2.1.1."""
        self.window = initial_window(self.datagram_size)
        self.ssthresh = UNLIMITED
        self.recovery_start = -math.inf
        self.in_recovery = False
        self._is_initial = True
        self._round_start = -math.inf
        self._peak = 0
        self._previous_peak = 0
        self._has_undo = False
        self._forget_epoch()

    def _is_limited(self) -> bool:
        """Whether the window, rather than the application, kept data back in this round trip or the last.

        RFC 9002 §7.8. Bytes in flight peak just before an ACK, so looking there sees every peak. Within an eighth
        counts: the last datagram may not fit, and a pacer may have a burst to go. In slow start half is enough,
        since the window doubles while the peak follows one round trip later.
        """
        peak = self._peak if self._peak > self._previous_peak else self._previous_peak
        window = self.window
        if window < self.ssthresh:
            return 2 * peak >= window
        slack = window >> 3
        return peak + (max(self.datagram_size, slack)) >= window

    def _enter_recovery(self, now: float) -> None:
        """React once to congestion. RFC 9002 §7.3.2."""
        self._has_undo = True
        self._undo_window = self.window
        self._undo_ssthresh = self.ssthresh
        self._undo_recovery_start = self.recovery_start
        self._lost_in_recovery = 0
        self._late_in_recovery = 0
        self._save()
        self.recovery_start = now
        self.in_recovery = True
        self._is_initial = False
        self._reduce(now)
        self.window = max(self.window, self.minimum_window)

    def _set_window(self, window: int) -> None:
        """Grow to `window`, within bounds."""
        self._is_initial = False
        self.window = min(MAXIMUM_WINDOW, window)

    def _grow(
        self, size: int, now: float, rtt: float, smoothed_rtt: float, is_new_round: bool, is_limited: bool
    ) -> None:
        """`size` bytes sent outside recovery were acknowledged; grow only when `is_limited`."""
        raise NotImplementedError

    def _reduce(self, now: float) -> None:
        """Set `ssthresh` and `window` after congestion."""
        raise NotImplementedError

    def _forget_epoch(self) -> None:
        """Growth starts over."""

    def _save(self) -> None:
        """Keep what `_restore` needs."""

    def _restore(self) -> None:
        """The last reaction was a mistake; `window` and `ssthresh` are back already."""


def initial_window(datagram_size: int) -> int:
    """RFC 9002 §7.2."""
    return min(
        INITIAL_WINDOW_DATAGRAMS * datagram_size,
        max(MINIMUM_WINDOW_DATAGRAMS * datagram_size, INITIAL_WINDOW_BYTES),
    )
