"""What a handshake tells its connection.

``receive`` and ``start`` return lists of these, in the order in which they must be obeyed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias, final

from .constants import Level, group_name, suite_name
from .protection import Opener, Sealer
from .resumption import Session
from .values import Value

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


@final
class SendCrypto(Value):
    """Handshake bytes to be sent in CRYPTO frames of a level, after those sent there before."""

    __slots__ = ("data", "level")
    HIDDEN = ("data",)

    def __init__(self, level: Level, data: bytes) -> None:
        self.level: Final = level
        self.data: Final = data


@final
class KeysInstalled(Value):
    """Packet keys of a level; None for a direction that is not available yet, or was installed before."""

    __slots__ = ("level", "opener", "sealer")

    def __init__(self, level: Level, sealer: Sealer | None, opener: Opener | None) -> None:
        self.level: Final = level
        self.sealer: Final = sealer
        self.opener: Final = opener


@final
class PeerParameters(Value):
    """Body of the peer's quic_transport_parameters. RFC 9001 §8.2: authenticated only once the handshake is done."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data: Final = data


@final
class ClientHelloReceived(Value):
    """A server has read a whole ClientHello; ``raw`` is the handshake message."""

    __slots__ = ("alpn", "raw", "server_name")
    HIDDEN = ("raw",)

    def __init__(self, server_name: str | None, alpn: tuple[str, ...], raw: bytes) -> None:
        self.server_name: Final = server_name
        self.alpn: Final = alpn
        self.raw: Final = raw


@final
class EarlyData(Value):
    """Whether the server takes 0-RTT; comes only if the client offered it."""

    __slots__ = ("accepted",)

    def __init__(self, accepted: bool) -> None:
        self.accepted: Final = accepted


@final
class TlsInfo(Value):
    """What was negotiated."""

    __slots__ = (
        "alpn",
        "application_settings",
        "cipher_suite",
        "early_accepted",
        "ech_accepted",
        "group",
        "ocsp_response",
        "peer_certificates",
        "resumed",
        "server_name",
        "signature_scheme",
        "version",
    )
    HIDDEN = (
        "ocsp_response",
        "application_settings",
    )

    def __init__(
        self,
        *,
        alpn: str | None,
        cipher_suite: int,
        group: int,
        server_name: str | None,
        peer_certificates: tuple[x509.Certificate, ...] = (),
        resumed: bool = False,
        early_accepted: bool = False,
        ech_accepted: bool = False,
        signature_scheme: int | None = None,
        ocsp_response: bytes | None = None,
        application_settings: bytes | None = None,
        version: str = "TLSv1.3",
    ) -> None:
        self.alpn: Final = alpn
        self.cipher_suite: Final = cipher_suite
        self.group: Final = group
        self.server_name: Final = server_name
        self.peer_certificates: Final = peer_certificates
        self.resumed: Final = resumed
        self.early_accepted: Final = early_accepted
        self.ech_accepted: Final = ech_accepted
        self.signature_scheme: Final = signature_scheme
        self.ocsp_response: Final = ocsp_response
        self.application_settings: Final = application_settings
        self.version: Final = version

    @property
    def cipher_suite_name(self) -> str:
        """Name as in the IANA registry."""
        return suite_name(self.cipher_suite)

    @property
    def group_name(self) -> str:
        """Name as in the IANA registry."""
        return group_name(self.group)


@final
class HandshakeDone(Value):
    """The handshake is complete: a client has emitted its Finished, a server has checked the client's."""

    __slots__ = ("info",)

    def __init__(self, info: TlsInfo) -> None:
        self.info: Final = info


@final
class NewSession(Value):
    """A client got a ticket."""

    __slots__ = ("session",)

    def __init__(self, session: Session) -> None:
        self.session: Final = session


TlsEvent: TypeAlias = (
    SendCrypto | KeysInstalled | PeerParameters | ClientHelloReceived | EarlyData | HandshakeDone | NewSession
)
