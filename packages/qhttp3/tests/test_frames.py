import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhttp3 import frames
from qhttp3.errors import H3_FRAME_ERROR, ConnectionViolation
from qhttp3.raw_frame import RawFrame

VARINT = st.integers(0, (1 << 62) - 1)


@given(VARINT, VARINT)
def test_headers_round_trip_and_every_prefix(frame_type: int, length: int) -> None:
    header = frames.frame_header(frame_type, length)

    assert (frame_type, length, len(header)) == frames.parse_frame_header(header, 0)
    assert (frame_type, length, len(header) + 1) == frames.parse_frame_header(b"x" + header, 1)
    for size in range(len(header)):
        assert -1 == frames.parse_frame_header(header[:size], 0)[2]


def test_a_header_may_be_longer_than_necessary() -> None:  # RFC 9114 §7.1
    assert (1, 2, 10) == frames.parse_frame_header(bytes.fromhex("4001 c000000000000002"), 0)


@pytest.mark.parametrize(
    ("frame", "encoded"),
    [
        pytest.param(RawFrame(0x21), "2100", id="reserved, empty"),
        pytest.param(RawFrame(0x21, b"ab", 8), "c0000000000000210261 62", id="reserved, 8-byte type"),
        pytest.param(RawFrame(0xF0700, b"\0u=0"), "800f07000400753d30", id="priority update"),
    ],
)
def test_raw_frames(frame: RawFrame, encoded: str) -> None:
    assert bytes.fromhex(encoded) == frame.encode()


def test_frames_with_an_identifier() -> None:
    assert "070104" == frames.frame_with_id(frames.GOAWAY, 4).hex()
    update = frames.frame_with_id(frames.PRIORITY_UPDATE, 256, b"u=0")
    assert "800f0700054100" + b"u=0".hex() == update.hex()


@pytest.mark.parametrize("payload", [b"", b"\x40", b"\x04\x00"])
def test_an_identifier_must_fill_its_frame(payload: bytes) -> None:  # RFC 9114 §7.1
    with pytest.raises(ConnectionViolation) as caught:
        frames.parse_id(payload, "GOAWAY")

    assert H3_FRAME_ERROR == caught.value.code


@pytest.mark.parametrize(
    ("number", "expected"), [(0x21, True), (0x40, True), (0x20, False), (2, False), (31 * 7 + 33, True)]
)
def test_reserved_numbers(number: int, expected: bool) -> None:  # RFC 9114 §7.2.8
    assert expected is frames.is_reserved(number)
