"""Frames as qlog objects: every kind, bounded, and without secrets."""

import json

import pytest

from qlog.frames import MAX_FRAMES, MAX_RANGES, application_error_of, frame_of, frames_of, transport_error_of
from qwire.frames import (
    KNOWN_FRAME_TYPES,
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

SECRET = b"secret!!" * 200
SAMPLES: list[tuple[Frame, dict[str, object]]] = [
    (PaddingFrame(7), {"frame_type": "padding", "raw": {"length": 7, "payload_length": 7}}),
    (PingFrame(), {"frame_type": "ping"}),
    (
        AckFrame([(5, 9), (2, 2)], 1000),
        {"frame_type": "ack", "ack_delay": 8.0, "acked_ranges": [[5, 9], [2]]},
    ),
    (
        AckFrame([(0, 0)], 0, (1, 2, 3)),
        {"frame_type": "ack", "ack_delay": 0.0, "acked_ranges": [[0]], "ect0": 1, "ect1": 2, "ce": 3},
    ),
    (
        ResetStreamFrame(4, 256, 70),
        {
            "frame_type": "reset_stream",
            "stream_id": 4,
            "error": "unknown",
            "error_code": 256,
            "final_size": 70,
        },
    ),
    (
        StopSendingFrame(4, 1),
        {"frame_type": "stop_sending", "stream_id": 4, "error": "unknown", "error_code": 1},
    ),
    (CryptoFrame(5, SECRET), {"frame_type": "crypto", "offset": 5, "raw": {"length": 1600}}),
    (
        NewTokenFrame(SECRET),
        {"frame_type": "new_token", "token": {"raw": {"length": 1600, "data": SECRET[:8].hex()}}},
    ),
    (NewTokenFrame(b"short"), {"frame_type": "new_token", "token": {"raw": {"length": 5}}}),
    (
        StreamFrame(4, 10, SECRET, True),
        {"frame_type": "stream", "stream_id": 4, "offset": 10, "fin": True, "raw": {"length": 1600}},
    ),
    (
        StreamFrame(0, 0, b"", False),
        {"frame_type": "stream", "stream_id": 0, "offset": 0, "raw": {"length": 0}},
    ),
    (MaxDataFrame(10), {"frame_type": "max_data", "maximum": 10}),
    (MaxStreamDataFrame(4, 10), {"frame_type": "max_stream_data", "stream_id": 4, "maximum": 10}),
    (MaxStreamsFrame(True, 3), {"frame_type": "max_streams", "stream_type": "bidirectional", "maximum": 3}),
    (DataBlockedFrame(9), {"frame_type": "data_blocked", "limit": 9}),
    (StreamDataBlockedFrame(4, 9), {"frame_type": "stream_data_blocked", "stream_id": 4, "limit": 9}),
    (
        StreamsBlockedFrame(False, 9),
        {"frame_type": "streams_blocked", "stream_type": "unidirectional", "limit": 9},
    ),
    (
        NewConnectionIdFrame(3, 1, b"\xaa\xbb", SECRET[:16]),
        {
            "frame_type": "new_connection_id",
            "sequence_number": 3,
            "retire_prior_to": 1,
            "connection_id_length": 2,
            "connection_id": "aabb",
        },
    ),
    (RetireConnectionIdFrame(2), {"frame_type": "retire_connection_id", "sequence_number": 2}),
    (PathChallengeFrame(b"12345678"), {"frame_type": "path_challenge", "data": "3132333435363738"}),
    (PathResponseFrame(b"12345678"), {"frame_type": "path_response", "data": "3132333435363738"}),
    (
        ConnectionCloseFrame(10, 6, b"why", False),
        {
            "frame_type": "connection_close",
            "error_space": "transport",
            "error": "protocol_violation",
            "trigger_frame_type": 6,
            "reason": "why",
        },
    ),
    (
        ConnectionCloseFrame(0x0100, 0, b"\xff" * 500, True),
        {
            "frame_type": "connection_close",
            "error_space": "application",
            "error": "unknown",
            "error_code": 256,
            "reason_bytes": "ff" * 128,
        },
    ),
    (HandshakeDoneFrame(), {"frame_type": "handshake_done"}),
    (DatagramFrame(SECRET), {"frame_type": "datagram", "raw": {"length": 1600}}),
    (ImmediateAckFrame(), {"frame_type": "immediate_ack"}),
    (
        AckFrequencyFrame(1, 10, 25000, 3),
        {
            "frame_type": "ack_frequency",
            "sequence_number": 1,
            "ack_eliciting_threshold": 10,
            "requested_max_ack_delay": 25.0,
            "reordering_threshold": 3,
        },
    ),
    (
        ResetStreamAtFrame(4, 1, 70, 60),
        {
            "frame_type": "reset_stream_at",
            "stream_id": 4,
            "error": "unknown",
            "error_code": 1,
            "final_size": 70,
            "reliable_size": 60,
        },
    ),
]


@pytest.mark.parametrize(("frame", "expected"), SAMPLES, ids=lambda value: str(value)[:40])
def test_frames_are_told_as_the_schema_says(frame: Frame, expected: dict[str, object]) -> None:
    assert expected == frame_of(frame)
    assert json.dumps(expected)


def test_every_kind_of_frame_is_told() -> None:
    kinds = {type(frame) for frame, _ in SAMPLES}
    types = {frame.type for frame, _ in SAMPLES} | set(range(0x08, 0x10)) | {0x13, 0x16, 0x30}

    assert KNOWN_FRAME_TYPES == types
    assert 24 == len(kinds)
    assert all(data["frame_type"] != "unknown" for _, data in SAMPLES)


def test_no_payload_and_no_reset_token_is_written() -> None:
    for frame, _ in SAMPLES:
        assert SECRET[:9].hex() not in json.dumps(frame_of(frame))


def test_delay_uses_the_exponent_of_the_sender() -> None:  # RFC 9000 §18.2
    assert 1.024 == frame_of(AckFrame([(0, 0)], 1), 10)["ack_delay"]


def test_lists_are_bounded() -> None:
    ack = frame_of(AckFrame([(n, n) for n in range(2000, 0, -2)], 0))
    frames = frames_of([PingFrame()] * 1000)

    assert MAX_RANGES == len(ack["acked_ranges"])  # type: ignore[arg-type]  # a list
    assert 1000 - MAX_RANGES == ack["omitted_ranges"]
    assert MAX_FRAMES + 1 == len(frames)
    assert {"frame_type": "unknown", "omitted": 1000 - MAX_FRAMES} == frames[-1]


def test_long_reasons_are_cut() -> None:
    data = frame_of(ConnectionCloseFrame(0, 0, b"x" * 1000, False))

    assert "x" * 256 + "…" == data["reason"]


def test_a_frame_of_another_make_is_told_by_its_type() -> None:
    class Strange(Frame):
        TYPE = 0x3F

    assert {"frame_type": "unknown", "frame_type_bytes": 0x3F} == frame_of(Strange())


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (0, {"error": "no_error"}),
        (0x0A, {"error": "protocol_violation"}),
        (0x128, {"error": "crypto_error_0x128"}),
        (0x1000, {"error": "unknown", "error_code": 0x1000}),
    ],
)
def test_transport_errors(code: int, expected: dict[str, object]) -> None:
    assert expected == transport_error_of(code)


def test_application_errors_have_no_names_here() -> None:
    assert {"error": "unknown", "error_code": 7} == application_error_of(7)
