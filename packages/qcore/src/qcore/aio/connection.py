"""`Connection`: what a user holds of one QUIC connection.

Owns the life of a connection - handshake, close, how it ended - and passes everything else on: streams and
datagrams to a `StreamTable`, or all events to a protocol that was attached. RFC 9000 §10.
"""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, final

from qtls.values import Value
from qwire.constants import INTERNAL_ERROR

from ..batch import Address
from ..engine.engine import QuicEngine
from ..engine.progress import ConnectionInfo
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
from .driver import Driven, Driver
from .errors import Unreachable
from .path import Path, PathTable
from .signal import Signal
from .stream import ReceiveStream, SendStream, Stream, StreamHost
from .stream_table import StreamTable

if TYPE_CHECKING:
    from ..stats import ConnectionStats

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


@final
class CloseInfo(Value):
    """How a connection ended.

    Attributes:
        error: None after a close without error.
        is_local: whether this side ended it.
        code: the error code that was sent or received; None where there was none, as after a timeout.
        reason: the words that came with it.
    """

    __slots__ = ("code", "error", "is_local", "reason")

    def __init__(self, error: QuicError | None, is_local: bool, code: int | None, reason: str) -> None:
        self.error: Final = error
        self.is_local: Final = is_local
        self.code: Final = code
        self.reason: Final = reason


class ConnectionOwner:
    """Who made a connection, and hears of its milestones."""

    def on_accepted(self, connection: "Connection") -> bool:
        """A connection that arrived has completed its handshake; tells whether a task was woken."""
        return False

    def on_token(self, token: bytes) -> None:
        """A token for a later connection to the same server."""

    def on_ended(self, connection: "Connection") -> None:
        """The connection has ended."""


class Connection(Driven, StreamHost):
    """One QUIC connection. Use it as a context manager to have it closed.

    `streams()`, `uni_streams()` and `datagrams()` end when the connection ends without error, and raise its
    error otherwise; everything else raises how the connection ended.

    Attributes:
        engine: the engine underneath, for protocols that are attached. Call `flush` after its verbs.
        is_clean: once ended, whether it was without error.
    """

    def __init__(self, engine: QuicEngine, driver: Driver, owner: ConnectionOwner) -> None:
        super().__init__(engine)
        self.transport = engine
        self.is_clean = False
        self._driver = driver
        self._owner = owner
        self._changed = Signal()
        self._is_established = False
        self._close_info: CloseInfo | None = None
        self._ended_by: QuicError | None = None
        self._cause: QuicError | None = None  # why this side gave up, where the engine cannot know
        self._protocol: EventProtocol | None = None
        self._table: StreamTable | None = None
        self._paths: PathTable | None = None
        self._saved: list[Event] = []
        self._saved_datagrams = 0

    def __repr__(self) -> str:
        state = "ended" if self._close_info else "established" if self._is_established else "handshaking"
        return f"<Connection {'client' if self.engine.is_client else 'server'} {state}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # State

    @property
    def info(self) -> ConnectionInfo:
        """What the two sides agreed on: alpn, version, peer_certificates, resumed, early_accepted, ..."""
        return self.engine.info

    @property
    def is_established(self) -> bool:
        """Whether the handshake was completed."""
        return self._is_established

    @property
    def is_closed(self) -> bool:
        """Whether the connection has ended."""
        return self._close_info is not None

    def stats(self) -> "ConnectionStats":
        """Counters and estimates of this moment."""
        return self.engine.stats()

    def ended_by(self) -> QuicError | None:
        return self._ended_by

    async def handshake(self) -> None:
        """Wait until the handshake is complete.

        Raises:
            CertificateError, TransportError, HandshakeTimeout, ConnectionRefused, VersionMismatch: it failed.
        """
        while not self._is_established:
            if self._ended_by is not None:
                raise self._ended_by
            await self._changed.wait()

    async def wait_closed(self) -> CloseInfo:
        """Wait until the connection has ended, whoever ended it."""
        while self._close_info is None:
            await self._changed.wait()
        return self._close_info

    async def close(self, code: int = 0, reason: str = "") -> None:
        """Close at once, with an error code of the application. What was not acknowledged may be lost."""
        self.abort(code, reason)
        await self.wait_closed()

    def abort(self, code: int = 0, reason: str = "") -> None:
        """Like `close`, without waiting."""
        if self._close_info is None and not self.engine.is_closed:
            self.engine.close(code, reason)
            self.flush()

    @property
    def address(self) -> Address:
        """Where the peer is now."""
        return self.engine.address

    @property
    def paths(self) -> tuple[Path, ...]:
        """Of a client: the ways to its server, the first one first. RFC 9000 §9."""
        if self._paths is None and (self._close_info is not None or not self.engine.is_client):
            return ()
        return self._path_table().paths()

    async def add_path(self, local: Address) -> Path:
        """A further path to the server, by a socket of its own; it carries nothing before `probe` or `switch`.

            path = await connection.add_path(("192.0.2.7", 0))
            await path.probe()
            path.switch()

        Args:
            local: address and port to bind to; port 0 lets the system choose, as do "::" and "0.0.0.0" for the
                address.

        Raises:
            OSError: the address cannot be bound.
            PathUnavailable: the server forbids it, or has given no spare connection ID; or there are too many.
            UsageError: a server's connection, or an address of the wrong family.
            ConnectionClosed: the connection has ended.
        """
        if not self.engine.is_client:
            raise UsageError("a server does not choose paths")
        return await self._path_table().add(local)

    def _path_table(self) -> PathTable:
        """The paths of a client, once somebody has to do with more than one."""
        if self._paths is None:
            self._paths = PathTable(self, self._driver, self.ended_by, self._driver.address)
        return self._paths

    def update_keys(self) -> bool:
        """Move to the next key phase; False while the last change is not confirmed. RFC 9001 §6."""
        has_changed = self.engine.update_keys()
        self.flush()
        return has_changed

    def export(self, label: bytes, context: bytes, size: int) -> bytes:
        """Keying material for the application. RFC 8446 §7.5."""
        return self.engine.export(label, context, size)

    # Streams and datagrams

    async def open_stream(self) -> Stream:
        """Open a bidirectional stream; waits while the peer allows no more."""
        return await self._streams().open()

    async def open_uni(self) -> SendStream:
        """Open a unidirectional stream; waits while the peer allows no more."""
        return await self._streams().open_uni()

    def streams(self) -> AsyncIterator[Stream]:
        """Bidirectional streams that the peer opens."""
        return self._streams().streams()

    def uni_streams(self) -> AsyncIterator[ReceiveStream]:
        """Unidirectional streams that the peer opens."""
        return self._streams().uni_streams()

    @property
    def max_datagram_size(self) -> int:
        """The largest datagram that fits now; 0 when the peer takes none. RFC 9221."""
        return self.engine.max_datagram_size

    async def send_datagram(self, data: bytes) -> None:
        """Queue a datagram; waits while the queue is full.

        Raises:
            DatagramsUnavailable: the peer takes none, or none of this size.
        """
        await self._streams().send_datagram(data)

    def try_send_datagram(self, data: bytes) -> bool:
        """Queue a datagram; False when the queue is full."""
        return self._streams().try_send_datagram(data)

    def datagrams(self) -> AsyncIterator[bytes]:
        """Datagrams that arrive; the oldest are dropped when nobody takes them."""
        return self._streams().datagrams()

    def _streams(self) -> StreamTable:
        if self._table is None:
            table = StreamTable(self)
            self.attach(table)
            self._table = table
        return self._table

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

    def forget(self, stream_id: int) -> None:
        if self._table is not None:
            self._table.forget(stream_id)

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
                self._owner.on_token(event.token)
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

    def on_accepted(self) -> bool:
        return self._owner.on_accepted(self)

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
        self._owner.on_ended(self)

    def _save(self, events: list[Event]) -> None:
        """Keep events until somebody is there to have them."""
        for event in events:
            if isinstance(event, DatagramReceived):
                if self._saved_datagrams >= MAX_SAVED_DATAGRAMS:
                    continue
                self._saved_datagrams += 1
            self._saved.append(event)
