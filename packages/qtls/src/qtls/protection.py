"""Packet protection: sealing, opening, header-protection masks, key updates.

One object per direction and key generation. Ciphers and header-protection contexts are made once and kept.
Packets, packet numbers and when to update belong to the connection. RFC 9001 §5 and §6, RFC 9369 §3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final, final

from cryptography.exceptions import InvalidTag
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
    "TAG_SIZE",
    "Opener",
    "Sealer",
    "SuiteParameters",
    "opener_from_secret",
    "sealer_from_secret",
    "suite_parameters",
]

TAG_SIZE: Final = 16
SAMPLE_SIZE: Final = 16
IV_SIZE: Final = 12
SINGLE_BLOCKS: Final = ECB()
ZEROS: Final = bytes(SAMPLE_SIZE)
# RFC 9001 §5.4.2: the sample starts four bytes behind the start of the packet number.
SAMPLE_OFFSET: Final = 4
# RFC 9001 §5.4.1: what a mask may change in the first byte of a short header.
SHORT_HEADER_BITS: Final = 0x1F
# The part of it that may change in the first byte of a long header.
LONG_HEADER: Final = 0x80
LONG_HEADER_BITS: Final = 0x0F
# A mask of 16 bytes: one for the first byte, four for the packet number, and eleven that nobody needs.
MASKS: Final = Struct(">BI11x")
# Every byte as bytes: cheaper than to make them anew.
BYTES: Final = [bytes((value,)) for value in range(256)]


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


@final
class Sealer:
    """Protects packets in one direction with one generation of keys, RFC 9001 §5.3."""

    __slots__ = ("_aead", "_header", "_iv", "_keys", "confidentiality_limit", "suite")

    def __init__(self, keys: PacketKeys, header: HeaderProtection | None = None) -> None:
        self._keys = keys
        self._header = header or HeaderProtection(keys)
        self._aead: AESGCM | ChaCha20Poly1305 | None = None
        self._iv = 0
        self.suite: int = keys.parameters.suite
        self.confidentiality_limit: int = keys.parameters.confidentiality_limit

    def seal(self, packet_number: int, header: bytes, payload: bytes) -> bytes:
        """Ciphertext of ``payload`` followed by the 16-byte tag; ``header`` is authenticated as it stands."""
        aead = self._aead
        if aead is None:
            aead = self._prepare()
        return aead.encrypt((self._iv ^ packet_number).to_bytes(12, "big"), payload, header)

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing was sealed since `rest`, or ever."""
        return self._aead is None

    def rest(self) -> None:
        """Let go of the contexts of ciphers, since nothing will be sealed for a while; the next packet makes others."""
        self._aead = None
        self._header.rest()

    def protect(self, packet_number: int, number_size: int, header: bytes, payload: bytes) -> bytes:
        """A packet as it leaves. RFC 9001 §5.3, §5.4.

        Args:
            number_size: bytes of the packet number that ends the header.
            header: long or short, without header protection.
            payload: what it protects; with the packet number at least 4 bytes.
        """
        aead = self._aead
        if aead is None:
            aead = self._prepare()
        ciphertext = aead.encrypt((self._iv ^ packet_number).to_bytes(12, "big"), payload, header)
        start = SAMPLE_OFFSET - number_size
        mask = self._header.masks(ciphertext[start : start + SAMPLE_SIZE])
        number_at = len(header) - number_size
        first = header[0]
        bits = LONG_HEADER_BITS if first & LONG_HEADER else SHORT_HEADER_BITS
        masked = BYTES[first ^ mask[0] & bits] + header[1:number_at] + BYTES[header[number_at] ^ mask[1]]
        for index in range(1, number_size):
            masked += BYTES[header[number_at + index] ^ mask[1 + index]]
        return masked + ciphertext

    def protect_run(
        self, first_number: int, number_size: int, headers: Sequence[bytes], payloads: Sequence[bytes]
    ) -> list[bytes]:
        """1-RTT packets as they leave, of which the numbers follow one another. RFC 9001 §5.3, §5.4.

        All their masks are made in one call.

        Args:
            number_size: bytes of the packet number that ends each header.
            headers: short headers without header protection.
            payloads: what they protect; with the packet number at least 4 bytes each.
        """
        aead = self._aead
        if aead is None:
            aead = self._prepare()
        encrypt = aead.encrypt
        iv = self._iv
        number = first_number
        start = SAMPLE_OFFSET - number_size
        stop = start + SAMPLE_SIZE
        sealed: list[bytes] = []
        samples: list[bytes] = []
        for header, payload in zip(headers, payloads, strict=True):
            ciphertext = encrypt((iv ^ number).to_bytes(12, "big"), payload, header)
            sealed.append(ciphertext)
            samples.append(ciphertext[start:stop])
            number += 1
        shift = 32 - 8 * number_size
        bits = (1 << 8 * number_size) - 1
        end = len(headers[0]) - number_size if headers else 0
        number = first_number
        packets: list[bytes] = []
        for (first_mask, number_mask), header, ciphertext in zip(
            MASKS.iter_unpack(self._header.masks(b"".join(samples))), headers, sealed, strict=True
        ):
            packets.append(
                BYTES[header[0] ^ first_mask & SHORT_HEADER_BITS]
                + header[1:end]
                + ((number & bits) ^ number_mask >> shift).to_bytes(number_size, "big")
                + ciphertext
            )
            number += 1
        return packets

    def masks(self, samples: bytes) -> bytes:
        """Header-protection masks of a batch, RFC 9001 §5.4.

        Takes n samples of 16 bytes in one string and returns n times 16 bytes; the first 5 of each 16 are the mask.

        Raises:
            ValueError: the size is not a multiple of 16.
        """
        return self._header.masks(samples)

    def next(self) -> Sealer:
        """The sealer after a key update, RFC 9001 §6.1."""
        return Sealer(self._keys.next(), self._header)

    def _prepare(self) -> AESGCM | ChaCha20Poly1305:
        keys = self._keys
        aead = self._aead = keys.aead()
        self._iv = keys.iv
        return aead

    def __repr__(self) -> str:
        return f"Sealer(suite=0x{self.suite:04x})"


@final
class Opener:
    """Removes packet protection in one direction with one generation of keys, RFC 9001 §5.3."""

    __slots__ = ("_aead", "_header", "_iv", "_keys", "integrity_limit", "suite")

    def __init__(self, keys: PacketKeys, header: HeaderProtection | None = None) -> None:
        self._keys = keys
        self._header = header or HeaderProtection(keys)
        self._aead: AESGCM | ChaCha20Poly1305 | None = None
        self._iv = 0
        self.suite: int = keys.parameters.suite
        self.integrity_limit: int = keys.parameters.integrity_limit

    def open(self, packet_number: int, header: bytes, ciphertext: bytes) -> bytes | None:
        """Payload of ``ciphertext`` (tag included), or None when it does not authenticate."""
        if len(ciphertext) < TAG_SIZE:
            return None
        aead = self._aead
        if aead is None:
            aead = self._prepare()
        try:
            return aead.decrypt((self._iv ^ packet_number).to_bytes(12, "big"), ciphertext, header)
        except InvalidTag:
            return None

    def open_run(
        self,
        packets: Sequence[bytes],
        first_number: int,
        number_at: int,
        masks: bytes,
        checked_bits: int,
        common_bits: int,
    ) -> list[bytes]:
        """Payloads of 1-RTT packets of which the numbers follow one another, up to the first that is different.

        What ends the run is for `unprotect` and `open` to look at: its number is not the next one, its first byte is
        not as expected, or it does not authenticate. RFC 9001 §5.3, §5.4.

        Args:
            packets: datagrams with a short header, at least 20 bytes each from the packet number on.
            first_number: packet number of the first.
            number_at: where the packet number is in each.
            masks: what `masks` gave for them, 16 bytes each.
            checked_bits, common_bits: of the first byte, header protection removed, and what they are in all packets.
        """
        aead = self._aead
        if aead is None:
            aead = self._prepare()
        decrypt = aead.decrypt
        iv = self._iv
        number = first_number
        at = 0
        payloads: list[bytes] = []
        for data in packets:
            first = data[0] ^ masks[at] & SHORT_HEADER_BITS
            if first & checked_bits != common_bits:
                break
            size = (first & 3) + 1
            stop = number_at + size
            if size == 2:  # of bulk transfer
                low = (data[number_at] ^ masks[at + 1]) << 8 | data[number_at + 1] ^ masks[at + 2]
            else:
                mask = int.from_bytes(masks[at + 1 : at + 1 + size], "big")
                low = int.from_bytes(data[number_at:stop], "big") ^ mask
            if low != number & (1 << 8 * size) - 1:
                break
            header = BYTES[first] + data[1:number_at] + low.to_bytes(size, "big")
            try:
                payloads.append(decrypt((iv ^ number).to_bytes(12, "big"), data[stop:], header))
            except InvalidTag:
                break
            number += 1
            at += SAMPLE_SIZE
        return payloads

    def unprotect(self, data: bytes, start: int, number_at: int, mask: bytes = b"") -> bytes:
        """The header of a packet without header protection, packet number included. RFC 9001 §5.4.

        Args:
            data: a datagram, in which the packet starts at `start`, and its packet number at `number_at`.
            mask: the packet's own, if it was made with those of others.

        Raises:
            ValueError: there are fewer than 20 bytes from the packet number on.
        """
        if not mask:
            sample_at = number_at + SAMPLE_OFFSET
            if len(data) < sample_at + SAMPLE_SIZE:
                raise ValueError("too short to be sampled")
            mask = self._header.masks(data[sample_at : sample_at + SAMPLE_SIZE])
        first = data[start]
        first ^= mask[0] & (LONG_HEADER_BITS if first & LONG_HEADER else SHORT_HEADER_BITS)
        header = BYTES[first] + data[start + 1 : number_at] + BYTES[data[number_at] ^ mask[1]]
        more = first & 3
        if more == 1:  # of bulk transfer
            return header + BYTES[data[number_at + 1] ^ mask[2]]
        for index in range(1, more + 1):
            header += BYTES[data[number_at + index] ^ mask[1 + index]]
        return header

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing was opened since `rest`, or ever."""
        return self._aead is None

    def rest(self) -> None:
        """As :meth:`Sealer.rest`."""
        self._aead = None
        self._header.rest()

    def masks(self, samples: bytes) -> bytes:
        """As :meth:`Sealer.masks`."""
        return self._header.masks(samples)

    def next(self) -> Opener:
        """The opener after a key update, RFC 9001 §6.1."""
        return Opener(self._keys.next(), self._header)

    def _prepare(self) -> AESGCM | ChaCha20Poly1305:
        keys = self._keys
        aead = self._aead = keys.aead()
        self._iv = keys.iv
        return aead

    def __repr__(self) -> str:
        return f"Opener(suite=0x{self.suite:04x})"


def sealer_from_secret(suite: int, secret: bytes, quic_version: int) -> Sealer:
    """The sealer of a traffic secret, RFC 9001 §5.1.

    Raises:
        ValueError: unknown suite or QUIC version.
    """
    return Sealer(PacketKeys(suite_parameters(suite), secret, labels_of(quic_version)))


def opener_from_secret(suite: int, secret: bytes, quic_version: int) -> Opener:
    """The opener of a traffic secret, RFC 9001 §5.1.

    Raises:
        ValueError: unknown suite or QUIC version.
    """
    return Opener(PacketKeys(suite_parameters(suite), secret, labels_of(quic_version)))
