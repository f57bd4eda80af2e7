"""Deadlines of many engines behind one timer.

Asking ten thousand engines for their next deadline on each wake-up would cost more than the work. Deadlines
also move all the time, mostly later, and mostly by a little. So an alarm keeps its place until the earliest deadline
that was ever set for it comes, and takes its new one then; moving it later costs a comparison.
"""

from __future__ import annotations

import heapq
import math
from typing import Generic, TypeVar, final

Owner = TypeVar("Owner")


@final
class Alarm(Generic[Owner]):
    """The place of one owner among the alarms. `owner` is None once it has been cancelled."""

    __slots__ = ("deadline", "owner", "pending")

    def __init__(self, owner: Owner) -> None:
        self.owner: Owner | None = owner
        self.deadline = math.inf  # as last set
        # Times at which the heap will bring this alarm up, latest first. Each is earlier than the one before,
        # so the list stays as short as the kinds of deadlines an engine has.
        self.pending: list[float] = []

    def cancel(self) -> None:
        """Let go of the owner; what is left in the heap is an empty entry."""
        self.owner = None


@final
class Alarms(Generic[Owner]):
    """A heap of alarms that are set often and rarely ring."""

    __slots__ = ("_heap", "_sequence")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Alarm[Owner]]] = []
        self._sequence = 0

    def set(self, alarm: Alarm[Owner], deadline: float) -> None:
        """See to it that the alarm comes up at `deadline`; math.inf asks for nothing."""
        alarm.deadline = deadline
        pending = alarm.pending
        if deadline < (pending[-1] if pending else math.inf):
            pending.append(deadline)
            self._sequence += 1
            heapq.heappush(self._heap, (deadline, self._sequence, alarm))

    def soonest(self) -> float:
        """No deadline is earlier; all may be later. It costs nothing."""
        return self._heap[0][0] if self._heap else math.inf

    def next(self) -> float:
        """When to call `due`: the earliest deadline, or math.inf."""
        heap = self._heap
        while heap:
            deadline, _, alarm = heap[0]
            if alarm.owner is not None and alarm.deadline <= deadline:
                return deadline
            self._take_first()
        return math.inf

    def due(self, now: float) -> list[Alarm[Owner]]:
        """Take out the alarms whose deadline has come by `now`. Those still needed are to be `set` again."""
        heap = self._heap
        found: dict[Alarm[Owner], None] = {}
        while heap and heap[0][0] <= now:
            alarm = self._take_first()
            if alarm.owner is not None and alarm.deadline <= now:
                found[alarm] = None
        return list(found)

    def _take_first(self) -> Alarm[Owner]:
        """Take out the first entry; an alarm that was put off gets its new place."""
        deadline, _, alarm = heapq.heappop(self._heap)
        if alarm.owner is not None:
            alarm.pending.pop()
            if alarm.deadline > deadline:
                self.set(alarm, alarm.deadline)
        return alarm
