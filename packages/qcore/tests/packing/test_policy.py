"""Every field of `InitialPolicy` reaches the wire."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

import pytest

from qcore.batch import Address, SendBatch
from qcore.config import QuicConfig
from qcore.packing.habits import PacketHabits
from qcore.packing.initial_flight import (
    Crypto,
    FlightContext,
    InitialPolicy,
    Padding,
    Placement,
)
from qcore.router import Router
from qcore.testing import Pair, Seeded
from qcore.testing.pair import SERVER_NAME, START, WALL, throwaway_certificate
from qtls.config import ClientTLS
from qwire.constants import PacketType
from qwire.headers import parse_long_header

from .opening import OpenedInitial, crypto_of, open_flight

IPV4: Final[Address] = ("192.0.2.1", 443)
IPV6: Final[Address] = ("2001:db8::1", 443, 0, 0)


@dataclass(frozen=True)
class Halves:
    """Cuts the hello at a random place, or at a given one, and puts its end first."""

    at: int | None = None

    def lay_out(self, flight: FlightContext) -> Sequence[Sequence[Placement]]:
        total = len(flight.crypto)
        at = 600 + flight.random(1)[0] if self.at is None else self.at
        return [[Padding(3), Crypto(at, total)], [Crypto(0, at)]]


def first_datagrams(policy: InitialPolicy, address: Address = IPV4) -> list[bytes]:
    """The first flight of a client."""
    random = Seeded("policy")
    engine = Router(random=random).connect(
        address,
        tls=ClientTLS(alpn=("test",), ca=throwaway_certificate().ca_pem),
        config=QuicConfig(initial=policy, random=random),
        server_name=SERVER_NAME,
        now=START,
        wall_clock=WALL,
    )
    batch = SendBatch()
    engine.transmit(START, batch)
    return [datagram.data for datagram in batch.datagrams()]


def first_flight(policy: InitialPolicy, address: Address = IPV4) -> list[OpenedInitial]:
    return open_flight(first_datagrams(policy, address))


def unanswered(policy: InitialPolicy) -> tuple[list[OpenedInitial], list[float]]:
    """Initial packets of a client that hears nothing, and when they were sent, up to the first timeout."""
    pair = Pair(client_config=QuicConfig(initial=policy))
    sent: list[bytes] = []
    pair.to_server.filter(lambda datagram: bool(sent.append(datagram.data)))  # type: ignore[func-returns-value]
    pair.run_for(policy.initial_rtt * 3 + 0.01)
    return open_flight(sent), [packet.time for packet in pair.client_trace.sent]


def handshake(policy: InitialPolicy) -> Pair:
    pair = Pair(client_config=QuicConfig(initial=policy))
    pair.run_until(lambda: pair.client.is_confirmed)
    return pair


def number_of_first_handshake_packet(policy: InitialPolicy) -> int:
    return next(
        packet.packet_number
        for packet in handshake(policy).client_trace.sent
        if packet.packet_type is PacketType.HANDSHAKE
    )


def shared_datagrams(policy: InitialPolicy) -> bool:
    """Whether another packet of the client follows an Initial in a datagram."""
    pair = Pair(client_config=QuicConfig(initial=policy))
    sent: list[bytes] = []
    pair.to_server.filter(lambda datagram: sent.append(datagram.data) is None)  # type: ignore[func-returns-value]
    pair.run_until(lambda: pair.client.is_confirmed)
    initials = [data for data in sent if data[0] & 0xB0 == 0x80]
    assert len(initials) >= 3
    return any(parse_long_header(data).end < len(data) for data in initials)


def cuts_of_probes(policy: InitialPolicy) -> tuple[list[object], list[object]]:
    """How the CRYPTO bytes were cut at first, and in the probes."""
    packets, _ = unanswered(policy)
    shapes: list[object] = [packet.shape for packet in packets]
    return shapes[:2], shapes[2:]


BASE: Final = InitialPolicy()

# Field, its value, what to look at, and what it has to be: with the default, and with the value.
FIELDS: list[tuple[str, object, Callable[[InitialPolicy], object], object, object]] = [
    ("source_cid_size", 5, lambda p: len(first_flight(p)[0].header.source_cid), 8, 5),
    ("destination_cid_size", 13, lambda p: len(first_flight(p)[0].header.destination_cid), 8, 13),
    ("first_packet_number", 7, lambda p: [x.packet_number for x in first_flight(p)], [0, 1], [7, 8]),
    ("packet_number_sizes", (1, 3), lambda p: [x.packet_number_size for x in first_flight(p)], [1, 1], [1, 3]),
    ("shared_packet_numbers", True, number_of_first_handshake_packet, 0, 3),
    ("datagram_size", 1_333, lambda p: {len(x) for x in first_datagrams(p)}, {1_200}, {1_333}),
    ("datagram_size_ipv6", 1_280, lambda p: {len(x) for x in first_datagrams(p, IPV6)}, {1_200}, {1_280}),
    ("first_datagram_sizes", (1_300, 1_260), lambda p: [len(x) for x in first_datagrams(p)], [1_200, 1_200], [1_300, 1_260]),
    ("packet_number_skips", (3, 2), lambda p: [x.packet_number for x in unanswered(p)[0]], [0, 1, 2, 3], [0, 4, 7, 8]),
    ("padding", "datagram", lambda p: first_flight(p)[1].size < 1_200, False, True),
    ("length_size", 4, lambda p: [x.length_size for x in first_flight(p)], [2, 2], [4, 4]),
    ("layout", Halves(700), lambda p: first_flight(p)[1].shape[0], (1_164, 1_749), (0, 700)),
    ("skip_before_probe", 5, lambda p: [x.packet_number for x in unanswered(p)[0]], [0, 1, 2, 3], [0, 1, 7, 8]),
    ("probes_per_timeout", 1, lambda p: len(unanswered(p)[0]), 4, 3),
    ("initial_rtt", 0.1, lambda p: round(unanswered(p)[1][-1] - START, 3), 0.999, 0.3),
    ("coalesce", False, shared_datagrams, True, False),
    ("habits", PacketHabits(unanswered_number_size=3), lambda p: [x.packet_number_size for x in first_flight(p)], [1, 1], [1, 3]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "look", "before", "after"), FIELDS, ids=[row[0] for row in FIELDS]
)
def test_field_reaches_the_wire(
    field: str, value: object, look: Callable[[InitialPolicy], object], before: object, after: object
) -> None:
    if field == "layout":
        seen = look(BASE)
        assert isinstance(seen, tuple)
        assert after != seen
    else:
        assert before == look(BASE)
    assert after == look(replace(BASE, **{field: value}))  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize("relayout", [True, False])
def test_probes_are_cut_anew_or_as_before(relayout: bool) -> None:
    first, probes = cuts_of_probes(InitialPolicy(layout=Halves(), probe_relayout=relayout))

    assert 2 == len(first) == len(probes)
    assert relayout is (first != probes)


def test_every_field_is_tested() -> None:
    assert {field.name for field in fields(InitialPolicy)} == {row[0] for row in FIELDS} | {"probe_relayout"}


@pytest.mark.parametrize("row", FIELDS, ids=[row[0] for row in FIELDS])
def test_handshake_completes_with(row: tuple[str, object]) -> None:
    pair = handshake(replace(BASE, **{row[0]: row[1]}))  # type: ignore[arg-type]  # fields by name

    assert 0 == pair.client_trace.count("probe_sent")


def test_handshake_completes_with_all_fields_at_once() -> None:
    values = {row[0]: row[1] for row in FIELDS}
    pair = handshake(replace(BASE, **values))  # type: ignore[arg-type]  # fields by name

    assert 0 == pair.client_trace.count("probe_sent")


@pytest.mark.parametrize("is_ipv6", [False, True])
def test_ipv4_mapped_address_counts_as_ipv4(is_ipv6: bool) -> None:
    policy = InitialPolicy(datagram_size=1_250, datagram_size_ipv6=1_230)
    address: Address = ("2001:db8::1" if is_ipv6 else "::ffff:192.0.2.1", 443, 0, 0)

    assert {1_230 if is_ipv6 else 1_250} == {len(data) for data in first_datagrams(policy, address)}


@pytest.mark.parametrize("layout", [None, Halves(700)], ids=["in order", "layout"])
@pytest.mark.parametrize("padding", ["packet", "datagram"])
@pytest.mark.parametrize("size", [0, 1, 63, 64, 200, 350])
def test_token_keeps_the_datagram_size(size: int, padding: str, layout: Halves | None) -> None:
    policy = InitialPolicy(datagram_size=1_250, padding=padding)  # type: ignore[arg-type]  # one of two texts
    if layout is not None:
        policy = replace(policy, layout=layout)
    random = Seeded("token")
    engine = Router(random=random).connect(
        IPV4,
        tls=ClientTLS(alpn=("test",), ca=throwaway_certificate().ca_pem),
        config=QuicConfig(initial=policy, random=random, token=b"t" * size),
        server_name=SERVER_NAME,
        now=START,
        wall_clock=WALL,
    )
    batch = SendBatch()
    engine.transmit(START, batch)
    packets = open_flight([datagram.data for datagram in batch.datagrams()])

    assert {1_250} == {packet.datagram_size for packet in packets}
    assert {b"t" * size} == {packet.header.token for packet in packets}
    hello = crypto_of(packets)
    assert 4 + int.from_bytes(hello[1:4], "big") == len(hello)
