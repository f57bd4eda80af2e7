"""What the two sides say to each other about the connection, not about one request.

Owns the unidirectional streams of both sides and what travels on them: SETTINGS, GOAWAY, PRIORITY_UPDATE and the two
halves of QPACK, which all requests share. RFC 9114 §6.2, §7.2; RFC 9204 §4.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from qhttp3 import frames
from qhttp3.config import H3Config, StreamKind
from qhttp3.control_stream import ControlFrame, ControlStream, Goaway, PriorityUpdate
from qhttp3.errors import H3_CLOSED_CRITICAL_STREAM, H3_EXCESSIVE_LOAD, ConnectionViolation, UsageError
from qhttp3.events import Field, GoawayReceived, H3Event, PriorityUpdated, SettingsReceived
from qhttp3.qpack import Decoder, Encoder
from qhttp3.settings import H3Settings, check_resumed
from qhttp3.transport import StreamTransport, is_request_stream
from qhttp3.uni_streams import LocalStreams, PeerStreams

if TYPE_CHECKING:
    from qhttp3.observer import Observer
    from qhttp3.session_streams import SessionStreams


class ControlPlane:
    """The connection-wide half of an engine.

    Attributes:
        encoder, decoder: QPACK, for the requests.
        used_encoder, used_decoder: the same once there are some.
        peer_settings: The peer's SETTINGS once they are here.
        usable_settings: the same, or those remembered until then.
        goaway_sent, goaway_received: The last identifiers, -1 before any.
    """

    __slots__ = (
        "_change_priority",
        "_config",
        "_control",
        "_emit",
        "_is_client",
        "_is_started",
        "_observer",
        "_peer",
        "_remembered",
        "goaway_received",
        "goaway_sent",
        "local",
        "peer_settings",
        "usable_settings",
        "used_decoder",
        "used_encoder",
    )

    def __init__(
        self,
        transport: StreamTransport,
        is_client: bool,
        config: H3Config,
        emit: Callable[[H3Event], None],
        observer: Observer | None,
        remembered: H3Settings | None,
        sessions: SessionStreams | None,
        change_priority: Callable[[int, bytes], None] | None,
    ) -> None:
        self._is_client = is_client
        self._change_priority = change_priority
        self._config = config
        self._emit = emit
        self._observer = observer
        self._remembered = remembered
        self._is_started = False
        self.peer_settings: H3Settings | None = None
        self.usable_settings = remembered
        self.goaway_sent = -1
        self.goaway_received = -1
        # Both are made for the first request, or for the first instruction of the peer.
        self.used_encoder: Encoder | None = None
        self.used_decoder: Decoder | None = None
        self.local = LocalStreams(transport, config, observer, goes_first=not is_client)
        self._peer = PeerStreams(transport, is_client, observer, sessions)
        self._control = ControlStream(is_client, observer)
        if remembered is not None:
            self._use_limits(remembered)

    @property
    def encoder(self) -> Encoder:
        """What encodes our fields, with the peer's limits."""
        encoder = self.used_encoder
        if encoder is None:
            encoder = self.used_encoder = Encoder(self._config.qpack)
            settings = self.usable_settings
            if settings is not None:
                encoder.set_limits(settings.qpack_max_table_capacity, settings.qpack_blocked_streams)
        return encoder

    @property
    def decoder(self) -> Decoder:
        """What decodes the peer's fields, with our limits."""
        decoder = self.used_decoder
        if decoder is None:
            config = self._config
            settings = config.settings
            limit = settings.max_field_section_size
            decoder = self.used_decoder = Decoder(
                settings.qpack_max_table_capacity,
                settings.qpack_blocked_streams,
                config.max_field_section_size if limit is None else limit,
                config.max_fields,
                acknowledgments_together=config.acknowledgments_together,
            )
        return decoder

    def replace_transport(self, transport: StreamTransport) -> None:
        """Use another transport from now on."""
        self.local.transport = self._peer.transport = transport

    # Sending

    def start(self) -> None:
        """Open our streams, SETTINGS first; call again when the transport has more streams."""
        if self.local.is_open():
            return
        settings = self._config.settings
        if not self._is_started:
            self._is_started = True
            if self._observer is not None:
                self._observer.parameters_set(True, settings.pairs())
        payload = settings.encode()
        reserved = self._config.control_frames
        behind = b"".join([frame.encode() for frame in reserved])
        if self.local.open(frames.frame(frames.SETTINGS, payload) + behind):
            self._report(frames.SETTINGS, len(payload))
            for frame in reserved:
                self._report(frame.type, len(frame.payload))
            self._send_instructions()

    @property
    def is_started(self) -> bool:
        """Whether `start` was called."""
        return self._is_started

    def send_goaway(self, identifier: int) -> None:
        """Send GOAWAY.

        Raises:
            UsageError: it would take back an earlier one, or names no request.
        """
        if 0 <= self.goaway_sent < identifier:
            raise UsageError(f"GOAWAY {identifier} after {self.goaway_sent}")
        if not self._is_client and not is_request_stream(identifier):
            raise UsageError(f"stream {identifier} is no request")
        self.goaway_sent = identifier
        if self._observer is not None:
            self._observer.goaway_sent(identifier)
        self._write(frames.GOAWAY, identifier)

    def announce(self, stream_id: int, fields: Sequence[Field], priority: bytes | None) -> None:
        """A request is about to be sent: tell its priority ahead, where it is given or our settings want it told."""
        value = priority
        if value is None and self._config.priority_update is not None:
            value = dict(fields).get(b"priority", self._config.priority_update)
        if value is not None:
            self.send_priority_update(stream_id, value)

    def send_priority_update(self, stream_id: int, value: bytes) -> None:
        """Send PRIORITY_UPDATE for a request (RFC 9218 §7.2)."""
        self._write(frames.PRIORITY_UPDATE, stream_id, value)

    def _write(self, frame_type: int, identifier: int, data: bytes = b"") -> None:
        frame = frames.frame_with_id(frame_type, identifier, data)
        if self._observer is not None:
            payload_size = frames.parse_frame_header(frame, 0)[1]
            self._report(frame_type, payload_size, identifier, data)
        self.local.write(StreamKind.CONTROL, frame)

    def _report(self, frame_type: int, length: int, value: int | None = None, data: bytes = b"") -> None:
        if self._observer is not None:
            stream_id = self.local.id_of(StreamKind.CONTROL)
            self._observer.frame_created(stream_id, frame_type, length, value=value, data=data)

    def flush(self) -> None:
        """Send what is due on the decoder stream.

        Raises:
            ConnectionViolation: the peer makes us say ever more on a stream that it does not read.
        """
        if self.used_decoder is not None and self.used_decoder.is_due:
            instructions = self.used_decoder.take_instructions()
            self.local.write(StreamKind.DECODER, instructions)
            if self._observer is not None:
                self._observer.decoder_instructions(True, len(instructions))
        if self.local.overrun is not None:
            raise ConnectionViolation(
                H3_EXCESSIVE_LOAD, f"the peer does not read our {self.local.overrun} stream"
            )

    # Receiving

    def read(self, stream_id: int) -> list[int]:
        """Read a unidirectional stream of the peer; gives the requests whose fields can now be decoded.

        Raises:
            ConnectionViolation, QpackError: what it says is against the rules.
        """
        kind, data = self._peer.read(stream_id)
        if not data:
            return []
        if kind is StreamKind.CONTROL:
            self._control.stream_id = stream_id
            for frame in self._control.receive(data):
                self._on_control_frame(frame)
        elif kind is StreamKind.ENCODER:
            if self._observer is not None:
                self._observer.encoder_instructions(False, len(data))
            return self.decoder.receive(data)
        elif kind is StreamKind.DECODER:
            if self._observer is not None:
                self._observer.decoder_instructions(False, len(data))
            self.encoder.receive(data)
        return []

    def read_bidirectional(self, stream_id: int) -> None:
        """Read a bidirectional stream that the server has opened.

        Raises:
            ConnectionViolation: it belongs to no WebTransport session.
        """
        self._peer.read_bidirectional(stream_id)

    def on_reset(self, stream_id: int) -> None:
        """The peer reset one of its unidirectional streams, or one that is of no session yet.

        Raises:
            ConnectionViolation: one that must stay open.
        """
        self._peer.on_reset(stream_id)

    def on_stopped(self, stream_id: int) -> None:
        """The peer does not want one of our unidirectional streams.

        Raises:
            ConnectionViolation: it must take them (RFC 9114 §6.2.1, RFC 9204 §4.2).
        """
        if self.local.kind_of(stream_id) is not None:
            raise ConnectionViolation(H3_CLOSED_CRITICAL_STREAM, f"stream {stream_id} stopped")

    def _on_control_frame(self, frame: ControlFrame) -> None:
        if isinstance(frame, H3Settings):
            self._on_settings(frame)
        elif isinstance(frame, Goaway):
            self.goaway_received = frame.identifier
            if self._observer is not None:
                self._observer.goaway_received(frame.identifier)
            self._emit(GoawayReceived(frame.identifier))
        elif isinstance(frame, PriorityUpdate):
            if self._observer is not None:
                self._observer.priority_updated(frame.stream_id, frame.value)
            if self._change_priority is not None:
                self._change_priority(frame.stream_id, frame.value)
            self._emit(PriorityUpdated(frame.stream_id, frame.value))

    def _on_settings(self, settings: H3Settings) -> None:
        if self._remembered is not None:
            check_resumed(self._remembered, settings)
        self.peer_settings = self.usable_settings = settings
        self._use_limits(settings)
        self._send_instructions()
        if self._observer is not None:
            self._observer.parameters_set(False, settings.pairs())
        self._emit(SettingsReceived())

    def _send_instructions(self) -> None:
        if self.used_encoder is None:
            return
        instructions = self.used_encoder.take_instructions()
        if instructions:
            self.local.write(StreamKind.ENCODER, instructions)
            if self._observer is not None:
                self._observer.encoder_instructions(True, len(instructions))

    def _use_limits(self, settings: H3Settings) -> None:
        if self.used_encoder is None and not self._config.qpack.eager_capacity:
            return  # it will see them when it is made
        self.encoder.set_limits(settings.qpack_max_table_capacity, settings.qpack_blocked_streams)
