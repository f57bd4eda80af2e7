"""A network between two engines, in virtual time.

Each `Link` is one direction: delay, jitter, rate with a tail-drop queue, loss, duplication, reordering,
corruption, an MTU, ECN marks, and black holes. All chances come from one seed.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from ..batch import Datagram
from .seeded import Seeded

ECN_CE = 3


@dataclass(frozen=True, kw_only=True)
class LinkConfig:
    """How a link treats datagrams.

    Attributes:
        delay: seconds one way; `jitter` adds up to that many more, and so may reorder.
        loss, duplicate, reorder, corrupt: probabilities.
        reorder_delay: seconds by which a reordered datagram is late.
        rate: bytes per second, or None for no limit.
        queue: bytes that may wait when there is a rate; what does not fit is dropped.
        mtu: largest UDP payload that gets through.
        mark: probability that an ECN-capable datagram is marked as having met congestion.
        black_holes: (start, stop) times in which nothing gets through.
        max_loss_run: losses in a row before one datagram is let through.
    """

    delay: float = 0.015
    jitter: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    reorder_delay: float = 0.01
    corrupt: float = 0.0
    rate: float | None = None
    queue: int = 37_500
    mtu: int = 1_500
    mark: float = 0.0
    black_holes: tuple[tuple[float, float], ...] = ()
    max_loss_run: int | None = None


@final
class Link:
    """One direction of a path."""

    def __init__(self, config: LinkConfig | None = None, seed: int | str = 0) -> None:
        self.config = config or LinkConfig()
        self.sent = 0
        self.dropped = 0
        self.delivered = 0
        self._random = Seeded(f"link {seed}")
        self._queue: list[tuple[float, int, Datagram]] = []
        self._serial = 0
        self._free_at = 0.0
        self._loss_run = 0
        self._filters: list[Callable[[Datagram], bool]] = []
        self._drop_next = 0

    def drop(self, count: int) -> None:
        """Lose the next `count` datagrams."""
        self._drop_next += count

    def filter(self, keep: Callable[[Datagram], bool]) -> None:
        """Lose what `keep` answers False for."""
        self._filters.append(keep)

    def send(self, datagram: Datagram, now: float) -> None:
        """Put a datagram on the link."""
        self.sent += 1
        config = self.config
        if self._is_lost(datagram, now):
            self.dropped += 1
            return
        due = now + config.delay
        if config.rate is not None:
            start = max(now, self._free_at)
            if (start - now) * config.rate > config.queue:
                self.dropped += 1
                return
            self._free_at = start + len(datagram.data) / config.rate
            due += self._free_at - now
        chance = self._random
        if config.jitter:
            due += chance.between(0, config.jitter)
        if config.reorder and chance.uniform() < config.reorder:
            due += config.reorder_delay
        data, ecn = datagram.data, datagram.ecn
        if config.corrupt and data and chance.uniform() < config.corrupt:
            at = chance.below(len(data))
            data = data[:at] + bytes((data[at] ^ (1 + chance.below(255)),)) + data[at + 1 :]
        if config.mark and ecn and chance.uniform() < config.mark:
            ecn = ECN_CE
        copies = 2 if config.duplicate and chance.uniform() < config.duplicate else 1
        for _ in range(copies):
            self._serial += 1
            heapq.heappush(
                self._queue, (due, self._serial, Datagram(data, datagram.address, ecn, datagram.local))
            )

    def next_delivery(self) -> float:
        """When the next datagram arrives."""
        return self._queue[0][0] if self._queue else math.inf

    def deliver(self, now: float) -> list[Datagram]:
        """What has arrived by now."""
        arrived: list[Datagram] = []
        while self._queue and self._queue[0][0] <= now:
            arrived.append(heapq.heappop(self._queue)[2])
        self.delivered += len(arrived)
        return arrived

    def _is_lost(self, datagram: Datagram, now: float) -> bool:
        config = self.config
        if self._drop_next:
            self._drop_next -= 1
            return True
        if len(datagram.data) > config.mtu or not all(keep(datagram) for keep in self._filters):
            return True
        if any(start <= now < stop for start, stop in config.black_holes):
            return True
        may_lose = config.max_loss_run is None or self._loss_run < config.max_loss_run
        if config.loss and self._random.uniform() < config.loss and may_lose:
            self._loss_run += 1
            return True
        self._loss_run = 0
        return False
