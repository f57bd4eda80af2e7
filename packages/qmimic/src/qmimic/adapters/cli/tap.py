"""A relay between a client and a server on this machine that keeps a copy of every datagram.

What it notes is what was on the wire, whatever the client believes that it sent.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from qmimic.capture import CapturedDatagram

LOOPBACK = "127.0.0.1"
# Turns of the event loop in which the client's last datagrams, its goodbye among them, are still passed on.
LAST_TURNS = 4


class Tap:
    """The datagrams that passed, in order, and the port for the client."""

    def __init__(self) -> None:
        self.datagrams: list[CapturedDatagram] = []
        self.port = 0
        self._started: float | None = None

    def note(self, data: bytes, from_client: bool) -> None:
        """Keep a copy of one datagram."""
        now = time.monotonic()
        if self._started is None:
            self._started = now
        self.datagrams.append(CapturedDatagram((now - self._started) * 1000, from_client, data))

    @property
    def first_flight(self) -> list[bytes]:
        """What the client sent before the server said anything."""
        flight: list[bytes] = []
        for datagram in self.datagrams:
            if not datagram.from_client:
                break
            flight.append(datagram.data)
        return flight


class ClientSide(asyncio.DatagramProtocol):
    """Faces the client: notes and passes on to the server."""

    def __init__(self, tap: Tap, upstream: asyncio.DatagramTransport) -> None:
        self._tap = tap
        self._upstream = upstream
        self.transport: asyncio.DatagramTransport | None = None
        self.client: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.client = addr
        self._tap.note(data, True)
        self._upstream.sendto(data)


class ServerSide(asyncio.DatagramProtocol):
    """Faces the server: notes and passes back to the client."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        self.client_side: ClientSide | None = None

    def datagram_received(self, data: bytes, addr: Any) -> None:
        side = self.client_side
        if side is not None and side.transport is not None and side.client is not None:
            self._tap.note(data, False)
            side.transport.sendto(data, side.client)


@asynccontextmanager
async def tapped(server_port: int) -> AsyncIterator[Tap]:
    """A tap in front of a server on the loopback, for one client."""
    tap = Tap()
    loop = asyncio.get_running_loop()
    server_side = ServerSide(tap)
    upstream, _ = await loop.create_datagram_endpoint(
        lambda: server_side, remote_addr=(LOOPBACK, server_port)
    )
    client_side = ClientSide(tap, upstream)
    downstream, _ = await loop.create_datagram_endpoint(lambda: client_side, local_addr=(LOOPBACK, 0))
    server_side.client_side = client_side
    tap.port = downstream.get_extra_info("sockname")[1]
    try:
        yield tap
        for _ in range(LAST_TURNS):
            await asyncio.sleep(0)
    finally:
        downstream.close()
        upstream.close()
