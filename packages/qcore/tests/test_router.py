"""One socket's worth of connections. RFC 9000 §5.2, §6, §8.1, §10.3."""

from collections.abc import Callable
from typing import Final

import pytest

from qcore.admission import Admission, Arrival, LoadLimits, always_retry
from qcore.batch import SendBatch
from qcore.config import QuicConfig
from qcore.engine.engine import QuicEngine
from qcore.errors import StatelessReset, TransportError, UsageError
from qcore.ids.routable import RoutableIds, RoutingCodec, RoutingConfig, server_id_in
from qcore.packing.builder import MIN_INITIAL_SIZE
from qcore.packing.initial_flight import InitialPolicy
from qcore.stateless_reset import RESET_BURST
from qcore.testing import Seeded
from qcore.testing.pair import START
from qtls.initial import initial_keys
from qtls.retry import integrity_tag
from qwire.constants import CONNECTION_REFUSED, INVALID_TOKEN, VERSION_1, VERSION_2, PacketType
from qwire.frames import ConnectionCloseFrame, CryptoFrame, PingFrame, parse_frames
from qwire.headers import parse_long_header
from qwire.unprotected import Retry, VersionNegotiation

from .engine.crafting import craft, long_header, protect
from .engine.sites import Site, Wire

HERE: Final = ("192.0.2.1", 50_000)
ELSEWHERE: Final = ("192.0.2.77", 50_000)
THERE: Final = ("198.51.100.1", 443)
OTHER_SERVER: Final = ("198.51.100.2", 443)
NO_IDS: Final = QuicConfig(initial=InitialPolicy(source_cid_size=0))


def first_datagrams(config: QuicConfig | None = None, *, seed: int | str = "dialling") -> list[bytes]:
    """What a client sends first."""
    site = Site(HERE, seed=seed)
    site.dial(THERE, config=config)
    return [data for _, data in site.transmit()]


def connected(*clients: Site, config: QuicConfig | None = None) -> tuple[Wire, Site]:
    server = Site(THERE).listen()
    wire = Wire(server, *clients)
    for client in clients:
        client.dial(THERE, wire.now, config=config)
    wire.settle()
    assert all(engine.is_confirmed for client in clients for engine in client.engines)
    return wire, server


def exchange(wire: Wire, client: QuicEngine, servers: list[QuicEngine], data: bytes) -> None:
    """Send something and find it at one of the engines of the server."""
    stream = client.open_stream()
    client.send(stream, data, True)
    wire.settle()
    found = [server.read(stream) for server in servers if server.parts.streams.open_count]
    assert (data, True) in found


def rotate(engine: QuicEngine) -> None:
    """Go on with another connection ID of the peer."""
    assert engine.parts.remote_ids.rotate()
    engine.parts.packer.headers.destination_cid = engine.parts.remote_ids.current_cid


# Finding the engine


def test_connections_from_one_socket_are_told_apart_by_their_ids() -> None:  # RFC 9000 §5.2
    client = Site(HERE)
    server = Site(THERE).listen()
    wire = Wire(client, server)
    engines = [client.dial(THERE) for _ in range(5)]
    wire.settle()

    assert 5 == len(server.engines)
    for number, engine in enumerate(engines):
        exchange(wire, engine, server.engines, b"from %d" % number)


def test_connection_ids_of_several_sizes_share_a_socket() -> None:
    client = Site(HERE)
    server = Site(THERE).listen()
    wire = Wire(client, server)
    engines = [
        client.dial(THERE, config=QuicConfig(initial=InitialPolicy(source_cid_size=size)))
        for size in (20, 8, 4, 12)
    ]
    wire.settle()

    for number, engine in enumerate(engines):
        exchange(wire, engine, server.engines, b"size %d" % number)


def test_client_without_ids_is_found_by_address() -> None:
    client = Site(HERE)
    server, other = Site(THERE).listen(), Site(OTHER_SERVER).listen()
    wire = Wire(client, server, other)
    one = client.dial(THERE, config=NO_IDS)
    two = client.dial(OTHER_SERVER, config=NO_IDS)
    wire.settle()

    exchange(wire, one, server.engines, b"one")
    exchange(wire, two, other.engines, b"two")


def test_second_client_without_ids_to_one_address_is_refused() -> None:
    client = Site(HERE)
    first = client.dial(THERE, config=NO_IDS)
    with pytest.raises(UsageError, match="connection IDs"):
        client.dial(THERE, config=NO_IDS)
    client.router.forget(first)

    client.dial(THERE, config=NO_IDS)


def test_engine_is_found_by_every_id_it_has_issued() -> None:  # RFC 9000 §5.1.1
    client = Site(HERE)
    wire, server = connected(client)
    (engine,) = client.engines
    for _ in range(5):
        rotate(engine)
        exchange(wire, engine, server.engines, b"by another name")
        wire.wait(0.5)

    assert 1 == len(server.engines)


def test_retired_ids_lead_nowhere() -> None:
    client = Site(HERE)
    wire, server = connected(client)
    (engine,) = client.engines
    old = craft(engine, PacketType.ONE_RTT, PingFrame(), full=True)
    rotate(engine)
    engine.ping()
    wire.wait(1.0)
    assert not engine.is_closed

    assert [] == server.receive(old, HERE, wire.now)


def test_one_socket_dials_and_listens() -> None:
    one, other = Site(HERE).listen(), Site(THERE).listen()
    wire = Wire(one, other)
    there, back = one.dial(THERE), other.dial(HERE)
    wire.settle()

    assert there.is_confirmed
    assert back.is_confirmed
    assert (2, 2) == (len(one.engines), len(other.engines))
    exchange(wire, there, other.engines, b"there")
    exchange(wire, back, one.engines, b"and back")


def test_socket_can_dial_itself() -> None:
    site = Site(HERE).listen()
    wire = Wire(site)
    engine = site.dial(HERE)
    wire.settle()

    assert engine.is_confirmed
    assert 2 == len(site.engines)


def test_accepted_engines_are_handed_out_once() -> None:
    client = Site(HERE)
    _, server = connected(client)

    assert server.engines == server.router.accepted()
    assert [] == server.router.accepted()


def test_forgotten_engine_gets_nothing() -> None:
    client = Site(HERE)
    wire, server = connected(client)
    (engine,) = client.engines
    server.router.forget(server.engines.pop())
    engine.send(engine.open_stream(), bytes(100))
    wire.settle()

    assert isinstance(engine.error, StatelessReset)


def test_forgotten_engines_leave_nothing_behind() -> None:
    client, server = Site(HERE), Site(THERE).listen()
    wire = Wire(client, server)
    for _ in range(20):
        engine = client.dial(THERE, wire.now)
        wire.settle()
        engine.close()
        wire.wait(2.0)
    server.router.accepted()

    for site in (client, server):
        assert [] == site.engines
        assert not site.router._by_cid
        assert not site.router._by_address
        assert 0 == site.router.half_open


def test_nobody_listens_any_more() -> None:
    client, server = Site(HERE), Site(THERE).listen()
    wire = Wire(client, server)
    first = client.dial(THERE)
    wire.settle()
    server.router.stop_listening()
    second = client.dial(THERE)
    wire.settle()

    assert not second.is_established
    exchange(wire, first, server.engines, b"those that are in stay")


# Whom nothing is kept for


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda data: data[:-1] + bytes((data[-1] ^ 1,)), id="last byte"),
        pytest.param(lambda data: data[:600] + bytes((data[600] ^ 1,)) + data[601:], id="payload"),
        pytest.param(lambda data: data[:16] + bytes((data[16] ^ 1,)) + data[17:], id="source connection ID"),
        pytest.param(
            lambda data: data[:8] + bytes((data[8] ^ 1,)) + data[9:], id="destination connection ID"
        ),
        pytest.param(lambda data: bytes((data[0] ^ 2,)) + data[1:], id="first byte"),
        pytest.param(lambda data: data[:30] + bytes(1170), id="zeros"),
        pytest.param(lambda data: data[:1199], id="1199 bytes"),
        pytest.param(lambda data: data[:700] + bytes(500), id="cut, and filled up"),
    ],
)
def test_damaged_first_packet_leaves_no_state(spoil: Callable[[bytes], bytes]) -> None:
    server = Site(THERE).listen()
    first, *rest = first_datagrams()

    assert [] == server.receive(spoil(first), HERE)
    assert [] == server.engines
    (engine,) = server.receive(first, HERE)
    for data in rest:
        assert [engine] == server.receive(data, HERE)
    assert server.transmit()
    assert not engine.is_closed


@pytest.mark.parametrize("size", range(9))
def test_short_junk_is_ignored(size: int) -> None:
    server = Site(THERE).listen()
    for first in range(0, 256, 5):
        assert [] == server.receive((bytes((first,)) + bytes(8))[:size], HERE)

    assert [] == server.transmit()


def test_destination_id_of_a_first_packet_has_eight_bytes() -> None:  # RFC 9000 §7.2
    server = Site(THERE).listen()
    cid = b"seven.."
    payload = bytes(1_170)
    header = long_header(PacketType.INITIAL, VERSION_1, cid, b"source", 0, 1, len(payload))
    data = protect(initial_keys(cid, VERSION_1).client_sealer, header, 0, 1, payload)
    assert len(data) >= MIN_INITIAL_SIZE

    assert [] == server.receive(data, HERE)
    assert [] == server.transmit()


@pytest.mark.parametrize("kind", [PacketType.HANDSHAKE, PacketType.ZERO_RTT])
def test_other_long_packets_of_strangers_are_ignored(kind: PacketType) -> None:
    server = Site(THERE).listen()
    header = long_header(kind, VERSION_1, b"somebody", b"source", 0, 1, 1_150)

    assert [] == server.receive(header + bytes(1_166), HERE)
    assert [] == server.transmit()


# Version Negotiation


def unknown(
    version: int, size: int = 1_200, destination: bytes = b"destination", source: bytes = b"src"
) -> bytes:
    data = b"\xc3" + version.to_bytes(4, "big") + bytes((len(destination),)) + destination
    data += bytes((len(source),)) + source
    return data + b"\xa5" * (size - len(data))


@pytest.mark.parametrize(
    ("destination", "source"),
    [(b"d" * 8, b"s" * 8), (b"", b""), (b"d" * 20, b""), (b"d" * 255, b"s" * 255)],
    ids=["ordinary", "empty", "one", "longer than version 1 allows"],
)
def test_unknown_version_is_answered_with_ours(destination: bytes, source: bytes) -> None:  # RFC 9000 §6.1
    server = Site(THERE).listen()
    server.receive(unknown(0xFACEB00C, 1_200, destination, source), HERE)
    ((target, data),) = server.transmit()
    packet = VersionNegotiation.parse(data)

    assert HERE == target
    assert (source, destination) == (packet.destination_cid, packet.source_cid)
    assert [VERSION_1, VERSION_2] == [
        version for version in packet.versions if version & 0x0F0F0F0F != 0x0A0A0A0A
    ]
    assert 3 == len(packet.versions), "and one that is reserved, RFC 9000 §6.3"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(unknown(0xFACEB00C, 1_199), id="too small a datagram"),  # RFC 9000 §14.1
        pytest.param(unknown(0, 1_200), id="a Version Negotiation packet"),  # RFC 9000 §6.1
        pytest.param(unknown(0xFACEB00C, 100), id="much too small"),
        pytest.param(b"\xc3\xfa\xce\xb0\x0c\xff" + bytes(1_194), id="no, a long ID of zeros"),
    ],
)
def test_what_version_negotiation_does_not_answer(data: bytes) -> None:
    server = Site(THERE).listen()
    server.receive(data, HERE)
    answers = server.transmit()
    if data[5] == 0xFF:
        assert 1 == len(answers), "the invariants allow IDs of 255 bytes"
    else:
        assert [] == answers


def test_answer_to_an_unknown_version_is_smaller_than_its_cause() -> None:
    server = Site(THERE).listen()
    server.receive(unknown(0xFACEB00C, 1_200, b"d" * 255, b"s" * 255), HERE)

    assert len(server.transmit()[0][1]) < 1_200


def test_only_configured_versions_are_served() -> None:
    server = Site(THERE)
    server.listen(config=QuicConfig(versions=(VERSION_2,)))
    (data, *_) = first_datagrams()

    assert [] == server.receive(data, HERE)
    ((_, answer),) = server.transmit()
    assert VERSION_2 in VersionNegotiation.parse(answer).versions


# Retry


def retried(server: Site, source: tuple[str, int] = HERE) -> tuple[Retry, list[bytes], bytes]:
    """The Retry for a client, its second flight, and its original connection ID."""
    client = Site(HERE)
    client.dial(THERE)
    flight = [data for _, data in client.transmit()]
    original = parse_long_header(flight[0]).destination_cid
    assert [] == server.receive(flight[0], source)
    ((target, data),) = server.transmit()
    assert source == target
    client.receive(data, THERE)
    return Retry.parse(data), [data for _, data in client.transmit()], original


def test_retry_is_genuine_and_keeps_no_state() -> None:  # RFC 9000 §8.1.2, §17.2.5
    server = Site(THERE).listen(admit=always_retry)
    retry, second, original = retried(server)

    assert [] == server.engines
    assert integrity_tag(retry.without_tag(), original, VERSION_1) == retry.integrity_tag
    assert retry.source_cid != original
    header = parse_long_header(second[0])
    assert (retry.source_cid, retry.token) == (header.destination_cid, header.token)
    assert 1 == len(server.receive(second[0], HERE))


def test_client_that_proved_its_address_has_no_limit() -> None:  # RFC 9000 §8.1
    server = Site(THERE).listen(admit=always_retry)
    _, second, _ = retried(server)
    (engine,) = server.receive(second[0], HERE)

    assert engine.parts.paths.active.validated


def closed_with(data: bytes, cid: bytes) -> ConnectionCloseFrame:
    """The close in a server's Initial packet, opened with the keys of the client's destination."""
    header = parse_long_header(data)
    opener = initial_keys(cid, header.version).server_opener
    at = header.packet_number_offset
    mask = opener.masks(data[at + 4 : at + 20])
    size = ((data[0] ^ mask[0]) & 3) + 1
    number = bytes(a ^ b for a, b in zip(data[at : at + size], mask[1:], strict=False))
    clear = bytes((data[0] ^ (mask[0] & 0x0F),)) + data[1:at] + number
    payload = opener.open(int.from_bytes(number, "big"), clear, data[at + size : header.end])
    assert payload is not None
    (close,) = (
        frame
        for frame in parse_frames(payload, PacketType.INITIAL)
        if isinstance(frame, ConnectionCloseFrame)
    )
    return close


@pytest.mark.parametrize(
    ("source", "now"),
    [
        pytest.param(ELSEWHERE, START, id="another host"),
        pytest.param((HERE[0], 50_001), START, id="another port"),
        pytest.param(HERE, START + 60.0, id="expired"),
    ],
)
def test_retry_token_that_does_not_hold(source: tuple[str, int], now: float) -> None:  # RFC 9000 §8.1.3
    server = Site(THERE).listen(admit=always_retry)
    retry, second, _ = retried(server)

    assert [] == server.receive(second[0], source, now)
    ((target, data),) = server.transmit(now)
    assert source == target
    assert INVALID_TOKEN == closed_with(data, retry.source_cid).error_code


def with_token(token: bytes, cid: bytes = b"original") -> bytes:
    payload = CryptoFrame(0, b"hello")
    draft = bytearray()
    size = 1_200 - len(long_header(PacketType.INITIAL, VERSION_1, cid, b"source", 0, 1, 0, token=token)) - 16
    draft += b"\x06\x00\x05" + payload.data
    draft += bytes(size - len(draft))
    header = long_header(PacketType.INITIAL, VERSION_1, cid, b"source", 0, 1, len(draft), token=token)
    return protect(initial_keys(cid, VERSION_1).client_sealer, header, 0, 1, bytes(draft))


def test_forged_retry_token_is_told() -> None:
    server = Site(THERE).listen()
    retry, _, _ = retried(Site(THERE, seed=9).listen(admit=always_retry))  # of another server

    assert [] == server.receive(with_token(retry.token), HERE)
    ((_, data),) = server.transmit()
    assert INVALID_TOKEN == closed_with(data, b"original").error_code


def test_retry_token_with_another_connection_id_is_told() -> None:  # RFC 9000 §8.1.3
    server = Site(THERE).listen(admit=always_retry)
    retry, _, _ = retried(server)

    assert [] == server.receive(with_token(retry.token), HERE)
    ((_, data),) = server.transmit()
    assert INVALID_TOKEN == closed_with(data, b"original").error_code


@pytest.mark.parametrize("token", [b"junk", b"N" * 60, bytes(200)], ids=["junk", "like a new token", "zeros"])
def test_other_unknown_token_counts_as_none(token: bytes) -> None:  # RFC 9000 §8.1.3
    server = Site(THERE).listen()
    (engine,) = server.receive(with_token(token), HERE)

    assert not engine.parts.paths.active.validated


def test_token_of_an_earlier_connection_proves_the_address_once() -> None:  # RFC 9000 §8.1.3
    client = Site(HERE)
    wire, server = connected(client)
    (token,) = (event.token for event in client.engines[0].events() if hasattr(event, "token"))
    assert server.engines.pop() is not None
    (engine,) = server.receive(with_token(token), (HERE[0], 12_345), wire.now)
    assert engine.parts.paths.active.validated

    (again,) = server.receive(with_token(token, b"replayed"), (HERE[0], 12_345), wire.now)
    assert not again.parts.paths.active.validated


# Admission


def test_refused_client_is_told() -> None:  # RFC 9000 §5.2.2
    client, server = Site(HERE), Site(THERE).listen(admit=lambda arrival: Admission.REFUSE)
    wire = Wire(client, server)
    engine = client.dial(THERE)
    wire.settle()

    assert [] == server.engines
    assert isinstance(engine.error, TransportError)
    assert CONNECTION_REFUSED == engine.error.code
    assert not engine.error.is_local


def test_ignored_client_hears_nothing() -> None:
    client, server = Site(HERE), Site(THERE).listen(admit=lambda arrival: Admission.IGNORE)
    wire = Wire(client, server)
    engine = client.dial(THERE)
    wire.settle()

    assert ([], []) == (server.engines, server.sent)
    assert not engine.is_closed


def test_admission_sees_who_comes() -> None:
    seen: list[Arrival] = []

    def admit(arrival: Arrival) -> Admission:
        seen.append(arrival)
        return Admission.ACCEPT

    server = Site(THERE).listen(admit=admit)
    for number in range(3):
        server.receive(first_datagrams(seed=number)[0], ("192.0.2.9", 1_000 + number))

    assert [
        Arrival(
            address=("192.0.2.9", 1_000 + number),
            version=VERSION_1,
            is_validated=False,
            half_open=number,
            half_open_nearby=number,
            connections=number,
            connections_nearby=number,
        )
        for number in range(3)
    ] == seen


def flood(server: Site, count: int, *, host: str | None = None) -> None:
    """First packets of clients that never answer, from one host or from as many."""
    for number in range(count):
        for data in first_datagrams(seed=f"flood {number} {host}"):
            server.receive(data, (host or f"192.0.2.{number}", 1_000 + number))


def test_flood_turns_retry_on_and_honest_clients_still_get_in() -> None:
    server = Site(THERE).listen(admit=LoadLimits(retry_above=20, max_half_open=30))
    flood(server, 100)
    assert 20 == server.router.half_open

    client = Site(HERE, seed="honest")
    wire = Wire(client, server)
    engine = client.dial(THERE)
    wire.wait(3.0)  # its first answer may find no room among those to the others
    assert engine.is_confirmed


def test_nobody_is_let_in_beyond_the_limit() -> None:
    server = Site(THERE).listen(admit=LoadLimits(max_half_open=5))
    flood(server, 5)
    server.transmit()
    client = Site(HERE, seed="late")
    wire = Wire(client, server)
    engine = client.dial(THERE)
    wire.settle()

    assert 5 == server.router.half_open
    assert isinstance(engine.error, TransportError)
    assert CONNECTION_REFUSED == engine.error.code


def test_network_turns_retry_on_for_itself_alone() -> None:
    server = Site(THERE).listen(admit=LoadLimits(retry_above_per_network=5))
    flood(server, 20, host="192.0.2.77")
    assert 5 == server.router.half_open

    flood(server, 10)
    assert 15 == server.router.half_open


def test_half_open_connections_are_counted_down() -> None:
    counts: list[int] = []

    def admit(arrival: Arrival) -> Admission:
        counts.append(arrival.half_open)
        return Admission.ACCEPT

    client, server = Site(HERE), Site(THERE).listen(admit=admit)
    wire = Wire(client, server)
    for _ in range(3):
        client.dial(THERE)
        wire.settle()
    server.receive(first_datagrams()[0], ELSEWHERE)
    wire.wait(15.0)  # the handshake time-out
    client.dial(THERE, wire.now)
    wire.settle()

    assert [0, 0, 0, 0, 0] == counts


def test_answers_that_wait_are_bounded() -> None:
    server = Site(THERE).listen()
    for _ in range(500):
        server.receive(unknown(0xFACEB00C), HERE)

    assert 64 == len(server.transmit())


def test_answers_leave_in_batches() -> None:
    server = Site(THERE).listen()
    for _ in range(10):
        server.receive(unknown(0xFACEB00C), HERE)
    batch = SendBatch(limit=4)

    assert [4, 4, 2, 0] == [
        (server.router.transmit(START, batch), batch.clear())[0]  # type: ignore[func-returns-value]
        for _ in range(4)
    ]


# Stateless reset


@pytest.mark.parametrize(
    ("size", "answer"),
    [(21, None), (41, None), (42, 41), (43, 42), (44, 42), (100, 42), (1_200, 42)],
)
def test_size_of_a_stateless_reset(size: int, answer: int | None) -> None:  # RFC 9000 §10.3.3
    server = Site(THERE).listen()
    server.receive(b"\x40" + bytes(size - 1), HERE)

    assert ([] if answer is None else [answer]) == [len(data) for _, data in server.transmit()]


def test_stateless_resets_look_like_packets_and_differ() -> None:  # RFC 9000 §10.3
    server = Site(THERE).listen()
    for _ in range(2):
        server.receive(b"\x40" + b"some cid" + bytes(100), HERE)
    (_, one), (_, other) = server.transmit()

    assert 0x40 == one[0] & 0xC0
    assert one[:-16] != other[:-16]
    assert one[-16:] == other[-16:]


def test_stateless_resets_are_limited() -> None:  # RFC 9000 §10.3.3
    server = Site(THERE).listen()
    counts = []
    for now in (START, START, START + 0.1, START + 100.0):
        count = 0
        for _ in range(300):
            server.receive(b"\x40" + bytes(100), HERE, now)
            count += len(server.transmit(now))
        counts.append(count)

    assert [RESET_BURST, 0, 5, RESET_BURST] == counts


def test_two_sockets_without_state_fall_silent() -> None:  # RFC 9000 §10.3.3
    one, other = Site(HERE).listen(), Site(THERE).listen()
    wire = Wire(one, other)
    other.receive(b"\x40" + bytes(1_000), HERE)
    wire.settle()

    assert len(one.sent) + len(other.sent) <= 3


def test_reset_reaches_the_right_one_of_several_clients() -> None:  # RFC 9000 §10.3.1
    client, server = Site(HERE), Site(THERE).listen()
    wire = Wire(client, server)
    engines = [client.dial(THERE) for _ in range(3)]
    wire.settle()
    lost = server.engines[1]
    server.router.forget(lost)
    server.engines.remove(lost)
    engines[1].send(engines[1].open_stream(), bytes(100))
    wire.settle()

    assert [False, True, False] == [isinstance(engine.error, StatelessReset) for engine in engines]


def test_load_balancer_finds_the_server_in_all_that_clients_send() -> None:
    config = RoutingConfig(server_id_size=2, nonce_size=7, key=b"k" * 16)
    client, server = Site(HERE), Site(THERE, cids=RoutableIds(config, b"s1", Seeded("ids"))).listen()
    wire = Wire(client, server)
    engine = client.dial(THERE)
    wire.settle()
    rotate(engine)
    client.sent.clear()
    engine.send(engine.open_stream(), bytes(10_000), True)
    wire.settle()

    assert client.sent
    assert {b"s1"} == {server_id_in(data, (RoutingCodec(config),)) for _, data in client.sent}
