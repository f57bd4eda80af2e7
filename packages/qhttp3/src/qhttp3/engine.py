"""HTTP/3 over one connection, without I/O.

`H3Engine` is an assembly: it routes what the transport reports to the part that owns the stream, and turns a
violation into a close or a reset. The rules are in the parts. RFC 9114.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from qhttp3.config import H3Config
from qhttp3.control_plane import ControlPlane
from qhttp3.datagrams import encode_datagram, parse_datagram
from qhttp3.ending import VIOLATIONS, Ending
from qhttp3.errors import (
    H3_NO_ERROR,
    H3_REQUEST_CANCELLED,
    ConnectionViolation,
    GoingAway,
    UsageError,
)
from qhttp3.events import (
    Field,
    H3Event,
    HttpDatagramReceived,
    SendingStopped,
)
from qhttp3.opening import Opening
from qhttp3.outgoing import asks_for_head, prepare_request, prepare_response, prepare_trailers
from qhttp3.request_stream import RequestStream
from qhttp3.request_table import RequestTable
from qhttp3.settings import H3Settings
from qhttp3.transport import EndedTransport, StreamTransport, is_unidirectional
from qhttp3.webtransport import is_offered

if TYPE_CHECKING:
    from qhttp3.observer import Observer
    from qhttp3.response_order import ResponseOrder
    from qhttp3.session_streams import SessionStreams


class H3Engine:
    """One side of an HTTP/3 connection.

    Feed it what the transport reports; take `events` after every input, which also sends what is due. Nothing
    escapes the input methods: a violation becomes a close and the event `ConnectionFailed`, or a reset and
    `RequestFailed`. Verbs raise `UsageError`.

    ``remembered`` are the server's settings of an earlier connection, for requests in early data.
    """

    def __init__(
        self,
        transport: StreamTransport,
        *,
        is_client: bool,
        config: H3Config | None = None,
        observer: Observer | None = None,
        remembered: H3Settings | None = None,
    ) -> None:
        self.config = config if config is not None else H3Config()
        self.is_client = is_client
        self._transport: StreamTransport = transport
        if observer is not None:
            from qhttp3.guard import Guard  # most connections are not watched

            observer = Guard(observer)
        self._observer = observer
        self._events: list[H3Event] = []
        self._requests = RequestTable()
        self._under_way = self._requests.under_way
        takes_sessions = is_offered(self.config.settings)
        self._sessions: SessionStreams | None = None
        if takes_sessions:
            from qhttp3.session_streams import SessionStreams  # most connections have none

            self._sessions = SessionStreams(transport, self._events.append)
        self._order = None if is_client else _response_order(transport, self._requests)
        self._plane = ControlPlane(
            transport,
            is_client,
            self.config,
            self._events.append,
            observer,
            remembered,
            self._sessions,
            None if self._order is None else self._order.on_update,
        )
        self._opening = Opening(
            transport,
            is_client,
            self._requests,
            self._plane,
            self._events.append,
            observer,
            self.config.settings.enable_connect_protocol,
            takes_sessions,
            None if self._order is None else self._order.on_request,
        )
        self._ending = Ending(transport, is_client, self._requests, self._events.append, observer)
        self._is_ended = False  # by the transport

    # Input

    def start(self) -> None:
        """Open our unidirectional streams and send SETTINGS; streams must be possible, handshake or early data."""
        self._plane.start()

    def stream_readable(self, stream_id: int) -> None:
        """Something can be read from a stream."""
        if self._ending.is_closed:
            return
        stream = self._under_way.get(stream_id)
        try:
            if stream is None:
                if self._sessions is not None and stream_id in self._sessions:
                    self._sessions.on_readable(stream_id)
                    return
                if is_unidirectional(stream_id):
                    self._read_peer_stream(stream_id)
                    return
                stream = self._opening.accept(stream_id)
                if stream is None:
                    return
            stream.on_readable()
            if stream.is_received and stream.is_sent:
                self._forget(stream)
        except VIOLATIONS as violation:
            self._ending.refuse(violation, stream)

    def stream_reset(self, stream_id: int, code: int) -> None:
        """The peer abandoned its half of a stream."""
        if self._ending.is_closed:
            return
        if self._sessions is not None and stream_id in self._sessions:
            self._sessions.on_reset(stream_id, code)
            return
        stream = self._under_way.get(stream_id)
        try:
            if is_unidirectional(stream_id) or self._opening.is_of_session(stream_id):
                self._plane.on_reset(stream_id)
            elif stream is None:
                stream = self._opening.accept(stream_id)
        except ConnectionViolation as violation:
            self._ending.fail(violation.code, violation.reason)
        if stream is not None and not stream.is_received:
            self._plane.decoder.cancel(stream_id)
            stream.abandon()
            stream.reset(H3_REQUEST_CANCELLED)
            self._ending.end_request(stream, code, "reset by the peer", False)

    def stream_stopped(self, stream_id: int, code: int) -> None:
        """The peer reads no more of our half; the transport has reset it."""
        if self._ending.is_closed:
            return
        if self._sessions is not None and stream_id in self._sessions:
            self._sessions.on_stopped(stream_id, code)
            return
        if is_unidirectional(stream_id):
            try:
                self._plane.on_stopped(stream_id)
            except ConnectionViolation as violation:
                self._ending.fail(violation.code, violation.reason)
            return
        stream = self._under_way.get(stream_id)
        if stream is None and (
            self._opening.is_of_session(stream_id) if self.is_client else self._requests.is_new(stream_id)
        ):
            # It comes before what it is about is known.
            self.stream_readable(stream_id)
            stream = self._under_way.get(stream_id)
            if stream is None and self._sessions is not None:
                self._sessions.on_stopped(stream_id, code)
        if stream is not None and not stream.is_sent:
            stream.on_stopped(code)
            self._events.append(SendingStopped(stream_id, code))
            self._forget_if_done(stream)

    def stream_writable(self, stream_id: int) -> None:
        """The transport has room again on a stream."""
        stream = self._under_way.get(stream_id)
        if self._ending.is_closed:
            return
        if stream is not None:
            stream.on_writable()
        elif self._sessions is not None and stream_id in self._sessions:
            self._sessions.on_writable(stream_id)

    def streams_available(self, bidirectional: bool) -> None:
        """The transport allows further streams."""
        if self._ending.is_closed:
            return
        if not bidirectional:
            if self._plane.is_started:
                self._plane.start()
        else:
            self._opening.on_streams_available()

    def datagram_received(self, datagram: bytes) -> None:
        """A QUIC datagram arrived (RFC 9297)."""
        if self._ending.is_closed or not self.config.settings.h3_datagram:
            return
        try:
            stream_id, data = parse_datagram(datagram)
        except ConnectionViolation as violation:
            self._ending.fail(violation.code, violation.reason)
            return
        if self._observer is not None:
            self._observer.datagram_parsed(stream_id, len(data))
        if self._under_way.get(stream_id) is not None:
            self._events.append(HttpDatagramReceived(stream_id, data))

    def connection_ended(self) -> None:
        """The connection is over: nothing can be sent, but what has arrived is still handed out."""
        if not self._is_ended:
            self._is_ended = True
            self._transport = EndedTransport(self._transport)
            self._plane.replace_transport(self._transport)
            self._ending.transport = self._opening.transport = self._transport
            if self._order is not None:
                self._order.transport = self._transport
            for stream in self._requests:
                stream.transport = self._transport
            if self._sessions is not None:
                self._sessions.transport = self._transport

    # Output

    def events(self) -> list[H3Event]:
        """Hand out what happened, and send what is due on the decoder stream."""
        plane = self._plane
        decoder = plane.used_decoder
        is_due = (decoder is not None and decoder.is_due) or plane.local.overrun is not None
        if is_due and not self._ending.is_closed:
            try:
                self._plane.flush()
            except ConnectionViolation as violation:
                self._ending.fail(violation.code, violation.reason)
        if not self._events:
            return []
        events = self._events.copy()
        self._events.clear()
        return events

    @property
    def peer_settings(self) -> H3Settings | None:
        """The peer's SETTINGS; None until they arrive."""
        return self._plane.peer_settings

    @property
    def sessions(self) -> SessionStreams:
        """The streams of WebTransport sessions.

        Raises:
            UsageError: our settings do not offer WebTransport.
        """
        if self._sessions is None:
            raise UsageError("our settings offer no WebTransport")
        return self._sessions

    @property
    def request_count(self) -> int:
        """Requests under way."""
        return len(self._requests)

    def has_request(self, stream_id: int) -> bool:
        """Whether a request is under way, in either direction."""
        return self._under_way.get(stream_id) is not None

    def may_have_request(self, stream_id: int) -> bool:
        """Whether a request is under way, or has not arrived yet."""
        return self.has_request(stream_id) or (not self.is_client and self._requests.is_new(stream_id))

    def is_sent(self, stream_id: int) -> bool:
        """Whether our half of a request is complete or given up."""
        stream = self._under_way.get(stream_id)
        return stream is None or stream.is_sent

    @property
    def is_going_away(self) -> bool:
        """Whether either side has sent GOAWAY, or the connection is over."""
        plane = self._plane
        return (
            self._ending.is_closed or self._is_ended or plane.goaway_received >= 0 or plane.goaway_sent >= 0
        )

    @property
    def is_closed(self) -> bool:
        """Whether the connection is over, by this side or as reported by the transport."""
        return self._ending.is_closed or self._is_ended

    # Verbs

    def send_request(
        self, fields: Iterable[Field], end: bool = False, *, priority_update: bytes | None = None
    ) -> int | None:
        """Send the head of a request.

        Returns:
            The stream id; None if the peer allows no further request now: wait for `RequestsAvailable`.

        Raises:
            MalformedMessage: the fields are no request, or too many for the peer.
            GoingAway: the connection takes no further requests.
        """
        if not self.is_client:
            raise UsageError("servers send no requests")
        if self._ending.is_closed or self._is_ended or self._plane.goaway_received >= 0:
            raise GoingAway("the connection takes no further requests")
        prepared = prepare_request(fields, self.config.pseudo_order, self._plane.usable_settings)
        stream = self._opening.open()
        if stream is None:
            return None
        stream_id = stream.stream_id
        if priority_update is not None or self.config.priority_update is not None:
            self._plane.announce(stream_id, prepared, priority_update)
        stream.has_sent_head = True
        stream.is_head_request = asks_for_head(prepared)
        stream.send_headers(prepared, end)
        return stream_id

    def send_headers(self, stream_id: int, fields: Iterable[Field], end: bool = False) -> None:
        """Send the head of a response, interim (1xx) or final, or the trailers of either message.

        Raises:
            MalformedMessage: fields that must not be sent there.
            UsageError: no such request, or its message is over.
        """
        stream = self._stream(stream_id)
        if stream.has_sent_head:
            stream.send_headers(prepare_trailers(fields, self._plane.usable_settings), True)
        else:
            prepared, is_final = prepare_response(fields, self._plane.usable_settings)
            stream.send_headers(prepared, end and is_final)
            stream.has_sent_head = is_final
        self._forget_if_done(stream)

    def respond(self, stream_id: int, fields: Iterable[Field], data: bytes) -> int:
        """Send a final response with a body that is there, and end it.

        Returns:
            Bytes taken of the body; if fewer than given, go on with `send_data` when `BodyWritable` tells.

        Raises:
            MalformedMessage: fields that must not be sent there.
            UsageError: no such request, or its response has begun.
        """
        stream = self._stream(stream_id)
        if stream.has_sent_head:
            raise UsageError(f"the response on stream {stream_id} has begun")
        prepared, is_final = prepare_response(fields, self._plane.usable_settings)
        if not is_final:
            raise UsageError("an interim response has no body")
        stream.has_sent_head = True
        taken = stream.send_message(prepared, data)
        if stream.is_received and stream.is_sent:
            self._forget(stream)
        return taken

    def send_data(self, stream_id: int, data: bytes, end: bool = False) -> int:
        """Send part of a body.

        Returns:
            Bytes taken; if fewer than given, ``end`` does not count and `BodyWritable` tells when to go on.
        """
        stream = self._stream(stream_id)
        taken = stream.send_data(data, end)
        if stream.is_received and stream.is_sent:
            self._forget(stream)
        return taken

    def read_body(self, stream_id: int, n: int = -1) -> tuple[bytes, bool]:
        """Take up to ``n`` bytes of a body, or all that has arrived; and whether the message has ended.

        An empty result without end means to wait for `DataReadable`, unless the request failed, which an event
        tells. A request that is over counts as ended.
        """
        stream = self._under_way.get(stream_id)
        if stream is None:
            return b"", True
        if self._ending.is_closed:
            return b"", False
        try:
            data, end = stream.read_body(n)
        except VIOLATIONS as violation:
            self._ending.refuse(violation, stream)
            return b"", False
        if end and stream.is_sent:
            self._forget(stream)
        return data, end

    def stop_reading(self, stream_id: int, code: int = H3_NO_ERROR) -> None:
        """Want no more of a message; what we send goes on (RFC 9114 §4.1)."""
        stream = self._under_way.get(stream_id)
        if stream is not None and not self._ending.is_closed:
            stream.stop_reading(code)
            self._forget_if_done(stream)

    def cancel(self, stream_id: int, code: int = H3_REQUEST_CANCELLED) -> None:
        """Give up a request in both directions."""
        stream = self._under_way.get(stream_id)
        if stream is not None:
            self._requests.finish(stream)
            if not self._ending.is_closed:
                stream.stop_reading(code)
                stream.reset(code)

    def send_priority_update(self, stream_id: int, value: bytes) -> None:
        """Tell the server the priority of a request (RFC 9218 §7.2)."""
        self._plane.send_priority_update(stream_id, value)

    def send_datagram(self, stream_id: int, data: bytes) -> bool:
        """Send an HTTP datagram; False if it was dropped (RFC 9297)."""
        self._stream(stream_id)
        if self.peer_settings is None or not self.peer_settings.h3_datagram:
            raise UsageError("the peer takes no HTTP datagrams")
        if self._observer is not None:
            self._observer.datagram_created(stream_id, len(data))
        return self._transport.send_datagram(encode_datagram(stream_id, data))

    def open_session_stream(self, session_id: int, bidirectional: bool = True) -> int:
        """Open a stream of a WebTransport session; the rest is up to `sessions`.

        Raises:
            UsageError: there is no such session.
            RuntimeError: the peer allows no further stream now.
        """
        self._stream(session_id)
        stream_id = self.sessions.open(session_id, bidirectional)
        if bidirectional and self.is_client:
            self._requests.note(stream_id)
        return stream_id

    def goaway(self, identifier: int | None = None) -> None:
        """Wind the connection down (RFC 9114 §5.2).

        A server refuses requests from ``identifier`` on, by default those it has not seen; a client names a push
        and so says only that it will send no more.
        """
        if self._ending.is_closed:
            return
        if identifier is None:
            identifier = 0 if self.is_client else self._requests.next_id
        self._plane.send_goaway(identifier)

    def close(self, code: int = H3_NO_ERROR, reason: str = "") -> None:
        """Close the connection at once."""
        self._ending.close(code, reason)

    def abandon(self) -> None:
        """Forget everything without a word: the transport has forgotten it too, as when it refused early data."""
        self._ending.is_closed = True
        self._requests.clear()

    # Inside

    def _stream(self, stream_id: int) -> RequestStream:
        stream = self._under_way.get(stream_id)
        if stream is None or self._ending.is_closed or self._is_ended:
            raise UsageError(f"no request on stream {stream_id}, or it is over")
        return stream

    def _read_peer_stream(self, stream_id: int) -> None:
        goaway = self._plane.goaway_received
        for blocked_id in self._plane.read(stream_id):
            stream = self._under_way.get(blocked_id)
            if stream is not None:
                try:
                    stream.on_unblocked()
                    self._forget_if_done(stream)
                except VIOLATIONS as violation:
                    self._ending.refuse(violation, stream)
        if self.is_client and self._plane.goaway_received != goaway:
            self._ending.turn_away(self._plane.goaway_received)

    def _forget_if_done(self, stream: RequestStream) -> None:
        if stream.is_received and stream.is_sent:
            self._forget(stream)

    def _forget(self, stream: RequestStream) -> None:
        # Both halves are over, or it was no request.
        self._requests.finish(stream)
        if stream.session_id >= 0 and self._sessions is not None:
            self._sessions.accept(stream.stream_id, stream.session_id, *stream.rest)
            if stream.stop_code >= 0:
                self._sessions.on_stopped(stream.stream_id, stream.stop_code)


def _response_order(transport: StreamTransport, requests: RequestTable) -> ResponseOrder:
    from qhttp3.response_order import ResponseOrder  # clients answer nobody

    return ResponseOrder(transport, requests)
