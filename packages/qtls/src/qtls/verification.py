"""Verification of a peer's certificate chain.

Chain building, validity and names are done by ``cryptography.x509.verification``; this module turns a refusal into the
right alert and a text that says what failed. RFC 5280 §6, RFC 8446 §4.4.2.4 and §6.2, RFC 9525.
"""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from .constants import BAD_CERTIFICATE, CERTIFICATE_EXPIRED, UNKNOWN_CA, UNSUPPORTED_CERTIFICATE
from .errors import LocalAlert
from .names import address_of, matches, names_of
from .trust import Roots, SpkiPins, TrustStore

__all__ = ["load_certificates", "verify_client", "verify_server", "warn_unverified"]

LOGGER: Final = logging.getLogger("qtls")

# RFC 8446 sets no limit. Chains in use have up to 5 certificates; each one more costs the verifier time.
MAX_CERTIFICATES: Final = 16

# CA/Browser Forum Baseline Requirements §6.1.5.
MIN_RSA_BITS: Final = 2048

# What refused or unreadable certificates raise: their fields are parsed when first looked at.
UNREADABLE: Final = (
    verification.VerificationError,
    ValueError,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    UnsupportedAlgorithm,
)


def load_certificates(chain: Sequence[bytes]) -> tuple[x509.Certificate, ...]:
    """Parse the certificates of a Certificate message, leaf first.

    Raises:
        LocalAlert: bad_certificate, too many of them or one that cannot be parsed.
    """
    if len(chain) > MAX_CERTIFICATES:
        raise LocalAlert(BAD_CERTIFICATE, f"a chain of {len(chain)} certificates")
    try:
        with warnings.catch_warnings():
            # What is odd but can be parsed is judged by the verification.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            return tuple([x509.load_der_x509_certificate(each) for each in chain])
    except (ValueError, x509.InvalidVersion):
        raise LocalAlert(BAD_CERTIFICATE, "a certificate of the chain cannot be parsed") from None


def verify_server(
    encoded: Sequence[bytes],
    certificates: Sequence[x509.Certificate],
    host: str,
    trust: TrustStore,
    wall_clock: float,
) -> None:
    """Check that a chain, leaf first, is trusted, valid at ``wall_clock``, and names ``host``.

    Raises:
        LocalAlert: certificate_expired, unknown_ca, bad_certificate or unsupported_certificate, with a reason.
    """
    leaf = certificates[0]
    now = _time(wall_clock)
    try:
        if trust.trusts(encoded[0]):
            # The user named this very certificate, so there is no chain to build.
            _check_validity(leaf, now)
            _check_name(leaf, host)
            return
        roots = _roots_of(trust, leaf)
        known = _chain_key(encoded, host) if isinstance(trust, Roots) else b""
        if isinstance(trust, Roots) and trust.is_verified(known, wall_clock):
            return
        address = address_of(host)
        subject: verification.Subject = (
            x509.IPAddress(address) if address is not None else x509.DNSName(host.rstrip("."))
        )
        _check_key(leaf)
        path = _builder(roots, now).build_server_verifier(subject).verify(leaf, list(certificates[1:]))
        if isinstance(trust, Roots):
            # Of all that was checked only validity changes with time, so the result holds while the whole path is valid.
            start = max([each.not_valid_before_utc for each in path])
            end = min([each.not_valid_after_utc for each in path])
            trust.remember(known, start.timestamp(), end.timestamp())
    except UNREADABLE as error:
        raise _explain(certificates, host, now, str(error)) from None


def verify_client(
    encoded: Sequence[bytes], certificates: Sequence[x509.Certificate], trust: TrustStore, wall_clock: float
) -> None:
    """Check that a client's chain is trusted and valid at ``wall_clock``.

    Raises:
        LocalAlert: as for servers.
    """
    now = _time(wall_clock)
    try:
        if trust.trusts(encoded[0]):
            _check_validity(certificates[0], now)
            return
        _check_key(certificates[0])
        roots = _roots_of(trust, certificates[0])
        _builder(roots, now).build_client_verifier().verify(certificates[0], list(certificates[1:]))
    except UNREADABLE as error:
        raise _explain(certificates, None, now, str(error)) from None


@lru_cache(maxsize=256)
def warn_unverified(host: str | None) -> None:
    """Log that nothing is verified, once for each host."""
    LOGGER.warning(
        "the certificate of %s is NOT verified: anybody on the way can read and change what is sent", host
    )


def _roots_of(trust: TrustStore, leaf: x509.Certificate) -> verification.Store:
    roots = trust.roots()
    if roots is None:
        reason = "is not pinned" if isinstance(trust, SpkiPins) else "is not trusted: no roots are trusted"
        raise LocalAlert(UNKNOWN_CA, f"the key of {_title(leaf)} {reason}")
    return roots


def _chain_key(encoded: Sequence[bytes], host: str) -> bytes:
    sizes = ",".join([str(len(each)) for each in encoded])
    return hashlib.sha256(b"".join((f"{host} {sizes} ".encode(), *encoded))).digest()


def _builder(roots: verification.Store, now: datetime) -> verification.PolicyBuilder:
    builder = verification.PolicyBuilder().store(roots).time(now)
    return builder.extension_policies(ca_policy=CA_POLICY, ee_policy=LEAF_POLICY)


def _check_ca_usage(
    policy: verification.Policy, certificate: x509.Certificate, usage: x509.KeyUsage | None
) -> None:
    # RFC 5280 §4.2.1.3: whoever has the extension must be allowed to sign certificates; private authorities often lack it.
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("an issuer of the chain may not sign certificates")


def _time(wall_clock: float) -> datetime:
    return datetime.fromtimestamp(wall_clock, UTC).replace(tzinfo=None)


def _check_validity(certificate: x509.Certificate, now: datetime) -> None:
    after = certificate.not_valid_after_utc.replace(tzinfo=None)
    before = certificate.not_valid_before_utc.replace(tzinfo=None)
    if now > after:
        raise LocalAlert(
            CERTIFICATE_EXPIRED, f"certificate of {_title(certificate)} expired on {after:%Y-%m-%d %H:%M} UTC"
        )
    if now < before:
        raise LocalAlert(
            CERTIFICATE_EXPIRED,
            f"certificate of {_title(certificate)} is not valid before {before:%Y-%m-%d %H:%M} UTC",
        )


def _check_key(leaf: x509.Certificate) -> None:
    # The verifier checks the keys that sign certificates; this is the key that signs the handshake.
    key = leaf.public_key()
    if isinstance(key, RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise LocalAlert(
            BAD_CERTIFICATE, f"certificate of {_title(leaf)} has an RSA key of {key.key_size} bits"
        )


def _check_name(leaf: x509.Certificate, host: str) -> None:
    if matches(leaf, host):
        return
    dns_names, addresses = names_of(leaf)
    names = [*dns_names, *map(str, addresses)]
    listed = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    raise LocalAlert(
        BAD_CERTIFICATE, f"name mismatch: the certificate is for {listed or 'no name'}, not for {host}"
    )


def _explain(
    certificates: Sequence[x509.Certificate], host: str | None, now: datetime, refusal: str
) -> LocalAlert:
    """The alert for a chain that was refused: what a person would look at first."""
    leaf = certificates[0]
    usage = ExtendedKeyUsageOID.CLIENT_AUTH if host is None else ExtendedKeyUsageOID.SERVER_AUTH
    reason = _shorten(refusal)
    try:
        for certificate in certificates:
            _check_validity(certificate, now)
        if host is not None:
            _check_name(leaf, host)
        title = _title_of(leaf.subject)
        if not _allows(leaf, usage):
            return LocalAlert(UNSUPPORTED_CERTIFICATE, f"certificate of {title} is not meant for this use")
        if len(certificates) == 1 and leaf.issuer == leaf.subject:
            return LocalAlert(UNKNOWN_CA, f"self-signed certificate of {title} is not trusted")
        if "candidates exhausted" in refusal:
            issuer = _title_of(certificates[-1].issuer)
            return LocalAlert(UNKNOWN_CA, f"unknown issuer: {issuer} is not trusted ({reason})")
        return LocalAlert(BAD_CERTIFICATE, f"certificate of {title} refused: {reason}")
    except LocalAlert as found:
        return found
    except UNREADABLE as error:
        return LocalAlert(BAD_CERTIFICATE, f"a certificate of the chain cannot be read: {error}")


def _allows(certificate: x509.Certificate, usage: x509.ObjectIdentifier) -> bool:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return usage in usages or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages


def _shorten(refusal: str) -> str:
    # cryptography appends the whole repr of the certificate it was looking at.
    return refusal.partition(" (encountered processing")[0].removeprefix("validation failed: ")


def _title(certificate: x509.Certificate) -> str:
    return _title_of(certificate.subject)


def _title_of(name: x509.Name) -> str:
    return name.rfc4514_string() or "(no subject)"


CA_POLICY: Final = verification.ExtensionPolicy.webpki_defaults_ca().may_be_present(
    x509.KeyUsage, verification.Criticality.AGNOSTIC, _check_ca_usage
)
LEAF_POLICY: Final = verification.ExtensionPolicy.webpki_defaults_ee()
