"""Layouts for clients whose rule is not known: arrangements that were seen, one of them on each connection.

Honest about what it is: a client drawn often enough shows that it has only so many arrangements. Which are possible
follows from the size of the ClientHello, where that was seen to matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from qcore.errors import FlightError
from qcore.packing.initial_flight import Crypto, FlightContext, Placement, check_layout

from ..bounds import check_span
from ..randomness import pick
from .pinned import PinnedDatagram
from .ranges import is_whole


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """One flight that was seen; each text is a datagram, its frames as in `PinnedDatagram`, joined by commas.

    It was seen of ClientHellos of `smallest` to `largest` bytes; without a `largest`, nothing is known of that.
    """

    datagrams: tuple[str, ...]
    smallest: int = 0
    largest: int = 0

    def __post_init__(self) -> None:
        if self.largest:
            check_span("the size of the ClientHello", self.smallest, self.largest)
        self.rules()

    def distance(self, size: int) -> int:
        """How far a ClientHello of `size` bytes is from those of which the arrangement was seen."""
        if not self.largest:
            return 0
        return max(0, self.smallest - size, size - self.largest)

    def rules(self) -> list[PinnedDatagram]:
        """The datagrams as layouts."""
        return [PinnedDatagram(frames=tuple(text.split(", "))) for text in self.datagrams]


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """Any of the `flights` that were seen of ClientHellos most like this in size, each with the same chance.

    Those that do not fit are passed over.
    """

    flights: tuple[Arrangement, ...]

    def __post_init__(self) -> None:
        if not self.flights:
            raise ValueError("a layout needs at least one flight")

    def lay_out(self, flight: FlightContext) -> Sequence[Sequence[Placement]] | None:
        """One that fits; None if there is none, or only parts are to be sent."""
        if not is_whole(flight):
            return None
        left = list(self.flights)
        while left:
            nearest = min(item.distance(len(flight.crypto)) for item in left)
            chosen = pick(
                flight.random, [item for item in left if item.distance(len(flight.crypto)) == nearest]
            )
            left.remove(chosen)
            plan = [rule.arrange(flight, flight.room(index)) for index, rule in enumerate(chosen.rules())]
            plan = [part for part in plan if any(isinstance(placement, Crypto) for placement in part)]
            if fits(flight, plan):
                return plan
        return None


def fits(flight: FlightContext, plan: Sequence[Sequence[Placement]]) -> bool:
    """Whether a plan places every byte once and overflows nothing."""
    try:
        check_layout(flight, plan)
    except FlightError:
        return False
    placed = sum(item.stop - item.start for part in plan for item in part if isinstance(item, Crypto))
    return placed == len(flight.crypto)
