"""Simulated networks in virtual time, for tests of whatever uses the engine."""

from .network import Link, LinkConfig
from .pair import Pair, Stalled
from .seeded import Seeded
from .trace import Trace

__all__ = ["Link", "LinkConfig", "Pair", "Seeded", "Stalled", "Trace"]
