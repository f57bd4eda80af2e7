"""One packet under construction. RFC 9000 §17, RFC 9001 §5.3."""

from typing import Final

import pytest

from qcore.packing.builder import PacketBuilder, token_size
from qcore.packing.source import FrameSource
from qcore.spaces import APPLICATION, HANDSHAKE, INITIAL
from qtls.constants import AES_128_GCM_SHA256, AES_256_GCM_SHA384
from qtls.protection import Sealer, sealer_from_secret
from qwire.constants import VERSION_1, PacketType
from qwire.frames import AckFrame, CryptoFrame, Frame, PingFrame, StreamFrame, parse_frames
from qwire.headers import parse_long_header

SPACES: Final = {
    PacketType.INITIAL: INITIAL,
    PacketType.ZERO_RTT: APPLICATION,
    PacketType.HANDSHAKE: HANDSHAKE,
    PacketType.ONE_RTT: APPLICATION,
}
SECRET: Final = bytes(range(48))
OWNER: Final = FrameSource()


def secret_of(suite: int) -> bytes:
    return SECRET if suite == AES_256_GCM_SHA384 else SECRET[:32]


def builder(
    packet_type: PacketType = PacketType.ONE_RTT,
    *,
    number: int = 7,
    number_size: int = 2,
    limit: int = 1_000,
    sealer: Sealer | None = None,
    destination_cid: bytes = b"destined",
    source_cid: bytes = b"source",
    version: int = VERSION_1,
    token: bytes = b"",
    length_size: int = 2,
    key_phase: bool = False,
    spin: bool = False,
) -> PacketBuilder:
    return PacketBuilder(
        space=SPACES[packet_type],
        packet_type=packet_type,
        packet_number=number,
        packet_number_size=number_size,
        limit=limit,
        now=0.0,
        sealer=sealer or sealer_from_secret(AES_128_GCM_SHA256, SECRET[:32], version),
        destination_cid=destination_cid,
        source_cid=source_cid,
        version=version,
        token=token,
        length_size=length_size,
        key_phase=key_phase,
        spin=spin,
    )


# Frames


def test_room_shrinks_by_what_is_appended() -> None:
    packet = builder(limit=20)
    frame = CryptoFrame(0, b"0123456789")
    assert 20 == packet.room
    assert packet.append(frame, OWNER)

    assert 20 - frame.size() == packet.room
    assert frame.size() == packet.size


def test_frame_that_does_not_fit_leaves_no_trace() -> None:
    packet = builder(limit=15)
    packet.append(CryptoFrame(0, b"0123456789"), OWNER)
    assert 2 == packet.room
    assert not packet.append(CryptoFrame(10, b""), OWNER)
    assert (2, 13, 1) == (packet.room, packet.size, len(packet.frames))

    assert packet.append(PingFrame(), OWNER)
    assert packet.append(PingFrame(), OWNER)
    assert not packet.append(PingFrame(), OWNER)
    assert 0 == packet.room


def test_owners_are_remembered_in_order() -> None:
    packet = builder()
    one, other = FrameSource(), FrameSource()
    frames: list[tuple[Frame, FrameSource]] = [(PingFrame(), one), (CryptoFrame(0, b"x"), other)]
    for frame, owner in frames:
        packet.append(frame, owner)

    assert frames == packet.frames


@pytest.mark.parametrize(
    ("frame", "ack_eliciting", "in_flight"),
    [
        pytest.param(AckFrame([(0, 0)], 0), False, False, id="ACK"),
        pytest.param(PingFrame(), True, True, id="PING"),
        pytest.param(StreamFrame(0, 0, b"x", False), True, True, id="STREAM"),
        pytest.param(None, False, True, id="padding"),
    ],
)
def test_what_counts_for_recovery(
    frame: Frame | None, ack_eliciting: bool, in_flight: bool
) -> None:  # RFC 9002 §2
    packet = builder()
    if frame is None:
        packet.pad(3)
    else:
        packet.append(frame, OWNER)

    assert (ack_eliciting, in_flight) == (packet.ack_eliciting, packet.in_flight)


@pytest.mark.parametrize("number_size", [1, 2, 3, 4])
@pytest.mark.parametrize("packet_type", list(SPACES))
def test_sample_padding(packet_type: PacketType, number_size: int) -> None:  # RFC 9001 §5.4.2
    packet = builder(packet_type, number_size=number_size)
    packet.append(PingFrame(), OWNER)
    packet.pad_for_sample()
    header, ciphertext = packet.header(), packet.protect()[packet.header_size() :]

    assert max(4, number_size + 1) == number_size + packet.size
    assert len(ciphertext) >= 4 - number_size + 16
    assert packet.total_size() == len(header) + len(ciphertext)


def test_long_packet_is_not_padded() -> None:
    packet = builder(number_size=1)
    packet.append(CryptoFrame(0, b"xyz"), OWNER)
    packet.pad_for_sample()

    assert 6 == packet.size


# Headers


@pytest.mark.parametrize("number_size", [1, 4])
@pytest.mark.parametrize("length_size", [2, 4, 8])
@pytest.mark.parametrize(
    "cids", [(b"", b""), (b"d" * 8, b"s" * 20), (b"d" * 20, b"")], ids=["empty", "both", "one"]
)
@pytest.mark.parametrize(
    ("packet_type", "token"),
    [
        (PacketType.INITIAL, b""),
        (PacketType.INITIAL, b"t" * 63),
        (PacketType.INITIAL, b"t" * 64),
        (PacketType.INITIAL, b"t" * 300),
        (PacketType.HANDSHAKE, b""),
        (PacketType.ZERO_RTT, b""),
    ],
    ids=["Initial", "token of 63", "token of 64", "token of 300", "Handshake", "0-RTT"],
)
def test_long_header_is_as_long_as_it_says(
    packet_type: PacketType, cids: tuple[bytes, bytes], token: bytes, length_size: int, number_size: int
) -> None:
    packet = builder(
        packet_type,
        number_size=number_size,
        destination_cid=cids[0],
        source_cid=cids[1],
        token=token,
        length_size=length_size,
    )
    packet.append(CryptoFrame(0, b"hello"), OWNER)
    header, ciphertext = packet.header(), packet.protect()[packet.header_size() :]

    assert packet.header_size() == len(header)
    assert packet.total_size() == len(header) + len(ciphertext)
    parsed = parse_long_header(header + ciphertext)
    assert cids == (parsed.destination_cid, parsed.source_cid)
    assert token == parsed.token
    assert len(header) - number_size == parsed.packet_number_offset
    assert packet.total_size() == parsed.end


@pytest.mark.parametrize("number_size", [1, 2, 3, 4])
@pytest.mark.parametrize("cid", [b"", b"d" * 8, b"d" * 20], ids=len)
def test_short_header_is_as_long_as_it_says(cid: bytes, number_size: int) -> None:
    packet = builder(number=0x0A0B0C0D, number_size=number_size, destination_cid=cid)
    packet.append(CryptoFrame(0, b"hello"), OWNER)
    header, ciphertext = packet.header(), packet.protect()[packet.header_size() :]

    assert packet.header_size() == len(header)
    assert packet.total_size() == len(header) + len(ciphertext)
    assert cid == header[1 : 1 + len(cid)]
    assert bytes.fromhex("0a0b0c0d")[-number_size:] == header[1 + len(cid) :]


@pytest.mark.parametrize(
    ("key_phase", "spin", "bits"),
    [(False, False, 0x40), (True, False, 0x44), (False, True, 0x60), (True, True, 0x64)],
)
def test_bits_of_a_short_header(key_phase: bool, spin: bool, bits: int) -> None:  # RFC 9000 §17.3.1
    packet = builder(key_phase=key_phase, spin=spin, number_size=3)
    packet.append(PingFrame(), OWNER)

    assert bits | 2 == packet.header()[0]


@pytest.mark.parametrize(
    ("size", "expected"), [(0, 1), (63, 64), (64, 66), (16_383, 16_385), (16_384, 16_388)]
)
def test_token_size(size: int, expected: int) -> None:
    assert expected == token_size(bytes(size))


def test_length_is_taken_out_of_the_last_frame() -> None:  # RFC 9000 §19.8
    packet = builder()
    packet.append(StreamFrame(4, 0, b"first", False), OWNER)
    packet.append(StreamFrame(8, 100, b"second", True), OWNER)
    before = packet.size
    packet.omit_last_length()

    assert before - 1 == packet.size
    assert [
        StreamFrame(4, 0, b"first", False),
        StreamFrame(8, 100, b"second", True, False),
    ] == parse_frames(packet.payload, PacketType.ONE_RTT)


@pytest.mark.parametrize("frames", [[], [PingFrame()], [StreamFrame(4, 0, b"", True)]], ids=len)
def test_length_stays_where_there_is_none_or_the_packet_gets_padding(frames: list[Frame]) -> None:
    packet = builder(number_size=1)
    for frame in frames:
        packet.append(frame, OWNER)
    before = packet.size
    packet.omit_last_length()

    assert before == packet.size
