"""`Client`: requests over HTTP/3, connections kept and shared per origin.

Concurrent requests to one origin share a connection; when a server winds one down, the next request opens another.
RFC 9114, RFC 9110.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Self, TypeAlias
from urllib.parse import quote, urlsplit

from qcore.aio.connection import Connection
from qcore.aio.endpoint import connect
from qcore.config import QuicConfig
from qcore.errors import EarlyDataRejected, IdleTimeout, QuicError, StatelessReset
from qhttp3.aio.connection import Exchange, H3Connection, RequestError
from qhttp3.aio.fields import FieldsInput, Headers, encode_fields
from qhttp3.config import H3Config
from qhttp3.errors import H3_NO_ERROR, H3_REQUEST_CANCELLED, GoingAway
from qhttp3.events import Field, HeadersReceived, InformationalReceived
from qhttp3.priority import Priority
from qtls.config import ClientTLS

Content: TypeAlias = bytes | str | Iterable[bytes] | AsyncIterable[bytes] | None
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
# Interim responses kept per request; a server that sends more is not heard to.
MAX_INFORMATIONAL: Final = 32


@dataclass(frozen=True, slots=True)
class Informational:
    """An interim response, such as 103 Early Hints."""

    status: int
    headers: Headers


class _ClientExchange(Exchange):
    def __init__(self, connection: H3Connection, stream_id: int) -> None:
        super().__init__(connection, stream_id)
        self.status = 0
        self.headers = Headers()
        self.informational: list[Informational] = []

    def on_headers(self, event: HeadersReceived) -> bool:
        self.status = int(event.fields[0][1])
        self.headers = Headers(event.fields[1:])
        self.is_ended = event.end
        return self.changed.notify()

    def on_informational(self, event: InformationalReceived) -> bool:
        if len(self.informational) < MAX_INFORMATIONAL:
            self.informational.append(Informational(int(event.fields[0][1]), Headers(event.fields[1:])))
        return False

    def close(self) -> None:
        """Let go of the stream, giving up what is not finished."""
        self.connection.exchanges.pop(self.stream_id, None)
        if self.engine.has_request(self.stream_id):
            self.engine.cancel(self.stream_id)
            self.connection.pump()


class Response:
    """The answer to a request. Read the body with `read` or by iteration, or `close` the response.

    Attributes:
        status: Status code.
        headers: Fields of the head, without ``:status``.
        informational: Interim responses that came before.
        url: What was asked for.
    """

    def __init__(
        self, exchange: _ClientExchange, url: str, timeout: float | None, sender: asyncio.Task[None] | None
    ) -> None:
        self.status = exchange.status
        self.headers = exchange.headers
        self.informational: tuple[Informational, ...] = tuple(exchange.informational)
        self.url = url
        self._exchange = exchange
        self._timeout = timeout
        self._sender = sender
        self._body: bytes | None = None
        self._is_taken = False

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.url}>"

    @property
    def trailers(self) -> Headers:
        """Fields behind the body; complete once the body has been read."""
        return self._exchange.trailers

    @property
    def connection(self) -> Connection:
        """The connection that carries the response."""
        return self._exchange.connection.connection

    @property
    def stream_id(self) -> int:
        """The stream that carries the response."""
        return self._exchange.stream_id

    async def read(self) -> bytes:
        """Give the whole body; a second call gives it again.

        Raises:
            TimeoutError: the server fell silent.
            QuicError: the request or its connection ended early.
        """
        if self._body is None:
            self._body = b"".join([piece async for piece in self])
        return self._body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the body in pieces as they arrive."""
        if self._body is not None:
            yield self._body
            return
        if self._is_taken:
            raise RuntimeError("the body was already taken in pieces")
        self._is_taken = True
        is_complete = False
        try:
            while piece := await self._next_piece():
                yield piece
            is_complete = True
        finally:
            await self._release(is_complete)

    async def close(self) -> None:
        """Give the response up; whatever has not arrived will not be sent."""
        self._is_taken = True
        await self._release(False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _next_piece(self) -> bytes:
        if self._exchange.is_ended:
            return b""
        async with asyncio.timeout(self._timeout):
            return await self._exchange.read_body()

    async def _release(self, is_complete: bool) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            if not is_complete:
                sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
        self._exchange.close()


class _Origin:
    """Connections to one host and port."""

    def __init__(self, client: Client, host: str, port: int) -> None:
        self._client = client
        self._host = host
        self._port = port
        self._lock = asyncio.Lock()
        self._current: H3Connection | None = None
        self._stacks: dict[H3Connection, AsyncExitStack] = {}

    async def connection(self, early: bool) -> tuple[H3Connection, bool]:
        """Give a connection that takes requests, and whether it was there before."""
        current = self._current
        if current is not None and current.is_usable:
            return current, True
        async with self._lock:
            current = self._current
            if current is not None and current.is_usable:
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
        self.timeout = timeout
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
        target = _Target.parse(url)
        fields = _request_fields(method, target, headers, content, priority)
        ending = None if trailers is None else encode_fields(trailers)
        return await self._request(target, fields, content, ending, method.upper(), early, url)

    async def _request(
        self,
        target: _Target,
        fields: list[Field],
        content: Content,
        trailers: list[Field] | None,
        method: str,
        early: bool,
        url: str,
    ) -> Response:
        key = (target.host, target.port)
        origin = self._origins.get(key)
        if origin is None:
            origin = self._origins[key] = _Origin(self, target.host, target.port)
        can_repeat = content is None or isinstance(content, bytes | str)
        attempt = 0
        while True:
            attempt += 1
            async with asyncio.timeout(self.timeout):
                connection, was_open = await origin.connection(early)
            try:
                return await self._exchange(connection, fields, content, trailers, url)
            except GoingAway:
                if attempt >= MAX_ATTEMPTS:
                    raise
            except (QuicError, EarlyDataRejected) as error:
                if attempt >= MAX_ATTEMPTS or not can_repeat or not _is_harmless(error, method, was_open):
                    raise

    async def _exchange(
        self,
        connection: H3Connection,
        fields: list[Field],
        content: Content,
        trailers: list[Field] | None,
        url: str,
    ) -> Response:
        has_more = trailers is not None or not (content is None or content in (b"", ""))
        async with asyncio.timeout(self.timeout):
            exchange = await _open(connection, fields, not has_more)
        sender: asyncio.Task[None] | None = None
        try:
            if has_more:
                whole = content.encode() if isinstance(content, str) else content
                if isinstance(whole, bytes) and not trailers:
                    # Most bodies fit at once and need no task.
                    taken = exchange.engine.send_data(exchange.stream_id, whole, True)
                    connection.pump()
                    whole = whole[taken:]
                if whole or trailers:
                    sender = asyncio.create_task(_send_body(exchange, whole, trailers))
                    sender.add_done_callback(lambda task: _wake_on_failure(exchange, task))
            while not exchange.status:
                exchange.raise_error()
                # Each sign of life, such as room for more of the body, starts the clock again.
                async with asyncio.timeout(self.timeout):
                    await exchange.changed.wait()
            return Response(exchange, url, self.timeout, sender)
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


@dataclass(frozen=True, slots=True)
class _Target:
    host: str
    port: int
    authority: bytes
    path: bytes

    @classmethod
    def parse(cls, url: str) -> _Target:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise ValueError(f"not an https URL: {url!r}")
        host = parts.hostname
        if not host.isascii():
            host = host.encode("idna").decode("ascii")
        port = parts.port or 443
        shown = f"[{host}]" if ":" in host else host
        authority = shown if port == 443 else f"{shown}:{port}"
        path = quote(parts.path or "/", safe=_PATH_SAFE)
        if parts.query:
            path += "?" + quote(parts.query, safe=_PATH_SAFE + "?")
        return cls(host, port, authority.encode("ascii"), path.encode("ascii"))


def _request_fields(
    method: str, target: _Target, headers: FieldsInput, content: Content, priority: Priority | str | None
) -> list[Field]:
    given = encode_fields(headers)
    names = {name for name, _ in given}
    authority = target.authority
    if b"host" in names:
        authority = next(value for name, value in given if name == b"host")
        given = [field for field in given if field[0] != b"host"]
    fields = [
        (b":method", method.upper().encode("ascii")),
        (b":scheme", b"https"),
        (b":authority", authority),
        (b":path", target.path),
        *given,
    ]
    if b"content-length" not in names and isinstance(content, bytes | str):
        size = len(content.encode()) if isinstance(content, str) else len(content)
        fields.append((b"content-length", b"%d" % size))
    if priority is not None and b"priority" not in names and (value := priority.encode()):
        fields.append((b"priority", value))
    return fields


async def _open(connection: H3Connection, fields: list[Field], end: bool) -> _ClientExchange:
    while True:
        stream_id = connection.engine.send_request(fields, end)
        if stream_id is not None:
            break
        await connection.changed.wait()
        if connection.connection.is_closed:
            error = connection.connection.ended_by()
            if error is not None:
                raise error
    exchange = _ClientExchange(connection, stream_id)
    connection.exchanges[stream_id] = exchange
    connection.pump()
    return exchange


async def _send_body(
    exchange: _ClientExchange,
    content: bytes | Iterable[bytes] | AsyncIterable[bytes] | None,
    trailers: list[Field] | None,
) -> None:
    try:
        if isinstance(content, AsyncIterable):
            async for piece in content:
                await exchange.write(piece)
        elif isinstance(content, bytes):
            await exchange.write(content, end=not trailers)
            if not trailers:
                return
        elif content is not None:
            for part in content:
                await exchange.write(bytes(part))
        if trailers:
            exchange.engine.send_headers(exchange.stream_id, trailers, True)
            exchange.connection.pump()
        else:
            await exchange.write(b"", end=True)
    except QuicError:
        # RFC 9114 §4.1: a server that has seen enough answers and stops us; its answer, or its refusal, is what
        # the caller waits for.
        if exchange.stopped is None and exchange.error is None:
            raise


def _wake_on_failure(exchange: _ClientExchange, task: asyncio.Task[None]) -> None:
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
    return was_open and method in IDEMPOTENT and isinstance(error, IdleTimeout | StatelessReset)


_PATH_SAFE: Final = "/%:@!$&'()*+,;=~-._"
