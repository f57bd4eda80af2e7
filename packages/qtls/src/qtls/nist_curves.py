"""ECDH on P-256, P-384 and P-521, for who has no X25519.

RFC 8446 §4.2.8.2 and §7.4.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurve,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    derive_private_key,
)

from . import constants
from .constants import ILLEGAL_PARAMETER
from .errors import LocalAlert

__all__ = ["CURVES", "Curve", "point_of"]

Random = Callable[[int], bytes]


@final
class Curve:
    """What is needed to do ECDH on a NIST curve."""

    __slots__ = ("curve", "order", "point_size")

    def __init__(self, curve: EllipticCurve) -> None:
        self.curve = curve
        self.order = curve.group_order
        self.point_size = 1 + 2 * ((curve.key_size + 7) // 8)

    def generate(self, random: Random) -> EllipticCurvePrivateKey:
        # FIPS 186-5 A.2.1: 64 bits more than the order make the bias of the remainder negligible.
        number = int.from_bytes(random((self.order.bit_length() + 64 + 7) // 8), "big")
        return derive_private_key(number % (self.order - 1) + 1, self.curve)

    def share(self, key: EllipticCurvePrivateKey) -> bytes:
        """The public share."""
        return point_of(key.public_key())

    def exchange(self, key: EllipticCurvePrivateKey, peer_share: bytes) -> bytes:
        """The shared secret.

        Raises:
            LocalAlert: illegal_parameter, the share is no point of the curve.
        """
        # RFC 8446 §4.2.8.2: only the uncompressed form.
        if len(peer_share) != self.point_size or peer_share[0] != 4:
            raise LocalAlert(ILLEGAL_PARAMETER, f"{self.curve.name} share of {len(peer_share)} bytes")
        try:
            return key.exchange(ECDH(), EllipticCurvePublicKey.from_encoded_point(self.curve, peer_share))
        except ValueError:
            raise LocalAlert(
                ILLEGAL_PARAMETER, f"{self.curve.name} share is not a point of the curve"
            ) from None


def point_of(key: EllipticCurvePublicKey) -> bytes:
    """A public key as shares carry it: an uncompressed point. RFC 8446 §4.2.8.2."""
    from cryptography.hazmat.primitives.serialization import (  # slow to load, rarely used
        Encoding,
        PublicFormat,
    )

    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


CURVES: Final[dict[int, Curve]] = {
    constants.SECP256R1: Curve(SECP256R1()),
    constants.SECP384R1: Curve(SECP384R1()),
    constants.SECP521R1: Curve(SECP521R1()),
}
