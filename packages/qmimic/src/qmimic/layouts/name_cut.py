"""quic-go's layout: the second half of the host name is left out of the first packet and sent in the second.

The first packet carries what stands before and behind, filled to the end, in either order; the rest follows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from qcore.packing.initial_flight import Crypto, FlightContext, Padding, Placement

from ..randomness import shuffle
from .ranges import fitting, is_whole, portions
from .sni_slicing import host_name_range


@dataclass(frozen=True, kw_only=True)
class NameCut:
    """`mixed` puts the frames of a packet in either order; PADDING stands at that end of its packet."""

    mixed: bool = True
    padding: Literal["front", "back"] = "front"

    def lay_out(self, flight: FlightContext) -> Sequence[Sequence[Placement]] | None:
        """Two stretches around the cut first, then what is missing; None without a host name."""
        name = flight.server_name_range or host_name_range(flight.crypto)
        if name is None or not is_whole(flight):
            return None
        total = len(flight.crypto)
        middle = name[0] + (name[1] - name[0]) // 2
        left = (0, middle)
        room = flight.room(0) - flight.crypto_size(*left)
        size = fitting(flight, name[1], total, room)
        if size <= 0:
            return None
        parts = [[left, (name[1], name[1] + size)]]
        rest = [(middle, name[1]), (name[1] + size, total)]
        parts.extend(portions(flight, [item for item in rest if item[0] < item[1]], first=1))
        return [self._arranged(flight, part, flight.room(index)) for index, part in enumerate(parts)]

    def _arranged(self, flight: FlightContext, part: Sequence[tuple[int, int]], room: int) -> list[Placement]:
        placements: list[Placement] = [Crypto(start, stop) for start, stop in part]
        if self.mixed:
            shuffle(flight.random, placements)
        left = room - sum(flight.crypto_size(start, stop) for start, stop in part)
        if left > 0:
            placements.insert(0 if self.padding == "front" else len(placements), Padding(left))
        return placements
