"""Trusted roots: bundles, files, folders, the environment, this machine."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from qtls import CertificateChain, ClientTLS, LocalAlert
from qtls.adapters.self_signed import Authority
from qtls.adapters.trust_store import BUNDLES, load_roots, resolve_trust, system_roots
from qtls.certificates import spki_sha256
from qtls.trust import Roots, SpkiPins, parse_pem, roots_from_pem

BROKEN = b"-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n"


@pytest.fixture
def bundle(authority: Authority, now: float) -> bytes:
    return b"# a comment\n" + authority.pem + b"\n" + Authority("second", now).pem


def test_pem_and_der(authority: Authority, bundle: bytes) -> None:
    encoded = authority.certificate.public_bytes(Encoding.DER)

    assert 2 == len(roots_from_pem(bundle))
    assert roots_from_pem(bundle) is roots_from_pem(bytes(bytearray(bundle)))
    for roots in (roots_from_pem(bundle), roots_from_pem(encoded)):
        assert roots.trusts(encoded)
        assert not roots.trusts(encoded[:-1])


def test_odd_certificates_are_left_out(bundle: bytes) -> None:
    assert 2 == len(parse_pem(BROKEN + bundle + BROKEN))


@pytest.mark.parametrize("data", [b"", b"junk", BROKEN, BROKEN[:40]])
def test_refuses_what_holds_no_certificate(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"certificate|ASN|asn1|parsing"):
        roots_from_pem(data)


def test_files_are_read_once_and_again_when_they_change(
    bundle: bytes, authority: Authority, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(bundle)
    first = load_roots(path)

    assert first is load_roots(str(path))
    path.write_bytes(authority.pem)
    assert 1 == len(load_roots(path))


def test_folder(bundle: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.crt").write_bytes(bundle)
    (tmp_path / "readme.txt").write_bytes(b"no certificate")
    assert 2 == len(load_roots(tmp_path))

    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no certificates in"):
        load_roots(tmp_path / "empty")


def test_environment_comes_first(bundle: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(bundle)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert 2 == len(system_roots())
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    assert load_roots(path) is system_roots() is ClientTLS().trust_store()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    with pytest.raises(FileNotFoundError):
        system_roots()


@pytest.mark.skipif(not any(map(os.path.isfile, BUNDLES)), reason="this machine keeps its roots elsewhere")
def test_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)

    assert len(system_roots()) > 20
    assert system_roots() is system_roots()


def test_resolution(authority: Authority, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(authority.pem)
    own: Any = Roots([authority.certificate])

    assert resolve_trust(own) is own
    assert resolve_trust(authority.pem) is roots_from_pem(authority.pem)
    assert resolve_trust(path) is resolve_trust(str(path))


def test_roots_can_be_pickled(bundle: bytes, authority: Authority) -> None:
    again = pickle.loads(pickle.dumps(Roots(parse_pem(bundle))))

    assert 2 == len(again)
    assert again.trusts(authority.certificate.public_bytes(Encoding.DER))


def test_what_is_remembered_is_bounded(authority: Authority) -> None:
    roots = Roots([authority.certificate])
    for number in range(600):
        roots.remember(number.to_bytes(4, "big"), 10.0, 20.0)

    assert not roots.is_verified((0).to_bytes(4, "big"), 15.0)
    assert roots.is_verified((599).to_bytes(4, "big"), 15.0)
    assert not roots.is_verified((599).to_bytes(4, "big"), 20.5)
    assert not roots.is_verified((599).to_bytes(4, "big"), 9.5)


def test_pinned_key(authority: Authority, chain: CertificateChain) -> None:
    pin = spki_sha256(chain.leaf)
    other = spki_sha256(authority.issue(["other.example"]).leaf)

    for pins in ([pin], [other, f"sha256//{pin}"], [f"sha256/{pin}"]):
        trust = SpkiPins(*pins)
        assert trust.trusts(chain.certificates[0])
        assert trust.roots() is None
    assert not SpkiPins(other).trusts(chain.certificates[0])
    assert not SpkiPins(other).trusts(b"no certificate")
    assert pickle.loads(pickle.dumps(SpkiPins(other, pin))).trusts(chain.certificates[0])
    assert "SpkiPins(2 keys)" == repr(SpkiPins(other, pin))


def test_pinned_key_over_a_handshake(
    make_duo: Callable[..., Any], chain: CertificateChain, now: float
) -> None:
    pins = SpkiPins(spki_sha256(chain.leaf))

    assert make_duo({"ca": pins}).run().client_info.peer_certificates == (chain.leaf,)
    with pytest.raises(LocalAlert, match="unknown_ca: the key of CN=server.example is not pinned"):
        make_duo({"ca": SpkiPins("A" * 43 + "=")}).run()
    with pytest.raises(LocalAlert, match="bad_certificate: name mismatch"):
        make_duo({"ca": pins}, client_args={"server_name": "other.example"}).run()
    with pytest.raises(LocalAlert, match="certificate_expired"):
        make_duo({"ca": pins}, client_args={"wall_clock": now + 20 * 86_400}).run()


@pytest.mark.parametrize("prefix", ["", "sha256/", "sha256//"])
def test_a_pin_may_begin_with_a_slash(prefix: str) -> None:
    pin = "/YhGiqgcTTv75NgqHwX3YQn4QAKYYU2f69xXPfi0zX8="

    assert SpkiPins(pin).__reduce__() == SpkiPins(prefix + pin).__reduce__()


@pytest.mark.parametrize("pin", ["", "AAAA", "not base64 at all", "sha1/" + "A" * 28])
def test_pins_that_are_none(pin: str) -> None:
    with pytest.raises(ValueError, match="is not a SHA-256 in base64"):
        SpkiPins(pin)
    with pytest.raises(ValueError, match="no public key is pinned"):
        SpkiPins()


def test_no_verification_is_said_once_for_each_host(
    make_duo: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    for host in ("warned.example", "warned.example", "also.example"):
        make_duo({"verify": False}, client_args={"server_name": host}).run()

    assert 1 == caplog.text.count("the certificate of warned.example is NOT verified")
    assert 1 == caplog.text.count("the certificate of also.example is NOT verified")
    assert {"WARNING"} == {record.levelname for record in caplog.records}
