"""ACK frames into a connection: at once, or behind the answer.

Whoever asks one thing after the other waits for the next datagram, and what an ACK changes - round-trip time, window,
streams that are over - changes nothing in it as a rule. Then it is taken once that datagram has left. RFC 9000 §13.2.
"""

from __future__ import annotations

from typing import final

from qwire.frames import AckFrame

from ..paths.path import Path
from ..spaces import APPLICATION
from .parts import Parts


@final
class Acknowledgements:
    """Takes the ACK frames of one connection.

    Attributes:
        may_wait: whoever feeds the engine calls for what was put off, behind sending.
        is_waiting: an ACK was put off.
    """

    __slots__ = ("_frame", "_in_flight", "_parts", "_recovery", "_time", "is_waiting", "may_wait")

    def __init__(self, parts: Parts) -> None:
        self.may_wait = False
        self.is_waiting = False
        self._frame: AckFrame | None = None
        self._time = 0.0
        self._in_flight = 0
        self._parts = parts
        self._recovery = parts.recovery

    def receive(self, space: int, frame: AckFrame, path: Path, now: float) -> None:
        """Take a frame that arrived on a path, or keep it until `catch_up`.

        Raises:
            TransportError: it acknowledges a packet that was never sent.
        """
        if self.is_waiting:
            self.catch_up()
        if (
            self.may_wait
            and space == APPLICATION
            and self._recovery.can_wait(frame)
            and path is self._parts.paths.active
            and not self._parts.receiver.held_for
        ):
            self.is_waiting = True
            self._frame = frame
            self._time = now
            self._in_flight = self._recovery.bytes_in_flight
        else:
            self._take(space, frame, now)

    def catch_up(self) -> None:
        """Take the frame that was put off, as of when it came.

        Raises:
            TransportError: as `receive`.
        """
        frame = self._frame
        self.is_waiting = False
        self._frame = None
        if frame is not None:
            self._take(APPLICATION, frame, self._time, self._in_flight)

    def has_answer(self, now: float) -> bool:
        """Whether something is to be sent because of what `catch_up` has taken."""
        parts = self._parts
        mtu = parts.paths.active.mtu
        return parts.streams.has_frames(APPLICATION) or (mtu is not None and mtu.deadline <= now)

    def _take(self, space: int, frame: AckFrame, now: float, in_flight: int = -1) -> None:
        parts = self._parts
        recovery = self._recovery
        outcome = recovery.on_ack(space, frame, now, parts.receiver.held_for, in_flight)
        phases = parts.spaces[space].phases
        if phases is not None:
            phases.on_acked(frame.ranges[0][1])
        mtu = parts.paths.active.mtu
        if mtu is not None and space == APPLICATION:
            if outcome.acked:
                mtu.on_packets_acked(outcome.largest_acked_size)
            lost_size = recovery.largest_lost_size
            if lost_size:
                recovery.largest_lost_size = 0
                mtu.on_packets_lost(lost_size, now)
            if mtu.current != parts.datagram_size:
                parts.follow_mtu(now)
        rtt = recovery.rtt
        if rtt.has_sample:
            parts.flow.smoothed_rtt = rtt.smoothed
