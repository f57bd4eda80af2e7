"""A server: connections in, one handler call per request out.

What a handler gets is a `Request`; what it does with it, ASGI or else, is its own affair. RFC 9114.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from qcore.aio.connection import Connection
from qcore.aio.endpoint import Endpoint
from qcore.aio.endpoint import serve_on as serve_quic_on
from qcore.aio.listener import Listener
from qcore.batch import Address
from qcore.config import QuicConfig
from qhttp3.aio.server_connection import Handler, Request, ServerConnection
from qhttp3.config import H3Config
from qhttp3.errors import H3_NO_ERROR
from qhttp3.light_dataclass import replace
from qtls.config import ServerTLS

if TYPE_CHECKING:
    from qcore.admission import Admit

__all__ = [
    "DEFAULT_DRAIN",
    "DEFAULT_H3",
    "DEFAULT_QUIC",
    "Handler",
    "Request",
    "Server",
    "ServerConnection",
    "serve",
    "serve_on",
]

DEFAULT_QUIC: Final = QuicConfig()
DEFAULT_H3: Final = H3Config()
# Seconds that requests under way have to end when a server is closed.
DEFAULT_DRAIN: Final = 5.0


class Server:
    """A running server."""

    def __init__(self, listener: Listener, config: H3Config, on_request: Callable[[Request], None]) -> None:
        self._listener = listener
        self._config = config
        self._on_request = on_request
        self._connections: set[ServerConnection] = set()
        self._is_closing = False

    @property
    def addresses(self) -> list[Address]:
        """The local addresses."""
        return self._listener.addresses

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    async def handle(self, connection: Connection) -> None:
        """Serve a connection until it ends."""
        served = ServerConnection(connection, self._config, self._on_request)
        self._connections.add(served)
        try:
            served.start()
            if self._is_closing:  # its handshake was in progress
                served.announce_end()
            await connection.wait_closed()
        finally:
            self._connections.discard(served)

    async def close(self, *, drain: float = DEFAULT_DRAIN) -> None:
        """Let no further client in, give requests under way ``drain`` seconds to be answered, then close all connections.

        Clients are told first, and may have sent requests until they hear of it: those are served as well.
        """
        self._is_closing = True
        self._listener.stop()
        if drain > 0:
            try:
                async with asyncio.timeout(drain):
                    await self._wind_down()
            except TimeoutError:
                pass
        for connection in list(self._connections):
            connection.go_away()
            connection.connection.abort(H3_NO_ERROR)

    async def _wind_down(self) -> None:
        for connection in list(self._connections):
            connection.announce_end()
        while self._listener.arriving:
            await asyncio.sleep(_DRAIN_STEP)
        round_trip = max(
            (connection.connection.stats().smoothed_rtt for connection in self._connections), default=0.0
        )
        await asyncio.sleep(round_trip)
        for connection in self._connections:
            connection.go_away()
        while any(connection.undelivered for connection in self._connections):
            await asyncio.sleep(_DRAIN_STEP)


@asynccontextmanager
async def serve(
    on_request: Callable[[Request], None],
    local: Address,
    *,
    tls: ServerTLS,
    config: QuicConfig = DEFAULT_QUIC,
    h3: H3Config = DEFAULT_H3,
    admit: Admit | None = None,
    drain: float = DEFAULT_DRAIN,
) -> AsyncIterator[Server]:
    """Listen and call ``on_request`` for each request; leaving the context winds everything down."""
    async with (
        Endpoint.open(local) as endpoint,
        serve_on(endpoint, on_request, tls=tls, config=config, h3=h3, admit=admit, drain=drain) as server,
    ):
        yield server


@asynccontextmanager
async def serve_on(
    endpoint: Endpoint,
    on_request: Callable[[Request], None],
    *,
    tls: ServerTLS,
    config: QuicConfig = DEFAULT_QUIC,
    h3: H3Config = DEFAULT_H3,
    admit: Admit | None = None,
    drain: float = DEFAULT_DRAIN,
) -> AsyncIterator[Server]:
    """`serve` on a socket that is open already."""
    if not tls.alpn:
        tls = replace(tls, alpn=("h3",))
    server: Server | None = None

    async def handle(connection: Connection) -> None:
        assert server is not None, "connections come after the listener"
        await server.handle(connection)

    async with serve_quic_on(endpoint, handle, tls=tls, config=config, admit=admit) as listener:
        server = Server(listener, h3, on_request)
        try:
            yield server
        finally:
            await server.close(drain=drain)


# How often a closing server looks whether its requests are done.
_DRAIN_STEP: Final = 0.01
