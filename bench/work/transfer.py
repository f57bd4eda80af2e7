"""Bulk data in either direction, over HTTP/3 and on a stream without it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from ..stack import Application, Link
from .base import Metric, Result, Setting, Watch, Work

SIZE: Final = 64 << 20
WARM_UP: Final = 2 << 20


def runner(
    application: Application, move: Callable[[Link, int], Awaitable[None]]
) -> Callable[[Setting], Awaitable[Result]]:
    """A run that moves a body."""

    async def run(setting: Setting) -> Result:
        size = setting.amount(SIZE, 1 << 16)
        async with setting.stack.dial(setting.port, setting.certificates, application) as link:
            await move(link, min(size, WARM_UP))
            watch = Watch(setting)
            await move(link, size)
            watch.stop()
        return {
            "rate": size / watch.wall / 1e6,
            "client": watch.client / size * 1e9,
            "server": watch.server / size * 1e9,
        }

    return run


METRICS: Final = (
    Metric("rate", "MB/s", True),
    Metric("client", "client CPU-s/GB"),
    Metric("server", "server CPU-s/GB"),
)
TRANSFERS: Final = (
    Work("download", "download, HTTP/3", METRICS, runner("h3", lambda link, size: link.get(size))),
    Work("upload", "upload, HTTP/3", METRICS, runner("h3", lambda link, size: link.post(size))),
    Work(
        "raw-download", "download, raw stream", METRICS, runner("bench", lambda link, size: link.pull(size))
    ),
    Work("raw-upload", "upload, raw stream", METRICS, runner("bench", lambda link, size: link.push(size))),
)
