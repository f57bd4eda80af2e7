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
    """A queue of streams per urgency, made when it is first needed.

    Args:
        by_number: streams of one level are served to their end in the order of their numbers; putting one into the
            queue takes time linear in its length then.
    """

    __slots__ = ("_by_number", "_count", "_filled", "_levels")

    def __init__(self, by_number: bool = False) -> None:
        self._by_number = by_number
        self._levels: list[deque[Stream] | None] = [None] * LEVELS
        self._filled = 0  # a bit for each level that has streams
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def _level(self, urgency: int) -> deque[Stream]:
        level = self._levels[urgency]
        if level is None:
            level = self._levels[urgency] = deque()
        return level

    def _first(self) -> deque[Stream] | None:
        """The most urgent level that has streams."""
        filled = self._filled
        return self._levels[(filled & -filled).bit_length() - 1] if filled else None

    def add(self, stream: Stream) -> None:
        """Put a stream at the end of its level, unless it is in the queue."""
        if not stream.is_scheduled:
            stream.is_scheduled = True
            level = self._level(stream.urgency)
            level.append(stream)
            if self._by_number:
                self._sort(level)
            self._filled |= 1 << stream.urgency
            self._count += 1

    def _sort(self, level: deque[Stream]) -> None:
        """Move the last stream of a level to where its number belongs."""
        last = level.pop()
        place = len(level)
        for index, stream in enumerate(level):
            if stream.stream_id > last.stream_id:
                place = index
                break
        level.insert(place, last)

    def head(self) -> Stream | None:
        """The stream whose turn it is."""
        filled = self._filled
        if not filled:
            return None
        level = self._levels[(filled & -filled).bit_length() - 1]
        return level[0] if level else None

    def pop(self) -> None:
        """Take out the stream whose turn it is."""
        level = self._first()
        if level:
            stream = level.popleft()
            stream.is_scheduled = False
            self._count -= 1
            if not level:
                self._filled &= ~(1 << stream.urgency)
                self._levels[stream.urgency] = None  # an empty deque takes 600 bytes

    def rotate(self) -> None:
        """The stream whose turn it is had a frame; if it is incremental, it goes behind the others."""
        if self._count > 1 and not self._by_number:
            level = self._first()
            if level and level[0].incremental:
                level.rotate(-1)

    def reprioritize(self, stream: Stream, urgency: int, incremental: bool) -> None:
        """Change a priority; a queued stream moves to its new level, in time linear in the old one."""
        stream.incremental = incremental
        if urgency == stream.urgency:
            return
        if stream.is_scheduled:
            level = self._level(stream.urgency)
            level.remove(stream)
            if not level:
                self._filled &= ~(1 << stream.urgency)
            self._level(urgency).append(stream)
            if self._by_number:
                self._sort(self._level(urgency))
            self._filled |= 1 << urgency
        stream.urgency = urgency

    def clear(self) -> None:
        """Take out all streams."""
        for level in self._levels:
            if level is not None:
                for stream in level:
                    stream.is_scheduled = False
                level.clear()
        self._filled = 0
        self._count = 0
