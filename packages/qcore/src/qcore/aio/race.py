"""Attempts that start one after the other and run side by side until one succeeds. RFC 8305 §5."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

from ..errors import TransportError

Result = TypeVar("Result")

# RFC 8305 §8: the recommended time before the next address is tried.
ATTEMPT_DELAY: Final = 0.25


async def race(
    attempts: Sequence[Callable[[], Coroutine[Any, Any, Result]]],
    *,
    release: Callable[[Result], object],
    delay: float = ATTEMPT_DELAY,
) -> Result:
    """Run attempts until one succeeds; the others are cancelled, and clean up after themselves.

    The next attempt starts after `delay`, or as soon as one has failed.

    Args:
        release: called with a result that came too late to be the one.

    Raises:
        OSError: all failed: what a server answered if one did, else the error of the first attempt.
    """
    if len(attempts) == 1:
        return await attempts[0]()
    tasks: list[asyncio.Task[Result]] = []
    running: set[asyncio.Task[Result]] = set()
    winner: asyncio.Task[Result] | None = None
    try:
        while running or len(tasks) < len(attempts):
            if len(tasks) < len(attempts):
                tasks.append(asyncio.create_task(attempts[len(tasks)]()))
                running.add(tasks[-1])
            is_last = len(tasks) == len(attempts)
            done, running = await asyncio.wait(
                running, timeout=None if is_last else delay, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                error = task.exception()
                if error is None:
                    winner = task
                    return task.result()
                if not isinstance(error, OSError):
                    raise error
        raise _most_telling([task.exception() for task in tasks])
    finally:
        for task in tasks:
            task.cancel()
        for outcome, task in zip(await asyncio.gather(*tasks, return_exceptions=True), tasks, strict=True):
            if task is not winner and not isinstance(outcome, BaseException):
                release(outcome)


def _most_telling(errors: Sequence[BaseException | None]) -> BaseException:
    failures = [error for error in errors if error is not None]
    chosen = next((error for error in failures if isinstance(error, TransportError)), failures[0])
    for error in failures:
        if error is not chosen:
            chosen.add_note(f"another address: {error}")
    return chosen
