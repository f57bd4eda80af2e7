"""This stack, through the interface that its users have: `qhttp3.aio`, `qcore.aio`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

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
    """A connection; the HTTP/3 client makes its own when it is first used."""

    def __init__(self, connection: Connection | None, client: Client | None, port: int) -> None:
        self._connection = connection
        self._client = client
        self._url = f"https://{NAME}:{port}/"

    async def get(self, size: int) -> None:
        assert self._client is not None
        response = await self._client.request("GET", f"{self._url}{size}")
        if size <= PIECE:
            check(len(await response.read()), size)
            return
        received = 0
        async for piece in response:
            received += len(piece)
        check(received, size)

    async def post(self, size: int) -> None:
        assert self._client is not None
        headers = {"content-length": str(size)}
        response = await self._client.request("POST", self._url, headers=headers, content=_pieces(size))
        check(int(await response.read()), size)

    async def pull(self, size: int) -> None:
        assert self._connection is not None
        stream = await self._connection.open_stream()
        await stream.write(b"d%d\n" % size)
        received = 0
        async for piece in stream:
            received += len(piece)
        await stream.finish()
        check(received, size)

    async def push(self, size: int) -> None:
        assert self._connection is not None
        stream = await self._connection.open_stream()
        await stream.write(b"u\n")
        async for piece in _pieces(size):
            await stream.write(piece)
        await stream.finish()
        check(int(await stream.read()), size)

    async def flood(self, count: int, size: int) -> int:
        connection = self._connection
        assert connection is not None
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

    @asynccontextmanager
    async def serve(self, certificates: Certificates) -> AsyncIterator[int]:
        """Serve both applications."""
        chain = CertificateChain.from_pem(certificates.chain.read_bytes(), certificates.key.read_bytes())
        tls = ServerTLS(certs=chain, alpn=("h3", "bench"), groups=(X25519,), ticket_keys=())
        tasks: set[asyncio.Task[None]] = set()

        def on_request(request: Request) -> None:
            if request.method == b"GET" and (size := int(request.path[1:])) <= PIECE:
                request.try_respond(200, [(b"content-length", b"%d" % size)], bytes(size))
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
        tls = ClientTLS(
            alpn=(application,), ca=certificates.authority.read_bytes(), server_name=NAME, groups=(X25519,)
        )
        async with connect(HOST, port, tls=tls, config=CONFIG) as connection, AsyncExitStack() as stack:
            client = None
            if application == "h3":

                @asynccontextmanager
                async def connector(
                    host: str, port: int, early: bool
                ) -> AsyncIterator[tuple[Connection, H3Config]]:
                    yield connection, H3

                client = await stack.enter_async_context(Client(connector=connector))
            yield UquicLink(connection, client, port)


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
