"""Frames to the parts that own them.

One if-chain, most frequent first. Rules of a frame live in its part; what concerns the connection as a whole is
left in attributes for the engine to pick up after the packet.
"""

from __future__ import annotations

from typing import Final, final

from qtls.events import TlsEvent
from qwire.constants import PROTOCOL_VIOLATION
from qwire.frames import (
    AckFrame,
    AckFrequencyFrame,
    ConnectionCloseFrame,
    CryptoFrame,
    DataBlockedFrame,
    DatagramFrame,
    Frame,
    HandshakeDoneFrame,
    ImmediateAckFrame,
    MaxDataFrame,
    MaxStreamDataFrame,
    MaxStreamsFrame,
    NewConnectionIdFrame,
    NewTokenFrame,
    PaddingFrame,
    PathChallengeFrame,
    PathResponseFrame,
    PingFrame,
    ResetStreamAtFrame,
    ResetStreamFrame,
    RetireConnectionIdFrame,
    StopSendingFrame,
    StreamDataBlockedFrame,
    StreamFrame,
    StreamsBlockedFrame,
)

from ..errors import TransportError
from ..paths.path import Path
from ..spaces import APPLICATION, INITIAL
from .acknowledgements import Acknowledgements
from .parts import Parts
from .receiving import OpenedPacket

# RFC 9000 §9.1: a packet of only these probes a path and does not move the connection.
PROBING: Final = (PathChallengeFrame, PathResponseFrame, NewConnectionIdFrame, PaddingFrame)
# What most frames are, looked up once: names of other modules are looked up each time.
STREAM: Final = StreamFrame
ACK: Final = AckFrame
DATAGRAM: Final = DatagramFrame
PADDING: Final = PaddingFrame
# RFC 9000 §8.1.3 sets no bound on the tokens of a server; one per packet is plenty.
MAX_TOKENS: Final = 16
# What dispatchers share between two such packets: nobody may put anything into these.
NO_TOKENS: Final[list[bytes]] = []
NO_TLS_EVENTS: Final[list[TlsEvent]] = []


@final
class FrameDispatcher:
    """Hands each frame of a packet to its part.

    Attributes:
        tls_events: what the TLS handshake had to say, for the engine.
        close: a CONNECTION_CLOSE of the peer.
        handshake_done: a HANDSHAKE_DONE arrived.
        tokens: address validation tokens that arrived.
        validated: a path whose challenge was answered.
        ack_eliciting, is_probing: about the packet that was dispatched last.
    """

    __slots__ = (
        "_acknowledgements",
        "_is_client",
        "_parts",
        "_recovery",
        "_streams",
        "ack_eliciting",
        "close",
        "handshake_done",
        "is_probing",
        "tls_events",
        "tokens",
        "validated",
    )

    def __init__(self, parts: Parts, acknowledgements: Acknowledgements, is_client: bool) -> None:
        self.tls_events = NO_TLS_EVENTS
        self.close: ConnectionCloseFrame | None = None
        self.handshake_done = False
        self.tokens = NO_TOKENS
        self.validated: Path | None = None
        self.ack_eliciting = False
        self.is_probing = False
        self._parts = parts
        self._acknowledgements = acknowledgements
        self._streams = parts.streams
        self._recovery = parts.recovery
        self._is_client = is_client

    def dispatch(
        self, packet: OpenedPacket, frames: list[Frame], path: Path, destination_cid: bytes, now: float
    ) -> None:
        """Process the frames of a packet in order.

        Raises:
            TransportError: a frame violates a rule of its part.
        """
        ack_eliciting = False
        is_probing = True
        for frame in frames:
            kind = type(frame)
            if kind is STREAM:
                ack_eliciting = True
                is_probing = False
                self._streams.receive_stream(frame)  # type: ignore[arg-type]  # kind is the exact type
            elif kind is ACK:
                is_probing = False
                self._acknowledgements.receive(packet.space, frame, path, now)  # type: ignore[arg-type]  # as above
            elif kind is DATAGRAM:
                ack_eliciting = True
                is_probing = False
                self._parts.datagrams.receive(frame)  # type: ignore[arg-type]  # as above
            elif kind is not PADDING:
                if frame.ack_eliciting:
                    ack_eliciting = True
                if kind not in PROBING:
                    is_probing = False
                self._dispatch_rare(packet, frame, path, destination_cid, now)
        self.ack_eliciting = ack_eliciting
        self.is_probing = is_probing

    def _dispatch_rare(
        self, packet: OpenedPacket, frame: Frame, path: Path, destination_cid: bytes, now: float
    ) -> None:
        parts = self._parts
        streams = self._streams
        if isinstance(frame, CryptoFrame):
            stop = frame.offset + len(frame.data)
            if packet.space != APPLICATION and stop <= parts.spaces[packet.space].crypto.received_size:
                self._recovery.hurry(now)
            parts.handshake.set_time(now)
            self.tls_events = self.tls_events + parts.handshake.receive(packet.space, frame)
        elif isinstance(frame, MaxStreamDataFrame):
            streams.receive_max_stream_data(frame)
        elif isinstance(frame, MaxDataFrame):
            parts.flow.receive_max_data(frame)
        elif isinstance(frame, NewConnectionIdFrame):
            parts.remote_ids.receive_new(frame)
        elif isinstance(frame, HandshakeDoneFrame):
            self._refuse_from_client(frame)
            self.handshake_done = True
        elif isinstance(frame, NewTokenFrame):
            self._refuse_from_client(frame)
            if len(self.tokens) < MAX_TOKENS:
                self.tokens = [*self.tokens, frame.token]
        elif isinstance(frame, PingFrame):
            if packet.space == INITIAL and not self._is_client:
                self._recovery.hurry(now)  # a client that waits for more than an acknowledgement
        elif isinstance(frame, MaxStreamsFrame):
            streams.receive_max_streams(frame)
        elif isinstance(frame, ResetStreamFrame):
            streams.receive_reset(frame)
        elif isinstance(frame, ResetStreamAtFrame):
            streams.receive_reset_at(frame)
        elif isinstance(frame, StopSendingFrame):
            streams.receive_stop_sending(frame)
        elif isinstance(frame, DataBlockedFrame):
            parts.flow.receive_data_blocked(frame)
        elif isinstance(frame, StreamDataBlockedFrame):
            streams.receive_stream_data_blocked(frame)
        elif isinstance(frame, StreamsBlockedFrame):
            streams.receive_streams_blocked(frame)
        elif isinstance(frame, RetireConnectionIdFrame):
            parts.local_ids.receive_retire(frame, destination_cid)
        elif isinstance(frame, PathChallengeFrame):
            path.receive_challenge(frame)
        elif isinstance(frame, PathResponseFrame):
            self.validated = parts.paths.receive_response(frame, now, parts.pto()) or self.validated
        elif isinstance(frame, ConnectionCloseFrame):
            self.close = frame
        elif isinstance(frame, ImmediateAckFrame):
            parts.ack_frequency.receive_immediate(frame)
        elif isinstance(frame, AckFrequencyFrame):
            parts.ack_frequency.receive(frame)

    def _refuse_from_client(self, frame: Frame) -> None:
        """RFC 9000 §19.7, §19.20: only a server sends these."""
        if not self._is_client:
            raise TransportError(PROTOCOL_VIOLATION, frame.type, "a frame that only a server sends")
