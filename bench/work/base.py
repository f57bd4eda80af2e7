"""A work: a function that a client process runs against a server process, and what its numbers mean."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from ..stack import Certificates, Stack
from ..usage import cpu_seconds

Result: TypeAlias = dict[str, float]


@dataclass(frozen=True)
class Metric:
    """A number that a work gives.

    Attributes:
        key: its name in results.
        label: its name and unit in tables.
        more_is_better: which of two is ahead.
    """

    key: str
    label: str
    more_is_better: bool = False


@dataclass(frozen=True)
class Setting:
    """What a work runs with.

    Attributes:
        scale: share of the full amount of work, for quick runs.
        server: process id of the server.
    """

    stack: Stack
    port: int
    certificates: Certificates
    scale: float
    server: int

    def amount(self, full: int, least: int = 1) -> int:
        """The part of `full` that the scale leaves."""
        return max(least, round(full * self.scale))


@dataclass(frozen=True)
class Work:
    """One thing to measure.

    Attributes:
        name: as given on the command line.
        title: as shown.
        metrics: the first is the one that ratios are made of.
        run: runs it, in a client process.
        is_growth: whether it only means something beside works of another size.
        only: stacks that can do it in reasonable time; empty for all.
    """

    name: str
    title: str
    metrics: tuple[Metric, ...]
    run: Callable[[Setting], Awaitable[Result]]
    is_growth: bool = False
    only: frozenset[str] = frozenset()


class Watch:
    """Wall time, and CPU time of client and server, from here to `stop`."""

    def __init__(self, setting: Setting) -> None:
        self._server = setting.server
        self._client = os.getpid()
        self._begun = (time.perf_counter(), cpu_seconds(self._client), cpu_seconds(self._server))
        self.wall = self.client = self.server = 0.0

    def stop(self) -> None:
        """Take the times."""
        wall, client, server = self._begun
        self.wall = time.perf_counter() - wall
        self.client = cpu_seconds(self._client) - client
        self.server = cpu_seconds(self._server) - server
