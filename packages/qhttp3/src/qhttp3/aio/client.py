"""`Client`: requests over HTTP/3, connections kept and shared per origin.

Concurrent requests to one origin share a connection; when a server winds one down, the next request opens another.
RFC 9114, RFC 9110.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from qcore.aio.connection import Connection
from qcore.aio.endpoint import connect
from qcore.config import QuicConfig
from qcore.errors import EarlyDataRejected, IdleTimeout, QuicError, StatelessReset
from qhttp3.aio.client_exchange import start_exchange
from qhttp3.aio.connection import H3Connection
from qhttp3.aio.fields import FieldsInput, encode_fields
from qhttp3.aio.patience import Patience
from qhttp3.aio.request import Content, Target, plain_request, request_fields, send_body
from qhttp3.aio.request_error import RequestError
from qhttp3.aio.response import ClientExchange, Informational, Response
from qhttp3.config import H3Config
from qhttp3.errors import H3_NO_ERROR, H3_REQUEST_CANCELLED, GoingAway
from qhttp3.events import Field
from qhttp3.light_dataclass import replace
from qtls.config import ClientTLS

if TYPE_CHECKING:
    from qhttp3.aio.webtransport import WebTransportSession
    from qhttp3.priority import Priority

__all__ = ["Client", "Connector", "Content", "Dialed", "Dialer", "Informational", "Response"]

Dialed: TypeAlias = tuple[Connection, H3Config]
# Called with host, port and whether early data is wanted; leaving the context closes the connection.
Connector: TypeAlias = Callable[[str, int, bool], AbstractAsyncContextManager[Dialed]]

DEFAULT_TIMEOUT: Final = 30.0
DEFAULT_QUIC: Final = QuicConfig()
DEFAULT_H3: Final = H3Config()
# A request that no server has worked on is sent again, on another connection, at most so often.
MAX_ATTEMPTS: Final = 3
# RFC 9110 §9.2.2: doing them twice is doing them once.
IDEMPOTENT: Final = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"))


class _Origin:
    """Connections to one host and port."""

    def __init__(self, client: Client, host: str, port: int) -> None:
        self._client = client
        self._host = host
        self._port = port
        self._lock = asyncio.Lock()
        self._current: H3Connection | None = None
        self._stacks: dict[H3Connection, AsyncExitStack] = {}

    def usable(self) -> H3Connection | None:
        """The connection that takes requests, if there is one."""
        current = self._current
        return current if current is not None and current.is_usable else None

    async def connection(self, early: bool) -> tuple[H3Connection, bool]:
        """Give a connection that takes requests, and whether it was there before."""
        async with self._lock:
            current = self.usable()
            if current is not None:
                return current, True
            await self._close_idle()
            stack = AsyncExitStack()
            connection, config = await stack.enter_async_context(
                self._client.connector(self._host, self._port, early)
            )
            fresh = H3Connection(connection, config)
            self._stacks[fresh] = stack
            self._current = fresh
            fresh.start()
            return fresh, False

    async def close(self) -> None:
        """Close all connections."""
        stacks, self._stacks = self._stacks, {}
        for connection, stack in stacks.items():
            connection.connection.abort(H3_NO_ERROR)
            await stack.aclose()

    async def _close_idle(self) -> None:
        # Connections that were wound down and have done their last request.
        for connection in [item for item in self._stacks if not item.is_usable and not item.exchanges]:
            connection.connection.abort(H3_NO_ERROR)
            await self._stacks.pop(connection).aclose()


class Client:
    """An HTTP/3 client.

    Args:
        tls: TLS of the connections; ALPN ``h3`` is added if it names none.
        config: Behaviour of QUIC.
        h3: Behaviour of HTTP/3.
        connector: Makes the connections instead; then the three above are not used.
        timeout: Seconds to wait for a connection, for the head of a response once the request is out, and for each
            piece of a body; None to wait as long as the connection lives.
        resolve: Where to connect instead of what a URL says: ``{(host, port): (address, port)}``. The certificate
            must still be good for the host.
    """

    def __init__(
        self,
        *,
        tls: ClientTLS | None = None,
        config: QuicConfig = DEFAULT_QUIC,
        h3: H3Config = DEFAULT_H3,
        connector: Connector | None = None,
        timeout: float | None = DEFAULT_TIMEOUT,
        resolve: dict[tuple[str, int], tuple[str, int]] | None = None,
    ) -> None:
        self.connector = (
            connector if connector is not None else Dialer(tls or ClientTLS(), config, h3, resolve)
        )
        self._patience = Patience(timeout)
        self._origins: dict[tuple[str, int], _Origin] = {}
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        self._is_closed = True
        origins, self._origins = self._origins, {}
        for origin in origins.values():
            await origin.close()
        self._patience.close()

    @property
    def timeout(self) -> float | None:
        """Seconds that each step of a request may take."""
        return self._patience.seconds

    async def preconnect(self, url: str) -> None:
        """Have a connection to the server of a URL stand before there is something to ask it.

        Raises:
            ValueError: the URL is not one of https.
            TimeoutError: no connection within the client's timeout.
            QuicError: it failed.
        """
        if self._is_closed:
            raise RuntimeError("the client is closed")
        async with asyncio.timeout(self.timeout):
            await self._origin(Target.parse(url)).connection(False)

    def _origin(self, target: Target) -> _Origin:
        key = (target.host, target.port)
        origin = self._origins.get(key)
        if origin is None:
            origin = self._origins[key] = _Origin(self, target.host, target.port)
        return origin

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: FieldsInput = (),
        content: Content = None,
        trailers: FieldsInput | None = None,
        priority: Priority | str | None = None,
        early: bool = False,
    ) -> Response:
        """Send a request and wait for the head of the response.

        Args:
            content: The body: bytes, text, or an iterable of bytes, which may be asynchronous.
            trailers: Fields behind the body.
            priority: Value of the Priority field (RFC 9218).
            early: Send in 0-RTT if a session allows it; only for what may be replayed (RFC 8470).

        Raises:
            ValueError: the URL is not one of https, or the headers cannot be sent.
            TimeoutError: no response within the client's timeout.
            QuicError: the connection failed, or the request was refused.
        """
        if self._is_closed:
            raise RuntimeError("the client is closed")
        if headers or content is not None or priority is not None:
            target = Target.parse(url)
            fields = request_fields(method, target, headers, content, priority)
        else:
            target, fields = plain_request(method, url)
        ending = None if trailers is None else encode_fields(trailers)
        origin = self._origins.get((target.host, target.port)) or self._origin(target)
        has_more = trailers is not None or not (content is None or content in (b"", ""))
        attempt = 0
        while True:
            attempt += 1
            connection, was_open = origin.usable(), True
            if connection is None:
                async with asyncio.timeout(self.timeout):
                    connection, was_open = await origin.connection(early)
            try:
                if has_more:
                    return await self._exchange(connection, fields, content, ending, url)
                exchange = start_exchange(connection, fields, True, self._patience) or await open_exchange(
                    connection, fields, True, self._patience
                )
                try:
                    await exchange.wait_head()
                except BaseException:
                    exchange.close()
                    raise
                return Response(exchange, url, None)
            except GoingAway:
                if attempt >= MAX_ATTEMPTS:
                    raise
            except (QuicError, EarlyDataRejected) as error:
                can_repeat = content is None or isinstance(content, bytes | str)
                if attempt >= MAX_ATTEMPTS or not can_repeat or not _is_harmless(error, method, was_open):
                    raise

    def webtransport(
        self, url: str, *, headers: FieldsInput = (), protocols: Sequence[str] = ()
    ) -> AbstractAsyncContextManager[WebTransportSession]:
        """A WebTransport session, on a connection of its own; leaving the context closes both.

        Args:
            protocols: those of the application, the best first.

        Raises:
            ValueError: the URL is not one of https, or the headers cannot be sent.
            TimeoutError: no session within the client's timeout.
            SessionRefused: the server takes none, or not there.
            QuicError: the connection failed.
        """
        from qhttp3.aio.webtransport_client import open_session

        if self._is_closed:
            raise RuntimeError("the client is closed")
        return open_session(self.connector, self._patience, url, headers, protocols)

    async def _exchange(
        self,
        connection: H3Connection,
        fields: Sequence[Field],
        content: Content,
        trailers: list[Field] | None,
        url: str,
    ) -> Response:
        """Send a request with a body or trailers, and wait for the head of the response."""
        exchange = await open_exchange(connection, fields, False, self._patience)
        sender: asyncio.Task[None] | None = None
        try:
            whole = content.encode() if isinstance(content, str) else content
            if isinstance(whole, bytes) and not trailers:
                # Most bodies fit at once and need no task.
                taken = exchange.engine.send_data(exchange.stream_id, whole, True)
                connection.pump_message(taken)
                whole = whole[taken:]
            if whole or trailers:
                sender = asyncio.create_task(send_body(exchange, whole, trailers))
                sender.add_done_callback(lambda task: _wake_on_failure(exchange, task))
            await exchange.wait_head()
            return Response(exchange, url, sender)
        except BaseException:
            if sender is not None:
                sender.cancel()
            exchange.close()
            raise


class Dialer:
    """The default connector: `qcore.connect` with one configuration for all."""

    def __init__(
        self,
        tls: ClientTLS,
        config: QuicConfig,
        h3: H3Config,
        resolve: dict[tuple[str, int], tuple[str, int]] | None = None,
    ) -> None:
        self._tls = tls if tls.alpn else replace(tls, alpn=("h3",))
        self._config = config
        self._h3 = h3
        self._resolve = resolve or {}

    @asynccontextmanager
    async def __call__(self, host: str, port: int, early: bool) -> AsyncIterator[Dialed]:
        """Connect."""
        tls = self._tls
        address, to_port = self._resolve.get((host, port), (host, port))
        if address != host and tls.server_name is None:
            tls = replace(tls, server_name=host)
        async with connect(address, to_port, tls=tls, config=self._config, early=early) as connection:
            yield connection, self._h3


async def open_exchange(
    connection: H3Connection, fields: Sequence[Field], end: bool, patience: Patience
) -> ClientExchange:
    """Send the head of a request, as soon as the server allows one more."""
    exchange = start_exchange(connection, fields, end, patience)
    if exchange is None:
        async with asyncio.timeout(patience.seconds):
            while exchange is None:
                await connection.changed.wait()
                error = connection.connection.ended_by()
                if error is not None:
                    raise error
                exchange = start_exchange(connection, fields, end, patience)
    return exchange


def _wake_on_failure(exchange: ClientExchange, task: asyncio.Task[None]) -> None:
    # The caller's own content raised: the request cannot be completed, and the caller must know.
    if not task.cancelled() and (error := task.exception()) is not None:
        if isinstance(error, Exception):
            exchange.fail(error)
        exchange.engine.cancel(exchange.stream_id, H3_REQUEST_CANCELLED)
        exchange.connection.pump()


def _is_harmless(error: Exception, method: str, was_open: bool) -> bool:
    # Whether the request can be sent again: the server said that it has not begun, or it cannot have known us any
    # more and the method may be repeated.
    if isinstance(error, EarlyDataRejected):
        return True
    if isinstance(error, RequestError):
        return error.is_unprocessed
    return was_open and method.upper() in IDEMPOTENT and isinstance(error, IdleTimeout | StatelessReset)
