"""The peer's Certificate and CertificateVerify.

Either side's: whether the chain is trusted is decided by ``verification``. RFC 8446 §4.4.2 and §4.4.3.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from .cert_compression import decompress
from .codec import Reader
from .constants import (
    COMPRESSED_CERTIFICATE,
    DECODE_ERROR,
    EXT_DELEGATED_CREDENTIALS,
    EXT_SIGNED_CERTIFICATE_TIMESTAMP,
    EXT_STATUS_REQUEST,
    ILLEGAL_PARAMETER,
    UNSUPPORTED_CERTIFICATE,
    UNSUPPORTED_EXTENSION,
)
from .delegated_credential import parse_credential
from .errors import LocalAlert
from .messages import certificate_verify, compressed_certificate
from .messages.certificate import Certificate
from .signatures import check, signed_content
from .verification import shared_chain

__all__ = ["PeerCertificate", "open_certificate"]


@final
class PeerCertificate:
    """A chain a peer sent, parsed, and the proof that it holds the key."""

    __slots__ = ("_credential", "certificates", "chain", "ocsp_response", "sct_list", "signature_scheme")

    def __init__(self, message: Certificate, offered: Iterable[int]) -> None:
        """Take a chain that is not empty; ``offered`` are the extensions this side allowed entries to have.

        Raises:
            LocalAlert: bad_certificate, unsupported_extension, decode_error.
        """
        allowed = frozenset(offered)
        for entry in message.entry_extensions:
            for number, _ in entry:
                if number not in allowed:
                    raise LocalAlert(
                        UNSUPPORTED_EXTENSION, f"extension {number} in Certificate was not offered"
                    )
        leaf_extensions = dict(message.entry_extensions[0])
        self.chain, self.certificates = shared_chain(tuple(message.chain))
        self.ocsp_response = _ocsp_response(leaf_extensions.get(EXT_STATUS_REQUEST))
        self.sct_list = leaf_extensions.get(EXT_SIGNED_CERTIFICATE_TIMESTAMP)
        self._credential = leaf_extensions.get(EXT_DELEGATED_CREDENTIALS)
        self.signature_scheme: int | None = None

    def check_proof(
        self,
        raw: bytes,
        context: bytes,
        transcript_hash: bytes,
        schemes: Iterable[int],
        credential_schemes: Iterable[int],
        wall_clock: float,
    ) -> None:
        """Check the CertificateVerify message ``raw`` against the leaf, or its delegated credential.

        Raises:
            LocalAlert: decrypt_error, illegal_parameter, unsupported_certificate.
            DecodeError: malformed.
        """
        scheme, signature = certificate_verify.parse(raw)
        key = _public_key(self.certificates[0])
        allowed = tuple(schemes)
        if self._credential is not None:
            credential = parse_credential(self._credential)
            credential.check(self.certificates[0], self.chain[0], key, allowed, wall_clock)
            if scheme != credential.scheme or scheme not in tuple(credential_schemes):
                raise LocalAlert(
                    ILLEGAL_PARAMETER, f"scheme 0x{scheme:04x} is not that of the delegated credential"
                )
            key = credential.public_key()
        elif scheme not in allowed:
            raise LocalAlert(ILLEGAL_PARAMETER, f"signature scheme 0x{scheme:04x} was not offered")
        check(scheme, key, signature, signed_content(context, transcript_hash))
        self.signature_scheme = scheme


def open_certificate(raw: bytes, compression: Iterable[int]) -> Certificate:
    """The Certificate in a Certificate or CompressedCertificate message.

    ``compression`` are the algorithms this side offered.

    Raises:
        LocalAlert: illegal_parameter or bad_certificate, from the compression.
        DecodeError: malformed.
    """
    return _open(raw, tuple(compression))


@lru_cache(maxsize=16)  # servers that are dialled again, and again, show the same one
def _open(raw: bytes, compression: tuple[int, ...]) -> Certificate:
    if raw[0] != COMPRESSED_CERTIFICATE:
        return Certificate.parse(raw[4:])
    algorithm, size, data = compressed_certificate.parse(raw)
    if algorithm not in compression:
        raise LocalAlert(ILLEGAL_PARAMETER, f"certificate compression {algorithm} was not offered")
    return Certificate.parse(decompress(algorithm, size, data))


@lru_cache(maxsize=16)
def _public_key(certificate: x509.Certificate) -> CertificatePublicKeyTypes:
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise LocalAlert(UNSUPPORTED_CERTIFICATE, "the certificate's public key cannot be used") from None


def _ocsp_response(body: bytes | None) -> bytes | None:
    """The response in CertificateStatus, RFC 6066 §8."""
    if body is None:
        return None
    reader = Reader(body)
    kind = reader.read_uint8()
    response = reader.read_vector24()
    reader.expect_end("CertificateStatus")
    if kind != 1 or not response:
        raise LocalAlert(DECODE_ERROR, f"certificate status of type {kind} with {len(response)} bytes")
    return response
