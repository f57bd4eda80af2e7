"""Two ends of a connection joined in memory, for tests of HTTP/3 without a transport underneath.

`MemoryTransport` keeps to what `StreamTransport` promises, back-pressure included; `Pair` puts an engine on each
end. Delivery is in whole or in pieces whose sizes the caller chooses, so that a seeded choice can be tried on many
seeds.
"""

from __future__ import annotations

from collections.abc import Callable

from qhttp3.config import H3Config
from qhttp3.engine import H3Engine
from qhttp3.events import H3Event
from qhttp3.observer import Observer
from qhttp3.settings import H3Settings


class _Incoming:
    __slots__ = ("data", "end", "is_signalled", "is_stopped", "reset_code")

    def __init__(self) -> None:
        self.data = bytearray()
        self.end = False
        self.is_signalled = False
        self.is_stopped = False
        self.reset_code: int | None = None


class _Outgoing:
    __slots__ = ("data", "end", "is_reset", "is_short", "reset_code")

    def __init__(self) -> None:
        self.data = bytearray()
        self.end = False
        self.is_short = False
        self.is_reset = False
        self.reset_code: int | None = None


class MemoryTransport:
    """One end. ``window`` is what the other end may hold unread per stream, ``send_buffer`` what may wait here."""

    def __init__(self, is_client: bool, *, window: int = 1 << 20, send_buffer: int = 1 << 16) -> None:
        self.is_client = is_client
        self.window = window
        self.send_buffer = send_buffer
        self.max_bidi = 1 << 30
        self.max_uni = 1 << 30
        self.closed: tuple[int, str] | None = None
        self.stopped: dict[int, int] = {}  # stream id: code we asked the peer to stop with
        self.resets: dict[int, int] = {}  # stream id: code we reset it with
        self.datagrams: list[bytes] = []
        self.incoming: dict[int, _Incoming] = {}
        self.outgoing: dict[int, _Outgoing] = {}
        self.priorities: dict[int, tuple[int, bool]] = {}  # stream id: urgency, and whether incremental
        self._opened = [0, 0]
        self._stops: list[tuple[int, int]] = []

    # StreamTransport

    def open_stream(self, bidirectional: bool = True) -> int:
        kind = 0 if bidirectional else 1
        if self._opened[kind] >= (self.max_bidi if bidirectional else self.max_uni):
            raise RuntimeError("stream limit reached")
        stream_id = self._opened[kind] * 4 + kind * 2 + (0 if self.is_client else 1)
        self._opened[kind] += 1
        self.outgoing[stream_id] = _Outgoing()
        if bidirectional:
            self.incoming[stream_id] = _Incoming()
        return stream_id

    def send(self, stream_id: int, data: bytes, fin: bool = False) -> None:
        stream = self.outgoing[stream_id]
        if stream.end or stream.is_reset:
            raise RuntimeError(f"stream {stream_id} takes no further data")
        stream.data += data
        stream.end = fin

    def send_capacity(self, stream_id: int) -> int:
        stream = self.outgoing[stream_id]
        capacity = self.send_buffer - len(stream.data)
        if capacity <= 0:
            stream.is_short = True
        return capacity

    def read(self, stream_id: int, n: int = -1) -> tuple[bytes, bool]:
        stream = self.incoming[stream_id]
        size = len(stream.data) if n < 0 else min(n, len(stream.data))
        data = bytes(stream.data[:size])
        del stream.data[:size]
        if not stream.data:
            stream.is_signalled = False
        return data, stream.end and not stream.data

    def reset(self, stream_id: int, code: int) -> None:
        stream = self.outgoing[stream_id]
        if stream.is_reset:
            raise RuntimeError(f"stream {stream_id} was reset before")
        stream.is_reset = True
        stream.reset_code = code
        stream.data.clear()
        self.resets[stream_id] = code

    def stop_sending(self, stream_id: int, code: int) -> None:
        stream = self.incoming[stream_id]
        stream.is_stopped = True
        stream.data.clear()
        self.stopped[stream_id] = code
        self._stops.append((stream_id, code))

    def set_priority(self, stream_id: int, urgency: int, incremental: bool) -> None:
        self.priorities[stream_id] = (urgency, incremental)

    def send_datagram(self, data: bytes) -> bool:
        self.datagrams.append(data)
        return True

    def close(self, code: int = 0, reason: str = "", *, application: bool = True) -> None:
        if self.closed is None:
            self.closed = (code, reason)

    # Delivery

    def deliver(self, peer: MemoryTransport, engine: H3Engine | None, size_of: Callable[[int], int]) -> bool:
        """Bring to ``peer``, and its engine, what waits here; False if nothing did."""
        moved = False
        for stream_id in list(self.outgoing):
            out = self.outgoing[stream_id]
            moved |= self._deliver_stream(stream_id, out, peer, engine, size_of)
        stops, self._stops = self._stops, []
        for stream_id, code in stops:
            theirs = peer.outgoing.get(stream_id)
            if theirs is not None and not theirs.is_reset and not (theirs.end and not theirs.data):
                theirs.is_reset = True
                theirs.data.clear()
                moved = True
                if engine is not None:
                    engine.stream_stopped(stream_id, code)
        datagrams, self.datagrams = self.datagrams, []
        for data in datagrams:
            moved = True
            if engine is not None:
                engine.datagram_received(data)
        return moved

    def _deliver_stream(
        self,
        stream_id: int,
        out: _Outgoing,
        peer: MemoryTransport,
        engine: H3Engine | None,
        size_of: Callable[[int], int],
    ) -> bool:
        their_own = stream_id & 2 != 0
        incoming = peer.incoming.get(stream_id)
        if incoming is None:
            if not out.data and not out.end and not out.is_reset:
                return False
            incoming = peer.incoming[stream_id] = _Incoming()
            if not their_own:
                peer.outgoing[stream_id] = _Outgoing()
        if incoming.end or incoming.reset_code is not None:
            return False
        if out.reset_code is not None:
            incoming.reset_code = out.reset_code
            incoming.data.clear()
            if engine is not None and not incoming.is_stopped:
                engine.stream_reset(stream_id, out.reset_code)
            return True
        room = peer.window - len(incoming.data)
        size = min(size_of(len(out.data)), room) if out.data else 0
        if size <= 0 and not (out.end and not out.data):
            return False
        piece = bytes(out.data[:size])
        del out.data[:size]
        incoming.end = out.end and not out.data
        if not incoming.is_stopped:
            incoming.data += piece
            if engine is not None and not incoming.is_signalled:
                incoming.is_signalled = True
                engine.stream_readable(stream_id)
        return True

    def report_room(self, engine: H3Engine | None) -> bool:
        """Tell the engine of streams that have room again."""
        moved = False
        for stream_id, out in list(self.outgoing.items()):
            if out.is_short and not out.end and not out.is_reset and len(out.data) * 2 <= self.send_buffer:
                out.is_short = False
                if engine is not None:
                    engine.stream_writable(stream_id)
                    moved = True
        return moved


class Pair:
    """A client engine and a server engine; either can be left out to act in its place on the transport.

    ``size_of`` chooses how much of what waits on a stream is delivered next, at least one byte; all by default.
    """

    def __init__(
        self,
        client: H3Config | None = None,
        server: H3Config | None = None,
        *,
        size_of: Callable[[int], int] | None = None,
        with_client: bool = True,
        with_server: bool = True,
        window: int = 1 << 20,
        send_buffer: int = 1 << 16,
        client_observer: Observer | None = None,
        server_observer: Observer | None = None,
        remembered: H3Settings | None = None,
    ) -> None:
        self.client_transport = MemoryTransport(True, window=window, send_buffer=send_buffer)
        self.server_transport = MemoryTransport(False, window=window, send_buffer=send_buffer)
        self.client = H3Engine(
            self.client_transport,
            is_client=True,
            config=client,
            observer=client_observer,
            remembered=remembered,
        )
        self.server = H3Engine(
            self.server_transport, is_client=False, config=server, observer=server_observer
        )
        self.client_events: list[H3Event] = []
        self.server_events: list[H3Event] = []
        self._client = self.client if with_client else None
        self._server = self.server if with_server else None
        self._size = size_of if size_of is not None else int
        for engine in (self._client, self._server):
            if engine is not None:
                engine.start()

    def step(self) -> bool:
        """Deliver once in each direction; False if there was nothing to do."""
        moved = self.client_transport.deliver(self.server_transport, self._server, self._size)
        moved |= self.server_transport.deliver(self.client_transport, self._client, self._size)
        self._collect()
        moved |= self.client_transport.report_room(self._client)
        moved |= self.server_transport.report_room(self._server)
        self._collect()
        return moved

    def run(self) -> None:
        """Deliver until nothing moves."""
        while self.step():
            pass

    def _collect(self) -> None:
        if self._client is not None:
            self.client_events += self._client.events()
        if self._server is not None:
            self.server_events += self._server.events()
