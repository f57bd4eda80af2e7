"""Connection frames that must not be written."""

import pytest

from qwire.buffer import Writer
from qwire.frames import Frame, NewConnectionIdFrame, PathChallengeFrame, PathResponseFrame


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(NewConnectionIdFrame(0, 0, b"", bytes(16)), id="empty connection ID"),
        pytest.param(NewConnectionIdFrame(0, 0, bytes(21), bytes(16)), id="long connection ID"),
        pytest.param(NewConnectionIdFrame(0, 0, b"cid", bytes(15)), id="short reset token"),
        pytest.param(PathChallengeFrame(bytes(7)), id="short challenge"),
        pytest.param(PathResponseFrame(bytes(9)), id="long response"),
    ],
)
def test_fields_of_a_wrong_size_are_misuse(frame: Frame) -> None:
    writer = Writer()
    with pytest.raises(ValueError, match="bytes"):
        frame.append(writer)
    assert 0 == len(writer)
