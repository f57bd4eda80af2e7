"""Encrypted ClientHello: configurations, keys, and the extension itself.

What client and server have in common. The hello that is encrypted is made by ``ech_inner``. RFC 9849 §4 and §5.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, final

from . import hpke
from .codec import Reader, vector8, vector16
from .constants import EXT_ENCRYPTED_CLIENT_HELLO, ILLEGAL_PARAMETER
from .errors import DecodeError
from .hkdf import expand_label, extract

__all__ = [
    "EchConfig",
    "EchKey",
    "OuterEch",
    "confirmation",
    "ech_config_list",
    "grease",
    "make_ech_key",
    "parse_config_list",
    "parse_extension",
    "payload_range",
]

VERSION: Final = 0xFE0D
INFO_LABEL: Final = b"tls ech\0"
OUTER: Final = 0
INNER: Final = 1
INNER_BODY: Final = bytes((INNER,))
# RFC 9849 §4.2: a client must not use a configuration with an extension it does not know if this bit is set.
MANDATORY: Final = 0x8000

CONFIRMATION_SIZE: Final = 8
ACCEPTED_LABEL: Final = b"ech accept confirmation"
RETRY_LABEL: Final = b"hrr ech accept confirmation"

# Sizes of the payload of GREASE: padded inner hellos, RFC 9849 §6.2, without the post-quantum share they leave out.
GREASE_SIZES: Final = (144, 176, 208, 240)

LABEL: Final = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?")
# What the URL standard takes for a number: a host that ends in one is an IPv4 address.
NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")


@final
class EchConfig:
    """One ECHConfig. ``encoded`` is the whole structure, ``suites`` are (KDF, AEAD) pairs. RFC 9849 §4."""

    __slots__ = (
        "config_id",
        "encoded",
        "extensions",
        "kem",
        "maximum_name_length",
        "public_key",
        "public_name",
        "suites",
    )

    def __init__(
        self,
        config_id: int,
        kem: int,
        public_key: bytes,
        suites: Iterable[tuple[int, int]],
        maximum_name_length: int,
        public_name: str,
        extensions: Iterable[tuple[int, bytes]] = (),
    ) -> None:
        self.config_id = config_id
        self.kem = kem
        self.public_key = public_key
        self.suites = tuple(suites)
        self.maximum_name_length = maximum_name_length
        self.public_name = public_name
        self.extensions = tuple(extensions)
        algorithms = b"".join([kdf.to_bytes(2, "big") + aead.to_bytes(2, "big") for kdf, aead in self.suites])
        listed = b"".join([kind.to_bytes(2, "big") + vector16(body) for kind, body in self.extensions])
        contents = bytes((config_id,)) + kem.to_bytes(2, "big") + vector16(public_key) + vector16(algorithms)
        contents += bytes((maximum_name_length,)) + vector8(public_name.encode("latin-1")) + vector16(listed)
        self.encoded = VERSION.to_bytes(2, "big") + vector16(contents)

    @property
    def info(self) -> bytes:
        """What the HPKE context is bound to."""
        return INFO_LABEL + self.encoded

    def suite(self) -> tuple[int, int] | None:
        """The first pair of algorithms that is implemented, or None when a client cannot use this configuration."""
        if self.kem not in hpke.KEMS or len(self.public_key) != hpke.KEMS[self.kem]:
            return None
        if any(kind & MANDATORY for kind, _ in self.extensions) or not is_ldh_name(self.public_name):
            return None
        for kdf, aead in self.suites:
            if kdf in hpke.KDFS and aead in hpke.AEADS:
                return kdf, aead
        return None

    def __repr__(self) -> str:
        return f"EchConfig({self.config_id}, {self.public_name!r})"


@dataclass(frozen=True, slots=True)
class EchKey:
    """A server's key: one encoded ECHConfig and its private key."""

    config: bytes
    private_key: bytes = field(repr=False)

    def parsed(self) -> EchConfig:
        """The configuration.

        Raises:
            ValueError: not exactly one ECHConfig, or the private key is of another.
        """
        return _parse_key(self)


@lru_cache(maxsize=64)
def _parse_key(key: EchKey) -> EchConfig:
    found = parse_config_list(vector16(key.config))
    if len(found) != 1 or found[0].encoded != key.config:
        raise ValueError("an ECH key has one configuration")
    if hpke.public_key_of(found[0].kem, key.private_key) != found[0].public_key:
        raise ValueError("the ECH private key does not belong to its configuration")
    return found[0]


def make_ech_key(
    public_name: str,
    *,
    config_id: int | None = None,
    maximum_name_length: int = 64,
    kem: int = hpke.KEM_X25519,
    suites: Iterable[tuple[int, int]] = ((1, 1), (1, 3)),
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> EchKey:
    """A fresh key. ``public_name`` is what all clients show; the server needs a certificate for it.

    Raises:
        ValueError: a public name that clients would refuse, or a KEM that is not implemented.
    """
    if not is_ldh_name(public_name):
        raise ValueError(f"{public_name!r} cannot be a public name")
    private_key = hpke.generate(kem, random)
    number = random(1)[0] if config_id is None else config_id
    public_key = hpke.public_key_of(kem, private_key)
    config = EchConfig(number, kem, public_key, suites, maximum_name_length, public_name)
    return EchKey(config.encoded, private_key)


def ech_config_list(keys: Iterable[EchKey]) -> bytes:
    """The ECHConfigList to publish for some keys, in the HTTPS record of the DNS (RFC 9848) or by other means."""
    return vector16(b"".join([key.config for key in keys]))


def parse_config_list(data: bytes) -> tuple[EchConfig, ...]:
    """The configurations of the known version in an ECHConfigList, RFC 9849 §4.

    Raises:
        DecodeError: malformed.
    """
    reader = Reader(data)
    configs = Reader(reader.read_vector16())
    reader.expect_end("ECHConfigList")
    if not configs.remaining():
        raise DecodeError("empty ECHConfigList")
    found = []
    while configs.remaining():
        version = configs.read_uint16()
        contents = configs.read_vector16()
        if version == VERSION:
            found.append(_parse_contents(contents))
    return tuple(found)


def _parse_contents(contents: bytes) -> EchConfig:
    reader = Reader(contents)
    config_id = reader.read_uint8()
    kem = reader.read_uint16()
    public_key = reader.read_vector16()
    algorithms = Reader(reader.read_vector16())
    maximum_name_length = reader.read_uint8()
    public_name = reader.read_vector8()
    listed = Reader(reader.read_vector16())
    reader.expect_end("ECHConfig")
    suites = []
    while algorithms.remaining():
        suites.append((algorithms.read_uint16(), algorithms.read_uint16()))
    extensions: list[tuple[int, bytes]] = []
    while listed.remaining():
        extensions.append((listed.read_uint16(), listed.read_vector16()))
    if not public_key or not suites or not public_name:
        raise DecodeError("ECHConfig without a key, algorithms or a public name")
    if len({kind for kind, _ in extensions}) != len(extensions):
        raise DecodeError("ECHConfig with an extension twice", ILLEGAL_PARAMETER)
    name = public_name.decode("latin-1")
    return EchConfig(config_id, kem, public_key, suites, maximum_name_length, name, extensions)


@final
class OuterEch:
    """encrypted_client_hello of an outer ClientHello, RFC 9849 §5. ``enc`` is empty after a HelloRetryRequest."""

    __slots__ = ("aead", "config_id", "enc", "kdf", "payload")

    def __init__(self, kdf: int, aead: int, config_id: int, enc: bytes, payload: bytes) -> None:
        self.kdf = kdf
        self.aead = aead
        self.config_id = config_id
        self.enc = enc
        self.payload = payload

    def encode(self) -> bytes:
        """The body of the extension."""
        suite = self.kdf.to_bytes(2, "big") + self.aead.to_bytes(2, "big")
        head = bytes((OUTER,)) + suite + bytes((self.config_id,))
        return head + vector16(self.enc) + vector16(self.payload)


def parse_extension(body: bytes) -> OuterEch | None:
    """encrypted_client_hello of a ClientHello; None for that of an inner one.

    Raises:
        DecodeError: malformed; with illegal_parameter for another type.
    """
    reader = Reader(body)
    kind = reader.read_uint8()
    if kind == INNER:
        reader.expect_end("encrypted_client_hello")
        return None
    if kind != OUTER:
        raise DecodeError(f"encrypted_client_hello of type {kind}", ILLEGAL_PARAMETER)
    kdf, aead = reader.read_uint16(), reader.read_uint16()
    config_id = reader.read_uint8()
    enc, payload = reader.read_vector16(), reader.read_vector16()
    reader.expect_end("encrypted_client_hello")
    if not payload:
        raise DecodeError("encrypted_client_hello without a payload")
    return OuterEch(kdf, aead, config_id, enc, payload)


def payload_range(raw: bytes) -> tuple[int, int]:
    """Where the payload lies in the ClientHello message ``raw``.

    With zeros in its place, and without the header of 4 bytes, the message is the associated data. RFC 9849 §5.2.

    Raises:
        DecodeError: malformed, or no such extension.
    """
    reader = Reader(raw, 4 + 2 + 32)
    reader.read_vector8()
    reader.read_vector16()
    reader.read_vector8()
    reader.read_uint16()
    while reader.remaining():
        kind = reader.read_uint16()
        size = reader.read_uint16()
        if kind != EXT_ENCRYPTED_CLIENT_HELLO:
            reader.read_bytes(size)
            continue
        stop = reader.position + size
        outer = parse_extension(reader.read_bytes(size))
        if outer is None:
            break
        return stop - len(outer.payload), stop
    raise DecodeError("no encrypted_client_hello with a payload")


def is_ldh_name(name: str) -> bool:
    """Whether ``name`` is a DNS name of letters, digits and hyphens that nothing takes for an IPv4 address.

    RFC 5890 §2.3.1, RFC 9849 §4.
    """
    labels = name.split(".")
    if len(name) > 253 or not all(LABEL.fullmatch(label) for label in labels):
        return False
    return NUMBER.fullmatch(labels[-1]) is None


def confirmation(label: bytes, client_random: bytes, hash_name: str, transcript_hash: bytes) -> bytes:
    """The 8 bytes that say that the inner hello was taken, RFC 9849 §7.2 and §7.2.1.

    ``client_random`` is that of the inner hello; where the 8 bytes go, the transcript has zeros.
    """
    secret = extract(hash_name, b"", client_random)
    return expand_label(hash_name, secret, label, transcript_hash, CONFIRMATION_SIZE)


def grease(random: Callable[[int], bytes]) -> bytes:
    """encrypted_client_hello that encrypts nothing, RFC 9849 §6.2."""
    drawn = random(2)
    enc = hpke.public_key_of(hpke.KEM_X25519, hpke.generate(hpke.KEM_X25519, random))
    size = GREASE_SIZES[drawn[0] % len(GREASE_SIZES)]
    return OuterEch(1, 1, drawn[1], enc, random(size)).encode()
