"""Streams that belong to WebTransport sessions: whose they are, and what the application makes of them.

They carry no HTTP: behind a prefix that names the session, all bytes are the application's.
draft-ietf-webtrans-http3 §4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from qhttp3.errors import H3_ID_ERROR, ConnectionViolation
from qhttp3.events import (
    H3Event,
    SessionStreamOpened,
    SessionStreamReadable,
    SessionStreamReset,
    SessionStreamStopped,
    SessionStreamWritable,
)
from qhttp3.transport import StreamTransport, is_request_stream
from qhttp3.webtransport import decode_code, encode_code, stream_prefix

# Streams that were stopped before they said whose they are: the newest are remembered.
MAX_STOPS: Final = 128


class SessionStreams:
    """The streams of all sessions of a connection, from their opening until `forget`.

    Attributes:
        transport: May be exchanged.
    """

    __slots__ = ("_beginnings", "_emit", "_prefixes", "_stops", "transport")

    def __init__(self, transport: StreamTransport, emit: Callable[[H3Event], None]) -> None:
        self.transport = transport
        self._emit = emit
        self._prefixes: dict[int, int] = {}  # bytes in front of what the application sends, by stream id
        self._stops: dict[int, int] = {}  # that came before the prefix
        self._beginnings: dict[int, tuple[bytes, bool]] = {}  # read together with the prefix

    def __contains__(self, stream_id: int) -> bool:
        return stream_id in self._prefixes

    def open(self, session_id: int, bidirectional: bool) -> int:
        """Open a stream for a session.

        Raises:
            RuntimeError: the peer allows no further stream now.
        """
        stream_id = self.transport.open_stream(bidirectional)
        prefix = stream_prefix(session_id, bidirectional)
        self._prefixes[stream_id] = len(prefix)
        self.transport.send(stream_id, prefix)
        return stream_id

    def accept(self, stream_id: int, session_id: int, data: bytes, end: bool) -> None:
        """The peer has opened one; ``data`` came with the prefix, and ``end`` if that is all.

        Raises:
            ConnectionViolation: no session can have this id (§4).
        """
        if not is_request_stream(session_id):
            raise ConnectionViolation(H3_ID_ERROR, f"stream {stream_id} is of session {session_id}")
        self._prefixes[stream_id] = 0
        if data or end:
            self._beginnings[stream_id] = data, end
        self._emit(SessionStreamOpened(stream_id, session_id))
        stop = self._stops.pop(stream_id, None)
        if stop is not None:
            self.on_stopped(stream_id, stop)

    def read(self, stream_id: int, n: int = -1) -> tuple[bytes, bool]:
        """Take up to ``n`` bytes, all that have arrived if negative; and whether the stream has ended with them."""
        beginning = self._beginnings.pop(stream_id, None)
        if beginning is None:
            return self.transport.read(stream_id, n)
        data, end = beginning
        if 0 <= n < len(data):
            self._beginnings[stream_id] = data[n:], end
            return data[:n], False
        if end or len(data) == n:
            return data, end
        more, end = self.transport.read(stream_id, n if n < 0 else n - len(data))
        return data + more, end

    def reset(self, stream_id: int, code: int) -> None:
        """Abandon sending, with a code of the application."""
        self.transport.reset(stream_id, encode_code(code))

    def stop_sending(self, stream_id: int, code: int) -> None:
        """Ask the peer to abandon sending, with a code of the application."""
        self._beginnings.pop(stream_id, None)
        self.transport.stop_sending(stream_id, encode_code(code))

    def prefix_size(self, stream_id: int) -> int:
        """How many bytes stand before what the application sends."""
        return self._prefixes.get(stream_id, 0)

    def forget(self, stream_id: int) -> None:
        """Both directions are over, or nobody wants them."""
        self._prefixes.pop(stream_id, None)
        self._stops.pop(stream_id, None)
        self._beginnings.pop(stream_id, None)

    # Reports of the transport

    def on_readable(self, stream_id: int) -> None:
        """There is something to read."""
        self._emit(SessionStreamReadable(stream_id))

    def on_writable(self, stream_id: int) -> None:
        """There is room again."""
        self._emit(SessionStreamWritable(stream_id))

    def on_reset(self, stream_id: int, code: int) -> None:
        """The peer abandoned its half."""
        self._emit(SessionStreamReset(stream_id, decode_code(code)))

    def on_stopped(self, stream_id: int, code: int) -> None:
        """The peer wants no more, perhaps of a stream that has not said yet whose it is."""
        if stream_id in self._prefixes:
            self._emit(SessionStreamStopped(stream_id, decode_code(code)))
        else:
            self._stops[stream_id] = code
            if len(self._stops) > MAX_STOPS:
                del self._stops[next(iter(self._stops))]
