"""Firefox's draws for the first packet: the size of the connection ID, the packet number and its encoding.

Rules of mozilla/neqo, which weigh short IDs and low numbers.
"""

from dataclasses import dataclass

from .randomness import RandomBytes


@dataclass(frozen=True, kw_only=True)
class NeqoCidSize:
    """`max(smallest, 5 + (r >> 4 & r & 15))` for a random byte r: `smallest` in six cases of ten, 20 at most."""

    smallest: int = 8

    def draw(self, random: RandomBytes) -> int:
        """A size in bytes."""
        byte = random(1)[0]
        return max(self.smallest, 5 + (byte & byte >> 4 & 0x0F))


@dataclass(frozen=True, kw_only=True)
class NeqoPacketNumber:
    """1 to 32 in nearly nine cases of ten, else up to 1024."""

    def draw(self, random: RandomBytes) -> int:
        """A packet number."""
        low, high = random(2)
        return (low & 0x1F) + (max(0, high - 224) << 5) + 1


@dataclass(frozen=True, kw_only=True)
class NeqoPacketNumberSize:
    """One byte below 255, two from there on."""

    def sizes(self, first: int) -> tuple[int, ...]:
        """Encoded sizes of the packets numbered from `first`; the last repeats."""
        return (1,) * max(0, 255 - first) + (2,)
