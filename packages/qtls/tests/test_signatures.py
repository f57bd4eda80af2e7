"""Signature schemes: every key against every scheme."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from qtls import LocalAlert
from qtls.constants import (
    ECDSA_SECP256R1_SHA256,
    ECDSA_SECP384R1_SHA384,
    ECDSA_SECP521R1_SHA512,
    ED448,
    ED25519,
    RSA_PKCS1_SHA256,
    RSA_PSS_RSAE_SHA256,
    RSA_PSS_RSAE_SHA384,
    RSA_PSS_RSAE_SHA512,
    alert_name,
)
from qtls.signatures import SERVER_CONTEXT, check, schemes_of, sign, signed_content

SCHEMES = {
    "p256": (ECDSA_SECP256R1_SHA256,),
    "p384": (ECDSA_SECP384R1_SHA384,),
    "p521": (ECDSA_SECP521R1_SHA512,),
    "rsa": (RSA_PSS_RSAE_SHA256, RSA_PSS_RSAE_SHA384, RSA_PSS_RSAE_SHA512),
    "ed25519": (ED25519,),
    "ed448": (ED448,),
}
ALL = [scheme for schemes in SCHEMES.values() for scheme in schemes] + [RSA_PKCS1_SHA256, 0x0A0A]


@pytest.mark.parametrize("kind", SCHEMES)
def test_each_key_has_its_schemes(leaf_keys: dict[str, Any], kind: str) -> None:
    key = leaf_keys[kind]
    content = signed_content(SERVER_CONTEXT, b"hash")

    assert SCHEMES[kind] == schemes_of(key)
    for scheme in SCHEMES[kind]:
        signature = sign(key, scheme, content)
        check(scheme, key.public_key(), signature, content)
        for other in ALL:
            if other == scheme:
                continue
            # RFC 8446 §4.2.3: the scheme binds key, curve and hash.
            with pytest.raises(LocalAlert) as refused:
                check(other, key.public_key(), signature, content)
            expected = "decrypt_error" if other in SCHEMES[kind] else "illegal_parameter"
            assert expected == alert_name(refused.value.description)


@pytest.mark.parametrize("kind", SCHEMES)
def test_wrong_signatures(leaf_keys: dict[str, Any], kind: str) -> None:
    key, scheme = leaf_keys[kind], SCHEMES[kind][0]
    good = sign(key, scheme, b"content")

    for signature in (b"", b"junk", good[:-1], good + b"\0", good[:-1] + bytes((good[-1] ^ 1,))):
        with pytest.raises(LocalAlert, match="decrypt_error"):
            check(scheme, key.public_key(), signature, b"content")
    with pytest.raises(LocalAlert, match="decrypt_error"):
        check(scheme, key.public_key(), good, b"Content")


def test_small_rsa_keys_leave_out_sha512() -> None:  # RFC 8017 §9.1.1
    key = rsa.generate_private_key(65537, 1024)

    assert (RSA_PSS_RSAE_SHA256, RSA_PSS_RSAE_SHA384) == schemes_of(key)
    for scheme in schemes_of(key):
        check(scheme, key.public_key(), sign(key, scheme, b"x"), b"x")


def test_signed_content() -> None:  # RFC 8446 §4.4.3
    expected = b" " * 64 + b"TLS 1.3, server CertificateVerify\x00" + b"\x01" * 32
    assert expected == signed_content(SERVER_CONTEXT, b"\x01" * 32)
