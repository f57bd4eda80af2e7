"""A set of integers kept as sorted half-open ranges.

Used for bytes of a stream and for indexes of streams: both are few ranges over many integers.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final, final

from qwire.compiling import mypyc_attr

# What sets that hold nothing share, most of which never will hold anything: nobody may put anything into it.
NOTHING: Final[list[int]] = []


@final
@mypyc_attr(acyclic=True)
class RangeSet:
    """Disjoint ranges ``[start, stop)`` that do not touch, in ascending order."""

    __slots__ = ("starts", "stops")

    def __init__(self) -> None:
        self.starts: list[int] = NOTHING
        self.stops: list[int] = NOTHING

    def __len__(self) -> int:
        return len(self.starts)

    def __contains__(self, value: int) -> bool:
        index = bisect_right(self.starts, value) - 1
        return index >= 0 and value < self.stops[index]

    def __repr__(self) -> str:
        return f"RangeSet({self.ranges()})"

    def ranges(self) -> list[tuple[int, int]]:
        """The ranges, ascending."""
        return list(zip(self.starts, self.stops, strict=True))

    def count(self) -> int:
        """How many integers are in the set."""
        return sum(self.stops) - sum(self.starts)

    def clear(self) -> None:
        """Take everything out."""
        self.starts = NOTHING
        self.stops = NOTHING

    def add(self, start: int, stop: int) -> int:
        """Put ``[start, stop)`` in; returns how many integers were not in before."""
        if start >= stop:
            return 0
        starts = self.starts
        stops = self.stops
        if not starts:
            self.starts = [start]
            self.stops = [stop]
            return stop - start
        if start > stops[-1]:
            starts.append(start)
            stops.append(stop)
            return stop - start
        # Ranges first..last-1 touch the new one and melt into it.
        first = bisect_left(stops, start)
        last = bisect_right(starts, stop)
        if first == last:
            starts.insert(first, start)
            stops.insert(first, stop)
            return stop - start
        covered = 0
        for index in range(first, last):
            covered += stops[index] - starts[index]
        low = min(start, starts[first])
        high = max(stop, stops[last - 1])
        starts[first:last] = [low]
        stops[first:last] = [high]
        return high - low - covered

    def remove(self, start: int, stop: int) -> None:
        """Take ``[start, stop)`` out."""
        if start >= stop:
            return
        starts = self.starts
        stops = self.stops
        first = bisect_right(stops, start)
        last = bisect_left(starts, stop)
        if first >= last:
            return
        low = starts[first]
        high = stops[last - 1]
        kept_starts: list[int] = []
        kept_stops: list[int] = []
        if low < start:
            kept_starts.append(low)
            kept_stops.append(start)
        if stop < high:
            kept_starts.append(stop)
            kept_stops.append(high)
        if kept_starts or last - first < len(starts):
            starts[first:last] = kept_starts
            stops[first:last] = kept_stops
        else:
            self.clear()

    def covers(self, start: int, stop: int) -> bool:
        """Whether all of ``[start, stop)`` is in."""
        if start >= stop:
            return True
        index = bisect_right(self.starts, start) - 1
        return index >= 0 and stop <= self.stops[index]

    def missing(self, start: int, stop: int) -> list[tuple[int, int]]:
        """The parts of ``[start, stop)`` that are not in, ascending."""
        gaps: list[tuple[int, int]] = []
        position = start
        index = bisect_right(self.stops, start)
        while position < stop and index < len(self.starts) and self.starts[index] < stop:
            if self.starts[index] > position:
                gaps.append((position, self.starts[index]))
            position = self.stops[index]
            index += 1
        if position < stop:
            gaps.append((position, stop))
        return gaps
