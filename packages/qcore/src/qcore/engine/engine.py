"""One QUIC connection without I/O.

`QuicEngine` is an assembly: it passes datagrams, timeouts and verbs on to its parts, and turns a violation into a
close. Whoever drives it calls `receive` and `handle_timeout` for input, and `transmit`, `next_timeout` and
`events` for output.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final, final

from qtls.config import ClientTLS, ServerTLS
from qtls.resumption import Session
from qwire.constants import (
    FRAME_ENCODING_ERROR,
    INTERNAL_ERROR,
    PROTOCOL_VIOLATION,
    PacketType,
)
from qwire.errors import DecodeError, ForbiddenFrame
from qwire.frames import Frame, parse_frames
from qwire.headers import long_packet_type
from qwire.unprotected import reset_token_of

from ..batch import Address, Datagram, SendBatch
from ..config import QuicConfig
from ..errors import (
    ApplicationError,
    ConnectionClosed,
    ConnectionRefused,
    FlightError,
    HandshakeTimeout,
    IdleTimeout,
    QuicError,
    StatelessReset,
    TransportError,
    VersionMismatch,
)
from ..events import ConnectionEnded, Event, TokenReceived
from ..ids.generator import ConnectionIdGenerator
from ..observer import Observer
from ..paths.migration import Migration
from ..paths.mtu import MtuDiscovery
from ..paths.path import Path
from ..spaces import APPLICATION, HANDSHAKE, INITIAL
from ..stats import ConnectionStats
from . import timers
from .closing import Closing, error_from_peer
from .dispatch import FrameDispatcher
from .guard import Guard
from .lifecycle import Lifecycle, State, Step
from .opening import FirstInitial, Opening, open_client, open_server
from .progress import ConnectionInfo, Progress, TokenMaker
from .receiving import OpenedPacket
from .restart import Outcome, Restart
from .sending import Transmitter

# RFC 9000 §10.3: no stateless reset is shorter.
SMALLEST_RESET: Final = 21


@final
class QuicEngine:
    """A connection, made by `client` or `server`.

    Attributes:
        is_client: which side this is.
        parts: what it consists of, for those who look after its connection IDs.
    """

    def __init__(
        self,
        opening: Opening,
        config: QuicConfig,
        now: float,
        observer: Observer | None,
        new_token: TokenMaker | None = None,
    ) -> None:
        parts = opening.parts
        self.is_client = parts.is_client
        self.config = config
        self.parts = parts
        self._observer = Guard(observer) if observer is not None else None
        parts.packer.observer = parts.recovery.observer = self._observer
        self._negotiation = opening.negotiation
        self._lifecycle = Lifecycle()
        self._timers = timers.TimerTable()
        self._timers.set(timers.HANDSHAKE, now + config.handshake_timeout)
        self._progress = Progress(parts, opening.negotiation, self._lifecycle, self._observer, new_token)
        self._dispatcher = FrameDispatcher(parts, parts.is_client)
        self._transmitter = Transmitter(parts)
        self._restart = Restart(parts, opening.negotiation, opening.restart_tls, self._observer)
        self._closing: Closing | None = None
        self._ended: ConnectionEnded | None = None
        self._is_end_told = False
        self._was_confirmed = False
        self._has_heard = False
        self._counts = [0, 0, 0, 0]  # datagrams and bytes sent, datagrams and bytes received
        self._report_start(now)
        self._progress.obey(opening.tls_events, now)

    @classmethod
    def client(
        cls,
        *,
        address: Address,
        tls: ClientTLS,
        config: QuicConfig,
        server_name: str | None,
        session: Session | None = None,
        generator: ConnectionIdGenerator,
        reset_token: Callable[[bytes], bytes],
        now: float,
        wall_clock: float,
        observer: Observer | None = None,
    ) -> "QuicEngine":
        """Start a connection; the next `transmit` gives its first flight.

        Raises:
            FlightError: the layout in the configuration does not fit the ClientHello.
        """
        opening = open_client(
            address=address,
            tls=tls,
            config=config,
            server_name=server_name,
            session=session,
            generator=generator,
            reset_token=reset_token,
            now=now,
            wall_clock=wall_clock,
        )
        return cls(opening, config, now, observer)

    @classmethod
    def server(
        cls,
        first: FirstInitial,
        *,
        address: Address,
        tls: ServerTLS,
        config: QuicConfig,
        generator: ConnectionIdGenerator,
        reset_token: Callable[[bytes], bytes],
        now: float,
        wall_clock: float,
        new_token: TokenMaker | None = None,
        observer: Observer | None = None,
    ) -> "QuicEngine":
        """Answer a connection; its first datagram still has to be given to `receive`."""
        answer: list[Callable[[bytes], bytes]] = []
        opening = open_server(
            first,
            address=address,
            tls=tls,
            config=config,
            generator=generator,
            reset_token=reset_token,
            now=now,
            wall_clock=wall_clock,
            on_client_parameters=lambda data: answer[0](data),
        )
        engine = cls(opening, config, now, observer, new_token)
        answer.append(lambda data: engine._on_client_parameters(data, now, reset_token))
        return engine

    # State

    @property
    def info(self) -> ConnectionInfo:
        """What the handshake settled so far."""
        return self._progress.info

    @property
    def is_established(self) -> bool:
        """The handshake is complete and the connection open."""
        return self._lifecycle.is_established

    @property
    def is_confirmed(self) -> bool:
        return self._lifecycle.is_confirmed

    @property
    def is_closed(self) -> bool:
        """Nothing can be sent or read any more."""
        return not self._lifecycle.is_open

    @property
    def is_terminated(self) -> bool:
        """The closing period is over; the engine can be forgotten."""
        return self._lifecycle.state is State.CLOSED

    @property
    def can_send_early(self) -> bool:
        """0-RTT data can be sent now."""
        return self.parts.spaces[APPLICATION].early_sealer is not None

    @property
    def error(self) -> QuicError | None:
        """Why the connection ended."""
        return self._ended.error if self._ended is not None else None

    @property
    def address(self) -> Address:
        """Where the peer is."""
        return self.parts.paths.active.address

    @property
    def max_datagram_size(self) -> int:
        """The most that `send_datagram` takes; 0 when datagrams are not available."""
        return self.parts.datagrams.max_size

    # Input

    def receive(self, datagrams: Sequence[Datagram], now: float) -> None:
        """Take datagrams that arrived together."""
        state = self._lifecycle.state
        if state is State.CLOSED or state is State.DRAINING:
            return
        parts = self.parts
        parts.receiver.prepare(datagrams)
        size = 0
        for index, datagram in enumerate(datagrams):
            data = datagram.data
            size += len(data)
            path = parts.paths.on_datagram(datagram.address, len(data))
            if path is None:
                self._drop(now, "unknown address", len(data))
            elif data:
                self._receive_datagram(datagram, index, path, now)
        self._counts[2] += len(datagrams)
        self._counts[3] += size
        if self._observer is not None:
            self._observer.datagrams_received(now, len(datagrams), size)

    def _receive_datagram(self, datagram: Datagram, index: int, path: Path, now: float) -> None:
        if self._closing is not None:
            self._receive_while_closing(datagram, now)
            return
        if self.is_client and not self._has_heard:
            outcome = self._restart.receive(datagram.data, now)
            if outcome is Outcome.HOPELESS:
                offered = ", ".join(f"0x{version:x}" for version in self._restart.offered)
                self._end(VersionMismatch(f"the server speaks none of our versions, only {offered}"), now)
            if outcome is not None:
                return
        try:
            self._receive_packets(datagram, index, path, now)
            waiting = self.parts.receiver.waiting
            if waiting and self._can_open_waiting(waiting[0]):
                for earlier in self.parts.receiver.take_waiting():
                    self._receive_packets(earlier, -1, path, now)
        except TransportError as error:
            self._fail(error, now)

    def _receive_packets(self, datagram: Datagram, index: int, path: Path, now: float) -> None:
        parts = self.parts
        receiver = parts.receiver
        size = len(datagram.data)
        position = 0
        while position < size and self._lifecycle.is_open:
            start = position
            packet, position = receiver.open_next(
                datagram, start, index, now, parts.pto(), parts.recovery.next_packet_number(APPLICATION)
            )
            if receiver.changed_version is not None:
                packet, position = self._open_in_version(
                    receiver.changed_version, datagram, start, index, now
                )
            if packet is not None:
                self._receive_packet(packet, datagram, path, now)
            elif receiver.drop_reason:
                if self._is_stateless_reset(datagram.data):
                    self._end(StatelessReset("the peer has lost the state of this connection"), now)
                    return
                self._drop(now, receiver.drop_reason, position - start)
            elif self._observer is not None:
                self._observer.packet_buffered(now, position - start)

    def _receive_packet(self, packet: OpenedPacket, datagram: Datagram, path: Path, now: float) -> None:
        parts = self.parts
        space = parts.spaces[packet.space]
        number = packet.packet_number
        if space.received.is_duplicate(number):
            self._drop(now, "duplicate", packet.size)
            return
        frames = _parse(packet)
        header = packet.header
        destination_cid = (
            datagram.data[1 : 1 + parts.receiver.cid_size] if header is None else header.destination_cid
        )
        if self._observer is not None:
            self._observer.packet_received(
                now,
                packet.packet_type,
                number,
                packet.size,
                frames,
                destination_cid,
                header.source_cid if header is not None else b"",
            )
        if header is not None:
            self._on_long_header(packet, now)
        is_newest = number > space.largest_received
        if is_newest:
            space.largest_received = number
        dispatcher = self._dispatcher
        dispatcher.dispatch(packet, frames, path, destination_cid, now)
        space.received.on_received(number, dispatcher.ack_eliciting, now, datagram.ecn)
        parts.idle.on_received(now)
        if dispatcher.tls_events:
            events, dispatcher.tls_events = dispatcher.tls_events, []
            self._progress.obey(events, now)
        if header is None:
            self._on_short_header(packet, path, is_newest, now)
        if dispatcher.close is not None:
            self._on_peer_close(now)

    def _on_long_header(self, packet: OpenedPacket, now: float) -> None:
        """The first packet of a server gives the client its connection ID; a Handshake packet proves the client."""
        parts = self.parts
        header = packet.header
        if header is None:
            return
        if self.is_client:
            if not self._has_heard:
                self._has_heard = True
                parts.receiver.is_version_change_allowed = False
                self._negotiation.peer_cid = header.source_cid
                parts.remote_ids.replace_first(header.source_cid)
                parts.packer.destination_cid = header.source_cid
        elif packet.packet_type is PacketType.HANDSHAKE:
            self._progress.on_handshake_packet(now)

    def _on_short_header(self, packet: OpenedPacket, path: Path, is_newest: bool, now: float) -> None:
        parts = self.parts
        dispatcher = self._dispatcher
        if is_newest:
            # RFC 9000 §17.4: the client turns the spin bit, the server reflects it.
            parts.packer.spin = packet.spin != self.is_client
        if dispatcher.handshake_done:
            dispatcher.handshake_done = False
            self._progress.confirm(now)
        if dispatcher.tokens:
            self._progress.events += [TokenReceived(token) for token in dispatcher.tokens]
            dispatcher.tokens.clear()
        if path is not parts.paths.active:
            migration = parts.paths.on_packet(
                path,
                is_probing=dispatcher.is_probing,
                is_newest=is_newest,
                confirmed=self._lifecycle.is_confirmed and self.config.migration,
                now=now,
                pto=parts.pto(),
            )
            self._on_migration(migration, now)
        parts.packer.destination_cid = parts.remote_ids.current_cid

    def _open_in_version(
        self, version: int, datagram: Datagram, start: int, index: int, now: float
    ) -> tuple[OpenedPacket | None, int]:
        """Client: the server may answer in a compatible version, which its first genuine packet proves."""
        parts = self.parts
        receiver = parts.receiver
        before = self._negotiation.version
        receiver.changed_version = None
        self._restart.use_version(version)
        number = parts.recovery.next_packet_number(APPLICATION)
        packet, position = receiver.open_next(datagram, start, index, now, parts.pto(), number)
        if packet is None:
            self._restart.use_version(before)
        else:
            self._restart.change_version(version, now)
        return packet, position

    def _on_client_parameters(self, data: bytes, now: float, reset_token: Callable[[bytes], bytes]) -> bytes:
        """Server: the ClientHello is read; obey the client's parameters and give ours."""
        negotiation = self._negotiation
        self._progress.on_peer_parameters(data, now)
        if negotiation.version != negotiation.original_version:
            self._restart.change_version(negotiation.version, now)
        parameters = negotiation.local_parameters(reset_token(negotiation.local_cid))
        if self._observer is not None:
            self._observer.parameters_set(now, True, parameters)
        return parameters.encode()

    def _can_open_waiting(self, datagram: Datagram) -> bool:
        """Whether the keys that a kept packet waits for have come."""
        parts = self.parts
        first = datagram.data[0]
        if not first & 0x80:
            return parts.spaces[APPLICATION].can_open_application
        if long_packet_type(first, parts.receiver.version) is PacketType.HANDSHAKE:
            return parts.spaces[HANDSHAKE].opener is not None
        return parts.spaces[APPLICATION].early_opener is not None

    def _is_stateless_reset(self, data: bytes) -> bool:
        return len(data) >= SMALLEST_RESET and self.parts.remote_ids.is_reset_token(reset_token_of(data))

    # Time

    def next_timeout(self) -> float:
        """When `handle_timeout` wants to be called; `math.inf` for never."""
        parts, table = self.parts, self._timers
        if self._lifecycle.is_open:
            pto = parts.pto()
            table.set(timers.IDLE, parts.idle.deadline(pto))
            table.set(
                timers.KEEP_ALIVE, parts.idle.keep_alive_deadline() if self.is_established else math.inf
            )
            table.set(timers.LOSS, parts.recovery.next_timeout())
            table.set(timers.ACK, min([space.received.deadline for space in parts.spaces]))
            table.set(timers.PACING, self._transmitter.pacing_deadline)
            table.set(timers.PATH, parts.paths.next_timeout())
            phases = parts.spaces[APPLICATION].phases
            table.set(timers.KEYS, phases.deadline if phases is not None else math.inf)
            mtu = parts.paths.active.mtu
            # A probe that was due and did not go waits for an ACK to make room, not for the clock.
            waits = mtu is None or not self.is_confirmed or mtu.deadline <= self._transmitter.last_pass
            table.set(timers.MTU, math.inf if waits or mtu is None else mtu.deadline)
            if self.is_established:
                table.clear(timers.HANDSHAKE)
        return table.next()

    def handle_timeout(self, now: float) -> None:
        """Do what is due; call `transmit` afterwards."""
        self.next_timeout()
        table, parts = self._timers, self.parts
        if table.is_due(timers.END, now):
            self._step(Step.PERIOD_OVER, now)
            table.clear_all()
        elif not self._lifecycle.is_open:
            return
        elif table.is_due(timers.IDLE, now):
            self._end(IdleTimeout(f"nothing was heard for {parts.idle.timeout:g} s"), now)
        elif table.is_due(timers.HANDSHAKE, now):
            timeout = self.config.handshake_timeout
            self._end(HandshakeTimeout(f"the handshake was not complete after {timeout:g} s"), now)
        else:
            self._handle_parts(now)

    def _handle_parts(self, now: float) -> None:
        table, parts = self._timers, self.parts
        if table.is_due(timers.LOSS, now):
            before = parts.recovery.pto_count
            parts.recovery.handle_timeout(now)
            mtu = parts.paths.active.mtu
            if (
                parts.recovery.pto_count > before
                and mtu is not None
                and mtu.on_pto(parts.recovery.pto_count, now)
            ):
                parts.recovery.set_datagram_size(mtu.current)
        if table.is_due(timers.ACK, now):
            for space in parts.spaces:
                space.received.handle_timeout(now)
        if table.is_due(timers.KEEP_ALIVE, now):
            parts.control.ping()
        if table.is_due(timers.PATH, now):
            self._on_migration(parts.paths.handle_timeout(now), now)
        phases = parts.spaces[APPLICATION].phases
        if phases is not None and table.is_due(timers.KEYS, now):
            phases.handle_timeout(now)

    # Output

    def transmit(self, now: float, batch: SendBatch) -> int:
        """Add what may be sent to the batch; returns the number of datagrams. Call again when it was filled."""
        before = batch.count
        size = batch.size
        if self._closing is not None:
            self._transmit_close(now, batch)
        elif self._lifecycle.is_open:
            try:
                self._transmitter.transmit(now, batch)
            except FlightError as error:
                self._fail(TransportError(INTERNAL_ERROR, None, str(error)), now)
            except TransportError as error:
                self._fail(error, now)
            self._after_sending(now)
        count = batch.count - before
        if count:
            self._counts[0] += count
            self._counts[1] += batch.size - size
            if self._observer is not None:
                self._observer.datagrams_sent(now, count, batch.size - size)
        return count

    def _after_sending(self, now: float) -> None:
        transmitter = self._transmitter
        self.parts.idle.on_sent(now, transmitter.sent_ack_eliciting)
        if transmitter.sent_handshake and self.is_client and not self.parts.spaces[INITIAL].is_discarded:
            self._progress.discard(INITIAL, now)  # RFC 9001 §4.9.1

    def _transmit_close(self, now: float, batch: SendBatch) -> None:
        closing = self._closing
        if closing is not None and closing.is_pending:
            closing.is_pending = False
            has_keys = self.parts.spaces[APPLICATION].phases is not None and (
                self.is_client or self.is_established
            )
            self._transmitter.transmit_close(now, batch, closing.frames(self._was_confirmed, has_keys))

    def events(self) -> list[Event]:
        """What happened since the last call, in order; `ConnectionEnded` is the last one ever."""
        progress, parts = self._progress, self.parts
        events = progress.events
        progress.events = []
        if parts.streams.has_events:
            events += parts.streams.drain_events()
        events += parts.datagrams.drain_events()
        if self._ended is not None and not self._is_end_told:
            self._is_end_told = True
            events.append(self._ended)
        return events

    # Verbs of the application

    def open_stream(self, bidirectional: bool = True) -> int:
        """Open a stream; returns its ID.

        Raises:
            StreamLimitReached: the peer allows no more now; `StreamsAvailable` follows.
            ConnectionClosed: the connection is over.
        """
        self._require_open()
        return self.parts.streams.open(bidirectional)

    def send(self, stream_id: int, data: bytes, fin: bool = False) -> None:
        """Queue data, all of it, and with `fin` the end of the stream; `send_capacity` says how much is reasonable."""
        self._require_open()
        self.parts.streams.send(stream_id, data, fin)

    def send_capacity(self, stream_id: int) -> int:
        """Bytes that fit into the send buffer; at 0 or less wait for `StreamWritable`."""
        return self.parts.streams.send_capacity(stream_id)

    def read(self, stream_id: int, n: int = -1) -> tuple[bytes, bool]:
        """Take up to `n` bytes that have arrived in order, and whether the stream ends with them.

        What arrived before the connection ended can still be read.
        """
        return self.parts.streams.read(stream_id, n)

    def reset(self, stream_id: int, code: int) -> None:
        """Abandon the sending side of a stream (RESET_STREAM)."""
        self._require_open()
        self.parts.streams.reset(stream_id, code)

    def stop_sending(self, stream_id: int, code: int) -> None:
        """Ask the peer to stop (STOP_SENDING); what arrives is thrown away."""
        self._require_open()
        self.parts.streams.stop_sending(stream_id, code)

    def send_datagram(self, data: bytes) -> bool:
        """Queue an unreliable datagram; False when the queue is full.

        Raises:
            DatagramsUnavailable: the peer takes none, or none of this size.
        """
        self._require_open()
        return self.parts.datagrams.send(data)

    def ping(self) -> None:
        """Have the peer acknowledge something."""
        self._require_open()
        self.parts.control.ping()

    def update_keys(self) -> bool:
        """Change the 1-RTT keys; False while RFC 9001 §6.1 forbids it."""
        self._require_open()
        phases = self.parts.spaces[APPLICATION].phases
        if phases is None or not self.is_confirmed or not phases.can_update:
            return False
        phases.update(self.parts.recovery.next_packet_number(APPLICATION))
        return True

    def export(self, label: bytes, context: bytes, size: int) -> bytes:
        """Keying material from the TLS handshake, RFC 8446 §7.5."""
        return self.parts.handshake.tls.export(label, context, size)

    def close(self, code: int = 0, reason: str = "", *, application: bool = True) -> None:
        """End the connection; a second call changes nothing."""
        if self._lifecycle.is_open:
            closing = Closing(code, reason, application)
            if code:
                closing.error = (
                    ApplicationError(code, reason, is_local=True)
                    if application
                    else TransportError(code, None, reason)
                )
            self._close(closing, self.parts.idle.last_activity)

    def refuse(self, error: OSError, now: float) -> None:
        """The network says that nobody is there; believed only before the peer was heard. RFC 9000 §14.2.1."""
        if self.is_client and not self._has_heard and self._lifecycle.is_open:
            self._end(
                ConnectionRefused(
                    error.errno, f"nothing listens at {self.address[0]} port {self.address[1]}"
                ),
                now,
            )

    def stats(self) -> ConnectionStats:
        """Numbers of the connection as of now."""
        recovery, counts = self.parts.recovery, self._counts
        rtt, mtu = recovery.rtt, self.parts.paths.active.mtu
        return ConnectionStats(
            smoothed_rtt=rtt.smoothed,
            minimum_rtt=rtt.minimum,
            latest_rtt=rtt.latest,
            rtt_variance=rtt.variance,
            congestion_window=recovery.congestion.window,
            bytes_in_flight=recovery.bytes_in_flight,
            datagrams_sent=counts[0],
            bytes_sent=counts[1],
            datagrams_received=counts[2],
            bytes_received=counts[3],
            packets_lost=recovery.lost_count,
            packets_spurious=recovery.spurious_count,
            datagram_size=mtu.current if mtu is not None else self.parts.base_size,
            ecn_capable=recovery.ecn_codepoint() != 0,
            open_streams=self.parts.streams.open_count,
        )

    def _require_open(self) -> None:
        if not self._lifecycle.is_open:
            raise ConnectionClosed("the connection is closed")

    # The end

    def _fail(self, error: TransportError, now: float) -> None:
        """A violation was seen: tell the peer and the application."""
        if self._lifecycle.is_open:
            self._close(Closing.of(error), now)

    def _close(self, closing: Closing, now: float) -> None:
        self._was_confirmed = self._lifecycle.is_confirmed
        self._closing = closing
        self._step(Step.LOCAL_CLOSE, now)
        self._finish(closing.error, True, now, 3 * self.parts.pto())
        if self._observer is not None:
            self._observer.connection_closed(now, True, closing.code, closing.is_application, closing.reason)

    def _on_peer_close(self, now: float) -> None:
        frame = self._dispatcher.close
        if frame is None or not self._lifecycle.allows(Step.PEER_CLOSE):
            return
        self._step(Step.PEER_CLOSE, now)
        self._closing = None
        self._finish(error_from_peer(frame), False, now, 3 * self.parts.pto())
        if self._observer is not None:
            reason = frame.reason.decode("utf-8", "replace")
            self._observer.connection_closed(now, False, frame.error_code, frame.application, reason)

    def _receive_while_closing(self, datagram: Datagram, now: float) -> None:
        """RFC 9000 §10.2.1: repeat the close now and then, and hear only the peer's own close."""
        closing = self._closing
        if closing is not None:
            closing.on_received()

    def _end(self, error: QuicError, now: float) -> None:
        """The connection is over and nothing is sent any more."""
        self._step(Step.ABANDON, now)
        self._finish(error, True, now, 0.0)
        if self._observer is not None:
            self._observer.connection_closed(now, True, None, False, str(error))

    def _finish(self, error: QuicError | None, is_local: bool, now: float, linger: float) -> None:
        self._timers.clear_all()
        if linger:
            self._timers.set(timers.END, now + linger)
        if self._ended is None:
            self._ended = ConnectionEnded(error, is_local)

    # Small things

    def _on_migration(self, migration: Migration | None, now: float) -> None:
        """Another path is active: RFC 9000 §9.4 wants new estimates when the address is another."""
        if migration is None:
            return
        parts = self.parts
        if migration.path.mtu is None:
            migration.path.mtu = MtuDiscovery(
                base=parts.base_size, ceiling=self.config.max_udp_payload, enabled=self.config.pmtud
            )
        if migration.address_changed:
            parts.recovery.on_path_changed(now)
        parts.recovery.set_datagram_size(migration.path.mtu.current)

    def _step(self, step: Step, now: float) -> None:
        old, new = self._lifecycle.advance(step)
        if self._observer is not None:
            self._observer.connection_state(now, old.value, new.value)

    def _drop(self, now: float, reason: str, size: int) -> None:
        if self._observer is not None:
            self._observer.packet_dropped(now, reason, size)

    def _report_start(self, now: float) -> None:
        if self._observer is not None:
            parts, negotiation = self.parts, self._negotiation
            self._observer.connection_started(
                now,
                self.is_client,
                negotiation.local_cid,
                parts.packer.destination_cid,
                negotiation.version,
                parts.paths.active.address,
            )
            if self.is_client:
                self._observer.parameters_set(now, True, parts.parameters)


def _parse(packet: OpenedPacket) -> list[Frame]:
    """The frames of a packet.

    Raises:
        TransportError: FRAME_ENCODING_ERROR, PROTOCOL_VIOLATION.
    """
    try:
        frames = parse_frames(packet.payload, packet.packet_type)
    except ForbiddenFrame as error:
        raise TransportError(PROTOCOL_VIOLATION, error.frame_type, error.reason) from error
    except DecodeError as error:
        raise TransportError(FRAME_ENCODING_ERROR, error.frame_type, error.reason) from error
    if not frames:  # RFC 9000 §12.4
        raise TransportError(PROTOCOL_VIOLATION, None, "a packet without frames")
    return frames
