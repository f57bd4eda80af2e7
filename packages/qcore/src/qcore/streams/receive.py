"""The receiving half of a stream.

Owns reassembly, the final size, the credit given for this stream, and how it ended. RFC 9000 §2.2, §3.2,
§4.5.
"""

from __future__ import annotations

from typing import final

from qwire.constants import (
    FINAL_SIZE_ERROR,
    FLOW_CONTROL_ERROR,
    PROTOCOL_VIOLATION,
    STREAM_STATE_ERROR,
)
from qwire.frames import Frame, StreamFrame

from ..errors import TransportError
from ..flow_control import ConnectionFlow, ReceiveWindow
from .reassembler import MAX_GAPS, Reassembler
from .states import RECEIVE_OVER, ReceiveInput, ReceiveState, advance_receive


@final
class ReceiveStream:
    """One receiving half.

    Attributes:
        highest: the end of the furthest byte received.
        final_size: where the stream ends, or -1 while that is unknown.
        window: credit given for the stream.
        reset_code: the code of the peer's RESET_STREAM, once `state` tells of one.
        is_announced: the application knows that there is something to read.
        is_stopped: the application does not want the rest (STOP_SENDING).
        stop_code: the code of our STOP_SENDING.
    """

    __slots__ = (
        "_reset_at",
        "final_size",
        "highest",
        "is_announced",
        "is_stopped",
        "reassembler",
        "reset_code",
        "state",
        "stop_code",
        "stream_id",
        "window",
    )

    def __init__(self, stream_id: int, window: int, max_window: int) -> None:
        self.stream_id = stream_id
        self.state = ReceiveState.RECV
        self.reassembler = Reassembler()
        self.highest = 0
        self.final_size = -1
        self.window = ReceiveWindow(window, max_window)
        self.reset_code = 0
        self.is_announced = False
        self.is_stopped = False
        self.stop_code = 0
        self._reset_at = -1

    @property
    def is_over(self) -> bool:
        """Nothing more can happen to this half."""
        return self.state in RECEIVE_OVER

    @property
    def is_readable(self) -> bool:
        """Whether a read would give data or the end."""
        return self.state is ReceiveState.DATA_RECVD or self.reassembler.offset > self.reassembler.consumed

    @property
    def is_reset_due(self) -> bool:
        """Whether a reset is to be told to the application."""
        return self.state is ReceiveState.RESET_RECVD

    @property
    def wants_credit(self) -> bool:
        """Whether the peer can use a larger limit at all."""
        return self.state is ReceiveState.RECV and not self.is_stopped

    def receive(self, frame: StreamFrame, flow: ConnectionFlow) -> None:
        """Take in a STREAM frame.

        Raises:
            TransportError: FINAL_SIZE_ERROR, FLOW_CONTROL_ERROR; PROTOCOL_VIOLATION for deliberate fragments.
        """
        data = frame.data
        offset = frame.offset
        fin = frame.fin
        stop = offset + len(data)
        if self.final_size >= 0 or (fin and stop < self.highest):
            self._check_final_size(stop, fin, frame)
        if stop > self.highest:
            if stop > self.window.limit:
                raise TransportError(
                    FLOW_CONTROL_ERROR,
                    frame.type,
                    f"offset {stop} on stream {self.stream_id}, {self.window.limit} allowed",
                )
            flow.check_received(stop - self.highest, frame)
            self.highest = stop
        if fin and self.final_size < 0:
            self.final_size = stop
            self.state = advance_receive(self.state, ReceiveInput.FIN)
        if self.state is not ReceiveState.RECV and self.state is not ReceiveState.SIZE_KNOWN:
            return
        if self.is_stopped:
            self._give_up(flow)
            return
        if not self.reassembler.add(offset, data):
            raise TransportError(
                PROTOCOL_VIOLATION, frame.type, f"more than {MAX_GAPS} gaps on stream {self.stream_id}"
            )
        if self.reassembler.offset == self.final_size and self._reset_at < 0:
            self.state = advance_receive(self.state, ReceiveInput.ALL_DATA)

    def _check_final_size(self, stop: int, is_final: bool, frame: Frame) -> None:
        """RFC 9000 §4.5: the final size never changes, and no data lies beyond it."""
        if self.final_size >= 0:
            if stop > self.final_size or (is_final and stop != self.final_size):
                what = "final size" if is_final else "offset"
                raise TransportError(
                    FINAL_SIZE_ERROR,
                    frame.type,
                    f"{what} {stop} on stream {self.stream_id} whose final size is {self.final_size}",
                )
        elif stop < self.highest:
            raise TransportError(
                FINAL_SIZE_ERROR,
                frame.type,
                f"final size {stop} on stream {self.stream_id} with data up to {self.highest}",
            )

    def receive_reset(
        self, code: int, final_size: int, reliable_size: int, frame: Frame, flow: ConnectionFlow
    ) -> None:
        """Take in RESET_STREAM, or RESET_STREAM_AT, after which `reliable_size` bytes are still delivered.

        Raises:
            TransportError: FINAL_SIZE_ERROR, FLOW_CONTROL_ERROR; STREAM_STATE_ERROR, another code than before.
        """
        self._check_final_size(final_size, True, frame)
        if self._reset_at > 0 and code != self.reset_code:
            # draft-ietf-quic-reliable-stream-reset §5.2
            raise TransportError(
                STREAM_STATE_ERROR,
                frame.type,
                f"code {code} for stream {self.stream_id}, which was reset with {self.reset_code}",
            )
        if final_size > self.highest:
            if final_size > self.window.limit:
                raise TransportError(
                    FLOW_CONTROL_ERROR,
                    frame.type,
                    f"final size {final_size} on stream {self.stream_id}, {self.window.limit} allowed",
                )
            flow.check_received(final_size - self.highest, frame)
            self.highest = final_size
        if self.final_size < 0:
            self.final_size = final_size
            self.state = advance_receive(self.state, ReceiveInput.FIN)
        if self.state is not ReceiveState.SIZE_KNOWN:
            return
        if self._reset_at < 0:
            self.reset_code = code
            self._reset_at = reliable_size
        elif reliable_size < self._reset_at:  # a later reset may only promise less
            self._reset_at = reliable_size
        self._try_reset(flow)

    def _try_reset(self, flow: ConnectionFlow) -> None:
        """Let a reset take effect once what was promised has been read."""
        if self.state is not ReceiveState.SIZE_KNOWN:
            return
        if self.is_stopped or self.reassembler.consumed >= self._reset_at:
            self.state = advance_receive(self.state, ReceiveInput.RESET)
            self._give_up(flow)
            if self.is_stopped:
                self.state = advance_receive(self.state, ReceiveInput.RESET_READ)

    def _give_up(self, flow: ConnectionFlow) -> None:
        """Drop data that nobody will read, and give its credit back to the connection."""
        self.reassembler.discard()
        unread = self.highest - self.window.consumed
        if unread > 0:
            self.window.consumed = self.highest
            flow.consume(unread)
        if self.is_stopped and self.state is ReceiveState.SIZE_KNOWN:
            self.state = advance_receive(self.state, ReceiveInput.ALL_DATA)
            self.state = advance_receive(self.state, ReceiveInput.ALL_READ)

    def read(self, size: int, flow: ConnectionFlow) -> tuple[bytes, bool, bool]:
        """Take out data in order.

        Returns:
            The data, whether the end is reached, and whether new credit for the stream is due.
        """
        reassembler = self.reassembler
        data = reassembler.take(size)
        is_due = False
        if data:
            flow.consume(len(data))
            is_due = self.window.consume(len(data)) and self.wants_credit
            if self._reset_at >= 0:
                self._try_reset(flow)
        if self.state is ReceiveState.DATA_RECVD and reassembler.consumed == self.final_size:
            self.state = advance_receive(self.state, ReceiveInput.ALL_READ)
            return data, True, False
        return data, False, is_due

    def stop(self, code: int, flow: ConnectionFlow) -> bool:
        """Give up on the rest; whether the peer has to be told by STOP_SENDING. RFC 9000 §3.5."""
        if self.is_stopped or self.state in RECEIVE_OVER or self.state is ReceiveState.RESET_RECVD:
            return False
        self.is_stopped = True
        self.stop_code = code
        self.is_announced = False
        if self.state is ReceiveState.DATA_RECVD:
            self._give_up(flow)
            self.state = advance_receive(self.state, ReceiveInput.ALL_READ)
            return False
        self._give_up(flow)
        return self.state is ReceiveState.RECV

    def on_reset_told(self) -> None:
        """The application has heard of the reset."""
        self.state = advance_receive(self.state, ReceiveInput.RESET_READ)
