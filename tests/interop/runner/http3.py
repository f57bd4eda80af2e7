"""HTTP/3 over the connections of the rig, by both implementations."""

from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, H3Event
from aioquic.h3.events import HeadersReceived as TheirHeaders
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import QuicEvent

from qcore.engine.engine import QuicEngine
from qcore.events import Event, HandshakeCompleted, StreamReadable, StreamsAvailable, StreamWritable
from qcore.testing.pair import SERVER_NAME
from qhttp3.engine import H3Engine
from qhttp3.events import DataReadable, HeadersReceived

from . import aioquic_sides, ours
from .sides import Application

Fields = list[tuple[bytes, bytes]]
ANSWER: Fields = [(b":status", b"200")]


def request_for(name: bytes) -> Fields:
    return [
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":authority", SERVER_NAME.encode()),
        (b":path", b"/" + name),
    ]


def name_in(fields: Fields) -> bytes:
    return dict(fields)[b":path"].removeprefix(b"/")


class OurHttp3(ours.Connection):
    """An engine of this stack that speaks HTTP/3 for an application."""

    def __init__(self, engine: QuicEngine, application: Application, *, early: bool = False) -> None:
        super().__init__(engine, application, early=early)
        self._h3 = H3Engine(engine, is_client=engine.is_client)

    def on_event(self, event: Event) -> None:
        if isinstance(event, HandshakeCompleted):
            self._h3.start()
            super().on_event(event)
        elif isinstance(event, StreamReadable):
            self._h3.stream_readable(event.stream_id)
        elif isinstance(event, StreamWritable):
            self._h3.stream_writable(event.stream_id)
        elif isinstance(event, StreamsAvailable):
            self._h3.streams_available(event.bidirectional)
        for happened in self._h3.events():
            if isinstance(happened, HeadersReceived) and not self.engine.is_client:
                self.application.on_request(self, happened.stream_id, name_in(happened.fields))
            elif isinstance(happened, DataReadable) and self.engine.is_client:
                self.application.on_body(happened.stream_id, *self._h3.read_body(happened.stream_id))

    def ask(self, name: bytes) -> int | None:
        return self._h3.send_request(request_for(name), True)

    def answer(self, stream_id: int, content: bytes) -> None:
        self._h3.send_headers(stream_id, ANSWER)
        assert len(content) == self._h3.send_data(stream_id, content, True)


class TheirHttp3(aioquic_sides.Connection):
    """A connection of aioquic that speaks HTTP/3 for an application."""

    def __init__(self, quic: QuicConnection, application: Application) -> None:
        super().__init__(quic, application)
        self._h3: H3Connection | None = None

    def on_event(self, event: QuicEvent) -> None:
        super().on_event(event)
        if self.completed is None:
            return
        if self._h3 is None:
            self._h3 = H3Connection(self.quic)
        for happened in self._h3.handle_event(event):
            self._on_http(happened)

    def _on_http(self, happened: H3Event) -> None:
        if isinstance(happened, TheirHeaders) and not self.quic.configuration.is_client:
            self.application.on_request(self, happened.stream_id, name_in(happened.headers))
        elif isinstance(happened, DataReceived) and self.quic.configuration.is_client:
            self.application.on_body(happened.stream_id, happened.data, happened.stream_ended)

    def on_stream_data(self, event: object) -> None:
        """HTTP/3 looks at the events itself."""

    def ask(self, name: bytes) -> int | None:
        assert self._h3 is not None
        stream_id = self.quic.get_next_available_stream_id()
        self._h3.send_headers(stream_id, request_for(name), end_stream=True)
        return stream_id

    def answer(self, stream_id: int, content: bytes) -> None:
        assert self._h3 is not None
        self._h3.send_headers(stream_id, ANSWER)
        self._h3.send_data(stream_id, content, end_stream=True)
