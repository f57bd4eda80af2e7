"""Delegated credentials, RFC 9345, through the parts that check a server's proof."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from qtls import DecodeError, LocalAlert
from qtls.codec import vector16, vector24
from qtls.constants import EXT_DELEGATED_CREDENTIALS, alert_name
from qtls.delegated_credential import CONTEXT, DELEGATION_USAGE
from qtls.messages import certificate_verify
from qtls.messages.certificate import Certificate
from qtls.peer_certificate import PeerCertificate
from qtls.signatures import SERVER_CONTEXT, sign, signed_content

NOW = 1_790_000_000.0
DAY = 86_400
LEAF_KEY = ec.generate_private_key(ec.SECP256R1())
CREDENTIAL_KEY = ec.generate_private_key(ec.SECP256R1())


def leaf(delegates: bool = True, signs: bool = True) -> bytes:
    start = datetime.fromtimestamp(NOW, UTC) - timedelta(days=1)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server.example")])
    usage = x509.KeyUsage(signs, False, not signs, False, False, False, False, False, False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=30))
        .public_key(LEAF_KEY.public_key())
        .add_extension(usage, critical=True)
    )
    if delegates:
        builder = builder.add_extension(
            x509.UnrecognizedExtension(DELEGATION_USAGE, b"\x05\x00"), critical=False
        )
    return builder.sign(LEAF_KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def credential(certificate: bytes, days: float = 2, scheme: int = 0x0403, algorithm: int = 0x0403) -> bytes:
    key = CREDENTIAL_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    encoded = int(days * DAY).to_bytes(4, "big") + scheme.to_bytes(2, "big") + vector24(key)
    encoded += algorithm.to_bytes(2, "big")
    content = b" " * 64 + CONTEXT + b"\0" + certificate + encoded
    return encoded + vector16(sign(LEAF_KEY, 0x0403, content))


def prove(certificate: bytes, body: bytes, schemes: tuple[int, ...] = (0x0403,)) -> PeerCertificate:
    entry = ((EXT_DELEGATED_CREDENTIALS, body),)
    peer = PeerCertificate(Certificate((certificate,), (entry,)), (EXT_DELEGATED_CREDENTIALS,))
    proof = sign(CREDENTIAL_KEY, 0x0403, signed_content(SERVER_CONTEXT, b"hash"))
    raw = certificate_verify.encode(0x0403, proof)
    peer.check_proof(raw, SERVER_CONTEXT, b"hash", (0x0403, 0x0804), schemes, NOW)
    return peer


def test_credential_signs_for_its_certificate() -> None:
    certificate = leaf()

    assert 0x0403 == prove(certificate, credential(certificate)).signature_scheme


@pytest.mark.parametrize(
    ("certificate", "changes", "alert"),
    [
        pytest.param({"delegates": False}, {}, "illegal_parameter", id="no delegation usage"),
        pytest.param({"signs": False}, {}, "illegal_parameter", id="no digitalSignature"),
        pytest.param({}, {"days": 0.5}, "illegal_parameter", id="expired"),
        pytest.param({}, {"days": 9}, "illegal_parameter", id="lives too long"),
        pytest.param({}, {"days": 40}, "illegal_parameter", id="outlives the certificate"),
        pytest.param({}, {"scheme": 0x0503}, "illegal_parameter", id="made for another scheme"),
        pytest.param({}, {"algorithm": 0x0203}, "illegal_parameter", id="signed with a scheme not offered"),
        pytest.param(
            {}, {"algorithm": 0x0804}, "illegal_parameter", id="signed with a scheme of another key"
        ),
    ],
)
def test_refused_credentials(
    certificate: dict[str, Any], changes: dict[str, Any], alert: str
) -> None:  # RFC 9345 §4.1.3
    encoded = leaf(**certificate)
    with pytest.raises(LocalAlert) as refused:
        prove(encoded, credential(encoded, **changes))

    assert alert == alert_name(refused.value.description)


def test_signature_is_bound_to_the_certificate() -> None:
    with pytest.raises(LocalAlert, match="decrypt_error"):
        prove(leaf(), credential(leaf()))


def test_scheme_must_have_been_offered() -> None:
    certificate = leaf()
    with pytest.raises(LocalAlert, match="not that of the delegated credential"):
        prove(certificate, credential(certificate), (0x0503,))


def test_malformed_credentials() -> None:
    certificate = leaf()
    body = credential(certificate)
    for size in range(len(body)):
        with pytest.raises(DecodeError):
            prove(certificate, body[:size])
    with pytest.raises(LocalAlert, match="public key cannot be used"):
        junk = (2 * DAY).to_bytes(4, "big") + b"\4\3" + vector24(b"junk") + b"\4\3"
        content = b" " * 64 + CONTEXT + b"\0" + certificate + junk
        prove(certificate, junk + vector16(sign(LEAF_KEY, 0x0403, content)))
