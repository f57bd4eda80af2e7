"""The same bytes on more and more streams at once: does a byte cost more?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from .base import Metric, Result, Setting, Watch, Work

# In all, and in no shorter a run less: with a few KiB to a stream, what a request costs would be what is measured.
SIZE: Final = 64 << 20


def runner(count: int) -> Callable[[Setting], Awaitable[Result]]:
    """A run on so many streams."""

    async def run(setting: Setting) -> Result:
        size = SIZE // count
        async with setting.stack.dial(setting.port, setting.certificates, "h3") as link:
            await link.get(1 << 16)
            watch = Watch(setting)
            async with asyncio.TaskGroup() as group:
                for _ in range(count):
                    group.create_task(link.get(size))
            watch.stop()
        total = size * count
        return {"client": watch.client / total * 1e9, "server": watch.server / total * 1e9}

    return run


METRICS: Final = (Metric("server", "server CPU-s/GB"), Metric("client", "client CPU-s/GB"))
STREAMS: Final = tuple(
    Work(
        f"streams-{count}",
        f"{count:,} streams" if count > 1 else "1 stream",
        METRICS,
        runner(count),
        is_growth=True,
    )
    for count in (1, 10, 100, 1_000)
)
