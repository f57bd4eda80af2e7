"""Initial flights without a network.

Each is made by the same engine that dials: a connection is started, and the datagrams that it would send first
are taken. Nothing here lays out or encodes anything.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, Protocol

from qcore.batch import Address, SendBatch
from qcore.router import Router
from qtls.constants import AES_256_GCM_SHA384
from qtls.resumption import MemorySessionStore, Session

from .capture import CapturedDatagram, CapturedFlow
from .profile import ClientProfile, Resumption
from .randomness import RandomBytes, SeededBytes, between

Family = Literal[4, 6]

# Addresses for documentation, RFC 5737 and RFC 3849; nothing is sent there.
ADDRESSES: Final[dict[int, Address]] = {4: ("192.0.2.1", 443), 6: ("2001:db8::1", 443, 0, 0)}
PORT: Final = 443
MTU: Final = 1500

# What an aioquic 1.7 server hands out, as in the captures of resumed connections.
TICKET_SIZE: Final = 64
TOKEN_SIZE: Final = 48
TICKET_LIFETIME: Final = 86_400.0


class Sender(Protocol):
    """What is needed of an engine to see what it sends."""

    def transmit(self, now: float, batch: SendBatch) -> int:
        """Put what is due into `batch`."""

    def next_timeout(self) -> float:
        """When to wake it."""

    def handle_timeout(self, now: float) -> None:
        """Wake it."""


def draw_flight(
    profile: ClientProfile,
    random: RandomBytes,
    *,
    server_name: str,
    family: Family = 4,
    resumption: Resumption | None = None,
    wall_clock: float = 0.0,
) -> list[bytes]:
    """The datagrams of one first flight.

    Args:
        random: decides everything that the profile leaves to chance, keys included.
        resumption: what earlier connections left; its session is offered.
        wall_clock: Unix time, which a ticket's age is counted from.

    Raises:
        FlightError: the profile's layout does not fit the ClientHello.
    """
    engine = start(profile, random, server_name, family, resumption, wall_clock)
    return sent_by(engine, 0.0)


def start(
    profile: ClientProfile,
    random: RandomBytes,
    server_name: str,
    family: Family,
    resumption: Resumption | None = None,
    wall_clock: float = 0.0,
) -> Sender:
    """An engine that has something to send."""
    drawn = profile.draw(random, resumption)
    return Router(random=random).connect(
        ADDRESSES[family],
        tls=drawn.tls,
        config=drawn.quic,
        server_name=server_name,
        now=0.0,
        wall_clock=wall_clock,
        session=None if drawn.tls.sessions is None else drawn.tls.sessions.pop(server_name),
    )


def sent_by(engine: Sender, now: float) -> list[bytes]:
    """The datagrams that leave at `now`."""
    batch = SendBatch()
    engine.transmit(now, batch)
    return [datagram.data for datagram in batch.datagrams()]


def sample_resumption(profile: ClientProfile, random: RandomBytes, server_name: str) -> Resumption:
    """What a client might remember of a server: a ticket that allows 0-RTT, a token, a round-trip time."""
    sessions = MemorySessionStore()
    # A server that knows every version of the client's has switched to the one it likes best, RFC 9368 §2.3.
    version = profile.engine.versions[-1] if profile.engine.resumes_version else profile.engine.versions[0]
    session = Session(
        ticket=random(TICKET_SIZE),
        secret=random(48),
        suite=AES_256_GCM_SHA384,
        alpn=profile.alpn[0] if profile.alpn else None,
        server_name=server_name,
        lifetime=TICKET_LIFETIME,
        age_add=int.from_bytes(random(4), "big"),
        issued_at=0.0,
        quic_version=version,
        max_early_data=0xFFFFFFFF,
    )
    sessions.put(server_name, session)
    rtt = between(random, 20_000, 60_000) / 1_000_000
    return Resumption(sessions=sessions, token=random(TOKEN_SIZE), rtt=rtt, version=version)


def draw_flows(
    profile: ClientProfile,
    *,
    seed: int,
    count: int = 1,
    server_names: Sequence[str],
    family: Family = 4,
    resumed: bool = False,
) -> Iterator[CapturedFlow]:
    """First flights as captured connections; flight number i depends on `seed` and i alone."""
    for index in range(count):
        random = SeededBytes(f"{seed}/{index}")
        name = server_names[index % len(server_names)]
        resumption = sample_resumption(profile, random, name) if resumed else None
        age = between(random, 1, 60_000) / 1000
        datagrams = draw_flight(
            profile, random, server_name=name, family=family, resumption=resumption, wall_clock=age
        )
        about = description(profile, seed, name, family)
        yield CapturedFlow(about, [CapturedDatagram(0.0, True, data) for data in datagrams])


def draw_unanswered(
    profile: ClientProfile,
    *,
    seed: int,
    count: int = 1,
    server_names: Sequence[str],
    seconds: float,
) -> Iterator[CapturedFlow]:
    """Connections to a server that never answers: the first flight, and all that follows for `seconds`."""
    for index in range(count):
        name = server_names[index % len(server_names)]
        engine = start(profile, SeededBytes(f"{seed}/{index}"), name, 4)
        now = 0.0
        datagrams: list[CapturedDatagram] = []
        while now <= seconds:
            datagrams.extend(CapturedDatagram(now * 1000, True, data) for data in sent_by(engine, now))
            now = max(now, engine.next_timeout())
            if now <= seconds:
                engine.handle_timeout(now)
        yield CapturedFlow({**description(profile, seed, name, 4), "kind": "pto"}, datagrams)


def description(profile: ClientProfile, seed: int, name: str, family: Family) -> dict[str, Any]:
    """What a captures file says of a drawn flow."""
    return {
        "client": profile.client,
        "version": profile.version,
        "kind": "flight" if family == 4 else "flight6",
        "label": "drawn",
        "seed": seed,
        "host": name,
        "port": PORT,
        "family": family,
        "mtu": MTU,
    }
