"""AES-128-GCM under keys that each seal one thing, so that the nonce may be a constant. RFC 5116 §3.1."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["KEY_SIZE", "TAG_SIZE", "open_once", "seal_once"]

KEY_SIZE: Final = 16
TAG_SIZE: Final = 16
NONCE: Final = bytes(12)


def seal_once(key: bytes, content: bytes, associated: bytes) -> bytes:
    """The ciphertext of ``content`` with its tag; ``associated`` is authenticated. The key must never come again."""
    return AESGCM(key).encrypt(NONCE, content, associated)


def open_once(key: bytes, ciphertext: bytes, associated: bytes) -> bytes | None:
    """What was sealed, or None when it does not authenticate."""
    if len(ciphertext) < TAG_SIZE:
        return None
    try:
        return AESGCM(key).decrypt(NONCE, ciphertext, associated)
    except InvalidTag:
        return None
