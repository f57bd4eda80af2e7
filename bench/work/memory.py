"""Memory that a connection takes while it has nothing to do."""

from __future__ import annotations

import asyncio
import gc
import os
from contextlib import AsyncExitStack
from typing import Final

from ..usage import memory_bytes
from .base import Metric, Result, Setting, Work

COUNT: Final = 500
# Until handshakes are confirmed, and what is due in the seconds after has been done.
SETTLING: Final = 6.0


async def run(setting: Setting) -> Result:
    """Open connections and leave them alone."""
    count = setting.amount(COUNT, 10)
    async with AsyncExitStack() as stack:
        for _ in range(10):
            await stack.enter_async_context(setting.stack.dial(setting.port, setting.certificates, "h3"))
        await asyncio.sleep(SETTLING / 3 * min(1.0, setting.scale))
        gc.collect()
        client, server = memory_bytes(os.getpid()), memory_bytes(setting.server)
        for _ in range(count):
            await stack.enter_async_context(setting.stack.dial(setting.port, setting.certificates, "h3"))
        await asyncio.sleep(SETTLING * min(1.0, setting.scale))
        gc.collect()
        client, server = memory_bytes(os.getpid()) - client, memory_bytes(setting.server) - server
    return {"client": client / count / 1024, "server": server / count / 1024}


MEMORY: Final = Work(
    "memory",
    "idle connection",
    (Metric("client", "client KiB"), Metric("server", "server KiB")),
    run,
)
