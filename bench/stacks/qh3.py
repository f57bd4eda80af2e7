"""qh3 at its best: a Rust core, full-size datagrams, large windows.

Its client reads and writes in batches, its server does not. The variant ``batched`` gives the server the transport of
the client, which the library has and does not use there.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, Final

import qh3.tls
from qh3.asyncio._transport import create_optimized_datagram_transport
from qh3.asyncio.client import connect
from qh3.asyncio.protocol import QuicConnectionProtocol
from qh3.asyncio.server import QuicServer
from qh3.h3.connection import H3Connection
from qh3.h3.events import DataReceived, HeadersReceived
from qh3.quic.configuration import QuicConfiguration
from qh3.quic.events import (
    ConnectionTerminated,
    DatagramFrameReceived,
    ProtocolNegotiated,
    StreamDataReceived,
)

from ..stack import DATAGRAM_SIZE, HOST, IDLE_TIMEOUT, WINDOW, Application, Certificates, Link
from .events import make_protocol, start, verifying
from .sockets import enlarge


def unsent(quic: Any, stream_id: int) -> int:
    """Bytes of a stream that have not been sent."""
    size: int = quic.get_send_buffer_size(stream_id)
    return size


class X25519Context(qh3.tls.Context):
    """A TLS context with one group; the library has no setting for that."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._supported_groups = [qh3.tls.Group.X25519]


LIBRARY: Final = SimpleNamespace(
    QuicConnectionProtocol=QuicConnectionProtocol,
    H3Connection=H3Connection,
    DataReceived=DataReceived,
    HeadersReceived=HeadersReceived,
    ConnectionTerminated=ConnectionTerminated,
    DatagramFrameReceived=DatagramFrameReceived,
    ProtocolNegotiated=ProtocolNegotiated,
    StreamDataReceived=StreamDataReceived,
    unsent=unsent,
)
PROTOCOL: Final = make_protocol(LIBRARY)


def configuration(is_client: bool, protocols: list[str]) -> QuicConfiguration:
    """The settings of either side."""
    return QuicConfiguration(
        is_client=is_client,
        alpn_protocols=protocols,
        idle_timeout=IDLE_TIMEOUT,
        max_data=WINDOW,
        max_stream_data=WINDOW,
        max_datagram_size=DATAGRAM_SIZE,
        max_datagram_frame_size=65_535,
        probe_datagram_size=False,
    )


class Qh3:
    """See `bench.stack.Stack`."""

    def __init__(self, is_batched: bool) -> None:
        self._is_batched = is_batched
        self._configs: dict[Application, QuicConfiguration] = {}

    @asynccontextmanager
    async def serve(self, certificates: Certificates) -> AsyncIterator[int]:
        """Serve both applications."""
        config = configuration(False, ["h3", "bench"])
        config.load_cert_chain(certificates.chain, certificates.key)
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((HOST, 0))
        enlarge(sock)

        def create() -> QuicServer:
            return QuicServer(configuration=config, create_protocol=PROTOCOL)

        server: Any
        if self._is_batched:
            _, server = await create_optimized_datagram_transport(loop, create, sock=sock)
        else:
            _, server = await loop.create_datagram_endpoint(create, sock=sock)
        try:
            yield sock.getsockname()[1]
        finally:
            server.close()

    @asynccontextmanager
    async def dial(
        self, port: int, certificates: Certificates, application: Application
    ) -> AsyncIterator[Link]:
        """Connect."""
        config = self._configs.get(application)
        if config is None:
            config = self._configs[application] = verifying(configuration(True, [application]), certificates)
        async with connect(HOST, port, configuration=config, create_protocol=_create) as protocol:
            yield await start(protocol, application)


def _create(quic: Any, stream_handler: Any = None) -> Any:
    protocol = PROTOCOL(quic, stream_handler=stream_handler)
    made = protocol.connection_made

    def connection_made(transport: Any) -> None:
        enlarge(transport.get_extra_info("socket"))
        made(transport)

    protocol.connection_made = connection_made
    return protocol


def make(variant: str) -> Qh3:
    """The stack."""
    qh3.tls.Context = X25519Context  # type: ignore[misc]  # has no setting
    return Qh3(variant == "batched")
