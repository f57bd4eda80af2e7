"""How a connection ends: by us, by the peer, or by silence. RFC 9000 §10."""

from __future__ import annotations

from typing import final

from qwire.constants import NO_ERROR
from qwire.frames import ConnectionCloseFrame, Frame

from ..errors import QuicError, TransportError
from ..events import ConnectionEnded
from ..observer import Observer
from ..spaces import APPLICATION
from .closing import Closing, error_from_peer
from .lifecycle import Lifecycle, Step
from .parts import Parts
from .timers import NEVER, TimerTable


@final
class Ending:
    """Moves a connection to its end, once, and remembers why.

    Attributes:
        ended: the last event; None while the connection is open.
    """

    __slots__ = (
        "_closing",
        "_is_told",
        "_lifecycle",
        "_observer",
        "_parts",
        "_timers",
        "_was_confirmed",
        "ended",
    )

    def __init__(
        self, parts: Parts, lifecycle: Lifecycle, table: TimerTable, observer: Observer | None
    ) -> None:
        self.ended: ConnectionEnded | None = None
        self._parts = parts
        self._lifecycle = lifecycle
        self._timers = table
        self._observer = observer
        self._closing: Closing | None = None
        self._was_confirmed = False
        self._is_told = False

    def close(self, closing: Closing, now: float) -> None:
        """We close; the peer is told."""
        if not self._lifecycle.is_open:
            return
        self._was_confirmed = self._lifecycle.is_confirmed
        self._closing = closing
        self._step(Step.LOCAL_CLOSE, now)
        self._finish(closing.error, True)
        if self._observer is not None:
            self._observer.connection_closed(now, True, closing.code, closing.is_application, closing.reason)

    def fail(self, error: TransportError, now: float) -> None:
        """A violation was seen: the peer and the application are told."""
        self.close(Closing.of(error), now)

    def on_peer_close(self, frame: ConnectionCloseFrame, now: float) -> None:
        """The peer closes; nothing is sent any more but perhaps one answer. RFC 9000 §10.2.2."""
        if not self._lifecycle.allows(Step.PEER_CLOSE):
            return
        self._was_confirmed = self._lifecycle.is_confirmed
        self._step(Step.PEER_CLOSE, now)
        self._closing = None
        if self._parts.packer.habits.answers_close:
            self._closing = Closing(NO_ERROR, "", False)
        self._finish(error_from_peer(frame), False)
        self._linger(now)
        if self._observer is not None:
            reason = frame.reason.decode("utf-8", "replace")
            self._observer.connection_closed(now, False, frame.error_code, frame.application, reason)

    def abandon(self, error: QuicError, now: float) -> None:
        """The connection is over and there is nobody to tell."""
        if not self._lifecycle.is_open:
            return
        self._step(Step.ABANDON, now)
        self._finish(error, True)
        if self._observer is not None:
            self._observer.connection_closed(now, True, None, False, str(error))

    def on_received(self) -> None:
        """Something arrived after the end: while closing, the close is repeated now and then. RFC 9000 §10.2.1."""
        if self._closing is not None:
            self._closing.on_received()

    def handle_timeout(self, now: float) -> None:
        """The closing or draining period is over."""
        self._step(Step.PERIOD_OVER, now)
        self._closing = None
        self._timers.clear_all()

    def take_frames(self, now: float) -> list[Frame | None] | None:
        """The close frames that have to go out now, by space; None when there are none.

        The closing period begins with the first of them.
        """
        closing = self._closing
        if closing is None or not closing.is_pending:
            return None
        closing.is_pending = False
        if self._timers.end == NEVER:
            self._linger(now)
        parts = self._parts
        application = parts.spaces[APPLICATION]
        # A client may lack the keys while the server already has them, not the other way round.
        has_keys = application.phases is not None and (parts.is_client or application.can_open_application)
        return closing.frames(self._was_confirmed, has_keys)

    def take_event(self) -> ConnectionEnded | None:
        """The last event, once."""
        if self._is_told:
            return None
        self._is_told = self.ended is not None
        return self.ended

    def _finish(self, error: QuicError | None, is_local: bool) -> None:
        self._timers.clear_all()
        if self.ended is None:
            self.ended = ConnectionEnded(error, is_local)

    def _linger(self, now: float) -> None:
        """RFC 9000 §10.2: closing and draining last three probe timeouts."""
        self._timers.end = now + 3 * self._parts.pto()

    def _step(self, step: Step, now: float) -> None:
        old, new = self._lifecycle.advance(step)
        if self._observer is not None:
            self._observer.connection_state(now, old.value, new.value)
