"""Hybrid public key encryption in base mode, with X25519 or P-256.

Only what an encrypted ClientHello needs: a context that seals or opens several messages with associated data, which
the one-shot interface of ``cryptography`` does not have. RFC 9180 §4 and §5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from .hkdf import expand, extract
from .nist_curves import point_of

__all__ = [
    "AEADS",
    "KDFS",
    "KEMS",
    "TAG_SIZE",
    "Context",
    "generate",
    "public_key_of",
    "setup_receiver",
    "setup_sender",
]

Random: TypeAlias = Callable[[int], bytes]
Aead: TypeAlias = type[AESGCM] | type[ChaCha20Poly1305]

# RFC 9180 §7: KEMs, both with HKDF-SHA256, and the size of their public keys; HKDFs by hash; AEADs and key sizes.
KEM_P256: Final = 0x0010
KEM_X25519: Final = 0x0020
KEMS: Final[dict[int, int]] = {KEM_X25519: 32, KEM_P256: 65}
KDFS: Final[dict[int, str]] = {1: "sha256", 2: "sha384", 3: "sha512"}
AEADS: Final[dict[int, tuple[Aead, int]]] = {1: (AESGCM, 16), 2: (AESGCM, 32), 3: (ChaCha20Poly1305, 32)}

TAG_SIZE: Final = 16
NONCE_SIZE: Final = 12
SECRET_SIZE: Final = 32
MODE_BASE: Final = b"\0"


@final
class Context:
    """One direction of an exchange; every message has its own sequence number. RFC 9180 §5.2."""

    __slots__ = ("_aead", "_base_nonce", "_sequence")

    def __init__(self, aead: AESGCM | ChaCha20Poly1305, base_nonce: bytes) -> None:
        self._aead = aead
        self._base_nonce = int.from_bytes(base_nonce, "big")
        self._sequence = 0

    def seal(self, associated_data: bytes, plain: bytes) -> bytes:
        """The ciphertext of the next message, with its 16-byte tag."""
        sealed = self._aead.encrypt(self._nonce(), plain, associated_data)
        self._sequence += 1
        return sealed

    def open(self, associated_data: bytes, sealed: bytes) -> bytes | None:
        """The next message, or None if it does not authenticate; the sequence then stays where it is."""
        if len(sealed) < TAG_SIZE:
            return None
        try:
            plain = self._aead.decrypt(self._nonce(), sealed, associated_data)
        except InvalidTag:
            return None
        self._sequence += 1
        return plain

    def _nonce(self) -> bytes:
        return (self._base_nonce ^ self._sequence).to_bytes(NONCE_SIZE, "big")

    def __repr__(self) -> str:
        return f"Context(sequence={self._sequence})"


def generate(kem: int, random: Random) -> bytes:
    """A private key, 32 bytes.

    Raises:
        ValueError: a KEM that is not in ``KEMS``.
    """
    if kem == KEM_X25519:
        return random(32)
    if kem != KEM_P256:
        raise ValueError(f"HPKE with KEM {kem} is not implemented")
    # FIPS 186-5 A.2.1: with 64 bits more than the order, the remainder has no bias that matters.
    order = ec.SECP256R1.group_order
    return (int.from_bytes(random(40), "big") % (order - 1) + 1).to_bytes(32, "big")


def public_key_of(kem: int, private_key: bytes) -> bytes:
    """The public key that belongs to a private key.

    Raises:
        ValueError: not a private key of this KEM.
    """
    if kem == KEM_X25519:
        return X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()
    public = _p256(private_key).public_key()
    return point_of(public)


def setup_sender(
    kem: int, public_key: bytes, info: bytes, kdf: int, aead: int, random: Random
) -> tuple[bytes, Context]:
    """The encapsulated key and the context to seal with, RFC 9180 §5.1.1.

    Raises:
        ValueError: a public key that is not valid, or algorithms that are not in ``KEMS``, ``KDFS`` and ``AEADS``.
    """
    ephemeral = generate(kem, random)
    enc = public_key_of(kem, ephemeral)
    shared = _exchange(kem, ephemeral, public_key)
    return enc, _schedule(kem, _kem_secret(kem, shared, enc, public_key), info, kdf, aead)


def setup_receiver(kem: int, private_key: bytes, enc: bytes, info: bytes, kdf: int, aead: int) -> Context:
    """The context to open with, RFC 9180 §5.1.1.

    Raises:
        ValueError: an encapsulated key that is not valid, or algorithms that are not implemented.
    """
    shared = _exchange(kem, private_key, enc)
    return _schedule(kem, _kem_secret(kem, shared, enc, public_key_of(kem, private_key)), info, kdf, aead)


def _p256(private_key: bytes) -> ec.EllipticCurvePrivateKey:
    if len(private_key) != 32:
        raise ValueError("a private key of P-256 has 32 bytes")
    return ec.derive_private_key(int.from_bytes(private_key, "big"), ec.SECP256R1())


def _exchange(kem: int, private_key: bytes, public_key: bytes) -> bytes:
    """DH of RFC 9180 §4.1; a result of zeros is an error (§7.1.4)."""
    if len(public_key) != KEMS.get(kem):
        raise ValueError(f"HPKE public key of {len(public_key)} bytes")
    if kem == KEM_X25519:
        own = X25519PrivateKey.from_private_bytes(private_key)
        return own.exchange(X25519PublicKey.from_public_bytes(public_key))
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
    return _p256(private_key).exchange(ec.ECDH(), point)


def _kem_secret(kem: int, shared: bytes, enc: bytes, public_key: bytes) -> bytes:
    """ExtractAndExpand, RFC 9180 §4.1."""
    suite = b"KEM" + kem.to_bytes(2, "big")
    extracted = _extract("sha256", suite, b"", b"eae_prk", shared)
    return _expand("sha256", suite, extracted, b"shared_secret", enc + public_key, SECRET_SIZE)


def _schedule(kem: int, shared_secret: bytes, info: bytes, kdf: int, aead: int) -> Context:
    """KeySchedule without a PSK, RFC 9180 §5.1."""
    if kdf not in KDFS or aead not in AEADS:
        raise ValueError(f"HPKE with KDF {kdf} and AEAD {aead} is not implemented")
    name = KDFS[kdf]
    algorithm, key_size = AEADS[aead]
    suite = b"HPKE" + b"".join([number.to_bytes(2, "big") for number in (kem, kdf, aead)])
    psk_id_hash = _extract(name, suite, b"", b"psk_id_hash", b"")
    info_hash = _extract(name, suite, b"", b"info_hash", info)
    context = MODE_BASE + psk_id_hash + info_hash
    secret = _extract(name, suite, shared_secret, b"secret", b"")
    key = _expand(name, suite, secret, b"key", context, key_size)
    return Context(algorithm(key), _expand(name, suite, secret, b"base_nonce", context, NONCE_SIZE))


def _extract(hash_name: str, suite: bytes, salt: bytes, label: bytes, key_material: bytes) -> bytes:
    """LabeledExtract, RFC 9180 §4."""
    return extract(hash_name, salt, b"HPKE-v1" + suite + label + key_material)


def _expand(hash_name: str, suite: bytes, secret: bytes, label: bytes, info: bytes, size: int) -> bytes:
    """LabeledExpand, RFC 9180 §4."""
    return expand(hash_name, secret, size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, size)
