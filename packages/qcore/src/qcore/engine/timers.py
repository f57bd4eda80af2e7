"""The deadlines of one connection.

Each part that waits for something has one; the connection wakes at the earliest. Setting one is an assignment, since
that happens for every batch.
"""

# ruff: noqa: PLR1730 - asked for each packet, and min() is a call

from __future__ import annotations

import math
from typing import Final, final

from qwire.compiling import mypyc_attr

NEVER: Final = math.inf
NAMES: Final = ("idle", "keep_alive", "loss", "ack", "pacing", "handshake", "path", "mtu", "keys", "end")


@final
@mypyc_attr(acyclic=True)
class TimerTable:
    """Deadlines in seconds by what they are for; `math.inf` is off."""

    __slots__ = NAMES

    def __init__(self) -> None:
        self.idle = NEVER
        self.keep_alive = NEVER
        self.loss = NEVER
        self.ack = NEVER
        self.pacing = NEVER
        self.handshake = NEVER
        self.path = NEVER
        self.mtu = NEVER
        self.keys = NEVER
        self.end = NEVER

    def clear_all(self) -> None:
        self.idle = self.keep_alive = self.loss = self.ack = self.pacing = NEVER
        self.handshake = self.path = self.mtu = self.keys = self.end = NEVER

    def next(self) -> float:
        """The earliest deadline."""
        earliest = self.idle
        if self.keep_alive < earliest:
            earliest = self.keep_alive
        if self.loss < earliest:
            earliest = self.loss
        if self.ack < earliest:
            earliest = self.ack
        if self.pacing < earliest:
            earliest = self.pacing
        if self.handshake < earliest:
            earliest = self.handshake
        if self.path < earliest:
            earliest = self.path
        if self.mtu < earliest:
            earliest = self.mtu
        if self.keys < earliest:
            earliest = self.keys
        if self.end < earliest:
            earliest = self.end
        return earliest

    def __repr__(self) -> str:
        armed = [f"{name} {at:.6f}" for name in NAMES if (at := getattr(self, name)) != NEVER]
        return f"TimerTable({', '.join(armed)})"


def is_due(deadline: float, now: float) -> bool:
    """Whether a deadline has come."""
    return deadline <= now < NEVER
