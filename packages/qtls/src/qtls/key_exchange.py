"""Key exchange: X25519, P-256, P-384, P-521 and X25519MLKEM768.

Private keys come from the randomness of the configuration, so a seeded client is reproducible. RFC 8446 §4.2.8
and §7.4.2, RFC 7748, draft-ietf-tls-ecdhe-mlkem.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Final, final

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from . import constants
from .constants import ILLEGAL_PARAMETER, X25519, X25519MLKEM768, group_name
from .errors import LocalAlert

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    from .nist_curves import Curve

__all__ = ["IMPLEMENTED", "KeyShares", "respond"]

IMPLEMENTED: Final = (
    X25519MLKEM768,
    X25519,
    constants.SECP256R1,
    constants.SECP384R1,
    constants.SECP521R1,
)

# ML-KEM-768, FIPS 203 table 3; the ML-KEM part is first in both shares and in the secret.
ENCAPSULATION_KEY_SIZE: Final = 1184
CIPHERTEXT_SIZE: Final = 1088
X25519_SIZE: Final = 32

# What has no shares, or none on a curve: nobody may put anything into these.
NO_SHARES: Final[dict[int, bytes]] = {}
NO_CURVE_KEYS: Final[dict[int, EllipticCurvePrivateKey]] = {}

Random = Callable[[int], bytes]


@final
class KeyShares:
    """The client's key shares: made when first asked for, usable until the handshake is over."""

    __slots__ = ("_curves", "_hybrids", "_public", "_random", "_x25519")

    def __init__(self, random: Random) -> None:
        self._random = random
        self._public = NO_SHARES
        self._x25519: X25519PrivateKey | None = None
        self._hybrids: tuple[MLKEM768PrivateKey, X25519PrivateKey] | None = None
        self._curves = NO_CURVE_KEYS

    def release(self) -> None:
        """The handshake is over: let go of the keys."""
        self._public = NO_SHARES
        self._x25519 = self._hybrids = None
        self._curves = NO_CURVE_KEYS

    def public(self, group: int, share_x25519: bool = False) -> bytes:
        """The public share of ``group``; always the same bytes.

        With ``share_x25519`` the X25519 part of X25519MLKEM768 is the key of the X25519 share.

        Raises:
            ValueError: the group is not implemented.
        """
        share = self._public.get(group)
        if share is None:
            share = self._generate(group, share_x25519)
            self._public = {**self._public, group: share}
        return share

    def secret(self, group: int, peer_share: bytes) -> bytes:
        """The shared secret with the server's share.

        Raises:
            LocalAlert: illegal_parameter, for a group without a share or a share that is not valid.
        """
        if group == X25519 and self._x25519 is not None:
            return _exchange_x25519(self._x25519, peer_share)
        if group == X25519MLKEM768 and self._hybrids is not None:
            return self._secret_hybrid(self._hybrids, peer_share)
        key = self._curves.get(group)
        curve = None if key is None else _curve(group)
        if key is None or curve is None:
            raise LocalAlert(ILLEGAL_PARAMETER, f"no key share was made for group {group_name(group)}")
        return curve.exchange(key, peer_share)

    def _generate(self, group: int, share_x25519: bool) -> bytes:
        if group == X25519:
            return self._x25519_key().public_key().public_bytes_raw()
        if group == X25519MLKEM768:
            kem = MLKEM768PrivateKey.from_seed_bytes(self._random(64))
            ecdh = self._x25519_key() if share_x25519 else self._new_x25519()
            self._hybrids = (kem, ecdh)
            return kem.public_key().public_bytes_raw() + ecdh.public_key().public_bytes_raw()
        curve = _curve(group)
        if curve is None:
            raise ValueError(f"group {group_name(group)} is not implemented")
        key = curve.generate(self._random)
        self._curves = {**self._curves, group: key}
        return curve.share(key)

    def _new_x25519(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(self._random(X25519_SIZE))

    def _x25519_key(self) -> X25519PrivateKey:
        if self._x25519 is None:
            self._x25519 = self._new_x25519()
        return self._x25519

    def _secret_hybrid(self, keys: tuple[MLKEM768PrivateKey, X25519PrivateKey], peer_share: bytes) -> bytes:
        if len(peer_share) != CIPHERTEXT_SIZE + X25519_SIZE:
            raise LocalAlert(ILLEGAL_PARAMETER, f"X25519MLKEM768 share of {len(peer_share)} bytes")
        kem, ecdh = keys
        secret = kem.decapsulate(peer_share[:CIPHERTEXT_SIZE])
        return secret + _exchange_x25519(ecdh, peer_share[CIPHERTEXT_SIZE:])

    def __repr__(self) -> str:
        return f"KeyShares({', '.join(map(group_name, self._public))})"


def respond(group: int, peer_share: bytes, random: Random) -> tuple[bytes, bytes]:
    """The server's share and the secret for a client's share.

    ML-KEM encapsulation draws from the system, as FIPS 203 asks.

    Raises:
        LocalAlert: illegal_parameter, the share is not valid for its group.
        ValueError: the group is not implemented.
    """
    if group == X25519:
        key = X25519PrivateKey.from_private_bytes(random(X25519_SIZE))
        return key.public_key().public_bytes_raw(), _exchange_x25519(key, peer_share)
    if group == X25519MLKEM768:
        if len(peer_share) != ENCAPSULATION_KEY_SIZE + X25519_SIZE:
            raise LocalAlert(ILLEGAL_PARAMETER, f"X25519MLKEM768 share of {len(peer_share)} bytes")
        try:
            encapsulation_key = MLKEM768PublicKey.from_public_bytes(peer_share[:ENCAPSULATION_KEY_SIZE])
            secret, ciphertext = encapsulation_key.encapsulate()
        except ValueError:
            raise LocalAlert(ILLEGAL_PARAMETER, "ML-KEM-768 encapsulation key is not valid") from None
        key = X25519PrivateKey.from_private_bytes(random(X25519_SIZE))
        secret += _exchange_x25519(key, peer_share[ENCAPSULATION_KEY_SIZE:])
        return ciphertext + key.public_key().public_bytes_raw(), secret
    curve = _curve(group)
    if curve is None:
        raise ValueError(f"group {group_name(group)} is not implemented")
    curve_key = curve.generate(random)
    return curve.share(curve_key), curve.exchange(curve_key, peer_share)


def _exchange_x25519(key: X25519PrivateKey, peer_share: bytes) -> bytes:
    if len(peer_share) != X25519_SIZE:
        raise LocalAlert(ILLEGAL_PARAMETER, f"X25519 share of {len(peer_share)} bytes")
    try:
        return key.exchange(X25519PublicKey.from_public_bytes(peer_share))
    except ValueError:  # RFC 8446 §7.4.2: an all-zero secret ends the handshake.
        raise LocalAlert(ILLEGAL_PARAMETER, "X25519 share gives an all-zero secret") from None


@cache
def _curve(group: int) -> Curve | None:
    """A NIST curve; they take as long to load as everything else here, and few peers ask for them."""
    from .nist_curves import CURVES

    return CURVES.get(group)
