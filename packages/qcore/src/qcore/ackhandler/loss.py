"""Which packets count as lost.

Looks at the head of a history only: packets are sent in order, so the first one that is not lost ends the
search. Thresholds grow when a packet turns out to have been late. Reacts to nothing; that is for `sent`.
RFC 9002 §6.1, §7.6.
"""

# ruff: noqa: PLR1730 - per ACK, and min() is a call

from __future__ import annotations

import math
from typing import Final, final

from .history import SentHistory, SentPacket
from .rtt import GRANULARITY, RttEstimator

PACKET_THRESHOLD: Final = 3  # RFC 9002 §6.1.1
TIME_THRESHOLD: Final = 9 / 8  # RFC 9002 §6.1.2
# RFC 9002 §6.1 lets both adapt. A path that reorders further than this gains nothing from more patience.
MAX_PACKET_THRESHOLD: Final = 64
MAX_TIME_THRESHOLD: Final = 2.0
TIME_THRESHOLD_STEP: Final = 1 / 8
PERSISTENT_CONGESTION_THRESHOLD: Final = 3  # RFC 9002 §7.6.1


@final
class LossDetector:
    """Packet and time thresholds of one path.

    Attributes:
        packet_threshold: a packet is lost when one with a number this much higher is acknowledged.
        time_threshold: a packet is lost when this many round trips old, and a later one is acknowledged.
        span: of the packets found by the last `detect`: the longest time between two ack-eliciting packets, with
            everything sent between them lost. RFC 9002 §7.6.2.
    """

    __slots__ = ("packet_threshold", "span", "time_threshold")

    def __init__(self) -> None:
        self.packet_threshold = PACKET_THRESHOLD
        self.time_threshold = TIME_THRESHOLD
        self.span = 0.0

    def delay(self, rtt: RttEstimator) -> float:
        """How old a packet gets before it is lost by time. RFC 9002 §6.1.2."""
        longer = max(rtt.smoothed, rtt.latest)
        delay = self.time_threshold * longer
        return max(GRANULARITY, delay)

    def detect(self, history: SentHistory, rtt: RttEstimator, now: float) -> list[SentPacket]:
        """Take the lost packets out of the history, oldest first, and set its `loss_time`."""
        history.loss_time = math.inf
        self.span = 0.0
        if history.passed_acked:
            history.passed_acked = False
            history.loss_run_start = math.inf
        head = history.head
        packets = history.packets
        largest = history.largest_acked
        stop = largest - history.base + 1
        if stop > len(packets):
            stop = len(packets)
        if stop <= head:
            return []
        delay = self.delay(rtt)
        lost_below = largest - self.packet_threshold + 1
        index = head
        run_start = history.loss_run_start
        while index < stop:
            packet = packets[index]
            if packet is None:
                # Acknowledged, or never sent; taking the second for the first errs on the mild side.
                run_start = math.inf
            elif packet.packet_number < lost_below or packet.sent_time + delay <= now:
                if (
                    packet.ack_eliciting
                    and packet.in_flight
                    and not packet.is_mtu_probe
                    and packet.sent_time > rtt.first_sample_time
                ):
                    if run_start == math.inf:
                        run_start = packet.sent_time
                    elif packet.sent_time - run_start > self.span:
                        self.span = packet.sent_time - run_start
            else:
                history.loss_time = packet.sent_time + delay
                break
            index += 1
        history.loss_run_start = run_start
        if index == head:
            return []
        return history.take_head(index - head)

    def is_persistent(self, rtt: RttEstimator, max_ack_delay: float) -> bool:
        """Whether the last losses span so much time that the path must have changed. RFC 9002 §7.6.1."""
        return self.span > PERSISTENT_CONGESTION_THRESHOLD * rtt.pto(max_ack_delay)

    def on_late(self, distance: int) -> None:
        """A packet was declared lost and has arrived, `distance` numbers behind the largest acknowledged one."""
        if distance >= self.packet_threshold:
            self.packet_threshold = min(distance + 1, MAX_PACKET_THRESHOLD)
        elif self.time_threshold < MAX_TIME_THRESHOLD:
            self.time_threshold += TIME_THRESHOLD_STEP

    def reset(self) -> None:
        """Another path: thresholds as at the start."""
        self.packet_threshold = PACKET_THRESHOLD
        self.time_threshold = TIME_THRESHOLD
