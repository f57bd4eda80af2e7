"""CRYPTO frames on one side, the TLS handshake on the other.

Feeds ordered bytes of each level to `qtls`, queues what it answers, and turns an alert into the transport error
that carries it. RFC 9001 §4.
"""

from collections.abc import Sequence
from typing import Final, Protocol, final

from qtls.constants import Level
from qtls.errors import LocalAlert
from qtls.events import SendCrypto, TlsEvent
from qwire.constants import CRYPTO_ERROR, FRAME_CRYPTO
from qwire.frames import CryptoFrame

from ..crypto_stream import CryptoStream
from ..errors import CertificateError, TransportError
from ..spaces import APPLICATION, HANDSHAKE, INITIAL

LEVELS: Final = (Level.INITIAL, Level.HANDSHAKE, Level.APPLICATION)
SPACES: Final = {Level.INITIAL: INITIAL, Level.HANDSHAKE: HANDSHAKE, Level.APPLICATION: APPLICATION}

# bad_certificate to unknown_ca, and certificate_required: RFC 8446 §6.2.
CERTIFICATE_ALERTS: Final = frozenset({42, 43, 44, 45, 46, 48, 116})


class TlsHandshake(Protocol):
    """What `qtls` offers on both sides."""

    def receive(self, level: Level, data: bytes) -> list[TlsEvent]: ...

    def export(self, label: bytes, context: bytes, size: int) -> bytes: ...

    def set_version(self, quic_version: int) -> None: ...


@final
class Handshake:
    """Drives one TLS handshake over the CRYPTO streams of the three spaces."""

    __slots__ = ("is_complete", "streams", "tls")

    def __init__(self, tls: TlsHandshake, streams: Sequence[CryptoStream]) -> None:
        self.tls = tls
        self.streams = streams
        self.is_complete = False

    def receive(self, space: int, frame: CryptoFrame) -> list[TlsEvent]:
        """Take a CRYPTO frame; what TLS wants to send is queued, everything else is returned.

        Raises:
            TransportError: CRYPTO_BUFFER_EXCEEDED, or CRYPTO_ERROR with the alert.
        """
        data = self.streams[space].receive(frame)
        if not data:
            return []
        try:
            events = self.tls.receive(LEVELS[space], data)
        except LocalAlert as alert:
            raise alert_error(alert) from alert
        return self.queue(events)

    def queue(self, events: list[TlsEvent]) -> list[TlsEvent]:
        """Put what is to be sent into the streams; the rest, in order."""
        others: list[TlsEvent] = []
        for event in events:
            if isinstance(event, SendCrypto):
                self.streams[SPACES[event.level]].send(event.data)
            else:
                others.append(event)
        return others


def alert_error(alert: LocalAlert) -> TransportError:
    """The transport error that tells the peer of an alert. RFC 9001 §4.8."""
    kind = CertificateError if alert.description in CERTIFICATE_ALERTS else TransportError
    return kind(CRYPTO_ERROR + alert.description, FRAME_CRYPTO, alert.reason)
