"""Handshakes in memory against aioquic's TLS: both roles, suites, groups, certificates, resumption, 0-RTT."""

from __future__ import annotations

import random as seeded
import time
from typing import Any

import pytest

from qtls import CertificateChain, ClientTLS, Level, ServerTLS
from qtls.adapters.self_signed import Authority
from qtls.client import ClientHandshake
from qtls.constants import (
    AES_128_GCM_SHA256,
    AES_256_GCM_SHA384,
    CHACHA20_POLY1305_SHA256,
    EXT_QUIC_TRANSPORT_PARAMETERS,
    SECP256R1,
    SECP384R1,
    X25519,
)
from qtls.events import HandshakeDone, KeysInstalled, NewSession, PeerParameters, SendCrypto, TlsEvent
from qtls.protection import opener_from_secret, sealer_from_secret
from qtls.server import ServerHandshake

tls = pytest.importorskip("aioquic.tls")
aioquic_buffer = pytest.importorskip("aioquic.buffer")
pytestmark = pytest.mark.peer

SUITES = (AES_128_GCM_SHA256, AES_256_GCM_SHA384, CHACHA20_POLY1305_SHA256)
LEVELS = {0: Level.INITIAL, 1: Level.EARLY, 2: Level.HANDSHAKE, 3: Level.APPLICATION}


class Peer:
    """aioquic's ``Context`` with the secrets it installs."""

    def __init__(self, **kw: Any) -> None:
        self.context = tls.Context(**kw)
        self.context.handshake_extensions = [(EXT_QUIC_TRANSPORT_PARAMETERS, b"aioquic parameters")]
        self.context.update_traffic_key_cb = self.on_key
        self.secrets: dict[tuple[str, Level], tuple[int, bytes]] = {}

    def on_key(self, direction: Any, epoch: Any, suite: Any, secret: bytes) -> None:
        side = "seal" if direction == tls.Direction.ENCRYPT else "open"
        self.secrets[side, LEVELS[int(epoch.value)]] = (int(suite), secret)

    def take(self, data: bytes) -> list[tuple[Level, bytes]]:
        buffers = {epoch: aioquic_buffer.Buffer(capacity=16384) for epoch in tls.Epoch}
        self.context.handle_message(data, buffers)
        return [(LEVELS[int(epoch.value)], buffer.data) for epoch, buffer in buffers.items() if buffer.data]


def talk(
    ours: Any, peer: Peer, events: list[TlsEvent], greeting: list[tuple[Level, bytes]]
) -> list[TlsEvent]:
    """Exchange messages until both are quiet; all events of our side."""
    seen = list(events)
    to_peer = [event.data for event in events if isinstance(event, SendCrypto)]
    to_us = list(greeting)
    while to_peer or to_us:
        for data in to_peer:
            to_us += peer.take(data)
        to_peer = []
        for level, data in to_us:
            for event in ours.receive(level, data):
                seen.append(event)
                if isinstance(event, SendCrypto):
                    to_peer.append(event.data)
        to_us = []
    return seen


def assert_keys_fit(peer: Peer, events: list[TlsEvent], *levels: Level) -> None:
    for event in events:
        if isinstance(event, KeysInstalled) and event.level in levels:
            if event.sealer is not None:
                suite, secret = peer.secrets["open", event.level]
                opener = opener_from_secret(suite, secret, 1)
                assert b"x" == opener.open(1, b"h", event.sealer.seal(1, b"h", b"x"))
            if event.opener is not None:
                suite, secret = peer.secrets["seal", event.level]
                sealer = sealer_from_secret(suite, secret, 1)
                assert b"x" == event.opener.open(1, b"h", sealer.seal(1, b"h", b"x"))


@pytest.fixture
def fresh() -> Authority:
    """An authority of now: aioquic reads the clock."""
    return Authority("aioquic test", time.time())


@pytest.fixture
def fresh_chain(fresh: Authority) -> CertificateChain:
    return fresh.issue(["server.example"])


def our_client(
    authority: Authority, session: Any = None, early: bool = False, **config: Any
) -> ClientHandshake:
    return ClientHandshake(
        ClientTLS(**{"alpn": ("h3",), "ca": authority.pem, **config}),
        server_name="server.example",
        transport_parameters=b"our parameters",
        quic_version=1,
        random=seeded.Random(1).randbytes,
        wall_clock=time.time(),
        session=session,
        early_data=early,
    )


def our_server(chain: CertificateChain, **config: Any) -> ServerHandshake:
    return ServerHandshake(
        ServerTLS(**{"certs": chain, "alpn": ("h3",), "ticket_keys": (b"k" * 32,), **config}),
        transport_parameters=b"our parameters",
        quic_version=1,
        random=seeded.Random(2).randbytes,
        wall_clock=time.time(),
    )


def their_server(chain: CertificateChain, **kw: Any) -> Peer:
    peer = Peer(is_client=False, alpn_protocols=["h3"], **kw)
    peer.context.certificate = chain.leaf
    peer.context.certificate_private_key = chain.key
    return peer


def their_client(authority: Authority, **kw: Any) -> Peer:
    return Peer(
        is_client=True, alpn_protocols=["h3"], cadata=authority.pem, server_name="server.example", **kw
    )


@pytest.mark.parametrize("suite", SUITES, ids=hex)
@pytest.mark.parametrize("group", [X25519, SECP256R1, SECP384R1], ids=hex)
def test_our_client(fresh: Authority, fresh_chain: CertificateChain, suite: int, group: int) -> None:
    client, peer = our_client(fresh, ciphers=(suite,), groups=(group,)), their_server(fresh_chain)
    events = talk(client, peer, client.start(), [])

    info = next(event.info for event in events if isinstance(event, HandshakeDone))
    assert ("h3", suite, group) == (info.alpn, info.cipher_suite, info.group)
    assert PeerParameters(b"aioquic parameters") in events
    assert (EXT_QUIC_TRANSPORT_PARAMETERS, b"our parameters") in peer.context.received_extensions
    assert_keys_fit(peer, events, Level.HANDSHAKE, Level.APPLICATION)


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa"])
def test_our_client_with_every_certificate(fresh: Authority, leaf_keys: dict[str, Any], kind: str) -> None:
    chain = fresh.issue(["server.example"], key=leaf_keys[kind])
    client, peer = our_client(fresh), their_server(chain)
    events = talk(client, peer, client.start(), [])

    assert any(isinstance(event, HandshakeDone) for event in events)


@pytest.mark.parametrize("suite", SUITES, ids=hex)
def test_our_server(fresh: Authority, fresh_chain: CertificateChain, suite: int) -> None:
    server, peer = our_server(fresh_chain, ciphers=(suite,)), their_client(fresh)
    events = talk(server, peer, [], peer.take(b""))

    info = next(event.info for event in events if isinstance(event, HandshakeDone))
    assert ("h3", suite, "server.example") == (info.alpn, info.cipher_suite, info.server_name)
    assert PeerParameters(b"aioquic parameters") in events
    assert_keys_fit(peer, events, Level.HANDSHAKE, Level.APPLICATION)


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa"])
def test_our_server_with_every_certificate(fresh: Authority, leaf_keys: dict[str, Any], kind: str) -> None:
    server = our_server(fresh.issue(["server.example"], key=leaf_keys[kind]))
    peer = their_client(fresh)
    events = talk(server, peer, [], peer.take(b""))

    assert any(isinstance(event, HandshakeDone) for event in events)


@pytest.mark.parametrize("early", [False, True], ids=["plain", "0-RTT"])
def test_our_client_resumes(fresh: Authority, fresh_chain: CertificateChain, early: bool) -> None:
    tickets: dict[bytes, Any] = {}
    runs = []
    session = None
    for _ in range(2):
        peer = their_server(fresh_chain, max_early_data=0xFFFFFFFF if early else None)
        peer.context.new_session_ticket_cb = lambda ticket: tickets.__setitem__(ticket.ticket, ticket)
        peer.context.get_session_ticket_cb = tickets.get
        client = our_client(fresh, session, early)
        events = talk(client, peer, client.start(), [])
        session = next((event.session for event in events if isinstance(event, NewSession)), None)
        runs.append((peer, events))
    peer, events = runs[1]
    info = next(event.info for event in events if isinstance(event, HandshakeDone))

    assert info.resumed and peer.context.session_resumed
    assert early == info.early_accepted
    assert_keys_fit(peer, events, Level.EARLY, Level.HANDSHAKE, Level.APPLICATION)


@pytest.mark.parametrize("early", [False, True], ids=["plain", "0-RTT"])
def test_our_server_resumes(fresh: Authority, fresh_chain: CertificateChain, early: bool) -> None:
    tickets: list[Any] = []
    runs = []
    for _ in range(2):
        server, peer = our_server(fresh_chain, early_data=early), their_client(fresh)
        peer.context.new_session_ticket_cb = tickets.append
        peer.context.session_ticket = tickets[-1] if tickets else None
        runs.append((peer, talk(server, peer, [], peer.take(b""))))
    peer, events = runs[1]
    info = next(event.info for event in events if isinstance(event, HandshakeDone))

    assert info.resumed and peer.context.session_resumed
    assert early == info.early_accepted == peer.context.early_data_accepted
    assert_keys_fit(peer, events, Level.EARLY, Level.HANDSHAKE, Level.APPLICATION)


def test_client_certificates(fresh: Authority, fresh_chain: CertificateChain) -> None:
    own = fresh.issue(["client.example"], client=True)
    client, peer = our_client(fresh, client_cert=own), their_server(fresh_chain)
    peer.context._request_client_certificate = True
    talk(client, peer, client.start(), [])
    assert own.leaf == peer.context._peer_certificate

    server, other = our_server(fresh_chain, client_auth="require", client_ca=fresh.pem), their_client(fresh)
    other.context.certificate = own.leaf
    other.context.certificate_private_key = own.key
    events = talk(server, other, [], other.take(b""))
    info = next(event.info for event in events if isinstance(event, HandshakeDone))
    assert (own.leaf,) == info.peer_certificates


def test_no_common_protocol(fresh: Authority, fresh_chain: CertificateChain) -> None:
    peer = their_server(fresh_chain)
    client = our_client(fresh, alpn=("other",))
    with pytest.raises(tls.AlertNoApplicationProtocol):
        talk(client, peer, client.start(), [])
