"""Signature schemes of CertificateVerify: which key can make which, signing, checking.

RFC 8446 §4.2.3 and §4.4.3.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from . import constants
from .constants import CLIENT_CONTEXT, DECRYPT_ERROR, ILLEGAL_PARAMETER, SERVER_CONTEXT
from .errors import LocalAlert

__all__ = ["CLIENT_CONTEXT", "SERVER_CONTEXT", "PrivateKey", "check", "schemes_of", "sign", "signed_content"]

PrivateKey: TypeAlias = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
)

# TLS 1.3 binds the curve to the hash, RFC 8446 §4.2.3.
ECDSA: Final[dict[int, tuple[str, ec.ECDSA]]] = {
    constants.ECDSA_SECP256R1_SHA256: ("secp256r1", ec.ECDSA(hashes.SHA256())),
    constants.ECDSA_SECP384R1_SHA384: ("secp384r1", ec.ECDSA(hashes.SHA384())),
    constants.ECDSA_SECP521R1_SHA512: ("secp521r1", ec.ECDSA(hashes.SHA512())),
}
PSS: Final[dict[int, hashes.HashAlgorithm]] = {
    constants.RSA_PSS_RSAE_SHA256: hashes.SHA256(),
    constants.RSA_PSS_RSAE_SHA384: hashes.SHA384(),
    constants.RSA_PSS_RSAE_SHA512: hashes.SHA512(),
}


def signed_content(context: bytes, transcript_hash: bytes) -> bytes:
    """What a CertificateVerify signs, RFC 8446 §4.4.3."""
    return b" " * 64 + context + b"\0" + transcript_hash


def schemes_of(key: PrivateKey) -> tuple[int, ...]:
    """Schemes a private key can sign with, best first.

    Raises:
        ValueError: a key TLS 1.3 cannot use.
    """
    if isinstance(key, ec.EllipticCurvePrivateKey):
        for scheme, (curve, _) in ECDSA.items():
            if curve == key.curve.name:
                return (scheme,)
        raise ValueError(f"TLS 1.3 has no signatures on curve {key.curve.name}")
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return (constants.ED25519,)
    if isinstance(key, ed448.Ed448PrivateKey):
        return (constants.ED448,)
    if isinstance(key, rsa.RSAPrivateKey):
        # RFC 8017 §9.1.1: salt and hash of SHA-512 do not fit a key below 1040 bits.
        return tuple(PSS) if key.key_size >= 1040 else tuple(PSS)[:2]
    raise ValueError(f"TLS 1.3 has no signatures with {type(key).__name__}")


def sign(key: PrivateKey, scheme: int, content: bytes) -> bytes:
    """Sign with one of ``schemes_of(key)``."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(content, ECDSA[scheme][1])
    if isinstance(key, rsa.RSAPrivateKey):
        algorithm = PSS[scheme]
        return key.sign(
            content, padding.PSS(padding.MGF1(algorithm), salt_length=algorithm.digest_size), algorithm
        )
    return key.sign(content)


def check(scheme: int, key: CertificatePublicKeyTypes, signature: bytes, content: bytes) -> None:
    """Check the signature of a CertificateVerify.

    Raises:
        LocalAlert: decrypt_error for a wrong signature, illegal_parameter for a scheme the key cannot have made.
    """
    try:
        if scheme in ECDSA and isinstance(key, ec.EllipticCurvePublicKey):
            curve, algorithm = ECDSA[scheme]
            if curve == key.curve.name:
                key.verify(signature, content, algorithm)
                return
        elif scheme in PSS and isinstance(key, rsa.RSAPublicKey):
            digest = PSS[scheme]
            # RFC 8446 §4.2.3: the salt is as long as the digest.
            key.verify(
                signature, content, padding.PSS(padding.MGF1(digest), salt_length=digest.digest_size), digest
            )
            return
        elif (isinstance(key, ed25519.Ed25519PublicKey) and scheme == constants.ED25519) or (
            isinstance(key, ed448.Ed448PublicKey) and scheme == constants.ED448
        ):
            key.verify(signature, content)
            return
    except (InvalidSignature, ValueError):
        raise LocalAlert(DECRYPT_ERROR, "the signature of CertificateVerify is wrong") from None
    raise LocalAlert(ILLEGAL_PARAMETER, f"the certificate's key cannot sign with scheme 0x{scheme:04x}")
