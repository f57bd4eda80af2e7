"""Handshakes under drop patterns, by who speaks first, and counted in round trips. After quic-go's integration tests."""

from collections.abc import Callable
from functools import cache

import pytest

from qcore.admission import Admission, Arrival, always_retry
from qcore.config import QuicConfig
from qcore.errors import HandshakeTimeout, QuicError, TransportError
from qcore.events import SessionReceived, TokenReceived
from qcore.packing.initial_flight import InitialPolicy
from qcore.testing import LinkConfig, Pair, Seeded
from qcore.testing.pair import SERVER_NAME, WALL, throwaway_certificate
from qtls.adapters.long_chain import make_long_chain
from qtls.adapters.self_signed import MadeCertificate
from qtls.config import ClientTLS, ServerTLS
from qtls.constants import (
    AES_128_GCM_SHA256,
    AES_256_GCM_SHA384,
    CHACHA20_POLY1305_SHA256,
    SECP384R1,
    X25519,
    X25519MLKEM768,
)
from qtls.resumption import MemorySessionStore
from qwire.constants import CONNECTION_REFUSED, VERSION_1, VERSION_2

PATIENT = QuicConfig(handshake_timeout=60.0, idle_timeout=60.0)
Pattern = Callable[[int], bool]


@cache
def long_chain() -> MadeCertificate:
    return make_long_chain([SERVER_NAME], wall_clock=WALL)


def confirmed(pair: Pair) -> bool:
    return pair.client.is_confirmed and pair.server is not None and pair.server.is_confirmed


def drop(pair: Pair, direction: str, is_dropped: Pattern) -> None:
    """Lose the datagrams of a direction, or of each, whose index the pattern names."""
    for link, name in ((pair.to_server, "to_server"), (pair.to_client, "to_client")):
        if direction in (name, "both"):
            link.filter(lambda _, link=link: not is_dropped(link.sent - 1))  # type: ignore[misc]  # a default


PATTERNS = [
    pytest.param(lambda index: index < 1, id="first"),
    pytest.param(lambda index: index < 4, id="first four"),
    pytest.param(lambda index: index == 1, id="second"),
    pytest.param(lambda index: index % 3 == 0, id="every third"),
    pytest.param(lambda index: index < 9 and index % 3 != 2, id="two of three"),
    pytest.param(lambda index: 2 <= index < 8, id="third to eighth"),
]


@pytest.mark.parametrize("speaker", ["client", "server", "nobody"])
@pytest.mark.parametrize(
    "chain", [pytest.param(False, id="short chain"), pytest.param(True, id="long chain")]
)
@pytest.mark.parametrize("direction", ["to_server", "to_client", "both"])
@pytest.mark.parametrize("is_dropped", PATTERNS)
def test_drop_pattern(is_dropped: Pattern, direction: str, chain: bool, speaker: str) -> None:
    made = long_chain() if chain else throwaway_certificate()
    pair = Pair(
        client_config=PATIENT,
        server_config=PATIENT,
        client_tls=ClientTLS(alpn=("test",), ca=made.ca_pem),
        server_tls=ServerTLS(certs=made.chain, alpn=("test",)),
    )
    drop(pair, direction, is_dropped)
    data = Seeded("data")(5_000)
    if speaker == "client":
        pair.run_until(lambda: pair.client.is_established)
        stream = pair.client.open_stream()
        pair.client.send(stream, data, True)
        pair.run_until(lambda: ("server", stream) in pair.finished)
        assert data == pair.received["server", stream]
    elif speaker == "server":
        # RFC 9001 §5.7: 1-RTT data ahead of the client's Finished.
        pair.run_until(lambda: pair.server is not None and can_send(pair))
        assert pair.server is not None
        stream = pair.server.open_stream(bidirectional=False)
        pair.server.send(stream, data, True)
        pair.run_until(lambda: ("client", stream) in pair.finished)
        assert data == pair.received["client", stream]
    pair.run_until(lambda: confirmed(pair))


def can_send(pair: Pair) -> bool:
    """The server has keys for 1-RTT data, and knows how much the client takes."""
    assert pair.server is not None
    return pair.server.parts.spaces[2].phases is not None


@pytest.mark.parametrize("seed", range(10))
def test_a_third_of_everything_lost_with_a_retry(seed: int) -> None:
    link = LinkConfig(loss=0.33, max_loss_run=10)
    pair = Pair(
        to_server=link,
        to_client=link,
        seed=seed,
        client_config=PATIENT,
        server_config=PATIENT,
        admit=always_retry,
    )
    pair.run_until(lambda: confirmed(pair), limit=120)


@pytest.mark.parametrize("seed", range(5))
def test_reordering_loses_no_handshake(seed: int) -> None:
    link = LinkConfig(jitter=0.03, reorder=0.5, reorder_delay=0.02)
    pair = Pair(to_server=link, to_client=link, seed=seed)
    pair.run_until(lambda: confirmed(pair), limit=10)


# Round trips

RTT = 0.2
LINK = LinkConfig(delay=RTT / 2)


@pytest.mark.parametrize(
    ("options", "round_trips"),
    [
        pytest.param({}, 1, id="plain"),
        pytest.param({"admit": always_retry}, 2, id="Retry"),
        pytest.param(
            {
                "client_config": QuicConfig(versions=(VERSION_2, VERSION_1)),
                "server_config": QuicConfig(versions=(VERSION_1,)),
            },
            2,
            id="Version Negotiation",
        ),
        pytest.param(
            {"client_config": QuicConfig(), "server_config": QuicConfig(versions=(VERSION_2, VERSION_1))},
            1,
            id="compatible version",
        ),
    ],
)
def test_round_trips_until_data_can_be_sent(options: dict[str, object], round_trips: int) -> None:
    pair = Pair(to_server=LINK, to_client=LINK, **options)  # type: ignore[arg-type]  # the options of Pair
    start = pair.now
    pair.run_until(lambda: pair.client.is_established)

    assert pytest.approx(round_trips * RTT, rel=0.02) == pair.now - start


@pytest.mark.parametrize(("groups", "round_trips"), [((X25519,), 1), ((SECP384R1,), 2)])
def test_hello_retry_costs_one_round_trip(
    groups: tuple[int, ...], round_trips: int
) -> None:  # RFC 8446 §4.1.4
    made = throwaway_certificate()
    pair = Pair(
        to_server=LINK,
        to_client=LINK,
        client_tls=ClientTLS(alpn=("test",), ca=made.ca_pem, groups=(X25519, SECP384R1)),
        server_tls=ServerTLS(certs=made.chain, alpn=("test",), groups=groups),
    )
    start = pair.now
    pair.run_until(lambda: pair.client.is_established)

    assert pytest.approx(round_trips * RTT, rel=0.02) == pair.now - start


def test_token_spares_the_round_trip_of_a_retry() -> None:  # RFC 9000 §8.1.3
    pair = Pair(to_server=LINK, to_client=LINK, admit=always_retry)
    pair.run_until(lambda: any(isinstance(event, TokenReceived) for event in pair.client_events))
    token = next(event.token for event in pair.client_events if isinstance(event, TokenReceived))
    made = throwaway_certificate()
    second = pair.client_router.connect(
        ("10.0.0.2", 443),
        tls=ClientTLS(alpn=("test",), ca=made.ca_pem),
        config=QuicConfig(),
        server_name="server.test",
        now=pair.now,
        wall_clock=WALL + 10,
        token=token,
    )
    pair.client.close()
    pair.run_for(2.0)
    pair.client, pair.server = second, None
    start = pair.now
    pair.run_until(lambda: second.is_established)

    assert pytest.approx(RTT, rel=0.02) == pair.now - start


# What both sides offer


@pytest.mark.parametrize("suite", [AES_128_GCM_SHA256, AES_256_GCM_SHA384, CHACHA20_POLY1305_SHA256])
@pytest.mark.parametrize("group", [X25519, SECP384R1, X25519MLKEM768])
@pytest.mark.parametrize("version", [VERSION_1, VERSION_2])
def test_every_suite_with_every_group(suite: int, group: int, version: int) -> None:
    made = throwaway_certificate()
    config = QuicConfig(versions=(version,))
    pair = Pair(
        client_config=config,
        server_config=config,
        client_tls=ClientTLS(alpn=("test",), ca=made.ca_pem, groups=(group,), ciphers=(suite,)),
    )
    pair.run_until(lambda: confirmed(pair), limit=5)
    assert pair.server is not None
    assert pair.server.info.cipher_suite == pair.client.info.cipher_suite
    assert version == pair.client.info.version


@pytest.mark.parametrize(
    ("client", "server", "chosen"),
    [
        pytest.param(("a", "b"), ("b", "c"), "b", id="one in common"),
        pytest.param(("a", "b"), ("b", "a"), "b", id="the server's order counts"),
        pytest.param(("a",), ("b",), None, id="none in common"),
    ],
)
def test_protocol_is_agreed(client: tuple[str, ...], server: tuple[str, ...], chosen: str | None) -> None:
    made = throwaway_certificate()
    pair = Pair(
        client_tls=ClientTLS(alpn=client, ca=made.ca_pem), server_tls=ServerTLS(certs=made.chain, alpn=server)
    )
    pair.run_until(lambda: pair.client.is_established or pair.client.is_closed)

    assert chosen == pair.client.info.alpn
    assert (chosen is None) == isinstance(pair.client.error, TransportError)


@pytest.mark.parametrize("size", [0, 1, 4, 8, 15, 20])
def test_every_size_of_the_clients_connection_id(size: int) -> None:  # RFC 9000 §5.1
    config = QuicConfig(initial=InitialPolicy(source_cid_size=size))
    pair = Pair(client_config=config)
    pair.run_until(lambda: confirmed(pair))
    stream = pair.client.open_stream()
    pair.client.send(stream, bytes(50_000), True)
    pair.run_until(lambda: ("server", stream) in pair.finished)


@pytest.mark.parametrize("size", [8, 12, 18, 20])
def test_every_size_of_the_first_destination(size: int) -> None:  # RFC 9000 §7.2
    pair = Pair(client_config=QuicConfig(initial=InitialPolicy(destination_cid_size=size)))
    pair.run_until(lambda: confirmed(pair))


# Who is let in


def test_refused_client_is_told() -> None:  # RFC 9000 §5.2.2
    pair = Pair(admit=lambda arrival: Admission.REFUSE)
    pair.run_until(lambda: pair.client.is_closed)

    assert isinstance(pair.client.error, TransportError)
    assert CONNECTION_REFUSED == pair.client.error.code
    assert pair.server is None


def test_ignored_client_hears_nothing() -> None:
    seen: list[Arrival] = []

    def ignore(arrival: Arrival) -> Admission:
        seen.append(arrival)
        return Admission.IGNORE

    pair = Pair(admit=ignore, client_config=QuicConfig(handshake_timeout=5.0))
    pair.run_until(lambda: pair.client.is_closed)

    assert isinstance(pair.client.error, HandshakeTimeout)
    assert seen
    assert 0 == pair.to_client.sent


def test_token_of_another_address_is_no_proof() -> None:  # RFC 9000 §8.1.4
    verdicts: list[bool] = []

    def note(arrival: Arrival) -> Admission:
        verdicts.append(arrival.is_validated)
        return Admission.ACCEPT

    pair = Pair(admit=note)
    pair.run_until(lambda: any(isinstance(event, TokenReceived) for event in pair.client_events))
    token = next(event.token for event in pair.client_events if isinstance(event, TokenReceived))
    made = throwaway_certificate()
    for address, used in (
        (pair.client_address, token),
        (("10.9.9.9", 1), token),
        (pair.client_address, b"made up"),
    ):
        pair.client.close()
        pair.run_for(2.0)
        pair.client_address = address
        engine = pair.client_router.connect(
            ("10.0.0.2", 443),
            tls=ClientTLS(alpn=("test",), ca=made.ca_pem),
            config=QuicConfig(),
            server_name="server.test",
            now=pair.now,
            wall_clock=WALL + 10,
            token=used,
        )
        pair.client, pair.server = engine, None
        pair.run_until(lambda engine=engine: engine.is_established)  # type: ignore[misc]

    assert [False, True, False, False] == verdicts


# Early data over a bad link


@pytest.mark.parametrize("seed", range(6))
def test_early_data_over_a_lossy_link_with_a_retry(seed: int) -> None:
    made = throwaway_certificate()
    store = MemorySessionStore()
    client = ClientTLS(alpn=("test",), ca=made.ca_pem, sessions=store)
    server = ServerTLS(certs=made.chain, alpn=("test",), early_data=True)
    first = Pair(client_tls=client, server_tls=server)
    first.run_until(lambda: any(isinstance(event, SessionReceived) for event in first.client_events))
    link = LinkConfig(loss=0.2, reorder=0.2, max_loss_run=5)
    pair = Pair(
        client_tls=client,
        server_tls=server,
        client_config=PATIENT,
        server_config=PATIENT,
        to_server=link,
        to_client=link,
        admit=always_retry,
        seed=seed,
        wall=WALL + 60,
    )
    data = Seeded(f"early {seed}")(8_000)
    stream = pair.client.open_stream()
    pair.client.send(stream, data, True)
    pair.run_until(lambda: ("server", stream) in pair.finished)

    assert data == pair.received["server", stream]


def test_both_sides_give_up_in_time() -> None:
    pair = Pair(
        client_config=QuicConfig(handshake_timeout=4.0), server_config=QuicConfig(handshake_timeout=4.0)
    )
    pair.run_for(0.001)
    pair.to_client.filter(lambda datagram: False)
    pair.run_until(
        lambda: pair.client.is_closed and pair.server is not None and pair.server.is_closed, limit=10
    )

    assert pair.server is not None
    for error in (pair.client.error, pair.server.error):
        assert isinstance(error, HandshakeTimeout)
        assert isinstance(error, QuicError)
