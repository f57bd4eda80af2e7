"""AES-128 on single blocks, for whoever hides identifiers in it. FIPS 197."""

from __future__ import annotations

from typing import Final, final

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

BLOCK_SIZE: Final = 16
KEY_SIZE: Final = 16


@final
class BlockCipher:
    """A permutation of 16 bytes under a key of 16 bytes. No mode, no authentication.

    Raises:
        ValueError: the key has another size.
    """

    __slots__ = ("_decryptor", "_encryptor")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_SIZE:
            raise ValueError(f"a key of AES-128 has {KEY_SIZE} bytes, not {len(key)}")
        cipher = Cipher(AES(key), ECB())
        self._encryptor: CipherContext = cipher.encryptor()
        self._decryptor: CipherContext = cipher.decryptor()

    def encrypt(self, block: bytes) -> bytes:
        """The image of one block."""
        return self._encryptor.update(block)

    def decrypt(self, block: bytes) -> bytes:
        """The block that has this image."""
        return self._decryptor.update(block)
