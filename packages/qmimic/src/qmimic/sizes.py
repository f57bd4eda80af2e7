"""Sizes that are drawn evenly."""

from dataclasses import dataclass

from .randomness import RandomBytes, between


@dataclass(frozen=True, kw_only=True)
class SizeChoice:
    """Any size from `smallest` to `largest`, each with the same chance."""

    smallest: int
    largest: int

    def draw(self, random: RandomBytes) -> int:
        """A size in bytes."""
        return between(random, self.smallest, self.largest)
