"""Traces in files: one a connection, named by its original destination connection ID and role.

A file is opened only while it is written to, so that a server with many connections does not run out of handles.
A write that fails ends the trace with one line in the log, never the connection. quic-events-12 §1.1.
"""

import logging
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from qlog.writer import TraceWriter

if TYPE_CHECKING:
    from qlog.core import CoreTrace
    from qlog.http3 import HttpTrace

LOGGER: Final = logging.getLogger("qlog")
BUFFER_SIZE: Final = 32 << 10  # characters kept before they are written
MAX_SAME_NAME: Final = 100  # traces of the same connection ID and role in one directory


@final
class FileSink:
    """Collects text for one file and appends it in pieces.

    Attributes:
        path: None when the file could not be made.
    """

    def __init__(self, directory: str | os.PathLike[str], name: str) -> None:
        self._parts: list[str] = []
        self._size = 0
        self.path: Path | None = None
        try:
            self.path = _create(Path(directory), name)
        except OSError as error:
            LOGGER.warning("no trace of %s: %s", name, error)

    def write(self, text: str) -> None:
        """Keep ``text`` for the file, and write what has gathered when it is much."""
        if self.path is None:
            return
        self._parts.append(text)
        self._size += len(text)
        if self._size >= BUFFER_SIZE:
            self.flush()

    def flush(self) -> None:
        """Append what has gathered to the file."""
        path = self.path
        if path is None or not self._parts:
            return
        text = "".join(self._parts)
        self._parts.clear()
        self._size = 0
        try:
            with open(path, "a", encoding="ascii") as file:
                file.write(text)
        except OSError as error:
            self.path = None
            LOGGER.warning("the trace %s ends here: %s", path.name, error)

    def __del__(self) -> None:
        self.flush()


def _create(directory: Path, name: str) -> Path:
    """Make an empty file with a name of its own, readable by its owner alone: a trace tells who talked to whom."""
    directory.mkdir(parents=True, exist_ok=True)
    for count in range(1, MAX_SAME_NAME + 1):
        path = directory / (f"{name}.sqlog" if count == 1 else f"{name}-{count}.sqlog")
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"{MAX_SAME_NAME} traces named {name}")


def open_trace(
    directory: str | os.PathLike[str],
    original_destination_cid: bytes,
    vantage_point: str,
    reference: float | None = None,
) -> TraceWriter:
    """Start the trace of a connection in a new file, ``ODCID_ROLE.sqlog``; the directory is made if need be.

    quic-events-12 §1.1. Nothing is raised for a directory that cannot be written to: the trace is then lost.

    Args:
        vantage_point: ``client`` or ``server``.
        reference: monotonic time from which the trace counts; now by default.
    """
    cid = original_destination_cid.hex()
    sink = FileSink(directory, f"{cid or 'empty'}_{vantage_point}")
    start = time.monotonic() if reference is None else reference
    wall_clock = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return TraceWriter(
        sink.write,
        vantage_point=vantage_point,
        group_id=cid,
        reference=start,
        wall_clock_time=wall_clock,
        flush=sink.flush,
    )


def observe(directory: str, is_client: bool) -> "CoreTrace":
    """An observer for one engine that writes into ``directory``; needs qcore.

    It is the entry point ``uquic.observers`` of this package, by which qcore finds it when QLOGDIR is set.
    """
    from qlog.core import CoreTrace  # qcore need not be installed for the rest of this module

    return CoreTrace(_opener(directory), is_client)


def observe_http3(below: object) -> "HttpTrace | None":
    """An observer of HTTP/3 that writes into the trace of ``below``, the engine's observer; needs qhttp3.

    None when ``below`` is not an observer of this package. It is the entry point ``uquic.http3_observers``.
    """
    from qlog.core import CoreTrace  # neither qcore nor qhttp3 need be installed for the rest
    from qlog.http3 import HttpTrace

    if not isinstance(below, CoreTrace):
        return None
    return HttpTrace(below.event, below.clock)


def _opener(directory: str) -> Callable[[bytes, str, float], TraceWriter]:
    def open_named(original_cid: bytes, role: str, reference: float) -> TraceWriter:
        return open_trace(directory, original_cid, role, reference)

    return open_named
