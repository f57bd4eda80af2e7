"""Sizes and numbers that are drawn evenly."""

from dataclasses import dataclass

from .randomness import RandomBytes, between


@dataclass(frozen=True, kw_only=True)
class SizeChoice:
    """Any size from `smallest` to `largest`, each with the same chance."""

    smallest: int
    largest: int

    def __post_init__(self) -> None:
        check_range(self.smallest, self.largest)

    def draw(self, random: RandomBytes) -> int:
        """A size in bytes."""
        return between(random, self.smallest, self.largest)


@dataclass(frozen=True, kw_only=True)
class NumberChoice:
    """Any packet number from `smallest` to `largest`, each with the same chance."""

    smallest: int
    largest: int

    def __post_init__(self) -> None:
        check_range(self.smallest, self.largest)

    def draw(self, random: RandomBytes) -> int:
        """A packet number."""
        return between(random, self.smallest, self.largest)


def check_range(smallest: int, largest: int) -> None:
    """Raises:
    ValueError: the bounds do not rise.
    """
    if not 0 <= smallest <= largest:
        raise ValueError(f"{smallest} to {largest} is no range to draw from")
