"""Extensions that tell the server something. RFC 8446 §4.2 and the documents named at each class."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

from qtls.client_hello import EchRole, HelloContext
from qtls.extensions import encode_server_name, is_host_name
from qtls.outer_parameters import reduced_parameters

from ..bounds import SIZE, UINT8, UINT16, check, check_all
from ..randomness import RandomBytes, shuffle
from .base import HEX, Extension, Known, ReservedValues, filled_in, uint16s, vector


@dataclass(frozen=True, kw_only=True)
class ServerName(Known):
    """server_name, RFC 6066 §3; left out for addresses."""

    ID: ClassVar[int] = 0

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        if context.server_name is None or not is_host_name(context.server_name):
            return None
        return encode_server_name(context.server_name)


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
