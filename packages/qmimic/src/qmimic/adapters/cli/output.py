"""Where the body of a response goes: standard output or a file, counted and hashed on the way."""

import hashlib
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from .errors import Failure, one_line


class Output:
    """Takes pieces of a body; nothing is opened before the first one, so a failed request leaves no file.

    Args:
        path: the file; None for standard output.
        is_silent: count and hash only.
        with_progress: draw a bar on standard error, if that is a terminal and the body is not shown there.
    """

    def __init__(self, path: Path | None, *, is_silent: bool = False, with_progress: bool = True) -> None:
        self.size = 0
        self._path = path
        self._hash = hashlib.sha256()
        self._is_silent = is_silent
        self._file: BinaryIO | None = None
        self._stack = ExitStack()
        console = Console(stderr=True)
        self._progress: Progress | None = None
        if with_progress and console.is_terminal and (path is not None or not sys.stdout.isatty()):
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def begin(self, name: str, total: int | None) -> None:
        """The head has arrived: open the destination."""
        if not self._is_silent:
            if self._path is None:
                self._file = sys.stdout.buffer
            else:
                try:
                    self._file = self._stack.enter_context(self._path.open("wb"))
                except OSError as error:
                    raise Failure(f"{self._path}: {one_line(error)}") from None
        if self._progress is not None:
            self._stack.enter_context(self._progress)
            self._progress.add_task(name, total=total)

    def write(self, data: bytes) -> None:
        """Take a piece."""
        self.size += len(data)
        self._hash.update(data)
        if self._file is not None:
            self._file.write(data)
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], completed=self.size)

    def finish(self) -> None:
        """Everything was there."""
        if self._file is not None:
            self._file.flush()

    @property
    def sha256(self) -> str:
        """Hash of all bytes so far."""
        return self._hash.hexdigest()
