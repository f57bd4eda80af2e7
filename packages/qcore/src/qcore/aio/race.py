"""Attempts that start one after the other and run side by side until one succeeds. RFC 8305 §5."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from ..errors import ConnectionRefused, TransportError

Result = TypeVar("Result")
Attempt: TypeAlias = Callable[[], Coroutine[Any, Any, Result]]

# RFC 8305 §8: the recommended time before the next address is tried.
ATTEMPT_DELAY: Final = 0.25


async def race(
    attempts: Sequence[Attempt[Result]],
    *,
    release: Callable[[Result], object],
    delay: float = ATTEMPT_DELAY,
    later: Coroutine[Any, Any, Sequence[Attempt[Result]]] | None = None,
) -> Result:
    """Run attempts until one succeeds; the others are cancelled, and clean up after themselves.

    The next attempt starts after `delay`, or as soon as one has failed.

    Args:
        release: called with a result that came too late to be the one.
        later: brings further attempts. If it fails, there are none.

    Raises:
        OSError: all failed: what a server answered if one did, else the error of the first attempt.
    """
    if len(attempts) == 1 and later is None:
        return await attempts[0]()
    tasks: list[asyncio.Task[Result]] = []
    running: set[asyncio.Task[Result]] = set()
    to_come = deque(attempts)
    more = None if later is None else asyncio.create_task(later)
    winner: asyncio.Task[Result] | None = None
    try:
        while running or to_come or more is not None:
            if to_come:
                tasks.append(asyncio.create_task(to_come.popleft()()))
                running.add(tasks[-1])
            awaited: set[asyncio.Task[Any]] = {*running} if more is None else {*running, more}
            done, _ = await asyncio.wait(
                awaited, timeout=delay if to_come else None, return_when=asyncio.FIRST_COMPLETED
            )
            if more is not None and more in done:
                if more.exception() is None:
                    to_come.extend(more.result())
                more = None
            for task in [task for task in running if task in done]:
                running.discard(task)
                error = task.exception()
                if error is None:
                    winner = task
                    return task.result()
                if not isinstance(error, OSError):
                    raise error
        raise _most_telling([task.exception() for task in tasks])
    finally:
        if more is not None:
            more.cancel()
            await asyncio.gather(more, return_exceptions=True)
        for task in tasks:
            task.cancel()
        for outcome, task in zip(await asyncio.gather(*tasks, return_exceptions=True), tasks, strict=True):
            if task is not winner and not isinstance(outcome, BaseException):
                release(outcome)


def _most_telling(errors: Sequence[BaseException | None]) -> BaseException:
    failures = [error for error in errors if error is not None]
    chosen = next((error for error in failures if _is_answer(error)), failures[0])
    for error in failures:
        if error is not chosen:
            chosen.add_note(f"another address: {error}")
    return chosen


def _is_answer(error: BaseException) -> bool:
    """Whether a server said so; of a closed port the system does."""
    was_refused_here = isinstance(error, ConnectionRefused) and error.is_local
    return isinstance(error, TransportError) and not was_refused_here
