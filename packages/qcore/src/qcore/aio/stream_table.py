"""Turns the events of a connection into stream objects and a queue of datagrams.

What a connection uses unless a protocol is attached to it instead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from ..errors import EarlyDataRejected, StreamError, StreamLimitReached
from ..events import (
    ConnectionEnded,
    DatagramReceived,
    DatagramsWritable,
    EarlyDataDecided,
    Event,
    StreamFinished,
    StreamOpened,
    StreamReadable,
    StreamReset,
    StreamsAvailable,
    StreamStopped,
    StreamWritable,
)
from .signal import Signal
from .stream import BaseStream, ReceiveStream, SendStream, Stream
from .stream_host import StreamHost

# Datagrams that wait for the application, a few bursts; beyond it the oldest go, as they would on a full link.
MAX_DATAGRAMS: Final = 1024


class StreamTable:
    """Streams and datagrams of one connection."""

    def __init__(self, host: StreamHost) -> None:
        self._host = host
        self._streams: dict[int, BaseStream] = {}
        self._opened: deque[Stream] = deque()
        self._opened_uni: deque[ReceiveStream] = deque()
        self._datagrams: deque[bytes] = deque(maxlen=MAX_DATAGRAMS)
        self._arrival = Signal()
        self._uni_arrival = Signal()
        self._credit = Signal()
        self._datagram_arrival = Signal()
        self._datagram_room = Signal()

    def on_events(self, events: list[Event]) -> bool:
        """Events of one wake-up; tells whether a task was woken."""
        woken = False
        for event in events:
            if self._on_event(event):
                woken = True
        return woken

    def _on_event(self, event: Event) -> bool:
        if isinstance(event, StreamReadable):
            stream = self._streams.get(event.stream_id)
            return stream is not None and stream.on_readable()
        if isinstance(event, StreamWritable):
            stream = self._streams.get(event.stream_id)
            return stream is not None and stream.on_writable()
        if isinstance(event, StreamFinished):
            stream = self._streams.get(event.stream_id)
            return stream is not None and stream.on_acked()
        if isinstance(event, StreamOpened):
            return self._on_opened(event.stream_id)
        if isinstance(event, DatagramReceived):
            self._datagrams.append(event.data)
            return self._datagram_arrival.notify()
        if isinstance(event, StreamReset):
            stream = self._streams.get(event.stream_id)
            return stream is not None and stream.on_reset(StreamError(event.stream_id, event.code))
        if isinstance(event, StreamStopped):
            stream = self._streams.get(event.stream_id)
            return stream is not None and stream.on_stopped(
                StreamError(event.stream_id, event.code), event.code
            )
        if isinstance(event, StreamsAvailable):
            return self._credit.notify()
        if isinstance(event, DatagramsWritable):
            return self._datagram_room.notify()
        if isinstance(event, EarlyDataDecided) and not event.accepted:
            return self._on_early_data_rejected()
        if isinstance(event, ConnectionEnded):
            return self._on_ended()
        return False

    def _on_opened(self, stream_id: int) -> bool:
        if stream_id & 2:  # RFC 9000 §2.1: unidirectional
            uni = ReceiveStream(self._host, stream_id, can_send=False)
            self._streams[stream_id] = uni
            self._opened_uni.append(uni)
            return self._uni_arrival.notify()
        stream = Stream(self._host, stream_id)
        self._streams[stream_id] = stream
        self._opened.append(stream)
        return self._arrival.notify()

    def _on_early_data_rejected(self) -> bool:
        # RFC 9001 §4.6.2: what was opened early is gone, and its numbers will be used again.
        error = EarlyDataRejected("the server did not accept early data")
        woken = False
        early = list(self._streams.values())
        self._streams.clear()
        for stream in early:
            woken = stream.on_reset(error) or woken
            woken = stream.on_stopped(error) or woken
        return woken

    def _on_ended(self) -> bool:
        error = self._host.ended_by()
        assert error is not None, "the connection records its end before it passes it on"
        woken = False
        streams = list(self._streams.values())
        self._streams.clear()
        for stream in streams:
            woken = stream.on_ended(error) or woken
        signals = (
            self._arrival,
            self._uni_arrival,
            self._credit,
            self._datagram_arrival,
            self._datagram_room,
        )
        for signal in signals:
            woken = signal.notify() or woken
        return woken

    def forget(self, stream_id: int) -> None:
        """Both directions of the stream are over."""
        self._streams.pop(stream_id, None)

    # Verbs

    async def open(self) -> Stream:
        """Open a bidirectional stream; waits while the peer allows no more."""
        stream = Stream(self._host, await self._next_id(True))
        self._streams[stream.id] = stream
        return stream

    async def open_uni(self) -> SendStream:
        """Open a unidirectional stream; waits while the peer allows no more."""
        stream = SendStream(self._host, await self._next_id(False), can_receive=False)
        self._streams[stream.id] = stream
        return stream

    async def _next_id(self, bidirectional: bool) -> int:
        while True:
            self._raise_if_ended()
            try:
                return self._host.transport.open_stream(bidirectional)
            except StreamLimitReached:
                self._host.flush()  # STREAMS_BLOCKED
                await self._credit.wait()

    async def streams(self) -> AsyncIterator[Stream]:
        while True:
            while self._opened:
                yield self._opened.popleft()
            if self._is_over():
                return
            await self._arrival.wait()

    async def uni_streams(self) -> AsyncIterator[ReceiveStream]:
        while True:
            while self._opened_uni:
                yield self._opened_uni.popleft()
            if self._is_over():
                return
            await self._uni_arrival.wait()

    async def datagrams(self) -> AsyncIterator[bytes]:
        while True:
            while self._datagrams:
                yield self._datagrams.popleft()
            if self._is_over():
                return
            await self._datagram_arrival.wait()

    async def send_datagram(self, data: bytes) -> None:
        """Queue a datagram; waits while the queue is full."""
        while not self.try_send_datagram(data):
            await self._datagram_room.wait()

    def try_send_datagram(self, data: bytes) -> bool:
        """Queue a datagram; False when the queue is full."""
        self._raise_if_ended()
        if not self._host.transport.send_datagram(data):
            return False
        self._host.flush()
        return True

    def _raise_if_ended(self) -> None:
        error = self._host.ended_by()
        if error is not None:
            raise error

    def _is_over(self) -> bool:
        """Whether the connection has ended; raises when it ended with an error."""
        error = self._host.ended_by()
        if error is not None and not self._host.is_clean:
            raise error
        return error is not None
