"""The case http3 of the quic-interop-runner: three files at once over HTTP/3. It needs qhttp3, which lies above."""

from typing import Any

import pytest

from qcore.config import QuicConfig
from qcore.engine.engine import QuicEngine
from qcore.events import StreamReadable, StreamReset, StreamsAvailable, StreamStopped, StreamWritable
from qcore.testing import Pair, Seeded
from qcore.testing.interop import LIMIT, LINK
from qcore.testing.pair import throwaway_certificate
from qtls.config import ClientTLS, ServerTLS

from .interop import KIB

h3_engine = pytest.importorskip("qhttp3.engine")
h3_events = pytest.importorskip("qhttp3.events")


class Http3:
    """One side: passes events of the transport on, and keeps those of HTTP/3."""

    def __init__(self, engine: QuicEngine, is_client: bool) -> None:
        self.engine = engine
        self.h3: Any = h3_engine.H3Engine(engine, is_client=is_client)
        self.h3.start()
        self.events: list[Any] = []
        self._seen = 0

    def advance(self, events: list[Any]) -> list[Any]:
        """Take the transport's new events; returns those of HTTP/3."""
        fresh, self._seen = events[self._seen :], len(events)
        for event in fresh:
            if isinstance(event, StreamReadable):
                self.h3.stream_readable(event.stream_id)
            elif isinstance(event, StreamWritable):
                self.h3.stream_writable(event.stream_id)
            elif isinstance(event, StreamsAvailable):
                self.h3.streams_available(event.bidirectional)
            else:
                assert not isinstance(event, StreamReset | StreamStopped)
        happened: list[Any] = self.h3.events()
        self.events += happened
        return happened


def test_http3() -> None:
    sizes = [5 * KIB, 10 * KIB, 500 * KIB]
    files = {b"/%d" % index: Seeded(index)(size) for index, size in enumerate(sizes)}
    made = throwaway_certificate()
    pair = Pair(
        client_tls=ClientTLS(alpn=("h3",), ca=made.ca_pem),
        server_tls=ServerTLS(certs=made.chain, alpn=("h3",)),
        server_config=QuicConfig(send_buffer=1 << 20),
        to_server=LINK,
        to_client=LINK,
        auto_read=False,
    )
    pair.run_until(
        lambda: pair.client.is_established and pair.server is not None and pair.server.is_established
    )
    assert pair.server is not None
    client, server = Http3(pair.client, True), Http3(pair.server, False)
    wanted: dict[int, bytes] = {}
    for path in files:
        stream = client.h3.send_request(
            [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"server.test"), (b":path", path)],
            True,
        )
        wanted[stream] = path
    bodies: dict[int, bytes] = dict.fromkeys(wanted, b"")
    ended: set[int] = set()

    def advance() -> bool:
        for event in server.advance(pair.server_events):
            if isinstance(event, h3_events.HeadersReceived):
                content = files[dict(event.fields)[b":path"]]
                server.h3.send_headers(event.stream_id, [(b":status", b"200")])
                assert len(content) == server.h3.send_data(event.stream_id, content, True)
        client.advance(pair.client_events)
        for stream in wanted.keys() - ended:
            data, end = client.h3.read_body(stream)
            bodies[stream] += data
            if end:
                ended.add(stream)
        return len(ended) == len(wanted)

    pair.run_until(advance, LIMIT)

    assert "h3" == pair.client.info.alpn
    assert {stream: files[path] for stream, path in wanted.items()} == bodies
