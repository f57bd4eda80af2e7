"""Runs every row in turn, round after round, each measurement in two fresh processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .flame import Flame
from .rows import Row
from .work import Work

ROOT: Final = Path(__file__).resolve().parent.parent
# Nothing takes as long; what hangs is a failure.
TIMEOUT: Final = 300.0


@dataclass
class Results:
    """Numbers of every round: work, row, metric."""

    values: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, work: Work, row: Row, result: dict[str, float]) -> None:
        """Take the result of one run."""
        metrics = self.values.setdefault(work.name, {}).setdefault(row.name, {})
        for key, value in result.items():
            metrics.setdefault(key, []).append(value)


class Runner:
    """Runs works in processes.

    Args:
        folder: where the certificates are.
        compiled: folder with the compiled packages, for rows that want them.
        scale: share of the full amount of work.
        loop: event loop for all rows, in place of each one's best.
    """

    def __init__(self, folder: Path, compiled: Path | None, scale: float, loop: str | None = None) -> None:
        self._folder = folder
        self._compiled = compiled
        self._scale = scale
        self._loop = loop

    def run(self, row: Row, work: Work, flame: Path | None = None) -> dict[str, float]:
        """Measure once; with `flame`, draw where the time of the server goes, which makes it slower.

        Raises:
            RuntimeError: a process failed; what it wrote is in the message.
        """
        common = {"row": row.name, "folder": str(self._folder), "loop": self._loop or row.loop}
        with self._start("server", row, common) as server:
            assert server.stdout is not None and server.stdin is not None
            try:
                port = server.stdout.readline()
                if not port.strip():
                    raise RuntimeError(f"the server of {row.name} did not start: {_errors(server)}")
                about = {"work": work.name, "port": int(port), "server": server.pid, "scale": self._scale}
                sampling = nullcontext() if flame is None else Flame(server.pid, flame)
                with sampling, self._start("client", row, common | about) as client:
                    try:
                        output, errors = client.communicate(timeout=TIMEOUT)
                    except subprocess.TimeoutExpired:
                        client.kill()
                        raise RuntimeError(f"{work.name} of {row.name} did not end") from None
                if client.returncode:
                    raise RuntimeError(f"{work.name} of {row.name} failed: {errors.strip()[-2000:]}")
            finally:
                server.stdin.close()
                try:
                    server.wait(5)
                except subprocess.TimeoutExpired:
                    server.kill()
        result: dict[str, float] = json.loads(output.splitlines()[-1])
        return result

    def _start(self, kind: str, row: Row, about: Mapping[str, object]) -> subprocess.Popen[str]:
        environment = dict(os.environ)
        if row.is_compiled:
            environment["PYTHONPATH"] = str(self._compiled)
        return subprocess.Popen(
            [sys.executable, "-m", "bench.worker", kind, json.dumps(dict(about))],
            cwd=ROOT,
            env=environment,
            text=True,
            stdin=subprocess.PIPE if kind == "server" else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


def run_rounds(
    runner: Runner, rows: Iterable[Row], works: Iterable[Work], rounds: int, on_step: Callable[[str], None]
) -> Results:
    """Every row once per work, then the next work, then the next round; a run that fails is noted and left out.

    Who presses Ctrl-C gets what there is so far.
    """
    results = Results()
    steps = [
        (number + 1, work, row)
        for number in range(rounds)
        for work in works
        for row in rows
        if not work.only or row.stack in work.only
    ]
    try:
        for number, work, row in steps:
            on_step(f"round {number}: {work.title}, {row.name}")
            try:
                results.add(work, row, runner.run(row, work))
            except RuntimeError as error:
                results.failures.append(str(error))
    except KeyboardInterrupt:
        results.failures.append(f"interrupted in round {number}: {work.title}, {row.name}")
    return results


def _errors(process: subprocess.Popen[str]) -> str:
    process.kill()
    return process.communicate()[1].strip()[-2000:]
