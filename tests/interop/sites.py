"""HTTP/3 servers in the event loop of a test, our own and aioquic's, each in the mood that a test asks for.

Both answer a request for `/N` with N bytes, of which nothing is random, and for anything else with 404.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve as aioquic_serve
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection, QuicConnectionId
from aioquic.quic.events import HandshakeCompleted, ProtocolNegotiated, QuicEvent
from aioquic.tls import SessionTicket

from qcore.admission import always_retry
from qcore.config import QuicConfig
from qhttp3.adapters.asgi import serve_asgi
from qtls.adapters.files import load_certificate_chain
from qtls.config import ServerTLS

from .certificates import Certificates

LOOPBACK: Final = {4: "127.0.0.1", 6: "::1"}


@dataclass
class Mood:
    """How a server is to be.

    Attributes:
        family: 4 or 6.
        retry: every address has to be validated.
        versions: QUIC versions that are spoken; empty for the server's own.
        groups: key-exchange groups that are taken, our own server only; empty for its own.
        spares: aioquic only: connection IDs offered beyond the first, as many as the client allows.
        tickets: aioquic only: what it remembers of its clients.
        connections: aioquic only: those that clients have made.
    """

    family: int = 4
    retry: bool = False
    versions: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    spares: bool = False
    tickets: dict[bytes, SessionTicket] = field(default_factory=dict)
    connections: list[QuicConnection] = field(default_factory=list)


def body(size: int) -> bytes:
    """What `/size` is answered with."""
    return bytes(range(256)) * (size // 256) + bytes(size % 256)


def size_of(path: str) -> int | None:
    """How many bytes a path asks for."""
    name = path.lstrip("/")
    return int(name) if name.isdigit() else None


@asynccontextmanager
async def own_site(certificates: Certificates, mood: Mood) -> AsyncIterator[int]:
    """Our own server; gives its port."""

    async def app(
        scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
            return
        size = size_of(scope["path"])
        await send({"type": "http.response.start", "status": 404 if size is None else 200, "headers": []})
        await send({"type": "http.response.body", "body": body(size or 0)})

    chain = load_certificate_chain(certificates.chain, certificates.key)
    tls = ServerTLS(certs=chain, alpn=("h3",), early_data=True)
    if mood.groups:
        tls = ServerTLS(certs=chain, alpn=("h3",), early_data=True, groups=mood.groups)
    config = QuicConfig(versions=mood.versions) if mood.versions else QuicConfig()
    async with serve_asgi(
        app,
        (LOOPBACK[mood.family], 0),
        tls=tls,
        config=config,
        admit=always_retry if mood.retry else None,
        drain=0,
    ) as server:
        yield server.addresses[0][1]


class Answers(QuicConnectionProtocol):
    """aioquic's side of a connection."""

    mood: Mood

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self._http: H3Connection | None = None
        self.mood.connections.append(self._quic)

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ProtocolNegotiated):
            self._http = H3Connection(self._quic)
        if isinstance(event, HandshakeCompleted) and self.mood.spares:
            self._offer_spares()
        if self._http is None:
            return
        for happened in self._http.handle_event(event):
            if isinstance(happened, HeadersReceived):
                self._answer(self._http, happened)

    def _answer(self, http: H3Connection, request: HeadersReceived) -> None:
        size = size_of(dict(request.headers)[b":path"].decode())
        fields = [(b":status", b"404" if size is None else b"200")]
        http.send_headers(request.stream_id, fields, end_stream=not size)
        if size:
            http.send_data(request.stream_id, body(size), end_stream=True)

    def _offer_spares(self) -> None:
        """aioquic stops at eight, whatever the client allows."""
        quic = self._quic
        while len(quic._host_cids) < quic._remote_active_connection_id_limit:
            number = quic._host_cid_seq
            quic._host_cids.append(
                QuicConnectionId(
                    cid=number.to_bytes(8, "big"),
                    sequence_number=number,
                    stateless_reset_token=bytes(15) + bytes((number,)),
                )
            )
            quic._host_cid_seq += 1


@asynccontextmanager
async def aioquic_site(certificates: Certificates, mood: Mood) -> AsyncIterator[int]:
    """An aioquic server; gives its port."""
    configuration = QuicConfiguration(is_client=False, alpn_protocols=["h3"], max_datagram_frame_size=65_536)
    configuration.load_cert_chain(certificates.chain, certificates.key)
    if mood.versions:
        configuration.supported_versions = list(mood.versions)

    def keep(ticket: SessionTicket) -> None:
        mood.tickets[ticket.ticket] = ticket

    protocol = type("AnswersInMood", (Answers,), {"mood": mood})
    server = await aioquic_serve(
        LOOPBACK[mood.family],
        0,
        configuration=configuration,
        create_protocol=protocol,
        retry=mood.retry,
        session_ticket_fetcher=lambda label: mood.tickets.pop(label, None),
        session_ticket_handler=keep,
    )
    try:
        transport = cast(asyncio.DatagramTransport, server._transport)
        yield transport.get_extra_info("sockname")[1]
    finally:
        server.close()
        await asyncio.sleep(0)


SITES: Final = {"own": own_site, "aioquic": aioquic_site}
