"""The key schedule against RFC 8448, value by value."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from qtls.constants import EXT_KEY_SHARE, FINISHED
from qtls.extensions import parse_server_share
from qtls.key_schedule import KeySchedule, Transcript, verify_data
from qtls.messages.client_hello import ClientHello
from qtls.messages.new_session_ticket import NewSessionTicket
from qtls.messages.server_hello import ServerHello

Vectors = Callable[[str], Any]
EMPTY = hashlib.sha256(b"").digest()


@pytest.fixture
def trace(vectors: Vectors) -> Any:
    return vectors("rfc8448-s3-s4-tls13")


def shared_secret(client_private: str, server_hello: str) -> bytes:
    share = dict(ServerHello.parse(bytes.fromhex(server_hello)).extensions)[EXT_KEY_SHARE]
    group, public = parse_server_share(share)
    assert 0x1D == group
    key = X25519PrivateKey.from_private_bytes(bytes.fromhex(client_private))
    return key.exchange(X25519PublicKey.from_public_bytes(public))


def test_simple_handshake(trace: Any) -> None:  # RFC 8448 §3
    case = trace["section3"]
    secrets, messages = (
        case["secrets"],
        {key: bytes.fromhex(value) for key, value in case["messages"].items()},
    )
    transcript = Transcript()
    schedule = KeySchedule("sha256")
    shared = shared_secret(case["keys"]["client_private"], case["messages"]["ServerHello"])

    assert secrets["early_secret"] == schedule.secret.hex()
    assert secrets["derived_1"] == schedule.derive(b"derived", EMPTY).hex()
    assert secrets["ecdhe_shared"] == shared.hex()

    schedule.enter_handshake(shared)
    transcript.add(messages["ClientHello"])
    transcript.choose("sha256")
    transcript.add(messages["ServerHello"])
    client_handshake = schedule.derive(b"c hs traffic", transcript.digest())
    server_handshake = schedule.derive(b"s hs traffic", transcript.digest())
    assert secrets["handshake_secret"] == schedule.secret.hex()
    assert secrets["client_handshake_traffic"] == client_handshake.hex()
    assert secrets["server_handshake_traffic"] == server_handshake.hex()

    for name in ("ServerEncryptedExtensions", "ServerCertificate", "ServerCertificateVerify"):
        transcript.add(messages[name])
    assert messages["ServerFinished"][4:] == verify_data("sha256", server_handshake, transcript.digest())
    assert FINISHED == messages["ServerFinished"][0]
    transcript.add(messages["ServerFinished"])

    schedule.enter_master()
    digest = transcript.digest()
    assert secrets["master_secret"] == schedule.secret.hex()
    assert secrets["client_application_traffic_0"] == schedule.derive(b"c ap traffic", digest).hex()
    assert secrets["server_application_traffic_0"] == schedule.derive(b"s ap traffic", digest).hex()
    assert secrets["exporter_master"] == schedule.derive(b"exp master", digest).hex()

    assert messages["ClientFinished"][4:] == verify_data("sha256", client_handshake, digest)
    transcript.add(messages["ClientFinished"])
    resumption = schedule.derive(b"res master", transcript.digest())
    ticket = NewSessionTicket.parse(messages["ServerNewSessionTicket"])
    assert secrets["resumption_master"] == resumption.hex()
    assert case["ticket_nonce"] == ticket.nonce.hex()
    assert case["resumption_psk"] == schedule.resumption_psk(resumption, ticket.nonce).hex()
    assert messages["ServerNewSessionTicket"] == ticket.encode()


def test_resumed_handshake(trace: Any) -> None:  # RFC 8448 §4
    case = trace["section4"]
    secrets = case["secrets"]
    hello = ClientHello(bytes.fromhex(case["client_hello"]))
    schedule = KeySchedule("sha256", bytes.fromhex(trace["section3"]["resumption_psk"]))
    transcript = Transcript()

    assert secrets["early_secret"] == schedule.secret.hex()
    assert case["client_hello_up_to_binders"] == hello.without_binders().hex()
    binder = schedule.binder(transcript.digest_with(hello.without_binders(), "sha256"))
    assert case["binder"] == binder.hex()
    assert (binder,) == hello.offered_psks()[1]

    transcript.add(hello.raw)
    transcript.choose("sha256")
    assert secrets["client_early_traffic"] == schedule.derive(b"c e traffic", transcript.digest()).hex()

    shared = shared_secret(case["keys"]["client_private"], case["server_hello"])
    assert secrets["ecdhe_shared"] == shared.hex()
    schedule.enter_handshake(shared)
    transcript.add(bytes.fromhex(case["server_hello"]))
    server_handshake = schedule.derive(b"s hs traffic", transcript.digest())
    assert secrets["handshake_secret"] == schedule.secret.hex()
    assert secrets["client_handshake_traffic"] == schedule.derive(b"c hs traffic", transcript.digest()).hex()
    assert secrets["server_handshake_traffic"] == server_handshake.hex()

    transcript.add(bytes.fromhex(case["encrypted_extensions"]))
    assert case["server_finished"][8:] == verify_data("sha256", server_handshake, transcript.digest()).hex()


def test_retry_replaces_the_first_hello() -> None:  # RFC 8446 §4.4.1
    transcript = Transcript()
    transcript.add(b"first hello")
    transcript.choose("sha384")
    transcript.replace_first_hello()
    transcript.add(b"retry")

    first = hashlib.sha384(b"first hello").digest()
    assert hashlib.sha384(b"\xfe\x00\x00\x30" + first + b"retry").digest() == transcript.digest()
    assert transcript.digest_with(b"x", "sha384") != transcript.digest()


def test_hash_must_be_settled_for_a_digest() -> None:
    transcript = Transcript()
    transcript.add(b"message")

    with pytest.raises(ValueError, match="not settled"):
        transcript.digest()
    assert hashlib.sha256(b"messagemore").digest() == transcript.digest_with(b"more", "sha256")


def test_secrets_are_not_shown() -> None:
    schedule = KeySchedule("sha256", b"p" * 32)

    assert "KeySchedule('sha256')" == repr(schedule)
