"""Whoever writes a frame hears of its fate.

A sent packet remembers (frame, source) pairs; when the packet is acknowledged or lost, each source is told and
decides for itself what, if anything, to send again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwire.frames import Frame

if TYPE_CHECKING:
    from .builder import PacketBuilder


class FrameSource:
    """Base class of everything that puts frames into packets."""

    def has_frames(self, space: int) -> bool:
        """Whether there is something to send in this packet-number space now."""
        return False

    def write_frames(self, builder: PacketBuilder) -> None:
        """Append frames until there are none, or until `builder.append` says that there is no room."""

    def on_acked(self, frame: Frame) -> None:
        """The peer has received the frame."""

    def on_lost(self, frame: Frame) -> None:
        """The packet that carried the frame counts as lost, or its space was restarted."""
