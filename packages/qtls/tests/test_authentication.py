"""Who is who: server and client certificates over whole handshakes. RFC 8446 §4.4, RFC 9525."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qtls import LocalAlert, cert_compression, extensions
from qtls.adapters.self_signed import Authority
from qtls.client_hello import DEFAULT_SIGNATURES
from qtls.constants import CERTIFICATE_REQUEST, COMPRESSED_CERTIFICATE, EXT_COMPRESS_CERTIFICATE
from qtls.key_schedule import Transcript
from qtls.messages import certificate_request, compressed_certificate
from qtls.own_certificate import CertificateRequest
from qtls.peer_certificate import open_certificate

MakeDuo = Callable[..., Any]
Resume = Callable[..., Any]


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa"])
@pytest.mark.parametrize("wanted", ["request", "require"])
def test_client_certificate(
    make_duo: MakeDuo, resume: Resume, authority: Authority, leaf_keys: dict[str, Any], kind: str, wanted: str
) -> None:
    own = authority.issue(["client.example"], key=leaf_keys[kind], client=True)
    server = {"client_auth": wanted, "client_ca": authority.pem, "ticket_keys": (b"k" * 32,)}
    duo = make_duo({"client_cert": own}, server).run()

    assert (own.leaf,) == duo.server_info.peer_certificates
    again = resume(duo, client={"client_cert": own}, server=server).run()
    assert again.server_info.resumed
    assert (own.leaf,) == again.server_info.peer_certificates


@pytest.mark.parametrize("algorithm", cert_compression.available())
def test_client_certificate_travels_compressed(
    make_duo: MakeDuo, authority: Authority, algorithm: int
) -> None:  # RFC 8879 §4
    own = authority.issue(["client.example"], client=True)
    duo = make_duo({"client_cert": own}, {"client_auth": "require", "client_ca": authority.pem}).run()
    requests = [raw for sender, _, raw in duo.messages if raw[0] == CERTIFICATE_REQUEST]
    sent = [raw for sender, _, raw in duo.messages if sender == "client" and raw[0] == COMPRESSED_CERTIFICATE]
    offered = dict(certificate_request.parse(requests[0])[1])[EXT_COMPRESS_CERTIFICATE]

    assert algorithm in extensions.parse_compression(offered)
    assert (own.leaf,) == duo.server_info.peer_certificates
    assert [cert_compression.available()[0]] == [compressed_certificate.parse(raw)[0] for raw in sent]
    (plain,) = CertificateRequest(DEFAULT_SIGNATURES, ()).answer(own, settled())[:1]
    (packed,) = CertificateRequest(DEFAULT_SIGNATURES, (algorithm,)).answer(own, settled())[:1]
    assert len(packed) < len(plain)
    assert open_certificate(plain, ()).chain == open_certificate(packed, (algorithm,)).chain


def settled() -> Transcript:
    transcript = Transcript()
    transcript.choose("sha256")
    return transcript


def test_client_without_certificate(make_duo: MakeDuo, authority: Authority) -> None:
    duo = make_duo({}, {"client_auth": "request", "client_ca": authority.pem}).run()
    assert () == duo.server_info.peer_certificates
    with pytest.raises(LocalAlert, match="certificate_required"):
        make_duo({}, {"client_auth": "require", "client_ca": authority.pem}).run()


def test_client_certificate_of_a_stranger(make_duo: MakeDuo, authority: Authority, now: float) -> None:
    own = Authority("stranger", now).issue(["client.example"], client=True)
    with pytest.raises(LocalAlert, match="unknown_ca"):
        make_duo({"client_cert": own}, {"client_auth": "require", "client_ca": authority.pem}).run()


def test_server_certificate_does_not_serve_a_client(
    make_duo: MakeDuo, authority: Authority, chain: Any
) -> None:
    with pytest.raises(LocalAlert, match="unsupported_certificate.*not meant for this use"):
        make_duo({"client_cert": chain}, {"client_auth": "require", "client_ca": authority.pem}).run()


@pytest.mark.parametrize(
    ("name", "wall_clock", "alert", "reason"),
    [
        ("wrong.example", 0.0, "bad_certificate", "name mismatch: .*server.example.* not for wrong.example"),
        ("127.0.0.2", 0.0, "bad_certificate", "name mismatch: .* not for 127.0.0.2"),
        ("server.example", 13 * 86_400.0, "certificate_expired", "expired on"),
        ("server.example", -86_400.0, "certificate_expired", "not valid before"),
    ],
)
def test_certificates_are_verified(
    make_duo: MakeDuo, now: float, name: str, wall_clock: float, alert: str, reason: str
) -> None:
    with pytest.raises(LocalAlert, match=f"{alert}: .*{reason}"):
        make_duo({}, {}, {"server_name": name, "wall_clock": now + wall_clock}).run()


def test_unknown_issuer(make_duo: MakeDuo, now: float) -> None:
    with pytest.raises(LocalAlert, match="unknown_ca: unknown issuer: CN=test authority is not trusted"):
        make_duo({"ca": Authority("another", now).pem}).run()


def test_verification_can_be_turned_off(make_duo: MakeDuo) -> None:
    duo = make_duo({"verify": False, "ca": b""}, {}, {"server_name": None}).run()

    assert duo.client_info.server_name is None
    assert 1 == len(duo.client_info.peer_certificates)


def test_verification_needs_a_name(make_duo: MakeDuo) -> None:
    with pytest.raises(ValueError, match="needs a server name"):
        make_duo(client_args={"server_name": None}).run()
