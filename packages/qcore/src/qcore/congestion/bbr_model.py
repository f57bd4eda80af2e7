"""What BBR believes of a path: its rate, its round-trip time, and how much may be in flight.

Bounds for the long term follow from losses while looking for more; bounds for the short term follow from any loss,
and are forgotten before the next look. draft-ietf-ccwg-bbr-06 §5.5.
"""

from __future__ import annotations

import math
from typing import Final, final

from .bbr_delivery import MaxFilter, RateSample

LOSS_THRESHOLD: Final = 0.02  # §2.7: losses in a round trip beyond which there was too much in flight
BETA: Final = 0.7  # §2.7: how much a round trip with losses takes away at most, as CUBIC does
HEADROOM: Final = 0.15  # §2.7: what is left to others
FULL_GROWTH: Final = 1.25  # §5.3.1.2
FULL_ROUNDS: Final = 3
EXTRA_ACKED_ROUNDS: Final = 10  # §2.11
MIN_RTT_TIME: Final = 10.0  # §2.16.1
PROBE_RTT_INTERVAL: Final = 5.0  # §2.16.2


@final
class PathModel:
    """Estimates and bounds, brought up to date by samples.

    Attributes:
        rate: bytes per second to send at, which is `max_rate` within the bound of the short term.
        max_rate: the largest delivery rate of this probing cycle and the one before.
        min_rtt: the shortest round trip of late; math.inf when there was none.
        extra_acked: bytes beyond the expected that ACKs brought at once.
        inflight_long, inflight_short: bytes in flight that are safe; math.inf when nothing is known.
        inflight_latest: the most that was delivered in this round trip.
        round_count, is_round_start: round trips, counted by packets; whether the last sample began one.
        is_loss_round_start: whether it ended a round trip that losses are counted by.
        is_loss_in_round: whether that saw a loss.
        is_full, is_full_now: whether the rate ceased to grow, ever or in the present probe.
        is_probe_rtt_due: whether no shorter round trip was seen for long.
    """

    __slots__ = (
        "_extra_delivered",
        "_extra_filter",
        "_extra_start",
        "_full_count",
        "_full_rate",
        "_loss_round_delivered",
        "_min_rtt_time",
        "_next_round_delivered",
        "_probe_rtt",
        "_probe_rtt_time",
        "_rate_latest",
        "_rate_now",
        "_rate_previous",
        "_rate_short",
        "_saved_long",
        "_saved_rate_short",
        "_saved_short",
        "extra_acked",
        "inflight_latest",
        "inflight_long",
        "inflight_short",
        "is_full",
        "is_full_now",
        "is_loss_in_round",
        "is_loss_round_start",
        "is_probe_rtt_due",
        "is_round_start",
        "max_rate",
        "min_rtt",
        "rate",
        "round_count",
    )

    def __init__(self) -> None:
        self.rate = 0.0
        self.max_rate = 0.0
        self.min_rtt = math.inf
        self.extra_acked = 0.0
        self.inflight_long: float = math.inf
        self.inflight_short: float = math.inf
        self.inflight_latest = 0
        self.round_count = 0
        self.is_round_start = False
        self.is_loss_round_start = False
        self.is_loss_in_round = False
        self.is_full = False
        self.is_full_now = False
        self.is_probe_rtt_due = False
        self._next_round_delivered = 0
        self._loss_round_delivered = 0
        self._rate_now = 0.0
        self._rate_previous = 0.0
        self._rate_latest = 0.0
        self._rate_short = math.inf
        self._full_rate = 0.0
        self._full_count = 0
        self._min_rtt_time = -math.inf
        self._probe_rtt = math.inf
        self._probe_rtt_time = -math.inf
        self._extra_start = 0.0
        self._extra_delivered = 0
        self._extra_filter = MaxFilter()
        self._saved_rate_short = math.inf
        self._saved_short: float = math.inf
        self._saved_long: float = math.inf

    def on_sample(self, sample: RateSample, delivered: int) -> None:
        """Take a sample; `delivered` counts all bytes so far. §5.5.1, §5.5.5, §5.5.10.3."""
        self.is_loss_round_start = False
        self._rate_latest = max(self._rate_latest, sample.rate)
        self.inflight_latest = max(self.inflight_latest, sample.delivered)
        self.is_round_start = sample.prior_delivered >= self._next_round_delivered
        if sample.prior_delivered >= self._loss_round_delivered:
            self._loss_round_delivered = delivered
            self.is_loss_round_start = True
        if self.is_round_start:
            self.start_round(delivered)
            self.round_count += 1
        # §5.5.4: what the application did not fill counts only when it shows more than was known.
        if sample.rate > self._rate_now and (sample.rate >= self.max_rate or not sample.is_app_limited):
            self._rate_now = sample.rate
            self.max_rate = max(self._rate_now, self._rate_previous)

    def start_round(self, delivered: int) -> None:
        """A round trip ends when a packet is acknowledged that is sent from now on."""
        self._next_round_delivered = delivered

    def advance_bandwidth(self) -> None:
        """A probing cycle is over: forget the rates of the one before it. §5.5.6."""
        self._rate_previous = self._rate_now
        self._rate_now = 0.0
        self.max_rate = self._rate_previous

    def finish(self, sample: RateSample) -> None:
        """All parts have seen the sample. §5.5.10.3."""
        if self.is_loss_round_start:
            self._rate_latest = sample.rate
            self.inflight_latest = sample.delivered
        self.rate = min(self.max_rate, self._rate_short)

    # A full path

    def check_full_pipe(self, sample: RateSample) -> None:
        """Whether sending faster brings nothing more. §5.3.1.2."""
        if self.is_full_now or not self.is_round_start or sample.is_app_limited or not sample.rate:
            return
        if sample.rate >= self._full_rate * FULL_GROWTH:
            self.reset_full(sample.rate)
            return
        self._full_count += 1
        if self._full_count >= FULL_ROUNDS:
            self.is_full_now = True
            self.is_full = True

    def reset_full(self, rate: float) -> None:
        """Begin to look again whether more than `rate` can be had."""
        self._full_rate = rate
        self._full_count = 0
        self.is_full_now = False

    # Aggregation

    def on_aggregation(self, acked: int, now: float, window: int) -> None:
        """Learn how far ACKs run ahead of the rate. §5.5.9."""
        expected = self.rate * (now - self._extra_start)
        if self._extra_delivered <= expected:
            self._extra_delivered = 0
            self._extra_start = now
            expected = 0.0
        self._extra_delivered += acked
        extra = min(self._extra_delivered - expected, window)
        length = EXTRA_ACKED_ROUNDS if self.is_full else 1
        self.extra_acked = self._extra_filter.update(extra, self.round_count, length)

    def restart_aggregation(self, now: float) -> None:
        """Nothing was in flight."""
        self._extra_start = now

    # Round-trip time

    def update_min_rtt(self, rtt: float, now: float) -> None:
        """§5.3.4.3; `rtt` is 0.0 when none was measured."""
        self.is_probe_rtt_due = now > self._probe_rtt_time + PROBE_RTT_INTERVAL
        if self._probe_rtt == math.inf:
            self.is_probe_rtt_due = False
        if rtt > 0.0 and (rtt < self._probe_rtt or self.is_probe_rtt_due):
            self._probe_rtt = rtt
            self._probe_rtt_time = now
        if self._probe_rtt < self.min_rtt or now > self._min_rtt_time + MIN_RTT_TIME:
            self.min_rtt = self._probe_rtt
            self._min_rtt_time = self._probe_rtt_time

    def schedule_probe_rtt(self, now: float) -> None:
        """The path was looked at without a queue: the next time is an interval away."""
        self._probe_rtt_time = now

    # Bounds

    def note_loss(self, delivered: int) -> None:
        """The first loss of a round trip."""
        self.is_loss_in_round = True
        self._loss_round_delivered = delivered

    def lower_bounds(self, window: int) -> None:
        """A round trip with losses is over: come down towards what was delivered. §5.5.10.3."""
        if self._rate_short == math.inf:
            self._rate_short = self.max_rate
        if self.inflight_short == math.inf:
            self.inflight_short = float(window)
        self._rate_short = max(self._rate_latest, BETA * self._rate_short)
        self.inflight_short = max(self.inflight_latest, BETA * self.inflight_short)

    def reset_short_term(self) -> None:
        """Forget the bounds of the short term."""
        self._rate_short = math.inf
        self.inflight_short = math.inf

    def reset_congestion_signals(self) -> None:
        """Forget what this round trip brought."""
        self.is_loss_in_round = False
        self._rate_latest = 0.0
        self.inflight_latest = 0

    def inflight_with_headroom(self, datagram_size: int, minimum: int) -> float:
        """The long-term bound, less what is left to others. §5.3.3.9."""
        bound = self.inflight_long
        if bound == math.inf:
            return bound
        return max(bound - max(datagram_size, HEADROOM * bound), minimum)

    def save(self) -> None:
        """Losses begin that may turn out to be none. §5.5.11.1."""
        self._saved_rate_short = self._rate_short
        self._saved_short = self.inflight_short
        self._saved_long = self.inflight_long

    def restore(self) -> None:
        """They were none. §5.5.11.2."""
        self.is_loss_in_round = False
        self._rate_short = max(self._rate_short, self._saved_rate_short)
        self.inflight_short = max(self.inflight_short, self._saved_short)
        self.inflight_long = max(self.inflight_long, self._saved_long)
