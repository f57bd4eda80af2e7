"""DATAGRAMs of 1,000 bytes one way; the receiver tells after every 64 that it has them."""

from __future__ import annotations

from typing import Final

from ..stack import CREDIT
from .base import Metric, Result, Setting, Watch, Work

SIZE: Final = 1_000
COUNT: Final = 40_000


async def run(setting: Setting) -> Result:
    """Flood the server."""
    count = setting.amount(COUNT // CREDIT) * CREDIT
    async with setting.stack.dial(setting.port, setting.certificates, "bench") as link:
        await link.flood(CREDIT * 8, SIZE)
        watch = Watch(setting)
        lost = await link.flood(count, SIZE)
        watch.stop()
    arrived = max(1, count - lost)
    return {
        "rate": arrived / watch.wall,
        "client": watch.client / arrived * 1e6,
        "server": watch.server / arrived * 1e6,
        "lost": lost / count * 100,
    }


DATAGRAMS: Final = Work(
    "datagrams",
    "DATAGRAM, 1,000 bytes",
    (
        Metric("rate", "per s", True),
        Metric("client", "client µs CPU"),
        Metric("server", "server µs CPU"),
        Metric("lost", "% lost"),
    ),
    run,
)
