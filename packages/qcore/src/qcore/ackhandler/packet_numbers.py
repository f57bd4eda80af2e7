"""Which packet number comes next.

One counter for each packet-number space, or one for all of them, as some clients do. A counter may leave
numbers out: at random, so that a peer which acknowledges what it never received is found out (RFC 9000 §21.4),
or on request, where a client to be imitated does so. What was never sent is known to `SentHistory`.
RFC 9000 §12.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

# A number is left out somewhere within this many, then within twice as many, and so on: short connections are
# covered, long ones pay for next to nothing.
FIRST_SKIP_PERIOD: Final = 256
MAX_SKIP_PERIOD: Final = 131_072
RANDOM_BYTES: Final = 8
NEVER: Final = (1 << 62) - 1


@final
class PacketNumbers:
    """An ascending counter.

    Attributes:
        next_number: the next number, for those who look at it for every packet; only this class changes it.

    Args:
        first: the first number.
        random: source of random bytes; without it nothing is left out unless `skip` is called.
    """

    __slots__ = ("_period", "_random", "_skip_at", "next_number")

    def __init__(self, first: int = 0, random: Callable[[int], bytes] | None = None) -> None:
        if first < 0:
            raise ValueError(f"a packet number cannot be {first}")
        self.next_number = first
        self._random = random
        self._period = FIRST_SKIP_PERIOD
        self._skip_at = NEVER
        if random is not None:
            self._plan_skip(random)

    def peek(self) -> int:
        """The next number; it stays the next one."""
        return self.next_number

    def pop(self) -> int:
        """Use the next number up."""
        number = self.next_number
        self.next_number = number + 1
        if number + 1 >= self._skip_at and self._random is not None:
            self.next_number = number + 2
            self._plan_skip(self._random)
        return number

    def run_length(self, limit: int) -> int:
        """How many numbers, up to `limit`, follow one another from the next one on."""
        return min(limit, max(self._skip_at - self.next_number, 1))

    def pop_run(self, count: int) -> None:
        """Use up the next `count` numbers, of which `run_length` has told."""
        self.next_number += count - 1
        self.pop()

    def skip(self, count: int = 1) -> None:
        """Leave the next `count` numbers out."""
        if count < 0:
            raise ValueError(f"cannot skip {count} packet numbers")
        self.next_number += count

    def _plan_skip(self, random: Callable[[int], bytes]) -> None:
        # The number that follows at once is never left out: there is always a packet in between.
        draw = int.from_bytes(random(RANDOM_BYTES), "big") % self._period
        self._skip_at = self.next_number + 1 + draw
        self._period = min(2 * self._period, MAX_SKIP_PERIOD)


def separate(
    first: int = 0, random: Callable[[int], bytes] | None = None
) -> tuple[PacketNumbers, PacketNumbers, PacketNumbers]:
    """A counter for each space. `first` is the first Initial number.

    Only numbers of the application space are left out: handshakes are too short for an optimistic peer to gain.
    """
    return PacketNumbers(first), PacketNumbers(), PacketNumbers(0, random)


def shared(first: int = 0) -> tuple[PacketNumbers, PacketNumbers, PacketNumbers]:
    """One counter for all spaces."""
    numbers = PacketNumbers(first)
    return numbers, numbers, numbers
