"""Layouts of clients that cut the ClientHello into pieces of one size, in order, and pad behind them."""

from collections.abc import Sequence
from dataclasses import dataclass

from qcore.packing.initial_flight import Crypto, FlightContext, Placement

from .ranges import is_whole


@dataclass(frozen=True, kw_only=True)
class Chunked:
    """CRYPTO frames of `size` bytes, as many in a datagram as fit whole."""

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError("a piece has at least one byte")

    def lay_out(self, flight: FlightContext) -> Sequence[Sequence[Placement]] | None:
        """Pieces in order; None for a flight of which only parts are to be sent."""
        if not is_whole(flight) or self.size + 9 > flight.room(
            0
        ):  # 9: the largest header of a CRYPTO frame here
            return None
        total = len(flight.crypto)
        plan: list[list[Placement]] = []
        room = 0
        for start in range(0, total, self.size):
            stop = min(start + self.size, total)
            needed = flight.crypto_size(start, stop)
            if needed > room:
                plan.append([])
                room = flight.room(len(plan) - 1)
            plan[-1].append(Crypto(start, stop))
            room -= needed
        return plan
