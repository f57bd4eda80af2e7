"""A client and a server on a simulated path, in virtual time.

    pair = Pair(to_server=LinkConfig(loss=0.05), seed=7)
    pair.run_until(lambda: pair.client.is_established)

Everything follows from the seed: connection IDs, keys of the handshake, and what the links do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Final, final

from qtls.adapters.self_signed import Authority, MadeCertificate, draw_key
from qtls.config import ClientTLS, ServerTLS

from ..admission import Admit
from ..batch import Address, Datagram, SendBatch
from ..config import QuicConfig
from ..engine.engine import QuicEngine
from ..events import Event, StreamReadable
from ..router import Router
from .network import Link, LinkConfig
from .seeded import Seeded
from .trace import Trace

SERVER_NAME: Final = "server.test"
CLIENT_ADDRESS: Final[Address] = ("10.0.0.1", 50_000)
SERVER_ADDRESS: Final[Address] = ("10.0.0.2", 443)
START: Final = 1_000.0
WALL: Final = 1_800_000_000.0


@cache
def throwaway_certificate() -> MadeCertificate:
    """A certificate for `SERVER_NAME`, the same in each process: sizes of the handshake depend on it."""
    random = Seeded("certificate")
    authority = Authority(wall_clock=WALL, key=draw_key(random), random=random)
    return MadeCertificate(authority.issue([SERVER_NAME], key=draw_key(random)), authority.pem)


class Stalled(AssertionError):
    """Nothing is due any more, or time is up, and the condition does not hold."""


@final
class Pair:
    """Two engines and the links between them.

    Attributes:
        client, server: the engines; `server` is None until the first datagram has arrived.
        to_server, to_client: the links.
        client_trace, server_trace: what both sides did.
        client_events, server_events: events so far.
        received: data by (side, stream ID); filled when `auto_read` is on.
        client_address, server_address: where the datagrams of the first sockets come from.
        client_sockets, server_sockets: addresses of further sockets, by number.
        now: virtual time in seconds.

    Args:
        observed: whether the traces are kept.
        wall: Unix time at the start; a pair that resumes a session starts later than the pair that got it.
    """

    def __init__(
        self,
        *,
        client_config: QuicConfig | None = None,
        server_config: QuicConfig | None = None,
        client_tls: ClientTLS | None = None,
        server_tls: ServerTLS | None = None,
        to_server: LinkConfig | None = None,
        to_client: LinkConfig | None = None,
        admit: Admit | None = None,
        seed: int = 0,
        auto_read: bool = True,
        observed: bool = True,
        wall: float = WALL,
    ) -> None:
        self.seed = seed
        self.now = START
        self.auto_read = auto_read
        self.to_server = Link(to_server, f"{seed} to server")
        self.to_client = Link(to_client, f"{seed} to client")
        self.client_trace = Trace()
        self.server_trace = Trace()
        self.client_events: list[Event] = []
        self.server_events: list[Event] = []
        self.received: dict[tuple[str, int], bytearray] = {}
        self.finished: set[tuple[str, int]] = set()
        made = throwaway_certificate()
        random = Seeded(f"{seed} server")
        self.router = Router(random=random, wall_offset=wall - START)
        self.router.listen(
            tls=server_tls or ServerTLS(certs=made.chain, alpn=("test",)),
            config=_seeded(server_config or QuicConfig(), random),
            admit=admit,
            observer_factory=(lambda: self.server_trace) if observed else None,
        )
        self.server: QuicEngine | None = None
        client_random = Seeded(f"{seed} client")
        self.client_router = Router(random=client_random, wall_offset=wall - START)
        self.client = self.client_router.connect(
            SERVER_ADDRESS,
            tls=client_tls or ClientTLS(alpn=("test",), ca=made.ca_pem),
            config=_seeded(client_config or QuicConfig(), client_random),
            server_name=SERVER_NAME,
            now=self.now,
            wall_clock=wall,
            observer=self.client_trace if observed else None,
        )
        self.client_address = CLIENT_ADDRESS
        self.server_address = SERVER_ADDRESS
        self.client_sockets: dict[int, Address] = {}
        self.server_sockets: dict[int, Address] = {}

    # Time

    def run_until(self, holds: Callable[[], bool], limit: float = 60.0) -> None:
        """Let time pass until the condition holds.

        Raises:
            Stalled: it does not within `limit` seconds of virtual time.
        """
        end = self.now + limit
        while not holds():
            self.flush()
            if holds():
                return
            due = self._next()
            if due > end:
                raise Stalled(
                    f"seed {self.seed}: {'nothing is due' if due == math.inf else 'time is up'} at {self.now:.3f}"
                )
            self._advance(due)

    def run_for(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self.now + seconds
        self.flush()
        while self._next() <= end:
            self._advance(self._next())
        self.now = end

    def run_until_idle(self, limit: float = 10.0) -> None:
        """Let time pass until nothing is on its way, and nothing sent waits for an acknowledgement."""
        end = self.now + limit
        self.flush()
        while self._is_busy() and self._next() <= end:
            self._advance(self._next())

    def _is_busy(self) -> bool:
        if min(self.to_server.next_delivery(), self.to_client.next_delivery()) != math.inf:
            return True
        return any(
            engine is not None and not engine.is_closed and engine.stats().bytes_in_flight
            for engine in (self.client, self.server)
        )

    def _next(self) -> float:
        due = min(self.to_server.next_delivery(), self.to_client.next_delivery(), self.client.next_timeout())
        if self.server is not None:
            due = min(due, self.server.next_timeout())
        return due

    def _advance(self, due: float) -> None:
        self.now = max(self.now, due)
        now = self.now
        for engine in (self.client, self.server):
            if engine is not None and engine.next_timeout() <= now:
                engine.handle_timeout(now)
        arrived = self.to_server.deliver(now)
        if arrived:
            touched = self.router.receive(
                [
                    _crossed(each, self.client_address, self.client_sockets, self.server_sockets)
                    for each in arrived
                ],
                now,
            )
            for engine in touched:
                # A damaged Initial may have made an engine that nobody will ever talk to.
                if self.server is None or not self.server.stats().datagrams_sent:
                    self.server = engine
        arrived = self.to_client.deliver(now)
        if arrived:
            self.client_router.receive(
                [
                    _crossed(each, self.server_address, self.server_sockets, self.client_sockets)
                    for each in arrived
                ],
                now,
            )
        self.flush()

    # Output

    def flush(self) -> None:
        """Put on the links what both sides have to say now, and take their events."""
        self._send(self.client, self.client_router, self.to_server)
        self._send(self.server, self.router, self.to_client)
        for side, engine, events in (
            ("client", self.client, self.client_events),
            ("server", self.server, self.server_events),
        ):
            if engine is not None:
                fresh = engine.events()
                events += fresh
                if self.auto_read:
                    self._read(side, engine, fresh)
        self._send(self.client, self.client_router, self.to_server)
        self._send(self.server, self.router, self.to_client)

    def _send(self, engine: QuicEngine | None, router: Router, link: Link) -> None:
        batch = SendBatch()
        while True:
            router.transmit(self.now, batch)
            if engine is not None:
                engine.transmit(self.now, batch)
            if not batch.count:
                return
            for datagram in batch.datagrams():
                link.send(datagram, self.now)
            batch.clear()

    def _read(self, side: str, engine: QuicEngine, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, StreamReadable):
                data, is_end = engine.read(event.stream_id)
                key = (side, event.stream_id)
                self.received.setdefault(key, bytearray()).extend(data)
                if is_end:
                    self.finished.add(key)


def _crossed(
    datagram: Datagram, source: Address, senders: dict[int, Address], receivers: dict[int, Address]
) -> Datagram:
    """A datagram as it arrives: with the address of the socket that sent it, at the socket of its destination."""
    local = next((number for number, address in receivers.items() if address == datagram.address), 0)
    return Datagram(datagram.data, senders.get(datagram.local, source), datagram.ecn, local)


def _seeded(config: QuicConfig, random: Callable[[int], bytes]) -> QuicConfig:
    return replace(config, random=random)
