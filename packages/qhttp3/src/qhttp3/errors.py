"""Error codes of HTTP/3 and how the parts of the engine report violations.

A violation is raised where it is seen and caught once, in the engine, which closes the connection or resets the
stream. ``UsageError`` is the caller's mistake; nothing has changed when it is raised. RFC 9114 §8.
"""

from __future__ import annotations

from typing import Final

H3_DATAGRAM_ERROR: Final = 0x33  # RFC 9297 §2.1
H3_NO_ERROR: Final = 0x100
H3_GENERAL_PROTOCOL_ERROR: Final = 0x101
H3_INTERNAL_ERROR: Final = 0x102
H3_STREAM_CREATION_ERROR: Final = 0x103
H3_CLOSED_CRITICAL_STREAM: Final = 0x104
H3_FRAME_UNEXPECTED: Final = 0x105
H3_FRAME_ERROR: Final = 0x106
H3_EXCESSIVE_LOAD: Final = 0x107
H3_ID_ERROR: Final = 0x108
H3_SETTINGS_ERROR: Final = 0x109
H3_MISSING_SETTINGS: Final = 0x10A
H3_REQUEST_REJECTED: Final = 0x10B
H3_REQUEST_CANCELLED: Final = 0x10C
H3_REQUEST_INCOMPLETE: Final = 0x10D
H3_MESSAGE_ERROR: Final = 0x10E
H3_CONNECT_ERROR: Final = 0x10F
H3_VERSION_FALLBACK: Final = 0x110
QPACK_DECOMPRESSION_FAILED: Final = 0x200  # RFC 9204 §6
QPACK_ENCODER_STREAM_ERROR: Final = 0x201
QPACK_DECODER_STREAM_ERROR: Final = 0x202

_NAMES: Final = {
    H3_DATAGRAM_ERROR: "H3_DATAGRAM_ERROR",
    H3_NO_ERROR: "H3_NO_ERROR",
    H3_GENERAL_PROTOCOL_ERROR: "H3_GENERAL_PROTOCOL_ERROR",
    H3_INTERNAL_ERROR: "H3_INTERNAL_ERROR",
    H3_STREAM_CREATION_ERROR: "H3_STREAM_CREATION_ERROR",
    H3_CLOSED_CRITICAL_STREAM: "H3_CLOSED_CRITICAL_STREAM",
    H3_FRAME_UNEXPECTED: "H3_FRAME_UNEXPECTED",
    H3_FRAME_ERROR: "H3_FRAME_ERROR",
    H3_EXCESSIVE_LOAD: "H3_EXCESSIVE_LOAD",
    H3_ID_ERROR: "H3_ID_ERROR",
    H3_SETTINGS_ERROR: "H3_SETTINGS_ERROR",
    H3_MISSING_SETTINGS: "H3_MISSING_SETTINGS",
    H3_REQUEST_REJECTED: "H3_REQUEST_REJECTED",
    H3_REQUEST_CANCELLED: "H3_REQUEST_CANCELLED",
    H3_REQUEST_INCOMPLETE: "H3_REQUEST_INCOMPLETE",
    H3_MESSAGE_ERROR: "H3_MESSAGE_ERROR",
    H3_CONNECT_ERROR: "H3_CONNECT_ERROR",
    H3_VERSION_FALLBACK: "H3_VERSION_FALLBACK",
    QPACK_DECOMPRESSION_FAILED: "QPACK_DECOMPRESSION_FAILED",
    QPACK_ENCODER_STREAM_ERROR: "QPACK_ENCODER_STREAM_ERROR",
    QPACK_DECODER_STREAM_ERROR: "QPACK_DECODER_STREAM_ERROR",
}


def error_name(code: int) -> str:
    """Give the name of an error code, or its number in hexadecimal."""
    return _NAMES.get(code) or f"0x{code:x}"


class ConnectionViolation(Exception):
    """The peer broke a rule that ends the connection."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{error_name(code)}: {reason}")
        self.code = code
        self.reason = reason


class StreamViolation(Exception):
    """The peer broke a rule that ends one request."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{error_name(code)}: {reason}")
        self.code = code
        self.reason = reason


class UsageError(RuntimeError):
    """A call that makes no sense now; nothing has changed."""


class MalformedMessage(UsageError, ValueError):
    """Fields that must not be sent: a forbidden name, a line break in a value, a missing pseudo-header."""


class GoingAway(UsageError):
    """The peer takes no further requests on this connection (RFC 9114 §5.2)."""
