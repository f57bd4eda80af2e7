"""What users rely on."""

from __future__ import annotations

import dataclasses
import importlib

import pytest

import qtls
from qtls import ClientTLS, ServerTLS


def test_names_of_the_package() -> None:
    assert {
        "CertificateChain",
        "ClientTLS",
        "DecodeError",
        "Level",
        "LocalAlert",
        "MemorySessionStore",
        "PeerAlert",
        "ServerTLS",
        "Session",
        "SessionStore",
        "load_certificate_chain",
    } == set(qtls.__all__)
    assert all(hasattr(qtls, name) for name in qtls.__all__)


def test_fields_of_the_configurations() -> None:
    client = {field.name for field in dataclasses.fields(ClientTLS)}
    server = {field.name for field in dataclasses.fields(ServerTLS)}

    assert client >= {
        "alpn", "verify", "ca", "server_name", "client_cert", "groups", "ech", "sessions", "keylog", "hello",
    }  # fmt: skip
    assert server >= {"certs", "alpn", "client_auth", "client_ca", "ticket_keys", "keylog"}


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("client", "ClientHandshake"),
        ("server", "ServerHandshake"),
        ("initial", "initial_keys InitialKeys"),
        ("retry", "integrity_tag"),
        ("protection", "Sealer Opener sealer_from_secret opener_from_secret"),
        (
            "client_hello",
            "ClientHelloBuilder DefaultHello EchOffer EchRole HelloContext HelloDraft HelloRetry",
        ),
        ("resumption", "Session SessionStore MemorySessionStore"),
        ("ech", "EchConfig EchKey ech_config_list make_ech_key parse_config_list"),
        ("errors", "DecodeError EchRejected LocalAlert PeerAlert"),
        ("certificates", "CertificateChain spki_sha256"),
        ("trust", "TrustStore Roots SpkiPins"),
        ("adapters.self_signed", "make_certificate Authority"),
        ("adapters.files", "load_certificate_chain KeyLogFile"),
        ("adapters.trust_store", "system_roots load_roots"),
    ],
)
def test_names_of_modules(module: str, names: str) -> None:
    loaded = importlib.import_module(f"qtls.{module}")

    assert all(hasattr(loaded, name) for name in names.split())
