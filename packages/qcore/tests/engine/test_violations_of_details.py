"""Violations that h3spec leaves out: connection IDs that do not agree, TLS as QUIC wants it, features not agreed.

Each gives its code, and the peer is told. What RFC 9000 wants dropped is dropped.
"""

import pytest

from qcore.admission import always_retry
from qcore.batch import Datagram
from qcore.config import QuicConfig
from qcore.errors import TransportError
from qcore.packing.initial_flight import InitialPolicy
from qcore.spaces import APPLICATION, INITIAL
from qcore.testing import Pair
from qcore.testing.pair import throwaway_certificate
from qtls.config import ClientTLS
from qtls.constants import X25519
from qwire.constants import (
    CRYPTO_ERROR,
    FLOW_CONTROL_ERROR,
    KEY_UPDATE_ERROR,
    PROTOCOL_VIOLATION,
    TRANSPORT_PARAMETER_ERROR,
    PacketType,
)
from qwire.frames import (
    CryptoFrame,
    DatagramFrame,
    Frame,
    NewConnectionIdFrame,
    PingFrame,
    RetireConnectionIdFrame,
    StreamFrame,
)

from .crafting import Cheat, Content, confirmed_pair, craft, early_pair, protect, sealer_of, short_header
from .test_violations import tls_message, turned

UNEXPECTED_MESSAGE = CRYPTO_ERROR + 10
DECODE_ERROR = CRYPTO_ERROR + 50


# Connection IDs in transport parameters, RFC 9000 §7.3


@pytest.mark.parametrize(
    ("name", "value", "retries"),
    [
        pytest.param("original_cid", b"anything", False, id="original_destination_connection_id of another"),
        pytest.param("retry_cid", b"anything", False, id="retry_source_connection_id without a Retry"),
        pytest.param("retry_cid", b"anything", True, id="retry_source_connection_id of another"),
        pytest.param("retry_cid", None, True, id="no retry_source_connection_id after a Retry"),
        pytest.param("local_cid", b"anything", False, id="initial_source_connection_id of another"),
    ],
)
def test_connection_ids_that_a_server_lies_about(name: str, value: bytes | None, retries: bool) -> None:
    pair = Pair(admit=always_retry if retries else None)
    # Half of the ClientHello is late, so that the server is there and has not answered yet.
    pair.to_server.filter(lambda _: pair.to_server.sent != (4 if retries else 2))
    pair.run_until(lambda: pair.server is not None)
    assert pair.server is not None
    setattr(pair.server._negotiation, name, value)
    pair.run_until(lambda: pair.client.is_closed)

    cheat = Cheat(pair, "server")
    assert TRANSPORT_PARAMETER_ERROR == cheat.code
    pair.run_for(1.0)
    assert isinstance(pair.server.error, TransportError)
    assert (TRANSPORT_PARAMETER_ERROR, False) == (pair.server.error.code, pair.server.error.is_local)


# TLS as QUIC uses it, RFC 9001 §4, §8


@pytest.mark.parametrize(
    ("side", "message", "code"),
    [
        pytest.param(
            "server", tls_message(13, b"\0\0\0"), PROTOCOL_VIOLATION, id="CertificateRequest"
        ),  # RFC 9001 §4.4
        pytest.param(
            "server",
            tls_message(4, bytes(8) + b"\0" + b"\0\1x" + b"\0\x08" + b"\0\x2a\0\4" + b"\0\0\1\0"),
            PROTOCOL_VIOLATION,
            id="ticket with a limit of early data",
        ),  # RFC 9001 §4.6.1
        pytest.param("client", tls_message(4, bytes(16)), UNEXPECTED_MESSAGE, id="ticket of a client"),
        pytest.param("client", tls_message(20, bytes(32)), UNEXPECTED_MESSAGE, id="second Finished"),
        pytest.param("server", tls_message(1, bytes(40)), UNEXPECTED_MESSAGE, id="ClientHello of a server"),
    ],
)
def test_tls_message_after_the_handshake(side: str, message: bytes, code: int) -> None:
    cheat = Cheat(confirmed_pair(), side)
    offset = cheat.victim.parts.spaces[APPLICATION].crypto.received_size
    cheat.send(PacketType.ONE_RTT, CryptoFrame(offset, message))

    assert code == cheat.code == cheat.told()


def test_hello_with_a_session_id() -> None:  # RFC 9001 §8.4
    tls = ClientTLS(alpn=("test",), ca=throwaway_certificate().ca_pem, groups=(X25519,))
    pair = Pair(client_tls=tls)
    hello = pair.client.parts.spaces[INITIAL].crypto.pending()[1]
    assert 0 == hello[38]
    longer = hello[4:38] + b"\x20" + bytes(32) + hello[39:]
    data = craft(pair.client, PacketType.INITIAL, CryptoFrame(0, tls_message(1, longer)), full=True)
    (server,) = pair.router.receive([Datagram(data, pair.client_address)], pair.now)

    assert isinstance(server.error, TransportError)
    assert PROTOCOL_VIOLATION == server.error.code


# Keys, RFC 9001 §6


@pytest.mark.parametrize("side", ["client", "server"])
def test_second_key_update_before_the_first_is_acknowledged(side: str) -> None:  # RFC 9001 §6.2
    cheat = Cheat(confirmed_pair(), side)
    for _ in range(2):
        phases = cheat.engine.parts.spaces[APPLICATION].phases
        assert phases is not None
        phases.update(cheat.engine.parts.recovery.next_packet_number(APPLICATION))
        cheat.send(PacketType.ONE_RTT, PingFrame())

    assert KEY_UPDATE_ERROR == cheat.code == cheat.told()


@pytest.mark.parametrize("side", ["client", "server"])
def test_old_keys_open_no_newer_packet(side: str) -> None:  # RFC 9001 §6.4
    cheat = Cheat(confirmed_pair(), side)
    old = sealer_of(cheat.engine, PacketType.ONE_RTT)
    phases = cheat.engine.parts.spaces[APPLICATION].phases
    assert phases is not None
    phases.update(cheat.engine.parts.recovery.next_packet_number(APPLICATION))
    cheat.send(PacketType.ONE_RTT, PingFrame())
    number = cheat.engine.parts.recovery.take_packet_number(APPLICATION)
    header = short_header(cheat.engine.parts.packer.headers.destination_cid, number, 4)
    cheat.deliver(protect(old, header, number, 4, b"\x01" + bytes(30)))

    # Only the next keys are tried on it: what cannot be opened is no violation.
    assert cheat.code is None
    assert number > cheat.victim.parts.spaces[APPLICATION].received.largest_received


# Connection IDs, RFC 9000 §19.15, §19.16


def without_ids() -> Pair:
    return confirmed_pair(client_config=QuicConfig(initial=InitialPolicy(source_cid_size=0)))


def test_new_connection_id_of_a_client_that_uses_none() -> None:  # RFC 9000 §19.15
    cheat = Cheat(without_ids(), "client")
    cheat.send(PacketType.ONE_RTT, NewConnectionIdFrame(1, 0, b"something", bytes(16)))

    assert PROTOCOL_VIOLATION == cheat.code == cheat.told()


def test_retirement_of_an_empty_connection_id() -> None:  # RFC 9000 §19.16
    cheat = Cheat(without_ids(), "server")
    cheat.send(PacketType.ONE_RTT, RetireConnectionIdFrame(0))

    assert PROTOCOL_VIOLATION == cheat.code == cheat.told()


# Limits and features


@pytest.mark.parametrize("side", ["client", "server"])
def test_windows_of_streams_do_not_add_up_beyond_that_of_the_connection(side: str) -> None:  # RFC 9000 §4.1
    config = QuicConfig(stream_window=10_000, connection_window=15_000)
    cheat = Cheat(confirmed_pair(client_config=config, server_config=config, auto_read=False), side)
    content: Content = [StreamFrame(0, 9_999, b"x", False), StreamFrame(4, 5_000, b"x", False)]
    cheat.send(PacketType.ONE_RTT, content if side == "client" else turned(content))

    assert FLOW_CONTROL_ERROR == cheat.code == cheat.told()


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize(
    ("config", "frame"),
    [
        pytest.param(QuicConfig(datagrams=False), DatagramFrame(b"x", True), id="not agreed"),
        pytest.param(
            QuicConfig(max_datagram_frame_size=100), DatagramFrame(bytes(200), True), id="too large"
        ),
    ],
)
def test_datagram_that_is_not_wanted(config: QuicConfig, frame: Frame, side: str) -> None:  # RFC 9221 §3
    cheat = Cheat(confirmed_pair(client_config=config, server_config=config), side)
    cheat.send(PacketType.ONE_RTT, frame)

    assert PROTOCOL_VIOLATION == cheat.code == cheat.told()


# What is dropped, and ends nothing


def test_initial_packet_of_a_server_with_a_token() -> None:  # RFC 9000 §17.2.2
    cheat = Cheat(early_pair(), "server")
    data = craft(cheat.engine, PacketType.INITIAL, b"\x01", full=True)
    at = 6 + data[5]
    at += 1 + data[at]
    # The length of the token takes two bytes here.
    assert 0x40 == data[at]
    cheat.deliver(data[: at + 1] + b"\x08" + bytes(8) + data[at + 2 :])

    assert cheat.code is None
    assert not cheat.victim.parts.spaces[INITIAL].received.largest_received >= 0


def test_token_that_ends_beyond_its_packet() -> None:  # RFC 9000 §17.2.2
    cheat = Cheat(early_pair(), "client")
    data = craft(cheat.engine, PacketType.INITIAL, b"\x01", full=True)
    at = 6 + data[5]
    at += 1 + data[at]
    before = cheat.victim.parts.spaces[INITIAL].received.largest_received
    cheat.deliver(data[:at] + b"\x7f\xff" + data[at + 2 :])

    assert cheat.code is None
    assert before == cheat.victim.parts.spaces[INITIAL].received.largest_received


def test_early_packet_of_a_server() -> None:  # RFC 9000 §17.2.3
    cheat = Cheat(confirmed_pair(), "server")
    data = craft(cheat.engine, PacketType.ONE_RTT, b"\x01" + bytes(40))
    cid = cheat.engine.parts.packer.headers.destination_cid
    early = b"\xd0" + (1).to_bytes(4, "big") + bytes((len(cid),)) + cid + b"\0" + b"\x40\x40" + data[:64]
    cheat.deliver(early)

    assert cheat.code is None
