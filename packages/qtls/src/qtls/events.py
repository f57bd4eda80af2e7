"""What a handshake tells its connection.

``receive`` and ``start`` return lists of these, in the order in which they must be obeyed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from .constants import Level, group_name, suite_name
from .protection import Opener, Sealer
from .resumption import Session

if TYPE_CHECKING:
    from cryptography import x509

__all__ = [
    "ClientHelloReceived",
    "EarlyData",
    "HandshakeDone",
    "KeysInstalled",
    "NewSession",
    "PeerParameters",
    "SendCrypto",
    "TlsEvent",
    "TlsInfo",
]


@dataclass(frozen=True, slots=True)
class SendCrypto:
    """Handshake bytes to be sent in CRYPTO frames of a level, after those sent there before."""

    level: Level
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeysInstalled:
    """Packet keys of a level; None for a direction that is not available yet, or was installed before."""

    level: Level
    sealer: Sealer | None
    opener: Opener | None


@dataclass(frozen=True, slots=True)
class PeerParameters:
    """Body of the peer's quic_transport_parameters. RFC 9001 §8.2: authenticated only once the handshake is done."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ClientHelloReceived:
    """A server has read a whole ClientHello; ``raw`` is the handshake message."""

    server_name: str | None
    alpn: tuple[str, ...]
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class EarlyData:
    """Whether the server takes 0-RTT; comes only if the client offered it."""

    accepted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsInfo:
    """What was negotiated."""

    alpn: str | None
    cipher_suite: int
    group: int
    server_name: str | None
    peer_certificates: tuple[x509.Certificate, ...] = ()
    resumed: bool = False
    early_accepted: bool = False
    ech_accepted: bool = False
    signature_scheme: int | None = None
    ocsp_response: bytes | None = field(default=None, repr=False)
    application_settings: bytes | None = field(default=None, repr=False)
    version: str = "TLSv1.3"

    @property
    def cipher_suite_name(self) -> str:
        """Name as in the IANA registry."""
        return suite_name(self.cipher_suite)

    @property
    def group_name(self) -> str:
        """Name as in the IANA registry."""
        return group_name(self.group)


@dataclass(frozen=True, slots=True)
class HandshakeDone:
    """The handshake is complete: a client has emitted its Finished, a server has checked the client's."""

    info: TlsInfo


@dataclass(frozen=True, slots=True)
class NewSession:
    """A client got a ticket."""

    session: Session


TlsEvent: TypeAlias = (
    SendCrypto | KeysInstalled | PeerParameters | ClientHelloReceived | EarlyData | HandshakeDone | NewSession
)
