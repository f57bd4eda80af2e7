"""Fixtures of the qtls tests: vectors, an authority, and pairs of handshakes that talk in memory."""

from __future__ import annotations

import json
import random as seeded
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from qtls import CertificateChain, ClientTLS, Level, ServerTLS
from qtls.adapters.self_signed import Authority
from qtls.client import ClientHandshake
from qtls.events import HandshakeDone, KeysInstalled, NewSession, SendCrypto, TlsEvent, TlsInfo
from qtls.server import ServerHandshake

VECTORS = Path(__file__).parent / "vectors"
NOW = 1_790_000_000.0

# Gets (sender, level, one message) and returns the bytes to deliver instead.
Tamper = Callable[[str, Level, bytes], bytes]


def messages_of(data: bytes) -> list[bytes]:
    """The handshake messages in ``data``."""
    found = []
    while data:
        size = 4 + int.from_bytes(data[1:4], "big")
        found.append(data[:size])
        data = data[size:]
    return found


class Duo:
    """A client and a server handshake with nothing between them."""

    def __init__(self, client: ClientHandshake, server: ServerHandshake) -> None:
        self.client = client
        self.server = server
        self.client_events: list[TlsEvent] = []
        self.server_events: list[TlsEvent] = []
        self.messages: list[tuple[str, Level, bytes]] = []

    def run(self, tamper: Tamper | None = None, cut: int = 0) -> Duo:
        """Exchange messages until nobody has more to say; ``cut`` delivers pieces of that many bytes."""
        waiting: list[tuple[str, TlsEvent]] = [("client", event) for event in self.client.start()]
        while waiting:
            sender, event = waiting.pop(0)
            (self.client_events if sender == "client" else self.server_events).append(event)
            if not isinstance(event, SendCrypto):
                continue
            data = event.data
            for message in messages_of(data):
                self.messages.append((sender, event.level, message))
            if tamper is not None:
                data = b"".join([tamper(sender, event.level, message) for message in messages_of(data)])
            receiver: ClientHandshake | ServerHandshake = self.server if sender == "client" else self.client
            name = "server" if sender == "client" else "client"
            step = cut or len(data) or 1
            for start in range(0, len(data), step):
                answer = receiver.receive(event.level, data[start : start + step])
                waiting.extend([(name, each) for each in answer])
        return self

    @property
    def client_info(self) -> TlsInfo:
        return next(event.info for event in self.client_events if isinstance(event, HandshakeDone))

    @property
    def server_info(self) -> TlsInfo:
        return next(event.info for event in self.server_events if isinstance(event, HandshakeDone))

    def keys(self, side: str, level: Level) -> tuple[Any, Any]:
        """(sealer, opener) that ``side`` got for a level, over all events."""
        sealer, opener = None, None
        for event in self.client_events if side == "client" else self.server_events:
            if isinstance(event, KeysInstalled) and event.level is level:
                sealer = event.sealer or sealer
                opener = event.opener or opener
        return sealer, opener

    def assert_keys_fit(self, level: Level) -> None:
        """What one side seals at a level, the other opens."""
        for sender, receiver in (("client", "server"), ("server", "client")):
            sealer, opener = self.keys(sender, level)[0], self.keys(receiver, level)[1]
            assert b"payload" == opener.open(3, b"header", sealer.seal(3, b"header", b"payload"))
            assert sealer.masks(bytes(32)) == opener.masks(bytes(32))


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Any]:
    """Reads a file of ``tests/vectors``."""

    def load(name: str) -> Any:
        return json.loads((VECTORS / f"{name}.json").read_text())

    return load


@pytest.fixture(scope="session")
def now() -> float:
    """The Unix time at which all tests take place."""
    return NOW


@pytest.fixture(scope="session")
def authority() -> Authority:
    """The authority that clients trust."""
    return Authority("test authority", NOW)


@pytest.fixture(scope="session")
def chain(authority: Authority) -> CertificateChain:
    """A P-256 chain for server.example, localhost and 127.0.0.1."""
    return authority.issue(["server.example", "localhost", "127.0.0.1"])


@pytest.fixture(scope="session")
def leaf_keys() -> dict[str, Any]:
    """One private key of each kind that can sign in TLS 1.3."""
    return {
        "p256": ec.generate_private_key(ec.SECP256R1()),
        "p384": ec.generate_private_key(ec.SECP384R1()),
        "p521": ec.generate_private_key(ec.SECP521R1()),
        "rsa": rsa.generate_private_key(65537, 2048),
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
        "ed448": ed448.Ed448PrivateKey.generate(),
    }


@pytest.fixture(scope="session")
def make_duo(authority: Authority, chain: CertificateChain) -> Callable[..., Duo]:
    """Makes a pair: dicts of what differs in the configurations and in the arguments of the handshakes."""

    def make(
        client: dict[str, Any] | None = None,
        server: dict[str, Any] | None = None,
        client_args: dict[str, Any] | None = None,
        server_args: dict[str, Any] | None = None,
        seed: int = 1,
    ) -> Duo:
        client_config = ClientTLS(**{"alpn": ("h3",), "ca": authority.pem, **(client or {})})
        server_config = ServerTLS(**{"certs": chain, "alpn": ("h3",), **(server or {})})
        client_defaults: dict[str, Any] = {
            "server_name": "server.example",
            "transport_parameters": b"client parameters",
            "quic_version": 1,
            "random": seeded.Random(seed).randbytes,
            "wall_clock": NOW,
        }
        server_defaults: dict[str, Any] = {
            "transport_parameters": b"server parameters",
            "quic_version": 1,
            "random": seeded.Random(seed + 1).randbytes,
            "wall_clock": NOW,
        }
        return Duo(
            ClientHandshake(client_config, **{**client_defaults, **(client_args or {})}),
            ServerHandshake(server_config, **{**server_defaults, **(server_args or {})}),
        )

    return make


@pytest.fixture(scope="session")
def resume(make_duo: Callable[..., Duo]) -> Callable[..., Duo]:
    """Makes a pair that resumes another one ``later`` seconds later, with its newest ticket."""

    def make(first: Duo, later: float = 100.0, **changes: Any) -> Duo:
        session = [event.session for event in first.client_events if isinstance(event, NewSession)][-1]
        client = changes.pop("client", {})
        server = {"ticket_keys": (b"k" * 32,), **changes.pop("server", {})}
        session = replace(session, **changes.pop("session", {}))
        wall_clock = first.client.wall_clock + later
        client_args = {"session": session, "wall_clock": wall_clock, **changes.pop("client_args", {})}
        server_args = {"wall_clock": wall_clock, **changes.pop("server_args", {})}
        return make_duo(client, server, client_args, server_args, seed=99)

    return make
