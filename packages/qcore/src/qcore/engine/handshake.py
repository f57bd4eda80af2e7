"""CRYPTO frames on one side, the TLS handshake on the other.

Feeds ordered bytes of each level to `qtls`, queues what it answers, and turns an alert into the transport error
that carries it. RFC 9001 §4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol, final

from qtls.constants import Level
from qtls.errors import LocalAlert
from qtls.events import SendCrypto, TlsEvent
from qwire.constants import FRAME_CRYPTO, INTERNAL_ERROR
from qwire.frames import CryptoFrame

from ..crypto_stream import CryptoStream
from ..errors import CertificateError, FlightError, TransportError, caused
from ..packet_space import PacketSpace
from ..packing.initial_flight import FlightReason
from ..spaces import APPLICATION, HANDSHAKE, INITIAL

# By space; members of an Enum of another package are looked up once.
LEVELS: Final = [Level.INITIAL, Level.HANDSHAKE, Level.APPLICATION]
INITIAL_LEVEL: Final = Level.INITIAL
APPLICATION_LEVEL: Final = Level.APPLICATION
SPACES: Final = {Level.INITIAL: INITIAL, Level.HANDSHAKE: HANDSHAKE, Level.APPLICATION: APPLICATION}

# bad_certificate to unknown_ca, and certificate_required: RFC 8446 §6.2.
CERTIFICATE_ALERTS: Final = frozenset({42, 43, 44, 45, 46, 48, 116})
# What connections share that hold no tickets back: nobody may put anything into it.
NO_TICKETS: Final[list[bytes]] = []


# Has a ClientHello laid out: why, its bytes, and their offset in the CRYPTO stream.
LayOut = Callable[[FlightReason, bytes, int], None]


class TlsHandshake(Protocol):
    """What `qtls` offers on both sides.

    Attributes:
        wall_clock: Unix time, which tickets and certificates are judged by.
        client_hello: the ClientHello as it was sent, for whoever wants to see it while the handshake lasts.
    """

    wall_clock: float
    client_hello: bytes

    def receive(self, level: Level, data: bytes) -> list[TlsEvent]: ...

    def export(self, label: bytes, context: bytes, size: int) -> bytes: ...

    def set_version(self, quic_version: int) -> None: ...


@final
class Handshake:
    """Drives one TLS handshake over the CRYPTO streams of the three spaces.

    Attributes:
        is_complete: RFC 9001 §4.1.1: TLS has sent its Finished and verified the peer's.
        holds_tickets: server: tickets wait for `release_tickets`.
        lay_out: client: what shapes a second ClientHello, when HelloRetryRequest asks for one.
        wall_offset: Unix time minus the clock of the connection.
    """

    __slots__ = ("_held", "holds_tickets", "is_complete", "lay_out", "spaces", "tls", "wall_offset")

    def __init__(self, tls: TlsHandshake, spaces: Sequence[PacketSpace]) -> None:
        self.tls = tls
        self.spaces = spaces
        self.is_complete = False
        self.holds_tickets = False
        self._held = NO_TICKETS
        self.lay_out: LayOut | None = None
        self.wall_offset: float | None = None

    def set_time(self, now: float) -> None:
        """Tell TLS the time: a ticket counts its age from when it comes, which may be long after the start."""
        if self.wall_offset is not None:
            self.tls.wall_clock = now + self.wall_offset

    def receive(self, space: int, frame: CryptoFrame) -> list[TlsEvent]:
        """Take a CRYPTO frame; what TLS wants to send is queued, everything else is returned.

        Raises:
            TransportError: CRYPTO_BUFFER_EXCEEDED, or what the alert stands for: CRYPTO_ERROR with it, most often.
        """
        data = self.spaces[space].crypto.receive(frame)
        if not data:
            return []
        try:
            events = self.tls.receive(LEVELS[space], data)
        except LocalAlert as alert:
            raise caused(alert_error(alert), alert) from alert
        except TransportError:
            raise
        except Exception as error:
            raise caused(configuration_error(error), error) from error
        return self.queue(events)

    def queue(self, events: list[TlsEvent]) -> list[TlsEvent]:
        """Put what is to be sent into the streams; the rest, in order."""
        others: list[TlsEvent] = []
        for event in events:
            if isinstance(event, SendCrypto):
                level = event.level
                if self.holds_tickets and level is APPLICATION_LEVEL:
                    self._held = [*self._held, event.data]
                    continue
                stream = self.spaces[SPACES[level]].crypto
                base = stream.sent_size
                stream.send(event.data)
                if base and level is INITIAL_LEVEL and self.lay_out is not None:
                    self._lay_out_again(self.lay_out, stream, base, event.data)
            else:
                others.append(event)
        return others

    def release(self) -> None:
        """The handshake is confirmed: let go of what it alone needs."""
        self.tls.client_hello = b""
        self.lay_out = None

    @property
    def has_tickets(self) -> bool:
        """Whether tickets wait to be released."""
        return bool(self._held)

    def release_tickets(self) -> None:
        """Send the tickets that wait."""
        for data in self._held:
            self.spaces[APPLICATION].crypto.send(data)
        self._held = NO_TICKETS
        self.holds_tickets = False

    def _lay_out_again(self, lay_out: LayOut, stream: CryptoStream, base: int, hello: bytes) -> None:
        """A second ClientHello, which follows the first one in the same stream. RFC 8446 §4.1.2."""
        stream.settle(base)  # HelloRetryRequest answers all of the first
        try:
            lay_out(FlightReason.SECOND_HELLO, hello, base)
        except FlightError as error:
            raise caused(TransportError(INTERNAL_ERROR, None, str(error)), error) from error


def configuration_error(error: Exception) -> TransportError:
    """What a callback of the configuration raises ends its connection, and no other one."""
    # The peer is told no more than the kind of error; the application finds the whole of it as the cause.
    reason = f"{type(error).__name__} in the TLS configuration"
    return TransportError(INTERNAL_ERROR, FRAME_CRYPTO, reason)


def alert_error(alert: LocalAlert) -> TransportError:
    """The transport error that tells the peer of an alert. RFC 9001 §4.8."""
    kind = CertificateError if alert.description in CERTIFICATE_ALERTS else TransportError
    return kind(alert.quic_error, FRAME_CRYPTO, alert.reason)
