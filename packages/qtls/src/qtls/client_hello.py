"""The seam through which every ClientHello goes.

A ``ClientHelloBuilder`` gets a ``HelloContext`` and answers with a ``HelloDraft``. The handshake encodes the draft,
fills in PSK binders, sends it, and negotiates from the bytes sent: what a builder leaves out is not negotiated.
RFC 8446 §4.1.2.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Final, Protocol, final

from . import extensions
from .codec import message, uint16_list, vector8, vector16
from .constants import (
    AES_128_GCM_SHA256,
    AES_256_GCM_SHA384,
    CHACHA20_POLY1305_SHA256,
    CLIENT_HELLO,
    ECDSA_SECP256R1_SHA256,
    ECDSA_SECP384R1_SHA384,
    ECDSA_SECP521R1_SHA512,
    ED25519,
    EXT_ALPN,
    EXT_COMPRESS_CERTIFICATE,
    EXT_COOKIE,
    EXT_EARLY_DATA,
    EXT_ENCRYPTED_CLIENT_HELLO,
    EXT_KEY_SHARE,
    EXT_PRE_SHARED_KEY,
    EXT_PSK_KEY_EXCHANGE_MODES,
    EXT_QUIC_TRANSPORT_PARAMETERS,
    EXT_SERVER_NAME,
    EXT_SIGNATURE_ALGORITHMS,
    EXT_SUPPORTED_GROUPS,
    EXT_SUPPORTED_VERSIONS,
    PSK_DHE_KE,
    RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512,
    RSA_PSS_RSAE_SHA256,
    RSA_PSS_RSAE_SHA384,
    RSA_PSS_RSAE_SHA512,
    TLS_1_2,
    TLS_1_3,
    X25519,
    X25519MLKEM768,
)
from .key_exchange import KeyShares
from .resumption import Session, obfuscated_age
from .values import Value

__all__ = [
    "ClientHelloBuilder",
    "DefaultHello",
    "EchOffer",
    "EchRole",
    "HelloContext",
    "HelloDraft",
    "HelloRetry",
]

DEFAULT_CIPHERS: Final = (AES_128_GCM_SHA256, AES_256_GCM_SHA384, CHACHA20_POLY1305_SHA256)

ONLY_TLS_1_3: Final = extensions.encode_client_versions((TLS_1_3,))
WITH_KEY_EXCHANGE: Final = vector8(bytes((PSK_DHE_KE,)))
# PKCS #1 v1.5 stands for certificates only; TLS 1.3 messages are never signed with it (RFC 8446 §4.2.3).
DEFAULT_SIGNATURES: Final = (
    ECDSA_SECP256R1_SHA256,
    RSA_PSS_RSAE_SHA256,
    ED25519,
    ECDSA_SECP384R1_SHA384,
    RSA_PSS_RSAE_SHA384,
    ECDSA_SECP521R1_SHA512,
    RSA_PSS_RSAE_SHA512,
    RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512,
)


@final
class HelloRetry(Value):
    """What a HelloRetryRequest asked for, and the first ClientHello as it was sent."""

    __slots__ = ("cookie", "first_hello", "group")

    def __init__(self, group: int | None, cookie: bytes | None, first_hello: bytes) -> None:
        self.group: Final = group
        self.cookie: Final = cookie
        self.first_hello: Final = first_hello


class EchRole(Enum):
    """What a ClientHello is to encrypted ClientHello, RFC 9849 §3."""

    GREASE = "grease"
    INNER = "inner"
    OUTER = "outer"


@final
class EchOffer(Value):
    """The encrypted_client_hello a ClientHello has to carry: a builder puts ``body`` where it likes, as it is.

    With ``EchRole.OUTER`` the handshake fills in the payload afterwards, and ``HelloContext`` has the public name, a
    session that means nothing, and all transport parameters, which a builder may reduce.
    """

    __slots__ = ("body", "role")
    HIDDEN = ("body",)

    def __init__(self, role: EchRole, body: bytes) -> None:
        self.role: Final = role
        self.body: Final = body


@final
class HelloContext(Value):
    """What is known when a ClientHello is built.

    ``early_data`` is set only together with a ``session`` that permits it. ``groups`` is the configured order.
    """

    __slots__ = (
        "alpn",
        "certificate_compression",
        "ciphers",
        "early_data",
        "ech",
        "groups",
        "key_shares",
        "random",
        "retry",
        "server_name",
        "session",
        "transport_parameters",
        "wall_clock",
    )
    HIDDEN = (
        "transport_parameters",
        "random",
    )

    def __init__(
        self,
        *,
        server_name: str | None,
        alpn: tuple[str, ...],
        transport_parameters: bytes,
        groups: tuple[int, ...],
        random: Callable[[int], bytes],
        key_shares: KeyShares,
        wall_clock: float = 0.0,
        ciphers: tuple[int, ...] = DEFAULT_CIPHERS,
        retry: HelloRetry | None = None,
        session: Session | None = None,
        early_data: bool = False,
        certificate_compression: tuple[int, ...] = (),
        ech: EchOffer | None = None,
    ) -> None:
        self.server_name: Final = server_name
        self.alpn: Final = alpn
        self.transport_parameters: Final = transport_parameters
        self.groups: Final = groups
        self.random: Final = random
        self.key_shares: Final = key_shares
        self.wall_clock: Final = wall_clock
        self.ciphers: Final = ciphers
        self.retry: Final = retry
        self.session: Final = session
        self.early_data: Final = early_data
        self.certificate_compression: Final = certificate_compression
        self.ech: Final = ech

    def changed(self, **changes: Any) -> HelloContext:
        """The same but for some fields."""
        return HelloContext(**{name: getattr(self, name) for name in self.__slots__} | changes)

    def pre_shared_key(self) -> bytes:
        """Body of pre_shared_key for the session, with binders of zeros for the handshake to fill in.

        RFC 8446 §4.2.11.

        Raises:
            ValueError: there is no session.
        """
        if self.session is None:
            raise ValueError("no session to resume")
        identity = vector16(self.session.ticket)
        identity += obfuscated_age(self.session, self.wall_clock).to_bytes(4, "big")
        return vector16(identity) + vector16(vector8(bytes(self.session.binder_size)))


@final
class HelloDraft(Value):
    """A ClientHello as it will appear; the order of ``extensions`` is the order on the wire.

    pre_shared_key must be last.
    """

    __slots__ = ("cipher_suites", "compression", "extensions", "legacy_version", "random", "session_id")

    def __init__(
        self,
        *,
        random: bytes,
        cipher_suites: list[int],
        extensions: list[tuple[int, bytes]],
        legacy_version: int = TLS_1_2,
        session_id: bytes = b"",
        compression: bytes = b"\0",
    ) -> None:
        self.random = random
        self.cipher_suites = cipher_suites
        self.extensions = extensions
        self.legacy_version = legacy_version
        self.session_id = session_id
        self.compression = compression

    def encode(self) -> bytes:
        """The handshake message with its 4-byte header."""
        return message(
            CLIENT_HELLO,
            self.legacy_version.to_bytes(2, "big")
            + self.random
            + vector8(self.session_id)
            + uint16_list(self.cipher_suites)
            + vector8(self.compression)
            + extensions.encode(self.extensions),
        )


class ClientHelloBuilder(Protocol):
    """Decides what a ClientHello looks like.

    Called once per ClientHello: again, with ``context.retry``, after a HelloRetryRequest. The second hello must keep
    random, session ID, suites and the order of all else, RFC 8446 §4.1.2. With encrypted ClientHello it is called for
    the inner and for the outer one.
    """

    def build(self, context: HelloContext) -> HelloDraft:
        """The ClientHello for ``context``."""
        ...


@final
class DefaultHello(Value):
    """The plain ClientHello of this stack: a fixed order, key shares for ``share_groups``."""

    __slots__ = ("share_groups", "signatures")

    def __init__(
        self,
        *,
        signatures: tuple[int, ...] = DEFAULT_SIGNATURES,
        share_groups: tuple[int, ...] = (X25519MLKEM768, X25519),
    ) -> None:
        self.signatures: Final = signatures
        self.share_groups: Final = share_groups

    def build(self, context: HelloContext) -> HelloDraft:
        """The ClientHello for ``context``."""
        retry = context.retry
        if retry is not None and retry.group is not None:
            shares: tuple[int, ...] = (retry.group,)
        else:
            shares = tuple([group for group in context.groups if group in self.share_groups])[:2]
            shares = shares or context.groups[:1]
        entries: list[tuple[int, bytes]] = []
        if context.server_name is not None and extensions.is_host_name(context.server_name):
            entries.append((EXT_SERVER_NAME, extensions.encode_server_name(context.server_name)))
        entries.append((EXT_SUPPORTED_VERSIONS, ONLY_TLS_1_3))
        entries.append((EXT_SUPPORTED_GROUPS, uint16_list(context.groups)))
        entries.append((EXT_SIGNATURE_ALGORITHMS, uint16_list(self.signatures)))
        if context.alpn:
            entries.append((EXT_ALPN, extensions.encode_alpn(context.alpn)))
        entries.append(
            (
                EXT_KEY_SHARE,
                extensions.encode_client_shares(
                    [(group, context.key_shares.public(group)) for group in shares]
                ),
            )
        )
        entries.append((EXT_PSK_KEY_EXCHANGE_MODES, WITH_KEY_EXCHANGE))
        if context.certificate_compression:
            algorithms = b"".join([value.to_bytes(2, "big") for value in context.certificate_compression])
            entries.append((EXT_COMPRESS_CERTIFICATE, vector8(algorithms)))
        parameters = context.transport_parameters
        if context.ech is not None and context.ech.role is EchRole.OUTER:
            from .outer_parameters import reduced_parameters

            parameters = reduced_parameters(parameters)
        entries.append((EXT_QUIC_TRANSPORT_PARAMETERS, parameters))
        if context.ech is not None:
            entries.append((EXT_ENCRYPTED_CLIENT_HELLO, context.ech.body))
        if retry is not None and retry.cookie is not None:
            entries.append((EXT_COOKIE, vector16(retry.cookie)))
        if context.session is not None:
            if context.early_data:
                entries.append((EXT_EARLY_DATA, b""))
            entries.append((EXT_PRE_SHARED_KEY, context.pre_shared_key()))
        # RFC 8446 §4.1.2: the second hello repeats the random of the first.
        random = context.random(32) if retry is None else retry.first_hello[6:38]
        return HelloDraft(random=random, cipher_suites=list(context.ciphers), extensions=entries)
