"""Full handshakes, one after the other, with X25519 and a certificate to verify. What closing costs is left out: some
stacks wait three round trips for it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final

from .base import Metric, Result, Setting, Watch, Work


async def run(setting: Setting) -> Result:
    """Connect again and again."""
    count = setting.amount(300, 10)
    async with AsyncExitStack() as stack:
        for _ in range(setting.amount(20, 3)):
            await stack.enter_async_context(setting.stack.dial(setting.port, setting.certificates, "h3"))
        watch = Watch(setting)
        for _ in range(count):
            await stack.enter_async_context(setting.stack.dial(setting.port, setting.certificates, "h3"))
        watch.stop()
    return {
        "rate": count / watch.wall,
        "client": watch.client / count * 1e6,
        "server": watch.server / count * 1e6,
    }


HANDSHAKES: Final = Work(
    "handshake",
    "full handshake",
    (Metric("rate", "per s", True), Metric("client", "client µs CPU"), Metric("server", "server µs CPU")),
    run,
)
