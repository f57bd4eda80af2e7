"""CPU time and memory of processes, and where they run."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process, in nanosecond steps where the scheduler tells, else as psutil has it."""
    total = 0
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_bytes().split()[0])
    except (OSError, IndexError):
        import psutil

        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)
    return total / 1e9


def memory_bytes(pid: int) -> int:
    """Resident memory of a process that it shares with nobody."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(("Private_Dirty:",)):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    import psutil

    return int(psutil.Process(pid).memory_info().rss)


def pin(place: int) -> None:
    """Run on one CPU, a different one for each place, where the platform allows."""
    if hasattr(os, "sched_setaffinity"):
        cpus = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cpus[place % len(cpus)]})


def allow_many_files() -> None:
    """As many open files as the system lets us have: a connection of a peer's client takes a socket."""
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def load() -> float:
    """Average number of runnable processes in the last minute; 0 where nobody counts them."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
