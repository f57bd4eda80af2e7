"""Extensions that tell the server nothing: reserved ones, ECH that hides nothing, padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from qtls.client_hello import HelloContext
from qtls.constants import X25519
from qtls.key_exchange import KeyShares

from .. import grease
from ..bounds import SIZE, UINT16, check, check_all, check_span
from ..randomness import RandomBytes, between, pick
from .base import Extension, Known, vector


@dataclass(frozen=True, kw_only=True)
class EchGrease(Known):
    """encrypted_client_hello that encrypts nothing, RFC 9849 §6.2.

    The length of the payload and the AEAD are drawn from what the client is known to send; a client that pads
    the hello it pretends to hide has other lengths where it resumes a session. Where the connection really hides a
    hello, the extension is the real one.

    `enc` says what stands in place of an encapsulated key: a real public key of "x25519", or "random" bytes,
    `enc_size` of them, half of which nobody who knows the curve takes for a key.
    """

    ID: ClassVar[int] = 0xFE0D
    kdf: int = 1
    aeads: tuple[int, ...] = (1,)
    enc: Literal["random", "x25519"] = "random"
    enc_size: int = 32
    payload_sizes: tuple[int, ...]
    resumed_payload_sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check("kdf", self.kdf, UINT16)
        check_all("an AEAD", self.aeads, UINT16)
        check("enc_size", self.enc_size, SIZE)
        check_all("a payload size", (*self.payload_sizes, *self.resumed_payload_sizes), SIZE)
        if not self.aeads or not self.payload_sizes:
            raise ValueError("an AEAD and a payload size are needed")

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        if context.ech is not None:
            return context.ech.body
        aead = pick(random, self.aeads)
        config_id = random(1)
        enc = KeyShares(random).public(X25519) if self.enc == "x25519" else random(self.enc_size)
        sizes = self.payload_sizes
        if context.session is not None and self.resumed_payload_sizes:
            sizes = self.resumed_payload_sizes
        payload = random(pick(random, sizes))
        outer = b"\0" + self.kdf.to_bytes(2, "big") + aead.to_bytes(2, "big") + config_id
        return outer + vector(2, enc) + vector(2, payload)


@dataclass(frozen=True, kw_only=True)
class Grease(Extension):
    """An extension with a reserved number, RFC 8701 §3.1, and a body of random bytes, or of zero bytes.

    A number that an earlier one has taken is changed as BoringSSL does.
    """

    min_size: int = 0
    max_size: int = 0
    zeros: bool = False

    def __post_init__(self) -> None:
        check_span("the size", self.min_size, self.max_size)

    def id_of(self, random: RandomBytes) -> int:
        return grease.tls_value(random)

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        size = between(random, self.min_size, self.max_size)
        return bytes(size) if self.zeros else random(size)


@dataclass(frozen=True, kw_only=True)
class Fill(Known):
    """padding, RFC 7685: zero bytes that bring a ClientHello of more than `above` bytes to `size`."""

    ID: ClassVar[int] = 21
    size: int = 512
    above: int = 255

    def __post_init__(self) -> None:
        check("size", self.size, SIZE)

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        return b""

    def for_hello(self, size: int) -> bytes | None:
        """The body in a ClientHello that has `size` bytes without this extension."""
        if not self.above < size < self.size:
            return None
        return bytes(
            max(1, self.size - size - 4)
        )  # at least one: servers have choked on an empty last extension
