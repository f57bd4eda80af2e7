"""Chromium's single-packet layout: CRYPTO cut at random, PING and PADDING strewn in, everything shuffled.

Each packet is treated by itself; all overhead is paid out of the padding, so the size of the packet never
changes. Rules and their check against real flights: google/quiche, "chaos protection".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import quicvarint
from qcore.packing.initial_flight import Crypto, FlightContext, Padding, Ping, Placement

from ..bounds import check_span
from ..randomness import RandomBytes, below, between, shuffle
from .ranges import is_whole, merged, portions

PING: Final = Ping()
#: More frames than a datagram has room for.
MAX_COUNT: Final = 1_500


@dataclass(frozen=True, kw_only=True)
class Chaos:
    """How many cuts are tried and how many PING frames are added; both uniform, both ends included.

    As a layout it serves flights that fit one datagram.
    """

    min_cuts: int = 2
    max_cuts: int = 10
    min_pings: int = 2
    max_pings: int = 10

    def __post_init__(self) -> None:
        check_span("the number of cuts", self.min_cuts, self.max_cuts, MAX_COUNT)
        check_span("the number of PING frames", self.min_pings, self.max_pings, MAX_COUNT)

    def lay_out(self, flight: FlightContext) -> Sequence[Sequence[Placement]] | None:
        """One datagram, or as many as lost bytes need when they are sent again; None for a new flight too large."""
        pieces = merged(flight.ranges)
        if not pieces:
            return None
        if sum(flight.crypto_size(start, stop) for start, stop in pieces) <= flight.room(0):
            return [self.arrange(flight, pieces, flight.room(0))]
        if is_whole(flight):
            return None
        return [
            self.arrange(flight, part, flight.room(index))
            for index, part in enumerate(portions(flight, pieces))
        ]

    def arrange(self, flight: FlightContext, ranges: Sequence[tuple[int, int]], room: int) -> list[Placement]:
        """Frames of one packet that carry `ranges` and fill `room` exactly.

        The ranges, whole, must fit the room.
        """
        random = flight.random
        pieces = list(ranges)
        spare = room - sum(flight.crypto_size(start, stop) for start, stop in pieces)
        if spare > 0:
            spare = self._cut(flight, pieces, spare)
        placements: list[Placement] = [Crypto(start, stop) for start, stop in pieces]
        if spare > 0:
            pings = min(between(random, self.min_pings, self.max_pings), spare)
            placements.extend([PING] * pings)
            placements = strew(random, placements, spare - pings)
        shuffle(random, placements)
        return placements

    def _cut(self, flight: FlightContext, pieces: list[tuple[int, int]], spare: int) -> int:
        """Cut random pieces at random places; returns the bytes that are left for other frames."""
        random = flight.random
        end = max(stop for _, stop in pieces)
        size = sum(stop - start for start, stop in pieces)
        worst = 1 + quicvarint.size(flight.base + end) + quicvarint.size(size)
        for _ in range(between(random, self.min_cuts, self.max_cuts)):
            if spare < worst:
                break
            index = below(random, len(pieces))
            start, stop = pieces[index]
            if stop - start < 2:
                continue  # the attempt is spent: quiche does not look for another piece
            middle = start + between(random, 1, stop - start - 1)
            spare += flight.crypto_size(start, stop)
            spare -= flight.crypto_size(start, middle) + flight.crypto_size(middle, stop)
            pieces[index] = (start, middle)
            pieces.append((middle, stop))
        return spare


def strew(random: RandomBytes, placements: Sequence[Placement], padding: int) -> list[Placement]:
    """Put runs of PADDING before random frames until `padding` bytes are spent; the rest goes to the end."""
    strewn: list[Placement] = []
    for placement in placements:
        count = below(random, padding + 1)
        if count:
            strewn.append(Padding(count))
            padding -= count
        strewn.append(placement)
    if padding:
        strewn.append(Padding(padding))
    return strewn
