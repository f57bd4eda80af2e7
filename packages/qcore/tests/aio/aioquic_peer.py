"""An aioquic server and client that echo; imported by tests of the `peer` kind only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import DatagramFrameReceived, QuicEvent

from qtls.adapters.self_signed import MadeCertificate

from .conftest import ALPN, HOST


class EchoProtocol(QuicConnectionProtocol):
    """A server sends datagrams back; both sides keep them."""

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.datagrams: asyncio.Queue[bytes] = asyncio.Queue()

    def quic_event_received(self, event: QuicEvent) -> None:
        super().quic_event_received(event)
        if isinstance(event, DatagramFrameReceived):
            self.datagrams.put_nowait(event.data)
            if not self._quic.configuration.is_client:
                self._quic.send_datagram_frame(event.data)
                self.transmit()


async def rebind(client: EchoProtocol, host: str = "::") -> None:
    """Give a client another socket, as a new address of its host or a translator would."""
    before = client._transport
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: client, local_addr=(host, 0))
    assert client._transport is not before
    assert before is not None
    before.abort()


@asynccontextmanager
async def echo_server(folder: Path, made: MadeCertificate, host: str = HOST) -> AsyncIterator[int]:
    """An aioquic server that echoes streams and datagrams."""
    writers = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read())
        writer.write_eof()

    def on_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(answer(reader, writer))
        writers.add(task)
        task.add_done_callback(writers.discard)

    configuration = QuicConfiguration(
        is_client=False, alpn_protocols=list(ALPN), max_datagram_frame_size=65_535
    )
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.chain.certificate_pem())
    key.write_bytes(made.chain.key_pem())
    configuration.load_cert_chain(chain, key)
    server = await serve(
        host, 0, configuration=configuration, create_protocol=EchoProtocol, stream_handler=on_stream
    )
    try:
        transport = cast(asyncio.DatagramTransport, server._transport)
        yield transport.get_extra_info("sockname")[1]
    finally:
        server.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def dial(
    made: MadeCertificate, port: int, host: str = HOST, **options: Any
) -> AsyncIterator[EchoProtocol]:
    """An aioquic client; `options` go to its configuration."""
    configuration = QuicConfiguration(
        alpn_protocols=list(ALPN), max_datagram_frame_size=65_535, server_name="localhost", **options
    )
    configuration.load_verify_locations(cadata=made.ca_pem)
    async with connect(host, port, configuration=configuration, create_protocol=EchoProtocol) as client:
        yield cast(EchoProtocol, client)
    if client._transport is not None:  # by which `rebind` has replaced the one that was closed
        client._transport.abort()
    await asyncio.sleep(0)
