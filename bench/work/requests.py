"""GET requests with a body of 1 KiB on one connection, some at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from ..stack import Link
from .base import Metric, Result, Setting, Watch, Work

BODY: Final = 1_024
COUNT: Final = 4_000


def runner(concurrency: int) -> Callable[[Setting], Awaitable[Result]]:
    """A run with so many requests at once."""

    async def run(setting: Setting) -> Result:
        count = setting.amount(COUNT if concurrency > 1 else COUNT // 2, concurrency)
        async with setting.stack.dial(setting.port, setting.certificates, "h3") as link:
            await ask(link, max(concurrency, count // 10), concurrency)
            watch = Watch(setting)
            await ask(link, count, concurrency)
            watch.stop()
        return {
            "rate": count / watch.wall,
            "client": watch.client / count * 1e6,
            "server": watch.server / count * 1e6,
        }

    return run


async def ask(link: Link, count: int, concurrency: int) -> None:
    """Send `count` requests from `concurrency` tasks."""
    left = count

    async def worker() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await link.get(BODY)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(worker())


METRICS: Final = (
    Metric("rate", "per s", True),
    Metric("client", "client µs CPU"),
    Metric("server", "server µs CPU"),
)
REQUESTS: Final = tuple(
    Work(f"requests-{count}", f"GET, {count} at a time", METRICS, runner(count)) for count in (1, 10, 100)
)
