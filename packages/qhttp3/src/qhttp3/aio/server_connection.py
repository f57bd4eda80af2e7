"""One connection of a server, and the requests that arrive on it.

Apart from the server as a whole, since every request passes through here. RFC 9114.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from qcore.aio.connection import Connection
from qcore.errors import StreamError
from qhttp3.aio.connection import READ_SIZE, Exchange, H3Connection
from qhttp3.aio.fields import Headers
from qhttp3.config import H3Config
from qhttp3.errors import H3_INTERNAL_ERROR, H3_NO_ERROR, H3_REQUEST_CANCELLED, UsageError
from qhttp3.events import Field, HeadersReceived
from qhttp3.webtransport import (
    DRAFT_02_REQUEST,
    DRAFT_02_RESPONSE,
    PROTOCOL,
    PROTOCOLS,
    TOKEN,
    TOKEN_15,
)

if TYPE_CHECKING:
    from qhttp3.aio.webtransport import WebTransportSession

# The highest identifier of a request: a GOAWAY with it ends nothing yet (RFC 9114 §5.2).
LAST_REQUEST: Final = (1 << 62) - 4


class Request(Exchange):
    """A request to be answered.

    Attributes:
        method, scheme, authority, path: Its pseudo-headers; empty if absent.
        fields: All other fields.
    """

    def __init__(self, connection: H3Connection, event: HeadersReceived) -> None:
        super().__init__(connection, event.stream_id)
        self.is_ended = event.end
        self.method = self.scheme = self.authority = self.path = b""
        self.protocol: bytes | None = None
        self.fields: list[Field] = []
        self.is_answered = False
        for name, value in event.fields:
            if name[:1] != b":":
                self.fields.append((name, value))
            elif name == b":method":
                self.method = value
            elif name == b":scheme":
                self.scheme = value
            elif name == b":authority":
                self.authority = value
            elif name == b":path":
                self.path = value
            else:
                self.protocol = value

    def __repr__(self) -> str:
        return f"<Request {self.method.decode('latin-1')} {self.path.decode('latin-1')}>"

    @property
    def is_gone(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self.error is not None or self.stopped is not None

    async def read(self, n: int = READ_SIZE) -> bytes:
        """Take the next piece of the body; empty at its end."""
        return await self.read_body(n)

    def _check_wanted(self) -> None:
        """Raise where the answer has nowhere to go."""
        if self.error is not None:
            raise self.error
        if not self.is_answered and self.engine.is_sent(self.stream_id):
            # The client stopped it together with the request, which is reported first.
            raise StreamError(self.stream_id, H3_REQUEST_CANCELLED)

    def send_informational(self, status: int, fields: Iterable[Field] = ()) -> None:
        """Send an interim response, 1xx."""
        self._check_wanted()
        self.engine.send_headers(self.stream_id, [(b":status", b"%d" % status), *fields])
        self.connection.pump()

    def send_head(self, status: int, fields: Iterable[Field] = (), *, end: bool = False) -> None:
        """Send the head of the response."""
        self._check_wanted()
        self.engine.send_headers(self.stream_id, [(b":status", b"%d" % status), *fields], end)
        self.is_answered = True
        if end:
            self.connection.pump_message()
        else:
            self.connection.pump()

    async def respond(self, status: int, fields: Iterable[Field] = (), body: bytes = b"") -> None:
        """Send the whole response; waits only if the body does not fit into the send buffer.

        Raises:
            StreamError, QuicError: nobody waits for it any more.
        """
        taken = self.try_respond(status, fields, body)
        if taken < len(body):
            await self.write(body[taken:], end=True)

    def try_respond(self, status: int, fields: Iterable[Field], body: bytes) -> int:
        """Send the head and as much of the body as the send buffer takes; gives how much that was.

        The response is complete when all of it was taken; the rest is for `write`.
        """
        self._check_wanted()
        taken = self.engine.respond(self.stream_id, [(b":status", b"%d" % status), *fields], body)
        self.is_answered = True
        self.connection.pump_message(taken)
        return taken

    @property
    def is_webtransport(self) -> bool:
        """Whether it asks for a WebTransport session."""
        return self.protocol in (TOKEN, TOKEN_15) and self.connection.sessions is not None

    def accept_webtransport(
        self, *, protocols: Iterable[str] = (), fields: Iterable[Field] = ()
    ) -> WebTransportSession:
        """Answer with a session, which lives until either side closes it; nothing else may be done with the request.

        Browsers tell in ``origin`` whose page asks; whether that is welcome has to be decided before.

        Args:
            protocols: those of the application that are known here; the client's first choice among them is taken.
            fields: of the answer.

        Raises:
            UsageError: this is no request for a session, or it was answered.
        """
        from qhttp3.aio.webtransport import WebTransportSession
        from qhttp3.protocol_list import agreed_protocol, encode_protocols, parse_protocols

        if not self.is_webtransport or self.is_answered:
            raise UsageError("this request is for no session, or was answered")
        offered = [value for name, value in self.fields if name == PROTOCOLS]
        protocol = agreed_protocol(parse_protocols(b", ".join(offered)), protocols)
        answer = list(fields)
        if protocol is not None:
            answer.append((PROTOCOL, encode_protocols([protocol])))
        if DRAFT_02_REQUEST in self.fields:
            answer.append(DRAFT_02_RESPONSE)
        self.send_head(200, answer)
        return WebTransportSession(self, protocol, self, Headers())

    def send_trailers(self, fields: Iterable[Field]) -> None:
        """Send fields behind the body, which ends the response."""
        self.raise_error()
        self.engine.send_headers(self.stream_id, fields, True)
        self.connection.pump()

    async def wait_gone(self) -> None:
        """Wait until nobody waits for the answer any more."""
        while not self.is_gone:
            await self.changed.wait()

    def finish(self) -> None:
        """The handler is done: a response that has no end is broken off, an unread request body refused."""
        self.connection.exchanges.pop(self.stream_id, None)
        if self.connection.sessions is not None:
            self.connection.sessions.end(self.stream_id)
        engine = self.engine
        if not engine.has_request(self.stream_id) or engine.is_closed:
            return
        if engine.is_sent(self.stream_id):
            # RFC 9114 §4.1: the answer is complete, the rest of the request is not needed.
            engine.stop_reading(self.stream_id, H3_NO_ERROR)
        else:
            engine.cancel(self.stream_id, H3_INTERNAL_ERROR)
            self.connection.undelivered.discard(self.stream_id)
        self.connection.pump()


Handler = Callable[[Request], object]


class ServerConnection(H3Connection):
    """One connection of a server; ``on_request`` is called with each request and must not wait."""

    def __init__(
        self, connection: Connection, config: H3Config, on_request: Callable[[Request], None]
    ) -> None:
        super().__init__(connection, config)
        self._on_request = on_request

    def on_headers(self, event: HeadersReceived) -> bool:
        request = Request(self, event)
        self.exchanges[event.stream_id] = request
        self.undelivered.add(event.stream_id)
        self._on_request(request)
        # Whoever answered at once has nothing more to say.
        return self.engine.has_request(event.stream_id)

    def announce_end(self) -> None:
        """Ask for no further requests, and take those that are on their way. RFC 9114 §5.2."""
        if not self.engine.is_going_away:
            self.engine.goaway(LAST_REQUEST)
            self.pump()
        if self.sessions is not None:
            for session in self.sessions:
                session.drain()

    def go_away(self) -> None:
        """Take no further requests."""
        if not self.engine.is_closed:
            self.engine.goaway()
            self.pump()
