"""More and more connections to one server: what a request costs then, and what doing nothing costs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final

from ..stack import Link
from .base import Metric, Result, Setting, Watch, Work
from .requests import BODY

REQUESTS: Final = 2_000
# Path MTU discovery, tickets and the end of the handshake are over by then, and fields have got into QPACK's tables.
SETTLING: Final = 3.0
# Behind the requests, some give up after five seconds what idle connections do not need. That happens once.
RESTING: Final = 6.0
BEFORE: Final = 3
IDLING: Final = 4.0


def runner(count: int) -> Callable[[Setting], Awaitable[Result]]:
    """A run with so many connections."""

    async def run(setting: Setting) -> Result:
        number = setting.amount(count) if count > 1 else 1
        links: list[Link] = []
        async with AsyncExitStack() as stack:
            for _ in range(number):
                links.append(
                    await stack.enter_async_context(
                        setting.stack.dial(setting.port, setting.certificates, "h3")
                    )
                )
            for _ in range(BEFORE):
                for link in links:
                    await link.get(BODY)
            await asyncio.sleep(SETTLING * min(1.0, setting.scale))
            requests = setting.amount(REQUESTS, number if number <= 1_000 else REQUESTS)
            asked = Watch(setting)
            for index in range(requests):
                await links[index * 7 % number].get(BODY)
            asked.stop()
            await asyncio.sleep(RESTING * min(1.0, setting.scale))
            idle = Watch(setting)
            await asyncio.sleep(IDLING * min(1.0, setting.scale))
            idle.stop()
        return {
            "server": asked.server / requests * 1e6,
            "client": asked.client / requests * 1e6,
            "idle": idle.server / idle.wall * 100,
        }

    return run


METRICS: Final = (
    Metric("server", "server µs CPU per GET"),
    Metric("client", "client µs CPU per GET"),
    Metric("idle", "idle server, % of a core"),
)
# Peers would take minutes for the handshakes of the last one.
CONNECTIONS: Final = tuple(
    Work(
        f"connections-{count}",
        f"{count:,} connections" if count > 1 else "1 connection",
        METRICS,
        runner(count),
        is_growth=True,
        only=frozenset(("uquic",)) if count > 1_000 else frozenset(),
    )
    for count in (1, 100, 1_000, 10_000)
)
