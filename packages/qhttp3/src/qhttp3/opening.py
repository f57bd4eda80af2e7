"""How requests begin: ours get a stream, those of the peer are taken up or turned away.

RFC 9114 §5.2, §6.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, final

from qhttp3.control_plane import ControlPlane
from qhttp3.errors import H3_REQUEST_REJECTED, H3_STREAM_CREATION_ERROR, ConnectionViolation
from qhttp3.events import Field, H3Event, RequestsAvailable
from qhttp3.request_stream import RequestStream
from qhttp3.request_table import RequestTable
from qhttp3.transport import StreamTransport, is_request_stream

if TYPE_CHECKING:
    from qhttp3.observer import Observer


@final
class Opening:
    """Makes the requests of one engine, with what all of them share.

    Attributes:
        transport: may be exchanged, for requests to come.
    """

    __slots__ = (
        "_allows_extended_connect",
        "_emit",
        "_is_client",
        "_is_short_of_streams",
        "_observer",
        "_plane",
        "_prioritize",
        "_requests",
        "_takes_sessions",
        "transport",
    )

    def __init__(
        self,
        transport: StreamTransport,
        is_client: bool,
        requests: RequestTable,
        plane: ControlPlane,
        emit: Callable[[H3Event], None],
        observer: Observer | None,
        allows_extended_connect: bool,
        takes_sessions: bool,
        prioritize: Callable[[int, list[Field]], None] | None,
    ) -> None:
        self.transport = transport
        self._is_client = is_client
        self._requests = requests
        self._plane = plane
        self._emit = emit
        self._observer = observer
        self._allows_extended_connect = allows_extended_connect
        self._takes_sessions = takes_sessions
        self._prioritize = prioritize
        self._is_short_of_streams = False

    def open(self) -> RequestStream | None:
        """A request of ours; None if the peer allows no further stream now, of which `RequestsAvailable` tells the end."""
        try:
            stream_id = self.transport.open_stream(True)
        except RuntimeError:
            self._is_short_of_streams = True
            return None
        return self._make(stream_id)

    def on_streams_available(self) -> None:
        """The transport allows further bidirectional streams."""
        if self._is_short_of_streams:
            self._is_short_of_streams = False
            self._emit(RequestsAvailable())

    def accept(self, stream_id: int) -> RequestStream | None:
        """The request of a bidirectional stream that is not under way; None if it is over, refused, or a session's.

        Raises:
            ConnectionViolation: nobody may have opened such a stream.
        """
        if not is_request_stream(stream_id):
            if self.is_of_session(stream_id):
                if self._is_client:
                    self._plane.read_bidirectional(stream_id)
                return None
            # RFC 9114 §6.1: servers open no bidirectional streams.
            raise ConnectionViolation(H3_STREAM_CREATION_ERROR, f"stream {stream_id} opened by the server")
        if self._is_client or not self._requests.is_new(stream_id):
            return None
        if 0 <= self._plane.goaway_sent <= stream_id:
            self._requests.note(stream_id)
            self.transport.stop_sending(stream_id, H3_REQUEST_REJECTED)
            self.transport.reset(stream_id, H3_REQUEST_REJECTED)
            return None
        return self._make(stream_id)

    def is_of_session(self, stream_id: int) -> bool:
        """Whether nothing but a WebTransport session can have a bidirectional stream: the server has opened it."""
        return self._takes_sessions and stream_id & 3 == 1

    def _make(self, stream_id: int) -> RequestStream:
        plane = self._plane
        if self._observer is not None:
            self._observer.stream_type_set(stream_id, "request", self._is_client)
        stream = RequestStream(
            stream_id,
            self.transport,
            is_client=self._is_client,
            local=plane.local,
            encoder=plane.used_encoder or plane.encoder,
            decoder=plane.used_decoder or plane.decoder,
            emit=self._emit,
            observer=self._observer,
            allows_extended_connect=self._allows_extended_connect,
            takes_sessions=self._takes_sessions,
            prioritize=self._prioritize,
        )
        self._requests.add(stream)
        return stream
