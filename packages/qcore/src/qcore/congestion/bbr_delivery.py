"""How fast the network delivers: samples of the delivery rate, from what was sent and what was acknowledged.

A sample spans the time from the send of a packet to its acknowledgement, and the slower of both ends counts. What
the application did not fill is marked, since it tells of the application and not of the path. State is kept for
each burst, not for each packet: packets that leave together differ in nothing that matters here.
draft-ietf-ccwg-bbr-06 §4.1.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, final

# Bursts to remember. A wake-up sends one, and there are at most a few in a millisecond: this spans seconds.
MAX_BURSTS: Final = 8_192
# Heads shorter than this are not worth cutting off.
MIN_TRIM: Final = 256


@final
class Burst:
    """What was known when packets were sent at one time.

    Attributes:
        sent_time: when they were.
        delivered: bytes acknowledged until then, the last of them at `delivered_time`.
        first_sent_time: when the packet was sent that was acknowledged last.
        is_app_limited: whether the application had left the path idle.
        in_flight: bytes in flight, with these packets.
        lost: bytes lost until then.
    """

    __slots__ = (
        "delivered",
        "delivered_time",
        "first_sent_time",
        "in_flight",
        "is_app_limited",
        "lost",
        "sent_time",
    )

    def __init__(
        self,
        sent_time: float,
        delivered: int,
        delivered_time: float,
        first_sent_time: float,
        is_app_limited: bool,
        in_flight: int,
        lost: int,
    ) -> None:
        self.sent_time = sent_time
        self.delivered = delivered
        self.delivered_time = delivered_time
        self.first_sent_time = first_sent_time
        self.is_app_limited = is_app_limited
        self.in_flight = in_flight
        self.lost = lost


@final
class RateSample:
    """What one ACK tells of the path.

    Attributes:
        rate: bytes per second; 0.0 when the sample is too short to tell.
        delivered: bytes delivered in the time of the sample; `prior_delivered` before it.
        lost: bytes lost since the newest of its packets was sent.
        in_flight: bytes in flight when that was sent.
        is_app_limited: whether the application held back.
        acked: bytes newly acknowledged.
        rtt: the round-trip time; 0.0 when none was measured.
    """

    __slots__ = (
        "acked",
        "delivered",
        "in_flight",
        "is_app_limited",
        "lost",
        "prior_delivered",
        "rate",
        "rtt",
    )

    def __init__(self, acked: int, rtt: float) -> None:
        self.acked = acked
        self.rtt = rtt
        self.rate = 0.0
        self.delivered = 0
        self.prior_delivered = -1
        self.lost = 0
        self.in_flight = 0
        self.is_app_limited = False


@final
class DeliverySampler:
    """Counts what was delivered and lost, and measures.

    Attributes:
        delivered, lost: bytes since the start.
        app_limited_until: the count of delivered bytes up to which samples are marked; 0 for none.
    """

    __slots__ = (
        "_bursts",
        "_delivered_time",
        "_first_sent_time",
        "_times",
        "app_limited_until",
        "delivered",
        "lost",
    )

    def __init__(self) -> None:
        self.delivered = 0
        self.lost = 0
        self.app_limited_until = 0
        self._delivered_time = 0.0
        self._first_sent_time = 0.0
        self._bursts: list[Burst] = []
        self._times: list[float] = []

    def on_sent(self, size: int, in_flight: int, now: float) -> None:
        """A packet was sent; `in_flight` includes it. §4.1.2.2."""
        if in_flight <= size:
            # A sample that begins with an empty path begins now.
            self._first_sent_time = now
            self._delivered_time = now
        bursts = self._bursts
        if bursts:
            last = bursts[-1]
            if last.sent_time == now and last.delivered == self.delivered:
                last.in_flight = in_flight
                return
        self._times.append(now)
        bursts.append(
            Burst(
                now,
                self.delivered,
                self._delivered_time,
                self._first_sent_time,
                self.app_limited_until != 0,
                in_flight,
                self.lost,
            )
        )
        if len(bursts) > MAX_BURSTS:
            self._cut(len(bursts) - MAX_BURSTS // 2)

    def mark_app_limited(self, in_flight: int) -> None:
        """The application left room unused: samples do not count until what is in flight is delivered. §4.1.2.4."""
        self.app_limited_until = max(1, self.delivered + in_flight)

    def on_acked(self, size: int, sent_time: float, now: float, rtt: float, least_time: float) -> RateSample:
        """Packets were acknowledged, the newest of them sent at `sent_time`. §4.1.2.3.

        Args:
            least_time: samples over a shorter time say nothing; the shortest round trip known.
        """
        sample = RateSample(size, rtt)
        self.delivered += size
        self._delivered_time = now
        if self.app_limited_until and self.delivered > self.app_limited_until:
            self.app_limited_until = 0
        burst = self.find(sent_time)
        if burst is None:
            return sample
        self._first_sent_time = max(self._first_sent_time, sent_time)
        sample.prior_delivered = burst.delivered
        sample.delivered = self.delivered - burst.delivered
        sample.is_app_limited = burst.is_app_limited
        sample.in_flight = burst.in_flight
        sample.lost = self.lost - burst.lost
        send_elapsed = burst.sent_time - burst.first_sent_time
        elapsed = max(send_elapsed, now - burst.delivered_time)
        if elapsed > 0.0 and elapsed >= least_time:
            sample.rate = sample.delivered / elapsed
        return sample

    def on_lost(self, size: int, sent_time: float) -> Burst | None:
        """Packets were lost; returns what is known of the newest."""
        self.lost += size
        return self.find(sent_time)

    def find(self, sent_time: float) -> Burst | None:
        """The last burst sent at that time."""
        index = bisect_right(self._times, sent_time) - 1
        if index < 0 or self._times[index] != sent_time:
            return None
        return self._bursts[index]

    def forget_before(self, sent_time: float) -> None:
        """Nothing sent before that time will be asked for."""
        if len(self._times) > MIN_TRIM and self._times[MIN_TRIM] < sent_time:
            self._cut(bisect_right(self._times, sent_time) - 1)

    def restart(self) -> None:
        """Another path: what was sent before tells nothing of it."""
        self._bursts.clear()
        self._times.clear()
        self.app_limited_until = 0

    def _cut(self, count: int) -> None:
        del self._bursts[:count]
        del self._times[:count]


@final
class MaxFilter:
    """The largest of the values of the last `length` rounds."""

    __slots__ = ("_rounds", "_values")

    def __init__(self) -> None:
        self._rounds: list[int] = []
        self._values: list[float] = []

    def update(self, value: float, now: int, length: int) -> float:
        """Take the value of round `now`; returns the largest."""
        rounds, values = self._rounds, self._values
        while values and values[-1] <= value:
            values.pop()
            rounds.pop()
        values.append(value)
        rounds.append(now)
        while rounds[0] <= now - length:
            del rounds[0]
            del values[0]
        return values[0]
