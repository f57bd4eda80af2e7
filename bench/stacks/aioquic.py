"""aioquic at its best: datagrams of full size, large windows and socket buffers, and a receive size that asyncio does
not have to map anew for each datagram. NewReno is the cheapest congestion control it has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, Final

import aioquic.tls
from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import (
    ConnectionTerminated,
    DatagramFrameReceived,
    ProtocolNegotiated,
    StreamDataReceived,
)

from ..stack import DATAGRAM_SIZE, HOST, IDLE_TIMEOUT, Application, Certificates, Link
from .events import make_protocol, start, verifying
from .sockets import enlarge

# Larger ones make it slower: what it does per ACK grows with what is in flight.
WINDOW: Final = 8 << 20
# asyncio asks for 256 KiB per datagram, which costs more than everything else.
READ_SIZE: Final = 65_536


def unsent(quic: Any, stream_id: int) -> int:
    """Bytes of a stream that wait; the library counts what is not acknowledged, too."""
    stream = quic._streams.get(stream_id)
    return len(stream.sender._buffer) if stream is not None else 0


class X25519Context(aioquic.tls.Context):
    """A TLS context with one group; the library has no setting for that."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._supported_groups = [aioquic.tls.Group.X25519]


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
        congestion_control_algorithm="reno",
    )


class Aioquic:
    """See `bench.stack.Stack`."""

    def __init__(self) -> None:
        self._configs: dict[Application, QuicConfiguration] = {}

    @asynccontextmanager
    async def serve(self, certificates: Certificates) -> AsyncIterator[int]:
        """Serve both applications."""
        config = configuration(False, ["h3", "bench"])
        config.load_cert_chain(certificates.chain, certificates.key)
        server = await serve(HOST, 0, configuration=config, create_protocol=PROTOCOL)
        transport: Any = server._transport
        _prepare(transport)
        try:
            yield transport.get_extra_info("sockname")[1]
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
        _prepare(transport)
        made(transport)

    protocol.connection_made = connection_made
    return protocol


def _prepare(transport: Any) -> None:
    enlarge(transport.get_extra_info("socket"))
    if hasattr(transport, "max_size"):
        transport.max_size = READ_SIZE


def make(variant: str) -> Aioquic:
    """The stack."""
    aioquic.tls.Context = X25519Context  # type: ignore[misc]  # has no setting
    return Aioquic()
