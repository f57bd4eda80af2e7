"""How much may be in flight: congestion controllers by name."""

from typing import Final

from ..errors import UsageError
from .base import CongestionController
from .bbr import Bbr
from .cubic import Cubic
from .new_reno import NewReno

__all__ = ["NAMES", "Bbr", "CongestionController", "Cubic", "NewReno", "make"]

NAMES: Final = ("cubic", "newreno", "bbr")


def make(name: str, datagram_size: int) -> CongestionController:
    """A fresh controller.

    Raises:
        UsageError: there is none of that name.
    """
    if name == "cubic":
        return Cubic(datagram_size)
    if name == "newreno":
        return NewReno(datagram_size)
    if name == "bbr":
        return Bbr(datagram_size)
    raise UsageError(f"no congestion controller {name!r}; known are {', '.join(NAMES)}")
