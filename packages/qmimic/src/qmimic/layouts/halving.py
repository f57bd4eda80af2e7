"""ngtcp2's layout: pieces halved at random, strewn with PADDING and PING, and mixed.

What a packet has room for is taken in order, but for ten frame headers that are set aside. If a second packet follows,
some bytes of the host name are taken out of the first and come first there. Random pieces are halved; of what was set
aside the headers take what they need, and the rest becomes PADDING and PING. Then all change places. From the sources of
ngtcp2 1.24, and checked against captures of curl and curl_cffi.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import quicvarint
from qcore.packing.initial_flight import Crypto, FlightContext, Padding, Ping, Placement

from ..bounds import SIZE, check
from ..randomness import RandomBytes, below, between
from .ranges import merged
from .sni_slicing import host_name_range

Range = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Halving:
    """At most `cuts` halvings in a group; up to `largest_gap` bytes of the host name wait for the second packet."""

    cuts: int = 10
    largest_gap: int = 30

    def __post_init__(self) -> None:
        check("the number of cuts", self.cuts, SIZE, smallest=1)
        check("the largest gap", self.largest_gap, SIZE, smallest=1)

    def lay_out(self, flight: FlightContext) -> Sequence[Sequence[Placement]] | None:
        """As many datagrams as are needed; None if they are too small for the headers that are set aside."""
        waiting = merged(flight.ranges)
        plan: list[list[Placement]] = []
        while waiting:
            part: list[Placement] = []
            room = flight.room(len(plan))
            while waiting:
                group = self._group(flight, waiting, room)
                if group is None:
                    break
                part += group
                room -= size_of(flight, group)
            if not part:
                return None
            plan.append(part)
        return plan

    def _group(self, flight: FlightContext, waiting: list[Range], room: int) -> list[Placement] | None:
        """The frames of what is taken off `waiting`, in at most `room` bytes; None if there is no room."""
        start, stop = waiting[0]
        offset = flight.base + start
        spare = self.cuts * (1 + quicvarint.size(offset + room - 1) + quicvarint.size(room))
        left = room - spare - 1 - quicvarint.size(offset)
        size = left - 2 if left > 2 + 63 else min(63, left - 1)
        if size < 1:
            return None
        stop = min(stop, start + size)
        waiting[0] = (stop, waiting[0][1])
        if waiting[0][0] == waiting[0][1]:
            del waiting[0]
        pieces = [(start, stop)]
        name = flight.server_name_range or host_name_range(flight.crypto)
        if start == 0 and name is not None and name[0] + 1 < name[1] <= stop:
            pieces, gap = self._around(flight.random, name, stop, bool(waiting))
            if gap is not None:
                waiting.insert(0, gap)
                spare += gap[1] - gap[0]
        self._halve(flight.random, pieces)
        spare -= sum(
            1 + quicvarint.size(flight.base + start) + quicvarint.size(stop - start)
            for start, stop in pieces[1:]
        )
        placements: list[Placement] = [Crypto(start, stop) for start, stop in pieces]
        placements += fillers(flight.random, spare)
        move_all(flight.random, placements)
        return placements

    def _around(
        self, random: RandomBytes, name: Range, stop: int, more: bool
    ) -> tuple[list[Range], Range | None]:
        """What is left of (0, stop), cut in the middle of the host name, and what is taken out if `more` follows."""
        middle = (name[0] + name[1]) // 2
        if not more:
            return [(0, middle), (middle, stop)], None
        if stop - middle == 1:
            return [(0, middle)], (middle, stop)
        after = middle + between(random, 1, min(self.largest_gap, stop - middle - 1))
        return [(0, middle), (after, stop)], (middle, after)

    def _halve(self, random: RandomBytes, pieces: list[Range]) -> None:
        """Halve random pieces; one byte cannot be halved, and the attempt is spent."""
        for _ in range(self.cuts + 1 - len(pieces)):
            index = below(random, len(pieces))
            start, stop = pieces[index]
            if stop - start > 1:
                middle = start + (stop - start) // 2
                pieces[index] = (start, middle)
                pieces.append((middle, stop))


def fillers(random: RandomBytes, size: int) -> list[Placement]:
    """PADDING of any length up to what is left, until nothing is; for a length of 0 a PING."""
    found: list[Placement] = []
    while size > 0:
        count = between(random, 0, size)
        found.append(Padding(count) if count else Ping())
        size -= max(1, count)
    return found


def move_all(random: RandomBytes, placements: list[Placement]) -> None:
    """Permute in place; none stays where it was (Sattolo)."""
    for index in range(len(placements) - 1, 0, -1):
        other = below(random, index)
        placements[index], placements[other] = placements[other], placements[index]


def size_of(flight: FlightContext, placements: Sequence[Placement]) -> int:
    """Bytes of these frames."""
    return sum(
        flight.crypto_size(item.start, item.stop)
        if isinstance(item, Crypto)
        else item.count
        if isinstance(item, Padding)
        else 1
        for item in placements
    )
