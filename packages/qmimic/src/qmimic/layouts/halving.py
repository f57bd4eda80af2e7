"""ngtcp2's layout: pieces halved at random and mixed, and a few bytes of the host name kept for the second packet.

What is sent together is cut into at most `pieces` by halving random ones; PING and PADDING frames are strewn in until
`reserve` bytes are spent beside the ClientHello's, on frame headers and them. From captures of curl and of what else is
built on ngtcp2 1.24 and later; how the bytes beside it are spent is close to what they show, and not known exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from qcore.packing.initial_flight import Crypto, FlightContext, Padding, Ping, Placement

from ..randomness import RandomBytes, below, between, shuffle
from .ranges import is_whole, portions
from .sni_slicing import host_name_range

Range = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Halving:
    """`attempts` random pieces are picked to be halved; one byte cannot be, and the attempt is spent.

    Of a ClientHello that needs a second packet, 1 to `largest_gap` bytes from the middle of the host name on, where that
    is in the first packet, wait for the second.
    """

    pieces: int = 11
    attempts: int = 10
    reserve: int = 54
    largest_gap: int = 32

    def __post_init__(self) -> None:
        if min(self.pieces, self.attempts, self.reserve, self.largest_gap) < 1:
            raise ValueError("pieces, attempts, reserve and largest_gap are at least 1")

    def lay_out(self, flight: FlightContext) -> Sequence[Sequence[Placement]] | None:
        """One datagram or more; None when only parts are to be sent, or the datagrams are too small."""
        total = len(flight.crypto)
        first_stop = min(total, flight.room(0) - self.reserve)
        if not is_whole(flight) or first_stop < 1:
            return None
        name = flight.server_name_range or host_name_range(flight.crypto)
        middle = (name[0] + name[1]) // 2 if name is not None else first_stop
        if total == first_stop:
            halves = [item for item in ((0, middle), (middle, total)) if item[0] < item[1]]
            return [self._arranged(flight, halves, self.reserve)]
        first, second = [(0, first_stop)], [[(first_stop, total)]]
        gap = between(flight.random, 1, self.largest_gap)
        if middle + gap < first_stop:
            first, second = [(0, middle), (middle + gap, first_stop)], [[(middle, middle + gap)], *second]
        # What is missing from the first packet makes room for more between the pieces.
        spare = flight.room(0) - sum(stop - start for start, stop in first)
        plan = [self._arranged(flight, first, spare)]
        placed = [item for group in second for item in self._arranged(flight, group, self.reserve)]
        if size_of(flight, placed) <= flight.room(1):
            return [*plan, placed]
        # More than two datagrams have not been seen of these clients; the rest follows in order.
        rest = portions(flight, [item for group in second for item in group], first=1)
        plan.extend([Crypto(start, stop) for start, stop in part] for part in rest)
        return plan

    def _arranged(self, flight: FlightContext, ranges: Sequence[Range], spare: int) -> list[Placement]:
        """The ranges in pieces, mixed with what spends the spare bytes."""
        random = flight.random
        pieces = self._halved(flight, ranges, spare)
        left = spare - overhead(flight, pieces)
        left -= below(random, 2)  # half of all groups keep a byte
        shuffle(random, pieces)
        placements: list[Placement] = [Crypto(start, stop) for start, stop in pieces]
        while left > 0:
            count = between(random, 1, left)
            placements.insert(below(random, len(placements)), filler(random, count))
            left -= count
        return placements

    def _halved(self, flight: FlightContext, ranges: Sequence[Range], spare: int) -> list[Range]:
        pieces = list(ranges)
        for _ in range(self.attempts):
            if len(pieces) >= self.pieces:
                break
            index = below(flight.random, len(pieces))
            start, stop = pieces[index]
            if stop - start < 2:
                continue
            middle = start + (stop - start) // 2
            halves = [(start, middle), (middle, stop)]
            cut = pieces[:index] + halves + pieces[index + 1 :]
            if overhead(flight, cut) > spare:
                break
            pieces = cut
        return pieces


def filler(random: RandomBytes, count: int) -> Placement:
    """A run of PADDING; one byte is as often a PING."""
    return Ping() if count == 1 and below(random, 2) else Padding(count)


def overhead(flight: FlightContext, pieces: Sequence[Range]) -> int:
    """Bytes of the headers of their frames."""
    return sum(flight.crypto_size(start, stop) - (stop - start) for start, stop in pieces)


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
