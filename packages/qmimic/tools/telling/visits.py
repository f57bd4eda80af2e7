"""Visits of a profile's client to an aioquic server, recorded as the captures of browsers were.

A relay between the two holds back what the server says and notes every datagram at the client's side of it; with
the client's key log that makes a `CapturedFlow` like those of kind `h3`, `resumed`, `retry` and `pto`. `outline`
puts a flow into a few words per datagram, so that two of them can be laid side by side:

    python -m telling.visits chrome-156 h3                    # a visit of our own
    python -m telling.visits FILE.jsonl 0                     # one that was captured
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import qmimic
from qmimic.capture import CapturedDatagram, CapturedFlow, read_capture
from qmimic.dissection import dissect_flow, parse_key_log
from qtls.adapters.self_signed import MadeCertificate, make_certificate

HOST: Final = "127.0.0.1"
HELD_BACK: Final = 0.02
# The handshake of the captured server filled two datagrams and a half.
NAMES: Final = (
    "localhost",
    "example.org",
    "www.example.com",
    "test.example.net",
    *(f"alternative-name-{number:02}.example.net" for number in range(60)),
)
LONG_FLIGHT: Final = 10
SECONDS_TO_REST: Final = 0.15


@cache
def certificate() -> MadeCertificate:
    """The server's, one per process."""
    return make_certificate(NAMES)


@dataclass
class Visit:
    """One run of a client.

    Attributes:
        host: name of the server.
        headers: of each request, besides the client's.
        requests: asked one after the other.
        memory: what the client knows of the server; tickets and tokens end up there.
        early: the first request goes in 0-RTT where that is possible.
        retry: the server wants every address validated.
        silent: nothing of what the server says gets through; seconds until the run ends.
        close: the server ends the connection with H3_NO_ERROR, as in the captures of resumed ones.
    """

    profile: str
    host: str = "localhost"
    headers: tuple[tuple[str, str], ...] = ()
    requests: int = 1
    memory: qmimic.Memory = field(default_factory=qmimic.Memory)
    early: bool = False
    retry: bool = False
    silent: float = 0.0
    close: bool = False


class Relay(asyncio.DatagramProtocol):
    """Passes datagrams on, in both directions, and keeps them."""

    def __init__(self, server: tuple[str, int], held_back: float, is_silent: bool) -> None:
        self.datagrams: list[CapturedDatagram] = []
        self._server = server
        self._held_back = held_back
        self._is_silent = is_silent
        self._client: Any = None
        self._start = 0.0
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if addr == self._server:
            if not self._is_silent:
                loop = asyncio.get_running_loop()
                loop.call_later(self._held_back, self._pass_to_client, data)
            return
        if not self.datagrams:
            self._start = time.monotonic()
        self._client = addr
        self._note(True, data)
        assert self._transport is not None
        self._transport.sendto(data, self._server)

    def _pass_to_client(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._note(False, data)
            self._transport.sendto(data, self._client)

    def _note(self, from_client: bool, data: bytes) -> None:
        elapsed = (time.monotonic() - self._start) * 1000
        self.datagrams.append(CapturedDatagram(elapsed, from_client, data))


@dataclass
class Site:
    """A running server.

    Attributes:
        connections: of aioquic, in order of arrival.
    """

    port: int
    connections: list[Any]


@asynccontextmanager
async def site(tickets: dict[bytes, Any], retry: bool) -> AsyncIterator[Site]:
    """An aioquic server that answers every request with a few bytes."""
    from aioquic.asyncio.protocol import QuicConnectionProtocol
    from aioquic.asyncio.server import serve
    from aioquic.h3.connection import H3Connection
    from aioquic.h3.events import HeadersReceived
    from aioquic.quic.configuration import QuicConfiguration
    from aioquic.quic.events import ProtocolNegotiated, QuicEvent

    connections: list[Any] = []

    class Answers(QuicConnectionProtocol):
        def __init__(self, *args: Any, **kw: Any) -> None:
            super().__init__(*args, **kw)
            self.http: H3Connection | None = None
            connections.append(self)

        def quic_event_received(self, event: QuicEvent) -> None:
            if isinstance(event, ProtocolNegotiated):
                self.http = H3Connection(self._quic)
            if self.http is None:
                return
            for happened in self.http.handle_event(event):
                if isinstance(happened, HeadersReceived):
                    fields = [(b":status", b"200"), (b"content-type", b"text/html")]
                    self.http.send_headers(happened.stream_id, fields)
                    self.http.send_data(happened.stream_id, bytes(60), end_stream=True)

    configuration = QuicConfiguration(is_client=False, alpn_protocols=["h3"], max_datagram_frame_size=65_536)
    made = certificate()
    with tempfile.TemporaryDirectory() as folder:
        chain, key = Path(folder, "chain.pem"), Path(folder, "key.pem")
        chain.write_bytes(made.chain.certificate_pem())
        key.write_bytes(made.chain.key_pem())
        configuration.load_cert_chain(chain, key)

    def keep(ticket: Any) -> None:
        tickets[ticket.ticket] = ticket

    server = await serve(
        HOST,
        0,
        configuration=configuration,
        create_protocol=Answers,
        retry=retry,
        session_ticket_fetcher=lambda label: tickets.pop(label, None),
        session_ticket_handler=keep,
    )
    try:
        transport = cast(asyncio.DatagramTransport, server._transport)
        yield Site(transport.get_extra_info("sockname")[1], connections)
    finally:
        server.close()
        await asyncio.sleep(0)


async def run(visit: Visit, tickets: dict[bytes, Any] | None = None) -> CapturedFlow:
    """Make a visit; `tickets` are what the server remembers from one to the next."""
    lines: list[str] = []
    async with site({} if tickets is None else tickets, visit.retry) as server:
        relay = Relay((HOST, server.port), HELD_BACK, visit.silent > 0)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: relay, local_addr=(HOST, 0))
        try:
            port = transport.get_extra_info("sockname")[1]
            resolve = {(visit.host, 443): (HOST, port)}
            async with qmimic.Client(
                visit.profile,
                ca=certificate().ca_pem,
                memory=visit.memory,
                keylog=lines.append,
                resolve=resolve,
            ) as client:
                await _browse(client, visit, server)
        finally:
            transport.close()
    secrets: dict[str, bytes] = {}
    for known in parse_key_log("\n".join(lines)).values():
        secrets.update(known)
    about = {"client": visit.profile, "kind": "visit", "host": visit.host}
    return CapturedFlow(about, relay.datagrams, secrets)


async def _browse(client: qmimic.Client, visit: Visit, server: Site) -> None:
    url = f"https://{visit.host}/"
    if visit.silent:
        try:
            async with asyncio.timeout(visit.silent):
                await client.request("GET", url)
        except (TimeoutError, OSError):
            await asyncio.sleep(SECONDS_TO_REST)  # the relay has its last words to read
        return
    for _ in range(visit.requests):
        response = await client.request("GET", url, headers=visit.headers, early=visit.early)
        await response.read()
    await asyncio.sleep(SECONDS_TO_REST)
    if visit.close:
        server.connections[-1].close(error_code=0x100)
        await asyncio.sleep(SECONDS_TO_REST)


# Outlines


def outline(flow: CapturedFlow) -> list[str]:
    """The client's datagrams in words: `1250 ini[1/1: …] hs[4/1: A2-3] 1[6/1 s0: A5 S2@0+43] zeros`.

    A packet is its type, number, bytes of the number, spin bit, and frames: `A` ranges, `C@offset+size`,
    `Sid@offset+size` with `L` for a Length field and `F` for the end, `N` connection IDs, `P` padding.
    """
    return [line for _, from_client, line in lines_of(flow) if from_client]


def lines_of(flow: CapturedFlow) -> list[tuple[float, bool, str]]:
    """Time in milliseconds, whether the client sent it, and the outline of each datagram."""
    lines = []
    for datagram in dissect_flow(flow)["datagrams"]:
        words = " ".join(packet_words(packet) for packet in datagram["packets"])
        lines.append((datagram["t"], datagram["dir"] == "c", f"{datagram['size']} {words}"))
    return lines


SHORT_TYPES: Final = {"initial": "ini", "zero_rtt": "0", "handshake": "hs", "one_rtt": "1", "retry": "retry"}


def packet_words(packet: dict[str, Any]) -> str:
    """One packet."""
    if packet["type"] is None:
        return "zeros" if "zeros" in packet.get("note", "") else "unknown"
    kind = SHORT_TYPES[packet["type"]]
    if "frames" not in packet:
        return kind
    spin = f" s{packet['spin']}" if "spin" in packet else ""
    token = " token" if "token" in packet else ""
    frames = packet["frames"]
    if kind == "ini" and len(frames) >= LONG_FLIGHT:
        words = "…"
    else:
        words = " ".join(frame_words(frame) for frame in frames)
    return f"{kind}[{packet['number']}/{packet['number_size']}{spin}{token}: {words}]"


def frame_words(frame: dict[str, Any]) -> str:
    """One frame."""
    name = frame["frame"]
    if name == "ack":
        return "A" + ",".join(f"{low}-{high}" if low != high else f"{high}" for low, high in frame["ranges"])
    if name == "crypto":
        return f"C@{frame['offset']}+{len(frame['data']) // 2}"
    if name == "stream":
        marks = "L" * frame["has_length"] + "F" * frame["fin"]
        return f"S{frame['stream_id']}@{frame['offset']}+{len(frame['data']) // 2}{marks}"
    if name == "padding":
        return f"P{frame['count']}"
    if name == "new_connection_id":
        return f"N{frame['sequence_number']}"
    if name == "connection_close":
        return (
            f"CLOSE({'app ' * frame['application']}{frame['error_code']} {bytes.fromhex(frame['reason'])!r})"
        )
    return str(name)


async def _main(name: str, kind: str) -> CapturedFlow:
    if not name.endswith(".jsonl"):
        visit = Visit(name, requests=2)
        if kind == "resumed":
            tickets: dict[bytes, Any] = {}
            await run(visit, tickets)
            return await run(Visit(name, memory=visit.memory, early=True, close=True), tickets)
        visit.retry = kind == "retry"
        visit.silent = 4.6 if kind == "pto" else 0.0
        return await run(visit)
    return read_capture(name)[int(kind)]


if __name__ == "__main__":
    for elapsed, from_client, line in lines_of(asyncio.run(_main(*sys.argv[1:3]))):
        print(f"{elapsed:8.1f} {'client' if from_client else '      server'} {line}")
