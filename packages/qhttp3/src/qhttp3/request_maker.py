"""Makes requests, with what all those of a connection share."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from qhttp3.control_plane import ControlPlane
from qhttp3.events import Field, H3Event
from qhttp3.observer import Observer
from qhttp3.request_stream import RequestStream
from qhttp3.transport import StreamTransport


@final
class RequestMaker:
    """Makes the requests of one engine.

    Attributes:
        transport: may be exchanged, for requests to come.
    """

    __slots__ = (
        "_allows_extended_connect",
        "_emit",
        "_is_client",
        "_observer",
        "_plane",
        "_prioritize",
        "_takes_sessions",
        "transport",
    )

    def __init__(
        self,
        transport: StreamTransport,
        is_client: bool,
        plane: ControlPlane,
        emit: Callable[[H3Event], None],
        observer: Observer | None,
        allows_extended_connect: bool,
        takes_sessions: bool,
        prioritize: Callable[[int, list[Field]], None] | None,
    ) -> None:
        self.transport = transport
        self._is_client = is_client
        self._plane = plane
        self._emit = emit
        self._observer = observer
        self._allows_extended_connect = allows_extended_connect
        self._takes_sessions = takes_sessions
        self._prioritize = prioritize

    def make(self, stream_id: int) -> RequestStream:
        """The request of a stream, of which nothing was read or sent."""
        plane = self._plane
        if self._observer is not None:
            self._observer.stream_type_set(stream_id, "request", self._is_client)
        return RequestStream(
            stream_id,
            self.transport,
            is_client=self._is_client,
            local=plane.local,
            encoder=plane.encoder,
            decoder=plane.decoder,
            emit=self._emit,
            observer=self._observer,
            allows_extended_connect=self._allows_extended_connect,
            takes_sessions=self._takes_sessions,
            prioritize=self._prioritize,
        )
