import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhttp3 import frames
from qhttp3.control_stream import MAX_PAYLOAD, ControlFrame, ControlStream, Goaway, PriorityUpdate
from qhttp3.errors import ConnectionViolation
from qhttp3.settings import H3Settings

SETTINGS = H3Settings([(1, 4096), (0x21, 1 << 40)])
STREAM = (
    frames.frame(frames.SETTINGS, SETTINGS.encode())
    + frames.frame(0x21, b"skip me" * 20)
    + frames.frame_with_id(frames.PRIORITY_UPDATE, 400, b"u=1")
    + frames.frame_with_id(frames.MAX_PUSH_ID, 3)
    + frames.frame_with_id(frames.GOAWAY, 7)
    + frames.frame_with_id(frames.GOAWAY, 7)
)


def shown(frame: ControlFrame) -> object:
    if isinstance(frame, Goaway):
        return frame.identifier
    if isinstance(frame, PriorityUpdate):
        return frame.stream_id, frame.value
    return frame


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_frames_arrive_in_any_pieces(step: int) -> None:
    stream = ControlStream(False, None)
    received: list[object] = []
    for start in range(0, len(STREAM), step):
        received += [shown(frame) for frame in stream.receive(STREAM[start : start + step])]

    assert [SETTINGS, (400, b"u=1"), 7, 7] == received


def test_no_more_is_kept_than_one_frame_may_have() -> None:  # rigs M15
    stream = ControlStream(False, None)
    stream.receive(STREAM)
    stream.receive(frames.frame_header(0x21, 1 << 50))
    for _ in range(100):
        stream.receive(bytes(100_000))
    assert b"" == stream._buffer

    other = ControlStream(False, None)
    other.receive(STREAM + frames.frame_header(frames.PRIORITY_UPDATE, MAX_PAYLOAD) + bytes(MAX_PAYLOAD - 1))
    assert MAX_PAYLOAD + 10 > len(other._buffer)


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_are_read_or_refused(data: bytes, is_client: bool) -> None:
    stream = ControlStream(is_client, None)
    try:
        stream.receive(b"\x04\x00" + data)
    except ConnectionViolation:
        pass
