"""HMAC with SHA-256, SHA-384 and SHA-512 over the hashes of the standard library.

The one-shot function of OpenSSL looks up hash and MAC by their names each time, which takes three times as long as to
hash the few blocks that a key schedule consists of; a handshake makes forty. RFC 2104, RFC 6234.
"""

from __future__ import annotations

from hashlib import sha256, sha384, sha512
from typing import Final, final

__all__ = ["MacKey", "mac"]

SHA256: Final = sha256
SHA384: Final = sha384
SHA512: Final = sha512
SHORT_BLOCK: Final = 64  # of SHA-256, in bytes
LONG_BLOCK: Final = 128  # of the others
# RFC 2104 §2: what the key is combined with for the inner and for the outer hash. As tables for `bytes.translate`, and
# as what the zeros behind a key become.
INNER: Final = bytes([byte ^ 0x36 for byte in range(256)])
OUTER: Final = bytes([byte ^ 0x5C for byte in range(256)])
INNER_FILL: Final = b"\x36" * LONG_BLOCK
OUTER_FILL: Final = b"\x5c" * LONG_BLOCK


@final
class MacKey:
    """A key for any number of messages."""

    __slots__ = ("_hash", "_inner", "_outer")

    def __init__(self, hash_name: str, key: bytes) -> None:
        """Take a key of any size.

        Raises:
            ValueError: a hash that is none of the three.
        """
        block = LONG_BLOCK
        if hash_name == "sha256":
            self._hash = SHA256
            block = SHORT_BLOCK
        elif hash_name == "sha384":
            self._hash = SHA384
        elif hash_name == "sha512":
            self._hash = SHA512
        else:
            raise ValueError(f"no HMAC with {hash_name!r}")
        if len(key) > block:
            key = self._hash(key).digest()
        missing = block - len(key)
        self._inner = key.translate(INNER) + INNER_FILL[:missing]
        self._outer = key.translate(OUTER) + OUTER_FILL[:missing]

    def digest(self, message: bytes) -> bytes:
        """The MAC of a message, as long as the hash."""
        make = self._hash
        return make(self._outer + make(self._inner + message).digest()).digest()


def mac(hash_name: str, key: bytes, message: bytes) -> bytes:
    """The MAC of one message.

    Raises:
        ValueError: a hash that is none of the three.
    """
    size = len(key)
    if hash_name == "sha256" and size <= SHORT_BLOCK:  # as nearly always: without an object in between
        inner = key.translate(INNER) + INNER_FILL[size:SHORT_BLOCK]
        outer = key.translate(OUTER) + OUTER_FILL[size:SHORT_BLOCK]
        return SHA256(outer + SHA256(inner + message).digest()).digest()
    return MacKey(hash_name, key).digest(message)
