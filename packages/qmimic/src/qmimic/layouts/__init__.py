"""Where the bytes of a first flight go: the layout algorithms of real clients.

Each is frozen data with one method, `lay_out`, as `qcore.packing.initial_flight.FlightLayout` asks. `InOrder` is
also Apple's: one CRYPTO frame, and PADDING behind it in the same packet.
"""

from qcore.packing.initial_flight import InOrder

from .chaos import Chaos
from .chunked import Chunked
from .halving import Halving
from .multi_chaos import MultiChaos
from .name_cut import NameCut
from .pinned import Pinned, PinnedDatagram, Scattered, ScatteredDatagram
from .sampled import Arrangement, Sampled
from .sni_slicing import SniSlicing

__all__ = [
    "Arrangement",
    "Chaos",
    "Chunked",
    "Halving",
    "InOrder",
    "MultiChaos",
    "NameCut",
    "Pinned",
    "PinnedDatagram",
    "Sampled",
    "Scattered",
    "ScatteredDatagram",
    "SniSlicing",
]
