"""How BBR looks for more bandwidth: when, and how steeply.

draft-ietf-ccwg-bbr-06 §5.3.3.
"""

from __future__ import annotations

from typing import Final, final

PROBE_WAIT: Final = 2.0
RENO_ROUNDS: Final = 63
MAX_STEEP_ROUNDS: Final = 30
# Constants of a linear congruential generator: flows shall only differ, nobody guards a secret here.
MULTIPLIER: Final = 1_103_515_245
INCREMENT: Final = 12_345
DRAW_MASK: Final = 0x7FFF_FFFF
UNREACHABLE: Final = (1 << 62) - 1


@final
class ProbeClock:
    """When the next look is due: after two to three seconds, or as often as a Reno flow would be at its peak. §5.3.3.8."""

    __slots__ = ("_draw", "_rounds", "_start", "_wait")

    def __init__(self) -> None:
        self._draw = 1
        self.restart()

    def restart(self) -> None:
        """Another path; what is drawn goes on."""
        self._start = 0.0
        self._wait = 0.0
        self._rounds = 0

    def begin(self, delivered: int, now: float) -> None:
        """A look is over, and the next one is waited for.

        Args:
            delivered: bytes so far, which differ between flows.
        """
        # §5.3.3.8.3: flows shall not all probe at the same time.
        self._draw = (self._draw * MULTIPLIER + INCREMENT + delivered) & DRAW_MASK
        self._rounds = self._draw >> 15 & 1
        self._wait = PROBE_WAIT + (self._draw >> 16) / (DRAW_MASK >> 16)
        self._start = now

    def on_round(self) -> None:
        """Another round trip has passed."""
        self._rounds += 1

    def is_due(self, datagrams: float, now: float) -> bool:
        """Whether it is time; `datagrams` is what may be in flight."""
        return now > self._start + self._wait or self._rounds >= min(datagrams, RENO_ROUNDS)


@final
class Slope:
    """By how much a look raises what may be in flight: 1, 2, 4 … datagrams in each round trip. §5.3.3.5."""

    __slots__ = ("_acked", "_acked_per_step", "_rounds")

    def __init__(self) -> None:
        self._acked_per_step = UNREACHABLE
        self.restart()

    def restart(self) -> None:
        """The next look begins with one datagram."""
        self._rounds = 0
        self._acked = 0

    def stop(self) -> None:
        """Raise nothing."""
        self._acked_per_step = UNREACHABLE

    def steepen(self, window: int, datagram_size: int) -> None:
        """A round trip begins: twice as many as in the one before."""
        growth = 1 << self._rounds
        self._rounds = min(self._rounds + 1, MAX_STEEP_ROUNDS)
        self._acked_per_step = max(window // growth, datagram_size)

    def datagrams(self, acked: int) -> int:
        """Count bytes acknowledged; how many datagrams more may be in flight for them."""
        self._acked += acked
        steps = self._acked // self._acked_per_step
        self._acked -= steps * self._acked_per_step
        return steps
