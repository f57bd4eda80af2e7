"""A NAT on the loopback that forgets: what a client sends comes from a new port whenever a test says so."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from types import TracebackType
from typing import Final, Self

HOST: Final = "127.0.0.1"
# The largest UDP payload.
READ_SIZE: Final = 65_535


class Relay:
    """Stands between one client and a server on the loopback, as an asynchronous context manager.

    Attributes:
        port: where the client sends to.
        rebindings: how often the client's port has changed.
    """

    def __init__(self, server_port: int) -> None:
        self.rebindings = 0
        self._loop = asyncio.get_running_loop()
        self._server = (HOST, server_port)
        self._inside = _bind()
        self._outside = _bind()
        self._old: list[socket.socket] = []
        self._client: tuple[str, int] | None = None
        self.port: int = self._inside.getsockname()[1]
        self._loop.add_reader(self._inside, self._on_client)
        self._loop.add_reader(self._outside, self._on_server)

    def rebind(self) -> None:
        """Forget the port that the server knows: nothing comes back through it any more."""
        self.rebindings += 1
        self._loop.remove_reader(self._outside)
        self._old.append(self._outside)  # keeps its port, so that no later one is the same
        self._outside = _bind()
        self._loop.add_reader(self._outside, self._on_server)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:  # what the client has said last
                self._on_client()
        for sock in (self._inside, self._outside):
            self._loop.remove_reader(sock)
        for sock in (self._inside, self._outside, *self._old):
            sock.close()

    def _on_client(self) -> None:
        data, self._client = self._inside.recvfrom(READ_SIZE)
        self._outside.sendto(data, self._server)

    def _on_server(self) -> None:
        data = self._outside.recv(READ_SIZE)
        if self._client is not None:
            self._inside.sendto(data, self._client)


def _bind() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((HOST, 0))
    return sock
