"""ASGI 3 applications over HTTP/3.

One task per request runs the application; everything else is the server's. Bodies stream in both directions with
back-pressure. The extension ``http.response.trailers`` is offered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from secrets import token_bytes
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import unquote_to_bytes

from qcore.admission import Admit
from qcore.aio.endpoint import Endpoint
from qcore.aio.workers import Worker, WorkerGroup, start_workers
from qcore.aio.workers.replays import with_shared_replays
from qcore.batch import Address
from qcore.config import QuicConfig
from qcore.errors import QuicError
from qcore.ids.workers import WorkerIds
from qhttp3.aio.server import DEFAULT_DRAIN, DEFAULT_H3, DEFAULT_QUIC, Request, Server, serve_on
from qhttp3.config import H3Config
from qhttp3.errors import UsageError
from qhttp3.events import Field
from qhttp3.headers import CONNECTION_SPECIFIC
from qtls.config import ServerTLS

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

ASGI_VERSION: Final = {"version": "3.0", "spec_version": "2.4"}
# Seconds in which a browser may remember that this server speaks HTTP/3 (RFC 7838 §3.1).
ALT_SVC_AGE: Final = 86_400


class ClientDisconnected(OSError):
    """Raised by ``send`` when nobody waits for the response any more."""


class _Cycle:
    """One request through an application."""

    __slots__ = (
        "_extra",
        "_has_trailers",
        "_is_body_over",
        "_is_complete",
        "_is_head",
        "_request",
        "_started",
    )

    def __init__(self, request: Request, extra: list[Field]) -> None:
        self._request = request
        self._extra = extra
        self._is_head = request.method == b"HEAD"
        self._is_body_over = False  # of the request
        self._started: tuple[int, list[Field]] | None = None  # a head held back until the body begins
        self._has_trailers = False
        self._is_complete = False

    def scope(self, server: Address, state: dict[str, Any]) -> Scope:
        """Describe the request to the application."""
        request = self._request
        raw_path, _, query = request.path.partition(b"?")
        headers = request.fields
        if request.authority and not any(name == b"host" for name, _ in headers):
            headers = [(b"host", request.authority), *headers]
        client = request.connection.connection.engine.address
        return {
            "type": "http",
            "asgi": ASGI_VERSION,
            "http_version": "3",
            "method": request.method.decode("latin-1").upper(),
            "scheme": request.scheme.decode("latin-1") or "https",
            "path": unquote_to_bytes(raw_path).decode("utf-8", "replace"),
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "client": (client[0], client[1]),
            "server": (server[0], server[1]),
            "state": dict(state),
            "extensions": {"http.response.trailers": {}, "http.response.early_hint": {}},
        }

    async def receive(self) -> Message:
        """Give the application the next part of the request."""
        request = self._request
        if self._is_body_over:
            if not self._is_complete:
                await request.wait_gone()
            return {"type": "http.disconnect"}
        try:
            data = await request.read()
        except QuicError:
            return {"type": "http.disconnect"}
        self._is_body_over = request.is_ended
        return {"type": "http.request", "body": data, "more_body": not request.is_ended}

    async def send(self, message: Message) -> None:
        """Take the next part of the response from the application."""
        kind = message["type"]
        if self._is_complete:
            raise RuntimeError(f"{kind} after the response was complete")
        if self._request.is_gone:
            raise ClientDisconnected("nobody waits for the response")
        try:
            await self._send(kind, message)
        except QuicError as error:
            raise ClientDisconnected(str(error)) from error

    async def _send(self, kind: str, message: Message) -> None:
        request = self._request
        if kind == "http.response.start":
            if self._started is not None or request.is_answered:
                raise RuntimeError("the response has started")
            fields = [(bytes(name).lower(), bytes(value)) for name, value in message.get("headers", ())]
            self._started = (message["status"], [*_without_connection(fields), *self._extra])
            self._has_trailers = bool(message.get("trailers"))
        elif kind == "http.response.body":
            await self._send_body(bytes(message.get("body", b"")), bool(message.get("more_body")))
        elif kind == "http.response.trailers":
            self._require_head()
            if not message.get("more_trailers"):
                request.send_trailers(
                    [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
                )
                self._is_complete = True
        elif kind == "http.response.early_hint":
            links = [(b"link", bytes(link)) for link in message.get("links", ())]
            request.send_informational(103, links)
        else:
            raise RuntimeError(f"unknown message {kind!r}")

    async def _send_body(self, data: bytes, has_more: bool) -> None:
        request = self._request
        is_last = not has_more and not self._has_trailers
        if self._is_head:
            data = b""
        if self._started is not None:
            status, fields = self._started
            self._started = None
            if is_last:
                await request.respond(status, fields, data)
                self._is_complete = True
                return
            request.send_head(status, fields)
        elif not request.is_answered:
            raise RuntimeError("http.response.body before http.response.start")
        elif not data and is_last:
            await request.write(b"", True)
        if data:
            await request.write(data, is_last)
        self._is_complete = is_last

    def _require_head(self) -> None:
        if self._started is not None:
            status, fields = self._started
            self._started = None
            self._request.send_head(status, fields)

    async def run(self, app: Application, scope: Scope) -> None:
        """Call the application and see that the request comes to an end."""
        request = self._request
        try:
            await app(scope, self.receive, self.send)
            if not self._is_complete and not request.is_gone:
                raise RuntimeError("the application returned without completing the response")
        except ClientDisconnected:
            pass  # the application was told, and has nothing to add
        except Exception as error:  # noqa: BLE001 - the request fails, the server goes on
            if not (request.is_gone and isinstance(error, OSError)):
                _report("ASGI application failed", error)
            if not request.is_answered and not request.is_gone:
                request.send_head(500, [(b"content-length", b"0")], end=True)
        finally:
            request.finish()


class _Lifespan:
    """The application's start and stop; one that knows nothing of it is left alone."""

    def __init__(self, app: Application) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Tell the application to start, and wait until it has.

        Raises:
            RuntimeError: it says that it cannot.
        """
        self._task = asyncio.create_task(self._run())
        self._messages.put_nowait({"type": "lifespan.startup"})
        await self._started

    async def stop(self) -> None:
        """Tell the application to stop, and wait until it has."""
        assert self._task is not None, "start comes first"
        if not self._task.done():
            self._messages.put_nowait({"type": "lifespan.shutdown"})
        await self._stopped
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            await self._app(
                {"type": "lifespan", "asgi": ASGI_VERSION, "state": self.state},
                self._messages.get,
                self._on_message,
            )
        except Exception as error:  # noqa: BLE001 - the specification: then there is no lifespan
            if self._started.done() and not self._stopped.done():
                _report("ASGI lifespan failed", error)
        finally:
            for future in (self._started, self._stopped):
                if not future.done():
                    future.set_result(None)

    async def _on_message(self, message: Message) -> None:
        kind = message["type"]
        reason = message.get("message", "")
        if kind == "lifespan.startup.complete":
            self._started.set_result(None)
        elif kind == "lifespan.startup.failed":
            self._started.set_exception(RuntimeError(f"the application did not start: {reason}"))
        elif kind == "lifespan.shutdown.complete":
            self._stopped.set_result(None)
        elif kind == "lifespan.shutdown.failed":
            _report(f"the application did not stop well: {reason}", None)
            self._stopped.set_result(None)
        else:
            raise RuntimeError(f"{kind!r} is no message of lifespan")


class RunningServer(Protocol):
    """What `serve_asgi` gives, be it in this process or in several."""

    @property
    def addresses(self) -> list[Address]:
        """The local addresses."""
        ...

    @property
    def connections(self) -> int:
        """How many connections there are; a `UsageError` with several workers, of which each knows its own."""
        ...

    async def close(self, *, drain: float = ...) -> None:
        """Take no more requests, give those under way ``drain`` seconds to end, then close all connections."""
        ...


class _SeveralProcesses:
    """The workers of an application, as one server."""

    def __init__(self, group: WorkerGroup) -> None:
        self._group = group

    @property
    def addresses(self) -> list[Address]:
        return self._group.addresses

    @property
    def connections(self) -> int:
        raise UsageError("each worker knows its own connections, and nobody those of all")

    async def close(self, *, drain: float = DEFAULT_DRAIN) -> None:
        await self._group.close(drain=drain)


@dataclass(frozen=True, kw_only=True)
class _Settings:
    """How an application is served, in whichever process."""

    tls: ServerTLS
    config: QuicConfig
    h3: H3Config
    admit: Admit | None
    alt_svc: bool


@asynccontextmanager
async def serve_asgi(
    app: Application,
    local: Address,
    *,
    tls: ServerTLS,
    config: QuicConfig = DEFAULT_QUIC,
    h3: H3Config = DEFAULT_H3,
    workers: int = 1,
    alt_svc: bool = True,
    admit: Admit | None = None,
    drain: float = DEFAULT_DRAIN,
    ids: WorkerIds | None = None,
    reset_key: bytes | None = None,
    token_keys: Sequence[bytes] = (),
) -> AsyncIterator[RunningServer]:
    """Serve an ASGI application over HTTP/3; leaving the context winds it down.

    Args:
        local: Address and port; port 0 takes a free one, `RunningServer.addresses` tells which.
        workers: Processes that share the port. More than one are forked, and each has its own lifespan of the
            application: what that starts and keeps belongs to one worker.
        alt_svc: Add an Alt-Svc field to responses, so that clients come back over HTTP/3 (RFC 7838).
        admit: Decides about each new client; `qcore.always_retry` has every one prove its address first.
        drain: Seconds that requests under way have to end.
        ids: How connection IDs are made; behind a load balancer, so that it can read them.
        reset_key, token_keys: Secrets for stateless resets and address validation tokens, as of
            `qcore.Endpoint.open`; the same ones after a restart.

    Raises:
        RuntimeError: The application says that it cannot start.
        OSError: The address cannot be bound.
        UsageError: More workers than there can be, or this system cannot have several.
    """
    settings = _Settings(tls=tls, config=config, h3=h3, admit=admit, alt_svc=alt_svc)
    if workers == 1:
        async with (
            _running(app) as state,
            Endpoint.open(
                local,
                cids=None if ids is None else ids.generator(0, token_bytes),
                reset_key=reset_key,
                token_keys=token_keys,
            ) as endpoint,
            _serve(app, state, endpoint, settings, drain) as server,
        ):
            yield server
        return
    shared = replace(settings, tls=with_shared_replays(tls))

    async def main(worker: Worker) -> None:
        async with (
            _running(app) as state,
            worker.endpoint() as endpoint,
            _serve(app, state, endpoint, shared, 0.0) as server,
        ):
            worker.ready()
            await server.close(drain=await worker.stopped())

    async with start_workers(
        main,
        local,
        workers=workers,
        drain=drain,
        ids=ids,
        reset_key=reset_key,
        token_keys=token_keys,
    ) as group:
        yield _SeveralProcesses(group)


@asynccontextmanager
async def _running(app: Application) -> AsyncIterator[dict[str, Any]]:
    """The application between its start and its stop; gives the state that its requests see."""
    lifespan = _Lifespan(app)
    await lifespan.start()
    try:
        yield lifespan.state
    finally:
        await lifespan.stop()


@asynccontextmanager
async def _serve(
    app: Application, state: dict[str, Any], endpoint: Endpoint, settings: _Settings, drain: float
) -> AsyncIterator[Server]:
    """Run the application for each request that comes to a socket."""
    tasks: set[asyncio.Task[None]] = set()
    extra: list[Field] = []
    if settings.alt_svc:
        extra.append((b"alt-svc", b'h3=":%d"; ma=%d' % (endpoint.address[1], ALT_SVC_AGE)))

    def on_request(request: Request) -> None:
        cycle = _Cycle(request, extra)
        task = asyncio.create_task(cycle.run(app, cycle.scope(endpoint.address, state)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    try:
        async with serve_on(
            endpoint,
            on_request,
            tls=settings.tls,
            config=settings.config,
            h3=settings.h3,
            admit=settings.admit,
            drain=drain,
        ) as server:
            yield server
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _without_connection(fields: list[Field]) -> list[Field]:
    # Applications written for HTTP/1.1 set them; RFC 9114 §4.2 forbids them.
    return [field for field in fields if field[0] not in CONNECTION_SPECIFIC]


def _report(message: str, error: Exception | None) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
