"""HTTP/3 on one `qcore.aio.Connection`: events of the transport in, events of HTTP/3 to exchanges.

There is no task here. Whoever waits is woken through its exchange; whoever used a verb calls `pump`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcore.aio.connection import Connection
from qcore.aio.signal import Signal
from qcore.errors import EarlyDataRejected, QuicError, StreamError
from qcore.events import (
    ConnectionEnded,
    DatagramReceived,
    DatagramsWritable,
    EarlyDataDecided,
    Event,
    StreamFinished,
    StreamOpened,
    StreamReadable,
    StreamReset,
    StreamsAvailable,
    StreamStopped,
    StreamWritable,
)
from qhttp3.aio.fields import Headers
from qhttp3.aio.request_error import RequestError
from qhttp3.aio.tracing import observer_for
from qhttp3.config import H3Config
from qhttp3.engine import H3Engine
from qhttp3.errors import H3_NO_ERROR
from qhttp3.events import (
    BodyWritable,
    DataReadable,
    GoawayReceived,
    H3Event,
    HeadersReceived,
    InformationalReceived,
    RequestFailed,
    RequestsAvailable,
    SendingStopped,
    SettingsReceived,
    TrailersReceived,
)
from qhttp3.webtransport import is_offered

if TYPE_CHECKING:
    from qhttp3.aio.sessions import SessionTable

# What most events are, looked up once: names of other modules are looked up each time.
READABLE: Final = StreamReadable
FINISHED: Final = StreamFinished
OPENED: Final = StreamOpened
ENDED: Final = ConnectionEnded
HEADERS: Final = HeadersReceived
DATA: Final = DataReadable
# A piece of a body handed to the application at once.
READ_SIZE: Final = 1 << 18
NO_FIELDS: Final = Headers()
# Messages of one turn of the loop leave in groups, so that the peer works on the first while the next are made: the first
# group is small, to have it begin soon, and each of those that follow twice as large up to a limit, for each costs both
# sides a wake-up.
FIRST_TOGETHER: Final = 5
MOST_TOGETHER: Final = 16
# But not where one is longer than this: then all wait for the end of the turn, to leave in the order of their priorities.
LONG_MESSAGE: Final = 16_384
ALL_TOGETHER: Final = 1 << 30


class Exchange:
    """One request with its response, as either side sees it.

    Attributes:
        error: why it cannot go on; raised by whoever waits.
        stopped: the code with which the peer asked to be sent no more, or None.
        trailers: fields behind the body, once it was read.
    """

    def __init__(self, connection: H3Connection, stream_id: int) -> None:
        self.connection = connection
        self.engine = connection.engine  # another one takes over if early data is refused
        self.stream_id = stream_id
        self.error: Exception | None = None
        self.stopped: int | None = None
        self.trailers = NO_FIELDS
        self.is_ended = False  # everything from the peer was read
        self.changed = Signal()

    def on_headers(self, event: HeadersReceived) -> bool:
        """The head of the peer's message arrived; whether anybody was woken, as for all of these."""
        raise NotImplementedError

    def on_informational(self, event: InformationalReceived) -> bool:
        """An interim response arrived."""
        return False

    def fail(self, error: Exception) -> bool:
        """The exchange is over."""
        if self.error is None:
            self.error = error
        return self.changed.notify()

    async def read_body(self, n: int = READ_SIZE) -> bytes:
        """Take the next piece of the body; empty at its end.

        Raises:
            StreamError: the request ended early.
            QuicError: the connection did.
        """
        while not self.is_ended:
            data = self.take_body(n)
            if data:
                return data
            if not self.is_ended:
                self.raise_error()
                await self.wait_change()
        return b""

    def take_body(self, n: int = READ_SIZE) -> bytes:
        """Like `read_body`, without waiting: empty also if nothing is there, when `is_ended` stays False."""
        if self.is_ended:
            return b""
        if self.error is not None and not self.engine.has_request(self.stream_id):
            raise self.error
        data, self.is_ended = self.engine.read_body(self.stream_id, n)
        self.connection.pump()
        return data

    async def wait_change(self) -> None:
        """Wait until there is more to know."""
        await self.changed.wait()

    async def write(self, data: bytes, end: bool = False) -> None:
        """Send a piece of a body; waits while the transport has no room.

        Raises:
            StreamError: the peer wants no more, or the request ended early.
        """
        while True:
            self.raise_error()
            if self.stopped is not None:
                raise StreamError(self.stream_id, self.stopped)
            taken = self.engine.send_data(self.stream_id, data, end)
            if taken == len(data):
                if end:
                    self.connection.pump_message(taken)
                else:
                    self.connection.pump()
                return
            self.connection.pump()
            data = data[taken:]
            await self.changed.wait()

    def raise_error(self) -> None:
        """Raise why the exchange is over, if it is."""
        if self.error is not None:
            raise self.error


class H3Connection:
    """Joins a connection and an `H3Engine`, and knows the exchanges that are under way.

    Attributes:
        exchanges: By stream id.
        keeps_apart: Each request leaves by itself.
        undelivered: Requests whose answer the client is not known to have, for a server.
    """

    def __init__(self, connection: Connection, config: H3Config) -> None:
        self.connection = connection
        self.config = config
        self.observer = observer_for(connection)
        self.exchanges: dict[int, Exchange] = {}
        self.undelivered: set[int] = set()
        self.changed = (
            Signal()
        )  # requests are possible again, settings have come, or the connection is winding down
        self.keeps_apart = config.requests_apart == "each"
        self.sessions: SessionTable | None = None
        if is_offered(config.settings):
            from qhttp3.aio.sessions import SessionTable  # most connections have none

            self.sessions = SessionTable(self)
        self._pending = 0  # messages queued since the last wake-up, or since a group of them left
        self._together = FIRST_TOGETHER
        self.engine = self._make_engine()

    def start(self) -> None:
        """Begin: what the connection has already seen comes first."""
        transport = self.connection.engine
        if self.config.streams_apart and not transport.can_send_early:
            self.connection.flush_now()
        self.engine.start()
        self.connection.attach(self)
        # A server has to know that its answers have arrived, and sessions that what they sent has.
        transport.omit_events(opened=True, finished=transport.is_client and self.sessions is None)
        self.pump()
        is_together = self.config.early_together and transport.can_send_early
        if self.config.requests_apart != "none" and not is_together:
            self.connection.flush_now()

    def _make_engine(self) -> H3Engine:
        transport = self.connection.engine
        remembered = self.config.remembered if transport.is_client and transport.can_send_early else None
        return H3Engine(
            transport,
            is_client=transport.is_client,
            config=self.config,
            observer=self.observer,
            remembered=remembered,
        )

    @property
    def is_usable(self) -> bool:
        """Whether a request can be tried."""
        return not self.engine.is_going_away and not self.connection.is_closed

    # Events

    def on_events(self, events: list[Event]) -> bool:
        """Take the events of one wake-up; tells whether a task was woken."""
        engine = self.engine
        self._pending = 0
        self._together = FIRST_TOGETHER
        woken = False
        ended: ConnectionEnded | None = None
        if events and isinstance(events[-1], ENDED):
            ended = events[-1]
            engine.connection_ended()
        for event in events:
            kind = type(event)
            if kind is READABLE:
                engine.stream_readable(event.stream_id)  # type: ignore[union-attr]  # narrowed by `kind`
            elif kind is FINISHED:
                self.undelivered.discard(event.stream_id)  # type: ignore[union-attr]  # narrowed by `kind`
                if self.sessions is not None:
                    woken = self.sessions.on_finished(event) or woken  # type: ignore[arg-type]  # as above
            elif kind is OPENED:
                pass  # it is there when something can be read from it
            elif kind is StreamWritable:
                engine.stream_writable(event.stream_id)  # type: ignore[union-attr]  # narrowed by `kind`
            elif isinstance(event, StreamReset):
                engine.stream_reset(event.stream_id, event.code)
            elif isinstance(event, StreamStopped):
                self.undelivered.discard(event.stream_id)
                engine.stream_stopped(event.stream_id, event.code)
            elif isinstance(event, StreamsAvailable):
                engine.streams_available(event.bidirectional)
                if self.sessions is not None:
                    woken = self.sessions.on_room(event) or woken
            elif isinstance(event, DatagramsWritable):
                if self.sessions is not None:
                    woken = self.sessions.on_room(event) or woken
            elif isinstance(event, DatagramReceived):
                engine.datagram_received(event.data)
            elif isinstance(event, EarlyDataDecided) and not event.accepted:
                woken = self._restart() or woken
                engine = self.engine
        told = engine.events()
        if told:
            woken = self._dispatch(told) or woken
        if ended is not None:
            woken = self._on_ended(ended) or woken
        return woken

    def pump_message(self, size: int = 0) -> None:
        """Like `pump`, after a verb that completed a message with so much of its body; every few of them leave at once."""
        self._pending += 1
        if size > LONG_MESSAGE:
            self._together = ALL_TOGETHER
        self.pump()
        if self._pending >= self._together:
            self._pending = 0
            self._together = min(2 * self._together, MOST_TOGETHER)
            self.connection.send_ahead()

    def pump(self) -> None:
        """After verbs: hand out what they caused, and have sent what they queued."""
        events = self.engine.events()
        if events:
            self._dispatch(events)
        self.connection.flush()

    def _dispatch(self, events: list[H3Event]) -> bool:
        woken = False
        for event in events:
            kind = type(event)
            if kind is HEADERS:
                woken = self.on_headers(event) or woken  # type: ignore[arg-type]  # narrowed by `kind`
            elif kind is DATA or isinstance(event, BodyWritable):
                exchange = self.exchanges.get(event.stream_id)  # type: ignore[union-attr]  # as above
                woken = (exchange is not None and exchange.changed.notify()) or woken
            elif isinstance(event, TrailersReceived):
                exchange = self.exchanges.get(event.stream_id)
                if exchange is not None:
                    exchange.trailers = Headers(event.fields)
            elif isinstance(event, InformationalReceived):
                exchange = self.exchanges.get(event.stream_id)
                woken = (exchange is not None and exchange.on_informational(event)) or woken
            elif isinstance(event, SendingStopped):
                exchange = self.exchanges.get(event.stream_id)
                if exchange is not None:
                    exchange.stopped = event.code
                    woken = exchange.changed.notify() or woken
            elif isinstance(event, RequestFailed):
                self.undelivered.discard(event.stream_id)
                exchange = self.exchanges.pop(event.stream_id, None)
                woken = (exchange is not None and exchange.fail(RequestError(event))) or woken
            elif isinstance(event, SettingsReceived):
                if self.config.remember is not None and self.engine.peer_settings is not None:
                    self.config.remember(self.engine.peer_settings)
                woken = self.changed.notify() or woken
            elif isinstance(event, GoawayReceived | RequestsAvailable):
                woken = self.changed.notify() or woken
            elif self.sessions is not None:
                woken = self.sessions.on_event(event) or woken
        return woken

    def on_headers(self, event: HeadersReceived) -> bool:
        """The head of a message arrived."""
        exchange = self.exchanges.get(event.stream_id)
        return exchange is not None and exchange.on_headers(event)

    def _restart(self) -> bool:
        # The server took no early data, and so has never heard of our streams (RFC 9001 §4.6.2).
        self.engine.abandon()
        self.engine = self._make_engine()
        self.engine.start()
        woken = self.changed.notify()
        for exchange in self.exchanges.values():
            woken = exchange.fail(EarlyDataRejected("the server did not take early data")) or woken
        self.exchanges.clear()
        return woken

    def _on_ended(self, event: ConnectionEnded) -> bool:
        error = self.connection.ended_by() or event.error or QuicError("the connection is closed")
        woken = self.changed.notify()
        for stream_id, exchange in list(self.exchanges.items()):
            if self.engine.has_request(stream_id):
                woken = exchange.fail(error) or woken
        return woken

    def set_apart(self) -> None:
        """A request is complete: where each goes apart, it leaves before anything else becomes pending."""
        if self.keeps_apart and not self.connection.is_closed:
            self.connection.flush_now()

    # Verbs

    async def close(self, code: int = H3_NO_ERROR, reason: str = "") -> None:
        """Close the connection at once."""
        await self.connection.close(code, reason)
