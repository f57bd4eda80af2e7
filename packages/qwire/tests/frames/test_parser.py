"""Every frame there is, through ``append`` and ``parse_frames``; junk; which frame may be where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwire.buffer import MAX_VARINT, Writer
from qwire.constants import PacketType
from qwire.errors import DecodeError, ForbiddenFrame, Truncated
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
    allowed_frame_types,
    parse_frames,
)

TOKEN = bytes(range(16))
# The packet types are those of RFC 9000 table 3: I, H, 0, 1. Extensions as their documents say.
SAMPLES: list[tuple[Frame, str, str]] = [
    (PaddingFrame(3), "000000", "IH01"),
    (PingFrame(), "01", "IH01"),
    (AckFrame([(5, 10)], 25), "02 0a 19 00 05", "IH_1"),
    (AckFrame([(90, 100), (40, 80), (0, 38)], 0), "02 4064 00 02 0a 08 28 00 26", "IH_1"),
    (AckFrame([(0, 0)], 16384, (1, 64, 0)), "03 00 80004000 00 00 01 4040 00", "IH_1"),
    (ResetStreamFrame(4, 0x0100, 70), "04 04 4100 4046", "__01"),
    (StopSendingFrame(4, 0x0100), "05 04 4100", "__01"),
    (CryptoFrame(64, b"hello"), "06 4040 05 68656c6c6f", "IH_1"),
    (CryptoFrame(0, b""), "06 00 00", "IH_1"),
    (NewTokenFrame(b"token"), "07 05 746f6b656e", "___1"),
    (StreamFrame(0, 0, b"data", False, False), "08 00 64617461", "__01"),
    (StreamFrame(64, 0, b"data", True, False), "09 4040 64617461", "__01"),
    (StreamFrame(0, 0, b"data", False), "0a 00 04 64617461", "__01"),
    (StreamFrame(0, 0, b"", True), "0b 00 00", "__01"),
    (StreamFrame(4, 16384, b"data", False, False), "0c 04 80004000 64617461", "__01"),
    (StreamFrame(4, 1, b"", True, False), "0d 04 01", "__01"),
    (StreamFrame(16383, 1, b"data", False), "0e 7fff 01 04 64617461", "__01"),
    (StreamFrame(4, 1, b"data", True), "0f 04 01 04 64617461", "__01"),
    (MaxDataFrame(1 << 30), "10 c000000040000000", "__01"),
    (MaxStreamDataFrame(4, 65536), "11 04 80010000", "__01"),
    (MaxStreamsFrame(True, 1 << 60), "12 d000000000000000", "__01"),
    (MaxStreamsFrame(False, 3), "13 03", "__01"),
    (DataBlockedFrame(64), "14 4040", "__01"),
    (StreamDataBlockedFrame(4, 64), "15 04 4040", "__01"),
    (StreamsBlockedFrame(True, 100), "16 4064", "__01"),
    (StreamsBlockedFrame(False, 1 << 60), "17 d000000000000000", "__01"),
    (NewConnectionIdFrame(7, 5, b"cid", TOKEN), "18 07 05 03 636964" + TOKEN.hex(), "__01"),
    (NewConnectionIdFrame(1, 1, bytes(20), TOKEN), "18 01 01 14" + "00" * 20 + TOKEN.hex(), "__01"),
    (RetireConnectionIdFrame(5), "19 05", "__01"),
    (PathChallengeFrame(b"12345678"), "1a 3132333435363738", "__01"),
    (PathResponseFrame(b"12345678"), "1b 3132333435363738", "___1"),
    (ConnectionCloseFrame(10, 6, b"why", False), "1c 0a 06 03 776879", "IH01"),
    (ConnectionCloseFrame(0x0100, 0, b"", True), "1d 4100 00", "__01"),
    (HandshakeDoneFrame(), "1e", "___1"),
    (ImmediateAckFrame(), "1f", "___1"),
    (ResetStreamAtFrame(4, 0x0100, 70, 70), "24 04 4100 4046 4046", "__01"),
    (DatagramFrame(b"data", False), "30 64617461", "__01"),
    (DatagramFrame(b"data"), "31 04 64617461", "__01"),
    (AckFrequencyFrame(1, 9, 25000, 3), "40af 01 09 800061a8 03", "___1"),
]
LETTERS = {
    "I": PacketType.INITIAL,
    "H": PacketType.HANDSHAKE,
    "0": PacketType.ZERO_RTT,
    "1": PacketType.ONE_RTT,
}


def sample_id(value: object) -> str:
    return (
        value.hex()[:12] if isinstance(value, bytes) else repr(value)[:40] if isinstance(value, Frame) else ""
    )


@pytest.mark.parametrize(("frame", "data", "_"), SAMPLES, ids=sample_id)
def test_frames_go_both_ways(frame: Frame, data: str, _: str) -> None:
    raw = bytes.fromhex(data)
    writer = Writer()
    frame.append(writer)

    assert raw.hex() == writer.getvalue().hex()
    assert [frame] == parse_frames(raw)
    assert len(raw) == frame.size()
    assert (0xAF if raw[0] == 0x40 else raw[0]) == frame.type


@pytest.mark.parametrize(("frame", "data", "_"), SAMPLES, ids=sample_id)
def test_every_prefix_is_truncated_or_less(frame: Frame, data: str, _: str) -> None:
    raw = bytes.fromhex(data)
    for cut in range(len(raw)):
        try:
            frames = parse_frames(raw[:cut])
        except Truncated as error:
            assert "truncated" in error.reason
            assert cut > 0
            continue
        assert [frame] != frames
        assert sum(part.size() for part in frames) == cut


@pytest.mark.parametrize(("frame", "data", "where"), SAMPLES, ids=sample_id)
@pytest.mark.parametrize("letter", "IH01")
def test_table_3(frame: Frame, data: str, where: str, letter: str) -> None:  # RFC 9000 §12.4, table 3
    raw = bytes.fromhex(data)
    if letter in where:
        assert [frame] == parse_frames(raw, LETTERS[letter])
        return
    with pytest.raises(ForbiddenFrame, match="not allowed") as caught:
        parse_frames(raw, LETTERS[letter])
    assert frame.type == caught.value.frame_type


def test_samples_hold_every_frame_type() -> None:
    assert {frame.type for frame, _, _ in SAMPLES} == KNOWN_FRAME_TYPES


@pytest.mark.parametrize("kind", [PacketType.RETRY, PacketType.VERSION_NEGOTIATION])
def test_packets_without_frames_hold_none(kind: PacketType) -> None:
    assert frozenset() == allowed_frame_types(kind)
    with pytest.raises(ForbiddenFrame):
        parse_frames(b"\x00", kind)


@pytest.mark.parametrize("kind", list(LETTERS.values()))
def test_a_forbidden_body_is_not_read(kind: PacketType) -> None:
    # PROTOCOL_VIOLATION comes before FRAME_ENCODING_ERROR: the body is cut in every sample.
    for frame_type in sorted(KNOWN_FRAME_TYPES - allowed_frame_types(kind)):
        writer = Writer()
        writer.write_varint(frame_type)
        with pytest.raises(ForbiddenFrame):
            parse_frames(writer.getvalue(), kind)


def test_only_these_need_no_acknowledgment() -> None:  # RFC 9000 §13.2
    silent = {type(frame) for frame, _, _ in SAMPLES if not frame.ack_eliciting}

    assert {PaddingFrame, AckFrame, ConnectionCloseFrame} == silent


def test_an_empty_payload_has_no_frames() -> None:
    assert [] == parse_frames(b"")
    assert [] == parse_frames(b"", PacketType.INITIAL)


@pytest.mark.parametrize("kind", [None, *LETTERS.values()])
def test_unknown_types_are_no_forbidden_frames(kind: PacketType | None) -> None:  # RFC 9000 §12.4
    for frame_type in range(0x4000):
        if frame_type in KNOWN_FRAME_TYPES:
            continue
        writer = Writer()
        writer.write_varint(frame_type)
        with pytest.raises(DecodeError, match="unknown frame type") as caught:
            parse_frames(writer.getvalue() + b"body", kind)
        assert frame_type == caught.value.frame_type
        assert not isinstance(caught.value, ForbiddenFrame | Truncated)


@pytest.mark.parametrize("data", ["4001", "80000001", "c000000000000001", "800000af", "c0000000000000af"])
def test_frame_types_are_written_short(data: str) -> None:  # RFC 9000 §12.4
    with pytest.raises(ForbiddenFrame, match=f"in {len(data) // 2} bytes"):
        parse_frames(bytes.fromhex(data + "01010101"))


@pytest.mark.parametrize(
    ("data", "reason", "frame_type"),
    [
        pytest.param("02 05 00 00 06", "first range of 6 below 5", 2, id="first range longer than largest"),
        pytest.param(
            "02 05 00 01 02 02 00", "range below 0: gap 2 and length 0 after 3", 2, id="gap below 0"
        ),
        pytest.param(
            "02 05 00 01 02 00 02", "range below 0: gap 0 and length 2 after 3", 2, id="range below 0"
        ),
        pytest.param("02 05 00 3f 00", "truncated: a varint", 2, id="63 ranges, none there"),
        pytest.param("02 05 00 ffffffffffffffff 00", "truncated", 2, id="most ranges"),
        pytest.param("02 40", "truncated: a varint of 2 bytes, 1 left", 2, id="varint cut"),
        pytest.param("03 05 00 00 00 01 02", "truncated", 3, id="ECN counts cut"),
        pytest.param("06 00 ffffffffffffffff", "truncated: 4611686018427387903 bytes", 6, id="CRYPTO length"),
        pytest.param("06 ffffffffffffffff 01 78", "beyond 2^62 - 1", 6, id="CRYPTO offset"),
        pytest.param("0a 00 05 78", "truncated: 5 bytes of data, 1 left", 10, id="STREAM length"),
        pytest.param("0c 00 ffffffffffffffff 78", "beyond 2^62 - 1", 12, id="STREAM offset to the end"),
        pytest.param("0e 00 fffffffffffffffe 02 7878", "beyond 2^62 - 1", 14, id="STREAM offset"),
        pytest.param("08", "truncated: a stream ID wanted", 8, id="STREAM without stream ID"),
        pytest.param("01 0a 80", "truncated: a varint of 4 bytes, 1 left", 10, id="STREAM ID cut"),
        pytest.param("07 00", "an empty token", 7, id="empty NEW_TOKEN"),
        pytest.param("12 d000000000000001", "more than 2^60", 0x12, id="MAX_STREAMS"),
        pytest.param("13 ffffffffffffffff", "more than 2^60", 0x13, id="MAX_STREAMS, unidirectional"),
        pytest.param("16 d000000000000001", "more than 2^60", 0x16, id="STREAMS_BLOCKED"),
        pytest.param("17 d000000000000001", "more than 2^60", 0x17, id="STREAMS_BLOCKED, unidirectional"),
        pytest.param("18 01 00 00" + "00" * 16, "connection ID of 0 bytes", 0x18, id="empty connection ID"),
        pytest.param("18 01 00 15" + "00" * 37, "connection ID of 21 bytes", 0x18, id="long connection ID"),
        pytest.param("18 01 02 01 aa" + "00" * 16, "retire prior to 2 beyond", 0x18, id="retires itself"),
        pytest.param("18 01 00 01 aa" + "00" * 15, "truncated: 16 bytes", 0x18, id="reset token cut"),
        pytest.param("1a 01020304050607", "truncated: 8 bytes", 0x1A, id="PATH_CHALLENGE of 7 bytes"),
        pytest.param("1b 01020304050607", "truncated: 8 bytes", 0x1B, id="PATH_RESPONSE of 7 bytes"),
        pytest.param("1c 00 00 05 77", "truncated: 5 bytes", 0x1C, id="reason cut"),
        pytest.param("24 00 00 05 06", "reliable size 6 beyond final size 5", 0x24, id="RESET_STREAM_AT"),
        pytest.param("31 05 00", "truncated: 5 bytes", 0x31, id="DATAGRAM length"),
        pytest.param("40af 00 00", "truncated", 0xAF, id="ACK_FREQUENCY cut"),
        pytest.param("20", "unknown frame type 0x20", 0x20, id="unknown, one byte"),
        pytest.param("5bff", "unknown frame type 0x1bff", 0x1BFF, id="unknown, two bytes"),
        pytest.param("ffffffffffffffff", "unknown frame type 0x3f", MAX_VARINT, id="unknown, eight bytes"),
    ],
)
def test_refuses_malformed_frames(data: str, reason: str, frame_type: int) -> None:
    with pytest.raises(DecodeError, match=reason.replace("^", r"\^")) as caught:
        parse_frames(bytes.fromhex(data))
    assert frame_type == caught.value.frame_type
    assert not isinstance(caught.value, ForbiddenFrame)
    assert caught.value.reason == str(caught.value)


def test_what_was_read_before_an_error_stays() -> None:
    frames: list[Frame] = []
    with pytest.raises(DecodeError):
        parse_frames(bytes.fromhex("01 0000 06 00 20"), None, frames)

    assert [PingFrame(), PaddingFrame(2)] == frames


NUMBERS = st.integers(min_value=0, max_value=MAX_VARINT)
COUNTS = st.integers(min_value=0, max_value=1 << 60)
DATA = st.binary(max_size=70)


@st.composite
def ack_frames(draw: st.DrawFn) -> AckFrame:
    ranges: list[tuple[int, int]] = []
    smallest = draw(st.integers(min_value=0, max_value=1 << 40))
    for _ in range(draw(st.integers(min_value=1, max_value=20))):
        largest = smallest + draw(st.integers(min_value=0, max_value=200))
        ranges.insert(0, (smallest, largest))
        smallest = largest + 2 + draw(st.integers(min_value=0, max_value=200))
    return AckFrame(ranges, draw(NUMBERS), draw(st.none() | st.tuples(NUMBERS, NUMBERS, NUMBERS)))


FRAMES = st.one_of(
    st.builds(PingFrame),
    ack_frames(),
    st.builds(ResetStreamFrame, NUMBERS, NUMBERS, NUMBERS),
    st.builds(StopSendingFrame, NUMBERS, NUMBERS),
    st.builds(CryptoFrame, st.integers(0, MAX_VARINT - 70), DATA),
    st.builds(NewTokenFrame, st.binary(min_size=1, max_size=70)),
    st.builds(StreamFrame, NUMBERS, st.integers(0, MAX_VARINT - 70), DATA, st.booleans()),
    st.builds(MaxDataFrame, NUMBERS),
    st.builds(MaxStreamDataFrame, NUMBERS, NUMBERS),
    st.builds(MaxStreamsFrame, st.booleans(), COUNTS),
    st.builds(DataBlockedFrame, NUMBERS),
    st.builds(StreamDataBlockedFrame, NUMBERS, NUMBERS),
    st.builds(StreamsBlockedFrame, st.booleans(), COUNTS),
    st.builds(
        lambda low, more, cid: NewConnectionIdFrame(low + more, low, cid, TOKEN),
        st.integers(0, 1 << 60),
        st.integers(0, 1 << 60),
        st.binary(min_size=1, max_size=20),
    ),
    st.builds(RetireConnectionIdFrame, NUMBERS),
    st.builds(PathChallengeFrame, st.binary(min_size=8, max_size=8)),
    st.builds(PathResponseFrame, st.binary(min_size=8, max_size=8)),
    st.builds(ConnectionCloseFrame, NUMBERS, NUMBERS, DATA, st.just(False)),
    st.builds(ConnectionCloseFrame, NUMBERS, st.just(0), DATA, st.just(True)),
    st.builds(HandshakeDoneFrame),
    st.builds(DatagramFrame, DATA),
    st.builds(AckFrequencyFrame, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    st.builds(ImmediateAckFrame),
    st.builds(
        lambda stream, code, size, more: ResetStreamAtFrame(stream, code, size + more, size),
        NUMBERS,
        NUMBERS,
        st.integers(0, 1 << 60),
        st.integers(0, 1 << 60),
    ),
)
LAST = st.one_of(
    st.builds(StreamFrame, NUMBERS, st.integers(0, MAX_VARINT - 70), DATA, st.booleans(), st.just(False)),
    st.builds(DatagramFrame, DATA, st.just(False)),
    st.builds(PaddingFrame, st.integers(min_value=1, max_value=1200)),
)


@given(st.lists(FRAMES, max_size=10), st.none() | LAST)
def test_any_frames_go_both_ways(frames: list[Frame], last: Frame | None) -> None:
    if last is not None:
        frames = [*frames, last]
    writer = Writer()
    for frame in frames:
        before = len(writer)
        frame.append(writer)
        assert frame.size() == len(writer) - before

    assert frames == parse_frames(writer.getvalue())
    assert frames == parse_frames(writer.getvalue(), PacketType.ONE_RTT)


@given(st.lists(FRAMES, min_size=1, max_size=4), st.data())
def test_any_cut_is_truncated_or_less(frames: list[Frame], data: st.DataObject) -> None:
    writer = Writer()
    for frame in frames:
        frame.append(writer)
    cut = data.draw(st.integers(min_value=0, max_value=len(writer) - 1))
    try:
        parsed = parse_frames(writer.getvalue()[:cut])
    except Truncated:
        return
    assert frames[: len(parsed)] == parsed
    assert len(parsed) < len(frames)


@given(st.binary(max_size=120), st.sampled_from((None, *PacketType)))
def test_nothing_but_decode_error_for_any_bytes(data: bytes, kind: PacketType | None) -> None:
    for first in (b"", *(bytes([frame_type]) for frame_type in (2, 3, 6, 8, 0x0F, 0x18, 0x1C, 0x31))):
        try:
            frames = parse_frames(first + data, kind)
        except DecodeError as error:
            assert error.reason
            assert error.frame_type is not None
            continue
        writer = Writer()
        for frame in frames:
            frame.append(writer)
        assert frames == parse_frames(writer.getvalue(), kind)
        assert len(writer) <= len(first + data)  # what is written is never longer


@given(st.lists(FRAMES, min_size=1, max_size=4), st.data())
def test_nothing_but_decode_error_for_changed_frames(frames: list[Frame], data: st.DataObject) -> None:
    writer = Writer()
    for frame in frames:
        frame.append(writer)
    changed = bytearray(writer.data)
    for _ in range(data.draw(st.integers(min_value=1, max_value=3))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse_frames(bytes(changed))
    except DecodeError as error:
        assert error.frame_type is not None
