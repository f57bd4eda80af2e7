"""Network paths: whether the peer is there, and how large its datagrams may be. RFC 9000 §8, §9, §14."""

from .migration import Migration, PathManager
from .mtu import MtuDiscovery
from .path import Path, PathState

__all__ = ["Migration", "MtuDiscovery", "Path", "PathManager", "PathState"]
