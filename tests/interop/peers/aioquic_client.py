"""One HTTP/3 GET on aioquic: aioquic_client.py URL AUTHORITY FILE; prints the status and writes the body."""

import asyncio
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, QuicEvent

TIME = 20.0


class GetProtocol(QuicConnectionProtocol):
    """One request and its answer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.http = H3Connection(self._quic)
        self.headers: dict[bytes, bytes] = {}
        self.body = bytearray()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ConnectionTerminated) and not self.done.done():
            self.done.set_exception(ConnectionError(f"{event.error_code:#x} {event.reason_phrase}"))
        for http_event in self.http.handle_event(event):
            if isinstance(http_event, HeadersReceived):
                self.headers.update(http_event.headers)
            elif isinstance(http_event, DataReceived):
                self.body += http_event.data
            if isinstance(http_event, HeadersReceived | DataReceived) and http_event.stream_ended:
                self.done.set_result(None)

    async def get(self, authority: str, path: str) -> None:
        stream_id = self._quic.get_next_available_stream_id()
        request = [
            (b":method", b"GET"),
            (b":scheme", b"https"),
            (b":authority", authority.encode()),
            (b":path", path.encode()),
            (b"user-agent", b"aioquic"),
        ]
        self.http.send_headers(stream_id, request, end_stream=True)
        self.transmit()
        async with asyncio.timeout(TIME):
            await self.done


async def main(url: str, authority: str, file: str) -> None:
    parts = urlsplit(url)
    configuration = QuicConfiguration(is_client=True, alpn_protocols=["h3"], server_name=parts.hostname)
    configuration.load_verify_locations(authority)
    # The address is given, since localhost may lead to ::1 first.
    configuration.idle_timeout = TIME
    async with connect(
        "127.0.0.1", parts.port or 443, configuration=configuration, create_protocol=GetProtocol
    ) as client:
        assert isinstance(client, GetProtocol)
        await client.get(parts.netloc, parts.path)
    Path(file).write_bytes(client.body)
    print(client.headers[b":status"].decode())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
