"""Integrity tag of Retry packets.

Usable alone: the key is fixed by the version. RFC 9001 §5.8, RFC 9369 §3.3.3.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .constants import QUIC_VERSION_1, QUIC_VERSION_2

# Key and nonce by version.
KEYS: Final[dict[int, tuple[bytes, bytes]]] = {
    QUIC_VERSION_1: (
        bytes.fromhex("be0c690b9f66575a1d766b54e368c84e"),
        bytes.fromhex("461599d35d632bf2239825bb"),
    ),
    QUIC_VERSION_2: (
        bytes.fromhex("8fb4b01b56ac48e260fbcbcead7ccc92"),
        bytes.fromhex("d86969bc2d7c6d9990efb04a"),
    ),
}


def integrity_tag(retry_without_tag: bytes, original_destination_cid: bytes, version: int) -> bytes:
    """The 16 bytes that end a Retry packet.

    ``original_destination_cid`` is that of the Initial packet the Retry answers.

    Raises:
        ValueError: a version whose key is not known.
    """
    found = KEYS.get(version)
    if found is None:
        raise ValueError(f"QUIC version 0x{version:08x} has no known Retry key")
    key, nonce = found
    prefix = bytes((len(original_destination_cid),)) + original_destination_cid
    return _aead(key).encrypt(nonce, b"", prefix + retry_without_tag)


@cache
def _aead(key: bytes) -> AESGCM:
    return AESGCM(key)
