"""This stack, through the interface that its users have: `qhttp3.aio`, `qcore.aio`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from qcore import QuicConfig
from qcore.aio import Connection, Stream, connect
from qcore.aio import serve as serve_quic
from qhttp3.aio.client import Client
from qhttp3.aio.server import Request, ServerConnection
from qhttp3.config import H3Config
from qtls import CertificateChain, ClientTLS, ServerTLS
from qtls.constants import X25519

from ..stack import (
    CREDIT,
    DATAGRAM_SIZE,
    FLIGHT,
    HOST,
    IDLE_TIMEOUT,
    MAX_STREAMS,
    NAME,
    PIECE,
    WINDOW,
    Application,
    Certificates,
    Link,
    body,
    check,
)

CONFIG = QuicConfig(
    idle_timeout=IDLE_TIMEOUT,
    max_udp_payload=DATAGRAM_SIZE,
    max_bidi=MAX_STREAMS,
    max_stream_window=WINDOW,
    max_connection_window=WINDOW,
)
H3 = H3Config()


class UquicLink:
    """A connection; what a client of HTTP/3 needs beside it is made for the first request."""

    def __init__(self, connection: Connection, port: int) -> None:
        self._connection = connection
        self._client: Client | None = None
        self._url = f"https://{NAME}:{port}/"

    async def close(self) -> None:
        """End the client, if there is one."""
        if self._client is not None:
            await self._client.close()

    def _http(self) -> Client:
        if self._client is None:
            self._client = Client(connector=self._connector)
        return self._client

    @asynccontextmanager
    async def _connector(
        self, host: str, port: int, early: bool
    ) -> AsyncIterator[tuple[Connection, H3Config]]:
        yield self._connection, H3

    async def get(self, size: int) -> None:
        response = await self._http().request("GET", f"{self._url}{size}")
        if size <= PIECE:
            check(len(await response.read()), size)
            return
        received = 0
        async for piece in response:
            received += len(piece)
        check(received, size)

    async def post(self, size: int) -> None:
        headers = {"content-length": str(size)}
        response = await self._http().request("POST", self._url, headers=headers, content=_pieces(size))
        check(int(await response.read()), size)

    async def pull(self, size: int) -> None:
        stream = await self._connection.open_stream()
        await stream.write(b"d%d\n" % size)
        received = 0
        async for piece in stream:
            received += len(piece)
        await stream.finish()
        check(received, size)

    async def push(self, size: int) -> None:
        stream = await self._connection.open_stream()
        await stream.write(b"u\n")
        async for piece in _pieces(size):
            await stream.write(piece)
        await stream.finish()
        check(int(await stream.read()), size)

    async def flood(self, count: int, size: int) -> int:
        connection = self._connection
        credit = aiter(connection.datagrams())
        data = bytes(size)
        sent = known = lost = 0
        while known < count:
            while sent < count and sent - known < FLIGHT:
                await connection.send_datagram(data)
                sent += 1
            try:
                async with asyncio.timeout(0.25):
                    await anext(credit)
                known += CREDIT
            except TimeoutError:
                lost += sent - known
                known = sent
                credit = aiter(connection.datagrams())
        return lost


async def _pieces(size: int) -> AsyncIterator[bytes]:
    piece = bytes(PIECE)
    while size > 0:
        yield piece[:size] if size < PIECE else piece
        size -= PIECE


class Uquic:
    """See `bench.stack.Stack`."""

    def __init__(self) -> None:
        self._tls: dict[Application, ClientTLS] = {}

    @asynccontextmanager
    async def serve(self, certificates: Certificates) -> AsyncIterator[int]:
        """Serve both applications."""
        chain = CertificateChain.from_pem(certificates.chain.read_bytes(), certificates.key.read_bytes())
        tls = ServerTLS(certs=chain, alpn=("h3", "bench"), groups=(X25519,), ticket_keys=())
        tasks: set[asyncio.Task[None]] = set()

        def on_request(request: Request) -> None:
            if request.method == b"GET" and (size := int(request.path[1:])) <= PIECE:
                request.try_respond(200, [(b"content-length", b"%d" % size)], body(size))
                request.finish()
                return
            task = asyncio.create_task(_answer(request))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        async def handle(connection: Connection) -> None:
            if connection.info.alpn == "h3":
                ServerConnection(connection, H3, on_request).start()
                return
            await asyncio.gather(_serve_streams(connection), _serve_datagrams(connection))

        async with serve_quic(handle, (HOST, 0), tls=tls, config=CONFIG) as listener:
            yield listener.addresses[0][1]

    @asynccontextmanager
    async def dial(
        self, port: int, certificates: Certificates, application: Application
    ) -> AsyncIterator[Link]:
        """Connect."""
        if application not in self._tls:
            self._tls[application] = ClientTLS(
                alpn=(application,),
                ca=certificates.authority.read_bytes(),
                server_name=NAME,
                groups=(X25519,),
            )
        async with connect(HOST, port, tls=self._tls[application], config=CONFIG) as connection:
            link = UquicLink(connection, port)
            try:
                yield link
            finally:
                await link.close()


async def _answer(request: Request) -> None:
    if request.method == b"GET":
        size = int(request.path[1:])
        request.send_head(200, [(b"content-length", b"%d" % size)])
        async for piece in _pieces(size):
            await request.write(piece)
        await request.write(b"", end=True)
    else:
        received = 0
        while data := await request.read():
            received += len(data)
        request.send_head(200)
        await request.write(b"%d" % received, end=True)
    request.finish()


async def _serve_streams(connection: Connection) -> None:
    async with asyncio.TaskGroup() as group:
        async for stream in connection.streams():
            group.create_task(_serve_stream(stream))


async def _serve_stream(stream: Stream) -> None:
    head = bytearray()
    while not head.endswith(b"\n"):
        head += await stream.readexactly(1)
    if head[:1] == b"d":
        async for piece in _pieces(int(head[1:])):
            await stream.write(piece)
    else:
        received = 0
        async for piece in stream:
            received += len(piece)
        await stream.write(b"%d" % received)
    await stream.finish()


async def _serve_datagrams(connection: Connection) -> None:
    count = 0
    async for _ in connection.datagrams():
        count += 1
        if count % CREDIT == 0:
            await connection.send_datagram(b"credit")


def make(variant: str) -> Uquic:
    """The stack; whether it is compiled depends on what is installed."""
    return Uquic()
