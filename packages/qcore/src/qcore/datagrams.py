"""Unreliable datagrams, both ways.

Bounded queues: when the application or the network is slower than the other side, the oldest datagram
received is dropped, and a new one to send is refused. RFC 9221.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, final

from qwire.constants import PROTOCOL_VIOLATION
from qwire.frames import DatagramFrame

from . import spaces
from .errors import DatagramsUnavailable, TransportError
from .events import DatagramReceived, DatagramsWritable, Event
from .packing.source import FrameSource

if TYPE_CHECKING:
    from .packing.builder import PacketBuilder

# Datagrams per queue. Applications that use them prefer fresh data, so a longer queue would only add delay.
MAX_QUEUED: Final = 128
# A refused sender is woken when this many have left.
LOW_WATER: Final = MAX_QUEUED // 2
# Frame bytes that the smallest full packet holds, until the engine knows better: 1200 less header and tag.
FIRST_ROOM: Final = 1200 - 41

# What queues share that hold nothing, as most do for ever: nobody may put anything into these.
NO_DATAGRAMS: Final[list[bytes]] = []
NO_EVENTS: Final[list[Event]] = []


@final
class DatagramQueue(FrameSource):
    """Datagrams that wait to be sent, and to be fetched by the application.

    Args:
        local_limit: our max_datagram_frame_size; 0 if we do not take datagrams.

    Attributes:
        dropped_sent, dropped_received: datagrams that were dropped from the queues.
    """

    __slots__ = (
        "_events",
        "_is_refused",
        "_local_limit",
        "_outgoing",
        "_peer_limit",
        "_received",
        "_room",
        "dropped_received",
        "dropped_sent",
        "has_events",
    )

    def __init__(self, local_limit: int) -> None:
        self.dropped_received = 0
        self.dropped_sent = 0
        self._local_limit = local_limit
        self._peer_limit = 0
        self._room = FIRST_ROOM
        self._outgoing = NO_DATAGRAMS
        self._received = NO_DATAGRAMS
        self._is_refused = False
        self._events = NO_EVENTS
        self.has_events = False

    def set_peer_limit(self, limit: int) -> None:
        """Take the peer's max_datagram_frame_size. RFC 9221 §3."""
        self._peer_limit = limit

    def set_room(self, room: int) -> None:
        """Take the frame bytes that a full packet holds on the present path."""
        self._room = room

    @property
    def max_size(self) -> int:
        """The largest datagram that can be sent now; 0 if none can."""
        space = min(self._peer_limit, self._room) - 1  # the frame type
        if space < 1:
            return 0
        return space - (1 if space <= 64 else 2 if space <= 16385 else 4)

    def send(self, data: bytes) -> bool:
        """Queue a datagram; False, and nothing done, when the queue is full.

        `DatagramsWritable` follows then.

        Raises:
            DatagramsUnavailable: the peer does not take datagrams, or not such large ones.
        """
        if not self._peer_limit:
            raise DatagramsUnavailable("the peer does not take datagrams")
        if len(data) > self.max_size:
            raise DatagramsUnavailable(f"a datagram of {len(data)} bytes, {self.max_size} fit")
        if len(self._outgoing) >= MAX_QUEUED:
            self._is_refused = True
            return False
        if self._outgoing:
            self._outgoing.append(bytes(data))
        else:
            self._outgoing = [bytes(data)]
        return True

    def receive(self, frame: DatagramFrame) -> None:
        """DATAGRAM, RFC 9221 §4.

        Raises:
            TransportError: PROTOCOL_VIOLATION, larger than advertised, or not advertised at all.
        """
        if frame.size() > self._local_limit:
            raise TransportError(
                PROTOCOL_VIOLATION,
                frame.type,
                f"a frame of {frame.size()} bytes, {self._local_limit} allowed",
            )
        if len(self._received) >= MAX_QUEUED:
            del self._received[0]
            self.dropped_received += 1
        self.has_events = True
        if self._received:
            self._received.append(frame.data)
        else:
            self._received = [frame.data]

    def drain_events(self) -> list[Event]:
        """What happened since the last call."""
        if not self.has_events:
            return []
        self.has_events = False
        events = [*self._events, *[DatagramReceived(data) for data in self._received]]
        self._events = NO_EVENTS
        self._received = NO_DATAGRAMS
        return events

    def has_frames(self, space: int) -> bool:
        return bool(self._outgoing) and space == spaces.APPLICATION

    def write_frames(self, builder: PacketBuilder) -> None:
        outgoing = self._outgoing
        count = 0
        for data in outgoing:
            if len(data) > self.max_size:
                self.dropped_sent += 1  # the path has become smaller
            else:
                has_length = builder.room != 1 + len(data)
                if not builder.append(DatagramFrame(data, has_length), self):
                    break
            count += 1
        self._forget_sent(count)

    def fill_packets(self, room: int, count: int) -> Sequence[DatagramFrame]:
        outgoing = self._outgoing
        frames: list[DatagramFrame] = []
        for data, following in pairwise(outgoing):
            size = len(data)
            frame = DatagramFrame(data, room != 1 + size)
            taken = frame.size()
            if (
                len(frames) == count
                or size > self.max_size
                or taken > room
                or taken + 1 + len(following) <= room  # they may share a packet
            ):
                break
            frames.append(frame)
        self._forget_sent(len(frames))
        return frames

    def _forget_sent(self, count: int) -> None:
        """The first datagrams are on their way, or dropped."""
        outgoing = self._outgoing
        del outgoing[:count]
        if self._is_refused and len(outgoing) <= LOW_WATER:
            self._is_refused = False
            self._events = [DatagramsWritable()]
            self.has_events = True
