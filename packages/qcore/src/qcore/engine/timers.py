"""The deadlines of one connection.

Each part that waits for something has a slot; the connection wakes at the earliest. Setting a slot is an
assignment, since it happens for every batch.
"""

import math
from typing import Final, final

IDLE: Final = 0
KEEP_ALIVE: Final = 1
LOSS: Final = 2
ACK: Final = 3
PACING: Final = 4
HANDSHAKE: Final = 5
PATH: Final = 6
MTU: Final = 7
KEYS: Final = 8
END: Final = 9

COUNT: Final = 10
NAMES: Final = ("idle", "keep_alive", "loss", "ack", "pacing", "handshake", "path", "mtu", "keys", "end")


@final
class TimerTable:
    """Deadlines by slot, in seconds; `math.inf` is off."""

    __slots__ = ("deadlines",)

    def __init__(self) -> None:
        self.deadlines = [math.inf] * COUNT

    def set(self, slot: int, deadline: float) -> None:
        self.deadlines[slot] = deadline

    def clear(self, slot: int) -> None:
        self.deadlines[slot] = math.inf

    def clear_all(self) -> None:
        self.deadlines = [math.inf] * COUNT

    def next(self) -> float:
        """The earliest deadline."""
        return min(self.deadlines)

    def is_due(self, slot: int, now: float) -> bool:
        return self.deadlines[slot] <= now < math.inf

    def __repr__(self) -> str:
        armed = [f"{name} {at:.6f}" for name, at in zip(NAMES, self.deadlines, strict=True) if at != math.inf]
        return f"TimerTable({', '.join(armed)})"
