"""Whose turn it is among streams with something to send.

Streams of the most urgent level go first; within a level, incremental ones take turns and others are served
to their end. That is the model of RFC 9218; streams without a priority are all incremental, which is round
robin. Every operation takes constant time.
"""

from collections import deque
from typing import Final, final

from .stream import Stream

# RFC 9218 §4.1.
LEVELS: Final = 8


@final
class Scheduler:
    """A queue of streams per urgency."""

    __slots__ = ("_count", "_levels")

    def __init__(self) -> None:
        self._levels: list[deque[Stream]] = [deque() for _ in range(LEVELS)]
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, stream: Stream) -> None:
        """Put a stream at the end of its level, unless it is in the queue."""
        if not stream.is_scheduled:
            stream.is_scheduled = True
            self._levels[stream.urgency].append(stream)
            self._count += 1

    def head(self) -> Stream | None:
        """The stream whose turn it is."""
        if self._count:
            for level in self._levels:
                if level:
                    return level[0]
        return None

    def pop(self) -> None:
        """Take out the stream whose turn it is."""
        for level in self._levels:
            if level:
                level.popleft().is_scheduled = False
                self._count -= 1
                return

    def rotate(self) -> None:
        """The stream whose turn it is had a frame; if it is incremental, it goes behind the others."""
        for level in self._levels:
            if level:
                if len(level) > 1 and level[0].incremental:
                    level.rotate(-1)
                return

    def reprioritize(self, stream: Stream, urgency: int, incremental: bool) -> None:
        """Change a priority; a queued stream moves to its new level, in time linear in the old one."""
        stream.incremental = incremental
        if urgency == stream.urgency:
            return
        if stream.is_scheduled:
            self._levels[stream.urgency].remove(stream)
            self._levels[urgency].append(stream)
        stream.urgency = urgency

    def clear(self) -> None:
        """Take out all streams."""
        for level in self._levels:
            for stream in level:
                stream.is_scheduled = False
            level.clear()
        self._count = 0
