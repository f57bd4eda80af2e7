"""One call from the payload of a packet to its frames, and which frame may be in which packet.

The chain of ifs is ordered by frequency. STREAM, the frame of bulk transfer, is read in place; the others by
the parsers of their families. RFC 9000 §12.4, table 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from qwire.buffer import MAX_VARINT, Reader, varint_at
from qwire.constants import (
    FRAME_ACK,
    FRAME_ACK_ECN,
    FRAME_ACK_FREQUENCY,
    FRAME_CONNECTION_CLOSE,
    FRAME_CONNECTION_CLOSE_APPLICATION,
    FRAME_CRYPTO,
    FRAME_DATA_BLOCKED,
    FRAME_DATAGRAM,
    FRAME_DATAGRAM_WITH_LENGTH,
    FRAME_HANDSHAKE_DONE,
    FRAME_IMMEDIATE_ACK,
    FRAME_MAX_DATA,
    FRAME_MAX_STREAM_DATA,
    FRAME_MAX_STREAMS_BIDI,
    FRAME_MAX_STREAMS_UNI,
    FRAME_NEW_CONNECTION_ID,
    FRAME_NEW_TOKEN,
    FRAME_PADDING,
    FRAME_PATH_CHALLENGE,
    FRAME_PATH_RESPONSE,
    FRAME_PING,
    FRAME_RESET_STREAM,
    FRAME_RESET_STREAM_AT,
    FRAME_RETIRE_CONNECTION_ID,
    FRAME_STOP_SENDING,
    FRAME_STREAM,
    FRAME_STREAM_DATA_BLOCKED,
    FRAME_STREAM_LAST,
    FRAME_STREAMS_BLOCKED_BIDI,
    FRAME_STREAMS_BLOCKED_UNI,
    STREAM_FIN,
    STREAM_LENGTH,
    STREAM_OFFSET,
    PacketType,
)
from qwire.errors import DecodeError, ForbiddenFrame, Truncated
from qwire.frames.ack import ImmediateAckFrame, parse_ack, parse_ack_frequency
from qwire.frames.base import Frame
from qwire.frames.connection import (
    parse_connection_close,
    parse_new_connection_id,
    parse_path_challenge,
    parse_path_response,
    parse_retire_connection_id,
)
from qwire.frames.control import HandshakeDoneFrame, PaddingFrame, PingFrame, parse_datagram
from qwire.frames.crypto import parse_crypto, parse_new_token
from qwire.frames.flow_control import (
    parse_data_blocked,
    parse_max_data,
    parse_max_stream_data,
    parse_max_streams,
    parse_stream_data_blocked,
    parse_streams_blocked,
)
from qwire.frames.stream import StreamFrame, parse_reset_stream, parse_reset_stream_at, parse_stop_sending

_INITIAL_AND_HANDSHAKE: Final = frozenset(
    (FRAME_PADDING, FRAME_PING, FRAME_ACK, FRAME_ACK_ECN, FRAME_CRYPTO, FRAME_CONNECTION_CLOSE)
)
# What answers the peer or needs its transport parameters cannot be in 0-RTT: RFC 9000 table 3, and
# ACK_FREQUENCY and IMMEDIATE_ACK, which need a parameter that is not remembered.
_NOT_IN_ZERO_RTT: Final = frozenset(
    (
        FRAME_ACK,
        FRAME_ACK_ECN,
        FRAME_CRYPTO,
        FRAME_NEW_TOKEN,
        FRAME_PATH_RESPONSE,
        FRAME_HANDSHAKE_DONE,
        FRAME_ACK_FREQUENCY,
        FRAME_IMMEDIATE_ACK,
    )
)
KNOWN_FRAME_TYPES: Final = frozenset(range(FRAME_PADDING, FRAME_IMMEDIATE_ACK + 1)) | frozenset(
    (FRAME_RESET_STREAM_AT, FRAME_DATAGRAM, FRAME_DATAGRAM_WITH_LENGTH, FRAME_ACK_FREQUENCY)
)
"""Every frame type that ``parse_frames`` understands."""

_ZERO_RTT: Final = KNOWN_FRAME_TYPES - _NOT_IN_ZERO_RTT
_NOTHING: Final[frozenset[int]] = frozenset()

# Type, ID, Offset and Length in eight bytes each: nothing shorter is worth the quick look.
SMALLEST_SOLE_STREAM: Final = 25

# PADDING is skipped by so many bytes at once: a padded Initial has hundreds of them.
_ZEROS: Final = (bytes(64), bytes(8), bytes(1))


def allowed_frame_types(packet_type: PacketType) -> frozenset[int]:
    """The frame types that a packet may hold; none for Retry and Version Negotiation.

    RFC 9000 table 3; RFC 9221 §4 for DATAGRAM. Table 3 lets RETIRE_CONNECTION_ID into 0-RTT; what it would
    retire there is refused by §19.16 anyway.
    """
    if packet_type is PacketType.ONE_RTT:
        return KNOWN_FRAME_TYPES
    if packet_type is PacketType.INITIAL or packet_type is PacketType.HANDSHAKE:
        return _INITIAL_AND_HANDSHAKE
    if packet_type is PacketType.ZERO_RTT:
        return _ZERO_RTT
    return _NOTHING


def parse_frames(
    payload: bytes, packet_type: PacketType | None = None, into: list[Frame] | None = None
) -> list[Frame]:
    """The frames of one packet, in order; a run of PADDING is one frame.

    RFC 9000 §12.4, §19. An empty payload gives an empty list: that it is a violation is for the caller to say.

    Args:
        packet_type: refuse frames that this kind of packet must not hold; None accepts all.
        into: the list to fill and return; after an error it holds what was read before it.

    Raises:
        ForbiddenFrame: a known frame that must not be here, or a type not in its shortest encoding.
        DecodeError: unknown type, truncated or impossible field; ``frame_type`` tells the frame.
    """
    frames: list[Frame] = [] if into is None else into
    allowed: frozenset[int] | None = None
    if packet_type is not None and packet_type is not PacketType.ONE_RTT:
        allowed = allowed_frame_types(packet_type)
    end = len(payload)
    position = 0
    frame_type = -1
    reader: Reader | None = None
    try:
        while position < end:
            frame_type = payload[position]
            if allowed is not None and frame_type not in allowed and frame_type in KNOWN_FRAME_TYPES:
                raise ForbiddenFrame(f"frame type 0x{frame_type:02x} is not allowed in this packet")
            position += 1
            if FRAME_STREAM <= frame_type <= FRAME_STREAM_LAST:
                # RFC 9000 §19.8, in place. One-byte integers, the usual stream IDs, need no call.
                stream_id = payload[position]
                if stream_id < 0x40:
                    position += 1
                else:
                    stream_id, position = varint_at(payload, position)
                offset = 0
                if frame_type & STREAM_OFFSET:
                    offset, position = varint_at(payload, position)
                if frame_type & STREAM_LENGTH:
                    size = payload[position] if position < end else 0x40
                    if size < 0x40:
                        position += 1
                    else:
                        size, position = varint_at(payload, position)
                    stop = position + size
                    if stop > end:
                        raise Truncated(f"truncated: {size} bytes of data, {end - position} left")
                else:
                    stop = end
                    size = stop - position
                if offset + size > MAX_VARINT:
                    raise DecodeError(f"{size} bytes at offset {offset} go beyond 2^62 - 1")
                frames.append(
                    StreamFrame(
                        stream_id,
                        offset,
                        payload[position:stop],
                        frame_type & STREAM_FIN != 0,
                        frame_type & STREAM_LENGTH != 0,
                    )
                )
                position = stop
                continue
            if frame_type == FRAME_ACK or frame_type == FRAME_ACK_ECN:
                ack, position = parse_ack(payload, position, frame_type == FRAME_ACK_ECN)
                frames.append(ack)
                continue
            if frame_type == FRAME_PADDING:
                stop = _end_of_zeros(payload, position)
                frames.append(PaddingFrame(stop - position + 1))
                position = stop
                continue
            if frame_type == FRAME_PING:
                frames.append(PingFrame())
                continue
            if frame_type >= 0x40:
                frame_type, position = _long_frame_type(payload, position - 1)
                if allowed is not None and frame_type not in allowed and frame_type in KNOWN_FRAME_TYPES:
                    raise ForbiddenFrame(f"frame type 0x{frame_type:02x} is not allowed in this packet")
            if reader is None:
                reader = Reader(payload, position)
            else:
                reader.position = position
            if frame_type == FRAME_CRYPTO:
                frames.append(parse_crypto(reader))
            else:
                frames.append(_parse_rare(reader, frame_type))
            position = reader.position
    except DecodeError as error:
        if error.frame_type is None and frame_type >= 0:
            error.frame_type = frame_type
        raise
    except IndexError:  # only the stream ID above is read unchecked
        raise Truncated("truncated: a stream ID wanted, 0 bytes left", frame_type) from None
    return frames


def parse_sole_stream(payload: bytes) -> StreamFrame | None:
    """The STREAM frame that a payload consists of, as packets of bulk transfer do; None if it is another payload.

    Never raises: a payload that is refused here has something else in it, or something wrong, which `parse_frames`
    finds out. RFC 9000 §19.8.
    """
    frames, _ = parse_stream_run((payload,))
    return frames[0] if frames else None


def parse_stream_run(payloads: Sequence[bytes]) -> tuple[list[StreamFrame], int]:
    """The STREAM frames that payloads of bulk transfer consist of, one each, as far as they do. RFC 9000 §19.8.

    Never raises, as `parse_sole_stream`.

    Returns:
        The frames, of which those that continue one another are made one; and the number of payloads they take.
    """
    frames: list[StreamFrame] = []
    count = 0
    # The frame that grows: where it starts and stops, and what it has.
    grown_type = grown_id = first = stop = -1
    pieces: list[bytes] = []
    for payload in payloads:
        end = len(payload)
        if end < SMALLEST_SOLE_STREAM:
            break
        frame_type = payload[0]
        if not FRAME_STREAM <= frame_type <= FRAME_STREAM_LAST:
            break
        stream_id = payload[1]
        position = 2
        if stream_id >= 0x40:
            stream_id, position = varint_at(payload, 1)
        offset = 0
        if frame_type & STREAM_OFFSET:
            if payload[position] >> 6 == 2:  # what most of a bulk transfer shows: 16 KiB to 1 GiB
                offset = int.from_bytes(payload[position : position + 4], "big") & 0x3FFF_FFFF
                position += 4
            else:
                offset, position = varint_at(payload, position)
        if frame_type & STREAM_LENGTH:
            size, position = varint_at(payload, position)
            if position + size != end:
                break
        if offset + end > MAX_VARINT:
            break
        count += 1
        if stream_id != grown_id or offset != stop or grown_type & STREAM_FIN:
            if pieces:
                frames.append(_grown(grown_id, first, pieces, grown_type))
                pieces = []
            first = offset
            grown_id = stream_id
            grown_type = frame_type
        elif frame_type & STREAM_FIN:
            grown_type |= STREAM_FIN
        pieces.append(payload[position:])
        stop = offset + end - position
    if pieces:
        frames.append(_grown(grown_id, first, pieces, grown_type))
    return frames, count


def _end_of_zeros(payload: bytes, position: int) -> int:
    for zeros in _ZEROS:
        while payload.startswith(zeros, position):
            position += len(zeros)
    return position


def _grown(stream_id: int, offset: int, pieces: list[bytes], frame_type: int) -> StreamFrame:
    return StreamFrame(
        stream_id,
        offset,
        pieces[0] if len(pieces) == 1 else b"".join(pieces),
        frame_type & STREAM_FIN != 0,
        frame_type & STREAM_LENGTH != 0,
    )


def _long_frame_type(payload: bytes, position: int) -> tuple[int, int]:
    """A frame type of more than one byte, and the position after it."""
    frame_type, stop = varint_at(payload, position)
    size = stop - position
    # RFC 9000 §12.4: a type must use the shortest encoding, or it is a PROTOCOL_VIOLATION.
    if frame_type < 0x40 or (size == 4 and frame_type < 0x4000) or (size == 8 and frame_type < 0x4000_0000):
        raise ForbiddenFrame(f"frame type 0x{frame_type:02x} in {size} bytes", frame_type)
    return frame_type, stop


def _parse_rare(reader: Reader, frame_type: int) -> Frame:
    """The body of a frame that is not in every packet."""
    if frame_type == FRAME_MAX_STREAM_DATA:
        return parse_max_stream_data(reader)
    if frame_type == FRAME_MAX_DATA:
        return parse_max_data(reader)
    if frame_type == FRAME_DATAGRAM_WITH_LENGTH or frame_type == FRAME_DATAGRAM:
        return parse_datagram(reader, frame_type == FRAME_DATAGRAM_WITH_LENGTH)
    if frame_type == FRAME_NEW_CONNECTION_ID:
        return parse_new_connection_id(reader)
    if frame_type == FRAME_RETIRE_CONNECTION_ID:
        return parse_retire_connection_id(reader)
    if frame_type == FRAME_RESET_STREAM:
        return parse_reset_stream(reader)
    if frame_type == FRAME_STOP_SENDING:
        return parse_stop_sending(reader)
    if frame_type == FRAME_MAX_STREAMS_BIDI or frame_type == FRAME_MAX_STREAMS_UNI:
        return parse_max_streams(reader, frame_type == FRAME_MAX_STREAMS_BIDI)
    if frame_type == FRAME_DATA_BLOCKED:
        return parse_data_blocked(reader)
    if frame_type == FRAME_STREAM_DATA_BLOCKED:
        return parse_stream_data_blocked(reader)
    if frame_type == FRAME_STREAMS_BLOCKED_BIDI or frame_type == FRAME_STREAMS_BLOCKED_UNI:
        return parse_streams_blocked(reader, frame_type == FRAME_STREAMS_BLOCKED_BIDI)
    if frame_type == FRAME_PATH_CHALLENGE:
        return parse_path_challenge(reader)
    if frame_type == FRAME_PATH_RESPONSE:
        return parse_path_response(reader)
    if frame_type == FRAME_CONNECTION_CLOSE or frame_type == FRAME_CONNECTION_CLOSE_APPLICATION:
        return parse_connection_close(reader, frame_type == FRAME_CONNECTION_CLOSE_APPLICATION)
    if frame_type == FRAME_HANDSHAKE_DONE:
        return HandshakeDoneFrame()
    if frame_type == FRAME_NEW_TOKEN:
        return parse_new_token(reader)
    if frame_type == FRAME_IMMEDIATE_ACK:
        return ImmediateAckFrame()
    if frame_type == FRAME_ACK_FREQUENCY:
        return parse_ack_frequency(reader)
    if frame_type == FRAME_RESET_STREAM_AT:
        return parse_reset_stream_at(reader)
    raise DecodeError(f"unknown frame type 0x{frame_type:x}", frame_type)
