"""An HTTP/3 file server on aioquic, or on qh3, its descendant: file_server.py LIBRARY FOLDER PORT CHAIN KEY [ALPN]"""

import asyncio
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

LIBRARY = sys.argv[1]


def names(module: str) -> Any:
    return import_module(f"{LIBRARY}.{module}")


h3 = names("h3.connection")
h3_events = names("h3.events")
quic_events = names("quic.events")


class FileProtocol(names("asyncio.protocol").QuicConnectionProtocol):  # type: ignore[misc]
    """Answers GET with the file of that name, POST with what was sent."""

    folder: Path

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.http: Any = None
        self.requests: dict[int, tuple[dict[bytes, bytes], bytearray]] = {}

    def quic_event_received(self, event: Any) -> None:
        if isinstance(event, quic_events.ProtocolNegotiated) and event.alpn_protocol in h3.H3_ALPN:
            self.http = h3.H3Connection(self._quic)
        elif isinstance(event, quic_events.ConnectionTerminated):
            print("closed", hex(event.error_code), event.reason_phrase)
        if self.http is None:
            return
        for http_event in self.http.handle_event(event):
            if isinstance(http_event, h3_events.HeadersReceived):
                self.requests.setdefault(http_event.stream_id, (dict(http_event.headers), bytearray()))
            elif isinstance(http_event, h3_events.DataReceived):
                self.requests[http_event.stream_id][1].extend(http_event.data)
            else:
                continue
            if http_event.stream_ended:
                self.respond(self.http, http_event.stream_id, *self.requests.pop(http_event.stream_id))

    def respond(self, http: Any, stream_id: int, headers: dict[bytes, bytes], sent: bytearray) -> None:
        name = headers[b":path"].decode().lstrip("/") or "index.html"
        print(headers[b":method"].decode(), name, headers.get(b"user-agent", b"").decode())
        status, body = b"404", b""
        if headers[b":method"] == b"POST":
            status, body = b"200", bytes(sent)
        elif "/" not in name and (self.folder / name).is_file():
            status, body = b"200", (self.folder / name).read_bytes()
        kind = b"text/html" if name.endswith(".html") else b"application/octet-stream"
        answer = [
            (b":status", status),
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
        ]
        http.send_headers(stream_id, answer, end_stream=not body)
        if body:
            http.send_data(stream_id, body, end_stream=True)
        self.transmit()


async def main(folder: str, port: str, chain: str, key: str, alpn: str = "h3") -> None:
    FileProtocol.folder = Path(folder)
    configuration = names("quic.configuration").QuicConfiguration(
        is_client=False, alpn_protocols=[alpn], max_datagram_frame_size=65536
    )
    configuration.load_cert_chain(chain, key)
    serve = names("asyncio.server").serve
    await serve("127.0.0.1", int(port), configuration=configuration, create_protocol=FileProtocol)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[2:]))
