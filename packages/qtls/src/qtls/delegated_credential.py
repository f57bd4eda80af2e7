"""Delegated credentials: a short-lived key that a certificate vouches for.

Offered by Firefox; a server that answers with one signs its CertificateVerify with it. RFC 9345.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from .codec import Reader
from .constants import BAD_CERTIFICATE, ILLEGAL_PARAMETER
from .errors import LocalAlert
from .signatures import check

__all__ = ["DelegatedCredential", "parse_credential"]

CONTEXT: Final = b"TLS, server delegated credentials"
DELEGATION_USAGE: Final = x509.ObjectIdentifier("1.3.6.1.4.1.44363.44")
# RFC 9345 §4.1.3: no credential lives longer than 7 days.
MAX_VALIDITY: Final = 604_800.0


@final
class DelegatedCredential:
    """One parsed credential; ``scheme`` is the only one its key may sign with."""

    __slots__ = ("_algorithm", "_encoded", "_key", "_signature", "_valid_time", "scheme")

    def __init__(
        self, encoded: bytes, valid_time: int, scheme: int, key: bytes, algorithm: int, signature: bytes
    ) -> None:
        self._encoded = encoded
        self._valid_time = valid_time
        self.scheme = scheme
        self._key = key
        self._algorithm = algorithm
        self._signature = signature

    def check(
        self,
        leaf: x509.Certificate,
        encoded_leaf: bytes,
        leaf_key: CertificatePublicKeyTypes,
        schemes: Iterable[int],
        wall_clock: float,
    ) -> None:
        """Check that ``leaf`` vouches for this credential at ``wall_clock``, RFC 9345 §4.1.3.

        Raises:
            LocalAlert: illegal_parameter, or decrypt_error for the signature.
        """
        try:
            end = leaf.not_valid_before_utc.timestamp() + self._valid_time
            last = min(wall_clock + MAX_VALIDITY, leaf.not_valid_after_utc.timestamp())
        except ValueError:
            raise LocalAlert(BAD_CERTIFICATE, "the certificate's validity cannot be read") from None
        if not wall_clock < end <= last:
            raise LocalAlert(ILLEGAL_PARAMETER, "delegated credential is not valid now, or for too long")
        if not _may_delegate(leaf):
            raise LocalAlert(ILLEGAL_PARAMETER, "the certificate may not delegate")
        if self._algorithm not in tuple(schemes):
            raise LocalAlert(ILLEGAL_PARAMETER, f"credential signed with scheme 0x{self._algorithm:04x}")
        content = b" " * 64 + CONTEXT + b"\0" + encoded_leaf + self._encoded
        check(self._algorithm, leaf_key, self._signature, content)

    def public_key(self) -> CertificatePublicKeyTypes:
        """The key that signs the CertificateVerify.

        Raises:
            LocalAlert: illegal_parameter, it cannot be parsed.
        """
        try:
            key: Any = load_der_public_key(self._key)
        except (ValueError, UnsupportedAlgorithm):
            raise LocalAlert(ILLEGAL_PARAMETER, "the credential's public key cannot be used") from None
        found: CertificatePublicKeyTypes = key
        return found


def parse_credential(body: bytes) -> DelegatedCredential:
    """The credential in a certificate entry's delegated_credential extension, RFC 9345 §4.

    Raises:
        DecodeError: malformed.
    """
    reader = Reader(body)
    valid_time = reader.read_uint32()
    scheme = reader.read_uint16()
    key = reader.read_vector24()
    algorithm = reader.read_uint16()
    encoded = body[: reader.position]
    signature = reader.read_vector16()
    reader.expect_end("delegated_credential")
    return DelegatedCredential(encoded, valid_time, scheme, key, algorithm, signature)


def _may_delegate(leaf: x509.Certificate) -> bool:
    """RFC 9345 §4.2: the DelegationUsage extension and digitalSignature."""
    try:
        leaf.extensions.get_extension_for_oid(DELEGATION_USAGE)
        return leaf.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False
