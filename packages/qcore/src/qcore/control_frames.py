"""Frames that belong to no other part: HANDSHAKE_DONE, NEW_TOKEN, PING.

HANDSHAKE_DONE and NEW_TOKEN are repeated until they arrive; a PING is not. RFC 9000 §13.3.
"""

from __future__ import annotations

from typing import Final, final

from qwire.frames import Frame, HandshakeDoneFrame, NewTokenFrame, PingFrame

from .packing.builder import PacketBuilder
from .packing.source import FrameSource
from .spaces import APPLICATION

# What all queues share that are empty: nobody may put anything into it.
NO_FRAMES: Final[list[Frame]] = []


@final
class ControlFrames(FrameSource):
    """A short queue of frames for the application space."""

    __slots__ = ("_ping", "_queue")

    def __init__(self) -> None:
        self._queue = NO_FRAMES
        self._ping = False

    def ping(self) -> None:
        """Send something that the peer has to acknowledge."""
        self._ping = True

    def handshake_done(self) -> None:
        self._queue = [*self._queue, HandshakeDoneFrame()]

    def new_token(self, token: bytes) -> None:
        self._queue = [*self._queue, NewTokenFrame(token)]

    def has_frames(self, space: int) -> bool:
        return space == APPLICATION and (self._ping or bool(self._queue))

    def write_frames(self, builder: PacketBuilder) -> None:
        while self._queue and builder.append(self._queue[0], self):
            self._queue = self._queue[1:] or NO_FRAMES
        if self._ping:
            # Any ack-eliciting frame in the packet serves as well.
            self._ping = not (builder.ack_eliciting or builder.append(PingFrame(), self))

    def on_lost(self, frame: Frame) -> None:
        if not isinstance(frame, PingFrame):
            self._queue = [*self._queue, frame]
