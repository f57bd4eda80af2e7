"""All streams of a connection.

Finds or creates the stream that a frame or a verb is about, enforces who may open and send on which, and writes the
frames that streams owe. The halves of a stream and their buffers are in modules of their own. RFC 9000 §2–4.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, final

from qwire.constants import FRAME_ENCODING_ERROR, PROTOCOL_VIOLATION, STREAM_STATE_ERROR
from qwire.frames import (
    Frame,
    MaxStreamDataFrame,
    MaxStreamsFrame,
    ResetStreamAtFrame,
    ResetStreamFrame,
    StopSendingFrame,
    StreamDataBlockedFrame,
    StreamFrame,
    StreamsBlockedFrame,
)
from qwire.transport_parameters import TransportParameters

from .. import spaces
from ..errors import StreamLimitReached, TransportError, UnknownStream, UsageError
from ..events import (
    Event,
    StreamFinished,
    StreamOpened,
    StreamReadable,
    StreamReset,
    StreamsAvailable,
    StreamStopped,
    StreamWritable,
)
from ..flow_control import ConnectionFlow
from ..packing.source import FrameSource
from .ids import MAX_STREAM_COUNT, UNIDIRECTIONAL_BIT, is_bidirectional, kind_of, stream_id, stream_index
from .limits import LocalStreams, PeerStreams, StreamLimits
from .receive import ReceiveStream
from .scheduler import LEVELS, Scheduler
from .send import CONNECTION_BLOCKED, NO_ROOM, READY, STREAM_BLOCKED, SendStream
from .stream import OWES_BLOCKED, OWES_CREDIT, OWES_RESET, OWES_STOP, Stream

if TYPE_CHECKING:
    from ..packing.builder import PacketBuilder

MIB: Final = 1 << 20
# What a writer may fill ahead of acknowledgements, per stream: a window that keeps 1 Gbit/s busy over 16 ms.
SEND_BUFFER: Final = 2 * MIB
MAX_STREAM_WINDOW: Final = 16 * MIB


@final
class StreamManager(FrameSource):
    """The streams of one connection.

    Args:
        is_client: which side this is.
        flow: the connection's credit, shared with nobody else.
        local: the limits that our transport parameters carry; they are enforced.
        send_buffer: bytes per stream that may be written ahead of acknowledgements.
        max_stream_window: the largest credit that a stream ever gets.
    """

    __slots__ = (
        "_events",
        "_flow",
        "_is_client",
        "_limits",
        "_local",
        "_max_window",
        "_owing",
        "_parked",
        "_peer",
        "_peer_limits",
        "_reset_untold",
        "_scheduler",
        "_send_buffer",
        "_streams",
    )

    def __init__(
        self,
        *,
        is_client: bool,
        flow: ConnectionFlow,
        local: StreamLimits,
        send_buffer: int = SEND_BUFFER,
        max_stream_window: int = MAX_STREAM_WINDOW,
    ) -> None:
        self._is_client = is_client
        self._flow = flow
        self._limits = local
        self._peer_limits: StreamLimits | None = None
        self._send_buffer = send_buffer
        self._max_window = max_stream_window
        self._streams: dict[int, Stream] = {}
        # Index 0: two directions; 1: one direction.
        self._local = (LocalStreams(), LocalStreams())
        self._peer = (PeerStreams(local.streams_bidi), PeerStreams(local.streams_uni))
        self._scheduler = Scheduler()
        self._parked: list[Stream] = []
        self._owing: deque[Stream] = deque()
        self._events: list[Event] = []
        self._reset_untold: list[Stream] = []

    @property
    def open_count(self) -> int:
        """Streams that are not closed on both sides."""
        return len(self._streams)

    @property
    def has_events(self) -> bool:
        """Whether `drain_events` would give any."""
        return bool(self._events)

    # Limits of the peer

    def set_peer_limits(self, parameters: TransportParameters) -> None:
        """Take the limits of the peer's transport parameters: remembered ones for 0-RTT, then the real ones.

        Raises:
            TransportError: PROTOCOL_VIOLATION, a limit is lower than remembered. RFC 9000 §7.4.1.
        """
        limits = StreamLimits.of(parameters)
        before = self._peer_limits
        if before is not None:
            remembered = before.values()
            for name, value in limits.values().items():
                if value < remembered[name]:
                    raise TransportError(
                        PROTOCOL_VIOLATION,
                        None,
                        f"limit {name} is {value}, was {remembered[name]} for early data",
                    )
        self._peer_limits = limits
        self._flow.set_peer_limit(limits.data)
        for stream in list(self._streams.values()):
            if stream.send is not None:
                self._raise_send_limit(stream, stream.send, self._initial_send_limit(stream.stream_id))
        self._allow(True, limits.streams_bidi)
        self._allow(False, limits.streams_uni)

    def reject_early_data(self) -> None:
        """The server has not taken 0-RTT: no stream was ever opened. RFC 9001 §4.6.2.

        The engine has dropped the packets before, without reporting them lost.
        """
        self._streams.clear()
        self._scheduler.clear()
        self._parked.clear()
        self._owing.clear()
        self._events.clear()
        self._reset_untold.clear()
        self._peer_limits = None
        self._flow.restart()
        for local in self._local:
            local.restart()

    def _initial_send_limit(self, stream_id: int) -> int:
        limits = self._peer_limits
        if limits is None:
            return 0
        if not is_bidirectional(stream_id):
            return limits.uni
        return limits.bidi_remote if self._is_local(stream_id) else limits.bidi_local

    def _allow(self, bidirectional: bool, limit: int) -> None:
        if self._local[0 if bidirectional else 1].allow(limit):
            self._events.append(StreamsAvailable(bidirectional))

    # Verbs

    def open(self, bidirectional: bool = True) -> int:
        """Open a stream; the peer hears of it with the first frame.

        Raises:
            StreamLimitReached: the peer allows no more now; `StreamsAvailable` will tell.
        """
        local = self._local[0 if bidirectional else 1]
        if local.opened >= local.limit:
            local.refuse()
            kind = "bidirectional" if bidirectional else "unidirectional"
            raise StreamLimitReached(f"the peer allows {local.limit} {kind} streams")
        opened = stream_id(kind_of(self._is_client, bidirectional), local.opened)
        local.opened += 1
        self._create(opened)
        return opened

    def send(self, stream_id: int, data: bytes, fin: bool = False) -> None:
        """Queue data, and perhaps the end, on a stream; all of it is taken.

        What is sent on a stream that was reset, or that the peer does not want to read, is dropped: the event that
        tells of it may still be on its way to the caller.

        Raises:
            UnknownStream: there is no such stream, or only the peer sends on it.
            UsageError: the stream was ended before.
        """
        stream = self._find(stream_id, sending=True)
        if stream is None:
            return
        send = stream.send
        assert send is not None
        if send.is_reset:
            return
        if send.final_size >= 0:
            raise UsageError(f"stream {stream_id} was ended at {send.final_size} bytes")
        send.write(data if type(data) is bytes else bytes(data), fin)
        if not stream.is_scheduled and not stream.is_parked:
            self._schedule(stream, send)

    def send_capacity(self, stream_id: int) -> int:
        """Bytes that fit the send buffer; when not positive, `StreamWritable` tells when to go on.

        Raises:
            UnknownStream: there is no such stream, or only the peer sends on it.
        """
        stream = self._find(stream_id, sending=True)
        send = None if stream is None else stream.send
        if send is None or send.is_reset:
            return self._send_buffer  # nobody has to wait in order to have data dropped
        capacity = send.capacity
        if capacity <= 0:
            send.is_full = True
        return capacity

    def read(self, stream_id: int, n: int = -1) -> tuple[bytes, bool]:
        """Take data in order, all or at most `n` bytes, and whether the end of the stream is reached.

        A stream that is closed or was reset gives ``(b"", False)``.

        Raises:
            UnknownStream: there is no such stream, or only we send on it.
        """
        stream = self._find(stream_id, sending=False)
        if stream is None:
            return b"", False
        receive = stream.receive
        assert receive is not None
        data, end, is_due = receive.read(n, self._flow)
        if end:
            stream.owed &= ~OWES_CREDIT
            self._forget_if_over(stream)
        elif receive.is_reset_due:
            self._announce_reset(stream, receive)
        else:
            if is_due:
                self._owe(stream, OWES_CREDIT)
            receive.is_announced = receive.is_readable
        return data, end

    def reset(self, stream_id: int, code: int) -> None:
        """Abandon the sending side with RESET_STREAM; nothing happens if it is over.

        Raises:
            UnknownStream: there is no such stream, or only the peer sends on it.
        """
        stream = self._find(stream_id, sending=True)
        if stream is not None and stream.send is not None and stream.send.reset(code):
            stream.owed &= ~OWES_BLOCKED
            self._owe(stream, OWES_RESET)

    def stop_sending(self, stream_id: int, code: int) -> None:
        """Give up reading with STOP_SENDING; nothing happens if there is nothing left to read.

        Raises:
            UnknownStream: there is no such stream, or only we send on it.
        """
        stream = self._find(stream_id, sending=False)
        if stream is not None and stream.receive is not None:
            stream.owed &= ~OWES_CREDIT
            if stream.receive.stop(code, self._flow):
                self._owe(stream, OWES_STOP)
            self._forget_if_over(stream)

    def set_priority(self, stream_id: int, urgency: int, incremental: bool) -> None:
        """Order streams that have something to send. RFC 9218 §4; 0 is most urgent, 7 least.

        Raises:
            UnknownStream: there is no such stream, or only the peer sends on it.
        """
        stream = self._find(stream_id, sending=True)
        if stream is not None:
            self._scheduler.reprioritize(stream, min(max(urgency, 0), LEVELS - 1), incremental)

    # Frames of the peer

    def receive_stream(self, frame: StreamFrame) -> None:
        """STREAM, RFC 9000 §19.8."""
        stream = self._streams.get(frame.stream_id)
        if stream is None:
            stream = self._stream_of(frame.stream_id, frame, False)
            if stream is None:
                return
        receive = stream.receive
        if receive is None:
            raise self._wrong_direction(frame.stream_id, frame)
        receive.receive(frame, self._flow)
        if not receive.is_announced and receive.is_readable and not receive.is_stopped:
            receive.is_announced = True
            self._events.append(StreamReadable(frame.stream_id))
        elif receive.is_over:
            self._forget_if_over(stream)

    def receive_reset(self, frame: ResetStreamFrame) -> None:
        """RESET_STREAM, RFC 9000 §19.4."""
        self._receive_reset(frame.stream_id, frame.error_code, frame.final_size, 0, frame)

    def receive_reset_at(self, frame: ResetStreamAtFrame) -> None:
        """RESET_STREAM_AT, draft-ietf-quic-reliable-stream-reset."""
        if frame.reliable_size > frame.final_size:
            raise TransportError(
                FRAME_ENCODING_ERROR,
                frame.type,
                f"reliable size {frame.reliable_size} beyond final size {frame.final_size}",
            )
        self._receive_reset(frame.stream_id, frame.error_code, frame.final_size, frame.reliable_size, frame)

    def _receive_reset(self, stream_id: int, code: int, final_size: int, reliable: int, frame: Frame) -> None:
        stream = self._stream_of(stream_id, frame, False)
        if stream is None:
            return
        receive = stream.receive
        assert receive is not None
        was_due = receive.is_reset_due
        receive.receive_reset(code, final_size, reliable, frame, self._flow)
        if receive.is_reset_due and not was_due:
            self._announce_reset(stream, receive)
        elif receive.is_over:
            self._forget_if_over(stream)

    def receive_stop_sending(self, frame: StopSendingFrame) -> None:
        """STOP_SENDING, RFC 9000 §19.5: our side is reset with the same code (§3.5)."""
        stream = self._stream_of(frame.stream_id, frame, True)
        if stream is None or stream.send is None or not stream.send.reset(frame.error_code):
            return
        stream.owed &= ~OWES_BLOCKED
        self._owe(stream, OWES_RESET)
        self._events.append(StreamStopped(frame.stream_id, frame.error_code))

    def receive_max_stream_data(self, frame: MaxStreamDataFrame) -> None:
        """MAX_STREAM_DATA, RFC 9000 §19.10."""
        stream = self._stream_of(frame.stream_id, frame, True)
        if stream is not None and stream.send is not None:
            self._raise_send_limit(stream, stream.send, frame.maximum)

    def receive_stream_data_blocked(self, frame: StreamDataBlockedFrame) -> None:
        """STREAM_DATA_BLOCKED, RFC 9000 §19.13: a limit that the peer has not seen is told again."""
        stream = self._stream_of(frame.stream_id, frame, False)
        receive = None if stream is None else stream.receive
        if (
            stream is not None
            and receive is not None
            and receive.wants_credit
            and frame.limit < receive.window.limit
        ):
            self._owe(stream, OWES_CREDIT)

    def receive_max_streams(self, frame: MaxStreamsFrame) -> None:
        """MAX_STREAMS, RFC 9000 §19.11."""
        if frame.maximum > MAX_STREAM_COUNT:
            raise TransportError(FRAME_ENCODING_ERROR, frame.type, f"{frame.maximum} streams allowed")
        self._allow(frame.bidirectional, frame.maximum)

    def receive_streams_blocked(self, frame: StreamsBlockedFrame) -> None:
        """STREAMS_BLOCKED, RFC 9000 §19.14."""
        if frame.limit > MAX_STREAM_COUNT:
            raise TransportError(FRAME_ENCODING_ERROR, frame.type, f"blocked at {frame.limit} streams")
        self._peer[0 if frame.bidirectional else 1].on_blocked()

    # Events

    def drain_events(self) -> list[Event]:
        """What happened since the last call, in order."""
        events = self._events
        self._events = []
        if self._reset_untold:
            untold = self._reset_untold
            self._reset_untold = []
            for stream in untold:
                if stream.receive is not None and stream.receive.is_reset_due:
                    stream.receive.on_reset_told()
                    self._forget_if_over(stream)
        return events

    # Frames to send

    def has_frames(self, space: int) -> bool:
        if space != spaces.APPLICATION:
            return False
        if self._parked and self._flow.credit > 0:
            self._unpark()
        if self._next_ready() is not None:
            return True
        while self._owing and not self._owing[0].owed:
            self._owing.popleft().is_owing = False
        return bool(self._owing) or self._owes_limits()

    def _owes_limits(self) -> bool:
        return (
            self._peer[0].is_due
            or self._peer[1].is_due
            or self._local[0].is_blocked_due
            or self._local[1].is_blocked_due
        )

    def write_frames(self, builder: PacketBuilder) -> None:
        if self._owing and not self._write_owed(builder):
            return
        if self._owes_limits() and not self._write_limits(builder):
            return
        if self._parked and self._flow.credit > 0:
            self._unpark()
        flow = self._flow
        scheduler = self._scheduler
        while True:
            stream = self._next_ready()
            if stream is None:
                break
            send = stream.send
            assert send is not None
            fresh = send.write_frame(builder, self, flow.credit)
            if fresh == NO_ROOM:
                return
            flow.sent += fresh
            scheduler.rotate()
        if self._owing:  # a stream that met its limit just now
            self._write_owed(builder)

    def _next_ready(self) -> Stream | None:
        """The stream whose turn it is, after those that cannot send have left the queue."""
        scheduler = self._scheduler
        while True:
            stream = scheduler.head()
            if stream is None:
                return None
            send = stream.send
            assert send is not None
            readiness = send.readiness(self._flow.credit)
            if readiness == READY:
                return stream
            scheduler.pop()
            self._note_blocked(stream, send, readiness)

    def _schedule(self, stream: Stream, send: SendStream) -> None:
        readiness = send.readiness(self._flow.credit)
        if readiness == READY:
            self._scheduler.add(stream)
        else:
            self._note_blocked(stream, send, readiness)

    def _note_blocked(self, stream: Stream, send: SendStream, readiness: int) -> None:
        if readiness == STREAM_BLOCKED:
            if send.blocked_at != send.limit:  # RFC 9000 §4.1: once per limit
                send.blocked_at = send.limit
                self._owe(stream, OWES_BLOCKED)
        elif readiness == CONNECTION_BLOCKED:
            self._flow.on_blocked()
            if not stream.is_parked:
                stream.is_parked = True
                self._parked.append(stream)

    def _unpark(self) -> None:
        parked = self._parked
        self._parked = []
        for stream in parked:
            stream.is_parked = False
            self._scheduler.add(stream)

    def _owe(self, stream: Stream, what: int) -> None:
        stream.owed |= what
        if not stream.is_owing:
            stream.is_owing = True
            self._owing.append(stream)

    def _write_owed(self, builder: PacketBuilder) -> bool:
        """Write what streams owe; False when the packet is full."""
        owing = self._owing
        while owing:
            stream = owing[0]
            if stream.owed and not self._write_owed_by(stream, builder):
                return False
            owing.popleft()
            stream.is_owing = False
        return True

    def _write_owed_by(self, stream: Stream, builder: PacketBuilder) -> bool:
        send = stream.send
        receive = stream.receive
        if stream.owed & OWES_RESET and send is not None:
            if not builder.append(ResetStreamFrame(stream.stream_id, send.reset_code, send.final_size), self):
                return False
            stream.owed &= ~OWES_RESET
        if stream.owed & OWES_STOP and receive is not None:
            if not builder.append(StopSendingFrame(stream.stream_id, receive.stop_code), self):
                return False
            stream.owed &= ~OWES_STOP
        if stream.owed & OWES_CREDIT and receive is not None:
            window = receive.window
            limit = window.advance(builder.now, self._flow.smoothed_rtt)
            self._flow.ensure_window(window.window)
            if not builder.append(MaxStreamDataFrame(stream.stream_id, limit), self):
                return False
            stream.owed &= ~OWES_CREDIT
        if stream.owed & OWES_BLOCKED and send is not None:
            if not builder.append(StreamDataBlockedFrame(stream.stream_id, send.limit), self):
                return False
            send.on_blocked_sent()
            stream.owed &= ~OWES_BLOCKED
        return True

    def _write_limits(self, builder: PacketBuilder) -> bool:
        for bidirectional in (True, False):
            peer = self._peer[0 if bidirectional else 1]
            if peer.is_due:
                if not builder.append(MaxStreamsFrame(bidirectional, peer.advance()), self):
                    return False
                peer.is_due = False
            local = self._local[0 if bidirectional else 1]
            if local.is_blocked_due:
                if not builder.append(StreamsBlockedFrame(bidirectional, local.limit), self):
                    return False
                local.is_blocked_due = False
        return True

    def on_acked(self, frame: Frame) -> None:
        if isinstance(frame, StreamFrame):
            stream = self._streams.get(frame.stream_id)
            if stream is None or stream.send is None:
                return
            send = stream.send
            if send.on_acked(frame):
                self._events.append(StreamFinished(frame.stream_id))
                self._forget_if_over(stream)
            elif send.is_full and send.take_writable():
                self._events.append(StreamWritable(frame.stream_id))
        elif isinstance(frame, ResetStreamFrame):
            stream = self._streams.get(frame.stream_id)
            if stream is not None and stream.send is not None:
                stream.owed &= ~OWES_RESET
                stream.send.on_reset_acked()
                self._forget_if_over(stream)

    def on_lost(self, frame: Frame) -> None:
        if isinstance(frame, MaxStreamsFrame):
            peer = self._peer[0 if frame.bidirectional else 1]
            peer.is_due = peer.is_due or frame.maximum == peer.limit
            return
        if isinstance(frame, StreamsBlockedFrame):
            local = self._local[0 if frame.bidirectional else 1]
            local.is_blocked_due = local.is_wanted and frame.limit == local.limit
            return
        if not isinstance(
            frame,
            StreamFrame | ResetStreamFrame | StopSendingFrame | MaxStreamDataFrame | StreamDataBlockedFrame,
        ):
            return
        stream = self._streams.get(frame.stream_id)
        if stream is None:
            return
        send = stream.send
        receive = stream.receive
        if isinstance(frame, StreamFrame):
            if send is not None:
                send.on_lost(frame)
                # What was sent before needs no credit, so a parked stream has its turn too.
                self._scheduler.add(stream)
        elif isinstance(frame, ResetStreamFrame):
            if send is not None and not send.is_over:
                self._owe(stream, OWES_RESET)
        elif isinstance(frame, StopSendingFrame):
            if receive is not None and not receive.is_over:
                self._owe(stream, OWES_STOP)
        elif isinstance(frame, MaxStreamDataFrame):
            if receive is not None and receive.wants_credit and frame.maximum == receive.window.limit:
                self._owe(stream, OWES_CREDIT)
        elif send is not None and not send.is_reset and not send.is_over and frame.limit == send.limit:
            self._owe(stream, OWES_BLOCKED)

    # Finding and forgetting

    def _is_local(self, stream_id: int) -> bool:
        return (stream_id & 1 == 0) is self._is_client

    def _find(self, stream_id: int, *, sending: bool) -> Stream | None:
        """The stream of a verb; None if it is closed and forgotten."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            if (stream.send if sending else stream.receive) is None:
                raise UnknownStream(
                    f"stream {stream_id} has no {'sending' if sending else 'receiving'} side here"
                )
            return stream
        is_local = self._is_local(stream_id)
        if is_local:
            is_known = (
                0 <= stream_index(stream_id) < self._local[(stream_id & UNIDIRECTIONAL_BIT) >> 1].opened
            )
        else:
            is_known = self._peer[(stream_id & UNIDIRECTIONAL_BIT) >> 1].has_closed(stream_index(stream_id))
        if not is_known:
            raise UnknownStream(f"stream {stream_id} was never opened")
        if not is_bidirectional(stream_id) and is_local is not sending:
            raise UnknownStream(
                f"stream {stream_id} has no {'sending' if sending else 'receiving'} side here"
            )
        return None

    def _stream_of(self, stream_id: int, frame: Frame, ours: bool) -> Stream | None:
        """The stream that a frame is about, created if the peer opens it with this frame; None if it is closed.

        Args:
            ours: whether the frame is about our sending side; otherwise it is about the peer's.

        Raises:
            TransportError: STREAM_STATE_ERROR, there is no such side or it was never opened by us;
                STREAM_LIMIT_ERROR. RFC 9000 §3, §4.6, §19.4–19.13.
        """
        is_local = self._is_local(stream_id)
        if stream_id & UNIDIRECTIONAL_BIT and is_local is not ours:
            raise self._wrong_direction(stream_id, frame)
        stream = self._streams.get(stream_id)
        if stream is not None:
            return stream
        which = (stream_id & UNIDIRECTIONAL_BIT) >> 1
        index = stream_index(stream_id)
        if is_local:
            if index >= self._local[which].opened:
                raise TransportError(
                    STREAM_STATE_ERROR, frame.type, f"stream {stream_id} was never opened by us"
                )
            return None
        if not self._peer[which].admit(index, frame):
            return None
        self._events.append(StreamOpened(stream_id))
        return self._create(stream_id)

    def _wrong_direction(self, stream_id: int, frame: Frame) -> TransportError:
        side = "send" if self._is_local(stream_id) else "receive"
        return TransportError(STREAM_STATE_ERROR, frame.type, f"stream {stream_id} is {side}-only here")

    def _create(self, stream_id: int) -> Stream:
        is_local = self._is_local(stream_id)
        is_bidi = is_bidirectional(stream_id)
        send: SendStream | None = None
        receive: ReceiveStream | None = None
        if is_local or is_bidi:
            send = SendStream(stream_id, self._initial_send_limit(stream_id), self._send_buffer)
        if is_bidi or not is_local:
            limits = self._limits
            window = limits.uni if not is_bidi else limits.bidi_local if is_local else limits.bidi_remote
            receive = ReceiveStream(stream_id, window, self._max_window)
        stream = Stream(stream_id, send, receive)
        self._streams[stream_id] = stream
        if receive is not None and receive.window.limit == 0:
            self._owe(stream, OWES_CREDIT)
        return stream

    def _raise_send_limit(self, stream: Stream, send: SendStream, limit: int) -> None:
        if limit > send.limit:
            send.limit = limit
            stream.owed &= ~OWES_BLOCKED
            if not stream.is_scheduled and not stream.is_parked:
                self._schedule(stream, send)

    def _announce_reset(self, stream: Stream, receive: ReceiveStream) -> None:
        stream.owed &= ~(OWES_CREDIT | OWES_STOP)
        self._events.append(StreamReset(stream.stream_id, receive.reset_code))
        self._reset_untold.append(stream)

    def _forget_if_over(self, stream: Stream) -> None:
        """Drop a stream with nothing left to happen; frames that come late for it are ignored. RFC 9000 §3."""
        if stream.is_over and self._streams.pop(stream.stream_id, None) is not None:
            stream.owed = 0
            if not self._is_local(stream.stream_id):
                self._peer[(stream.stream_id & UNIDIRECTIONAL_BIT) >> 1].on_closed()
