"""One work with client and server in one process: `python -m bench.once STACK VARIANT SCALE WORK [WORK ...]`.

Tells whether a stack can do a work at all, and prints the numbers as JSON; as a measurement it is worth nothing.
"""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

from . import stacks
from .certificates import make
from .work import WORKS, Setting
from .work.base import Result


def run(folder: Path, stack: str, variant: str, work: str, scale: float) -> Result:
    """Run a work; its certificates are made in the folder."""

    async def main() -> Result:
        chosen = stacks.load(stack, variant)
        certificates = make(folder)
        async with chosen.serve(certificates) as port:
            setting = Setting(
                stack=chosen, port=port, certificates=certificates, scale=scale, server=os.getpid()
            )
            return await WORKS[work].run(setting)

    return asyncio.run(main())


if __name__ == "__main__":
    name, kind, size, *works = sys.argv[1:]
    with tempfile.TemporaryDirectory() as made:
        print(json.dumps({work: run(Path(made), name, kind, work, float(size)) for work in works}))
