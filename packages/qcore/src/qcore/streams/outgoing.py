"""What streams have to send, and in which order.

Streams with data wait in the scheduler, or aside while they lack credit; frames owed about a stream are bits
on it, so that each is sent once with the newest value however often it was asked for. RFC 9000 §2.3, §4,
§13.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

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

from ..flow_control import ConnectionFlow
from ..packing.source import FrameSource
from .scheduler import Scheduler
from .send import CONNECTION_BLOCKED, NO_ROOM, READY, STREAM_BLOCKED, SendStream
from .stream import OWES_BLOCKED, OWES_CREDIT, OWES_RESET, OWES_STOP, Stream
from .table import StreamTable

if TYPE_CHECKING:
    from ..packing.builder import PacketBuilder

# No frame about a stream, with a byte of data in it, is smaller.
SMALLEST_FRAME: Final = 3
# Streams that share a connection take turns of so many full packets, about 10 KB: what a reader does for each stream
# it does less often then, and a stream waits for the others hardly longer.
FULL_PACKETS_PER_TURN: Final = 8
# What connections share where no stream waits: nobody may put anything into these.
NOBODY_PARKED: Final[dict[int, Stream]] = {}
NOBODY_OWING: Final[list[Stream]] = []


@final
class Outgoing:
    """The queues of one connection's streams.

    Args:
        table: the streams.
        flow: the connection's credit.
        owner: who is told of the fate of the frames.
        by_number: streams have their turns in the order of their numbers.

    Attributes:
        scheduler: the streams that have data which may be sent.
    """

    __slots__ = ("_flow", "_owing", "_owner", "_parked", "_table", "scheduler")

    def __init__(
        self,
        table: StreamTable,
        flow: ConnectionFlow,
        owner: FrameSource,
        *,
        by_number: bool = False,
    ) -> None:
        self._table = table
        self._flow = flow
        self._owner = owner
        self.scheduler = Scheduler(by_number)
        self._parked = NOBODY_PARKED  # they wait for credit of the connection
        self._owing = NOBODY_OWING

    def clear(self) -> None:
        """Forget everything that waits."""
        self.scheduler.clear()
        self._parked = NOBODY_PARKED
        self._owing = NOBODY_OWING

    def owe(self, stream: Stream, what: int) -> None:
        """Queue one of the frames `OWES_*`."""
        stream.owed |= what
        if not stream.is_owing:
            stream.is_owing = True
            if self._owing:
                self._owing.append(stream)
            else:
                self._owing = [stream]

    def schedule(self, stream: Stream, send: SendStream) -> None:
        """There may be something new to send on a stream."""
        if stream.is_scheduled or stream.is_parked:
            return
        flow = self._flow
        readiness = send.readiness(flow.send_limit - flow.sent)
        if readiness == READY:
            self.scheduler.add(stream)
        else:
            self._set_aside(stream, send, readiness)

    def _set_aside(self, stream: Stream, send: SendStream, readiness: int) -> None:
        if readiness == STREAM_BLOCKED:
            if send.blocked_at != send.limit:  # RFC 9000 §4.1: once per limit
                send.blocked_at = send.limit
                self.owe(stream, OWES_BLOCKED)
        elif readiness == CONNECTION_BLOCKED:
            self._flow.on_blocked()
            if not stream.is_parked:
                stream.is_parked = True
                if self._parked:
                    self._parked[stream.stream_id] = stream
                else:
                    self._parked = {stream.stream_id: stream}

    def _unpark_all(self) -> None:
        for stream in self._parked.values():
            stream.is_parked = False
            self.scheduler.add(stream)
        self._parked.clear()

    def unpark(self, stream: Stream) -> None:
        """A stream that has lost its data waits for nothing."""
        if stream.is_parked:
            stream.is_parked = False
            del self._parked[stream.stream_id]

    def _next_ready(self) -> Stream | None:
        """The stream whose turn it is, after those that cannot send have left the queue."""
        scheduler = self.scheduler
        flow = self._flow
        credit = flow.send_limit - flow.sent
        if self._parked and credit > 0:
            self._unpark_all()
        while True:
            stream = scheduler.head()
            if stream is None:
                return None
            send = stream.send
            assert send is not None
            readiness = send.readiness(credit)
            if readiness == READY:
                return stream
            scheduler.pop()
            self._set_aside(stream, send, readiness)

    def has_frames(self) -> bool:
        """Whether there is anything that may be sent now."""
        if (self.scheduler.count or self._parked) and self._next_ready() is not None:
            return True
        return (bool(self._owing) and self._is_owing()) or self._owes_limits()

    def _is_owing(self) -> bool:
        """Whether a stream still owes something; those in front that do not leave the queue."""
        owing = self._owing
        count = 0
        for stream in owing:
            if stream.owed:
                break
            stream.is_owing = False
            count += 1
        if count:
            del owing[:count]
        return bool(owing)

    def write_frames(self, builder: PacketBuilder) -> None:
        """Fill a packet: frames owed, then limits, then data."""
        if self._owing and not self._write_owed(builder):
            return
        if self._owes_limits() and not self._write_limits(builder):
            return
        flow = self._flow
        scheduler = self.scheduler
        while scheduler.count or self._parked:
            stream = self._next_ready()
            if stream is None:
                break
            send = stream.send
            assert send is not None
            fresh = send.write_frame(builder, self._owner, flow.send_limit - flow.sent)
            if fresh == NO_ROOM:
                return
            flow.sent += fresh
            if send.reliable_size >= 0 and fresh and send.can_tell_reset:
                self.owe(stream, OWES_RESET)
            if send.is_spent:
                scheduler.pop()
            elif scheduler.count > 1:
                scheduler.rotate()
            if builder.limit - len(builder.payload) < SMALLEST_FRAME:
                return
        if self._owing:  # a stream that met its limit just now
            self._write_owed(builder)
        if self._parked:  # or that of the connection
            flow.write_frames(builder)

    def fill_packets(self, room: int, count: int) -> list[StreamFrame]:
        """Frames of new data that fill a packet each; none while other frames are owed."""
        frames: list[StreamFrame] = []
        if self._owing or self._owes_limits():
            return frames
        flow = self._flow
        scheduler = self.scheduler
        while len(frames) < count:
            stream = self._next_ready()
            if stream is None or stream.send is None:
                break
            turn = count - len(frames)
            if scheduler.takes_turns:
                turn = min(turn, FULL_PACKETS_PER_TURN)
            filled = stream.send.fill_packets(room, turn, flow.credit)
            if not filled:
                break
            last = filled[-1]
            flow.sent += last.offset + len(last.data) - filled[0].offset
            frames += filled
            scheduler.rotate()
        return frames

    def _write_owed(self, builder: PacketBuilder) -> bool:
        """Write what streams owe; False when the packet is full."""
        owing = self._owing
        count = 0
        for stream in owing:
            if stream.owed and not self._write_owed_by(stream, builder):
                break
            stream.is_owing = False
            count += 1
        del owing[:count]
        return not owing

    def _write_owed_by(self, stream: Stream, builder: PacketBuilder) -> bool:
        send = stream.send
        receive = stream.receive
        owner = self._owner
        if stream.owed & OWES_RESET and send is not None:
            reset: Frame = ResetStreamFrame(stream.stream_id, send.reset_code, send.final_size)
            if send.reliable_size >= 0:
                reset = ResetStreamAtFrame(
                    stream.stream_id, send.reset_code, send.final_size, send.reliable_size
                )
            if not builder.append(reset, owner):
                return False
            if send.reliable_size >= 0:
                send.on_reset_at_sent()
            stream.owed &= ~OWES_RESET
        if stream.owed & OWES_STOP and receive is not None:
            if not builder.append(StopSendingFrame(stream.stream_id, receive.stop_code), owner):
                return False
            stream.owed &= ~OWES_STOP
        if stream.owed & OWES_CREDIT and receive is not None:
            window = receive.window
            limit = window.advance(builder.now, self._flow.smoothed_rtt)
            self._flow.ensure_window(window.window)
            if not builder.append(MaxStreamDataFrame(stream.stream_id, limit), owner):
                return False
            stream.owed &= ~OWES_CREDIT
        if stream.owed & OWES_BLOCKED and send is not None:
            if not builder.append(StreamDataBlockedFrame(stream.stream_id, send.limit), owner):
                return False
            send.on_blocked_sent()
            stream.owed &= ~OWES_BLOCKED
        return True

    def _owes_limits(self) -> bool:
        table = self._table
        return (
            table.peer[0].is_due
            or table.peer[1].is_due
            or table.local[0].is_blocked_due
            or table.local[1].is_blocked_due
        )

    def _write_limits(self, builder: PacketBuilder) -> bool:
        for bidirectional in (True, False):
            peer = self._table.peer[0 if bidirectional else 1]
            if peer.is_due:
                if not builder.append(MaxStreamsFrame(bidirectional, peer.advance()), self._owner):
                    return False
                peer.is_due = False
            local = self._table.local[0 if bidirectional else 1]
            if local.is_blocked_due:
                if not builder.append(StreamsBlockedFrame(bidirectional, local.limit), self._owner):
                    return False
                local.is_blocked_due = False
        return True

    def on_lost(self, frame: Frame) -> None:
        """Queue again what is still worth telling. RFC 9000 §13.3."""
        if isinstance(frame, StreamFrame):
            stream = self._table.streams.get(frame.stream_id)
            if stream is not None and stream.send is not None:
                stream.send.on_lost(frame)
                # What was sent before needs no credit, so a parked stream has its turn too.
                self.scheduler.add(stream)
        elif isinstance(frame, MaxStreamsFrame):
            peer = self._table.peer[0 if frame.bidirectional else 1]
            peer.is_due = peer.is_due or frame.maximum == peer.limit
        elif isinstance(frame, StreamsBlockedFrame):
            local = self._table.local[0 if frame.bidirectional else 1]
            local.is_blocked_due = local.is_wanted and frame.limit == local.limit
        elif isinstance(frame, MaxStreamDataFrame):
            stream = self._table.streams.get(frame.stream_id)
            receive = None if stream is None else stream.receive
            if stream is None or receive is None or not receive.wants_credit:
                return
            if frame.maximum == receive.window.limit:
                self.owe(stream, OWES_CREDIT)
        elif isinstance(frame, StopSendingFrame):
            stream = self._table.streams.get(frame.stream_id)
            if stream is not None and stream.receive is not None and not stream.receive.is_over:
                self.owe(stream, OWES_STOP)
        elif isinstance(frame, ResetStreamFrame | ResetStreamAtFrame):
            stream = self._table.streams.get(frame.stream_id)
            if stream is not None and stream.send is not None and not stream.send.is_over:
                self.owe(stream, OWES_RESET)
        elif isinstance(frame, StreamDataBlockedFrame):
            stream = self._table.streams.get(frame.stream_id)
            send = None if stream is None else stream.send
            if stream is None or send is None or send.is_reset or send.is_over:
                return
            if frame.limit == send.limit:
                self.owe(stream, OWES_BLOCKED)
