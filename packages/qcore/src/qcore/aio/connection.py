"""`Connection`: what a user holds of one QUIC connection.

What happens to it is its `Life`'s affair; streams and datagrams are a `StreamTable`'s, unless a protocol was attached.
RFC 9000 §10.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ..batch import Address
from ..engine.engine import QuicEngine
from ..engine.progress import ConnectionInfo
from ..errors import UsageError
from .close_info import CloseInfo
from .driver import Driver
from .life import EventProtocol, Life
from .stream_host import StreamHost

if TYPE_CHECKING:
    from ..stats import ConnectionStats
    from .path import Path
    from .stream import ReceiveStream, SendStream, Stream
    from .stream_table import StreamTable

__all__ = ["CloseInfo", "Connection", "ConnectionOwner", "EventProtocol"]


class ConnectionOwner:
    """Who made a connection, and hears of its milestones."""

    __slots__ = ()

    def on_accepted(self, connection: Connection) -> bool:
        """A connection that arrived has completed its handshake; tells whether a task was woken."""
        return False

    def on_token(self, token: bytes) -> None:
        """A token for a later connection to the same server."""

    def on_ended(self, connection: Connection) -> None:
        """The connection has ended."""


class Connection(Life, StreamHost):
    """One QUIC connection. Use it as a context manager to have it closed.

    `streams()`, `uni_streams()` and `datagrams()` end when the connection ends without error, and raise its
    error otherwise; everything else raises how the connection ended.

    Attributes:
        engine: the engine underneath, for protocols that are attached. Call `flush` after its verbs.
        is_clean: once ended, whether it was without error.
    """

    def __init__(self, engine: QuicEngine, driver: Driver, owner: ConnectionOwner) -> None:
        super().__init__(engine, driver)
        self.transport = engine
        self._owner = owner
        self._table: StreamTable | None = None

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

    def stats(self) -> ConnectionStats:
        """Counters and estimates of this moment."""
        return self.engine.stats()

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
            from .stream_table import StreamTable  # protocols such as HTTP/3 do without

            table = StreamTable(self)
            self.attach(table)
            self._table = table
        return self._table

    # Milestones

    def on_accepted(self) -> bool:
        return self._owner.on_accepted(self)

    def on_token(self, token: bytes) -> None:
        self._owner.on_token(token)

    def on_ended(self) -> None:
        self._owner.on_ended(self)

    def forget(self, stream_id: int) -> None:
        if self._table is not None:
            self._table.forget(stream_id)
