"""A memory of 0-RTT that processes share, so that an early flight is taken by one of them at most.

RFC 8446 §8.2. A table in shared memory, made before the processes are forked; a lock that a crash releases.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import tempfile
import weakref
from hashlib import sha256
from typing import Final

__all__ = ["SharedReplayWindow"]

# A mark and the second in which it was seen; a second of 0 is an empty place.
ENTRY: Final = struct.Struct("<12sI")
MARK_SIZE: Final = 12
# Places looked at for one mark. With half of the table in use, all of them are taken once in 65,536 times.
PROBES: Final = 16


class SharedReplayWindow:
    """A `ReplayGuard` for forked processes; where its table is full, 0-RTT is refused.

    What it remembers need not be binders.

    Args:
        seconds: how long a binder is remembered. Older replays fail the check of the ticket's age.
        capacity: binders that can be remembered, at 16 bytes each.
        forgets: whether, where the table is full, the oldest makes room instead.
    """

    def __init__(self, seconds: float = 40.0, capacity: int = 1 << 16, *, forgets: bool = False) -> None:
        self._forgets = forgets
        self._seconds = int(seconds)
        self._capacity = capacity
        self._file, path = tempfile.mkstemp(prefix="replays-")
        os.unlink(path)
        weakref.finalize(self, os.close, self._file)
        os.truncate(self._file, capacity * ENTRY.size)
        self._table = mmap.mmap(self._file, capacity * ENTRY.size)

    def is_new(self, binder: bytes, wall_clock: float) -> bool:
        """Whether this binder has not been seen; remembers it."""
        digest = sha256(binder).digest()
        mark = digest[:MARK_SIZE]
        start = int.from_bytes(digest[MARK_SIZE : MARK_SIZE + 8], "little")
        now = int(wall_clock)
        # Held by the process, and given back by the system should that die.
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            return self._take(mark, start, now)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _take(self, mark: bytes, start: int, now: int) -> bool:
        free: int | None = None
        oldest, oldest_seen_at = start % self._capacity * ENTRY.size, now + 1
        for step in range(PROBES):
            at = (start + step) % self._capacity * ENTRY.size
            kept, seen_at = ENTRY.unpack_from(self._table, at)
            is_old = not seen_at or abs(now - seen_at) > self._seconds
            if kept == mark and not is_old:
                return False
            if is_old and free is None:
                free = at
            if seen_at < oldest_seen_at:
                oldest, oldest_seen_at = at, seen_at
        if free is None:
            if not self._forgets:
                return False
            free = oldest
        ENTRY.pack_into(self._table, free, mark, now)
        return True
