"""How requests and connections end early: what the peer did wrong, and what becomes of it.

RFC 9114 §4.1.1, §8.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from qhttp3.errors import (
    H3_EXCESSIVE_LOAD,
    H3_REQUEST_CANCELLED,
    H3_REQUEST_REJECTED,
    ConnectionViolation,
    StreamViolation,
)
from qhttp3.events import ConnectionFailed, H3Event, RequestFailed
from qhttp3.qpack import QpackError, SectionTooLarge
from qhttp3.request_stream import Phase, RequestStream
from qhttp3.request_table import RequestTable
from qhttp3.transport import StreamTransport

if TYPE_CHECKING:
    from qhttp3.observer import Observer

# What parts raise because of the peer.
VIOLATIONS: Final = (ConnectionViolation, StreamViolation, QpackError, SectionTooLarge)


class Ending:
    """Ends requests, and the connection, of one engine.

    Attributes:
        is_closed: whether this side has closed the connection; nothing matters any more.
        transport: may be exchanged.
    """

    __slots__ = ("_emit", "_is_client", "_observer", "_requests", "is_closed", "transport")

    def __init__(
        self,
        transport: StreamTransport,
        is_client: bool,
        requests: RequestTable,
        emit: Callable[[H3Event], None],
        observer: Observer | None,
    ) -> None:
        self.transport = transport
        self.is_closed = False
        self._is_client = is_client
        self._requests = requests
        self._emit = emit
        self._observer = observer

    def refuse(self, violation: Exception, stream: RequestStream | None) -> None:
        """React to one of `VIOLATIONS`, on a request if there was one."""
        if isinstance(violation, ConnectionViolation | QpackError):
            self.fail(violation.code, violation.reason)
        elif stream is not None and isinstance(violation, SectionTooLarge):
            if not self._is_client and stream.phase is Phase.HEAD and not stream.has_sent_head:
                # RFC 9114 §4.2.2, RFC 6585 §5: say what was wrong.
                stream.send_headers([(b":status", b"431")], True)
            self._fail_request(stream, H3_EXCESSIVE_LOAD, violation.reason)
        elif stream is not None and isinstance(violation, StreamViolation):
            self._fail_request(stream, violation.code, violation.reason)

    def end_request(self, stream: RequestStream, code: int, reason: str, is_local: bool) -> None:
        """A request is over before its end; one too many ends the connection."""
        has_credit = self._requests.abandon(stream)
        self._emit(RequestFailed(stream.stream_id, code, reason, is_local))
        if self._observer is not None:
            self._observer.stream_failed(stream.stream_id, code, reason, is_local)
        if not has_credit and not self._is_client:
            self.fail(H3_EXCESSIVE_LOAD, "too many requests abandoned")

    def turn_away(self, first_id: int) -> None:
        """The server goes away, and works on no request from `first_id` on. RFC 9114 §5.2."""
        for stream in self._requests.from_id(first_id):
            stream.stop_reading(H3_REQUEST_CANCELLED)
            stream.reset(H3_REQUEST_CANCELLED)
            self.end_request(stream, H3_REQUEST_REJECTED, "the server is going away", False)

    def fail(self, code: int, reason: str) -> None:
        """The peer has broken a rule of the connection."""
        if self.is_closed:
            return
        self._emit(ConnectionFailed(code, reason))
        if self._observer is not None:
            self._observer.connection_failed(code, reason)
        self.close(code, reason)

    def close(self, code: int, reason: str) -> None:
        """Close the connection."""
        if not self.is_closed:
            self.is_closed = True
            self.transport.close(code, reason)

    def _fail_request(self, stream: RequestStream, code: int, reason: str) -> None:
        stream.stop_reading(code)
        stream.reset(code)
        self.end_request(stream, code, reason, True)
