"""All streams of a connection: verbs and frames in, events and frames out.

Puts the table of streams, their halves and the outgoing queues together. RFC 9000 §2–4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from qwire.constants import FRAME_ENCODING_ERROR
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
from ..errors import TransportError, UsageError
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
from .ids import MAX_STREAM_COUNT
from .limits import StreamLimits
from .outgoing import Outgoing
from .receive import ReceiveStream
from .scheduler import LEVELS
from .send import SendStream
from .states import ReceiveState
from .stream import OWES_BLOCKED, OWES_CREDIT, OWES_RESET, OWES_STOP, Stream
from .table import StreamTable

if TYPE_CHECKING:
    from ..packing.builder import PacketBuilder

RESET_RECVD: Final = ReceiveState.RESET_RECVD
MIB: Final = 1 << 20
# What a writer may fill ahead of acknowledgements, per stream: a window that keeps 1 Gbit/s busy over 16 ms.
SEND_BUFFER: Final = 2 * MIB
MAX_STREAM_WINDOW: Final = 16 * MIB
# What connections share none of whose streams was just reset: nobody may put anything into it.
NO_STREAMS: Final[list[Stream]] = []


@final
class StreamManager(FrameSource):
    """The streams of one connection.

    Args:
        is_client: which side this is.
        flow: the connection's credit, shared with nobody else.
        local: the limits that our transport parameters carry; they are enforced.
        send_buffer: bytes per stream that may be written ahead of acknowledgements.
        max_stream_window: the largest credit that a stream ever gets.
        by_number: streams have their turns in the order of their numbers.
        takes_reset_at: whether our transport parameters offer RESET_STREAM_AT.

    Attributes:
        events: what `drain_events` will give.
    """

    __slots__ = (
        "_flow",
        "_outgoing",
        "_peer_takes_reset_at",
        "_reset_untold",
        "_send_buffer",
        "_streams",
        "_table",
        "_takes_reset_at",
        "_tells_finished",
        "_tells_opened",
        "events",
    )

    def __init__(
        self,
        *,
        is_client: bool,
        flow: ConnectionFlow,
        local: StreamLimits,
        send_buffer: int = SEND_BUFFER,
        max_stream_window: int = MAX_STREAM_WINDOW,
        by_number: bool = False,
        takes_reset_at: bool = False,
    ) -> None:
        self._takes_reset_at = takes_reset_at
        self._peer_takes_reset_at = False
        self._flow = flow
        self._send_buffer = send_buffer
        self._table = StreamTable(
            is_client=is_client, limits=local, send_buffer=send_buffer, max_window=max_stream_window
        )
        self._streams = self._table.streams
        self._outgoing = Outgoing(self._table, flow, self, by_number=by_number)
        self.events: list[Event] = []
        self._tells_opened = True
        self._tells_finished = True
        self._reset_untold = NO_STREAMS

    @property
    def open_count(self) -> int:
        """Streams that are not closed on both sides."""
        return len(self._streams)

    def omit_events(self, opened: bool, finished: bool) -> None:
        """Make no `StreamOpened`, or no `StreamFinished`, from now on."""
        self._tells_opened = not opened
        self._tells_finished = not finished

    def drain_events(self) -> list[Event]:
        """What happened since the last call, in order."""
        events = self.events
        self.events = []
        if self._reset_untold:
            untold = self._reset_untold
            self._reset_untold = NO_STREAMS
            for stream in untold:
                if stream.receive is not None and stream.receive.is_reset_due:
                    stream.receive.on_reset_told()
                    self._table.forget_if_over(stream)
        return events

    # Limits of the peer

    def set_peer_limits(self, parameters: TransportParameters) -> None:
        """Take the limits of the peer's transport parameters: remembered ones for 0-RTT, then the real ones.

        Raises:
            TransportError: PROTOCOL_VIOLATION, a limit is lower than remembered. RFC 9000 §7.4.1.
        """
        limits = StreamLimits.of(parameters)
        self._peer_takes_reset_at = parameters.reset_stream_at
        self._table.set_peer_limits(limits)
        self._flow.set_peer_limit(limits.data)
        for stream in self._streams.values():
            if stream.send is not None:
                self._raise_send_limit(stream, stream.send, self._table.send_limit(stream.stream_id))
        self._allow(True, limits.streams_bidi)
        self._allow(False, limits.streams_uni)

    def reject_early_data(self) -> None:
        """The server has not taken 0-RTT: no stream was ever opened. RFC 9001 §4.6.2.

        The engine has dropped the packets before, without reporting them lost.
        """
        self._table.restart()
        self._outgoing.clear()
        self.events.clear()
        self._reset_untold = NO_STREAMS
        self._flow.restart()

    def _allow(self, bidirectional: bool, limit: int) -> None:
        if self._table.local[0 if bidirectional else 1].allow(limit):
            self.events.append(StreamsAvailable(bidirectional))

    def _raise_send_limit(self, stream: Stream, send: SendStream, limit: int) -> None:
        if limit > send.limit:
            send.limit = limit
            stream.owed &= ~OWES_BLOCKED
            self._outgoing.schedule(stream, send)

    # Verbs

    def open(self, bidirectional: bool = True) -> int:
        """Open a stream; the peer hears of it with the first frame.

        Raises:
            StreamLimitReached: the peer allows no more now; `StreamsAvailable` will tell.
        """
        stream = self._table.open(bidirectional)
        self._give_first_credit(stream)
        return stream.stream_id

    def _give_first_credit(self, stream: Stream) -> None:
        """A stream for which we have advertised nothing could not be used without."""
        if stream.receive is not None and stream.receive.window.limit == 0:
            self._outgoing.owe(stream, OWES_CREDIT)

    def send(self, stream_id: int, data: bytes, fin: bool = False) -> None:
        """Queue data, and perhaps the end, on a stream; all of it is taken.

        What is sent on a stream that was reset, or that the peer does not want to read, is dropped: the event
        that tells of it may still be on its way to the caller.

        Raises:
            UnknownStream: there is no such stream, or only the peer sends on it.
            UsageError: the stream was ended before.
        """
        stream = self._table.of_verb(stream_id, sending=True)
        send = None if stream is None else stream.send
        if stream is None or send is None or send.is_reset:
            return
        if send.final_size >= 0:
            raise UsageError(f"stream {stream_id} was ended at {send.final_size} bytes")
        send.write(data if type(data) is bytes else bytes(data), fin)
        self._outgoing.schedule(stream, send)

    def send_capacity(self, stream_id: int) -> int:
        """Bytes that fit the send buffer; when not positive, `StreamWritable` tells when to go on.

        Raises:
            UnknownStream: there is no such stream, or only the peer sends on it.
        """
        stream = self._table.of_verb(stream_id, sending=True)
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
        stream = self._table.of_verb(stream_id, sending=False)
        receive = None if stream is None else stream.receive
        if stream is None or receive is None:
            return b"", False
        was_reset = receive.state is RESET_RECVD
        data, end, is_due = receive.read(n, self._flow)
        if end:
            stream.owed &= ~OWES_CREDIT
            self._table.forget_if_over(stream)
        elif receive.state is RESET_RECVD:
            if not was_reset:
                self._announce_reset(stream, receive)
        else:
            if is_due:
                self._outgoing.owe(stream, OWES_CREDIT)
            receive.is_announced = receive.is_readable
        return data, end

    def reset(self, stream_id: int, code: int, reliable_size: int = 0) -> None:
        """Abandon the sending side with RESET_STREAM; nothing happens if it is over.

        Args:
            reliable_size: bytes that are delivered all the same, with RESET_STREAM_AT.

        Raises:
            UnknownStream: there is no such stream, or only the peer sends on it.
            UsageError: the peer does not know RESET_STREAM_AT, or fewer bytes were written.
        """
        stream = self._table.of_verb(stream_id, sending=True)
        if reliable_size and not self._peer_takes_reset_at:
            raise UsageError("the peer does not take RESET_STREAM_AT")
        if stream is not None and stream.send is not None:
            written = stream.send.buffer.end
            if not stream.send.is_reset and not 0 <= reliable_size <= written:
                raise UsageError(f"{reliable_size} bytes of {written} cannot be delivered")
            self._reset(stream, stream.send, code, reliable_size)

    def _reset(self, stream: Stream, send: SendStream, code: int, reliable_size: int = 0) -> bool:
        if not send.reset(code, reliable_size):
            return False
        if not send.can_tell_reset:  # what is to be delivered has to be sent first
            self._outgoing.schedule(stream, send)
            return True
        stream.owed &= ~OWES_BLOCKED
        self._outgoing.unpark(stream)
        self._outgoing.owe(stream, OWES_RESET)
        return True

    def stop_sending(self, stream_id: int, code: int) -> None:
        """Give up reading with STOP_SENDING; nothing happens if there is nothing left to read.

        Raises:
            UnknownStream: there is no such stream, or only we send on it.
        """
        stream = self._table.of_verb(stream_id, sending=False)
        if stream is not None and stream.receive is not None:
            stream.owed &= ~OWES_CREDIT
            if stream.receive.stop(code, self._flow):
                self._outgoing.owe(stream, OWES_STOP)
            self._table.forget_if_over(stream)

    def set_priority(self, stream_id: int, urgency: int, incremental: bool) -> None:
        """Order streams that have something to send. RFC 9218 §4; 0 is most urgent, 7 least.

        Raises:
            UnknownStream: there is no such stream, or only the peer sends on it.
        """
        stream = self._table.of_verb(stream_id, sending=True)
        if stream is not None:
            self._outgoing.scheduler.reprioritize(stream, min(max(urgency, 0), LEVELS - 1), incremental)

    # Frames of the peer

    def _stream_of(self, stream_id: int, frame: Frame, *, sending: bool) -> Stream | None:
        stream, is_new = self._table.of_frame(stream_id, frame, sending=sending)
        if stream is not None and is_new:
            if self._tells_opened:
                self.events.append(StreamOpened(stream_id))
            self._give_first_credit(stream)
        return stream

    def receive_stream(self, frame: StreamFrame) -> None:
        """STREAM, RFC 9000 §19.8."""
        stream_id = frame.stream_id
        stream = self._streams.get(stream_id)
        receive = None if stream is None else stream.receive
        if stream is None or receive is None:
            stream = self._stream_of(stream_id, frame, sending=False)
            receive = None if stream is None else stream.receive
            if stream is None or receive is None:
                return
        receive.receive(frame, self._flow)
        if receive.is_stopped:
            self._table.forget_if_over(stream)
        elif not receive.is_announced and receive.is_readable:  # told once
            receive.is_announced = True
            self.events.append(StreamReadable(stream_id))

    def receive_reset(self, frame: ResetStreamFrame) -> None:
        """RESET_STREAM, RFC 9000 §19.4."""
        self._receive_reset(frame.stream_id, frame.error_code, frame.final_size, 0, frame)

    def receive_reset_at(self, frame: ResetStreamAtFrame) -> None:
        """RESET_STREAM_AT, draft-ietf-quic-reliable-stream-reset."""
        if not self._takes_reset_at:  # RFC 9000 §12.4
            raise TransportError(FRAME_ENCODING_ERROR, frame.type, "a frame that was not offered")
        if frame.reliable_size > frame.final_size:
            raise TransportError(
                FRAME_ENCODING_ERROR,
                frame.type,
                f"reliable size {frame.reliable_size} beyond final size {frame.final_size}",
            )
        self._receive_reset(frame.stream_id, frame.error_code, frame.final_size, frame.reliable_size, frame)

    def _receive_reset(self, stream_id: int, code: int, final_size: int, reliable: int, frame: Frame) -> None:
        stream = self._stream_of(stream_id, frame, sending=False)
        receive = None if stream is None else stream.receive
        if stream is None or receive is None:
            return
        was_due = receive.is_reset_due
        receive.receive_reset(code, final_size, reliable, frame, self._flow)
        if receive.is_reset_due and not was_due:
            self._announce_reset(stream, receive)
        else:
            self._table.forget_if_over(stream)

    def _announce_reset(self, stream: Stream, receive: ReceiveStream) -> None:
        stream.owed &= ~(OWES_CREDIT | OWES_STOP)
        self.events.append(StreamReset(stream.stream_id, receive.reset_code))
        if self._reset_untold:
            self._reset_untold.append(stream)
        else:
            self._reset_untold = [stream]

    def receive_stop_sending(self, frame: StopSendingFrame) -> None:
        """STOP_SENDING, RFC 9000 §19.5: our side is reset with the same code (§3.5)."""
        stream = self._stream_of(frame.stream_id, frame, sending=True)
        if (
            stream is not None
            and stream.send is not None
            and self._reset(stream, stream.send, frame.error_code)
        ):
            self.events.append(StreamStopped(frame.stream_id, frame.error_code))

    def receive_max_stream_data(self, frame: MaxStreamDataFrame) -> None:
        """MAX_STREAM_DATA, RFC 9000 §19.10."""
        stream = self._stream_of(frame.stream_id, frame, sending=True)
        if stream is not None and stream.send is not None:
            self._raise_send_limit(stream, stream.send, frame.maximum)

    def receive_stream_data_blocked(self, frame: StreamDataBlockedFrame) -> None:
        """STREAM_DATA_BLOCKED, RFC 9000 §19.13: a limit that the peer has not seen is told again."""
        stream = self._stream_of(frame.stream_id, frame, sending=False)
        receive = None if stream is None else stream.receive
        if stream is None or receive is None or not receive.wants_credit:
            return
        if frame.limit < receive.window.limit:
            self._outgoing.owe(stream, OWES_CREDIT)

    def receive_max_streams(self, frame: MaxStreamsFrame) -> None:
        """MAX_STREAMS, RFC 9000 §19.11."""
        if frame.maximum > MAX_STREAM_COUNT:
            raise TransportError(FRAME_ENCODING_ERROR, frame.type, f"{frame.maximum} streams allowed")
        self._allow(frame.bidirectional, frame.maximum)

    def receive_streams_blocked(self, frame: StreamsBlockedFrame) -> None:
        """STREAMS_BLOCKED, RFC 9000 §19.14."""
        if frame.limit > MAX_STREAM_COUNT:
            raise TransportError(FRAME_ENCODING_ERROR, frame.type, f"blocked at {frame.limit} streams")
        self._table.peer[0 if frame.bidirectional else 1].on_blocked()

    # Frames to the peer

    def has_frames(self, space: int) -> bool:
        return space == spaces.APPLICATION and self._outgoing.has_frames()

    def write_frames(self, builder: PacketBuilder) -> None:
        self._outgoing.write_frames(builder)

    def fill_packets(self, room: int, count: int) -> list[StreamFrame]:
        return self._outgoing.fill_packets(room, count)

    def on_acked(self, frame: Frame) -> None:
        if isinstance(frame, StreamFrame):
            self._on_data_acked(frame.stream_id, frame.offset, len(frame.data), frame.fin)
        elif isinstance(frame, ResetStreamFrame):
            stream = self._streams.get(frame.stream_id)
            if stream is not None and stream.send is not None and stream.send.is_dropped:
                stream.owed &= ~OWES_RESET
                stream.send.on_reset_acked()
                self._table.forget_if_over(stream)
        elif isinstance(frame, ResetStreamAtFrame):
            stream = self._streams.get(frame.stream_id)
            if stream is not None and stream.send is not None:
                if frame.reliable_size == stream.send.reliable_size:
                    stream.owed &= ~OWES_RESET
                stream.send.on_reset_at_acked(frame.reliable_size)
                self._table.forget_if_over(stream)

    def on_all_acked(self, frames: list[Frame]) -> None:
        index = 0
        count = len(frames)
        while index < count:
            frame = frames[index]
            index += 1
            if not isinstance(frame, StreamFrame):
                self.on_acked(frame)
                continue
            # Data that lies together is counted together.
            stream_id = frame.stream_id
            offset = frame.offset
            stop = offset + len(frame.data)
            fin = frame.fin
            while index < count:
                behind = frames[index]
                if (
                    not isinstance(behind, StreamFrame)
                    or behind.offset != stop
                    or behind.stream_id != stream_id
                ):
                    break
                stop += len(behind.data)
                fin = fin or behind.fin
                index += 1
            self._on_data_acked(stream_id, offset, stop - offset, fin)

    def _on_data_acked(self, stream_id: int, offset: int, size: int, fin: bool) -> None:
        stream = self._streams.get(stream_id)
        if stream is None or stream.send is None:
            return
        send = stream.send
        if send.on_acked(offset, size, fin):
            if self._tells_finished:
                self.events.append(StreamFinished(stream_id))
            self._table.forget_if_over(stream)
        elif send.is_over:
            self._table.forget_if_over(stream)
        elif send.is_full and send.take_writable():
            self.events.append(StreamWritable(stream_id))

    def on_lost(self, frame: Frame) -> None:
        self._outgoing.on_lost(frame)
