"""Waiting until something has changed.

A `Signal` wakes everyone who waits; what changed is looked up by those who wake. So nothing travels through a
future, and a task that is cancelled while it waits cannot take anything with it.
"""

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
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if self._waiters is not None and future in self._waiters:
                self._waiters.remove(future)
            raise

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
