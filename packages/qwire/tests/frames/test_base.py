"""Equality and repr, which every frame has from its base class."""

import pytest

from qwire.buffer import Writer
from qwire.frames import (
    AckFrame,
    CryptoFrame,
    DatagramFrame,
    Frame,
    MaxDataFrame,
    PathChallengeFrame,
    PathResponseFrame,
    PingFrame,
    StreamFrame,
)


def test_equal_fields_make_equal_frames() -> None:
    assert CryptoFrame(1, b"a") == CryptoFrame(1, b"a")
    assert CryptoFrame(1, b"a") != CryptoFrame(2, b"a")
    assert CryptoFrame(1, b"a") != CryptoFrame(1, b"b")
    assert PingFrame() == PingFrame()


def test_kind_matters() -> None:
    assert PathChallengeFrame(bytes(8)) != PathResponseFrame(bytes(8))
    assert MaxDataFrame(1) != 1


def test_repr_names_the_fields() -> None:
    assert "CryptoFrame(offset=1, data=b'a')" == repr(CryptoFrame(1, b"a"))
    assert "PingFrame()" == repr(PingFrame())


def test_frames_are_not_hashable() -> None:
    with pytest.raises(TypeError):
        hash(PingFrame())


def test_the_base_cannot_be_written() -> None:
    with pytest.raises(NotImplementedError):
        Frame().append(Writer())


@pytest.mark.parametrize(
    ("expected", "frame"),
    [
        pytest.param("02 05 00 00 05", AckFrame([(0, 5)], 0), id="ACK"),
        pytest.param(
            "02 4064 4080 01 0a 4057 01", AckFrame([(90, 100), (0, 1)], 128), id="ACK of two ranges"
        ),
        pytest.param("03 05 00 00 05 06 00 40ff", AckFrame([(0, 5)], 0, (6, 0, 255)), id="ACK with ECN"),
        pytest.param("06 7fff 02 6869", CryptoFrame(0x3FFF, b"hi"), id="CRYPTO"),
        pytest.param("0a 04 02 6869", StreamFrame(4, 0, b"hi", False), id="STREAM"),
        pytest.param("0f 4040 7fff 02 6869", StreamFrame(64, 0x3FFF, b"hi", True), id="STREAM, all bits"),
        pytest.param("0d 04 01 6869", StreamFrame(4, 1, b"hi", True, False), id="STREAM without Length"),
        pytest.param("0c 04 80004000 6869", StreamFrame(4, 0x4000, b"hi", False, False), id="STREAM in bulk"),
        pytest.param("31 02 6869", DatagramFrame(b"hi"), id="DATAGRAM"),
        pytest.param("30 6869", DatagramFrame(b"hi", False), id="DATAGRAM without Length"),
        pytest.param("10 c000000040000000", MaxDataFrame(1 << 30), id="MAX_DATA"),
    ],
)
def test_encoding_is_what_is_appended(expected: str, frame: Frame) -> None:
    writer = Writer()
    frame.append(writer)

    assert bytes.fromhex(expected) == frame.encode()
    assert frame.encode() == writer.getvalue()
    assert len(frame.encode()) == frame.size()
