"""Which type a STREAM frame gets, and integers that no frame can hold."""

import pytest

from qwire.buffer import Writer
from qwire.frames import CryptoFrame, Frame, MaxDataFrame, ResetStreamFrame, StreamFrame


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
