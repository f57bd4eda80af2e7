"""The extensions of a ClientHello, each as data that makes its body.

A profile lists them; what varies between connections (names, keys, reserved values) comes from the
`HelloContext` and from random bytes that are the same when the hello is built again after a HelloRetryRequest.
RFC 8446 §4.2 and the documents named at each class.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, Literal, Self, TypeAlias

from qtls.client_hello import EchRole, HelloContext
from qtls.constants import X25519
from qtls.extensions import encode_server_name, is_host_name
from qtls.key_exchange import IMPLEMENTED, KeyShares
from qtls.outer_parameters import reduced_parameters

from . import grease
from .bounds import SIZE, UINT8, UINT16, check, check_all, check_span
from .randomness import RandomBytes, between, pick, shuffle

HEX: Final = {"hex": True}
#: Bytes of the key shares of groups that are not implemented: X448, FFDHE of RFC 7919, X25519Kyber768Draft00.
SHARE_SIZES: Final = {
    0x001E: 56,
    0x0100: 256,
    0x0101: 384,
    0x0102: 512,
    0x0103: 768,
    0x0104: 1024,
    0x6399: 1216,
}
#: What BoringSSL sends as the key share of a reserved group.
RESERVED_SHARE: Final = b"\0"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReservedValues:
    """The reserved values of one connection, RFC 8701: what 0x0a0a in a list of a profile stands for.

    A key share has the group of supported_groups.
    """

    suite: int
    group: int
    version: int

    @classmethod
    def draw(cls, random: RandomBytes) -> ReservedValues:
        """Three values, each by itself."""
        return cls(
            suite=grease.tls_value(random), group=grease.tls_value(random), version=grease.tls_value(random)
        )


def filled_in(values: tuple[int, ...], reserved: int) -> tuple[int, ...]:
    """`values` with `reserved` in place of 0x0a0a."""
    return tuple(reserved if value == grease.CANONICAL else value for value in values)


@dataclass(frozen=True, kw_only=True)
class Extension:
    """What all have in common. A `pinned` one keeps its place when the others are permuted."""

    pinned: bool = False

    def id_of(self, random: RandomBytes) -> int:
        """The extension's number on this connection."""
        raise NotImplementedError

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        """The extension's content, or None to leave it out."""
        raise NotImplementedError

    def with_reserved(self, reserved: ReservedValues) -> Self:
        """The same with the connection's reserved values where 0x0a0a stands."""
        return self


@dataclass(frozen=True, kw_only=True)
class Known(Extension):
    """An extension whose number never varies."""

    ID: ClassVar[int]

    def id_of(self, random: RandomBytes) -> int:
        return self.ID


@dataclass(frozen=True, kw_only=True)
class ServerName(Known):
    """server_name, RFC 6066 §3; left out for addresses."""

    ID: ClassVar[int] = 0

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        if context.server_name is None or not is_host_name(context.server_name):
            return None
        return encode_server_name(context.server_name)


@dataclass(frozen=True, kw_only=True)
class SupportedGroups(Known):
    """supported_groups, RFC 8446 §4.2.7; 0x0a0a stands for a reserved group."""

    ID: ClassVar[int] = 10
    groups: tuple[int, ...] = field(metadata=HEX)

    def __post_init__(self) -> None:
        check_all("an entry of groups", self.groups, UINT16)

    def with_reserved(self, reserved: ReservedValues) -> Self:
        return replace(self, groups=filled_in(self.groups, reserved.group))

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        return vector(2, uint16s(self.groups))


@dataclass(frozen=True, kw_only=True)
class SignatureAlgorithms(Known):
    """signature_algorithms, RFC 8446 §4.2.3."""

    ID: ClassVar[int] = 13
    schemes: tuple[int, ...] = field(metadata=HEX)

    def __post_init__(self) -> None:
        check_all("an entry of schemes", self.schemes, UINT16)

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        return vector(2, uint16s(self.schemes))


@dataclass(frozen=True, kw_only=True)
class Alpn(Known):
    """application_layer_protocol_negotiation, RFC 7301: the protocols of the connection's configuration."""

    ID: ClassVar[int] = 16

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        names = [name.encode("latin-1") for name in context.alpn]
        return vector(2, b"".join(vector(1, name) for name in names)) if names else None


@dataclass(frozen=True, kw_only=True)
class StatusRequest(Known):
    """status_request for OCSP without responder ids or extensions, RFC 6066 §8."""

    ID: ClassVar[int] = 5

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        return b"\1\0\0\0\0"


@dataclass(frozen=True, kw_only=True)
class CompressCertificate(Known):
    """compress_certificate, RFC 8879; 1 zlib, 2 brotli, 3 zstd."""

    ID: ClassVar[int] = 27
    algorithms: tuple[int, ...]

    def __post_init__(self) -> None:
        check_all("an entry of algorithms", self.algorithms, UINT16)

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        return vector(1, uint16s(self.algorithms))


@dataclass(frozen=True, kw_only=True)
class RecordSizeLimit(Known):
    """record_size_limit, RFC 8449; without effect over QUIC."""

    ID: ClassVar[int] = 28
    limit: int

    def __post_init__(self) -> None:
        check("limit", self.limit, UINT16)

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        return self.limit.to_bytes(2, "big")


@dataclass(frozen=True, kw_only=True)
class DelegatedCredentials(Known):
    """delegated_credentials, RFC 9345 §4.1.1."""

    ID: ClassVar[int] = 34
    schemes: tuple[int, ...] = field(metadata=HEX)

    def __post_init__(self) -> None:
        check_all("an entry of schemes", self.schemes, UINT16)

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        return vector(2, uint16s(self.schemes))


@dataclass(frozen=True, kw_only=True)
class EarlyData(Known):
    """early_data, RFC 8446 §4.2.10: sent when the connection resumes a session that allows it."""

    ID: ClassVar[int] = 42

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        # RFC 8446 §4.2.10: not in the hello that follows a HelloRetryRequest.
        return b"" if context.early_data and context.retry is None else None


@dataclass(frozen=True, kw_only=True)
class SupportedVersions(Known):
    """supported_versions, RFC 8446 §4.2.1; 0x0a0a stands for a reserved version."""

    ID: ClassVar[int] = 43
    versions: tuple[int, ...] = field(default=(0x0304,), metadata=HEX)

    def __post_init__(self) -> None:
        check_all("an entry of versions", self.versions, UINT16)

    def with_reserved(self, reserved: ReservedValues) -> Self:
        return replace(self, versions=filled_in(self.versions, reserved.version))

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        return vector(1, uint16s(self.versions))


@dataclass(frozen=True, kw_only=True)
class Cookie(Known):
    """cookie, RFC 8446 §4.2.2: sent when a HelloRetryRequest brought one."""

    ID: ClassVar[int] = 44

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        if context.retry is None or context.retry.cookie is None:
            return None
        return vector(2, context.retry.cookie)


@dataclass(frozen=True, kw_only=True)
class PskKeyExchangeModes(Known):
    """psk_key_exchange_modes, RFC 8446 §4.2.9."""

    ID: ClassVar[int] = 45
    modes: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        check_all("a mode", self.modes, UINT8)

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        return vector(1, bytes(self.modes))


@dataclass(frozen=True, kw_only=True)
class KeyShare(Known):
    """key_share, RFC 8446 §4.2.8; 0x0a0a stands for the reserved group, with a share of one zero byte.

    `share_x25519` uses one X25519 key both alone and inside X25519MLKEM768, as Firefox does. For a group that is not
    implemented random bytes are sent, of which nothing comes if a server takes them: `lint` says so.
    """

    ID: ClassVar[int] = 51
    groups: tuple[int, ...] = field(metadata=HEX)
    share_x25519: bool = False

    def __post_init__(self) -> None:
        check_all("an entry of groups", self.groups, UINT16)

    def with_reserved(self, reserved: ReservedValues) -> Self:
        return replace(self, groups=filled_in(self.groups, reserved.group))

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        groups = self.groups
        if context.retry is not None and context.retry.group is not None:
            groups = (context.retry.group,)
        shares = [(group, self._share(group, context, random)) for group in groups]
        return vector(2, b"".join(group.to_bytes(2, "big") + vector(2, share) for group, share in shares))

    def _share(self, group: int, context: HelloContext, random: RandomBytes) -> bytes:
        if grease.is_tls_value(group):
            return RESERVED_SHARE
        if group not in IMPLEMENTED:
            return random(SHARE_SIZES.get(group, 32))
        return context.key_shares.public(group, self.share_x25519)


@dataclass(frozen=True, kw_only=True)
class QuicTransportParameters(Known):
    """quic_transport_parameters, RFC 9001 §8.2.

    `outer` are the parameters that stay visible around a hello that is really hidden; none named means all.
    """

    ID: ClassVar[int] = 57
    outer: tuple[int, ...] = field(default=(), metadata=HEX)

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        if self.outer and context.ech is not None and context.ech.role is EchRole.OUTER:
            return reduced_parameters(context.transport_parameters, frozenset(self.outer))
        return context.transport_parameters


@dataclass(frozen=True, kw_only=True)
class ApplicationSettings(Extension):
    """ALPS, draft-vvv-tls-alps; 17513 until 2024, 17613 since."""

    id: int = 17613
    protocols: tuple[str, ...] = ("h3",)

    def __post_init__(self) -> None:
        check("id", self.id, UINT16)

    def id_of(self, random: RandomBytes) -> int:
        return self.id

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        names = [name.encode("latin-1") for name in self.protocols if name in context.alpn]
        return vector(2, b"".join(vector(1, name) for name in names)) if names else None


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
class TrustAnchors(Known):
    """trust_anchors, draft-ietf-tls-trust-anchor-ids: the identifiers of the roots that the client has."""

    ID: ClassVar[int] = 0xCA34
    ids: tuple[bytes, ...]
    shuffled: bool = False

    def __post_init__(self) -> None:
        check_all("the size of an identifier", map(len, self.ids), UINT8)

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        ids = list(self.ids)
        if self.shuffled:
            shuffle(random, ids)
        return vector(2, b"".join(vector(1, identifier) for identifier in ids))


@dataclass(frozen=True, kw_only=True)
class Raw(Extension):
    """Any extension with a constant body."""

    id: int = field(metadata=HEX)
    value: bytes = b""

    def __post_init__(self) -> None:
        check("id", self.id, UINT16)
        check("the size of the value", len(self.value), SIZE)

    def id_of(self, random: RandomBytes) -> int:
        return self.id

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        return self.value


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


ExtensionSpec: TypeAlias = (
    ServerName
    | SupportedGroups
    | SignatureAlgorithms
    | Alpn
    | StatusRequest
    | CompressCertificate
    | RecordSizeLimit
    | DelegatedCredentials
    | EarlyData
    | SupportedVersions
    | Cookie
    | PskKeyExchangeModes
    | KeyShare
    | QuicTransportParameters
    | ApplicationSettings
    | EchGrease
    | TrustAnchors
    | Raw
    | Grease
    | Fill
)


def vector(length_size: Literal[1, 2], data: bytes) -> bytes:
    """`data` behind its length, RFC 8446 §3.4."""
    return len(data).to_bytes(length_size, "big") + data


def uint16s(values: tuple[int, ...]) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)
