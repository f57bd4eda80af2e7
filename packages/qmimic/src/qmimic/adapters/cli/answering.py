"""An HTTP/3 server that tells every client what it looks like.

It stands behind a relay that keeps what each client sends, and knows the keys, so that the HTTP/3 side of a client is
seen as well as its first flight. Meant for one's own machine: every page is the same, whatever is asked for.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final, cast

from qhttp3.adapters.asgi import serve_asgi
from qmimic.capture import CapturedDatagram, CapturedFlow
from qmimic.dissection import parse_key_log, perk_of
from qmimic.fingerprint import Fingerprint, fingerprint
from qtls.certificates import CertificateChain
from qtls.config import ServerTLS

LOOPBACK: Final = "127.0.0.1"
#: Clients at a time, and datagrams kept of each: a fingerprint is in the first few.
MAX_CLIENTS: Final = 256
MAX_KEPT: Final = 64
#: Lines of the key log that are kept: five for each connection.
MAX_LINES: Final = 5 * MAX_CLIENTS
#: Seconds that a client has for its first request, after which it is shown without one.
PATIENCE: Final = 5.0

#: Is given each connection, and the text of its HTTP/3 side or "".
Show = Callable[[Fingerprint, str], None]


@dataclass(eq=False)
class Visitor:
    """One client: its address, what has come from it, and the socket that stands for it before the server."""

    address: Any
    flow: CapturedFlow = field(default_factory=lambda: CapturedFlow({}, []))
    upstream: asyncio.DatagramTransport | None = None
    waiting: list[bytes] = field(default_factory=list)
    shown: bool = False


class Upstream(asyncio.DatagramProtocol):
    """Passes what the server says back to one client."""

    def __init__(self, relay: "Relay", visitor: Visitor) -> None:
        self._relay = relay
        self._visitor = visitor

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._relay.answer(self._visitor, data)


class Relay(asyncio.DatagramProtocol):
    """Faces the clients."""

    def __init__(self, server_port: int, show: Show) -> None:
        self.lines: list[str] = []
        self._server = (LOOPBACK, server_port)
        self._show = show
        self._visitors: OrderedDict[Any, Visitor] = OrderedDict()
        self._transport: asyncio.DatagramTransport | None = None
        self._opening: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        visitor = self._visitors.get(addr)
        if visitor is None:
            visitor = self._visitors[addr] = Visitor(addr)
            while len(self._visitors) > MAX_CLIENTS:
                self._forget(self._visitors.popitem(last=False)[1])
            task = asyncio.create_task(self._open(visitor))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
            asyncio.get_running_loop().call_later(PATIENCE, self.show, visitor)
        note(visitor, data, True)
        if visitor.upstream is None:
            visitor.waiting.append(data)
            del visitor.waiting[MAX_KEPT:]
        else:
            visitor.upstream.sendto(data)

    def answer(self, visitor: Visitor, data: bytes) -> None:
        """Pass on what the server says."""
        note(visitor, data, False)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, visitor.address)

    def visitor_at(self, port: int) -> Visitor | None:
        """The client whom the server knows by this port."""
        for visitor in self._visitors.values():
            if visitor.upstream is not None and visitor.upstream.get_extra_info("sockname")[1] == port:
                return visitor
        return None

    def show(self, visitor: Visitor) -> dict[str, object] | None:
        """Show a client, once; gives its record."""
        found = fingerprint(visitor.flow.client_payloads, any_pn=True)
        if not found:
            return None
        seen = perk_of(visitor.flow, parse_key_log("\n".join(self.lines)))
        text = "" if seen is None else seen.value
        if not visitor.shown:
            visitor.shown = True
            self._show(found[0], text)
        return record_of(found[0], text)

    def keep(self, line: str) -> None:
        """Take a line of the server's key log."""
        self.lines.append(line)
        del self.lines[:-MAX_LINES]

    def close(self) -> None:
        """Let all clients go."""
        for visitor in self._visitors.values():
            self._forget(visitor)

    async def _open(self, visitor: Visitor) -> None:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: Upstream(self, visitor), remote_addr=self._server
        )
        visitor.upstream = transport
        for data in visitor.waiting:
            transport.sendto(data)
        visitor.waiting.clear()

    def _forget(self, visitor: Visitor) -> None:
        if visitor.upstream is not None:
            visitor.upstream.close()


def note(visitor: Visitor, data: bytes, from_client: bool) -> None:
    """Keep a copy of a datagram."""
    datagrams = visitor.flow.datagrams
    if len(datagrams) < MAX_KEPT:
        datagrams.append(CapturedDatagram(0.0, from_client, data))


def record_of(item: Fingerprint, text: str) -> dict[str, object]:
    """What is told of a connection, as JSON."""
    return {
        **item.record,
        "v1": item.v1.overall,
        "ja4": item.ja4.value,
        "ja4_r": item.ja4.raw,
        "http3": text or None,
    }


async def answer(
    host: str,
    port: int,
    chain: CertificateChain,
    show: Show,
    ready: Callable[[int], None],
    stop: asyncio.Event,
) -> None:
    """Serve until `stop` is set; `ready` is given the port.

    Raises:
        OSError: the address cannot be had.
    """
    relay: Relay | None = None

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
            return
        visitor = None if relay is None else relay.visitor_at(scope["client"][1])
        record = None if relay is None or visitor is None else relay.show(visitor)
        body = (json.dumps(record, indent=2) + "\n").encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def keep(line: str) -> None:
        if relay is not None:
            relay.keep(line)

    async with AsyncExitStack() as stack:
        tls = ServerTLS(certs=chain, alpn=("h3",), keylog=keep)
        server = await stack.enter_async_context(
            serve_asgi(app, (LOOPBACK, 0), tls=tls, alt_svc=False, drain=0)
        )
        relay = Relay(server.addresses[0][1], show)
        stack.callback(relay.close)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: relay, local_addr=(host, port)
        )
        stack.callback(transport.close)
        ready(transport.get_extra_info("sockname")[1])
        await stop.wait()
