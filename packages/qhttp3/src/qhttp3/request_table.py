"""The requests of a connection: which are under way, and which ids were seen.

RFC 9114 §6.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from qhttp3.request_stream import RequestStream

# A client may abandon this many requests more than it lets finish: opening and resetting costs it less than us.
ABANDON_CREDIT: Final = 200


class RequestTable:
    """Requests by stream id.

    Attributes:
        next_id: Above every request seen.
        under_way: Those that are, by stream id; only the table changes it.
    """

    __slots__ = ("_credit", "_skipped", "next_id", "under_way")

    def __init__(self) -> None:
        self.next_id = 0
        self.under_way: dict[int, RequestStream] = {}
        self._skipped: dict[int, None] = {}  # ids below next_id that have not been seen
        self._credit = ABANDON_CREDIT

    def __len__(self) -> int:
        return len(self.under_way)

    def __iter__(self) -> Iterator[RequestStream]:
        return iter(list(self.under_way.values()))

    def is_new(self, stream_id: int) -> bool:
        """Whether a stream id has not been seen before."""
        return stream_id >= self.next_id or stream_id in self._skipped

    def note(self, stream_id: int) -> None:
        """Count a stream id as seen. Streams arrive in any order; the transport limits how many can be missing."""
        if stream_id == self.next_id:
            self.next_id = stream_id + 4
        elif stream_id > self.next_id:
            self._skipped.update(dict.fromkeys(range(self.next_id, stream_id, 4)))
            self.next_id = stream_id + 4
        else:
            self._skipped.pop(stream_id, None)

    def add(self, stream: RequestStream) -> None:
        """Add a request, whose id counts as seen."""
        stream_id = stream.stream_id
        if stream_id == self.next_id:
            self.next_id = stream_id + 4
        else:
            self.note(stream_id)
        self.under_way[stream_id] = stream

    def finish(self, stream: RequestStream) -> None:
        """Remove a request that was completed."""
        stream_id = stream.stream_id
        if stream_id in self.under_way:
            del self.under_way[stream_id]
            if self._credit < ABANDON_CREDIT:
                self._credit += 1

    def abandon(self, stream: RequestStream) -> bool:
        """Remove a request that ended early; False if there were too many of them."""
        self.under_way.pop(stream.stream_id, None)
        self._credit -= 1
        return self._credit >= 0

    def from_id(self, identifier: int) -> list[RequestStream]:
        """Give the requests with an id or a larger one."""
        return [stream for stream_id, stream in self.under_way.items() if stream_id >= identifier]

    def clear(self) -> None:
        """Forget all requests under way."""
        self.under_way.clear()
