"""Routers on a network without delay: every site is one socket with its engines."""

import math
from collections.abc import Callable
from typing import Final, final

from qcore.admission import Admit
from qcore.batch import Address, Datagram, SendBatch
from qcore.config import QuicConfig
from qcore.engine.engine import QuicEngine
from qcore.ids.generator import ConnectionIdGenerator
from qcore.router import Router
from qcore.testing import Seeded
from qcore.testing.pair import SERVER_NAME, START, WALL, throwaway_certificate
from qtls.config import DEFAULT_GROUPS, ClientTLS, ServerTLS

MAX_ROUNDS: Final = 500


@final
class Site:
    """One socket: a router and its engines.

    Attributes:
        groups: key exchange groups that its clients offer.
        engines: all that were dialled or accepted and are not forgotten.
        sent: datagrams that left, with their destinations.
    """

    def __init__(
        self,
        address: Address,
        *,
        seed: int | str = 0,
        groups: tuple[int, ...] | None = None,
        cids: ConnectionIdGenerator | None = None,
    ) -> None:
        self.address = address
        self.groups = groups or DEFAULT_GROUPS
        self.random = Seeded(f"{seed} {address}")
        self.router = Router(random=self.random, wall_offset=WALL - START, cids=cids)
        self.engines: list[QuicEngine] = []
        self.sent: list[tuple[Address, bytes]] = []

    def listen(self, *, config: QuicConfig | None = None, admit: Admit | None = None) -> "Site":
        self.router.listen(
            tls=ServerTLS(certs=throwaway_certificate().chain, alpn=("test",)),
            config=config or QuicConfig(random=self.random),
            admit=admit,
        )
        return self

    def dial(self, address: Address, now: float = START, *, config: QuicConfig | None = None) -> QuicEngine:
        engine = self.router.connect(
            address,
            tls=ClientTLS(alpn=("test",), ca=throwaway_certificate().ca_pem, groups=self.groups),
            config=config or QuicConfig(random=self.random),
            server_name=SERVER_NAME,
            now=now,
            wall_clock=WALL,
        )
        self.engines.append(engine)
        return engine

    def receive(self, data: bytes, source: Address, now: float = START) -> list[QuicEngine]:
        """Give one datagram to the router."""
        touched = self.router.receive([Datagram(data, source)], now)
        for engine in touched:
            if engine not in self.engines:
                self.engines.append(engine)
        return touched

    def transmit(self, now: float = START) -> list[tuple[Address, bytes]]:
        """Everything that router and engines want to send now."""
        out: list[tuple[Address, bytes]] = []
        sources: list[Router | QuicEngine] = [self.router, *self.engines]
        for source in sources:
            while True:
                batch = SendBatch()
                source.transmit(now, batch)
                if not batch.count:
                    break
                out += [(datagram.address, datagram.data) for datagram in batch.datagrams()]
        self.sent += out
        return out

    def forget_ended(self) -> None:
        """What the driver of an endpoint does for engines whose closing period is over."""
        for engine in [engine for engine in self.engines if engine.is_terminated]:
            self.router.forget(engine)
            self.engines.remove(engine)


@final
class Wire:
    """Carries datagrams between sites.

    Attributes:
        lost: datagrams to addresses where nobody is.
        tap: sees every datagram with its source and destination; False loses it.
    """

    def __init__(self, *sites: Site) -> None:
        self.sites = {site.address: site for site in sites}
        self.now = START
        self.lost: list[tuple[Address, bytes]] = []
        self.tap: Callable[[Address, Address, bytes], bool] = lambda source, target, data: True

    def settle(self) -> None:
        """Carry datagrams until nobody has any."""
        for _ in range(MAX_ROUNDS):
            moved = False
            for site in list(self.sites.values()):
                for target, data in site.transmit(self.now):
                    moved = True
                    if not self.tap(site.address, target, data):
                        continue
                    if target in self.sites:
                        self.sites[target].receive(data, site.address, self.now)
                    else:
                        self.lost.append((target, data))
            if not moved:
                return
        raise AssertionError(f"still talking after {MAX_ROUNDS} rounds")

    def wait(self, seconds: float) -> None:
        """Let time pass, timers included."""
        end = self.now + seconds
        self.settle()
        while True:
            due = min(
                (engine.next_timeout() for site in self.sites.values() for engine in site.engines),
                default=math.inf,
            )
            if due > end:
                break
            self.now = max(self.now, due)
            for site in self.sites.values():
                for engine in site.engines:
                    if engine.next_timeout() <= self.now:
                        engine.handle_timeout(self.now)
                site.forget_ended()
            self.settle()
        self.now = end
