"""Waits that last equally long at most, behind one timer.

A request waits several times, and almost never in vain: a timer of the loop for each wait would cost more than the
wait. Since all last equally long, the first to begin is the first to be over, and a dict in order of insertion is all
there is to keep.
"""

from __future__ import annotations

import asyncio
from typing import final

from qcore.aio.signal import Signal


@final
class Patience:
    """How long somebody waits for signs of life.

    Args:
        seconds: of one wait; None waits for ever.
    """

    __slots__ = ("_deadlines", "_timer", "seconds")

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._deadlines: dict[asyncio.Future[None], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, signal: Signal) -> None:
        """Wait for the next `Signal.notify`.

        Raises:
            TimeoutError: there was none.
        """
        future = self.begin(signal)
        try:
            await future
        except (asyncio.CancelledError, TimeoutError):
            signal.unsubscribe(future)
            raise
        finally:
            self.end(future)

    def begin(self, signal: Signal) -> asyncio.Future[None]:
        """What `wait` waits for; whoever does so without it, to save a coroutine, does the rest of it, too."""
        loop = asyncio.get_running_loop()
        future = signal.subscribe(loop)
        if self.seconds is not None:
            deadline = loop.time() + self.seconds
            self._deadlines[future] = deadline
            if self._timer is None:
                self._timer = loop.call_at(deadline, self._on_timer)
        return future

    def end(self, future: asyncio.Future[None]) -> None:
        """A wait is over, however it ended."""
        if future in self._deadlines:
            del self._deadlines[future]

    def close(self) -> None:
        """Wait no more; for when nobody does."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for future, deadline in list(self._deadlines.items()):
            if deadline > now:
                self._timer = loop.call_at(deadline, self._on_timer)
                return
            del self._deadlines[future]
            if not future.done():
                future.set_exception(TimeoutError())
