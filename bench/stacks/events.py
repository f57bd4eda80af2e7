"""What aioquic and qh3 have in common: a protocol object per connection, and events.

Neither has an HTTP client or server, so these are written here on their events, with no more than the work needs.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from ..stack import CREDIT, FLIGHT, NAME, PIECE, Application, Certificates, Link, body, check

# A body's next piece is handed over when this much of it, or less, has not been sent.
LOW_WATER = 2 * PIECE
CREDIT_TIME = 0.25
BLOCK = bytes(PIECE)


class Transfer:
    """A body on its way out, or the count of one that comes in."""

    __slots__ = ("done", "left", "received", "tail")

    def __init__(self) -> None:
        self.received = 0
        self.left = 0
        self.tail = b""  # what came, kept while it is short: the answer to an upload
        self.done: asyncio.Future[None] | None = None

    def take(self, data: bytes, end: bool) -> None:
        """Count what has arrived."""
        self.received += len(data)
        if len(self.tail) + len(data) <= 64:
            self.tail += data
        if end and self.done is not None and not self.done.done():
            self.done.set_result(None)


def verifying(configuration: Any, certificates: Certificates) -> Any:
    """A client's configuration that trusts the authority, and nobody else."""
    configuration.load_verify_locations(cadata=certificates.authority.read_bytes())
    configuration.verify_mode = ssl.CERT_REQUIRED
    configuration.server_name = NAME
    return configuration


def make_protocol(library: Any) -> type[Any]:
    """The protocol class on a library: its modules as attributes, and ``unsent(quic, stream_id)``."""

    class PeerProtocol(library.QuicConnectionProtocol):  # type: ignore[misc]  # chosen at run time
        """One side of a connection."""

        def __init__(self, quic: Any, stream_handler: Any = None) -> None:
            super().__init__(quic, stream_handler=stream_handler)
            self.is_client = quic.configuration.is_client
            self.http: Any = None
            self.transfers: dict[int, Transfer] = {}
            self.sending: dict[int, Transfer] = {}
            self.credits = 0
            self.credit: asyncio.Future[None] | None = None
            self.datagram_count = 0
            self.is_lost = False
            self.short_of_streams: list[asyncio.Future[None]] = []

        # In

        def quic_event_received(self, event: Any) -> None:
            kind = type(event)
            if kind is library.StreamDataReceived and self.http is None:
                self.on_stream(event.stream_id, event.data, event.end_stream)
            elif kind is library.DatagramFrameReceived:
                self.on_datagram()
            elif kind is library.ProtocolNegotiated:
                if event.alpn_protocol == "h3":
                    # It must be there before the first stream arrives.
                    self.http = library.H3Connection(self._quic)
            elif kind is library.ConnectionTerminated:
                self.on_lost()
            elif self.http is not None:
                for http_event in self.http.handle_event(event):
                    self.on_http(http_event)

        def on_http(self, event: Any) -> None:
            kind = type(event)
            if kind is library.DataReceived:
                transfer = self.transfers.get(event.stream_id)
                if transfer is not None:
                    transfer.take(event.data, event.stream_ended)
                    if event.stream_ended and not self.is_client:
                        del self.transfers[event.stream_id]
                        self.respond(event.stream_id, b"%d" % transfer.received)
            elif kind is library.HeadersReceived:
                if self.is_client:
                    self.transfers[event.stream_id].take(b"", event.stream_ended)
                    return
                fields = dict(event.headers)
                if fields[b":method"] == b"GET":
                    self.respond_with(event.stream_id, int(fields[b":path"][1:]))
                else:
                    self.transfers[event.stream_id] = Transfer()

        def on_stream(self, stream_id: int, data: bytes, end: bool) -> None:
            transfer = self.transfers.get(stream_id)
            if transfer is None:
                transfer = self.transfers[stream_id] = Transfer()
                if data[:1] == b"d":
                    self.start_sending(stream_id, int(data[1 : data.index(b"\n")]))
                    return
                data = data[data.index(b"\n") + 1 :]
            transfer.take(data, end)
            if end and transfer.done is None:
                del self.transfers[stream_id]
                if not self.is_client and transfer.received:
                    self._quic.send_stream_data(stream_id, b"%d" % transfer.received, True)

        def on_datagram(self) -> None:
            if self.is_client:
                self.credits += CREDIT
                if self.credit is not None and not self.credit.done():
                    self.credit.set_result(None)
                return
            self.datagram_count += 1
            if self.datagram_count % CREDIT == 0:
                self._quic.send_datagram_frame(b"credit")

        def on_lost(self) -> None:
            self.is_lost = True
            self.sending.clear()
            for transfer in self.transfers.values():
                if transfer.done is not None and not transfer.done.done():
                    transfer.done.set_exception(ConnectionError("the connection ended"))

        # Out

        def respond(self, stream_id: int, content: bytes) -> None:
            fields = [(b":status", b"200"), (b"content-length", b"%d" % len(content))]
            self.http.send_headers(stream_id, fields, not content)
            if content:
                self.http.send_data(stream_id, content, True)

        def respond_with(self, stream_id: int, size: int) -> None:
            if size <= PIECE:
                self.respond(stream_id, body(size))
                return
            fields = [(b":status", b"200"), (b"content-length", b"%d" % size)]
            self.http.send_headers(stream_id, fields, False)
            self.start_sending(stream_id, size)

        def start_sending(self, stream_id: int, size: int) -> None:
            transfer = self.sending[stream_id] = Transfer()
            transfer.left = size

        def feed(self) -> None:
            """Hand over pieces of bodies while there is room."""
            for stream_id, transfer in list(self.sending.items()):
                while transfer.left and library.unsent(self._quic, stream_id) <= LOW_WATER:
                    piece = BLOCK if transfer.left >= PIECE else BLOCK[: transfer.left]
                    transfer.left -= len(piece)
                    end = not transfer.left
                    if self.http is not None:
                        self.http.send_data(stream_id, piece, end)
                    else:
                        self._quic.send_stream_data(stream_id, piece, end)
                if not transfer.left:
                    del self.sending[stream_id]

        def transmit(self) -> None:
            if self.sending and not self.is_lost:
                self.feed()
            super().transmit()
            # It follows whatever has arrived, a new limit of streams among others.
            waiting, self.short_of_streams = self.short_of_streams, []
            for room in waiting:
                if not room.done():
                    room.set_result(None)

    return PeerProtocol


class EventLink:
    """A client's connection on `make_protocol`."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    async def get(self, size: int) -> None:
        transfer = await self._request(b"GET", b"/%d" % size, 0)
        check(transfer.received, size)

    async def post(self, size: int) -> None:
        transfer = await self._request(b"POST", b"/", size)
        check(int(transfer.tail), size)

    async def _request(self, method: bytes, path: bytes, size: int) -> Transfer:
        protocol = self._protocol
        stream_id = await self._next_id()
        fields = [
            (b":method", method),
            (b":scheme", b"https"),
            (b":authority", NAME.encode()),
            (b":path", path),
        ]
        if size:
            fields.append((b"content-length", b"%d" % size))
        protocol.http.send_headers(stream_id, fields, not size)
        if size:
            protocol.start_sending(stream_id, size)
        return await self._finish(stream_id)

    async def _next_id(self) -> int:
        """The number of the next stream, when the server allows it.

        aioquic keeps what is too early. qh3 refuses it, and calls the number of streams that may ever be opened, which
        grows as they end, `max_concurrent_bidi_streams`.
        """
        quic = self._protocol._quic
        while True:
            stream_id: int = quic.get_next_available_stream_id()
            allowed = getattr(quic, "max_concurrent_bidi_streams", None)
            if allowed is None or stream_id >> 2 < allowed:
                return stream_id
            room = asyncio.get_running_loop().create_future()
            self._protocol.short_of_streams.append(room)
            await room

    async def pull(self, size: int) -> None:
        stream_id = await self._next_id()
        self._protocol._quic.send_stream_data(stream_id, b"d%d\n" % size, True)
        check((await self._finish(stream_id)).received, size)

    async def push(self, size: int) -> None:
        stream_id = await self._next_id()
        self._protocol._quic.send_stream_data(stream_id, b"u\n", False)
        self._protocol.start_sending(stream_id, size)
        check(int((await self._finish(stream_id)).tail), size)

    async def _finish(self, stream_id: int) -> Transfer:
        protocol = self._protocol
        transfer = protocol.transfers[stream_id] = Transfer()
        transfer.done = asyncio.get_running_loop().create_future()
        protocol._transmit_soon()
        await transfer.done
        del protocol.transfers[stream_id]
        return transfer

    async def flood(self, count: int, size: int) -> int:
        protocol = self._protocol
        data = bytes(size)
        protocol.credits = sent = lost = 0
        while protocol.credits < count:
            while sent < count and sent - protocol.credits < FLIGHT:
                protocol._quic.send_datagram_frame(data)
                sent += 1
            protocol._transmit_soon()
            protocol.credit = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(CREDIT_TIME):
                    await protocol.credit
            except TimeoutError:
                lost += sent - protocol.credits
                protocol.credits = sent
        return lost


async def start(protocol: Any, application: Application) -> Link:
    """A link on a connected protocol."""
    if application == "h3" and protocol.http is None:
        raise RuntimeError("the server does not speak h3")
    return EventLink(protocol)
