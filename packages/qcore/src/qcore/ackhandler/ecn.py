"""Whether the path carries ECN marks.

Decides the mark of the next datagram and checks the counts that come back. A path that bleaches or rewrites
marks, or drops marked packets, is not used with ECN again. RFC 9000 §13.4.2, RFC 9000 appendix A.4.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final, final

from .history import SentHistory

# RFC 3168 §5.
NOT_ECT: Final = 0
ECT1: Final = 1
ECT0: Final = 2
CE: Final = 3

# RFC 9000 appendix A.4: mark the first ten packets, or those of three probe timeouts.
TESTING_PACKETS: Final = 10
TESTING_TIMEOUTS: Final = 3


class EcnState(Enum):
    """RFC 9000 appendix A.4."""

    TESTING = "testing"
    UNKNOWN = "unknown"
    CAPABLE = "capable"
    FAILED = "failed"


@final
class EcnValidator:
    """ECN on one path.

    Attributes:
        state: where validation stands.
        codepoint: the mark for the next datagram.
        ce_count: congestion marks that the peer has reported.
    """

    __slots__ = (
        "_answered",
        "_lost",
        "_sent_testing",
        "_timeouts",
        "ce_count",
        "codepoint",
        "state",
    )

    def __init__(self) -> None:
        self.state = EcnState.TESTING
        self.codepoint = ECT0
        self.ce_count = 0
        self._sent_testing = 0
        self._lost = 0
        self._timeouts = 0
        self._answered = False

    def _become(self, state: EcnState) -> None:
        self.state = state
        self.codepoint = ECT0 if state is EcnState.CAPABLE or state is EcnState.TESTING else NOT_ECT

    @property
    def is_testing(self) -> bool:
        """Whether the mark may change with the next packet."""
        return self.state is EcnState.TESTING

    def on_sent(self, history: SentHistory, count: int = 1) -> None:
        """Packets of a space marked ECT(0) were sent."""
        history.marked_sent += count
        if self.state is EcnState.TESTING:
            self._sent_testing += count
            if self._sent_testing >= TESTING_PACKETS:
                self._become(EcnState.UNKNOWN)

    def on_lost(self, count: int) -> None:
        """Marked packets were declared lost."""
        if self._answered or self.state is EcnState.FAILED:
            return
        self._lost += count
        if self.state is EcnState.UNKNOWN and self._lost >= self._sent_testing:
            # RFC 9000 §13.4.2: a network element seems to drop marked packets.
            self._become(EcnState.FAILED)

    def on_timeout(self) -> None:
        """A probe timeout expired."""
        if self.state is EcnState.TESTING and self._sent_testing:
            self._timeouts += 1
            if self._timeouts >= TESTING_TIMEOUTS:
                self._become(EcnState.UNKNOWN)

    def on_ack(self, history: SentHistory, newly_acked: int, counts: tuple[int, int, int] | None) -> int:
        """Check an ACK that raised the largest acknowledged number of its space.

        RFC 9000 §13.4.2.1. An ACK that did not raise it may have been reordered, and its counts may be old; its
        packets are to be given to `on_old_ack`.

        Args:
            newly_acked: packets marked ECT(0) that it acknowledges for the first time.
            counts: ECT(0), ECT(1) and CE of the frame; None when it has none.

        Returns:
            Congestion marks that are new.
        """
        history.marked_acked += newly_acked
        if newly_acked:
            self._answered = True
        if counts is None:
            if newly_acked:
                self._become(EcnState.FAILED)
            return 0
        ect0, ect1, ce = counts
        known_ect0, known_ect1, known_ce = history.marks_reported
        history.marks_reported = counts
        if self.state is EcnState.FAILED:
            return 0
        marked = ect0 + ce
        if (
            ect0 < known_ect0
            or ce < known_ce
            or ect1 != known_ect1
            # Every packet that arrived was counted, and none that was not sent.
            or marked < history.marked_acked
            or marked > history.marked_sent
        ):
            self._become(EcnState.FAILED)
            return 0
        if newly_acked and self.state is not EcnState.CAPABLE:
            self._become(EcnState.CAPABLE)
        fresh = ce - known_ce
        self.ce_count += fresh
        return fresh

    def on_old_ack(self, history: SentHistory, newly_acked: int) -> None:
        """Marked packets were acknowledged by an ACK whose counts may be old."""
        history.marked_acked += newly_acked

    def reset(self, histories: Iterable[SentHistory]) -> None:
        """Another path: test it. RFC 9000 §13.4.2."""
        self._become(EcnState.TESTING)
        self._sent_testing = 0
        self._lost = 0
        self._timeouts = 0
        self._answered = False
        # The peer's counters go on; what the old path did to marks is not held against the new one.
        for history in histories:
            ect0, _, ce = history.marks_reported
            history.marked_acked = ect0 + ce
