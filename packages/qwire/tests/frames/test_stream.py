"""Which type a STREAM frame gets, and integers that no frame can hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwire.buffer import Writer
from qwire.errors import DecodeError
from qwire.frames import (
    CryptoFrame,
    Frame,
    MaxDataFrame,
    ResetStreamFrame,
    StreamFrame,
    parse_frames,
    parse_sole_stream,
    parse_stream_run,
)


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("has_length", [False, True])
@pytest.mark.parametrize("fin", [False, True])
def test_type_tells_what_is_there(offset: int, has_length: bool, fin: bool) -> None:  # RFC 9000 §19.8
    expected = 0x08 | (0x04 if offset else 0) | (0x02 if has_length else 0) | (0x01 if fin else 0)
    frame = StreamFrame(4, offset, b"x", fin, has_length)
    writer = Writer()
    frame.append(writer)

    assert expected == frame.type
    assert expected == writer.data[0]


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(StreamFrame(-1, 0, b"", False), id="negative stream ID"),
        pytest.param(StreamFrame(0, 1 << 62, b"", False), id="offset of 2^62"),
        pytest.param(CryptoFrame(-1, b""), id="negative offset"),
        pytest.param(MaxDataFrame(1 << 62), id="credit of 2^62"),
        pytest.param(ResetStreamFrame(0, -1, 0), id="negative code"),
    ],
)
def test_integers_without_encoding_are_misuse(frame: Frame) -> None:
    with pytest.raises(ValueError):
        frame.append(Writer())


@given(
    st.sampled_from([0, 3, 63, 64, 16_383, 1 << 40]),
    st.sampled_from([0, 1, 0x3FFF, 0x4000, 0x3FFF_FFFF, 0x4000_0000, (1 << 62) - 3000]),
    st.binary(max_size=2000),
    st.booleans(),
    st.booleans(),
)
def test_alone_it_is_read_as_among_others(
    stream_id: int, offset: int, data: bytes, fin: bool, has_length: bool
) -> None:
    frame = StreamFrame(stream_id, offset, data, fin, has_length)
    payload = frame.encode()
    writer = Writer()
    frame.append(writer)

    assert writer.getvalue() == payload
    assert parse_sole_stream(payload) in (None, frame)
    assert len(payload) < 40 or parse_sole_stream(payload) == frame


@given(st.binary(max_size=60), st.integers(0, 15))
def test_what_is_not_alone_is_left_to_the_parser(data: bytes, frame_type: int) -> None:
    payload = bytes((frame_type,)) + data
    sole = parse_sole_stream(payload)

    if sole is not None:
        assert [sole] == parse_frames(payload)


def test_data_beyond_the_last_offset_is_left_to_the_parser() -> None:  # RFC 9000 §19.8
    payload = bytes.fromhex("0c 00 ff ff ff ff ff ff ff ff") + bytes(30)

    assert parse_sole_stream(payload) is None
    with pytest.raises(DecodeError, match="beyond"):
        parse_frames(payload)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 4, 100]), st.booleans(), st.integers(30, 90), st.booleans(), st.booleans()
        ),
        max_size=12,
    ),
    st.booleans(),
)
def test_a_run_of_frames_says_what_each_says(
    shape: list[tuple[int, bool, int, bool, bool]], ends_otherwise: bool
) -> None:
    content = bytes(range(100)) * 20
    stops = {0: 0, 4: 70, 100: 17_000}
    frames = []
    for stream_id, continues, size, fin, has_length in shape:
        offset = stops[stream_id] if continues else stops[stream_id] + 1
        start = offset % 100
        frames.append(StreamFrame(stream_id, offset, content[start : start + size], fin, has_length))
        stops[stream_id] = offset + size
    payloads = [frame.encode() for frame in frames]
    if ends_otherwise:
        payloads += [b"\x01" + bytes(40), StreamFrame(0, 0, content[:50], False).encode()]

    joined: list[StreamFrame] = []
    for frame in frames:
        last = joined[-1] if joined else None
        if (
            last is not None
            and not last.fin
            and (last.stream_id, last.offset + len(last.data)) == (frame.stream_id, frame.offset)
        ):
            joined[-1] = StreamFrame(
                last.stream_id, last.offset, last.data + frame.data, frame.fin, last.has_length
            )
        else:
            joined.append(frame)
    assert (joined, len(frames)) == parse_stream_run(payloads)
