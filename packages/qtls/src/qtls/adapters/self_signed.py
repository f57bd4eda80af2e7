"""Throw-away certificates for tests, demonstrations and local servers.

Makes a certificate authority and a P-256 leaf under it. Browsers take the leaf by its SPKI hash, other clients by
trusting the authority.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..certificates import CertificateChain, spki_sha256
from ..names import address_of
from ..signatures import PrivateKey

__all__ = ["Authority", "MadeCertificate", "draw_key", "make_certificate"]

# Chromium accepts a certificate by its hash over QUIC and WebTransport only if it lives for at most 14 days.
LIFETIME_DAYS: Final = 12


@dataclass(frozen=True)
class MadeCertificate:
    """A chain with its private key, and the authority that signed it."""

    chain: CertificateChain
    ca_pem: bytes = field(repr=False)

    @property
    def spki_sha256(self) -> str:
        """Base64 SHA-256 of the leaf's public key, for ``--ignore-certificate-errors-spki-list``."""
        return spki_sha256(self.chain.leaf)


class Authority:
    """A certificate authority.

    Args:
        wall_clock: Unix time, now by default.
        key: a fresh P-256 key by default.
        random: what serial numbers are drawn from; the same draws make the same certificates of the same keys.
    """

    def __init__(
        self,
        name: str = "uQUIC throw-away authority",
        wall_clock: float | None = None,
        lifetime_days: float = LIFETIME_DAYS,
        *,
        key: ec.EllipticCurvePrivateKey | None = None,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._random = random
        self._now = datetime.fromtimestamp(time.time() if wall_clock is None else wall_clock, UTC)
        self._lifetime = timedelta(days=lifetime_days)
        self._key = key or ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        self.certificate = (
            self._builder(self._name, timedelta(0))
            .public_key(self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(identifier, critical=False)
            .sign(self._key, hashes.SHA256(), ecdsa_deterministic=True)
        )

    @property
    def pem(self) -> bytes:
        """The authority's certificate, to be trusted by clients."""
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(
        self,
        names: Iterable[str],
        *,
        key: PrivateKey | None = None,
        client: bool = False,
        offset: timedelta = timedelta(0),
    ) -> CertificateChain:
        """A leaf for DNS names and addresses; a P-256 key is made unless one is given.

        ``client`` makes a certificate for clients; ``offset`` moves its validity.
        """
        listed = list(names)
        leaf_key: PrivateKey = key if key is not None else ec.generate_private_key(ec.SECP256R1())
        alternatives: list[x509.GeneralName] = []
        for name in listed:
            address = address_of(name)
            alternatives.append(x509.DNSName(name) if address is None else x509.IPAddress(address))
        purpose = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        title = (
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, listed[0][:64])]) if listed else x509.Name([])
        )
        builder = (
            self._builder(title, offset)
            .public_key(leaf_key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if alternatives:
            builder = builder.add_extension(
                x509.SubjectAlternativeName(alternatives), critical=not title.rdns
            )
        leaf = builder.sign(self._key, hashes.SHA256(), ecdsa_deterministic=True)
        return CertificateChain([leaf.public_bytes(Encoding.DER)], leaf_key)

    def _builder(self, subject: x509.Name, offset: timedelta) -> x509.CertificateBuilder:
        # An hour back, for clocks that disagree.
        start = self._now + offset - timedelta(hours=1)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .serial_number(int.from_bytes(self._random(16), "big") >> 1 | 1 << 126)
            .not_valid_before(start)
            .not_valid_after(start + self._lifetime)
        )


def draw_key(random: Callable[[int], bytes]) -> ec.EllipticCurvePrivateKey:
    """A P-256 key that follows from a source of randomness."""
    # Below 2^248, so it never is larger than the order of the curve.
    return ec.derive_private_key(int.from_bytes(random(31), "big") or 1, ec.SECP256R1())


def make_certificate(names: Iterable[str] = ("localhost", "127.0.0.1", "::1")) -> MadeCertificate:
    """A fresh P-256 certificate for DNS names and addresses, valid for 12 days, under a fresh authority."""
    authority = Authority()
    return MadeCertificate(authority.issue(names), authority.pem)
