"""Draws from a source of random bytes: numbers, choices, permutations.

Every draw of a profile comes from one callable in the shape of `os.urandom`, so a seed decides all of them.
`SeededBytes` is such a callable with a memory: the same seed yields the same bytes on every machine.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias, TypeVar, final

RandomBytes: TypeAlias = Callable[[int], bytes]

T = TypeVar("T")

BLOCK_SIZE: Final = 32  # one SHA-256 output


@final
class SeededBytes:
    """Deterministic bytes: SHA-256 over a key and a counter. Repeatable, not secret."""

    __slots__ = ("_buffer", "_counter", "_key")

    def __init__(self, seed: int | str | bytes) -> None:
        if isinstance(seed, bytes):
            material = b"bytes:" + seed
        else:
            material = f"{type(seed).__name__}:{seed}".encode()
        self._key = hashlib.sha256(b"qmimic seed " + material).digest()
        self._counter = 0
        self._buffer = b""

    def __call__(self, size: int) -> bytes:
        blocks = [self._buffer]
        have = len(self._buffer)
        while have < size:
            blocks.append(hashlib.sha256(self._key + self._counter.to_bytes(8, "big")).digest())
            self._counter += 1
            have += BLOCK_SIZE
        data = b"".join(blocks)
        self._buffer = data[size:]
        return data[:size]


def below(random: RandomBytes, limit: int) -> int:
    """A uniform integer from 0 up to, not including, `limit`, which is at most 2^62."""
    # 16 bytes for a limit of at most 62 bits: the bias of the remainder is below 2^-66.
    return int.from_bytes(random(16), "big") % limit


def between(random: RandomBytes, smallest: int, largest: int) -> int:
    """A uniform integer from `smallest` to `largest`, both included."""
    return smallest + below(random, largest - smallest + 1)


def normal(random: RandomBytes) -> float:
    """A number of the standard normal distribution: the sum of twelve uniform ones (Irwin and Hall)."""
    return sum(below(random, 1 << 32) for _ in range(12)) / (1 << 32) - 6


def pick(random: RandomBytes, items: Sequence[T]) -> T:
    """One of `items`, each with the same chance."""
    return items[below(random, len(items))]


def shuffle(random: RandomBytes, items: list[T]) -> None:
    """Permute `items` in place, every order with the same chance (Fisher and Yates)."""
    for index in range(len(items) - 1, 0, -1):
        other = below(random, index + 1)
        items[index], items[other] = items[other], items[index]
