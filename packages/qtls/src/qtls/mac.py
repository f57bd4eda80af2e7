"""HMAC under keys that several messages are authenticated with.

Setting a key up takes OpenSSL four times as long as the few blocks that a key schedule hashes with it, so that is done once
for each key. RFC 2104.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final, final

from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.hmac import HMAC

__all__ = ["MacKey", "equal", "mac"]

ALGORITHMS: Final[dict[str, HashAlgorithm]] = {"sha256": SHA256(), "sha384": SHA384(), "sha512": SHA512()}


@final
class MacKey:
    """A key for any number of messages."""

    __slots__ = ("_keyed",)

    def __init__(self, hash_name: str, key: bytes) -> None:
        """Take a key of any size.

        Raises:
            ValueError: a hash that neither TLS 1.3 nor HPKE uses.
        """
        self._keyed = _keyed(hash_name, key)

    def digest(self, message: bytes) -> bytes:
        """The MAC of a message, as long as the hash."""
        hmac = self._keyed.copy()
        hmac.update(message)
        return hmac.finalize()


def mac(hash_name: str, key: bytes, message: bytes) -> bytes:
    """The MAC of one message.

    Raises:
        ValueError: a hash that neither TLS 1.3 nor HPKE uses.
    """
    hmac = _keyed(hash_name, key)
    hmac.update(message)
    return hmac.finalize()


def equal(one: bytes, other: bytes) -> bool:
    """Whether two secrets are the same, found out in constant time."""
    return _comparison()(one, other)


@cache
def _comparison() -> Callable[[bytes, bytes], bool]:
    from hmac import compare_digest  # brings hashlib along, which takes longer to load than most of TLS

    return compare_digest


def _keyed(hash_name: str, key: bytes) -> HMAC:
    algorithm = ALGORITHMS.get(hash_name)
    if algorithm is None:
        raise ValueError(f"no HMAC with {hash_name!r}")
    return HMAC(key, algorithm)
