"""Sets of integers that come in runs.

Packet numbers arrive nearly in order, so two sorted lists with a quick look at their end beat any tree. The
number of runs is bounded: beyond it the lowest run is forgotten.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, final

from qwire.compiling import mypyc_attr

# RFC 9000 §13.2.3 wants a limit on tracked ranges; 64 is what other implementations keep.
MAX_RANGES: Final = 64

# What sets that hold nothing share: nobody may put anything into it.
NOTHING: Final[list[int]] = []


@final
@mypyc_attr(acyclic=True)
class RangeSet:
    """Integers, kept as inclusive runs in ascending order, never adjacent and never overlapping.

    Attributes:
        floor: numbers below may have been forgotten.
    """

    __slots__ = ("_firsts", "_lasts", "_limit", "floor")

    def __init__(self, limit: int = MAX_RANGES) -> None:
        if limit < 1:
            raise ValueError("a range set needs room for one range")
        self._firsts: list[int] = NOTHING
        self._lasts: list[int] = NOTHING
        self._limit = limit
        self.floor = 0

    def add(self, value: int) -> bool:
        """Put one number in; False when it was there."""
        lasts = self._lasts
        if lasts:
            newest = lasts[-1]
            if value == newest + 1:
                lasts[-1] = value
                return True
            if value <= newest:
                return self._insert(value)
        else:
            self._firsts = [value]
            self._lasts = [value]
            return True
        lasts.append(value)
        self._firsts.append(value)
        if len(lasts) > self._limit:
            self._forget_lowest()
        return True

    def extend(self, first: int, last: int) -> None:
        """Put in all numbers from `first` to `last`, which lie above all others."""
        lasts = self._lasts
        if lasts and lasts[-1] == first - 1:
            lasts[-1] = last
            return
        if not lasts:
            self._firsts = [first]
            self._lasts = [last]
            return
        lasts.append(last)
        self._firsts.append(first)
        if len(lasts) > self._limit:
            self._forget_lowest()

    def add_range(self, first: int, last: int) -> None:
        """Put all numbers from `first` to `last` in.

        Raises:
            ValueError: `last` is below `first`.
        """
        if last < first:
            raise ValueError(f"a range from {first} to {last} is empty")
        firsts, lasts = self._firsts, self._lasts
        if not firsts:
            self._firsts = [first]
            self._lasts = [last]
            return
        # Every run that overlaps or touches [first, last] melts into one.
        start = bisect_right(lasts, first - 2)
        stop = bisect_right(firsts, last + 1)
        if start < stop:
            first = min(first, firsts[start])
            last = max(last, lasts[stop - 1])
        firsts[start:stop] = [first]
        lasts[start:stop] = [last]
        if len(lasts) > self._limit:
            self._forget_lowest()

    def remove_below(self, value: int) -> None:
        """Take out every number smaller than `value`."""
        firsts, lasts = self._firsts, self._lasts
        count = bisect_right(lasts, value - 1)
        if count:
            del firsts[:count]
            del lasts[:count]
        if firsts and firsts[0] < value:
            firsts[0] = value

    def overlaps(self, first: int, last: int) -> bool:
        """Whether any number from `first` to `last` is in the set."""
        firsts = self._firsts
        if not firsts or last < firsts[0] or first > self._lasts[-1]:
            return False
        index = bisect_right(self._lasts, first - 1)
        return firsts[index] <= last

    def descending(self, floor: int = 0, limit: int = MAX_RANGES) -> list[tuple[int, int]]:
        """The highest runs first, as ACK frames list them; nothing below `floor`, at most `limit` runs."""
        firsts, lasts = self._firsts, self._lasts
        found: list[tuple[int, int]] = []
        index = len(lasts) - 1
        while index >= 0 and len(found) < limit and lasts[index] >= floor:
            first = firsts[index]
            found.append((max(floor, first), lasts[index]))
            index -= 1
        return found

    def ascending(self) -> list[tuple[int, int]]:
        """The runs, lowest first."""
        return list(zip(self._firsts, self._lasts, strict=True))

    def smallest_missing_above(self, value: int) -> int:
        """The smallest number above `value` that is not in the set."""
        missing = value + 1
        index = bisect_right(self._firsts, missing) - 1
        if index >= 0 and self._lasts[index] >= missing:
            missing = self._lasts[index] + 1
        return missing

    @property
    def smallest(self) -> int:
        """The smallest number, -1 when there is none."""
        return self._firsts[0] if self._firsts else -1

    @property
    def largest(self) -> int:
        """The largest number, -1 when there is none."""
        return self._lasts[-1] if self._lasts else -1

    def __contains__(self, value: int) -> bool:
        firsts = self._firsts
        if not firsts:
            return False
        index = bisect_right(firsts, value) - 1
        return index >= 0 and value <= self._lasts[index]

    def __len__(self) -> int:
        """The number of runs, not of integers."""
        return len(self._firsts)

    def __repr__(self) -> str:
        runs = ", ".join(
            str(first) if first == last else f"{first}-{last}" for first, last in self.ascending()
        )
        return f"RangeSet({runs})"

    def _insert(self, value: int) -> bool:
        """Put in a number that is not above all others."""
        firsts, lasts = self._firsts, self._lasts
        after = bisect_right(firsts, value)
        before = after - 1
        joins_before = False
        if before >= 0:
            if value <= lasts[before]:
                return False
            joins_before = value == lasts[before] + 1
        # There is a run behind: the value lies below the largest one and in none.
        joins_after = firsts[after] == value + 1
        if joins_before and joins_after:
            lasts[before] = lasts[after]
            del firsts[after]
            del lasts[after]
        elif joins_before:
            lasts[before] = value
        elif joins_after:
            firsts[after] = value
        else:
            firsts.insert(after, value)
            lasts.insert(after, value)
            if len(lasts) > self._limit:
                self._forget_lowest()
        return True

    def _forget_lowest(self) -> None:
        self.floor = self._lasts[0] + 1
        del self._firsts[0]
        del self._lasts[0]
