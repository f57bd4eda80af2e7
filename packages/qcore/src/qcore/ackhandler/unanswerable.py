"""Packets that the peer need not acknowledge: how many are kept, and when one more is too many in a row.

RFC 9000 §13.2.4.
"""

from __future__ import annotations

from typing import Final, final

from ..spaces import COUNT
from .history import SentPacket

# RFC 9000 §13.2.4: acknowledgements are acknowledged only beside something that elicits one.
PING_AFTER: Final = 32
# Packets of a space that elicit nothing and are remembered, the newest ones: to hear that an ACK has arrived only saves
# repeating it. Some 800 bytes each.
MAX_UNANSWERABLE: Final = 256
# What connections share that have sent no such packet yet: nobody may put anything into these.
NONE_IN_A_ROW: Final = [0] * COUNT
NONE_KEPT: Final[list[list[SentPacket] | None]] = [None] * COUNT


@final
class UnanswerablePackets:
    """Those of one connection, by packet-number space."""

    __slots__ = ("_in_a_row", "_kept")

    def __init__(self) -> None:
        self._in_a_row = NONE_IN_A_ROW
        self._kept = NONE_KEPT

    def add(self, packet: SentPacket) -> SentPacket | None:
        """One more was sent; returns the one that is to be forgotten for it, if there is one."""
        space = packet.space
        if self._in_a_row is NONE_IN_A_ROW:
            self._in_a_row = NONE_IN_A_ROW.copy()
        self._in_a_row[space] += 1
        if self._kept is NONE_KEPT:
            self._kept = NONE_KEPT.copy()
        kept = self._kept[space]
        if kept is None:
            kept = self._kept[space] = []
        kept.append(packet)
        return kept.pop(0) if len(kept) > MAX_UNANSWERABLE else None

    def interrupt(self, space: int) -> None:
        """A packet was sent that has to be acknowledged."""
        if self._in_a_row[space]:
            self._in_a_row[space] = 0

    def needs_ping(self, space: int) -> bool:
        """Whether the next packet should elicit an answer, since none has for long."""
        return self._in_a_row[space] >= PING_AFTER

    def take(self, space: int) -> list[SentPacket]:
        """Remember none of a space any more; those that were, oldest first."""
        kept = self._kept[space]
        if kept is None:
            return []
        self._kept[space] = None
        return kept
