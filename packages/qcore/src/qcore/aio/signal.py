"""Waiting until something has changed.

A `Signal` wakes everyone who waits; what changed is looked up by those who wake. So nothing travels through a
future, and a task that is cancelled while it waits cannot take anything with it.
"""

from __future__ import annotations

import asyncio
from typing import final


@final
class Signal:
    """Tasks that wait for the same change."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] | None = None

    async def wait(self) -> None:
        """Wait for the next `notify`."""
        future = self.subscribe(asyncio.get_running_loop())
        try:
            await future
        except asyncio.CancelledError:
            self.unsubscribe(future)
            raise

    def subscribe(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        """A future that the next `notify` completes. Who stops waiting for it must say so."""
        future: asyncio.Future[None] = loop.create_future()
        if self._waiters is None:
            self._waiters = [future]
        else:
            self._waiters.append(future)
        return future

    def unsubscribe(self, future: asyncio.Future[None]) -> None:
        """Nobody waits for this future any more."""
        if self._waiters is not None and future in self._waiters:
            self._waiters.remove(future)

    def notify(self) -> bool:
        """Wake everyone who waits; tells whether anyone did."""
        waiters = self._waiters
        if not waiters:
            return False
        self._waiters = None
        for future in waiters:
            if not future.done():
                future.set_result(None)
        return True
