"""Time from nothing to the first response on a fresh connection."""

from __future__ import annotations

import time
from statistics import median
from typing import Final

from .base import Metric, Result, Setting, Work


async def run(setting: Setting) -> Result:
    """Connect, ask for one byte, have it."""
    times = []
    for _ in range(setting.amount(40, 5)):
        begun = time.perf_counter()
        async with setting.stack.dial(setting.port, setting.certificates, "h3") as link:
            await link.get(1)
            times.append(time.perf_counter() - begun)
    return {"time": median(times) * 1e3}


FIRST_BYTE: Final = Work("first-byte", "first byte, fresh connection", (Metric("time", "ms"),), run)
