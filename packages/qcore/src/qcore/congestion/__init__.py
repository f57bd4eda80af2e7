"""How much may be in flight: congestion controllers by name."""

from __future__ import annotations

from typing import Final

from ..errors import UsageError
from .base import CongestionController
from .cubic import Cubic

__all__ = ["NAMES", "CongestionController", "make"]

NAMES: Final = ("cubic", "newreno", "bbr")


def make(name: str, datagram_size: int) -> CongestionController:
    """A fresh controller.

    Raises:
        UsageError: there is none of that name.
    """
    if name == "cubic":
        return Cubic(datagram_size)
    if name == "newreno":
        from .new_reno import NewReno

        return NewReno(datagram_size)
    if name == "bbr":
        from .bbr import Bbr  # larger than the others together, and loaded only where it is used

        return Bbr(datagram_size)
    raise UsageError(f"no congestion controller {name!r}; known are {', '.join(NAMES)}")
