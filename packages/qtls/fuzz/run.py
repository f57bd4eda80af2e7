"""Run one target under atheris: ``python fuzz/run.py TARGET [libFuzzer options] [corpus folder]``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Instrument qtls, write the seeds, fuzz."""
    atheris: Any = importlib.import_module("atheris")
    name = sys.argv.pop(1)
    sys.path.insert(0, str(Path(__file__).parent))
    with atheris.instrument_imports(include=["qtls"]):
        targets: Any = importlib.import_module("targets")
    for argument in sys.argv[1:]:
        folder = Path(argument)
        if not argument.startswith("-"):
            folder.mkdir(parents=True, exist_ok=True)
            for number, seed in enumerate(targets.seeds(name)):
                (folder / f"seed-{number}").write_bytes(seed)
            break
    atheris.Setup(sys.argv, targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
