"""The WebTransport sessions of one connection: which stream is whose, and what came before its session.

draft-ietf-webtrans-http3 §4.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

from qcore.events import (
    DatagramReceived,
    DatagramsWritable,
    Event,
    StreamFinished,
    StreamOpened,
    StreamReadable,
    StreamReset,
    StreamsAvailable,
    StreamStopped,
    StreamWritable,
)
from qhttp3.events import (
    H3Event,
    HttpDatagramReceived,
    SessionStreamOpened,
    SessionStreamReadable,
    SessionStreamReset,
    SessionStreamStopped,
    SessionStreamWritable,
)
from qhttp3.webtransport import BUFFERED_STREAM_REJECTED, SESSION_GONE

if TYPE_CHECKING:
    from qhttp3.aio.connection import H3Connection
    from qhttp3.aio.webtransport import WebTransportSession

SessionStreamEvent: TypeAlias = (
    SessionStreamReadable | SessionStreamWritable | SessionStreamReset | SessionStreamStopped
)
# Streams that wait for the requests of their sessions, which have been overtaken, or for an answer to them (§4.5).
MAX_WAITING: Final = 32


class SessionTable:
    """Brings events to sessions."""

    def __init__(self, connection: H3Connection) -> None:
        self._connection = connection
        self._sessions: dict[int, WebTransportSession] = {}
        self._owners: dict[int, WebTransportSession] = {}  # by stream
        self._waiting: dict[int, int] = {}  # sessions of streams that wait
        self._missed: dict[int, list[Event]] = {}  # and what has happened to these

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[WebTransportSession]:
        return iter(list(self._sessions.values()))

    def add(self, session: WebTransportSession) -> None:
        """A session stands; what came before it is brought to it."""
        self._sessions[session.id] = session
        for stream_id in self._streams_for(session.id):
            del self._waiting[stream_id]
            self.own(stream_id, session)
            session.on_events([StreamOpened(stream_id), *self._missed.pop(stream_id)])

    def own(self, stream_id: int, session: WebTransportSession) -> None:
        """A stream is a session's."""
        self._owners[stream_id] = session

    def disown(self, stream_id: int) -> None:
        """Nothing more will happen to a stream that anybody wants to hear of."""
        self._owners.pop(stream_id, None)
        self._connection.engine.sessions.forget(stream_id)

    def end(self, session_id: int) -> None:
        """A session is over, or will not be: its streams are abandoned (§6)."""
        session = self._sessions.pop(session_id, None)
        for stream_id in self._streams_for(session_id):
            del self._waiting[stream_id], self._missed[stream_id]
            self._abandon(stream_id, BUFFERED_STREAM_REJECTED)
        for stream_id in [known for known, owner in self._owners.items() if owner is session]:
            del self._owners[stream_id]
            self._abandon(stream_id, SESSION_GONE)

    def _streams_for(self, session_id: int) -> list[int]:
        return [stream_id for stream_id, wanted in self._waiting.items() if wanted == session_id]

    def _abandon(self, stream_id: int, code: int) -> None:
        connection = self._connection
        connection.engine.sessions.forget(stream_id)
        if connection.connection.is_closed:
            return
        transport = connection.connection.engine
        is_own = stream_id & 1 != transport.is_client
        if is_own or not stream_id & 2:
            transport.reset(stream_id, code)
        if not is_own or not stream_id & 2:
            transport.stop_sending(stream_id, code)

    # Events; each tells whether a task was woken.

    def on_event(self, event: H3Event) -> bool:
        """What the engine reports."""
        if isinstance(event, SessionStreamOpened):
            return self._on_opened(event.stream_id, event.session_id)
        if isinstance(event, HttpDatagramReceived):
            session = self._sessions.get(event.stream_id)
            return session is not None and session.on_events([DatagramReceived(event.data)])
        if isinstance(event, SessionStreamEvent):
            return self._on_stream(event.stream_id, _translated(event))
        return False

    def on_finished(self, event: StreamFinished) -> bool:
        """Everything that was sent on a stream has arrived."""
        owner = self._owners.get(event.stream_id)
        return owner is not None and owner.on_events([event])

    def on_room(self, event: StreamsAvailable | DatagramsWritable) -> bool:
        """There is room for whoever waits for it."""
        woken = False
        for session in list(self._sessions.values()):
            woken = session.on_events([event]) or woken
        return woken

    def _on_opened(self, stream_id: int, session_id: int) -> bool:
        session = self._sessions.get(session_id)
        if session is not None:
            self.own(stream_id, session)
            return session.on_events([StreamOpened(stream_id), StreamReadable(stream_id)])
        if not self._connection.engine.may_have_request(session_id):
            self._abandon(stream_id, SESSION_GONE)
        elif len(self._waiting) >= MAX_WAITING:
            self._abandon(stream_id, BUFFERED_STREAM_REJECTED)
        else:
            self._waiting[stream_id] = session_id
            self._missed[stream_id] = [StreamReadable(stream_id)]
        return False

    def _on_stream(self, stream_id: int, event: Event) -> bool:
        owner = self._owners.get(stream_id)
        if owner is not None:
            return owner.on_events([event])
        missed = self._missed.get(stream_id)
        if missed is not None and isinstance(event, StreamReset | StreamStopped):
            missed.append(event)
        return False


def _translated(event: SessionStreamEvent) -> Event:
    """What a stream hears of it; a code that is no application's is told as 0."""
    if isinstance(event, SessionStreamReadable):
        return StreamReadable(event.stream_id)
    if isinstance(event, SessionStreamWritable):
        return StreamWritable(event.stream_id)
    if isinstance(event, SessionStreamReset):
        return StreamReset(event.stream_id, event.code or 0)
    return StreamStopped(event.stream_id, event.code or 0)
