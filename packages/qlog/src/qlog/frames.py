"""Frames as qlog objects. quic-events-12 §8.13; ACK_FREQUENCY and IMMEDIATE_ACK in the same manner."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from qlog.packets import TEXT_SIZE, text_of, token_of
from qwire.constants import CRYPTO_ERROR, ERROR_NAMES
from qwire.frames import (
    AckFrame,
    AckFrequencyFrame,
    ConnectionCloseFrame,
    CryptoFrame,
    DataBlockedFrame,
    DatagramFrame,
    Frame,
    HandshakeDoneFrame,
    ImmediateAckFrame,
    MaxDataFrame,
    MaxStreamDataFrame,
    MaxStreamsFrame,
    NewConnectionIdFrame,
    NewTokenFrame,
    PaddingFrame,
    PathChallengeFrame,
    PathResponseFrame,
    PingFrame,
    ResetStreamAtFrame,
    ResetStreamFrame,
    RetireConnectionIdFrame,
    StopSendingFrame,
    StreamDataBlockedFrame,
    StreamFrame,
    StreamsBlockedFrame,
)

# A packet can be made of PING frames alone, and an ACK frame of ranges: more are counted, not listed.
MAX_FRAMES: Final = 128
MAX_RANGES: Final = 128

Data = dict[str, object]


def frames_of(frames: Sequence[Frame], ack_delay_exponent: int = 3) -> list[Data]:
    """The frames of a packet; beyond `MAX_FRAMES` one object tells how many more there were."""
    listed = [frame_of(frame, ack_delay_exponent) for frame in frames[:MAX_FRAMES]]
    if len(frames) > MAX_FRAMES:
        listed.append({"frame_type": "unknown", "omitted": len(frames) - MAX_FRAMES})
    return listed


def frame_of(frame: Frame, ack_delay_exponent: int = 3) -> Data:
    """One frame.

    quic-events-12 §8.13.

    Args:
        ack_delay_exponent: of the side that sent the frame. RFC 9000 §18.2.
    """
    if isinstance(frame, AckFrame):
        return _ack(frame, ack_delay_exponent)
    write = _WRITERS.get(type(frame))
    if write is None:
        return {"frame_type": "unknown", "frame_type_bytes": frame.type}
    return write(frame)


def transport_error_of(code: int) -> Data:
    """``error``, and ``error_code`` if the code has no name. quic-events-12 §8.13.24, §8.13.26."""
    name = ERROR_NAMES.get(code)
    if name is not None:
        return {"error": name.lower()}
    if CRYPTO_ERROR <= code <= CRYPTO_ERROR + 0xFF:
        return {"error": f"crypto_error_0x{code:x}"}
    return {"error": "unknown", "error_code": code}


def application_error_of(code: int) -> Data:
    """What is known of an application's code without the application. quic-events-12 §8.13.25."""
    return {"error": "unknown", "error_code": code}


def _ack(frame: AckFrame, exponent: int) -> Data:
    ranges: list[list[int]] = [
        [smallest] if smallest == largest else [smallest, largest]
        for smallest, largest in frame.ranges[:MAX_RANGES]
    ]
    data: Data = {
        "frame_type": "ack",
        "ack_delay": (frame.delay << exponent) / 1000,
        "acked_ranges": ranges,
    }
    if len(frame.ranges) > MAX_RANGES:
        data["omitted_ranges"] = len(frame.ranges) - MAX_RANGES
    if frame.ecn is not None:
        data["ect0"], data["ect1"], data["ce"] = frame.ecn
    return data


def _stream(frame: StreamFrame) -> Data:
    data: Data = {"frame_type": "stream", "stream_id": frame.stream_id, "offset": frame.offset}
    if frame.fin:
        data["fin"] = True
    data["raw"] = {"length": len(frame.data)}
    return data


def _connection_close(frame: ConnectionCloseFrame) -> Data:
    if frame.application:
        data: Data = {"frame_type": "connection_close", "error_space": "application"}
        data.update(application_error_of(frame.error_code))
    else:
        data = {"frame_type": "connection_close", "error_space": "transport"}
        data.update(transport_error_of(frame.error_code))
        if frame.frame_type:
            data["trigger_frame_type"] = frame.frame_type
    if frame.reason:
        try:
            data["reason"] = text_of(frame.reason.decode())
        except UnicodeDecodeError:
            data["reason_bytes"] = frame.reason[: TEXT_SIZE // 2].hex()
    return data


def _new_connection_id(frame: NewConnectionIdFrame) -> Data:
    # The reset token would let a reader of the trace end the connection: it stays out. RFC 9000 §21.11.
    return {
        "frame_type": "new_connection_id",
        "sequence_number": frame.sequence_number,
        "retire_prior_to": frame.retire_prior_to,
        "connection_id_length": len(frame.connection_id),
        "connection_id": frame.connection_id.hex(),
    }


def _stream_type(bidirectional: bool) -> str:
    return "bidirectional" if bidirectional else "unidirectional"


def _padding(frame: PaddingFrame) -> Data:
    return {"frame_type": "padding", "raw": {"length": frame.count, "payload_length": frame.count}}


def _reset(frame: ResetStreamFrame) -> Data:
    return {
        "frame_type": "reset_stream",
        "stream_id": frame.stream_id,
        **application_error_of(frame.error_code),
        "final_size": frame.final_size,
    }


def _reset_at(frame: ResetStreamAtFrame) -> Data:
    return {
        "frame_type": "reset_stream_at",
        "stream_id": frame.stream_id,
        **application_error_of(frame.error_code),
        "final_size": frame.final_size,
        "reliable_size": frame.reliable_size,
    }


def _ack_frequency(frame: AckFrequencyFrame) -> Data:
    return {
        "frame_type": "ack_frequency",
        "sequence_number": frame.sequence_number,
        "ack_eliciting_threshold": frame.ack_eliciting_threshold,
        "requested_max_ack_delay": frame.requested_max_ack_delay / 1000,
        "reordering_threshold": frame.reordering_threshold,
    }


_WRITERS: Final[dict[type[Frame], Callable[[Any], Data]]] = {
    StreamFrame: _stream,
    PaddingFrame: _padding,
    PingFrame: lambda frame: {"frame_type": "ping"},
    CryptoFrame: lambda frame: {
        "frame_type": "crypto",
        "offset": frame.offset,
        "raw": {"length": len(frame.data)},
    },
    ResetStreamFrame: _reset,
    ResetStreamAtFrame: _reset_at,
    StopSendingFrame: lambda frame: {
        "frame_type": "stop_sending",
        "stream_id": frame.stream_id,
        **application_error_of(frame.error_code),
    },
    NewTokenFrame: lambda frame: {"frame_type": "new_token", "token": token_of(frame.token)},
    MaxDataFrame: lambda frame: {"frame_type": "max_data", "maximum": frame.maximum},
    MaxStreamDataFrame: lambda frame: {
        "frame_type": "max_stream_data",
        "stream_id": frame.stream_id,
        "maximum": frame.maximum,
    },
    MaxStreamsFrame: lambda frame: {
        "frame_type": "max_streams",
        "stream_type": _stream_type(frame.bidirectional),
        "maximum": frame.maximum,
    },
    DataBlockedFrame: lambda frame: {"frame_type": "data_blocked", "limit": frame.limit},
    StreamDataBlockedFrame: lambda frame: {
        "frame_type": "stream_data_blocked",
        "stream_id": frame.stream_id,
        "limit": frame.limit,
    },
    StreamsBlockedFrame: lambda frame: {
        "frame_type": "streams_blocked",
        "stream_type": _stream_type(frame.bidirectional),
        "limit": frame.limit,
    },
    NewConnectionIdFrame: _new_connection_id,
    RetireConnectionIdFrame: lambda frame: {
        "frame_type": "retire_connection_id",
        "sequence_number": frame.sequence_number,
    },
    PathChallengeFrame: lambda frame: {"frame_type": "path_challenge", "data": frame.data.hex()},
    PathResponseFrame: lambda frame: {"frame_type": "path_response", "data": frame.data.hex()},
    ConnectionCloseFrame: _connection_close,
    HandshakeDoneFrame: lambda frame: {"frame_type": "handshake_done"},
    DatagramFrame: lambda frame: {"frame_type": "datagram", "raw": {"length": len(frame.data)}},
    ImmediateAckFrame: lambda frame: {"frame_type": "immediate_ack"},
    AckFrequencyFrame: _ack_frequency,
}
