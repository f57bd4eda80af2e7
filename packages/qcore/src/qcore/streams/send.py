"""The sending half of a stream.

Owns its bytes, its end, its reset and the peer's limit for it; writes STREAM frames. RFC 9000 §2.2, §3.1,
§4.5.
"""

# ruff: noqa: FURB136, PLR1730 - per packet, and min() is a call

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from qwire.frames import StreamFrame

from ..packing.source import FrameSource
from .send_buffer import SendBuffer
from .states import SEND_OVER, SendInput, SendState, advance_send

if TYPE_CHECKING:
    from ..packing.builder import PacketBuilder

# What a sending half has for the next packet.
IDLE: Final = 0  # nothing to send
READY: Final = 1  # something that may be sent now
STREAM_BLOCKED: Final = 2  # data beyond the limit of the stream
CONNECTION_BLOCKED: Final = 3  # data that lacks credit of the connection only

# Answer of `write_frame` when nothing fits.
NO_ROOM: Final = -1


def _offset_size(offset: int) -> int:
    """Bytes of the Offset field; none at all for 0. RFC 9000 §19.8."""
    if offset < 64:
        return 1 if offset else 0
    if offset < 16384:
        return 2
    return 4 if offset < 1 << 30 else 8


@final
class SendStream:
    """One sending half.

    Attributes:
        limit: the offset up to which the peer takes data.
        final_size: where the stream ends, or -1 while that is open.
        reset_code: the code of our reset, if there was one.
        reliable_size: bytes that are delivered in spite of a reset, or -1 if that does not apply.
        bound: bytes that may be written ahead of acknowledgements.
        is_full: the application has met a full buffer and waits.
        is_reset: we have abandoned it, perhaps all but its beginning.
        is_spent: `write_frame` has left nothing to send.
        blocked_at: the limit for which STREAM_DATA_BLOCKED was last owed.
    """

    __slots__ = (
        "_fin_acked",
        "_fin_due",
        "_id_size",
        "_reset_acked",
        "blocked_at",
        "bound",
        "buffer",
        "final_size",
        "is_full",
        "is_reset",
        "is_spent",
        "limit",
        "reliable_size",
        "reset_code",
        "state",
        "stream_id",
    )

    def __init__(self, stream_id: int, limit: int, bound: int) -> None:
        self.stream_id = stream_id
        self.state = SendState.READY
        self.buffer = SendBuffer()
        self.limit = limit
        self.final_size = -1
        self.reset_code = 0
        self.reliable_size = -1
        self.bound = bound
        self.is_full = False
        self.is_reset = False
        self.is_spent = False
        self.blocked_at = -1
        self._id_size = _offset_size(stream_id) or 1
        self._fin_due = False
        self._fin_acked = False
        self._reset_acked = False

    @property
    def is_over(self) -> bool:
        """Nothing more can happen to this half."""
        return self.state in SEND_OVER

    @property
    def is_dropped(self) -> bool:
        """Whether none of its bytes matters any more."""
        return self.state is SendState.RESET_SENT or self.state in SEND_OVER

    @property
    def capacity(self) -> int:
        """Bytes that still fit the bound; negative when more was written."""
        return self.bound - (self.buffer.end - self.buffer.acked)

    def write(self, data: bytes, fin: bool) -> None:
        """Queue bytes, and perhaps the end."""
        buffer = self.buffer
        if data:
            buffer.write(data)
            if buffer.end - buffer.acked >= self.bound:
                self.is_full = True
        if fin:
            self.final_size = buffer.end
            self._fin_due = True

    def readiness(self, credit: int) -> int:
        """`READY` and the like, with `credit` bytes of the connection left."""
        buffer = self.buffer
        sent = buffer.next_offset
        if sent < buffer.end:
            if buffer.lost and buffer.has_lost:
                return READY
            if sent >= self.limit:
                return STREAM_BLOCKED
            return READY if credit > 0 else CONNECTION_BLOCKED
        return READY if self._fin_due or (buffer.lost and buffer.has_lost) else IDLE

    def write_frame(self, builder: PacketBuilder, owner: FrameSource, credit: int) -> int:
        """Append one STREAM frame.

        Only called when `readiness` says so. The Length field is left out of a frame that fills the packet.

        Returns:
            How many bytes went out for the first time, or `NO_ROOM`.
        """
        buffer = self.buffer
        lost = buffer.peek_lost() if buffer.lost else None
        if lost is not None:
            offset = lost[0]
            available = len(lost[1])
        else:
            offset = buffer.next_offset
            stop = buffer.end if buffer.end < self.limit else self.limit
            available = stop - offset if stop - offset < credit else credit
            if available < 0:
                available = 0
        space = builder.limit - len(builder.payload) - 1 - self._id_size
        if offset:
            space -= _offset_size(offset)
        has_length = False
        size = available
        if space < available:
            if space < builder.smallest_cut:
                return NO_ROOM
            size = space
        elif space > available:
            has_length = True
            length_size = 1 if available < 64 else 2 if available < 16384 else 4
            if available + length_size > space:
                size = space - length_size
        if lost is not None:
            data = buffer.take_lost(size)
            fresh = 0
        else:
            data = buffer.take(size) if size else b""
            fresh = size
        fin = offset + size == self.final_size and self.reliable_size < 0
        if not builder.append(StreamFrame(self.stream_id, offset, data, fin, has_length), owner):
            buffer.on_lost(offset, data)
            return fresh or NO_ROOM
        if fin:
            self._fin_due = False
            self.state = advance_send(self.state, SendInput.FIN)
        elif self.state is SendState.READY:
            self.state = SendState.SEND
        self.is_spent = buffer.next_offset == buffer.end and not self._fin_due and not buffer.lost
        return fresh

    def fill_packets(self, room: int, count: int, credit: int) -> list[StreamFrame]:
        """Up to `count` frames of new data, each of exactly `room` bytes and without a Length field.

        The last data of a stream, and what is sent again, is left to `write_frame`.
        """
        buffer = self.buffer
        frames: list[StreamFrame] = []
        if buffer.lost or self.reliable_size >= 0:
            return frames
        stream_id = self.stream_id
        offset = buffer.next_offset
        stop = min(buffer.end, self.limit, offset + credit)
        room -= 1 + self._id_size
        while len(frames) < count:
            size = room - _offset_size(offset)
            if offset + size >= stop:
                break
            frames.append(StreamFrame(stream_id, offset, buffer.take(size), False, False))
            offset += size
        if frames and self.state is SendState.READY:
            self.state = SendState.SEND
        return frames

    def on_acked(self, offset: int, size: int, fin: bool) -> bool:
        """Count bytes, and perhaps the end, as received; True when that was the last thing missing."""
        state = self.state
        if state is SendState.RESET_SENT or state in SEND_OVER:
            return False
        buffer = self.buffer
        if size:
            buffer.on_acked(offset, size)
        if fin:
            self._fin_acked = True
            self._fin_due = False
        if self.reliable_size >= 0:
            self._check_reliable()
        elif self._fin_acked and buffer.acked == buffer.end:
            self.state = advance_send(state, SendInput.ALL_ACKED)
            return True
        return False

    def on_lost(self, frame: StreamFrame) -> None:
        """Send the frame's bytes, and its end, again."""
        if self.is_dropped:
            return
        if self.reliable_size >= 0:
            self.buffer.on_lost(frame.offset, frame.data[: max(self.reliable_size - frame.offset, 0)])
            return
        self.buffer.on_lost(frame.offset, frame.data)
        if frame.fin and not self._fin_acked:
            self._fin_due = True

    def on_blocked_sent(self) -> None:
        """STREAM_DATA_BLOCKED is a first frame too. RFC 9000 §3.1."""
        if self.state is SendState.READY:
            self.state = advance_send(self.state, SendInput.SEND)

    def reset(self, code: int, reliable_size: int = 0) -> bool:
        """Abandon the stream; False when there is nothing to abandon any more. RFC 9000 §3.1.

        Args:
            reliable_size: bytes, all of them written, that are delivered all the same. A second reset may only
                promise less, and its code does not count (draft-ietf-quic-reliable-stream-reset §5.2).
        """
        if self.is_dropped or 0 <= self.reliable_size <= reliable_size:
            return False
        if self.reliable_size < 0:
            self.reset_code = code
        self._fin_due = False
        self.is_reset = True
        buffer = self.buffer
        if reliable_size:
            self._reset_acked = False
            self.reliable_size = reliable_size
            buffer.truncate(reliable_size)
        else:
            self.state = advance_send(self.state, SendInput.RESET)
            self.reliable_size = -1
            buffer.discard()
        self.final_size = max(buffer.next_offset, reliable_size)
        return True

    @property
    def can_tell_reset(self) -> bool:
        """Whether everything that survives a reset has been sent once, so that the final size is within the limits."""
        return self.buffer.next_offset >= self.reliable_size

    def on_reset_at_sent(self) -> None:
        """RESET_STREAM_AT has the place of the last STREAM frame. draft-ietf-quic-reliable-stream-reset §5.1."""
        self.state = advance_send(self.state, SendInput.FIN)

    def on_reset_at_acked(self, reliable_size: int) -> None:
        """The peer has our RESET_STREAM_AT."""
        if reliable_size == self.reliable_size and not self.is_dropped:
            self._reset_acked = True
            self._check_reliable()

    def _check_reliable(self) -> None:
        if self._reset_acked and self.buffer.is_acked_to(self.reliable_size):
            self.state = advance_send(self.state, SendInput.ALL_ACKED)

    def on_reset_acked(self) -> None:
        """The peer has our RESET_STREAM."""
        self.state = advance_send(self.state, SendInput.RESET_ACKED)

    def take_writable(self) -> bool:
        """Whether a writer that met a full buffer can go on; told once."""
        # A quarter of the bound must be free, so that a writer is not woken for every acknowledgement.
        if self.is_full and self.capacity >= max(self.bound >> 2, 1):
            self.is_full = False
            return True
        return False
