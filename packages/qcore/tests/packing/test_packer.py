"""Layouts on their way into datagrams, through real clients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from qcore.admission import always_retry
from qcore.batch import Datagram
from qcore.config import QuicConfig
from qcore.errors import FlightError, TransportError
from qcore.packing.initial_flight import (
    Ack,
    Crypto,
    FlightContext,
    FlightReason,
    InitialPolicy,
    Padding,
    Ping,
    Placement,
)
from qcore.router import Router
from qcore.testing import LinkConfig, Pair
from qcore.testing.pair import SERVER_ADDRESS, SERVER_NAME, START, WALL, throwaway_certificate
from qtls.config import ClientTLS, ServerTLS
from qtls.constants import SECP256R1, X25519
from qtls.retry import integrity_tag
from qwire.constants import INTERNAL_ERROR, VERSION_1, VERSION_2, PacketType
from qwire.frames import AckFrame, CryptoFrame
from qwire.headers import parse_long_header
from qwire.unprotected import Retry

from ..engine.crafting import first_flight
from .opening import OpenedInitial, crypto_of, open_flight

Plan = Sequence[Sequence[Placement]]
LayOut = Callable[[FlightContext], Plan | None]


@dataclass(frozen=True)
class Recording:
    """A layout that remembers what it was asked."""

    lay: LayOut
    asked: list[FlightContext] = field(default_factory=list, compare=False)

    def lay_out(self, flight: FlightContext) -> Plan | None:
        self.asked.append(flight)
        return self.lay(flight)


def filling(flight: FlightContext) -> Plan:
    """Every datagram is full to the last byte: PADDING first, then a piece of the hello, PING at the end."""
    plan: list[list[Placement]] = []
    for start, stop in flight.ranges:
        at = start
        while at < stop:
            room = flight.room(len(plan)) - 1
            end = min(stop, at + room - 9)
            padding = room - flight.crypto_size(at, end)
            plan.append([Padding(padding), Crypto(at, end), Ping()])
            at = end
    return plan


def scattered(flight: FlightContext) -> Plan:
    """Pieces of 100 bytes, every other one first; eight in a datagram."""
    pieces = [
        Crypto(at, min(at + 100, stop)) for start, stop in flight.ranges for at in range(start, stop, 100)
    ]
    mixed = pieces[1::2] + pieces[::2]
    return [[*mixed[at : at + 8], Ping()] for at in range(0, len(mixed), 8)]


def client_config(layout: Recording, **options: object) -> QuicConfig:
    return QuicConfig(initial=InitialPolicy(layout=layout), **options)  # type: ignore[arg-type]  # of QuicConfig


def sent_by(pair: Pair, *, until: Callable[[], bool] | None = None) -> list[bytes]:
    """What the client sends until it is confirmed."""
    sent: list[bytes] = []

    def note(datagram: Datagram) -> bool:
        sent.append(datagram.data)
        return True

    pair.to_server.filter(note)
    pair.run_until(until or (lambda: pair.client.is_confirmed))
    return sent


def test_placements_are_on_the_wire_as_asked() -> None:
    layout = Recording(scattered)
    packets = open_flight(sent_by(Pair(client_config=client_config(layout))))[:3]
    flight = layout.asked[0]
    plan = scattered(flight)

    for packet, placements in zip(packets, plan, strict=False):
        expected: list[object] = [
            (piece.start, piece.stop) if isinstance(piece, Crypto) else "PingFrame" for piece in placements
        ]
        assert expected == packet.shape[: len(expected)]
        assert 1 >= len(packet.shape) - len(expected), "nothing but the padding follows"
    assert flight.crypto == crypto_of(packets)


def test_room_is_used_to_the_last_byte() -> None:
    layout = Recording(filling)
    packets = open_flight(sent_by(Pair(client_config=client_config(layout))))[:2]
    flight = layout.asked[0]

    assert FlightReason.FIRST is flight.reason
    assert ((0, len(flight.crypto)),) == flight.ranges
    assert 0 == flight.base
    assert {1_200} == {packet.datagram_size for packet in packets}
    for index, packet in enumerate(packets):
        sizes = sum(frame.size() for frame in packet.frames)
        assert flight.room(index) == sizes
        assert "PingFrame" == packet.shape[-1]


@pytest.mark.parametrize("token", [b"", b"t" * 100])
@pytest.mark.parametrize("cids", [(0, 8), (20, 20)])
@pytest.mark.parametrize("numbers", [(), (4,), (1, 2)])
def test_room_has_paid_for_everything_else(
    token: bytes, cids: tuple[int, int], numbers: tuple[int, ...]
) -> None:
    layout = Recording(filling)
    policy = InitialPolicy(
        layout=layout,
        source_cid_size=cids[0],
        destination_cid_size=cids[1],
        packet_number_sizes=numbers,
        datagram_size=1_250,
    )
    pair = Pair(client_config=QuicConfig(initial=policy, token=token))
    packets = open_flight(sent_by(pair))[:2]

    assert {1_250} == {packet.datagram_size for packet in packets}
    assert ["PingFrame"] * 2 == [packet.shape[-1] for packet in packets]
    assert 0 == pair.client_trace.count("probe_sent")


def test_layout_may_leave_the_flight_to_the_ordinary_path() -> None:
    layout = Recording(lambda flight: None)
    plain = open_flight(sent_by(Pair(client_config=QuicConfig())))[:2]
    packets = open_flight(sent_by(Pair(client_config=client_config(layout))))[:2]

    assert [packet.shape for packet in plain] == [packet.shape for packet in packets]
    assert layout.asked


def test_the_same_configuration_gives_the_same_bytes() -> None:
    def random_cut(flight: FlightContext) -> Plan:
        at = 600 + flight.random(1)[0]
        return [[Crypto(at, len(flight.crypto))], [Crypto(0, at)]]

    one, other = (sent_by(Pair(client_config=client_config(Recording(random_cut)), seed=5)) for _ in range(2))

    assert one[:2] == other[:2]


# Once more


def test_layout_is_asked_again_after_a_retry() -> None:
    layout = Recording(filling)
    pair = Pair(client_config=client_config(layout), admit=always_retry)
    packets = open_flight(sent_by(pair))
    first, second = layout.asked

    assert FlightReason.RETRY is second.reason
    assert first.crypto == second.crypto
    assert ((0, len(first.crypto)),) == second.ranges
    assert second.room(0) < first.room(0), "the token takes room"
    again = [packet for packet in packets if packet.header.token][: len(packets) - 2]
    assert {1_200} == {packet.datagram_size for packet in packets}
    assert first.crypto == crypto_of(again[:2])
    assert 0 == pair.client_trace.count("probe_sent")


def test_layout_is_asked_again_after_version_negotiation() -> None:
    layout = Recording(filling)
    pair = Pair(
        client_config=client_config(layout, versions=(VERSION_2, VERSION_1)),
        server_config=QuicConfig(versions=(VERSION_1,)),
    )
    packets = open_flight(sent_by(pair))
    first, second = layout.asked

    assert FlightReason.VERSION_NEGOTIATION is second.reason
    assert first.crypto != second.crypto, "version_information is another"
    assert [VERSION_2] * 2 + [VERSION_1] * 2 == [packet.header.version for packet in packets[:4]]
    assert second.crypto == crypto_of(packets[2:4])
    assert 0 == pair.client_trace.count("probe_sent")


def retried_hello(
    lay: LayOut, *, link: LinkConfig | None = None, seed: int = 0
) -> tuple[Recording, Pair, list[bytes]]:
    """A server that takes P-256 only, of which the client has sent no key share. RFC 8446 §4.1.4."""
    layout = Recording(lay)
    made = throwaway_certificate()
    pair = Pair(
        client_config=client_config(layout),
        client_tls=ClientTLS(alpn=("test",), ca=made.ca_pem, groups=(X25519, SECP256R1)),
        server_tls=ServerTLS(certs=made.chain, alpn=("test",), groups=(SECP256R1,)),
        to_server=link,
        to_client=link,
        seed=seed,
    )
    return layout, pair, sent_by(pair)


def test_layout_is_asked_again_for_a_second_hello() -> None:
    layout, pair, sent = retried_hello(filling)
    first, second = layout.asked
    packets = [packet for packet in open_flight(sent) if packet.frames]

    assert FlightReason.SECOND_HELLO is second.reason
    assert len(first.crypto) == second.base
    assert ((0, len(second.crypto)),) == second.ranges
    assert 0 == pair.client_trace.count("probe_sent")
    assert packets


@pytest.mark.parametrize("seed", range(8))
def test_second_hello_survives_loss(seed: int) -> None:
    _, pair, _ = retried_hello(filling, link=LinkConfig(loss=0.3, max_loss_run=3), seed=seed)

    assert pair.client.is_confirmed


def test_acknowledgement_goes_before_the_second_hello() -> None:
    _, pair, _ = retried_hello(filling)
    with_crypto = [
        packet
        for packet in pair.client_trace.sent
        if packet.packet_type is PacketType.INITIAL
        and any(isinstance(frame, CryptoFrame) for frame in packet.frames)
    ]
    second = with_crypto[-1]

    assert isinstance(second.frames[0], AckFrame)


def test_layout_says_where_the_acknowledgement_goes() -> None:
    def at_the_end(flight: FlightContext) -> Plan:
        plan = filling(flight)
        return [[Ack(), *plan[0]] if flight.base == 0 else [*plan[0], Ack(), Ack()], *plan[1:]]

    _, pair, sent = retried_hello(at_the_end)
    shapes = [packet.shape for packet in open_flight(sent)]
    [second] = [shape for shape in shapes if "AckFrame" in shape and len(shape) > 3]

    assert ["PingFrame", "AckFrame"] == [item for item in second if isinstance(item, str)]
    assert "AckFrame" not in shapes[0], "none was due"
    assert 0 == pair.client_trace.count("probe_sent")


# Probes


class Silent:
    """A client that hears nothing, for some time."""

    def __init__(self, layout: Recording, seconds: float, keep: Callable[[int], bool] = lambda index: False):
        self.pair = Pair(client_config=client_config(layout))
        self.sent: list[bytes] = []

        def note(datagram: Datagram) -> bool:
            self.sent.append(datagram.data)
            return keep(len(self.sent) - 1)

        self.pair.to_server.filter(note)
        self.pair.run_for(seconds)

    @property
    def packets(self) -> list[OpenedInitial]:
        return open_flight(self.sent)


def test_probe_is_laid_out_anew() -> None:
    layout = Recording(filling)
    silent = Silent(layout, 1.01)
    first, probe = layout.asked[0], layout.asked[1]

    assert FlightReason.PROBE is probe.reason
    assert first.crypto == probe.crypto
    assert first.crypto == crypto_of(silent.packets[2:])
    assert {1_200} == {packet.datagram_size for packet in silent.packets}


def test_probe_carries_what_the_server_has_not_acknowledged() -> None:
    layout = Recording(filling)
    silent = Silent(layout, 1.01, keep=lambda index: index == 0)
    first_stop = silent.packets[0].shape[1]
    assert isinstance(first_stop, tuple)
    probes = [flight for flight in layout.asked if flight.reason is FlightReason.PROBE]

    assert probes
    assert {((first_stop[1], len(layout.asked[0].crypto)),)} == {flight.ranges for flight in probes}


@pytest.mark.parametrize("lay", [filling, scattered])
@pytest.mark.parametrize("seed", range(10))
def test_handshake_with_a_layout_survives_loss(lay: LayOut, seed: int) -> None:
    link = LinkConfig(loss=0.3, max_loss_run=3, reorder=0.2, duplicate=0.1)
    pair = Pair(client_config=client_config(Recording(lay)), to_server=link, to_client=link, seed=seed)
    pair.run_until(lambda: pair.client.is_confirmed)


def test_acknowledgement_between_planned_datagrams_costs_no_byte() -> None:
    # A plan of many datagrams goes out two by two; an ACK that becomes due in between takes room from one.
    def thin(flight: FlightContext) -> Plan:
        plan: list[list[Placement]] = []
        for start, stop in flight.ranges:
            for at in range(start, stop, 300):
                end = min(at + 300, stop)
                room = flight.room(len(plan))
                plan.append([Padding(room - flight.crypto_size(at, end)), Crypto(at, end)])
        return plan

    for kept in range(6):
        pair = Pair(client_config=client_config(Recording(thin)))
        seen = 0

        def keep(datagram: Datagram, kept: int = kept) -> bool:
            nonlocal seen
            seen += 1
            return seen - 1 == kept or seen > 6

        pair.to_server.filter(keep)
        pair.run_until(lambda pair=pair: pair.client.is_confirmed, limit=9)  # type: ignore[misc]


# Refusals


def dial(router: Router, layout: Recording, *, source_cid_size: int = 0) -> None:
    router.connect(
        SERVER_ADDRESS,
        tls=ClientTLS(alpn=("test",), ca=throwaway_certificate().ca_pem),
        config=QuicConfig(initial=InitialPolicy(layout=layout, source_cid_size=source_cid_size)),
        server_name=SERVER_NAME,
        now=START,
        wall_clock=WALL,
    )


@pytest.mark.parametrize(
    ("lay", "reason"),
    [
        pytest.param(lambda f: [[Crypto(0, len(f.crypto))]], "datagram 0 holds", id="overflows"),
        pytest.param(lambda f: [[Crypto(0, 100)]], "byte 100", id="unplaced bytes"),
        pytest.param(lambda f: [[Crypto(0, len(f.crypto) + 1)]], "not among", id="beyond the end"),
        pytest.param(lambda f: [], "at least one", id="no datagram"),
        pytest.param(lambda f: [*filling(f), []], "empty", id="empty datagram"),
    ],
)
def test_layout_that_does_not_fit_is_refused_before_anything_is_sent(lay: LayOut, reason: str) -> None:
    router = Router()
    with pytest.raises(FlightError, match=reason):
        dial(router, Recording(lay))

    # Nothing is left of the attempt: without connection IDs there is one connection per address.
    dial(router, Recording(filling))


@pytest.mark.parametrize(
    ("wrong", "options"),
    [
        pytest.param(FlightReason.RETRY, {"admit": always_retry}, id="Retry"),
        pytest.param(
            FlightReason.VERSION_NEGOTIATION,
            {"server_config": QuicConfig(versions=(VERSION_1,))},
            id="Version Negotiation",
        ),
    ],
)
def test_layout_that_fails_later_ends_the_connection(wrong: FlightReason, options: dict[str, object]) -> None:
    layout = Recording(lambda flight: [] if flight.reason is wrong else filling(flight))
    versions = (VERSION_2, VERSION_1) if wrong is FlightReason.VERSION_NEGOTIATION else (VERSION_1,)
    pair = Pair(client_config=client_config(layout, versions=versions), **options)  # type: ignore[arg-type]
    pair.run_until(lambda: pair.client.is_closed)

    assert isinstance(pair.client.error, TransportError)
    assert INTERNAL_ERROR == pair.client.error.code
    assert "at least one datagram" in pair.client.error.reason


def test_layout_that_fails_in_a_probe_ends_the_connection() -> None:
    layout = Recording(lambda flight: [] if flight.reason is FlightReason.PROBE else filling(flight))
    silent = Silent(layout, 1.01)

    assert isinstance(silent.pair.client.error, TransportError)
    assert INTERNAL_ERROR == silent.pair.client.error.code


def test_server_does_not_ask_the_layout() -> None:
    layout = Recording(filling)
    pair = Pair(server_config=client_config(layout))
    pair.run_until(lambda: pair.client.is_confirmed)

    assert not layout.asked


def test_repeated_placements_that_no_longer_fit_are_sent_all_the_same() -> None:
    # Numbers that are skipped before each probe make its packet number longer, so a full datagram does not fit again.
    policy = InitialPolicy(
        layout=Recording(filling_without_padding),
        probe_relayout=False,
        skip_before_probe=100,
        first_packet_number=50,
    )
    pair = Pair(client_config=QuicConfig(initial=policy))
    sent: list[bytes] = []
    pair.to_server.filter(lambda datagram: sent.append(datagram.data) is None and len(sent) > 4)  # type: ignore[func-returns-value]
    pair.run_until(lambda: pair.client.is_confirmed)

    assert len(sent) < 20


def filling_without_padding(flight: FlightContext) -> Plan:
    """The first datagram is full of CRYPTO bytes, the second one holds the rest."""
    total = len(flight.crypto)
    at = flight.room(0) - flight.crypto_size(0, flight.room(0)) + flight.room(0)
    assert flight.room(0) == flight.crypto_size(0, at)
    return [[Crypto(0, at)], [Crypto(at, total)]]


def test_layout_that_raises_is_refused() -> None:
    def fail(flight: FlightContext) -> Plan:
        raise ZeroDivisionError("somewhere in it")

    with pytest.raises(FlightError, match="ZeroDivisionError") as caught:
        dial(Router(), Recording(fail))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_layout_that_raises_later_ends_the_connection() -> None:
    def fail(flight: FlightContext) -> Plan:
        if flight.reason is FlightReason.PROBE:
            raise ZeroDivisionError("somewhere in it")
        return filling(flight)

    silent = Silent(Recording(fail), 1.01)
    assert isinstance(silent.pair.client.error, TransportError)
    assert "ZeroDivisionError" in silent.pair.client.error.reason


def test_probes_after_the_ordinary_path_are_probes() -> None:
    layout = Recording(lambda flight: None)
    Silent(layout, 1.01)

    assert [FlightReason.FIRST, FlightReason.PROBE] == [flight.reason for flight in layout.asked[:2]]


@pytest.mark.parametrize("size", [0, 100, 500, 900, 1_000, 1_100, 1_127, 1_150, 1_160, 1_180, 1_190])
def test_token_of_any_size_is_borne(size: int) -> None:  # RFC 9000 §17.2.5 sets no limit
    layout = Recording(filling)
    pair = Pair(client_config=client_config(layout))
    (first, *_) = first_flight(pair.client, pair.now)
    header = parse_long_header(first)
    draft = Retry(VERSION_1, header.source_cid, b"retried.", b"t" * (size + 1)).without_tag()
    answer = draft + integrity_tag(draft, header.destination_cid, VERSION_1)
    pair.client.receive([Datagram(answer, SERVER_ADDRESS)], pair.now)
    sent = first_flight(pair.client, pair.now)

    assert not pair.client.is_closed
    assert all(1_200 == len(data) for data in sent)
    assert bool(sent) is (size < 1_150)
    assert all(flight.room(0) >= 256 for flight in layout.asked)
