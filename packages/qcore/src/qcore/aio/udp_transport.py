"""A UDP socket for event loops that cannot watch a file descriptor, such as Windows' proactor loop.

The same interface as `PolledSocket` on top of `create_datagram_endpoint`: one system call per datagram, no
offload, no ECN. Datagrams that arrive in one turn of the loop are delivered together.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Any, Final, Self, cast

from ..batch import Address, Datagram, SendBatch, SendRun
from .udp import SocketOwner, UdpSocket, says_unreachable

# Selector loops ask the system for 256 KiB per datagram by default, which costs more than everything else.
READ_SIZE: Final = 65_535


class TransportSocket(UdpSocket, asyncio.DatagramProtocol):
    """A socket behind a datagram transport; made by `open`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, *, is_connected: bool) -> None:
        super().__init__(is_connected)
        self._loop = loop
        self._address: Address = sock.getsockname()
        self._family: int = sock.family
        self._owner: SocketOwner | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._arrived: list[Datagram] = []
        self._unsent: list[SendRun] = []
        self._is_paused = False

    @classmethod
    async def open(
        cls, loop: asyncio.AbstractEventLoop, sock: socket.socket, *, is_connected: bool = False
    ) -> Self:
        """Wrap a bound socket, which is owned from here on."""
        created = cls(loop, sock, is_connected=is_connected)
        await loop.create_datagram_endpoint(lambda: created, sock=sock)
        return created

    @property
    def address(self) -> Address:
        return self._address

    @property
    def family(self) -> int:
        return self._family

    def start(self, owner: SocketOwner) -> None:
        self._owner = owner
        if self._arrived:
            self._loop.call_soon(self._deliver)

    def close(self) -> None:
        self._owner = None
        if self._transport is not None:
            self._transport.abort()

    def send(self, batch: SendBatch) -> bool:
        self._unsent.extend(batch.runs)
        batch.clear()
        return self._send_unsent()

    def _send_unsent(self) -> bool:
        assert self._transport is not None, "open"
        while self._unsent and not self._is_paused:
            run = self._unsent[0]
            address = None if self.is_connected else run.address
            for sent, part in enumerate(run.parts):
                if self._is_paused:
                    del run.parts[:sent]
                    break
                self._transport.sendto(part, address)
            else:
                del self._unsent[0]
        return not self._unsent

    def _deliver(self) -> None:
        arrived: Sequence[Datagram] = self._arrived
        self._arrived = []
        if self._owner is not None and arrived:
            self._owner.on_datagrams(arrived)

    # asyncio.DatagramProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        if hasattr(transport, "max_size"):
            transport.max_size = READ_SIZE

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        if not data:
            self.empty_datagrams += 1
            return
        if not self._arrived and self._owner is not None:
            self._loop.call_soon(self._deliver)
        self._arrived.append(Datagram(data, cast(Address, addr), 0))

    def error_received(self, exc: Exception) -> None:
        if isinstance(exc, OSError) and self._owner is not None and says_unreachable(exc):
            self._owner.on_socket_error(exc, None)

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        if self._send_unsent() and self._owner is not None:
            self._owner.on_writable()
