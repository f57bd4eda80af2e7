"""Certificates with their private key, as a server or an authenticated client holds them.

Files are read by ``qtls.adapters.files``. RFC 8446 §4.4.2.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Any, final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from .names import matches_dns_name, names_of
from .signatures import PrivateKey, schemes_of

__all__ = ["CertificateChain", "spki_sha256"]


@final
class CertificateChain:
    """A leaf, its intermediates, and the leaf's private key; parsed once.

    ``certificates`` are DER, leaf first. ``key`` is DER PKCS #8, or a private key object. The pickle of a chain holds
    the private key.

    Raises:
        ValueError: no certificate, a key that does not belong to the leaf, or one that TLS 1.3 cannot use.
    """

    __slots__ = ("_dns_names", "certificates", "key", "leaf", "ocsp_response", "schemes", "sct_list")

    def __init__(
        self,
        certificates: Iterable[bytes],
        key: bytes | PrivateKey,
        *,
        ocsp_response: bytes | None = None,
        sct_list: bytes | None = None,
    ) -> None:
        self.certificates = tuple(certificates)
        if not self.certificates:
            raise ValueError("a chain needs at least one certificate")
        self.leaf = x509.load_der_x509_certificate(self.certificates[0])
        self._dns_names = names_of(self.leaf)[0]
        loaded: Any = load_der_private_key(key, None) if isinstance(key, bytes) else key
        self.schemes = schemes_of(loaded)
        self.key: PrivateKey = loaded
        self.ocsp_response = ocsp_response
        self.sct_list = sct_list
        if _spki(self.key.public_key()) != _spki(self.leaf.public_key()):
            raise ValueError("the private key does not belong to the first certificate")

    @classmethod
    def from_pem(cls, certificates: bytes, key: bytes, password: bytes | None = None) -> CertificateChain:
        """The chain in PEM texts; one text may hold both.

        Raises:
            ValueError: not PEM, or not a usable chain.
        """
        chain = [each.public_bytes(Encoding.DER) for each in x509.load_pem_x509_certificates(certificates)]
        loaded: Any = load_pem_private_key(key, password)
        return cls(chain, loaded)

    def key_bytes(self) -> bytes:
        """The private key as DER PKCS #8."""
        return self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def certificate_pem(self) -> bytes:
        """The certificates as PEM, leaf first."""
        loaded = [x509.load_der_x509_certificate(each) for each in self.certificates]
        return b"".join([each.public_bytes(Encoding.PEM) for each in loaded])

    def key_pem(self) -> bytes:
        """The private key as PEM PKCS #8."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def is_for(self, server_name: str) -> bool:
        """Whether the leaf has ``server_name`` among its DNS names."""
        for pattern in self._dns_names:
            if matches_dns_name(pattern, server_name):
                return True
        return False

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CertificateChain):
            return NotImplemented
        return (
            self.certificates == other.certificates
            and self.ocsp_response == other.ocsp_response
            and self.sct_list == other.sct_list
        )

    def __hash__(self) -> int:
        return hash(self.certificates)

    def __repr__(self) -> str:
        return (
            f"CertificateChain({self.leaf.subject.rfc4514_string()!r}, {len(self.certificates)} certificates)"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.certificates, self.key_bytes(), self.ocsp_response, self.sct_list)


def spki_sha256(certificate: x509.Certificate) -> str:
    """Base64 of the SHA-256 of the SubjectPublicKeyInfo: the pin browsers take on their command lines."""
    return base64.b64encode(hashlib.sha256(_spki(certificate.public_key())).digest()).decode("ascii")


def _spki(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _restore(
    certificates: tuple[bytes, ...], key: bytes, ocsp_response: bytes | None, sct_list: bytes | None
) -> CertificateChain:
    return CertificateChain(certificates, key, ocsp_response=ocsp_response, sct_list=sct_list)
