"""Whose turn it is among streams with something to send.

Streams of the most urgent level go first; within a level, incremental ones take turns and others are served to their
end, in the order of their numbers. That is the model of RFC 9218; streams without a priority are all incremental,
which is round robin.
"""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from typing import Final, final

from .stream import Stream

# RFC 9218 §4.1.
LEVELS: Final = 8

# What levels without incremental streams share: nobody may put anything into it.
NO_STREAMS: Final[deque[Stream]] = deque()


@final
class Level:
    """The waiting streams of one urgency.

    Where there are both kinds, every other turn is that of an incremental stream, so that neither kind has to wait for
    the end of the other.
    """

    __slots__ = ("_in_order", "_in_turn", "_is_turn")

    def __init__(self) -> None:
        self._in_order: list[tuple[int, Stream]] = []  # a heap by number: these are served to their end
        self._in_turn: deque[Stream] = NO_STREAMS
        self._is_turn = False  # of the first that takes turns; no matter unless there are both kinds

    @property
    def is_empty(self) -> bool:
        """Whether nobody waits here."""
        return not self._in_order and not self._in_turn

    @property
    def takes_turns(self) -> bool:
        """Whether the first stream has to let another one go on after a while."""
        count = len(self._in_turn)
        return count > 1 or (count == 1 and len(self._in_order) > 0)

    def add(self, stream: Stream, in_order: bool) -> None:
        if in_order:
            heappush(self._in_order, (stream.stream_id, stream))
        elif self._in_turn:
            self._in_turn.append(stream)
        else:
            self._in_turn = deque((stream,))

    def head(self) -> Stream:
        in_order = self._in_order
        if in_order and not (self._is_turn and self._in_turn):
            return in_order[0][1]
        return self._in_turn[0]

    def pop(self) -> Stream:
        if self._in_order and not (self._is_turn and self._in_turn):
            return heappop(self._in_order)[1]
        return self._in_turn.popleft()

    def rotate(self) -> None:
        if self._in_order:
            if self._is_turn and self._in_turn:
                self._in_turn.rotate(-1)
            self._is_turn = not self._is_turn
        else:
            self._in_turn.rotate(-1)

    def remove(self, stream: Stream, in_order: bool) -> None:
        """Take out one stream, in linear time."""
        if in_order:
            self._in_order.remove((stream.stream_id, stream))
            heapify(self._in_order)
        else:
            self._in_turn.remove(stream)

    def streams(self) -> list[Stream]:
        """All of them."""
        return [stream for _, stream in self._in_order] + list(self._in_turn)


# The levels of connections that have sent nothing yet: nobody may put anything into these.
NO_LEVELS: Final[list[Level | None]] = [None] * LEVELS


@final
class Scheduler:
    """A queue of streams per urgency, made when more than one stream waits.

    Attributes:
        count: streams that wait.

    Args:
        by_number: no stream takes turns, whatever its priority says.
    """

    __slots__ = ("_by_number", "_filled", "_levels", "_sole", "count")

    def __init__(self, by_number: bool = False) -> None:
        self._by_number = by_number
        self._levels = NO_LEVELS
        self._filled = 0  # a bit for each level that has streams
        self._sole: Stream | None = None  # one that waits alone, and so needs no level
        self.count = 0

    def __len__(self) -> int:
        return self.count

    def _first(self) -> Level | None:
        """The most urgent level that has streams."""
        filled = self._filled
        return self._levels[(filled & -filled).bit_length() - 1] if filled else None

    def _put(self, stream: Stream) -> None:
        level = self._levels[stream.urgency]
        if level is None:
            if self._levels is NO_LEVELS:
                self._levels = NO_LEVELS.copy()
            level = self._levels[stream.urgency] = Level()
            self._filled |= 1 << stream.urgency
        level.add(stream, self._by_number or not stream.incremental)

    def _drop(self, urgency: int) -> None:
        """Forget a level in which nobody waits: it takes up to a KiB."""
        self._levels[urgency] = None
        self._filled &= ~(1 << urgency)

    def add(self, stream: Stream) -> None:
        """Have a stream wait for its turn, unless it does."""
        if stream.is_scheduled:
            return
        stream.is_scheduled = True
        self.count += 1
        if self.count == 1:
            self._sole = stream
            return
        if self._sole is not None:
            self._put(self._sole)
            self._sole = None
        self._put(stream)

    def head(self) -> Stream | None:
        """The stream whose turn it is."""
        if self._sole is not None:
            return self._sole
        level = self._first()
        return None if level is None else level.head()

    def pop(self) -> None:
        """Take out the stream whose turn it is."""
        sole = self._sole
        if sole is not None:
            sole.is_scheduled = False
            self._sole = None
            self.count = 0
            return
        level = self._first()
        if level is not None:
            stream = level.pop()
            stream.is_scheduled = False
            self.count -= 1
            if level.is_empty:
                self._drop(stream.urgency)

    @property
    def takes_turns(self) -> bool:
        """Whether the stream whose turn it is has to let another one go on after a while."""
        if self.count < 2:
            return False
        level = self._first()
        return level is not None and level.takes_turns

    def rotate(self) -> None:
        """The stream whose turn it is had it; where streams take turns, the next one follows."""
        if self.count > 1:
            level = self._first()
            if level is not None and level.takes_turns:
                level.rotate()

    def reprioritize(self, stream: Stream, urgency: int, incremental: bool) -> None:
        """Change a priority; a waiting stream moves to where it belongs, in time linear in the length of its queue."""
        if urgency == stream.urgency and incremental == stream.incremental:
            return
        is_placed = stream.is_scheduled and stream is not self._sole
        if is_placed:
            level = self._levels[stream.urgency]
            assert level is not None
            level.remove(stream, self._by_number or not stream.incremental)
            if level.is_empty:
                self._drop(stream.urgency)
        stream.urgency = urgency
        stream.incremental = incremental
        if is_placed:
            self._put(stream)

    def clear(self) -> None:
        """Take out all streams."""
        if self._sole is not None:
            self._sole.is_scheduled = False
            self._sole = None
        for level in self._levels:
            if level is not None:
                for stream in level.streams():
                    stream.is_scheduled = False
        self._levels = NO_LEVELS
        self._filled = 0
        self.count = 0
