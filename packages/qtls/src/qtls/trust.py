"""Which certificates are trusted as roots.

Takes certificates as bytes; ``qtls.adapters.trust_store`` finds them on a machine.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, Protocol, final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.verification import Store

__all__ = ["Roots", "TrustStore", "parse_pem", "roots_from_pem"]

BEGIN = b"-----BEGIN CERTIFICATE-----"
END = b"-----END CERTIFICATE-----"

# Chains remembered as good: some 100 bytes each.
MAX_VERIFIED: Final = 512


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
