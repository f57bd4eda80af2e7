"""The handshake as the connection sees it: keys come, peers prove themselves, keys go.

Obeys what TLS reports, and takes the steps of RFC 9001 §4: installing keys, obeying the peer's parameters,
completing and confirming the handshake, discarding keys.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, final

from qtls.constants import Level
from qtls.events import EarlyData, HandshakeDone, KeysInstalled, NewSession, PeerParameters, TlsEvent, TlsInfo
from qtls.protection import Opener, Sealer
from qwire.transport_parameters import TransportParameters

from ..batch import Address
from ..events import (
    EarlyDataDecided,
    Event,
    HandshakeCompleted,
    HandshakeConfirmed,
    PreferredAddressOffered,
    SessionReceived,
)
from ..key_phases import KeyPhases
from ..observer import Observer
from ..paths.path import Path
from ..spaces import APPLICATION, HANDSHAKE, INITIAL, NAMES
from .lifecycle import Lifecycle, Step
from .negotiation import Negotiation
from .parts import Parts

# Makes an address validation token for a client's next connection: RFC 9000 §8.1.3.
TokenMaker = Callable[[Address], bytes]
# Seconds that an application which has not sent anything holds up the tickets. neqo keeps a ticket together with the
# SETTINGS of HTTP/3, and throws away one that comes before them.
TICKET_DELAY: Final = 0.05
# Looked up once, as members of an Enum of another package.
HANDSHAKE_LEVEL: Final = Level.HANDSHAKE
EARLY_LEVEL: Final = Level.EARLY
LEVEL_NAMES: Final = {
    Level.INITIAL: "initial",
    Level.EARLY: "0rtt",
    Level.HANDSHAKE: "handshake",
    Level.APPLICATION: "1rtt",
}


@final
class ConnectionInfo:
    """What the handshake settled; filled in as it goes.

    Attributes:
        version: the QUIC version in use.
        datagrams: the peer takes DATAGRAM frames.
        reset_stream_at: the peer takes RESET_STREAM_AT.
        peer_parameters: the peer's transport parameters, or None before they are known.
        tls: everything TLS has to tell, or None before the handshake is complete.
    """

    __slots__ = ("datagrams", "peer_parameters", "reset_stream_at", "tls", "version")

    def __init__(self, version: int) -> None:
        self.version = version
        self.datagrams = False
        self.reset_stream_at = False
        self.peer_parameters: TransportParameters | None = None
        self.tls: TlsInfo | None = None

    @property
    def alpn(self) -> str | None:
        """The protocol of the application."""
        return None if self.tls is None else self.tls.alpn

    @property
    def resumed(self) -> bool:
        """Whether the handshake resumed a session."""
        return self.tls is not None and self.tls.resumed

    @property
    def early_accepted(self) -> bool:
        """Whether the server took 0-RTT data."""
        return self.tls is not None and self.tls.early_accepted

    @property
    def server_name(self) -> str | None:
        """The name that the client asked for."""
        return None if self.tls is None else self.tls.server_name

    @property
    def peer_certificates(self) -> tuple[object, ...]:
        """The peer's chain, leaf first; empty without one."""
        return () if self.tls is None else self.tls.peer_certificates

    @property
    def cipher_suite(self) -> str | None:
        """The name of the cipher suite."""
        return None if self.tls is None else self.tls.cipher_suite_name

    @property
    def group(self) -> str | None:
        """The name of the group of the key exchange."""
        return None if self.tls is None else self.tls.group_name


@final
class Progress:
    """Takes a connection through its handshake.

    Attributes:
        deadline: when `handle_timeout` wants to be called; `math.inf` for never.
        has_tickets: server: tickets wait for the application to speak first.
        events: for the application, until the engine collects them.
        info: what is settled so far.
    """

    __slots__ = (
        "_early_deadline",
        "_is_early_rejected",
        "_lifecycle",
        "_negotiation",
        "_new_token",
        "_observer",
        "_opener",
        "_parts",
        "_sealer",
        "_ticket_deadline",
        "deadline",
        "events",
        "has_tickets",
        "info",
    )

    def __init__(
        self,
        parts: Parts,
        negotiation: Negotiation,
        lifecycle: Lifecycle,
        observer: Observer | None,
        new_token: TokenMaker | None,
    ) -> None:
        self.deadline = math.inf
        self.has_tickets = False
        self._early_deadline = math.inf
        self._ticket_deadline = math.inf
        self.events: list[Event] = []
        self.info = ConnectionInfo(negotiation.version)
        self._parts = parts
        self._negotiation = negotiation
        self._lifecycle = lifecycle
        self._observer = observer
        self._new_token = new_token
        self._sealer: Sealer | None = None
        self._opener: Opener | None = None
        self._is_early_rejected = False

    def obey(self, tls_events: list[TlsEvent], now: float) -> None:
        """Do what TLS says, in order.

        Raises:
            TransportError: the peer's transport parameters are wrong.
        """
        for event in tls_events:
            if isinstance(event, KeysInstalled):
                self._install(event, now)
            elif isinstance(event, PeerParameters):
                if self._parts.is_client:
                    self._on_peer_parameters(self._negotiation.read_peer(event.data), now)
            elif isinstance(event, HandshakeDone):
                self._complete(event, now)
            elif isinstance(event, EarlyData):
                if self._parts.is_client:
                    self._on_early_data(event.accepted)
            elif isinstance(event, NewSession):
                self.events.append(SessionReceived(event.session))

    def on_peer_parameters(self, data: bytes, now: float) -> TransportParameters:
        """Server: read the client's parameters, which its own depend on, and obey them at once."""
        parameters = self._negotiation.read_peer(data)
        self._on_peer_parameters(parameters, now)
        self._negotiation.apply(self._parts)
        return parameters

    def _on_peer_parameters(self, parameters: TransportParameters, now: float) -> None:
        self.info.peer_parameters = parameters
        self.info.datagrams = parameters.max_datagram_frame_size > 0
        self.info.reset_stream_at = parameters.reset_stream_at
        self.info.version = self._negotiation.version
        if self._observer is not None:
            self._observer.parameters_set(now, False, parameters)

    def _install(self, event: KeysInstalled, now: float) -> None:
        parts = self._parts
        application = parts.spaces[APPLICATION]
        if self._observer is not None:
            name = LEVEL_NAMES[event.level]
            self._observer.keys_installed(now, name, event.sealer is not None, event.opener is not None)
        level, sealer, opener = event.level, event.sealer, event.opener
        if level is HANDSHAKE_LEVEL:
            space = parts.spaces[HANDSHAKE]
            space.sealer = sealer or space.sealer
            space.opener = opener or space.opener
            parts.recovery.set_handshake_keys()
            if not parts.is_client and application.early_opener is None:
                parts.receiver.end_early()  # the ClientHello is answered, and 0-RTT not taken
            # RFC 9369 §4.1: until its ServerHello a server may still speak the version of the first flight.
            parts.receiver.is_version_change_allowed = False
        elif level is EARLY_LEVEL:
            application.early_sealer = sealer
            application.early_opener = opener
        else:
            self._sealer = sealer or self._sealer
            self._opener = opener or self._opener
            application.sealer = self._sealer if self._opener is None else None
            if self._sealer is not None and self._opener is not None and application.phases is None:
                application.phases = KeyPhases(
                    self._sealer, self._opener, self._negotiation.config.key_update_interval
                )
                application.early_sealer = None  # RFC 9001 §4.9.3

    def _complete(self, event: HandshakeDone, now: float) -> None:
        parts, info = self._parts, event.info
        self.info.tls = info
        if parts.is_client:
            if self._is_early_rejected:
                # Only now, so that new streams can take the place of those that are gone.
                parts.streams.reject_early_data()
                self.events.append(EarlyDataDecided(False))
            self._negotiation.apply(parts)
        elif parts.spaces[APPLICATION].early_opener is not None:
            # RFC 9001 §4.9.3: packets that were overtaken may still come.
            self._early_deadline = now + 3 * parts.pto()
        parts.handshake.is_complete = True
        parts.spaces[APPLICATION].can_open_application = True
        self._step(Step.HANDSHAKE_COMPLETE, now)
        if self._observer is not None:
            self._observer.alpn_chosen(now, info.alpn)
        self.events.append(HandshakeCompleted(info.alpn, info.resumed, info.early_accepted))
        parts.local_ids.issue()
        if not parts.is_client:
            self._hold_tickets(now)
            parts.control.handshake_done()
            if self._new_token is not None:
                parts.control.new_token(self._new_token(parts.paths.active.address))
            self.confirm(now)

    def confirm(self, now: float) -> None:
        """The handshake is confirmed: Handshake keys go, and the path is explored. RFC 9001 §4.1.2."""
        parts = self._parts
        if self._lifecycle.is_confirmed:
            return
        self._step(Step.HANDSHAKE_CONFIRMED, now)
        parts.recovery.set_handshake_confirmed()
        self.discard(INITIAL, now)
        self.discard(HANDSHAKE, now)
        wish = self._negotiation.config.ack_frequency
        if wish is not None:
            parts.ack_frequency.ask(wish.threshold, wish.max_delay, wish.reordering)
        parts.paths.on_confirmed(now, parts.pto())
        mtu = parts.paths.active.mtu
        if mtu is not None:
            mtu.permit(now)
        self.events.append(HandshakeConfirmed())
        peer = self._negotiation.peer
        if peer is not None and peer.preferred_address is not None and self._negotiation.config.migration:
            from ..paths.preferred import choose  # few servers offer one

            address = choose(peer.preferred_address, parts.paths.active.address)
            if address is not None and address != parts.paths.active.address:
                self.events.append(PreferredAddressOffered(address))
        parts.handshake.release()
        if peer is not None:
            peer.condense()  # everything has been obeyed, and few ask again

    def on_handshake_packet(self, path: Path, now: float) -> None:
        """Server: a Handshake packet proves the client's address and ends the Initial space. RFC 9001 §4.9.1."""
        parts = self._parts
        if not parts.spaces[INITIAL].is_discarded:
            parts.paths.on_handshake_packet(path)
            self.discard(INITIAL, now)

    def discard(self, space: int, now: float) -> None:
        """Drop the keys of a space."""
        if self._parts.discard(space) and self._observer is not None:
            self._observer.keys_discarded(now, NAMES[space])

    def handle_timeout(self, now: float) -> None:
        """Server: drop the keys of 0-RTT packets, and send tickets, when their time has come."""
        if self._ticket_deadline <= now:
            self.release_tickets()
        if self._early_deadline <= now:
            self._early_deadline = math.inf
            self._parts.receiver.end_early()
            if self._observer is not None:
                self._observer.keys_discarded(now, LEVEL_NAMES[Level.EARLY])
        self.deadline = min(self._early_deadline, self._ticket_deadline)

    def _hold_tickets(self, now: float) -> None:
        """Have the application speak before the tickets, unless it has nothing to say or has spoken."""
        parts = self._parts
        if parts.handshake.has_tickets:
            self.has_tickets = True
            self._ticket_deadline = now + TICKET_DELAY
        if parts.flow.sent:
            self.release_tickets()
        self.deadline = min(self._early_deadline, self._ticket_deadline)

    def release_tickets(self) -> None:
        """Server: send the tickets now."""
        self.has_tickets = False
        self._ticket_deadline = math.inf
        self.deadline = self._early_deadline
        self._parts.handshake.release_tickets()

    def _on_early_data(self, accepted: bool) -> None:
        if accepted:
            self.events.append(EarlyDataDecided(True))
        else:
            self.reject_early_data()

    def reject_early_data(self) -> None:
        """Client: 0-RTT packets count as never sent; nothing goes out until the handshake is complete.

        RFC 9001 §4.6.2. The application hears of it then, when it can do everything again.
        """
        parts = self._parts
        application = parts.spaces[APPLICATION]
        if application.early_sealer is not None:
            application.early_sealer = None
            parts.recovery.requeue_all(APPLICATION)
            self._negotiation.remembered = None
            self._is_early_rejected = True

    def _step(self, step: Step, now: float) -> None:
        old, new = self._lifecycle.advance(step)
        if self._observer is not None:
            self._observer.connection_state(now, old.value, new.value)
