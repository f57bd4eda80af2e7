"""Frames of HTTP/3: types, headers, and the payloads that are not fields.

Frames are read where they arrive, since the rules differ by stream; this module knows their shapes. RFC 9114 §7,
RFC 9218 §7.
"""

from __future__ import annotations

from typing import Final

import quicvarint
from qhttp3.errors import H3_FRAME_ERROR, ConnectionViolation

DATA: Final = 0x00
HEADERS: Final = 0x01
CANCEL_PUSH: Final = 0x03
SETTINGS: Final = 0x04
PUSH_PROMISE: Final = 0x05
GOAWAY: Final = 0x07
MAX_PUSH_ID: Final = 0x0D
PRIORITY_UPDATE: Final = 0xF0700
PRIORITY_UPDATE_PUSH: Final = 0xF0701

# RFC 9114 §7.2.8, §11.2.1: frames of HTTP/2 that have no counterpart; never legal, on any stream.
HTTP2_FRAMES: Final = frozenset((0x02, 0x06, 0x08, 0x09))
# Frames that live on the control stream only.
CONTROL_FRAMES: Final = frozenset(
    (CANCEL_PUSH, SETTINGS, GOAWAY, MAX_PUSH_ID, PRIORITY_UPDATE, PRIORITY_UPDATE_PUSH)
)


def frame(frame_type: int, payload: bytes) -> bytes:
    """Encode a whole frame."""
    return frame_header(frame_type, len(payload)) + payload


def frame_header(frame_type: int, length: int) -> bytes:
    """Encode type and length."""
    if frame_type < 0x40:  # nearly all there are
        if length < 0x40:
            return (frame_type << 8 | length).to_bytes(2, "big")
        if length < 0x4000:
            return (frame_type << 16 | 0x4000 | length).to_bytes(3, "big")
    out = bytearray()
    quicvarint.append(out, frame_type)
    quicvarint.append(out, length)
    return bytes(out)


def frame_with_id(frame_type: int, identifier: int, rest: bytes = b"") -> bytes:
    """Encode GOAWAY, MAX_PUSH_ID, CANCEL_PUSH or PRIORITY_UPDATE."""
    out = bytearray()
    quicvarint.append(out, identifier)
    return frame(frame_type, bytes(out + rest))


def parse_frame_header(data: bytes, position: int) -> tuple[int, int, int]:
    """Read type and length.

    Returns:
        Type, length and the position of the payload; the position is -1 when the data ends within the header.
    """
    end = len(data)
    if position + 2 > end:
        return 0, 0, -1
    frame_type = data[position]
    length = data[position + 1]
    if frame_type < 0x40:  # nearly all there are
        if length < 0x40:
            return frame_type, length, position + 2
        if length < 0x80 and position + 2 < end:
            return frame_type, (length & 0x3F) << 8 | data[position + 2], position + 3
    type_end = position + (1 << (frame_type >> 6))
    if type_end >= end or type_end + (1 << (data[type_end] >> 6)) > end:
        return 0, 0, -1
    frame_type, position = quicvarint.parse(data, position)
    length, position = quicvarint.parse(data, position)
    return frame_type, length, position


def parse_id(payload: bytes, what: str) -> int:
    """Read a payload that is one integer: GOAWAY, MAX_PUSH_ID, CANCEL_PUSH.

    Raises:
        ConnectionViolation: empty, truncated or too long (RFC 9114 §7.1).
    """
    identifier, rest = parse_id_and_rest(payload, what)
    if rest:
        raise ConnectionViolation(H3_FRAME_ERROR, f"{len(rest)} bytes after the identifier of {what}")
    return identifier


def parse_id_and_rest(payload: bytes, what: str) -> tuple[int, bytes]:
    """Read a payload that begins with an integer: PRIORITY_UPDATE; errors as for `parse_id`."""
    try:
        identifier, position = quicvarint.parse(payload)
    except quicvarint.VarintError as error:
        raise ConnectionViolation(H3_FRAME_ERROR, f"{what} ends within its identifier") from error
    return identifier, payload[position:]


def is_reserved(number: int) -> bool:
    """Tell whether a frame type, stream type or setting is of the form 31 N + 33 (RFC 9114 §7.2.8)."""
    return number >= 0x21 and (number - 0x21) % 0x1F == 0
