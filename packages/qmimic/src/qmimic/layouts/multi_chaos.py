"""Chromium's layout of a ClientHello that needs several packets.

The first packet carries the beginning of the ClientHello and its end, the others the middle, evenly filled;
each packet is then treated by `Chaos`. Whatever a censor looks for in the first packet is missing there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import quicvarint
from qcore.packing.initial_flight import FlightContext, Placement

from ..bounds import SIZE, check
from ..randomness import below
from .chaos import Chaos
from .ranges import is_whole


@dataclass(frozen=True, kw_only=True)
class MultiChaos:
    """`min_head` and `head_span` give the size of the beginning: uniform, `head_span` values from `min_head`."""

    min_head: int = 55
    head_span: int = 32
    chaos: Chaos = field(default_factory=Chaos)

    def __post_init__(self) -> None:
        if self.min_head < 1 or self.head_span < 1:
            raise ValueError("the beginning needs at least one byte, and one value to draw")
        check("min_head", self.min_head, SIZE)
        check("head_span", self.head_span, SIZE)

    def lay_out(self, flight: FlightContext) -> Sequence[Sequence[Placement]] | None:
        """As many datagrams as the ClientHello needs; one when it fits, or when lost bytes are sent again."""
        if not is_whole(flight) or flight.crypto_size(0, len(flight.crypto)) <= flight.room(0):
            return self.chaos.lay_out(flight)
        ranges = self.split(flight)
        if ranges is None:
            return None
        return [self.chaos.arrange(flight, part, flight.room(index)) for index, part in enumerate(ranges)]

    def split(self, flight: FlightContext) -> list[list[tuple[int, int]]] | None:
        """Byte ranges of each datagram; None when the flight has no room for the head and a tail."""
        total = len(flight.crypto)
        # Largest CRYPTO frame header in this flight; the first packet has two such frames.
        overhead = 1 + quicvarint.size(flight.base + total - 1) + quicvarint.size(total)
        other_max = flight.room(0) - overhead
        head = self.min_head + below(flight.random, self.head_span)
        packets = ceil_div(total + overhead, other_max)
        while True:
            other = ceil_div(total + overhead, packets)
            if head >= other - overhead:
                return None
            ranges = parts(total, head, other - overhead, other)
            if all(
                flight.crypto_size(*part[0]) <= flight.room(index)
                for index, part in enumerate(ranges)
                if index
            ):
                return ranges
            packets += 1  # numbers that take more bytes leave the later packets less room than the first


def parts(total: int, head: int, first: int, other: int) -> list[list[tuple[int, int]]]:
    """`first` bytes from both ends, `head` of them from the beginning, and the middle in pieces of `other` bytes."""
    tail_start = total - (first - head)
    ranges = [[(0, head), (tail_start, total)]]
    position = head
    while position < tail_start:
        stop = min(position + other, tail_start)
        ranges.append([(position, stop)])
        position = stop
    return ranges


def ceil_div(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)
