"""The dynamic table: entries by absolute index, sized and evicted by the rules both sides share.

Who may insert what is decided by the encoder and the decoder. RFC 9204 §3.2.
"""

from __future__ import annotations

from typing import Final, final

ENTRY_OVERHEAD: Final = 32  # RFC 9204 §3.2.1


@final
class Entry:
    """One field in the table; ``references`` counts unacknowledged uses, for the encoder."""

    __slots__ = ("field", "index", "references", "size")

    def __init__(self, field: tuple[bytes, bytes], index: int) -> None:
        self.field = field
        self.index = index
        self.size = len(field[0]) + len(field[1]) + ENTRY_OVERHEAD
        self.references = 0


@final
class DynamicTable:
    """Entries from the oldest kept one to the newest; ``inserted`` counts all there ever were."""

    __slots__ = ("_dropped", "_entries", "_first", "capacity", "inserted", "size")

    def __init__(self, capacity: int = 0) -> None:
        self.capacity = capacity
        self.size = 0
        self.inserted = 0
        self._entries: list[Entry] = []
        self._first = 0  # position in _entries of the oldest entry
        self._dropped = 0  # absolute index of _entries[0]

    def get(self, absolute: int) -> Entry | None:
        """Give the entry with an absolute index; None if it was evicted or never inserted."""
        position = absolute - self._dropped
        if position < self._first or position >= len(self._entries):
            return None
        return self._entries[position]

    def oldest(self) -> int:
        """Give the absolute index of the oldest entry, or of the next one if the table is empty."""
        return self._dropped + self._first

    def insert(self, field: tuple[bytes, bytes]) -> Entry | None:
        """Add an entry, evicting from the old end; None and no change if it exceeds the capacity."""
        entry = Entry(field, self.inserted)
        if entry.size > self.capacity:
            return None
        while self.size + entry.size > self.capacity:
            self.evict()
        self._entries.append(entry)
        self.inserted += 1
        self.size += entry.size
        return entry

    def evict(self) -> Entry:
        """Remove the oldest entry; there must be one."""
        entry = self._entries[self._first]
        self._first += 1
        self.size -= entry.size
        if self._first >= 64 and self._first * 2 >= len(self._entries):
            del self._entries[: self._first]
            self._dropped += self._first
            self._first = 0
        return entry

    def set_capacity(self, capacity: int) -> None:
        """Change the capacity, evicting what no longer fits."""
        self.capacity = capacity
        while self.size > capacity:
            self.evict()
