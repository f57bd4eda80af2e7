"""Which certificates are trusted as roots.

Takes certificates as bytes; ``qtls.adapters.trust_store`` finds them on a machine.
"""

from __future__ import annotations

import base64
import hashlib
import warnings
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, Protocol, final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.verification import Store

__all__ = ["Roots", "SpkiPins", "TrustStore", "parse_pem", "roots_from_pem"]

BEGIN = b"-----BEGIN CERTIFICATE-----"
END = b"-----END CERTIFICATE-----"

# Chains remembered as good: some 100 bytes each.
MAX_VERIFIED: Final = 512
# Base64 of 32 bytes.
PIN_SIZE: Final = 44


class TrustStore(Protocol):
    """What verification needs to know of trust."""

    def roots(self) -> Store | None:
        """Trusted roots for building chains, or None when there are none."""
        ...

    def trusts(self, certificate: bytes) -> bool:
        """Whether a certificate (DER) is itself a trusted root."""
        ...


@final
class Roots:
    """A fixed set of roots.

    Raises:
        ValueError: no certificates.
    """

    def __init__(self, certificates: Iterable[x509.Certificate]) -> None:
        kept = list(certificates)
        if not kept:
            raise ValueError("no certificates to trust")
        self._verified: dict[bytes, tuple[float, float]] = {}
        self._store = Store(kept)
        self._encoded = frozenset([each.public_bytes(Encoding.DER) for each in kept])

    def roots(self) -> Store | None:
        """Trusted roots for building chains."""
        return self._store

    def trusts(self, certificate: bytes) -> bool:
        """Whether a certificate (DER) is itself a trusted root."""
        return certificate in self._encoded

    def is_verified(self, key: bytes, wall_clock: float) -> bool:
        """Whether ``remember`` was called with ``key`` for a time that includes ``wall_clock``."""
        start, end = self._verified.get(key, (1.0, 0.0))
        return start <= wall_clock <= end

    def remember(self, key: bytes, start: float, end: float) -> None:
        """Note that a chain was found good under these roots, and that this holds from ``start`` to ``end``."""
        if len(self._verified) >= MAX_VERIFIED:
            self._verified.pop(next(iter(self._verified)), None)
        self._verified[key] = (start, end)

    def __len__(self) -> int:
        return len(self._encoded)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (sorted(self._encoded),)

    def __repr__(self) -> str:
        return f"Roots({len(self._encoded)} certificates)"


@final
class SpkiPins:
    """Trusts leaf certificates by their public key and nothing else: no authority is needed, and none would do.

    ``pins`` are SHA-256 of the SubjectPublicKeyInfo in base64, as ``spki_sha256`` gives them, with or without a prefix
    such as "sha256//". Name and validity are still checked.

    Raises:
        ValueError: no pin, or one that is not 32 bytes in base64.
    """

    def __init__(self, *pins: str) -> None:
        if not pins:
            raise ValueError("no public key is pinned")
        self._pins = frozenset([_parse_pin(pin) for pin in pins])

    def roots(self) -> Store | None:
        """None: a pin is no authority."""
        return None

    def trusts(self, certificate: bytes) -> bool:
        """Whether the key of a certificate (DER) is pinned."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", CryptographyDeprecationWarning)
                key = x509.load_der_x509_certificate(certificate).public_key()
        except (ValueError, UnsupportedAlgorithm):
            return False
        encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(encoded).digest() in self._pins

    def __reduce__(self) -> tuple[Any, ...]:
        return SpkiPins, tuple(sorted([base64.b64encode(pin).decode() for pin in self._pins]))

    def __repr__(self) -> str:
        return f"SpkiPins({len(self._pins)} keys)"


def _parse_pin(pin: str) -> bytes:
    # curl writes sha256//PIN, HTTP's key pinning wrote sha256/PIN.
    text = pin.removeprefix("sha256/")
    if len(text) > PIN_SIZE:  # a pin may begin with a slash itself
        text = text.removeprefix("/")
    try:
        found = base64.b64decode(text, validate=True)
    except ValueError:
        found = b""
    if len(found) != 32:
        raise ValueError(f"{pin!r} is not a SHA-256 in base64")
    return found


def parse_pem(data: bytes) -> list[x509.Certificate]:
    """All certificates of a PEM bundle that can be parsed.

    Bundles of a whole system may hold a certificate that is too odd to parse; it is left out, as it could not be part
    of any chain.
    """
    with warnings.catch_warnings():
        # Old roots break rules that did not exist when they were made; nobody here can do anything about it.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return _parse_pem(data)


def _parse_pem(data: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError:
        found = []
        for part in data.split(BEGIN)[1:]:
            body, end, _ = part.partition(END)
            try:
                found.append(x509.load_pem_x509_certificate(BEGIN + body + end + b"\n"))
            except ValueError:
                continue
        return found


@lru_cache(maxsize=16)
def roots_from_pem(data: bytes) -> Roots:
    """The roots in a PEM bundle, or in one certificate in DER; parsed once per content.

    Raises:
        ValueError: nothing in it is a certificate.
    """
    if BEGIN in data:
        return Roots(parse_pem(data))
    return Roots([x509.load_der_x509_certificate(data)])


def _restore(encoded: list[bytes]) -> Roots:
    return Roots([x509.load_der_x509_certificate(each) for each in encoded])
