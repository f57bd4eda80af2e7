"""Where the bytes of a first flight go: the layout algorithms of real clients.

Each is frozen data with one method, `lay_out`, as `qcore.packing.initial_flight.FlightLayout` asks.
"""

from qcore.packing.initial_flight import InOrder

from .chaos import Chaos
from .multi_chaos import MultiChaos
from .sni_slicing import SniSlicing

__all__ = ["Chaos", "InOrder", "MultiChaos", "SniSlicing"]
