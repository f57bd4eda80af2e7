"""Packet protection: sealing, opening, header protection, key updates.

One object per direction and key generation. Ciphers and header-protection contexts are made once and kept.
Packets, packet numbers and when to update belong to the connection. RFC 9001 §5 and §6, RFC 9369 §3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from .packet_keys import (
    SAMPLE_SIZE,
    HeaderProtection,
    PacketKeys,
    SuiteParameters,
    labels_of,
    suite_parameters,
)

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


class Direction:
    """What sealing and opening have in common: one direction with one generation of keys, and its contexts."""

    __slots__ = ("_aead", "_header", "_iv", "_keys", "suite")

    def __init__(self, keys: PacketKeys, header: HeaderProtection | None = None) -> None:
        self._keys = keys
        self._header = header or HeaderProtection(keys)
        self._aead: AESGCM | ChaCha20Poly1305 | None = None
        self._iv = 0
        self.suite: int = keys.parameters.suite

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing was sealed or opened since `rest`, or ever."""
        return self._aead is None

    def rest(self) -> None:
        """Let go of the contexts of ciphers, since nothing will come for a while; the next packet makes others."""
        self._aead = None
        self._header.rest()

    def masks(self, samples: bytes) -> bytes:
        """Header-protection masks of a batch, RFC 9001 §5.4.

        Takes n samples of 16 bytes in one string and returns n times 16 bytes; the first 5 of each 16 are the mask.

        Raises:
            ValueError: the size is not a multiple of 16.
        """
        return self._header.masks(samples)

    def _prepare(self) -> AESGCM | ChaCha20Poly1305:
        keys = self._keys
        aead = self._aead = keys.aead()
        self._iv = keys.iv
        return aead

    def __repr__(self) -> str:
        return f"{type(self).__name__}(suite=0x{self.suite:04x})"


@final
class Sealer(Direction):
    """Protects packets in one direction with one generation of keys, RFC 9001 §5.3."""

    __slots__ = ("confidentiality_limit",)

    def __init__(self, keys: PacketKeys, header: HeaderProtection | None = None) -> None:
        super().__init__(keys, header)
        self.confidentiality_limit: int = keys.parameters.confidentiality_limit

    def seal(self, packet_number: int, header: bytes, payload: bytes) -> bytes:
        """Ciphertext of ``payload`` followed by the 16-byte tag; ``header`` is authenticated as it stands."""
        aead = self._aead
        if aead is None:
            aead = self._prepare()
        return aead.encrypt((self._iv ^ packet_number).to_bytes(12, "big"), payload, header)

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

    def next(self) -> Sealer:
        """The sealer after a key update, RFC 9001 §6.1."""
        return Sealer(self._keys.next(), self._header)


@final
class Opener(Direction):
    """Removes packet protection in one direction with one generation of keys, RFC 9001 §5.3."""

    __slots__ = ("integrity_limit",)

    def __init__(self, keys: PacketKeys, header: HeaderProtection | None = None) -> None:
        super().__init__(keys, header)
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

    def next(self) -> Opener:
        """The opener after a key update, RFC 9001 §6.1."""
        return Opener(self._keys.next(), self._header)


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
