"""The TLS 1.3 key schedule and the transcript it is bound to.

RFC 8446 §7.1, §4.4.1, §4.4.4 and §7.5. Knows neither messages nor packets.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Final, final

from .constants import MESSAGE_HASH
from .hkdf import expand_info, expand_label, extract, label_info
from .mac import MacKey, mac

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["KeySchedule", "Transcript", "verify_data"]

HASH_SIZES: Final[dict[str, int]] = {"sha256": 32, "sha384": 48}


@final
class HashConstants:
    """What follows from the hash alone; made for the first handshake with it, as OpenSSL gets ready then.

    Attributes:
        make: starts a hash with some bytes.
        size: of a hash, in bytes.
        empty: the hash of nothing.
        finished_info: the HkdfLabel of the key of a Finished message.
        derived_info: the HkdfLabel of what the next secret starts from.
        early_secret: the early secret without PSK.
        early_derived: what the handshake secret starts from without PSK.
    """

    __slots__ = ("derived_info", "early_derived", "early_secret", "empty", "finished_info", "make", "size")

    def __init__(self, hash_name: str) -> None:
        import hashlib  # takes longer to load than most of TLS

        self.size: int = HASH_SIZES[hash_name]
        self.make: Callable[[bytes], _Hash] = hashlib.sha256 if hash_name == "sha256" else hashlib.sha384
        self.empty = self.make(b"").digest()
        self.finished_info = label_info(b"finished", b"", self.size)
        self.derived_info = label_info(b"derived", self.empty, self.size)
        self.early_secret = extract(hash_name, b"", bytes(self.size))
        self.early_derived = expand_info(hash_name, self.early_secret, self.derived_info, self.size)


@cache
def constants_of(hash_name: str) -> HashConstants:
    """The constants of a hash that TLS 1.3 uses."""
    return HashConstants(hash_name)


@cache
def derive_head(label: bytes, size: int) -> bytes:
    """The HkdfLabel of a secret up to the hash of the messages, which is as long as the secret."""
    return label_info(label, bytes(size), size)[:-size]


@final
class Transcript:
    """Running hash of the handshake messages, RFC 8446 §4.4.1. Messages before the hash is known are kept."""

    __slots__ = ("_hash", "_waiting", "hash_name")

    def __init__(self) -> None:
        self.hash_name = ""
        self._waiting: list[bytes] = []
        self._hash: _Hash | None = None

    def add(self, message: bytes) -> None:
        """Append a whole message."""
        if self._hash is None:
            self._waiting.append(message)
        else:
            self._hash.update(message)

    def choose(self, hash_name: str) -> None:
        """Settle the hash; the messages kept so far go into it."""
        if self._hash is None:
            self.hash_name = hash_name
            self._hash = constants_of(hash_name).make(b"".join(self._waiting))
            self._waiting = []

    def replace_first_hello(self) -> None:
        """Replace what was hashed, the first ClientHello, by its message_hash. After a HelloRetryRequest."""
        digest = self.digest()
        self._hash = constants_of(self.hash_name).make(bytes((MESSAGE_HASH, 0, 0, len(digest))) + digest)

    def digest(self) -> bytes:
        """Transcript-Hash of the messages so far; the hash must be settled."""
        if self._hash is None:
            raise ValueError("the hash is not settled")
        return self._hash.digest()

    def digest_with(self, more: bytes, hash_name: str) -> bytes:
        """Transcript-Hash as if ``more`` came next; ``hash_name`` matters while the hash is not settled."""
        if self._hash is None:
            return constants_of(hash_name).make(b"".join(self._waiting) + more).digest()
        copy = self._hash.copy()
        copy.update(more)
        return copy.digest()


@final
class KeySchedule:
    """Goes from the early to the handshake to the master secret, RFC 8446 §7.1 figure."""

    __slots__ = ("_constants", "_has_psk", "_key", "_secret", "hash_name", "hash_size")

    def __init__(self, hash_name: str, psk: bytes | None = None) -> None:
        self.hash_name = hash_name
        self._constants = constants = constants_of(hash_name)
        self.hash_size = constants.size
        self._has_psk = psk is not None
        self._secret = constants.early_secret if psk is None else extract(hash_name, b"", psk)
        self._key: MacKey | None = None  # the secret as a key, once something was derived

    @property
    def secret(self) -> bytes:
        """The secret of the current stage."""
        return self._secret

    def derive(self, label: bytes, transcript_hash: bytes) -> bytes:
        """Derive-Secret with the hash of the messages."""
        info = b"%b%b\x01" % (derive_head(label, self.hash_size), transcript_hash)
        return self._keyed().digest(info)

    def binder(self, transcript_hash: bytes) -> bytes:
        """PSK binder of a resumption ticket, in the early stage. RFC 8446 §4.2.11.2."""
        binder_key = self.derive(b"res binder", self._constants.empty)
        return verify_data(self.hash_name, binder_key, transcript_hash)

    def enter_handshake(self, shared_secret: bytes) -> None:
        """Mix in the (EC)DHE secret; an empty one counts as zeros."""
        derived = self._derived() if self._has_psk else self._constants.early_derived
        self._secret = extract(self.hash_name, derived, shared_secret or bytes(self.hash_size))
        self._key = None

    def enter_master(self) -> None:
        """Go on to the master secret."""
        self._secret = extract(self.hash_name, self._derived(), bytes(self.hash_size))
        self._key = None

    def resumption_psk(self, resumption_secret: bytes, nonce: bytes) -> bytes:
        """PSK of a ticket, RFC 8446 §4.6.1."""
        return expand_label(self.hash_name, resumption_secret, b"resumption", nonce, self.hash_size)

    def export(self, exporter_secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
        """TLS-Exporter, RFC 8446 §7.5."""
        name = self.hash_name
        constants = self._constants
        secret = expand_label(name, exporter_secret, label, constants.empty, constants.size)
        return expand_label(name, secret, b"exporter", constants.make(context).digest(), size)

    def rest(self) -> None:
        """Let go of the secret as a key, which takes a KiB: after the handshake little is derived."""
        self._key = None

    def _derived(self) -> bytes:
        return self._keyed().digest(self._constants.derived_info + b"\x01")

    def _keyed(self) -> MacKey:
        key = self._key
        if key is None:
            key = self._key = MacKey(self.hash_name, self._secret)
        return key

    def __repr__(self) -> str:
        return f"KeySchedule({self.hash_name!r})"


def verify_data(hash_name: str, base_key: bytes, transcript_hash: bytes) -> bytes:
    """Content of a Finished message or of a binder, RFC 8446 §4.4.4."""
    constants = constants_of(hash_name)
    finished_key = expand_info(hash_name, base_key, constants.finished_info, constants.size)
    return mac(hash_name, finished_key, transcript_hash)
