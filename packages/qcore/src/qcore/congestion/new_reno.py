"""NewReno: doubling in slow start, one datagram per round trip after it, half on loss. RFC 9002 §7.3."""

from __future__ import annotations

from typing import ClassVar, Final, final

from .base import CongestionController

LOSS_REDUCTION_FACTOR: Final = 0.5  # RFC 9002 §7.3.2


@final
class NewReno(CongestionController):
    """RFC 9002 §7.3 and appendix B."""

    __slots__ = ("_acked_bytes",)

    name: ClassVar[str] = "newreno"

    def __init__(self, datagram_size: int) -> None:
        super().__init__(datagram_size)
        self._acked_bytes = 0

    def _grow(
        self, size: int, now: float, rtt: float, smoothed_rtt: float, is_new_round: bool, is_limited: bool
    ) -> None:
        if not is_limited:
            return
        if self.window < self.ssthresh:  # RFC 9002 §7.3.1
            self._set_window(min(self.window + size, self.ssthresh))
            return
        # RFC 9002 §7.3.3: one datagram for each window that is acknowledged.
        self._acked_bytes += size
        if self._acked_bytes >= self.window:
            self._acked_bytes -= self.window
            self._set_window(self.window + self.datagram_size)

    def _reduce(self, now: float) -> None:
        self.window = int(self.window * LOSS_REDUCTION_FACTOR)
        self.ssthresh = max(self.window, self.minimum_window)
        self._acked_bytes = 0

    def _forget_epoch(self) -> None:
        self._acked_bytes = 0
