"""Keys of packet protection: what a cipher suite means, what is derived from a traffic secret, header-protection masks.

Keys are derived for the first packet, and what is made of them can be let go. RFC 9001 §5 and §6.1, RFC 9369 §3.3.
"""

from __future__ import annotations

from typing import Final, final

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES, ChaCha20
from cryptography.hazmat.primitives.ciphers.modes import ECB

from .constants import (
    AES_128_GCM_SHA256,
    AES_256_GCM_SHA384,
    CHACHA20_POLY1305_SHA256,
    QUIC_VERSION_1,
    QUIC_VERSION_2,
)
from .hkdf import label_info
from .mac import MacKey, mac

__all__ = [
    "SAMPLE_SIZE",
    "SUITES",
    "HeaderProtection",
    "PacketKeys",
    "SuiteParameters",
    "labels_of",
    "suite_parameters",
]

SAMPLE_SIZE: Final = 16
IV_SIZE: Final = 12
SINGLE_BLOCKS: Final = ECB()
ZEROS: Final = bytes(SAMPLE_SIZE)


@final
class SuiteParameters:
    """Hash, key size and usage limits of a cipher suite."""

    __slots__ = (
        "confidentiality_limit",
        "hash_name",
        "hash_size",
        "integrity_limit",
        "is_aes",
        "key_size",
        "suite",
    )

    def __init__(
        self,
        suite: int,
        hash_name: str,
        hash_size: int,
        key_size: int,
        is_aes: bool,
        confidentiality_limit: int,
        integrity_limit: int,
    ) -> None:
        self.suite = suite
        self.hash_name = hash_name
        self.hash_size = hash_size
        self.key_size = key_size
        self.is_aes = is_aes
        self.confidentiality_limit = confidentiality_limit
        self.integrity_limit = integrity_limit


# Limits: RFC 9001 §6.6. ChaCha20-Poly1305 has no confidentiality limit below the number of packets there can be.
SUITES: Final[dict[int, SuiteParameters]] = {
    AES_128_GCM_SHA256: SuiteParameters(AES_128_GCM_SHA256, "sha256", 32, 16, True, 1 << 23, 1 << 52),
    AES_256_GCM_SHA384: SuiteParameters(AES_256_GCM_SHA384, "sha384", 48, 32, True, 1 << 23, 1 << 52),
    CHACHA20_POLY1305_SHA256: SuiteParameters(
        CHACHA20_POLY1305_SHA256, "sha256", 32, 32, False, 1 << 62, 1 << 36
    ),
}


def suite_parameters(suite: int) -> SuiteParameters:
    """What a cipher suite means.

    Raises:
        ValueError: not one of the three suites of QUIC version 1.
    """
    found = SUITES.get(suite)
    if found is None:
        raise ValueError(f"cipher suite 0x{suite:04x} is not implemented")
    return found


@final
class Labels:
    """HkdfLabel structures of one QUIC version, by the size of what they make, as HKDF-Expand takes them."""

    __slots__ = ("header_16", "header_32", "iv", "key_16", "key_32", "update_32", "update_48")

    def __init__(self, prefix: bytes) -> None:
        self.key_16 = only_block(prefix + b" key", 16)
        self.key_32 = only_block(prefix + b" key", 32)
        self.iv = only_block(prefix + b" iv", IV_SIZE)
        self.header_16 = only_block(prefix + b" hp", 16)
        self.header_32 = only_block(prefix + b" hp", 32)
        self.update_32 = only_block(prefix + b" ku", 32)
        self.update_48 = only_block(prefix + b" ku", 48)


def only_block(label: bytes, size: int) -> bytes:
    """What HKDF-Expand-Label hashes for at most one block. RFC 5869 §2.3."""
    return label_info(label, b"", size) + b"\x01"


# RFC 9001 §5.1 and §6.1, RFC 9369 §3.3.2.
LABELS: Final[dict[int, Labels]] = {QUIC_VERSION_1: Labels(b"quic"), QUIC_VERSION_2: Labels(b"quicv2")}


def labels_of(quic_version: int) -> Labels:
    found = LABELS.get(quic_version)
    if found is None:
        raise ValueError(f"QUIC version 0x{quic_version:08x} has no known key derivation")
    return found


@final
class PacketKeys:
    """One traffic secret and what is derived from it, all at once, for the first packet.

    Not when the secret becomes known: then the peer waits for what is sent under keys that were there before.
    """

    __slots__ = ("_fresh", "_fresh_header_key", "iv", "labels", "parameters", "secret")

    def __init__(self, parameters: SuiteParameters, secret: bytes, labels: Labels) -> None:
        self.parameters = parameters
        self.secret = secret
        self.labels = labels
        self.iv = -1
        self._fresh_header_key = b""
        self._fresh: AESGCM | ChaCha20Poly1305 | None = None

    def aead(self) -> AESGCM | ChaCha20Poly1305:
        """A context of the AEAD, which takes 2.6 KB. Not kept here; `iv` is known then."""
        if self.iv < 0:
            self._derive()
        fresh = self._fresh
        self._fresh = None
        return fresh or self._make_aead(MacKey(self.parameters.hash_name, self.secret))

    def header_key(self) -> bytes:
        """The key of header protection. Not kept here."""
        if self.iv < 0:
            self._derive()
        fresh = self._fresh_header_key
        self._fresh_header_key = b""
        return fresh or self._make_header_key(MacKey(self.parameters.hash_name, self.secret))

    def _derive(self) -> None:
        """RFC 9001 §5.1; the secret is set up once as a key of HMAC."""
        secret = MacKey(self.parameters.hash_name, self.secret)
        self.iv = int.from_bytes(secret.digest(self.labels.iv)[:IV_SIZE], "big")
        self._fresh_header_key = self._make_header_key(secret)
        self._fresh = self._make_aead(secret)

    def _make_aead(self, secret: MacKey) -> AESGCM | ChaCha20Poly1305:
        size = self.parameters.key_size
        key = secret.digest(self.labels.key_32 if size == 32 else self.labels.key_16)[:size]
        return AESGCM(key) if self.parameters.is_aes else ChaCha20Poly1305(key)

    def _make_header_key(self, secret: MacKey) -> bytes:
        size = self.parameters.key_size
        return secret.digest(self.labels.header_32 if size == 32 else self.labels.header_16)[:size]

    def next(self) -> PacketKeys:
        """Keys of the next generation, of which that of header protection is not used. RFC 9001 §6.1."""
        size = self.parameters.hash_size
        info = self.labels.update_48 if size == 48 else self.labels.update_32
        return PacketKeys(self.parameters, mac(self.parameters.hash_name, self.secret, info), self.labels)


@final
class SingleBlocks(Cipher[ECB]):
    """AES without a mode, as header protection uses it. RFC 9001 §5.4.3.

    `Cipher` asks of each key anew what holds for all of these.
    """

    def __init__(self, key: bytes) -> None:
        self.algorithm = AES(key)
        self.mode = SINGLE_BLOCKS


@final
class HeaderProtection:
    """Makes header-protection masks, RFC 9001 §5.4. Lives through key updates."""

    __slots__ = ("_cipher", "_is_aes", "_key", "_keys")

    def __init__(self, keys: PacketKeys) -> None:
        self._is_aes = keys.parameters.is_aes
        self._keys: PacketKeys | None = keys  # until the first mask
        self._key = b""
        self._cipher: CipherContext | None = None

    def rest(self) -> None:
        """Let go of the cipher's context; the next mask makes another."""
        self._cipher = None

    def masks(self, samples: bytes) -> bytes:
        if len(samples) & 15:
            raise ValueError("samples are 16 bytes each")
        cipher = self._cipher
        if cipher is None:
            cipher = self._cipher = self._make()
        if self._is_aes:
            return cipher.update(samples)
        if len(samples) == SAMPLE_SIZE:
            return self._chacha_mask(cipher, samples)
        # RFC 9001 §5.4.4: the sample is block counter and nonce, so there is no run of blocks to share.
        return b"".join(
            [
                self._chacha_mask(cipher, samples[start : start + SAMPLE_SIZE])
                for start in range(0, len(samples), SAMPLE_SIZE)
            ]
        )

    def _make(self) -> CipherContext:
        keys = self._keys
        if keys is not None:
            self._key = keys.header_key()
            self._keys = None
        return (
            SingleBlocks(self._key).encryptor()
            if self._is_aes
            else Cipher(ChaCha20(self._key, ZEROS), None).encryptor()
        )

    def _chacha_mask(self, cipher: CipherContext, sample: bytes) -> bytes:
        cipher.reset_nonce(sample)
        return cipher.update(ZEROS)
