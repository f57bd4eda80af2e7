"""Verification of a peer's certificate chain.

Chain building, validity, constraints and names are done by ``cryptography.x509.verification``; what it lacks is checked
here. What is said of a refused chain is in ``refusal``. RFC 5280 §6, RFC 8446 §4.4.2.4, RFC 9525.
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
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import verification

from .constants import BAD_CERTIFICATE, UNKNOWN_CA
from .errors import LocalAlert
from .names import address_of
from .refusal import UNREADABLE, check_key, check_name, check_validity, explain, title
from .trust import Roots, SpkiPins, TrustStore

__all__ = ["load_certificates", "verify_client", "verify_server", "warn_unverified"]

LOGGER: Final = logging.getLogger("qtls")

# RFC 8446 sets no limit. Chains in use have up to 5 certificates; each one more costs the verifier time.
MAX_CERTIFICATES: Final = 16
# Chains whose parsed certificates are remembered: connections to one server share them. A message of handshakes has at
# most 64 KiB, so these take 2 MiB where somebody wants them to.
KEPT_CHAINS: Final = 32


def load_certificates(chain: Sequence[bytes]) -> tuple[x509.Certificate, ...]:
    """Parse the certificates of a Certificate message, leaf first.

    Raises:
        LocalAlert: bad_certificate, too many of them or one that cannot be parsed.
    """
    return shared_chain(tuple(chain))[1]


@lru_cache(maxsize=KEPT_CHAINS)  # servers that are dialled again, and again, show the same one
def shared_chain(chain: tuple[bytes, ...]) -> tuple[tuple[bytes, ...], tuple[x509.Certificate, ...]]:
    """Parse as `load_certificates` does; equal chains are one object, as are their certificates."""
    if not chain:
        return (), ()
    if len(chain) > MAX_CERTIFICATES:
        raise LocalAlert(BAD_CERTIFICATE, f"a chain of {len(chain)} certificates")
    try:
        with warnings.catch_warnings():
            # What is odd but can be parsed is judged by the verification.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            return chain, tuple([x509.load_der_x509_certificate(each) for each in chain])
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
    # The same chain comes again and again.
    known = _chain_key(tuple(encoded), host) if isinstance(trust, Roots) else b""
    if isinstance(trust, Roots) and trust.is_verified(known, wall_clock):
        return
    leaf = certificates[0]
    now = _time(wall_clock)
    try:
        if trust.trusts(encoded[0]):
            # The user named this very certificate, so there is no chain to build.
            check_validity(leaf, now)
            check_name(leaf, host)
            return
        roots = _roots_of(trust, leaf)
        address = address_of(host)
        subject: verification.Subject = (
            x509.IPAddress(address) if address is not None else x509.DNSName(host.rstrip("."))
        )
        check_key(leaf)
        path = _builder(roots, now).build_server_verifier(subject).verify(leaf, list(certificates[1:]))
        # The verifier takes a wildcard right below the top: RFC 9525 §6.3 leaves that to us.
        check_name(leaf, host)
        if isinstance(trust, Roots):
            # Of all that was checked only validity changes with time, so the result holds while the whole path is valid.
            start = max([each.not_valid_before_utc for each in path])
            end = min([each.not_valid_after_utc for each in path])
            trust.remember(known, start.timestamp(), end.timestamp())
    except UNREADABLE as error:
        raise explain(certificates, host, now, str(error)) from None


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
            check_validity(certificates[0], now)
            return
        check_key(certificates[0])
        roots = _roots_of(trust, certificates[0])
        _builder(roots, now).build_client_verifier().verify(certificates[0], list(certificates[1:]))
    except UNREADABLE as error:
        raise explain(certificates, None, now, str(error)) from None


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
        raise LocalAlert(UNKNOWN_CA, f"the key of {title(leaf)} {reason}")
    return roots


@lru_cache(maxsize=KEPT_CHAINS)
def _chain_key(encoded: tuple[bytes, ...], host: str) -> bytes:
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


CA_POLICY: Final = verification.ExtensionPolicy.webpki_defaults_ca().may_be_present(
    x509.KeyUsage, verification.Criticality.AGNOSTIC, _check_ca_usage
)
LEAF_POLICY: Final = verification.ExtensionPolicy.webpki_defaults_ee()
