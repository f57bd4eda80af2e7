"""Bytes that arrive in pieces, put in order.

Data in order passes through untouched: it is neither copied nor looked at. Data ahead of a gap waits in a
sorted list; where pieces overlap, the bytes that came first stay. RFC 9000 §2.2.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final, final

from qwire.compiling import mypyc_attr

# A sender that loses packets leaves a gap per loss, each followed by about a packet of data; whoever leaves
# more gaps than this without sending data to match fragments on purpose. RFC 9000 §21.6.
MAX_GAPS: Final = 1000
# Data held per gap above that number: less than what the smallest packet carries.
BYTES_PER_GAP: Final = 1024
# Pieces lying against each other are joined when they are on average smaller than this, so that the overhead
# of a Python object per piece stays below a fifth of the data.
SMALL_PIECE: Final = 256
# Joining starts above this number of pieces.
FEW_PIECES: Final = 64

# What streams without a gap share: nobody may put anything into these.
NO_STARTS: Final[list[int]] = []
NO_PIECES: Final[list[bytes]] = []


@final
@mypyc_attr(acyclic=True)
class Reassembler:
    """Receives pieces of a byte stream by offset and gives out bytes in order.

    Attributes:
        offset: everything below it has arrived.
        consumed: everything below it has been taken out.
        gaps: runs of data that wait beyond a gap.
        held: bytes that wait beyond a gap.
    """

    __slots__ = ("_head", "_pieces", "_ready", "_starts", "consumed", "gaps", "held", "offset")

    def __init__(self) -> None:
        self.offset = 0
        self.consumed = 0
        self.gaps = 0
        self.held = 0
        self._ready: list[bytes] = NO_PIECES
        self._head = 0  # bytes of the first ready piece that were taken
        self._starts: list[int] = NO_STARTS
        self._pieces: list[bytes] = NO_PIECES

    @property
    def ready(self) -> int:
        """Bytes that can be taken now."""
        return self.offset - self.consumed

    def add(self, offset: int, data: bytes) -> bool:
        """Take in a piece; False when it would leave more gaps than are kept (nothing has changed then)."""
        have = self.offset
        stop = offset + len(data)
        if stop <= have or offset == stop:
            return True
        if offset < have:
            data = data[have - offset :]
            offset = have
        if self._starts:
            return self._insert(offset, stop, data)
        if offset > have:
            self._starts = [offset]
            self._pieces = [data]
            self.gaps = 1
            self.held = stop - offset
            return True
        if self._ready:
            self._ready.append(data)
        else:
            self._ready = [data]
        self.offset = stop
        count = len(self._ready)
        if (
            count > FEW_PIECES
            and stop - offset < SMALL_PIECE
            and count > FEW_PIECES + self.ready // SMALL_PIECE
        ):
            self._join_ready()
        return True

    def _insert(self, offset: int, stop: int, data: bytes) -> bool:
        starts = self._starts
        pieces = self._pieces
        origin = offset
        # Piece number `index` is the first that starts at or beyond the new one.
        index = len(starts) if offset > starts[-1] else bisect_left(starts, offset)
        position = offset
        if index > 0:
            before = starts[index - 1] + len(pieces[index - 1])
            position = max(position, before)
        if position >= stop:
            return True
        last = index
        while last < len(starts) and starts[last] < stop:
            last += 1
        if last == index:
            touches = (index > 0 and position == starts[index - 1] + len(pieces[index - 1])) + (
                index < len(starts) and starts[index] == stop
            )
            if touches == 0 and position > self.offset and self.gaps >= MAX_GAPS + self.held // BYTES_PER_GAP:
                return False
            starts.insert(index, position)
            pieces.insert(index, data if position == origin else data[position - origin :])
            self.gaps += 1 - touches
            self.held += stop - position
        else:
            self._fill(index, last, position, stop, origin, data)
        if starts[0] == self.offset:
            self._release()
        elif len(pieces) > FEW_PIECES + 2 * self.gaps + self.held // SMALL_PIECE:
            self._join()
        return True

    def _fill(self, index: int, last: int, position: int, stop: int, origin: int, data: bytes) -> None:
        """Put the parts of a piece between and around pieces index..last-1, all of which start inside it."""
        starts = self._starts
        pieces = self._pieces
        runs_before = self._runs(max(index - 1, 0), min(last + 1, len(starts)))
        new_starts: list[int] = []
        new_pieces: list[bytes] = []
        for other in range(index, last):
            start = starts[other]
            if position < start:
                new_starts.append(position)
                new_pieces.append(data[position - origin : start - origin])
                self.held += start - position
            new_starts.append(start)
            new_pieces.append(pieces[other])
            position = start + len(pieces[other])
        if position < stop:
            new_starts.append(position)
            new_pieces.append(data[position - origin :])
            self.held += stop - position
        starts[index:last] = new_starts
        pieces[index:last] = new_pieces
        end = index + len(new_starts)
        self.gaps += self._runs(max(index - 1, 0), min(end + 1, len(starts))) - runs_before

    def _runs(self, first: int, last: int) -> int:
        """Runs without a gap among pieces first..last-1."""
        runs = 0
        reached = -1
        for index in range(first, last):
            if self._starts[index] != reached:
                runs += 1
            reached = self._starts[index] + len(self._pieces[index])
        return runs

    def _release(self) -> None:
        """Move the first run, which begins where the ordered data ends, to the ordered data."""
        starts = self._starts
        pieces = self._pieces
        position = self.offset
        count = 0
        while count < len(starts) and starts[count] == position:
            position += len(pieces[count])
            count += 1
        if self._ready:
            self._ready += pieces[:count]
        else:
            self._ready = pieces[:count]
        if count < len(starts):
            del starts[:count]
            del pieces[:count]
        else:
            self._starts = NO_STARTS
            self._pieces = NO_PIECES
        self.gaps -= 1
        self.held -= position - self.offset
        self.offset = position
        if len(self._ready) > FEW_PIECES + self.ready // SMALL_PIECE:
            self._join_ready()

    def _join(self) -> None:
        """Make one piece of each run; the cost is spread over the pieces that made it due."""
        starts: list[int] = []
        pieces: list[bytes] = []
        first = 0
        total = len(self._starts)
        while first < total:
            position = self._starts[first] + len(self._pieces[first])
            last = first + 1
            while last < total and self._starts[last] == position:
                position += len(self._pieces[last])
                last += 1
            starts.append(self._starts[first])
            pieces.append(self._pieces[first] if last == first + 1 else b"".join(self._pieces[first:last]))
            first = last
        self._starts = starts
        self._pieces = pieces

    def _join_ready(self) -> None:
        """Make one piece of the ordered data, at the same spread cost."""
        if self._head:
            self._ready[0] = self._ready[0][self._head :]
            self._head = 0
        self._ready = [b"".join(self._ready)]

    def take(self, size: int = -1) -> bytes:
        """Take out bytes in order: all there are, or at most `size`."""
        available = self.offset - self.consumed
        if available == 0 or size == 0:
            return b""
        ready = self._ready
        if size < 0 or size >= available:
            self.consumed = self.offset
            if self._head:
                ready[0] = ready[0][self._head :]
                self._head = 0
            self._ready = NO_PIECES
            return ready[0] if len(ready) == 1 else b"".join(ready)
        self.consumed += size
        start = self._head
        stop = start + size
        head = ready[0]
        if stop < len(head):
            self._head = stop
            return head[start:stop]
        parts = [head[start:]]
        size -= len(parts[0])
        count = 1
        while size >= len(ready[count]):
            parts.append(ready[count])
            size -= len(ready[count])
            count += 1
        if size:
            parts.append(ready[count][:size])
        self._head = size
        del ready[:count]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def discard(self) -> None:
        """Forget all data, ordered or not."""
        self._ready = NO_PIECES
        self._head = 0
        self._starts = NO_STARTS
        self._pieces = NO_PIECES
        self.gaps = 0
        self.held = 0
        self.consumed = self.offset
