"""What a driver knows of a connection, and what the alarm clock knows of a driver."""

from __future__ import annotations

from typing import Protocol

from qwire.compiling import mypyc_attr

from ..engine.engine import QuicEngine
from ..events import Event
from .alarms import Alarm


@mypyc_attr(allow_interpreted_subclasses=True)
class Driven:
    """An engine and whoever hears of its events.

    Attributes:
        sleeper: who is woken when the alarm comes up.
    """

    def __init__(self, engine: QuicEngine, sleeper: Sleeper) -> None:
        self.engine = engine
        self.sleeper = sleeper
        self.alarm: Alarm[Driven] = Alarm(self)
        self.is_queued = False
        self.is_faulty = False
        self.first_turn = 0.0  # when the engine was first asked to send
        self.last_turn = 0.0  # and when last

    def on_events(self, events: list[Event]) -> bool:
        """Events of one wake-up.

        Returns:
            Whether a task was woken that may want to send: then sending waits until it has run.
        """
        raise NotImplementedError

    def on_accepted(self) -> bool:
        """An arriving connection has completed its handshake; tells whether a task was woken."""
        raise NotImplementedError

    def on_fault(self, error: Exception) -> None:
        """The engine or whoever heard of its events raised: close the connection with an internal error."""
        raise NotImplementedError

    def on_socket_error(self, error: OSError, now: float) -> None:
        """The socket of this connection reported an error."""
        raise NotImplementedError

    def abort(self, code: int = 0, reason: str = "") -> None:
        """Close the connection, if it is open; the close goes out with the next pass of sending."""
        raise NotImplementedError

    def on_released(self) -> None:
        """The engine is done with; nothing follows."""
        raise NotImplementedError


class Sleeper(Protocol):
    """Whoever looks after connections when their time has come."""

    def on_alarms(self, due: list[Driven]) -> None:
        """The alarms of these have come up, each of them one of its own."""

    def on_turn(self) -> None:
        """The turn has come that was asked for."""
