"""Whole handshakes in memory: everything that is negotiated, and what both sides then share."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from qtls import CertificateChain, ClientTLS, Level, LocalAlert, ServerTLS
from qtls.adapters.self_signed import Authority
from qtls.constants import (
    AES_128_GCM_SHA256,
    AES_256_GCM_SHA384,
    CERTIFICATE,
    CHACHA20_POLY1305_SHA256,
    CLIENT_HELLO,
    COMPRESSED_CERTIFICATE,
    ENCRYPTED_EXTENSIONS,
    NO_APPLICATION_PROTOCOL,
    QUIC_VERSION_2,
    SECP256R1,
    SECP384R1,
    SECP521R1,
    X25519,
    X25519MLKEM768,
)
from qtls.events import (
    ClientHelloReceived,
    HandshakeDone,
    KeysInstalled,
    NewSession,
    PeerParameters,
    SendCrypto,
)

MakeDuo = Callable[..., Any]
SUITES = (AES_128_GCM_SHA256, AES_256_GCM_SHA384, CHACHA20_POLY1305_SHA256)
GROUPS = (X25519MLKEM768, X25519, SECP256R1, SECP384R1, SECP521R1)


@pytest.mark.parametrize("suite", SUITES, ids=hex)
@pytest.mark.parametrize("version", [1, QUIC_VERSION_2], ids=["v1", "v2"])
def test_every_suite(make_duo: MakeDuo, suite: int, version: int) -> None:
    args = {"quic_version": version}
    duo = make_duo({"ciphers": (suite,)}, {}, args, args).run()

    assert suite == duo.client_info.cipher_suite == duo.server_info.cipher_suite
    duo.assert_keys_fit(Level.HANDSHAKE)
    duo.assert_keys_fit(Level.APPLICATION)
    assert duo.client.export(b"EXPORTER-a", b"c", 50) == duo.server.export(b"EXPORTER-a", b"c", 50)
    assert duo.client.export(b"EXPORTER-a", b"c", 50) != duo.client.export(b"EXPORTER-a", b"d", 50)


@pytest.mark.parametrize("group", GROUPS, ids=hex)
def test_every_group(make_duo: MakeDuo, group: int) -> None:
    duo = make_duo({"groups": (group,)}, {"groups": GROUPS}).run()

    assert group == duo.client_info.group == duo.server_info.group
    duo.assert_keys_fit(Level.APPLICATION)


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa", "ed25519"])
def test_every_kind_of_certificate(
    make_duo: MakeDuo, authority: Authority, leaf_keys: dict[str, Any], kind: str
) -> None:
    chain = authority.issue(["server.example"], key=leaf_keys[kind])
    # The verification of chains knows no Ed25519 keys; the signature in the handshake is checked all the same.
    trust = {"ca": chain.certificates[0]} if kind == "ed25519" else {}
    duo = make_duo(trust, {"certs": chain}).run()

    assert chain.schemes[0] == duo.client_info.signature_scheme == duo.server_info.signature_scheme
    assert chain.leaf == duo.client_info.peer_certificates[0]


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 100, 1200])
def test_messages_may_be_cut_anywhere(make_duo: MakeDuo, cut: int) -> None:
    duo = make_duo().run(cut=cut)

    assert "h3" == duo.client_info.alpn == duo.server_info.alpn
    duo.assert_keys_fit(Level.APPLICATION)


def test_client_events_come_in_order(make_duo: MakeDuo) -> None:
    events = make_duo({}, {"tickets": 0}).run().client_events

    assert [SendCrypto, KeysInstalled, PeerParameters, SendCrypto, KeysInstalled, HandshakeDone] == [
        type(event) for event in events
    ]
    assert [Level.INITIAL, Level.HANDSHAKE, Level.HANDSHAKE, Level.APPLICATION] == [
        event.level for event in events if isinstance(event, SendCrypto | KeysInstalled)
    ]
    assert b"server parameters" == events[2].data


def test_server_events_come_in_order(make_duo: MakeDuo) -> None:
    events = make_duo({}, {"tickets": 0}).run().server_events

    assert [
        ClientHelloReceived,
        PeerParameters,
        SendCrypto,
        KeysInstalled,
        SendCrypto,
        KeysInstalled,
        KeysInstalled,
        HandshakeDone,
    ] == [type(event) for event in events]
    assert b"client parameters" == events[1].data
    # RFC 9001 §5.7: the server can send 1-RTT before it may open any.
    assert events[5].sealer is not None and events[5].opener is None
    assert events[6].sealer is None and events[6].opener is not None


def test_server_sees_the_raw_hello(make_duo: MakeDuo) -> None:
    duo = make_duo().run()
    received = duo.server_events[0]

    assert ("server.example", ("h3",)) == (received.server_name, received.alpn)
    assert duo.client.client_hello == received.raw == duo.server.client_hello


def test_same_seed_same_hello(make_duo: MakeDuo) -> None:
    first, second, other = (make_duo(seed=seed).client for seed in (5, 5, 6))
    for client in (first, second, other):
        client.start()

    assert first.client_hello == second.client_hello
    assert first.client_hello != other.client_hello


def test_server_may_make_parameters_from_the_clients(make_duo: MakeDuo) -> None:
    duo = make_duo(server_args={"transport_parameters": lambda data: b"answer to " + data}).run()

    assert PeerParameters(b"answer to client parameters") in duo.client_events


def test_versions_may_change_before_handshake_keys(make_duo: MakeDuo) -> None:  # RFC 9368 §2.3, RFC 9369 §4.1
    duo = make_duo()

    def parameters(_: bytes) -> bytes:
        duo.server.set_version(QUIC_VERSION_2)
        return b"v2"

    duo = make_duo(server_args={"transport_parameters": parameters})
    hello = duo.client.start()[0]
    flight = duo.server.receive(Level.INITIAL, hello.data)
    duo.client.set_version(QUIC_VERSION_2)
    answers = []
    for event in flight:
        if isinstance(event, SendCrypto):
            answers += duo.client.receive(event.level, event.data)
    server_keys = next(event for event in flight if isinstance(event, KeysInstalled))
    client_keys = next(event for event in answers if isinstance(event, KeysInstalled))

    assert QUIC_VERSION_2 == duo.client.quic_version == duo.server.quic_version
    assert client_keys.opener is not None and server_keys.sealer is not None
    assert b"x" == client_keys.opener.open(0, b"", server_keys.sealer.seal(0, b"", b"x"))
    with pytest.raises(ValueError, match="have been derived"):
        duo.client.set_version(1)


def test_server_prefers_its_own_order(make_duo: MakeDuo) -> None:
    duo = make_duo(
        {"alpn": ("a", "b"), "ciphers": SUITES},
        {"alpn": ("b", "a"), "ciphers": SUITES[::-1], "groups": (X25519, X25519MLKEM768)},
    ).run()

    assert "b" == duo.client_info.alpn == duo.server_info.alpn
    assert CHACHA20_POLY1305_SHA256 == duo.client_info.cipher_suite
    assert X25519 == duo.client_info.group


@pytest.mark.parametrize(
    ("client", "server"),
    [(("h3",), ("hq-interop",)), ((), ("h3",)), (("h3",), ())],
    ids=["nothing common", "client offers none", "server knows none"],
)
def test_no_common_protocol(make_duo: MakeDuo, client: tuple[str, ...], server: tuple[str, ...]) -> None:
    with pytest.raises(LocalAlert) as refused:  # RFC 9001 §8.1
        make_duo({"alpn": client}, {"alpn": server}).run()

    assert NO_APPLICATION_PROTOCOL == refused.value.description
    assert 0x178 == refused.value.quic_error


def test_no_protocol_on_either_side(make_duo: MakeDuo) -> None:
    assert make_duo({"alpn": ()}, {"alpn": ()}).run().client_info.alpn is None


def test_key_log(make_duo: MakeDuo) -> None:  # RFC 9850 §2
    client_lines: list[str] = []
    server_lines: list[str] = []
    duo = make_duo({"keylog": client_lines.append}, {"keylog": server_lines.append}).run()
    random = duo.client.client_hello[6:38].hex()

    assert [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
        "EXPORTER_SECRET",
    ] == [line.split()[0] for line in client_lines]
    assert {random} == {line.split()[1] for line in client_lines}
    assert all(64 == len(line.split()[2]) for line in client_lines)
    assert client_lines == server_lines


def test_certificate_is_chosen_by_name(
    make_duo: MakeDuo, authority: Authority, chain: CertificateChain
) -> None:
    other = authority.issue(["other.example", "*.wild.example"])

    for name, expected in (("other.example", other), ("a.wild.example", other), ("server.example", chain)):
        duo = make_duo(server={"certs": (chain, other)}, client_args={"server_name": name}).run()
        assert expected.leaf == duo.client_info.peer_certificates[0]
        assert name == duo.server_info.server_name


def test_certificate_is_chosen_by_signature(
    make_duo: MakeDuo, authority: Authority, chain: CertificateChain, leaf_keys: dict[str, Any]
) -> None:
    ed448 = authority.issue(["server.example"], key=leaf_keys["ed448"])  # not offered by default

    assert chain.leaf == make_duo(server={"certs": (ed448, chain)}).run().client_info.peer_certificates[0]
    with pytest.raises(LocalAlert, match="handshake_failure: no common signature scheme"):
        make_duo(server={"certs": ed448}).run()


def test_addresses_are_verified_and_not_sent(make_duo: MakeDuo) -> None:  # RFC 6066 §3, RFC 9525 §6.5
    duo = make_duo(client_args={"server_name": "127.0.0.1"}).run()

    assert duo.server_info.server_name is None
    assert "127.0.0.1" == duo.client_info.server_name


def test_select_changes_the_configuration(make_duo: MakeDuo, chain: CertificateChain) -> None:
    seen: list[Any] = []
    other = ServerTLS(certs=chain, alpn=("other",))

    def select(name: str | None, alpn: tuple[str, ...], raw: bytes) -> ServerTLS | None:
        seen.append((name, alpn, raw[0]))
        return other if "other" in alpn else None

    assert "other" == make_duo({"alpn": ("h3", "other")}, {"select": select}).run().client_info.alpn
    assert "h3" == make_duo({"alpn": ("h3",)}, {"select": select}).run().client_info.alpn
    assert [
        ("server.example", ("h3", "other"), CLIENT_HELLO),
        ("server.example", ("h3",), CLIENT_HELLO),
    ] == seen


def test_staples_and_timestamps_are_carried(make_duo: MakeDuo, chain: CertificateChain) -> None:
    stapled = CertificateChain(chain.certificates, chain.key, ocsp_response=b"ocsp", sct_list=b"scts")

    assert make_duo(server={"certs": stapled}).run().client_info.ocsp_response is None  # it was not offered


def test_certificates_are_compressed_when_it_helps(
    make_duo: MakeDuo, chain: CertificateChain
) -> None:  # RFC 8879
    long = CertificateChain(chain.certificates * 5, chain.key)
    duo = make_duo({"verify": False}, {"certs": long}).run()
    sent = [message for sender, _, message in duo.messages if sender == "server"]

    assert COMPRESSED_CERTIFICATE in [message[0] for message in sent]
    assert CERTIFICATE not in [message[0] for message in sent]
    assert 5 == len(duo.client_info.peer_certificates)


# HelloRetryRequest


@pytest.mark.parametrize("group", [SECP256R1, SECP384R1, X25519], ids=hex)
def test_retry_for_another_group(make_duo: MakeDuo, group: int) -> None:  # RFC 8446 §4.1.4
    groups = (X25519MLKEM768, X25519, SECP256R1, SECP384R1) if group != X25519 else (SECP256R1, X25519)
    duo = make_duo({"groups": groups}, {"groups": (group,)})
    if group == X25519:
        duo = make_duo({"groups": groups, "hello": _shares_only(SECP256R1)}, {"groups": (group,)})
    duo.run()
    hellos = [message for sender, _, message in duo.messages if message[0] == CLIENT_HELLO]

    assert 2 == len(hellos)
    assert hellos[0][6:38] == hellos[1][6:38]
    assert group == duo.client_info.group == duo.server_info.group
    duo.assert_keys_fit(Level.APPLICATION)
    assert 1 == sum(isinstance(event, ClientHelloReceived) for event in duo.server_events)


def _shares_only(*groups: int) -> Any:
    from qtls.client_hello import DefaultHello

    return DefaultHello(share_groups=groups)


# Misuse and secrecy


def test_misuse(make_duo: MakeDuo) -> None:
    duo = make_duo()
    with pytest.raises(ValueError, match="nothing to export"):
        duo.client.export(b"label", b"", 32)
    duo.client.start()
    with pytest.raises(ValueError, match="has been started"):
        duo.client.start()


def test_a_failed_handshake_stays_failed(make_duo: MakeDuo) -> None:
    duo = make_duo()
    duo.client.start()
    with pytest.raises(LocalAlert) as first:
        duo.client.receive(Level.INITIAL, b"\x02\x00\x00\x01\x00")
    with pytest.raises(LocalAlert) as second:
        duo.client.receive(Level.INITIAL, b"")
    assert first.value is second.value


def test_secrets_are_not_shown(make_duo: MakeDuo) -> None:
    lines: list[str] = []
    duo = make_duo({"keylog": lines.append}, {"ticket_keys": (b"k" * 32,)}).run()
    session = next(event for event in duo.client_events if isinstance(event, NewSession)).session
    shown = repr(duo.client_events) + repr(duo.server_events) + repr(duo.server._config) + repr(session)

    for line in lines:
        secret = bytes.fromhex(line.split()[2])
        assert secret.hex() not in shown and repr(secret)[2:-1] not in shown
    assert repr(session.secret)[2:-1] not in shown and repr(session.ticket)[2:-1] not in shown
    assert "kkkk" not in shown


def test_configurations_can_be_pickled(chain: CertificateChain, authority: Authority) -> None:
    server = ServerTLS(certs=chain, alpn=("h3",), ticket_keys=(b"k" * 32,), replays=None)
    client = ClientTLS(alpn=("h3",), ca=authority.pem, client_cert=chain)

    assert server == pickle.loads(pickle.dumps(server))
    assert client == pickle.loads(pickle.dumps(client))


def test_refuses_bad_server_configurations(chain: CertificateChain) -> None:
    with pytest.raises(ValueError, match="needs a certificate"):
        ServerTLS(certs=())
    with pytest.raises(ValueError, match="32 bytes"):
        ServerTLS(certs=chain, ticket_keys=(b"short",))
    with pytest.raises(ValueError, match="0x6399"):
        ServerTLS(certs=chain, groups=(0x6399,))


def test_unknown_extensions_are_ignored_by_the_server(make_duo: MakeDuo) -> None:
    from qtls.client_hello import DefaultHello, HelloContext, HelloDraft

    class Odd:
        def build(self, context: HelloContext) -> HelloDraft:
            draft = DefaultHello().build(context)
            draft.extensions.insert(0, (0x0A0A, b""))
            draft.extensions.append((0xFA5A, b"\0" * 3000))
            draft.cipher_suites.insert(0, 0x1A1A)
            return draft

    duo = make_duo({"hello": Odd()}).run()
    assert len(duo.client.client_hello) > 3000
    assert [] == [
        m for s, _, m in duo.messages if s == "server" and m[0] == ENCRYPTED_EXTENSIONS and b"\xfa\x5a" in m
    ]
