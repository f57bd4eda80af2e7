"""Where connection IDs come from.

An endpoint routes datagrams by the IDs it issued, so all of them have one size per endpoint. RFC 9000 §5.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, final

# RFC 9000 §17.2.
MAX_SIZE: Final = 20


class ConnectionIdGenerator(Protocol):
    """Makes connection IDs, all of one size; an implementation may write routing information into them."""

    @property
    def size(self) -> int:
        """Bytes of every ID."""

    def generate(self) -> bytes:
        """A new ID."""


@final
class RandomIds:
    """Unpredictable IDs of a given size; with size 0 the address alone identifies a connection."""

    __slots__ = ("_random", "size")

    def __init__(self, size: int, random: Callable[[int], bytes]) -> None:
        if not 0 <= size <= MAX_SIZE:
            raise ValueError(f"a connection ID has 0 to {MAX_SIZE} bytes, not {size}")
        self.size = size
        self._random = random

    def generate(self) -> bytes:
        """A new random ID."""
        return self._random(self.size) if self.size else b""
