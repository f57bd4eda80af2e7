"""States of a connection. RFC 9000 §10."""

from __future__ import annotations

from enum import Enum
from typing import Final, final

from ..errors import ConnectionClosed


class State(Enum):
    __hash__ = object.__hash__  # members are singletons, and that of Enum is a call in Python

    HANDSHAKING = "handshaking"
    ESTABLISHED = "established"
    CONFIRMED = "confirmed"
    CLOSING = "closing"
    DRAINING = "draining"
    CLOSED = "closed"


class Step(Enum):
    """What moves a connection from one state to another."""

    __hash__ = object.__hash__  # members are singletons, and that of Enum is a call in Python

    HANDSHAKE_COMPLETE = "handshake complete"
    HANDSHAKE_CONFIRMED = "handshake confirmed"
    LOCAL_CLOSE = "local close"
    PEER_CLOSE = "peer close"
    ABANDON = "abandon"  # idle timeout, stateless reset, version mismatch: nothing is sent any more
    PERIOD_OVER = "closing or draining period over"


NEXT: Final = {
    (State.HANDSHAKING, Step.HANDSHAKE_COMPLETE): State.ESTABLISHED,
    (State.HANDSHAKING, Step.LOCAL_CLOSE): State.CLOSING,
    (State.HANDSHAKING, Step.PEER_CLOSE): State.DRAINING,
    (State.HANDSHAKING, Step.ABANDON): State.CLOSED,
    (State.ESTABLISHED, Step.HANDSHAKE_CONFIRMED): State.CONFIRMED,
    (State.ESTABLISHED, Step.LOCAL_CLOSE): State.CLOSING,
    (State.ESTABLISHED, Step.PEER_CLOSE): State.DRAINING,
    (State.ESTABLISHED, Step.ABANDON): State.CLOSED,
    (State.CONFIRMED, Step.LOCAL_CLOSE): State.CLOSING,
    (State.CONFIRMED, Step.PEER_CLOSE): State.DRAINING,
    (State.CONFIRMED, Step.ABANDON): State.CLOSED,
    # RFC 9000 §10.2.1: a close from the peer turns closing into draining.
    (State.CLOSING, Step.PEER_CLOSE): State.DRAINING,
    (State.CLOSING, Step.PERIOD_OVER): State.CLOSED,
    (State.CLOSING, Step.ABANDON): State.CLOSED,
    (State.DRAINING, Step.PERIOD_OVER): State.CLOSED,
    (State.DRAINING, Step.ABANDON): State.CLOSED,
}

OPEN: Final = frozenset({State.HANDSHAKING, State.ESTABLISHED, State.CONFIRMED})


@final
class Lifecycle:
    """Where a connection stands.

    Attributes:
        is_open: neither closing nor closed.
        is_established: open, and the handshake is complete.
        is_confirmed: open, and the handshake is confirmed.
    """

    __slots__ = ("is_confirmed", "is_established", "is_open", "state")

    def __init__(self) -> None:
        self.state = State.HANDSHAKING
        self.is_open = True
        self.is_established = False
        self.is_confirmed = False

    def require_open(self) -> None:
        """Raise `ConnectionClosed` where there is nothing to say any more."""
        if not self.is_open:
            raise ConnectionClosed("the connection is closed")

    def allows(self, step: Step) -> bool:
        return (self.state, step) in NEXT

    def advance(self, step: Step) -> tuple[State, State]:
        """Take a step; returns the states before and after.

        Raises:
            ValueError: the step makes no sense in this state, which is a bug of the caller.
        """
        old = self.state
        new = NEXT.get((old, step))
        if new is None:
            raise ValueError(f"{step.value} while {old.value}")
        self.state = new
        self.is_open = new in OPEN
        self.is_confirmed = new is State.CONFIRMED
        self.is_established = self.is_confirmed or new is State.ESTABLISHED
        return old, new
