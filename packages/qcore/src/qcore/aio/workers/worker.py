"""`Worker`: what one process of several on a port has been given, and how it talks to the one that started it."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
import struct
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from ...batch import Datagram
from ...ids.workers import WorkerIds
from ...router import Router
from ...tokens import UsedTokens
from ..endpoint import Endpoint
from ..udp import wrap_socket
from .mailbox import Mailbox

# What a worker says: it serves, or it could not begin, and why.
READY: Final = b"R"
FAILED: Final = b"F"
# What it is told: to stop within so many seconds.
STOP: Final = struct.Struct("!d")


class WorkerFailed(RuntimeError):
    """A worker could not begin; the text is what went wrong in its process."""


@dataclass(frozen=True)
class Shared:
    """What all workers of a port have in common, made before the first of them starts."""

    ids: WorkerIds
    sockets: Sequence[socket.socket]
    mailboxes: Sequence[tuple[socket.socket, socket.socket]]
    reset_key: bytes = field(repr=False)
    token_keys: tuple[bytes, ...] = field(repr=False)
    used_tokens: UsedTokens
    drain: float


class Worker:
    """One process of several on a port.

    Attributes:
        number: which one, from 0.
        count: how many there are.
    """

    def __init__(self, number: int, shared: Shared, control: socket.socket) -> None:
        self.number = number
        self.count = len(shared.sockets)
        self._shared = shared
        self._control = control
        self._loop = asyncio.get_running_loop()
        self._stop: asyncio.Future[float] = self._loop.create_future()
        self._told = b""
        self._leaves_alone = False
        self._is_delivering = False
        self._mailbox = Mailbox(shared.mailboxes[number][0], [box[1] for box in shared.mailboxes])
        self._loop.add_reader(control.fileno(), self._on_control)
        self._loop.add_signal_handler(signal.SIGTERM, self._leave)

    @property
    def handed_on(self) -> int:
        """Datagrams that came here and went to the worker whose connection they name."""
        return self._mailbox.sent

    @property
    def taken_over(self) -> int:
        """Datagrams that came to another worker and were handed to this one."""
        return self._mailbox.received

    @asynccontextmanager
    async def endpoint(self) -> AsyncIterator[Endpoint]:
        """This worker's socket; leaving the context closes all its connections."""
        shared = self._shared
        router = Router(
            cids=shared.ids.generator(self.number, secrets.token_bytes),
            reset_key=shared.reset_key,
            token_keys=shared.token_keys,
            wall_offset=time.time() - time.monotonic(),
            hand_on=self._hand_on,
            pass_on=self._pass_on,
            used_tokens=shared.used_tokens,
        )
        udp = await wrap_socket(self._loop, shared.sockets[self.number], is_connected=False)
        endpoint = Endpoint(udp, router, shares_port=True)

        def deliver(datagrams: Sequence[Datagram]) -> None:
            self._is_delivering = True
            try:
                endpoint.receive(datagrams)
            finally:
                self._is_delivering = False

        self._mailbox.open(deliver)
        try:
            yield endpoint
        finally:
            self._mailbox.close()
            await endpoint.close()

    def ready(self) -> None:
        """Tell that this worker serves."""
        self._control.send(READY)

    async def stopped(self) -> float:
        """Wait until this worker has to stop; returns how many seconds it may take."""
        return await asyncio.shield(self._stop)

    def _hand_on(self, cid: bytes, datagram: Datagram) -> bool:
        owner = self._shared.ids.worker_of(cid)
        if owner is None or owner == self.number or owner >= self.count:
            return False
        self._mailbox.post(owner, datagram)
        return True

    def _pass_on(self, cid: bytes, datagram: Datagram) -> bool:
        """A client has come whom this worker does not let in. If it leaves alone, one of those that stay does.

        What came from another is not passed on again: that one leaves, too.
        """
        if not self._leaves_alone or self._is_delivering or self.count == 1:
            return False
        # All that a client sends under one ID goes to the same worker.
        distance = 1 + int.from_bytes(cid, "big") % (self.count - 1)
        self._mailbox.post((self.number + distance) % self.count, datagram)
        return True

    def _leave(self) -> None:
        self._leaves_alone = True
        self._stop_within(self._shared.drain)

    def _on_control(self) -> None:
        try:
            data = self._control.recv(STOP.size)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        self._told += data
        if len(self._told) >= STOP.size:
            self._stop_within(STOP.unpack_from(self._told)[0])
        elif not data:  # whoever started us is gone
            self._stop_within(self._shared.drain)

    def _stop_within(self, seconds: float) -> None:
        self._loop.remove_reader(self._control.fileno())
        if not self._stop.done():
            self._stop.set_result(seconds)
