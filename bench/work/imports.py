"""What importing a client or a server costs beyond a bare interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from typing import Final

from .base import Metric, Result, Setting, Work

MODULES: Final = {
    "uquic": ("qhttp3.aio.client", "qhttp3.aio.server"),
    "aioquic": (
        "aioquic.asyncio.client, aioquic.h3.connection",
        "aioquic.asyncio.server, aioquic.h3.connection",
    ),
    "qh3": ("qh3.asyncio.client, qh3.h3.connection", "qh3.asyncio.server, qh3.h3.connection"),
}


async def run(setting: Setting) -> Result:
    """Start interpreters; the quickest of several counts."""
    client, server = MODULES[type(setting.stack).__name__.lower()]
    count = setting.amount(5, 2)
    with tempfile.TemporaryDirectory() as folder:
        # Everybody's bytecode is cached, as it is where packages are installed, whatever this environment says of that.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = folder
        start = partial(_start, environment)
        for module in (client, server):
            start(f"import {module}")
        bare = min(start("pass") for _ in range(count))
        return {
            "client": (min(start(f"import {client}") for _ in range(count)) - bare) * 1e3,
            "server": (min(start(f"import {server}") for _ in range(count)) - bare) * 1e3,
        }


def _start(environment: dict[str, str], code: str) -> float:
    """CPU seconds of an interpreter that runs the code."""
    before = _spent()
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    return _spent() - before


def _spent() -> float:
    if sys.platform == "win32":
        return time.perf_counter()  # nobody tells what children took
    import resource

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


IMPORTS: Final = Work(
    "import",
    "import",
    (Metric("client", "client ms CPU"), Metric("server", "server ms CPU")),
    run,
)
