"""Where the time of a server goes: a flame graph of one work, drawn by py-spy while a client runs it."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

RATE: Final = 500
# Until py-spy has found its way into the process.
START_TIME: Final = 5.0


class Flame(AbstractContextManager["Flame"]):
    """Samples a process from here to the end of the context, and writes the picture.

    Args:
        pid: the process.
        path: an SVG file.
    """

    def __init__(self, pid: int, path: Path) -> None:
        self._pid = pid
        self._path = path
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = ["record", "--pid", str(self._pid), "--output", str(self._path), "--rate", str(RATE)]
        self._process = subprocess.Popen(
            [str(Path(sys.executable).with_name("py-spy")), *command, "--function", "--duration", "600"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._process.wait(START_TIME)
        except subprocess.TimeoutExpired:
            return self
        raise RuntimeError("py-spy cannot sample the server; it needs the right to trace processes")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)  # asks for the picture
        self._process.wait(60)
