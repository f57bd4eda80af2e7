"""Bytes written by an application, on their way to the peer.

Chunks are queued as they come and cut once, when they are sent. What was sent is not kept here: the frame
holds it, and brings it back when its packet is lost. What remains to know is which bytes were acknowledged.
RFC 9000 §2.2, §13.3.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final, final

from qwire.compiling import mypyc_attr

from .ranges import RangeSet

# Writes smaller than this are gathered behind others, so that many small ones do not cost an object each.
SMALL_WRITE: Final = 2048
# Gathered writes become a chunk at this size.
GATHERED: Final = 16 * 1024
# Entries of sent chunks are taken out of the list together, when they are this many and half of it.
SPENT_CHUNKS: Final = 64

# What buffers that hold nothing share: nobody may put anything into these.
NO_CHUNKS: Final[list[bytes]] = []
NOTHING_LOST: Final[list[tuple[int, bytes]]] = []
NO_ISLANDS: Final = RangeSet()
NO_TAIL: Final = bytearray()


@final
@mypyc_attr(acyclic=True)
class SendBuffer:
    """The bytes of one direction of one stream.

    Attributes:
        end: bytes written so far.
        next_offset: the first byte that was never sent.
        acked: bytes that were acknowledged.
        lost: a heap of (offset, bytes) that were lost; some may have been acknowledged since.
    """

    __slots__ = (
        "_chunks",
        "_first",
        "_head",
        "_islands",
        "_prefix",
        "_tail",
        "acked",
        "end",
        "lost",
        "next_offset",
    )

    def __init__(self) -> None:
        self.end = 0
        self.next_offset = 0
        self.acked = 0
        self._prefix = 0  # everything below is acknowledged
        self._islands = NO_ISLANDS  # acknowledged ranges above
        self._chunks: list[bytes] = NO_CHUNKS
        self._first = 0  # chunks before this one were sent
        self._head = 0  # bytes of the first chunk that were sent
        self._tail = NO_TAIL  # small writes, which go together
        self.lost: list[tuple[int, bytes]] = NOTHING_LOST

    @property
    def buffered(self) -> int:
        """Bytes written that are not acknowledged."""
        return self.end - self.acked

    @property
    def is_all_acked(self) -> bool:
        """Whether every byte written was acknowledged."""
        return self.acked == self.end

    @property
    def has_lost(self) -> bool:
        """Whether something waits to be sent again."""
        return bool(self.lost) and self.peek_lost() is not None

    def write(self, data: bytes) -> None:
        """Queue bytes behind all others; large ones are not copied."""
        size = len(data)
        self.end += size
        # What is alone goes as it is: most messages are written once.
        if size < SMALL_WRITE and (self._tail or self._chunks):
            if self._tail is NO_TAIL:
                self._tail = bytearray()
            self._tail += data
            if len(self._tail) >= GATHERED:
                self._flush()
            return
        if self._tail:
            self._flush()
        if self._chunks:
            self._chunks.append(data)
        else:
            self._chunks = [data]

    def _queue(self, chunk: bytes) -> None:
        if self._chunks:
            self._chunks.append(chunk)
        else:
            self._chunks = [chunk]

    def _flush(self) -> None:
        self._queue(bytes(self._tail))
        self._tail.clear()

    def take(self, size: int) -> bytes:
        """The next `size` bytes that were never sent; there must be as many."""
        self.next_offset += size
        if self._first == len(self._chunks):
            self._flush()
        chunks = self._chunks
        head = chunks[self._first]
        start = self._head
        stop = start + size
        if stop < len(head):
            self._head = stop
            return head[start:stop]
        if stop == len(head) and self._first + 1 == len(chunks):  # the end of the last one
            self._chunks = NO_CHUNKS
            self._first = self._head = 0
            return head[start:] if start else head
        first = head[start:] if start else head
        self._next_chunk()
        left = stop - len(head)
        if left == 0:
            return first
        parts = [first]
        while left > 0:
            if self._first == len(self._chunks):
                self._flush()
            head = self._chunks[self._first]
            if len(head) > left:
                parts.append(head[:left])
                self._head = left
                break
            parts.append(head)
            left -= len(head)
            self._next_chunk()
        return b"".join(parts)

    def _next_chunk(self) -> None:
        """Let go of the first chunk."""
        self._head = 0
        first = self._first + 1
        chunks = self._chunks
        if first == len(chunks):
            self._chunks = NO_CHUNKS
            first = 0
        elif first >= SPENT_CHUNKS and first * 2 >= len(chunks):
            del chunks[:first]
            first = 0
        else:
            chunks[first - 1] = b""
        self._first = first

    def peek_lost(self) -> tuple[int, bytes] | None:
        """The lowest lost piece that was not acknowledged since."""
        lost = self.lost
        while lost:
            offset, data = lost[0]
            stop = offset + len(data)
            missing = self._islands.missing(max(offset, self._prefix), stop)
            if not missing:
                heappop(lost)
                continue
            start, missing_stop = missing[0]
            if start == offset and missing_stop == stop:
                return lost[0]
            heappop(lost)
            for start, missing_stop in missing:
                heappush(lost, (start, data[start - offset : missing_stop - offset]))
        return None

    def take_lost(self, size: int) -> bytes:
        """The first `size` bytes of what `peek_lost` has shown."""
        lost = self.lost
        offset, data = heappop(lost)
        stop = offset + size
        if size < len(data):
            heappush(lost, (stop, data[size:]))
            data = data[:size]
        # The same bytes may have been given back by several packets; they are needed once.
        while lost and lost[0][0] < stop:
            other, piece = heappop(lost)
            if other + len(piece) > stop:
                heappush(lost, (stop, piece[stop - other :]))
        return data

    def on_acked(self, offset: int, size: int) -> None:
        """The peer has these bytes."""
        stop = offset + size
        if offset == self._prefix and not self._islands.starts:
            self._prefix = stop
            self.acked += size
            return
        if stop <= self._prefix:
            return
        if self._islands is NO_ISLANDS:
            self._islands = RangeSet()
        self.acked += self._islands.add(max(offset, self._prefix), stop)
        if self._islands.starts[0] == self._prefix:
            self._prefix = self._islands.stops[0]
            self._islands.remove(self._islands.starts[0], self._prefix)

    def on_lost(self, offset: int, data: bytes) -> None:
        """These bytes have to be sent again, unless they were acknowledged meanwhile."""
        if data and offset + len(data) > self._prefix:
            if self.lost:
                heappush(self.lost, (offset, data))
            else:
                self.lost = [(offset, data)]

    def is_acked_to(self, offset: int) -> bool:
        """Whether the peer has every byte before `offset`."""
        return self._prefix >= offset

    def truncate(self, size: int) -> None:
        """Drop everything from `size` on that is not sent, and what would be sent again."""
        pieces = self.lost
        self.lost = NOTHING_LOST
        for offset, data in pieces:
            self.on_lost(offset, data[: max(size - offset, 0)])
        if size <= self.next_offset:
            pieces = self.lost
            self.discard()
            self.lost = pieces
            return
        self._flush()
        end = self.end
        while end > size:
            last = self._chunks.pop()
            start = end - len(last)
            if start < size:
                self._queue(last[: size - start])
            end = max(start, size)
        self.end = size

    def discard(self) -> None:
        """Drop everything that is not sent, and what would be sent again."""
        self._chunks = NO_CHUNKS
        self._first = 0
        self._tail.clear()
        self.lost = NOTHING_LOST
        self._head = 0
        self.end = self.next_offset
