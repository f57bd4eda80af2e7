"""`Listener`: connections that arrive at an endpoint."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Self

from qwire.constants import CONNECTION_REFUSED

from ..batch import Address
from .connection import Connection, ConnectionOwner
from .signal import Signal


class Listener(ConnectionOwner):
    """Iterate over it to accept connections; each has completed its handshake."""

    def __init__(self, addresses: Sequence[Address], stop: Callable[[], None]) -> None:
        from ..admission import MAX_WAITING  # loaded by now, and not before somebody serves

        self._max_waiting = MAX_WAITING
        self._addresses = list(addresses)
        self._stop = stop
        self._waiting: deque[Connection] = deque()
        self._take: Callable[[Connection], object] | None = None
        self._open: set[Connection] = set()
        self._arriving = 0
        self._changed = Signal()
        self._is_stopped = False
        self._is_closed = False

    @property
    def addresses(self) -> list[Address]:
        """The local addresses that are listened on, preferred ones of the configuration last."""
        return list(self._addresses)

    @property
    def waiting(self) -> int:
        """Connections that have completed their handshake and wait to be accepted."""
        return len(self._waiting)

    @property
    def arriving(self) -> int:
        """Clients that were let in and whose handshake is in progress."""
        return self._arriving

    @property
    def connections(self) -> frozenset[Connection]:
        """Connections that were accepted or wait to be, and have not ended."""
        return frozenset(self._open)

    def take(self, take: Callable[[Connection], object]) -> None:
        """Have each connection given to a function as soon as its handshake is complete, in place of waiting here."""
        self._take = take
        while self._waiting:
            take(self._waiting.popleft())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Connection:
        while not self._waiting:
            if self._is_closed or (self._is_stopped and not self._arriving):
                raise StopAsyncIteration
            await self._changed.wait()
        return self._waiting.popleft()

    def stop(self) -> None:
        """Let no further client in; those whose handshake is in progress are accepted when it is complete."""
        if not self._is_stopped:
            self._is_stopped = True
            self._stop()
            self._changed.notify()

    async def close(self, *, drain: float = 0) -> None:
        """Let no further client in, give those there are `drain` seconds to end, then close their connections."""
        self.stop()
        try:
            async with asyncio.timeout(drain):
                while self._open or self._arriving:
                    await self._changed.wait()
        except TimeoutError:
            pass
        self._is_closed = True
        self._changed.notify()
        for connection in list(self._open):
            await connection.close()

    # Reports of connections

    def on_arrived(self) -> None:
        """A client was let in."""
        self._arriving += 1

    def on_accepted(self, connection: Connection) -> bool:
        if self._is_closed or len(self._waiting) >= self._max_waiting:
            connection.engine.close(CONNECTION_REFUSED, "not accepted in time", application=False)
            return False
        if connection.ended_by() is None:
            self._arriving -= 1
            self._open.add(connection)
        if self._take is not None:
            self._take(connection)
            return True
        self._waiting.append(connection)
        return self._changed.notify()

    def on_ended(self, connection: Connection) -> None:
        # One that was not accepted yet can still be: its data may have arrived.
        if connection in self._open:
            self._open.discard(connection)
        else:
            self._arriving -= 1
        self._changed.notify()
