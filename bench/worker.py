"""The processes that are measured: ``python -m bench.worker server|client JSON``.

A server prints its port and runs until its input ends. A client runs one work and prints the result.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from . import stacks
from .certificates import in_folder
from .rows import ROWS
from .stack import Stack
from .usage import allow_many_files, pin
from .work import WORKS, Setting


def load(row: str) -> Stack:
    """The stack of a row; what its import leaves is not garbage, and collections need not look through it."""
    chosen = ROWS[row]
    stack = stacks.load(chosen.stack, chosen.variant)
    gc.freeze()
    return stack


async def serve(row: str, folder: str) -> None:
    """Serve until standard input ends."""
    async with load(row).serve(in_folder(Path(folder))) as port:
        print(port, flush=True)
        await _end_of_input()


async def _end_of_input() -> None:
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":
        await loop.run_in_executor(None, sys.stdin.read)
        return
    # No thread: it would show in profiles.
    ended = loop.create_future()
    loop.add_reader(0, ended.set_result, None)
    await ended
    loop.remove_reader(0)


async def measure(row: str, folder: str, work: str, port: int, server: int, scale: float) -> None:
    """Run one work and print its result."""
    setting = Setting(
        stack=load(row),
        port=port,
        certificates=in_folder(Path(folder)),
        scale=scale,
        server=server,
    )
    result = await WORKS[work].run(setting)
    print(json.dumps(result), flush=True)


def run(loop: str, main: Coroutine[Any, Any, None]) -> None:
    """Run on a kind of event loop."""
    if loop == "uvloop":
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main)
    else:
        asyncio.run(main)


def main() -> None:
    """Be the process that the arguments ask for."""
    kind, text = sys.argv[1:]
    arguments: dict[str, Any] = json.loads(text)
    loop = arguments.pop("loop")
    allow_many_files()
    if kind == "server":
        pin(0)
        run(loop, serve(**arguments))
    else:
        pin(1)
        run(loop, measure(**arguments))


if __name__ == "__main__":
    main()
