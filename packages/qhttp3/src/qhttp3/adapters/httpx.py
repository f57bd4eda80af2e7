"""Transports for httpx: ``httpx.AsyncClient(transport=AsyncHTTP3Transport())``.

Every request goes over HTTP/3; deciding when to, by Alt-Svc for instance, is not done here. The synchronous transport
runs the asynchronous client in a thread of its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx

from qcore.aio.errors import UnknownHost, Unreachable
from qcore.config import QuicConfig
from qcore.errors import (
    CertificateError,
    ConnectionRefused,
    HandshakeTimeout,
    QuicError,
    StreamError,
    VersionMismatch,
)
from qhttp3.aio.client import DEFAULT_H3, DEFAULT_QUIC, Client, Connector, Content, Response
from qhttp3.config import H3Config
from qhttp3.errors import UsageError
from qhttp3.headers import CONNECTION_SPECIFIC
from qtls.config import ClientTLS

T = TypeVar("T")

# httpx sends them as HTTP/1.1 wants them; the client makes its own of the URL.
_LEFT_OUT: Final = CONNECTION_SPECIFIC | {b"host"}


class AsyncHTTP3Transport(httpx.AsyncBaseTransport):
    """Requests of an `httpx.AsyncClient` over HTTP/3.

    Arguments as for `qhttp3.Client`; or `client`, a client made elsewhere, whose own timeout should be None.
    """

    def __init__(
        self,
        *,
        tls: ClientTLS | None = None,
        config: QuicConfig = DEFAULT_QUIC,
        h3: H3Config = DEFAULT_H3,
        connector: Connector | None = None,
        resolve: dict[tuple[str, int], tuple[str, int]] | None = None,
        client: Client | None = None,
    ) -> None:
        # Timeouts are those of each request.
        self._client = client or Client(
            tls=tls, config=config, h3=h3, connector=connector, timeout=None, resolve=resolve
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        timeouts = request.extensions.get("timeout", {})
        stream = request.stream
        content = stream if isinstance(stream, AsyncIterable) else None
        with _translated(request):
            response = await _limited(_head_time(timeouts), _send(self._client, request, content))
        return _answer(request, response, _AsyncBody(request, response, timeouts.get("read")))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.close()


class HTTP3Transport(httpx.BaseTransport):
    """Requests of an `httpx.Client` over HTTP/3. Arguments as for `AsyncHTTP3Transport`."""

    def __init__(
        self,
        *,
        tls: ClientTLS | None = None,
        config: QuicConfig = DEFAULT_QUIC,
        h3: H3Config = DEFAULT_H3,
        connector: Connector | None = None,
        resolve: dict[tuple[str, int], tuple[str, int]] | None = None,
        client: Client | None = None,
    ) -> None:
        self._thread = _LoopThread()
        self._client = client or Client(
            tls=tls, config=config, h3=h3, connector=connector, timeout=None, resolve=resolve
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        timeouts = request.extensions.get("timeout", {})
        stream = request.stream
        content = stream if isinstance(stream, Iterable) else None
        with _translated(request):
            response = self._thread.run(_limited(_head_time(timeouts), _send(self._client, request, content)))
        return _answer(request, response, _Body(request, response, timeouts.get("read"), self._thread))

    def close(self) -> None:
        """Close all connections and end the thread."""
        if self._thread.is_running:
            self._thread.run(self._client.close())
            self._thread.stop()


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, request: httpx.Request, response: Response, timeout: float | None) -> None:
        self._request = request
        self._response = response
        self._timeout = timeout

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = aiter(self._response)
        while True:
            with _translated(self._request):
                piece = await _limited(self._timeout, anext(pieces, b""))
            if not piece:
                return
            yield piece

    async def aclose(self) -> None:
        await self._response.close()


class _Body(httpx.SyncByteStream):
    def __init__(
        self, request: httpx.Request, response: Response, timeout: float | None, thread: _LoopThread
    ) -> None:
        self._request = request
        self._response = response
        self._timeout = timeout
        self._thread = thread

    def __iter__(self) -> Iterator[bytes]:
        pieces = aiter(self._response)
        while True:
            with _translated(self._request):
                piece = self._thread.run(_limited(self._timeout, anext(pieces, b"")))
            if not piece:
                return
            yield piece

    def close(self) -> None:
        if self._thread.is_running:
            self._thread.run(self._response.close())


class _LoopThread:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="qhttp3", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether coroutines can be run."""
        return self._thread.is_alive()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine over there and wait for it here."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """End the loop and the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _limited(timeout: float | None, awaitable: Awaitable[T]) -> T:
    async with asyncio.timeout(timeout):
        return await awaitable


def _head_time(timeouts: dict[str, float | None]) -> float | None:
    # Connecting and waiting for the head are one step here.
    connect, read = timeouts.get("connect"), timeouts.get("read")
    return None if connect is None or read is None else connect + read


async def _send(client: Client, request: httpx.Request, content: Content) -> Response:
    headers = [(name, value) for name, value in request.headers.raw if name.lower() not in _LEFT_OUT]
    # httpx gives every request a stream, also those without a body.
    has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
    if not has_body:
        content = None
    elif isinstance(request.stream, httpx.ByteStream):
        content = b"".join(request.stream)  # which can be sent again, an iterator cannot
    return await client.request(request.method, str(request.url), headers=headers, content=content)


def _answer(
    request: httpx.Request, response: Response, stream: httpx.AsyncByteStream | httpx.SyncByteStream
) -> httpx.Response:
    return httpx.Response(
        response.status,
        headers=list(response.headers.raw),
        stream=stream,
        extensions={"http_version": b"HTTP/3", "stream_id": response.stream_id},
        request=request,
    )


@contextmanager
def _translated(request: httpx.Request) -> Iterator[None]:
    """Raise what httpx would raise."""
    try:
        yield
    except HandshakeTimeout as error:
        raise httpx.ConnectTimeout(str(error), request=request) from error
    except (ConnectionRefused, CertificateError, UnknownHost, Unreachable, VersionMismatch) as error:
        raise httpx.ConnectError(str(error), request=request) from error
    except StreamError as error:
        raise httpx.RemoteProtocolError(str(error), request=request) from error
    except QuicError as error:
        raise httpx.ReadError(str(error), request=request) from error
    except TimeoutError as error:
        raise httpx.ReadTimeout("the server did not answer in time", request=request) from error
    except (ValueError, UsageError) as error:
        raise httpx.LocalProtocolError(str(error), request=request) from error
