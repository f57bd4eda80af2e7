"""Initial flights without a network.

Each is made by the same engines that dial: a connection is started, and the datagrams that it would send before it
hears of the server are taken. Where a session is resumed, the request for a page goes along in early data. Nothing here
lays out or encodes anything.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, Protocol

from qcore.batch import Address, SendBatch
from qcore.router import Router
from qhttp3.config import H3Config
from qhttp3.engine import H3Engine
from qhttp3.transport import StreamTransport
from qtls.constants import AES_256_GCM_SHA384
from qtls.resumption import MemorySessionStore, Session
from qwire.constants import VERSION_1, VERSION_2
from qwire.transport_parameters import TransportParameters

from .capture import CapturedDatagram, CapturedFlow
from .dissection import parse_key_log
from .fingerprint.initials import initial_header
from .http3 import Http3Spec
from .profile import ClientProfile, Resumption
from .randomness import RandomBytes, SeededBytes, below, between, normal
from .transport_parameters import Integer, Known

Family = Literal[4, 6]

VERSIONS: Final = (VERSION_1, VERSION_2)

# Addresses for documentation, RFC 5737 and RFC 3849; nothing is sent there.
ADDRESSES: Final[dict[int, Address]] = {4: ("192.0.2.1", 443), 6: ("2001:db8::1", 443, 0, 0)}
PORT: Final = 443
MTU: Final = 1500

# What an aioquic 1.7 server hands out, as in the captures of resumed connections.
TICKET_SIZE: Final = 64
TOKEN_SIZE: Final = 48
TOKEN_MARK: Final = b"T"
# QPACK_MAX_TABLE_CAPACITY, QPACK_BLOCKED_STREAMS, ENABLE_CONNECT_PROTOCOL, and a reserved one.
SETTINGS: Final = ((0x01, 4096), (0x07, 16), (0x08, 1), (0x21, 1))
# The limits that its transport parameters leave to early data: max_idle_timeout, the windows and numbers of streams,
# ack_delay_exponent, max_ack_delay, active_connection_id_limit, max_datagram_frame_size.
LIMITS: Final = (
    *(
        (0x01, 30_000),
        (0x04, 1 << 20),
        (0x05, 1 << 20),
        (0x06, 1 << 20),
        (0x07, 1 << 20),
        (0x08, 128),
        (0x09, 128),
    ),
    *((0x0A, 3), (0x0B, 25), (0x0E, 8), (0x20, 65_536)),
)
TICKET_LIFETIME: Final = 86_400.0
# Seconds of its round trips: what the path takes, and what the machine added, median and spread of its logarithm.
PATH_RTT: Final = 0.0215
ADDED_RTT: Final = 0.0055
ADDED_SPREAD: Final = 1.05


class Sender(StreamTransport, Protocol):
    """What is needed of an engine to see what it sends."""

    @property
    def can_send_early(self) -> bool:
        """Whether streams can be opened before the server has answered."""

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
    early_data: bool = False,
    keylog: Callable[[str], None] | None = None,
) -> list[bytes]:
    """The datagrams of one first flight: those with Initial packets, and whatever else is in them.

    Args:
        random: decides everything that the profile leaves to chance, keys included.
        resumption: what earlier connections left; its session is offered, and a page asked for in early data.
        wall_clock: Unix time, which a ticket's age is counted from.
        early_data: also the datagrams that hold nothing but early data.
        keylog: takes lines of an NSS key log.

    Raises:
        FlightError: the profile's layout does not fit the ClientHello.
    """
    engine, http3 = start(profile, random, server_name, family, resumption, wall_clock, keylog)
    if profile.http3 is None or not engine.can_send_early:
        return sent_by(engine, 0.0)
    sent = ask_early(engine, http3, profile.http3, server_name)
    return sent if early_data else [data for data in sent if initial_header(data, VERSIONS) is not None]


def start(
    profile: ClientProfile,
    random: RandomBytes,
    server_name: str,
    family: Family,
    resumption: Resumption | None = None,
    wall_clock: float = 0.0,
    keylog: Callable[[str], None] | None = None,
) -> tuple[Sender, H3Config]:
    """An engine that has something to send, and how HTTP/3 goes on from there."""
    drawn = profile.draw(random, resumption)
    engine = Router(random=random).connect(
        ADDRESSES[family],
        tls=replace(drawn.tls, keylog=keylog),
        config=drawn.quic,
        server_name=server_name,
        now=0.0,
        wall_clock=wall_clock,
        session=None if drawn.tls.sessions is None else drawn.tls.sessions.pop(server_name),
    )
    return engine, drawn.http3


def ask_early(engine: Sender, config: H3Config, spec: Http3Spec, server_name: str) -> list[bytes]:
    """The first flight with a request for a page; what goes in packets of its own does so here."""
    http3 = H3Engine(engine, is_client=True, config=config, remembered=config.remembered)
    http3.start()
    is_together = config.requests_apart == "none" or config.early_together
    sent = [] if is_together else sent_by(engine, 0.0)
    fields = [(":method", "GET"), (":scheme", "https"), (":authority", server_name), (":path", "/")]
    fields.extend(spec.complete([], server_name))
    http3.send_request([(name.encode(), value.encode()) for name, value in fields], end=True)
    return sent + sent_by(engine, 0.0)


def sent_by(engine: Sender, now: float) -> list[bytes]:
    """The datagrams that leave at `now`."""
    batch = SendBatch()
    engine.transmit(now, batch)
    return [datagram.data for datagram in batch.datagrams()]


def sample_resumption(
    profile: ClientProfile,
    random: RandomBytes,
    server_name: str,
    *,
    ticket_size: int = TICKET_SIZE,
    token_size: int = TOKEN_SIZE,
) -> Resumption:
    """What a client might remember of a server: a ticket that allows 0-RTT, a token, a round-trip time."""
    sessions = MemorySessionStore()
    # A server that knows every version of the client's has switched to the one it likes best, RFC 9368 §2.3.
    version = profile.engine.versions[-1] if profile.engine.resumes_version else profile.engine.versions[0]
    session = Session(
        ticket=random(ticket_size),
        secret=random(48),
        suite=AES_256_GCM_SHA384,
        alpn=profile.alpn[0] if profile.alpn else None,
        server_name=server_name,
        lifetime=TICKET_LIFETIME,
        age_add=int.from_bytes(random(4), "big"),
        issued_at=0.0,
        quic_version=version,
        max_early_data=0xFFFFFFFF,
        transport_parameters=server_parameters(),
    )
    sessions.put(server_name, session)
    rtt = PATH_RTT + ADDED_RTT * math.exp(ADDED_SPREAD * normal(random))
    token = TOKEN_MARK + random(token_size - len(TOKEN_MARK)) if token_size else b""
    return Resumption(sessions=sessions, token=token, rtt=rtt, version=version, settings=SETTINGS)


def server_parameters() -> bytes:
    """The transport parameters of a server as a client remembers them."""
    entries = (Integer(id=number, value=value).draw(bytes, Known()) for number, value in LIMITS)
    return TransportParameters([entry for entry in entries if entry is not None]).encode()


def draw_flows(
    profile: ClientProfile,
    *,
    seed: int,
    count: int = 1,
    server_names: Sequence[str],
    family: Family = 4,
    resumed: bool = False,
    early_data: bool = False,
) -> Iterator[CapturedFlow]:
    """First flights as captured connections; flight number i depends on `seed` and i alone.

    Args as of `draw_flight`; with `resumed` something is known of the server. Early data comes with its secrets.
    """
    for index in range(count):
        random = SeededBytes(f"{seed}/{index}")
        name = server_names[index % len(server_names)]
        resumption = sample_resumption(profile, random, name) if resumed else None
        age = between(random, 1, 60_000) / 1000
        lines: list[str] = []
        datagrams = draw_flight(
            profile,
            random,
            server_name=name,
            family=family,
            resumption=resumption,
            wall_clock=age,
            early_data=early_data,
            keylog=lines.append if early_data else None,
        )
        about = description(profile, seed, name, family)
        secrets: dict[str, bytes] = {}
        for known in parse_key_log("\n".join(lines)).values():
            secrets.update(known)
        times = leaving_times(profile.engine.send_gaps, SeededBytes(f"{seed}/{index}/gaps"))
        sent = [CapturedDatagram(time, True, data) for time, data in zip(times, datagrams, strict=False)]
        yield CapturedFlow(about, sent, secrets)


def leaving_times(gaps: Sequence[float], random: RandomBytes) -> Iterator[float]:
    """When one datagram after the other leaves, in milliseconds: between quantiles, the logarithms of gaps are even."""
    time = 0.0
    while True:
        yield round(time * 1000, 3)
        if gaps:
            place = below(random, (len(gaps) - 1) << 32) / (1 << 32)
            before, after = gaps[int(place)], gaps[int(place) + 1]
            time += before * (after / before) ** (place % 1)


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
        engine, _ = start(profile, SeededBytes(f"{seed}/{index}"), name, 4)
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
