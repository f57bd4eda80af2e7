"""Whoever writes a frame hears of its fate.

A sent packet remembers (frame, source) pairs; when the packet is acknowledged or lost, each source is told and
decides for itself what, if anything, to send again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from qwire.compiling import mypyc_attr
from qwire.frames import DatagramFrame, Frame, StreamFrame

if TYPE_CHECKING:
    from .builder import PacketBuilder


@mypyc_attr(allow_interpreted_subclasses=True)
class FrameSource:
    """Base class of everything that puts frames into packets."""

    __slots__ = ()

    def has_frames(self, space: int) -> bool:
        """Whether there is something to send in this packet-number space now."""
        return False

    def write_frames(self, builder: PacketBuilder) -> None:
        """Append frames until there are none, or until `builder.append` says that there is no room."""

    def fill_packets(self, room: int, count: int) -> Sequence[StreamFrame | DatagramFrame]:
        """Up to `count` frames of at most `room` bytes, each to fill a packet so far that the next does not fit.

        None at all where something else should go first. What is left goes the ordinary way.
        """
        return []

    def on_acked(self, frame: Frame) -> None:
        """The peer has received the frame."""

    def on_all_acked(self, frames: list[Frame]) -> None:
        """The peer has received these frames, told by one ACK."""
        for frame in frames:
            self.on_acked(frame)

    def on_lost(self, frame: Frame) -> None:
        """The packet that carried the frame counts as lost, or its space was restarted."""


# Whose frames are those of which nobody needs to hear: PING, and what else is not sent again.
UNHEARD: Final = FrameSource()
