"""Why a chain of certificates was refused: the alert and a text that names what failed.

The verifier of ``cryptography`` says what it could not accept last; here the chain is looked at again as a person would.
RFC 5280 §6, RFC 8446 §6.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from .constants import BAD_CERTIFICATE, CERTIFICATE_EXPIRED, UNKNOWN_CA, UNSUPPORTED_CERTIFICATE
from .errors import LocalAlert
from .names import matches, names_of

__all__ = ["UNREADABLE", "check_key", "check_name", "check_validity", "explain", "title"]

# CA/Browser Forum Baseline Requirements §6.1.5.
MIN_RSA_BITS: Final = 2048
CURVES: Final = frozenset(("secp256r1", "secp384r1", "secp521r1"))
WEAK_HASHES: Final = frozenset(("md5", "sha1", "sha224"))

# What refused or unreadable certificates raise: their fields are parsed when first looked at.
UNREADABLE: Final = (
    verification.VerificationError,
    ValueError,
    TypeError,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    UnsupportedAlgorithm,
)

Path: TypeAlias = Sequence[x509.Certificate]


def check_validity(certificate: x509.Certificate, now: datetime) -> None:
    """Refuse a certificate outside its time; ``now`` is UTC without a zone.

    Raises:
        LocalAlert: certificate_expired.
    """
    after = certificate.not_valid_after_utc.replace(tzinfo=None)
    before = certificate.not_valid_before_utc.replace(tzinfo=None)
    if now > after:
        raise LocalAlert(
            CERTIFICATE_EXPIRED, f"certificate of {title(certificate)} expired on {after:%Y-%m-%d %H:%M} UTC"
        )
    if now < before:
        raise LocalAlert(
            CERTIFICATE_EXPIRED,
            f"certificate of {title(certificate)} is not valid before {before:%Y-%m-%d %H:%M} UTC",
        )


def check_key(leaf: x509.Certificate) -> None:
    """Refuse a leaf whose key is weak, or cannot or must not sign a handshake. RFC 8446 §4.4.2.2.

    Raises:
        LocalAlert: bad_certificate or unsupported_certificate.
    """
    key = leaf.public_key()
    weakness = _weakness_of_key(leaf)
    if weakness is not None:
        raise LocalAlert(BAD_CERTIFICATE, f"certificate of {title(leaf)} {weakness}")
    if isinstance(key, ec.EllipticCurvePublicKey):
        usable = key.curve.name in CURVES
    else:
        usable = isinstance(key, rsa.RSAPublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey)
    if not usable:
        raise LocalAlert(
            UNSUPPORTED_CERTIFICATE, f"certificate of {title(leaf)} has a key that TLS 1.3 cannot use"
        )
    usage = _key_usage(leaf)
    if usage is not None and not usage.digital_signature:
        raise LocalAlert(
            UNSUPPORTED_CERTIFICATE, f"certificate of {title(leaf)} has a key that may not sign (key usage)"
        )


def check_name(leaf: x509.Certificate, host: str) -> None:
    """Refuse a leaf that is not for ``host``.

    Raises:
        LocalAlert: bad_certificate.
    """
    if matches(leaf, host):
        return
    dns_names, addresses = names_of(leaf)
    names = [*dns_names, *map(str, addresses)]
    listed = _printable(", ".join(names[:5])) + (", ..." if len(names) > 5 else "")
    raise LocalAlert(
        BAD_CERTIFICATE, f"name mismatch: the certificate is for {listed or 'no name'}, not for {host}"
    )


def explain(certificates: Path, host: str | None, now: datetime, refusal: str) -> LocalAlert:
    """The alert for a chain that was refused; ``host`` is None for a client's, ``refusal`` what the verifier said."""
    try:
        path = _path(certificates)
        for certificate in path:
            check_validity(certificate, now)
        check_key(path[0])
        for certificate in path:
            # To read what was not read yet: a name that is not found may be one that cannot be read.
            len(certificate.extensions)
        if host is not None:
            check_name(path[0], host)
        return _explain_path(path, host is None, _shorten(refusal))
    except LocalAlert as found:
        return found
    except UNREADABLE as error:
        return LocalAlert(
            BAD_CERTIFICATE, f"a certificate of the chain cannot be read: {_shorten(str(error))}"
        )


def title(certificate: x509.Certificate) -> str:
    """The subject of a certificate, for messages."""
    return _title_of(certificate.subject)


def _explain_path(path: Path, is_client: bool, reason: str) -> LocalAlert:
    leaf, top = path[0], path[-1]
    usage = ExtendedKeyUsageOID.CLIENT_AUTH if is_client else ExtendedKeyUsageOID.SERVER_AUTH
    if not _allows(leaf, usage):
        return LocalAlert(
            UNSUPPORTED_CERTIFICATE,
            f"certificate of {title(leaf)} is not meant for this use (extended key usage)",
        )
    # The verifier follows a self-signed authority that was sent along to itself, until it has enough.
    if "no interior errors" in reason or ("max depth" in reason and top.issuer == top.subject):
        if len(path) == 1 and leaf.issuer == leaf.subject:
            return LocalAlert(UNKNOWN_CA, f"self-signed certificate of {title(leaf)} is not trusted")
        return LocalAlert(UNKNOWN_CA, f"unknown issuer: {_title_of(top.issuer)} is not trusted")
    for fragment, alert, look in FINDINGS:
        if fragment not in reason:
            continue
        for position in range(len(path)):
            found = look(path, position)
            if found is not None:
                return LocalAlert(alert, f"certificate of {title(path[position])} {found}")
    if "signature does not match" in reason:
        # All signatures among these are right, so it is the one by a root of the same name as a trusted one.
        text = f"unknown issuer: {_title_of(top.issuer)} is not trusted, though another of that name is"
        return LocalAlert(UNKNOWN_CA, text)
    return LocalAlert(BAD_CERTIFICATE, f"certificate of {title(leaf)} refused: {reason}")


# Each looks at one certificate of a path, leaf first, and says what is wrong with it.


def _wrong_signature(path: Path, position: int) -> str | None:
    if position + 1 == len(path):
        return None
    try:
        path[position].verify_directly_issued_by(path[position + 1])
    except (InvalidSignature, *UNREADABLE):
        return f"has a wrong signature: it was not made by the {title(path[position + 1])} that was sent"
    return None


def _weak_signature(path: Path, position: int) -> str | None:
    algorithm = path[position].signature_hash_algorithm
    if algorithm is None or algorithm.name not in WEAK_HASHES:
        return None
    return f"is signed with a weak algorithm ({algorithm.name})"


def _weak_key(path: Path, position: int) -> str | None:
    return _weakness_of_key(path[position])


def _no_authority(path: Path, position: int) -> str | None:
    if position == 0 or _is_authority(path[position]):
        return None
    return f"is not that of an authority, but it issued that of {title(path[position - 1])}"


def _may_not_sign(path: Path, position: int) -> str | None:
    usage = _key_usage(path[position])
    if position == 0 or usage is None or usage.key_cert_sign:
        return None
    return "is that of an authority that may not sign certificates (key usage)"


def _other_purpose(path: Path, position: int) -> str | None:
    try:
        path[position].extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return None
    return "is that of an authority that is not meant for this use (extended key usage)" if position else None


def _path_too_long(path: Path, position: int) -> str | None:
    if position == 0:
        return None
    limit = path[position].extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    if limit is None or position - 1 <= limit:
        return None
    return f"permits a path length of {limit}, but {position - 1} authorities are below it"


def _constrains_names(path: Path, position: int) -> str | None:
    try:
        path[position].extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        return None
    return f"has name constraints that do not allow the names of {title(path[0])}"


FINDINGS: Final[tuple[tuple[str, int, Callable[[Path, int], str | None]], ...]] = (
    ("signature does not match", BAD_CERTIFICATE, _wrong_signature),
    ("signature algorithm", BAD_CERTIFICATE, _weak_signature),
    ("too weak", BAD_CERTIFICATE, _weak_key),
    ("basicConstraints", BAD_CERTIFICATE, _no_authority),
    ("may not sign", BAD_CERTIFICATE, _may_not_sign),
    ("EKU", UNSUPPORTED_CERTIFICATE, _other_purpose),
    ("path length", BAD_CERTIFICATE, _path_too_long),
    ("name constraint", BAD_CERTIFICATE, _constrains_names),
)


def _path(certificates: Path) -> Path:
    """The leaf and those above it as far as they were sent: a server may send others, in any order."""
    path = [certificates[0]]
    while path[-1].issuer != path[-1].subject:
        above = next((each for each in certificates[1:] if each.subject == path[-1].issuer), None)
        if above is None or above in path:
            break
        path.append(above)
    return path


def _weakness_of_key(certificate: x509.Certificate) -> str | None:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        return f"has an RSA key of {key.key_size} bits"
    return None


def _key_usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _allows(certificate: x509.Certificate, usage: x509.ObjectIdentifier) -> bool:
    try:
        return usage in certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True


def _shorten(refusal: str) -> str:
    # cryptography appends the whole repr of the certificate it was looking at, and reprs of algorithms.
    text = refusal.partition(" (encountered processing")[0].partition(": AlgorithmIdentifier")[0]
    return text.removeprefix("validation failed: ").removeprefix("candidates exhausted: ").replace("\n", " ")


def _title_of(name: x509.Name) -> str:
    return _printable(name.rfc4514_string()) or "(no subject)"


def _printable(text: str) -> str:
    # What a peer wrote goes into logs and terminals.
    return "".join([each if each.isprintable() else "?" for each in text])
