"""The life of a connection on an event loop: its milestones, who hears of its events, and how it ended.

What every wake-up passes through, apart from what users call. RFC 9000 §10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from qwire.compiling import mypyc_attr
from qwire.constants import INTERNAL_ERROR

from ..engine.engine import QuicEngine
from ..errors import ApplicationError, ConnectionRefused, QuicError, TransportError, UsageError
from ..events import (
    ConnectionEnded,
    DatagramReceived,
    Event,
    HandshakeCompleted,
    HandshakeConfirmed,
    PathAbandoned,
    PathChanged,
    PathValidated,
    PreferredAddressOffered,
    StreamFinished,
    StreamOpened,
    StreamReadable,
    StreamWritable,
    TokenReceived,
)
from .close_info import CloseInfo
from .driven import Driven
from .driver import Driver
from .errors import Unreachable
from .signal import Signal

if TYPE_CHECKING:
    from .path import PathTable

# What paths hear of.
PATH_EVENTS: Final = (
    PathAbandoned,
    PathChanged,
    PathValidated,
    PreferredAddressOffered,
)
# The many that mean nothing to the connection itself.
STREAM_EVENTS: Final = frozenset(
    (DatagramReceived, StreamFinished, StreamOpened, StreamReadable, StreamWritable)
)
# Datagrams kept for whoever will be attached; streams are bounded by the limits given to the peer.
MAX_SAVED_DATAGRAMS: Final = 1024


class EventProtocol(Protocol):
    """What can be attached to a connection in place of stream objects."""

    def on_events(self, events: list[Event], /) -> Any:
        """Events of one wake-up. A true answer says that a task was woken which will want to send."""
        ...


@mypyc_attr(allow_interpreted_subclasses=True)
class Life(Driven):
    """What the driver knows as a connection.

    Attributes:
        is_clean: once ended, whether it was without error.
    """

    def __init__(self, engine: QuicEngine, driver: Driver) -> None:
        super().__init__(engine, driver)
        self.is_clean = False
        self._driver = driver
        self._changed = Signal()
        self._is_established = False
        self._close_info: CloseInfo | None = None
        self._ended_by: QuicError | None = None
        self._cause: QuicError | None = None  # why this side gave up, where the engine cannot know
        self._protocol: EventProtocol | None = None
        self._paths: PathTable | None = None
        self._saved: list[Event] = []
        self._saved_datagrams = 0

    @property
    def is_established(self) -> bool:
        """Whether the handshake was completed."""
        return self._is_established

    @property
    def is_closed(self) -> bool:
        """Whether the connection has ended."""
        return self._close_info is not None

    def ended_by(self) -> QuicError | None:
        """What everything raises because the connection has ended; None while it is open."""
        return self._ended_by

    def abort(self, code: int = 0, reason: str = "") -> None:
        """Close at once, without waiting; what was not acknowledged may be lost."""
        if self._close_info is None and not self.engine.is_closed:
            self.engine.close(code, reason)
            self.flush()

    def on_token(self, token: bytes) -> None:
        """A token for a later connection to the same server has come."""

    def on_ended(self) -> None:
        """The connection has ended."""

    def _path_table(self) -> PathTable:
        """The paths of a client, once somebody has to do with more than one."""
        if self._paths is None:
            from .path import PathTable

            self._paths = PathTable(self, self._driver, self.ended_by, self._driver.address)
        return self._paths

    # For protocols

    def attach(self, protocol: EventProtocol) -> None:
        """Give all events to `protocol` instead of making stream objects; what has happened so far comes first.

        Raises:
            UsageError: there is one already, or streams were used.
        """
        if self._protocol is not None:
            raise UsageError("the events of this connection are taken")
        self._protocol = protocol
        saved, self._saved = self._saved, []
        if saved:
            protocol.on_events(saved)
            self.flush()

    def flush(self) -> None:
        """Send what verbs on `engine` have made pending, within this turn of the loop."""
        self._driver.wake(self)

    def flush_now(self) -> None:
        """Send it before anything else becomes pending, so that no packet holds both; not for use in `on_events`."""
        if self._close_info is None:
            self._driver.flush(self)

    def send_ahead(self) -> None:
        """Send what is pending while more is being made, so that the peer can begin with it; also in `on_events`.

        Nothing happens before the handshake is confirmed, whose packets have an order of their own.
        """
        if self._close_info is None and self.engine.is_confirmed:
            self._driver.send_ahead(self)

    # Reports of the driver

    def on_events(self, events: list[Event]) -> bool:
        woken = False
        for event in events:
            if type(event) in STREAM_EVENTS:
                continue
            if isinstance(event, HandshakeCompleted):
                self._is_established = True
                woken = self._changed.notify() or woken
            elif isinstance(event, TokenReceived):
                self.on_token(event.token)
            elif isinstance(event, ConnectionEnded):
                self._end(self._cause or event.error, event.is_local)
                woken = self._changed.notify() or woken
            elif isinstance(event, HandshakeConfirmed):
                if self._paths is not None:
                    woken = self._paths.on_event(event) or woken
            elif isinstance(event, PATH_EVENTS) and self.engine.is_client:
                woken = self._path_table().on_event(event) or woken
        if self._protocol is not None:
            return bool(self._protocol.on_events(events)) or woken
        self._save(events)
        return woken

    def on_fault(self, error: Exception) -> None:
        self._cause = TransportError(INTERNAL_ERROR, None, f"{type(error).__name__}: {error}")
        if not self.engine.is_closed:
            self.engine.close(INTERNAL_ERROR, "", application=False)
        elif self._close_info is None:
            self._end(self._cause, True)
            self._changed.notify()

    def on_socket_error(self, error: OSError, now: float) -> None:
        if not isinstance(error, ConnectionRefusedError | ConnectionResetError) and not self._is_established:
            self._cause = Unreachable(error.errno, f"{error.strerror}: {self.engine.address[0]}")
        self.engine.refuse(error, now)

    def on_released(self) -> None:
        if self._paths is not None:
            self._paths.close()
        if self._close_info is None:
            self.on_events([ConnectionEnded(None, True)])

    def _end(self, error: QuicError | None, is_local: bool) -> None:
        code: int | None = 0
        reason = ""
        was_told = not (isinstance(error, ConnectionRefused) and error.is_local)
        if isinstance(error, TransportError | ApplicationError) and was_told:
            code, reason = error.code, error.reason
        elif error is not None:
            code, reason = None, str(error)
        self.is_clean = error is None or (isinstance(error, ApplicationError) and error.code == 0)
        self._close_info = CloseInfo(error, is_local, code, reason)
        self._ended_by = error or ApplicationError(0, "", is_local)
        if self._paths is not None:
            self._paths.changed.notify()
        self.on_ended()

    def _save(self, events: list[Event]) -> None:
        """Keep events until somebody is there to have them."""
        for event in events:
            if isinstance(event, DatagramReceived):
                if self._saved_datagrams >= MAX_SAVED_DATAGRAMS:
                    continue
                self._saved_datagrams += 1
            self._saved.append(event)
