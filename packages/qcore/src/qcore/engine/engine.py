"""One QUIC connection without I/O.

`QuicEngine` is an assembly: it passes datagrams, timeouts and verbs on to its parts, and turns a violation into a
close. Whoever drives it calls `receive` and `handle_timeout` for input, and `transmit`, `next_timeout` and
`events` for output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, final

from qtls.config import ClientTLS, ServerTLS
from qtls.resumption import Session
from qwire.constants import (
    INTERNAL_ERROR,
    NO_ERROR,
    NO_VIABLE_PATH,
)

from ..batch import Address, Datagram, SendBatch
from ..config import QuicConfig
from ..errors import (
    ApplicationError,
    ConnectionRefused,
    FlightError,
    HandshakeTimeout,
    IdleTimeout,
    QuicError,
    TransportError,
)
from ..events import Event
from ..ids.generator import ConnectionIdGenerator
from ..observer import Observer
from ..spaces import APPLICATION, INITIAL
from .acknowledgements import Acknowledgements
from .closing import Closing
from .deadlines import gather
from .ending import Ending
from .intake import Intake
from .lifecycle import Lifecycle, State
from .mobility import Mobility
from .opening import FirstInitial, Opening, open_client, open_server
from .progress import ConnectionInfo, Progress, TokenMaker
from .restart import Restart
from .sending import Transmitter
from .timers import TimerTable, is_due

if TYPE_CHECKING:
    from ..stats import ConnectionStats
    from .reports import Reports


@final
class QuicEngine:
    """A connection, made by `client` or `server`.

    Attributes:
        is_client: which side this is.
        parts: what it consists of, for those who look after its connection IDs.
        observer: who watches it, for layers above that have more to tell.
        paths: verbs about network paths.
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
        self.observer = observer
        self._observer: Observer | None = None
        self._reports: Reports | None = None
        if observer is not None:
            from . import guard, reports  # most connections are not watched

            self._observer = guard.Guard(observer)
            self._reports = reports.Reports(parts, self._observer)
        parts.packer.writer.observer = parts.recovery.observer = self._observer
        self._negotiation = opening.negotiation
        self._lifecycle = Lifecycle()
        self._timers = TimerTable()
        self._started = now
        silence = config.initial.habits.silence_limit if parts.is_client else 0.0
        patience = min(silence, config.handshake_timeout) if silence else config.handshake_timeout
        self._timers.handshake = now + patience
        self._progress = Progress(parts, opening.negotiation, self._lifecycle, self._observer, new_token)
        self._acknowledgements = acknowledgements = Acknowledgements(parts)
        self._transmitter = Transmitter(parts, acknowledgements)
        self._restart = Restart(parts, opening.negotiation, opening.restart_tls, self._observer)
        self._ending = Ending(parts, self._lifecycle, self._timers, self._observer)
        self.paths = Mobility(
            parts,
            config,
            negotiation=opening.negotiation,
            lifecycle=self._lifecycle,
            progress=self._progress,
            observer=self._observer,
        )
        self._intake = Intake(
            parts,
            acknowledgements,
            negotiation=opening.negotiation,
            lifecycle=self._lifecycle,
            progress=self._progress,
            mobility=self.paths,
            restart=self._restart,
            ending=self._ending,
            observer=self._observer,
        )
        self._now = now  # the latest time that was told, for verbs, which have no clock
        self._sent_count = 0
        self._sent_size = 0
        if self._reports is not None:
            self._reports.start(opening.negotiation, now)
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
        session_key: str | None = None,
        generator: ConnectionIdGenerator,
        reset_token: Callable[[bytes], bytes],
        now: float,
        wall_clock: float,
        observer: Observer | None = None,
    ) -> QuicEngine:
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
            session_key=session_key,
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
    ) -> QuicEngine:
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
        return self._ending.ended.error if self._ending.ended is not None else None

    @property
    def address(self) -> Address:
        """Where the peer is."""
        return self.parts.paths.active.address

    @property
    def max_datagram_size(self) -> int:
        """The most that `send_datagram` takes; 0 when datagrams are not available.

        Who asks wants to send some, so the search for a larger path MTU begins.
        """
        self.parts.want_larger()
        return self.parts.datagrams.max_size

    # Input

    def receive(self, datagrams: Sequence[Datagram], now: float, *, settles: bool = False) -> None:
        """Take datagrams that arrived together.

        Args:
            settles: `settle` will be called, so that what changes nothing about the answer can wait for it.
        """
        self._now = now
        state = self._lifecycle.state
        if state is not State.CLOSED and state is not State.DRAINING:
            self._intake.receive(datagrams, now, settles)
            if self._reports is not None:
                self._reports.keys(now)

    def settle(self, now: float) -> bool:
        """Do what `receive` has put off, once the answer has left; whether there is more to send because of it."""
        return self._acknowledgements.is_waiting and self._lifecycle.is_open and self._intake.settle(now)

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

    # Time

    def next_timeout(self) -> float:
        """When `handle_timeout` wants to be called; `math.inf` for never."""
        if self._lifecycle.is_open:
            if self._acknowledgements.is_waiting:
                self._intake.settle(self._now)
            gather(self._timers, self.parts, self._lifecycle, self._transmitter, self._progress)
        return self._timers.next()

    def handle_timeout(self, now: float) -> None:
        """Do what is due; call `transmit` afterwards."""
        self._now = now
        self.next_timeout()
        table, parts = self._timers, self.parts
        if is_due(table.end, now):
            self._ending.handle_timeout(now)
        elif not self._lifecycle.is_open:
            return
        elif is_due(table.idle, now):
            self._ending.abandon(IdleTimeout(f"nothing was heard for {parts.idle.timeout:g} s"), now)
        elif is_due(table.handshake, now):
            self._give_up(now)
        else:
            self._handle_parts(now)

    def _give_up(self, now: float) -> None:
        """The handshake has lasted too long, or nobody was there at all."""
        deadline = self._started + self.config.handshake_timeout
        if self._intake.has_heard and now < deadline:
            self._timers.handshake = deadline
            return
        elapsed = now - self._started
        error = HandshakeTimeout(f"the handshake was not complete after {elapsed:.6g} s")
        reason = self.config.initial.habits.silence_reason
        if not reason or self._intake.has_heard:
            self._ending.abandon(error, now)
            return
        closing = Closing(NO_ERROR, reason.replace("{us}", str(round(elapsed * 1_000_000))), False)
        closing.error = error
        self._ending.close(closing, now)

    def _handle_parts(self, now: float) -> None:
        table, parts = self._timers, self.parts
        if is_due(table.loss, now):
            parts.handle_loss_timeout(now)
        if is_due(table.ack, now):
            for space in parts.spaces:
                space.received.handle_timeout(now)
        if is_due(table.keep_alive, now):
            parts.control.ping()
            parts.idle.on_keep_alive(now)
        if is_due(table.path, now):
            self.paths.handle_timeout(now)
            if parts.paths.is_lost:  # RFC 9000 §9.3.2: silently
                reason = "the peer has left its address, and answers at no other"
                self._ending.abandon(TransportError(NO_VIABLE_PATH, None, reason), now)
                return
        phases = parts.spaces[APPLICATION].phases
        if is_due(table.keys, now):
            self._progress.handle_timeout(now)
            if phases is not None:
                phases.handle_timeout(now)
        # A larger MTU is looked for in the pass that follows, and not before.
        self._transmitter.last_pass = now

    # Output

    def transmit(self, now: float, batch: SendBatch) -> int:
        """Add what may be sent to the batch; returns the number of datagrams. Call again when it was filled."""
        self._now = now
        before = batch.count
        size = batch.size
        if self._lifecycle.is_open:
            packer = self.parts.packer
            if self.is_client and not self._lifecycle.is_confirmed:
                packer.checks_certificate = not self._progress.info.resumed
            try:
                self._transmitter.transmit(now, batch)
                if self._progress.has_tickets and self.parts.flow.sent:
                    self._progress.release_tickets()
                    self._transmitter.transmit(now, batch)
            except FlightError as error:
                self._ending.fail(TransportError(INTERNAL_ERROR, None, str(error)), now)
            except TransportError as error:
                self._ending.fail(error, now)
            self._after_sending(now)
            if self._reports is not None:
                self._reports.keys(now)
        if not self._lifecycle.is_open:
            frames = self._ending.take_frames(now)
            if frames is not None:
                self._transmitter.transmit_close(now, batch, frames)
        count = batch.count - before
        if count:
            self._sent_count += count
            self._sent_size += batch.size - size
            if self._observer is not None:
                self._observer.datagrams_sent(now, count, batch.size - size)
        return count

    def _after_sending(self, now: float) -> None:
        transmitter = self._transmitter
        self.parts.idle.on_sent(now, transmitter.sent_ack_eliciting)
        if transmitter.sent_handshake and self.is_client and not self.parts.spaces[INITIAL].is_discarded:
            self._progress.discard(INITIAL, now)  # RFC 9001 §4.9.1

    def events(self) -> list[Event]:
        """What happened since the last call, in order; `ConnectionEnded` is the last one ever."""
        progress, parts = self._progress, self.parts
        events = progress.events
        progress.events = []
        if parts.streams.events:
            events += parts.streams.drain_events()
        if parts.datagrams.has_events:
            events += parts.datagrams.drain_events()
        ended = None if self._lifecycle.is_open else self._ending.take_event()
        if ended is not None:
            events.append(ended)
        return events

    def omit_events(self, *, opened: bool = False, finished: bool = False) -> None:
        """Make no `StreamOpened`, or no `StreamFinished`, for who does nothing about them."""
        self.parts.streams.omit_events(opened, finished)

    # Verbs of the application

    def open_stream(self, bidirectional: bool = True) -> int:
        """Open a stream; returns its ID.

        Raises:
            StreamLimitReached: the peer allows no more now; `StreamsAvailable` follows.
            ConnectionClosed: the connection is over.
        """
        self._lifecycle.require_open()
        return self.parts.streams.open(bidirectional)

    def send(self, stream_id: int, data: bytes, fin: bool = False) -> None:
        """Queue data, all of it, and with `fin` the end of the stream; `send_capacity` says how much is reasonable."""
        self._lifecycle.require_open()
        self.parts.streams.send(stream_id, data, fin)

    def send_capacity(self, stream_id: int) -> int:
        """Bytes that fit into the send buffer; at 0 or less wait for `StreamWritable`."""
        return self.parts.streams.send_capacity(stream_id)

    def read(self, stream_id: int, n: int = -1) -> tuple[bytes, bool]:
        """Take up to `n` bytes that have arrived in order, and whether the stream ends with them.

        What arrived before the connection ended can still be read.
        """
        return self.parts.streams.read(stream_id, n)

    def reset(self, stream_id: int, code: int, reliable_size: int = 0) -> None:
        """Abandon the sending side of a stream, but for its first bytes (RESET_STREAM, RESET_STREAM_AT)."""
        self._lifecycle.require_open()
        self.parts.streams.reset(stream_id, code, reliable_size)

    def stop_sending(self, stream_id: int, code: int) -> None:
        """Ask the peer to stop (STOP_SENDING); what arrives is thrown away."""
        self._lifecycle.require_open()
        self.parts.streams.stop_sending(stream_id, code)

    def set_priority(self, stream_id: int, urgency: int, incremental: bool) -> None:
        """Say when a stream is sent: urgency 0 before 7; of one urgency incremental ones in turn, others by number."""
        self.parts.streams.set_priority(stream_id, urgency, incremental)

    def send_datagram(self, data: bytes) -> bool:
        """Queue an unreliable datagram; False when the queue is full.

        Raises:
            DatagramsUnavailable: the peer takes none, or none of this size.
        """
        self._lifecycle.require_open()
        is_queued = self.parts.datagrams.send(data)
        self.parts.want_larger()
        return is_queued

    def ping(self) -> None:
        """Have the peer acknowledge something."""
        self._lifecycle.require_open()
        self.parts.control.ping()

    def update_keys(self) -> bool:
        """Change the 1-RTT keys; False while RFC 9001 §6.1 forbids it."""
        self._lifecycle.require_open()
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
            self._ending.close(closing, self._now)

    def refuse(self, error: OSError, now: float) -> None:
        """The network says that nobody is there; believed only before the peer was heard. RFC 9000 §14.2.1."""
        if self.is_client and not self._intake.has_heard and self._lifecycle.is_open:
            self._ending.abandon(
                ConnectionRefused(f"nothing listens at {self.address[0]} port {self.address[1]}"),
                now,
            )

    def rest(self) -> None:
        """Take less memory, since there was nothing to do for a while; whatever comes next takes some us longer."""
        phases = self.parts.spaces[APPLICATION].phases
        if phases is not None and self.is_confirmed:
            phases.rest()
            self.parts.recovery.rest()

    def stats(self) -> ConnectionStats:
        """Numbers of the connection as of now."""
        from .summary import stats_of  # of no use to most connections

        sent = (self._sent_count, self._sent_size)
        return stats_of(self.parts, sent, (self._intake.count, self._intake.size))
