"""What a decoder raises: ``DecodeError`` and its two refinements, whatever the bytes."""

from __future__ import annotations


class DecodeError(ValueError):
    """Bytes from outside that break the format.

    Attributes:
        reason: one line that tells the values.
        frame_type: the frame that was being read, None outside of frames.
    """

    def __init__(self, reason: str, frame_type: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.frame_type = frame_type


class Truncated(DecodeError):
    """The input ends before the value does."""


class ForbiddenFrame(DecodeError):
    """A well-known frame where it must not be, or a frame type not written in its shortest form.

    A connection answers with PROTOCOL_VIOLATION, to any other ``DecodeError`` of a frame with
    FRAME_ENCODING_ERROR. RFC 9000 §12.4.
    """
