"""Randomness that a seed repeats.

A hash in counter mode: the same on every machine and Python version, and good enough to stand in for the
randomness of a connection, of a network, or of a drawn flight.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final, final

BLOCK: Final = 32


@final
class Seeded:
    """Callable like `os.urandom`, with a few draws for simulations.

    Args:
        seed: any integer or text; different labels of one seed are independent: `Seeded(f"{seed} link")`.
    """

    __slots__ = ("_counter", "_key", "_pool")

    def __init__(self, seed: int | str) -> None:
        self._key = sha256(str(seed).encode()).digest()
        self._counter = 0
        self._pool = b""

    def __call__(self, size: int) -> bytes:
        pool = self._pool
        if len(pool) < size:
            parts = [pool]
            missing = size - len(pool)
            for _ in range(-(-missing // BLOCK)):
                parts.append(sha256(self._key + self._counter.to_bytes(8, "big")).digest())
                self._counter += 1
            pool = b"".join(parts)
        self._pool = pool[size:]
        return pool[:size]

    def uniform(self) -> float:
        """A float in [0, 1)."""
        return int.from_bytes(self(7), "big") / (1 << 56)

    def below(self, bound: int) -> int:
        """An integer in [0, bound)."""
        return int.from_bytes(self(8), "big") % bound

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.uniform()
