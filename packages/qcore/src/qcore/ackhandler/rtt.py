"""Round-trip time estimation for one path.

Takes samples, keeps the smoothed estimate and its variance. Knows nothing of packets or timers.
RFC 9002 §5.
"""

# ruff: noqa: FURB136, PLR1730 - per ACK, and min() is a call

from __future__ import annotations

import math
from typing import Final, final

from qwire.compiling import mypyc_attr

# RFC 9002 §6.1.2: a timer cannot be relied on to be finer.
GRANULARITY: Final = 0.001
# RFC 9002 §6.2.2: what to assume before the first sample.
INITIAL_RTT: Final = 0.333


@final
@mypyc_attr(acyclic=True)
class RttEstimator:
    """Smoothed round-trip time.

    Attributes:
        latest: the newest sample, in seconds.
        smoothed, variance: moving averages. Before the first sample they derive from the initial value.
        minimum: the smallest sample since the start or since persistent congestion.
        has_sample: whether there was a sample on this path.
        first_sample_time: when it was taken; math.inf before.
        period: the probe timeout without backoff and without the peer's delay. RFC 9002 §6.2.1.
    """

    __slots__ = (
        "_initial",
        "first_sample_time",
        "has_sample",
        "latest",
        "minimum",
        "period",
        "smoothed",
        "variance",
    )

    def __init__(self, initial: float = INITIAL_RTT) -> None:
        if not initial > 0.0:
            raise ValueError(f"an initial round-trip time of {initial} s makes no sense")
        self._initial = initial
        self.has_sample = False
        self.first_sample_time = math.inf
        self.latest = 0.0
        self.minimum = 0.0
        self.smoothed = initial
        self.variance = initial / 2
        self.period = initial + max(GRANULARITY, 4 * self.variance)

    def update(self, sample: float, ack_delay: float, now: float) -> None:
        """Take one sample.

        RFC 9002 §5.3.

        Args:
            sample: time from sending the largest newly acknowledged packet to its acknowledgement.
            ack_delay: the part of it for which the peer says it is responsible, already limited to what the
                peer may claim.
        """
        if sample < 0.0:
            sample = 0.0
        self.latest = sample
        if not self.has_sample:
            self.has_sample = True
            self.first_sample_time = now
            self.minimum = sample
            self.smoothed = sample
            self.variance = sample / 2
        else:
            if sample < self.minimum:
                self.minimum = sample
            # A claimed delay never makes a sample smaller than the path has been seen to be.
            adjusted = sample - ack_delay if sample >= self.minimum + ack_delay else sample
            self.variance = 0.75 * self.variance + 0.25 * abs(self.smoothed - adjusted)
            self.smoothed = 0.875 * self.smoothed + 0.125 * adjusted
        spread = 4 * self.variance
        self.period = self.smoothed + (spread if spread > GRANULARITY else GRANULARITY)

    def pto(self, max_ack_delay: float) -> float:
        """The probe timeout without backoff. RFC 9002 §6.2.1."""
        return self.period + max_ack_delay

    def set_initial(self, initial: float) -> None:
        """Replace the guess, as the answer to a first packet allows; no effect once there is a sample.

        RFC 9002 §6.2.2.
        """
        if not self.has_sample and initial > 0.0:
            self._initial = initial
            self.reset()

    def reset(self, guess: float = 0.0) -> None:
        """Forget everything: another path, of which there may be a guess. RFC 9000 §9.4."""
        self.has_sample = False
        self.first_sample_time = math.inf
        self.latest = 0.0
        self.minimum = 0.0
        self.smoothed = guess or self._initial
        self.variance = self.smoothed / 2
        self.period = self.smoothed + max(GRANULARITY, 4 * self.variance)

    def on_persistent_congestion(self) -> None:
        """The path may have changed: the newest sample becomes the minimum. RFC 9002 §5.2."""
        if self.has_sample:
            self.minimum = self.latest
