"""`WebTransportSession`: streams and datagrams of an application, many sessions to a connection.

A session begins with an extended CONNECT, whose body then carries capsules; all else are streams and datagrams of the
connection that name the session. draft-ietf-webtrans-http3, RFC 9297.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import quicvarint
from qcore.aio.connection import CloseInfo
from qcore.aio.signal import Signal
from qcore.aio.stream import ReceiveStream, SendStream, Stream
from qcore.aio.stream_host import StreamHost
from qcore.aio.stream_table import StreamTable
from qcore.engine.progress import ConnectionInfo
from qcore.errors import ApplicationError, QuicError
from qcore.events import ConnectionEnded, DatagramReceived, Event
from qcore.stats import ConnectionStats
from qhttp3 import webtransport as wire
from qhttp3.aio.connection import Exchange
from qhttp3.aio.fields import Headers
from qhttp3.aio.sessions import SessionTable
from qhttp3.capsules import DATAGRAM, Capsule, CapsuleReader, encode_capsule
from qhttp3.errors import StreamViolation, UsageError

if TYPE_CHECKING:
    from qhttp3.aio.server import Request

# How long a session that was closed here waits for the peer to agree before its connection may be closed, too.
CLOSE_WAIT: Final = 1.0
EXPORTER: Final = b"EXPORTER-WebTransport"
_WANTED: Final = frozenset((DATAGRAM, wire.CLOSE_SESSION, wire.DRAIN_SESSION))


class SessionRefused(QuicError):
    """The server takes no WebTransport session there.

    Attributes:
        status: of its answer; None if it speaks no WebTransport at all.
    """

    def __init__(self, status: int | None) -> None:
        super().__init__("the server speaks no WebTransport" if status is None else f"answered with {status}")
        self.status = status


class _Transport:
    """Moves the bytes of a session's streams, behind the prefix that names the session."""

    def __init__(self, exchange: Exchange, table: SessionTable, session: WebTransportSession) -> None:
        self._exchange = exchange
        self._quic = exchange.connection.connection.engine
        self._table = table
        self._session = session

    @property
    def info(self) -> ConnectionInfo:
        return self._quic.info

    def open_stream(self, bidirectional: bool = True) -> int:
        stream_id = self._exchange.engine.open_session_stream(self._session.id, bidirectional)
        self._table.own(stream_id, self._session)
        return stream_id

    def read(self, stream_id: int, n: int = -1) -> tuple[bytes, bool]:
        return self._exchange.engine.sessions.read(stream_id, n)

    def send(self, stream_id: int, data: bytes, fin: bool = False) -> None:
        self._quic.send(stream_id, data, fin)

    def send_capacity(self, stream_id: int) -> int:
        return self._quic.send_capacity(stream_id)

    def reset(self, stream_id: int, code: int, reliable_size: int = 0) -> None:
        # The peer has to learn whose stream it was (§4.4).
        if self.info.reset_stream_at:
            reliable_size += self._exchange.engine.sessions.prefix_size(stream_id)
        self._quic.reset(stream_id, wire.encode_code(code), reliable_size)

    def stop_sending(self, stream_id: int, code: int) -> None:
        self._exchange.engine.sessions.stop_sending(stream_id, code)

    def send_datagram(self, data: bytes) -> bool:
        return self._exchange.engine.send_datagram(self._session.id, data)


class WebTransportSession(StreamHost):
    """A WebTransport session, with the verbs of a `qcore.Connection`. Use it as a context manager to have it closed.

    Codes of streams and of the close are the application's, of 32 bits.

    Attributes:
        id: the stream of the CONNECT that began it.
        protocol: the application protocol that was agreed on, if any.
        request: what the client asked for; None on the client's side.
        headers: fields of the server's answer; empty on the server's side.
        connection: the connection underneath.
    """

    def __init__(
        self, exchange: Exchange, protocol: str | None, request: Request | None, headers: Headers
    ) -> None:
        table = exchange.connection.sessions
        assert table is not None, "whoever offers WebTransport has one"
        self.id = exchange.stream_id
        self.protocol = protocol
        self.request = request
        self.headers = headers
        self.connection = exchange.connection.connection
        self.is_clean = False
        self.transport = _Transport(exchange, table, self)
        self._exchange = exchange
        self._sessions = table
        self._table = StreamTable(self)
        self._changed = Signal()
        self._is_draining = False
        self._farewell: asyncio.Task[None] | None = None  # asks the peer to drain
        self._close_info: CloseInfo | None = None
        self._ended_by: QuicError | None = None
        table.add(self)
        self._follower = asyncio.create_task(self._follow())

    def __repr__(self) -> str:
        return f"<WebTransportSession {self.id} {'over' if self.is_closed else 'open'}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # State

    @property
    def info(self) -> ConnectionInfo:
        """What was agreed on for the connection."""
        return self.connection.info

    @property
    def is_closed(self) -> bool:
        """Whether the session has ended."""
        return self._close_info is not None

    @property
    def is_draining(self) -> bool:
        """Whether the peer has asked to end the session soon (§4.7)."""
        return self._is_draining

    def stats(self) -> ConnectionStats:
        """Counters and estimates of the connection."""
        return self.connection.stats()

    async def wait_closed(self) -> CloseInfo:
        """Wait until the session has ended, whoever ended it."""
        while self._close_info is None:
            await self._changed.wait()
        return self._close_info

    async def wait_draining(self) -> None:
        """Wait until the peer asks to end the session soon, or it has ended."""
        while not self._is_draining and self._close_info is None:
            await self._changed.wait()

    async def close(self, code: int = 0, reason: str = "") -> None:
        """End the session at once, and with it its streams; the connection goes on (§6).

        Args:
            reason: of which the first 1,024 bytes are sent.
        """
        if self._close_info is None:
            capsule = encode_capsule(wire.CLOSE_SESSION, wire.encode_close(code, reason))
            self._end(ApplicationError(code, reason, True) if code else None, True, code, reason)
            try:
                async with asyncio.timeout(CLOSE_WAIT):
                    if self._farewell is not None:
                        await asyncio.shield(self._farewell)
                    await self._exchange.write(capsule, end=True)
                    await asyncio.shield(self._follower)
            except (TimeoutError, QuicError, UsageError):
                pass  # whoever does not answer has lost the session all the same
        self._follower.cancel()
        await asyncio.gather(self._follower, return_exceptions=True)
        self._release()

    def drain(self) -> None:
        """Ask the peer to end the session soon (§4.7); once is enough."""
        if self._close_info is None and self._farewell is None:
            self._farewell = asyncio.create_task(self._ask_to_drain())

    def export(self, label: bytes, context: bytes, size: int) -> bytes:
        """Keying material of this session for the application (§4.8).

        Raises:
            ValueError: label or context have more than 255 bytes.
        """
        if len(label) > 255 or len(context) > 255:
            raise ValueError("label and context have at most 255 bytes")
        whole = self.id.to_bytes(8, "big") + bytes((len(label),)) + label + bytes((len(context),)) + context
        return self.connection.export(EXPORTER, whole, size)

    # Streams and datagrams

    async def open_stream(self) -> Stream:
        """Open a bidirectional stream; waits while the peer allows no more."""
        return await self._table.open()

    async def open_uni(self) -> SendStream:
        """Open a unidirectional stream; waits while the peer allows no more."""
        return await self._table.open_uni()

    def streams(self) -> AsyncIterator[Stream]:
        """Bidirectional streams that the peer opens."""
        return self._table.streams()

    def uni_streams(self) -> AsyncIterator[ReceiveStream]:
        """Unidirectional streams that the peer opens."""
        return self._table.uni_streams()

    @property
    def max_datagram_size(self) -> int:
        """The largest datagram that fits now."""
        return max(0, self.connection.max_datagram_size - quicvarint.size(self.id >> 2))

    async def send_datagram(self, data: bytes) -> None:
        """Queue a datagram; waits while the queue is full."""
        await self._table.send_datagram(data)

    def try_send_datagram(self, data: bytes) -> bool:
        """Queue a datagram; False when the queue is full."""
        return self._table.try_send_datagram(data)

    def datagrams(self) -> AsyncIterator[bytes]:
        """Datagrams that arrive; the oldest are dropped when nobody takes them."""
        return self._table.datagrams()

    # For the streams

    def flush(self) -> None:
        self.connection.flush()

    def ended_by(self) -> QuicError | None:
        return self._ended_by

    def forget(self, stream_id: int) -> None:
        self._table.forget(stream_id)
        self._sessions.disown(stream_id)

    def on_events(self, events: list[Event]) -> bool:
        """What happens to the session's streams and datagrams; whether a task was woken."""
        return self._table.on_events(events)

    # Inside: the body of the CONNECT

    async def _ask_to_drain(self) -> None:
        try:
            await self._exchange.write(encode_capsule(wire.DRAIN_SESSION))
        except (QuicError, UsageError):
            pass  # the session is over, or nobody reads: nothing is left to drain

    async def _follow(self) -> None:
        """Read capsules until the peer ends its half."""
        exchange = self._exchange
        reader = CapsuleReader(_WANTED)
        try:
            while True:
                data, is_ended = exchange.engine.read_body(self.id)
                exchange.connection.pump()
                for capsule in reader.receive(data):
                    self._on_capsule(capsule)
                if is_ended:
                    exchange.raise_error()
                    reader.finish()
                    self._end(None, False, 0, "")
                    return
                exchange.raise_error()
                await exchange.changed.wait()
        except QuicError as error:
            self._end(error, False, None, str(error))
        except StreamViolation as violation:
            exchange.engine.cancel(self.id, violation.code)
            exchange.connection.pump()
            self._end(QuicError(str(violation)), True, None, violation.reason)

    def _on_capsule(self, capsule: Capsule) -> None:
        if capsule.type == DATAGRAM:
            self.on_events([DatagramReceived(capsule.value)])
        elif capsule.type == wire.DRAIN_SESSION:
            self._is_draining = True
            self._changed.notify()
        else:
            code, reason = wire.parse_close(capsule.value)
            self._end(ApplicationError(code, reason) if code else None, False, code, reason)

    def _end(self, error: QuicError | None, is_local: bool, code: int | None, reason: str) -> None:
        if self._close_info is not None:
            return
        self.is_clean = error is None
        self._close_info = CloseInfo(error, is_local, code, reason)
        self._ended_by = error or ApplicationError(0, reason, is_local)
        self._table.on_events([ConnectionEnded(error, is_local)])
        self._sessions.end(self.id)
        self._changed.notify()
        if not is_local:
            self._release()

    def _release(self) -> None:
        """Let go of the CONNECT: our half of it ends, if it has not."""
        exchange, engine = self._exchange, self._exchange.engine
        is_cut = self._farewell is not None and self._farewell.cancel()
        if engine.has_request(self.id) and not engine.is_closed and exchange.error is None:
            if is_cut:  # within a capsule, perhaps, which no end may follow
                engine.cancel(self.id)
            elif not engine.is_sent(self.id):
                engine.send_data(self.id, b"", True)
            engine.stop_reading(self.id)
            exchange.connection.pump()
        exchange.connection.exchanges.pop(self.id, None)
