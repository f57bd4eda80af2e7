"""Datagrams opened without a connection, with a stand-in for the cipher, as qwire has none."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwire.buffer import Writer
from qwire.constants import VERSION_1, VERSION_2, PacketType
from qwire.dissect import DissectedPacket, OpenedPacket, dissect, open_packet
from qwire.frames import CryptoFrame, Frame, PaddingFrame, PingFrame, StreamFrame
from qwire.headers import append_long_header, append_short_header
from qwire.unprotected import Retry, VersionNegotiation

FOLDER = Path(__file__).parent / "vectors"
NAMES = ("rfc9001-appA-quicv1-protection", "rfc9369-appA-quicv2-protection")
VECTORS = [json.loads((FOLDER / f"{name}.json").read_text()) for name in NAMES]
FIREFOX = json.loads((FOLDER / "firefox-159-zeros.json").read_text())
TAG = b"sixteen byte tag"
CID = b"8 bytes!"


def xor(data: bytes) -> bytes:
    return bytes([byte ^ 0x5A for byte in data])


def masks(sample: bytes) -> bytes:
    """A mask that depends on the sample, as one of header protection does. RFC 9001 §5.4.1."""
    return bytes([sum(sample) & 0xFF, *sample[:15]])


def open_payload(packet_number: int, header: bytes, ciphertext: bytes) -> bytes | None:
    end = len(ciphertext) - 16
    tag = bytes([a ^ header[0] ^ packet_number & 0xFF for a in TAG])
    return xor(ciphertext[:end]) if end >= 0 and ciphertext[end:] == tag else None


def seal(header: bytes, offset: int, packet_number: int, payload: bytes) -> bytes:
    tag = bytes([a ^ header[0] ^ packet_number & 0xFF for a in TAG])
    packet = bytearray(header + xor(payload) + tag)
    mask = masks(bytes(packet[offset + 4 : offset + 20]))
    size = (packet[0] & 3) + 1
    packet[0] ^= mask[0] & (0x0F if packet[0] & 0x80 else 0x1F)
    for index in range(size):
        packet[offset + index] ^= mask[index + 1]
    return bytes(packet)


def long_packet(kind: PacketType, payload: bytes, version: int = VERSION_1, reserved: int = 0) -> bytes:
    writer = Writer()
    append_long_header(writer, kind, version, CID, b"source", b"", 0x1234, 2, len(payload) + 16)
    writer.data[0] |= reserved
    return seal(writer.getvalue(), len(writer) - 2, 0x1234, payload)


def short_packet(payload: bytes, phase: bool = False, spin: bool = False) -> bytes:
    writer = Writer()
    append_short_header(writer, CID, 0x77, 1, phase, spin)
    return seal(writer.getvalue(), 1 + len(CID), 0x77, payload)


class Keys:
    """A key source that opens everything that fits, and knows one size of connection IDs."""

    def __init__(self, cid_size: int | None = len(CID)) -> None:
        self.cid_size = cid_size
        self.asked: list[tuple[PacketType, int, bytes]] = []

    def open(
        self,
        packet_type: PacketType,
        version: int,
        destination_cid: bytes,
        packet: bytes,
        packet_number_offset: int,
    ) -> OpenedPacket | None:
        self.asked.append((packet_type, version, destination_cid))
        return open_packet(packet, packet_number_offset, masks, open_payload)

    def short_cid_size(self, packet: bytes) -> int | None:
        return self.cid_size


def payload_of(*frames: Frame) -> bytes:
    writer = Writer()
    for frame in frames:
        frame.append(writer)
    return writer.getvalue()


@pytest.mark.parametrize("version", [VERSION_1, VERSION_2])
def test_frames_of_a_coalesced_datagram(version: int) -> None:
    initial: list[Frame] = [CryptoFrame(0, b"hello"), PaddingFrame(30), PingFrame()]
    handshake: list[Frame] = [CryptoFrame(5, b"x" * 30)]
    short: list[Frame] = [StreamFrame(0, 0, b"request", True), PingFrame()]
    datagram = (
        long_packet(PacketType.INITIAL, payload_of(*initial), version)
        + long_packet(PacketType.HANDSHAKE, payload_of(*handshake), version)
        + short_packet(payload_of(*short), phase=True)
    )
    keys = Keys()
    first, second, third = dissect(datagram, keys)

    assert [initial, handshake, short] == [first.frames, second.frames, third.frames]
    assert [0x1234, 0x1234, 0x77] == [first.packet_number, second.packet_number, third.packet_number]
    assert [2, 2, 1] == [packet.packet_number_size for packet in (first, second, third)]
    assert [version, version, 0] == [first.version, second.version, third.version]
    assert [CID] * 3 == [first.destination_cid, second.destination_cid, third.destination_cid]
    assert b"source" == first.source_cid
    assert (None, None) == (first.key_phase, first.spin)
    assert (True, False) == (third.key_phase, third.spin)
    assert ["", "", ""] == [first.error, second.error, third.error]
    assert [(PacketType.INITIAL, version, CID), (PacketType.HANDSHAKE, version, CID)] == keys.asked[:2]
    assert (PacketType.ONE_RTT, 0, CID) == keys.asked[2]


def test_without_keys_headers_only() -> None:
    long, short = dissect(long_packet(PacketType.INITIAL, bytes(30)) + short_packet(bytes(30)))

    assert (PacketType.INITIAL, False, [], "") == (long.packet_type, long.is_opened, long.frames, long.error)
    assert (CID, b"source") == (long.destination_cid, long.source_cid)
    assert (PacketType.ONE_RTT, CID, None) == (short.packet_type, short.destination_cid, short.packet_number)
    assert (None, None) == (short.key_phase, short.spin)


def test_a_packet_that_no_key_opens_is_reported() -> None:
    datagram = bytearray(long_packet(PacketType.INITIAL, bytes(30)))
    datagram[-1] ^= 1
    (packet,) = dissect(bytes(datagram), Keys())

    assert ("no key opens it", None) == (packet.error, packet.payload)


def test_a_packet_too_short_for_a_sample_is_not_opened() -> None:  # RFC 9001 §5.4.2
    (packet,) = dissect(long_packet(PacketType.INITIAL, b"\0\0" * 1)[:-1] + b"\0", Keys())

    assert "no key opens it" == packet.error


@pytest.mark.parametrize(
    ("payload", "reserved", "error", "frames"),
    [
        pytest.param("01 21" + "00" * 9, 0, "frame 0x21: unknown frame type 0x21", 1, id="unknown frame"),
        pytest.param(
            "0100 0a00 01 78 01", 0, "frame 0x0a: frame type 0x0a is not allowed", 4, id="forbidden"
        ),
        pytest.param("01 06 00 20 00", 0, "frame 0x06: truncated", 1, id="truncated"),
        pytest.param("01 06 00 01 00", 0x04, "reserved bits", 2, id="reserved bits"),
        pytest.param("4006 00 01 00", 0, "frame 0x06: frame type 0x06 in 2 bytes", 0, id="long frame type"),
    ],
)
def test_what_is_wrong_is_told_with_what_could_be_read(
    payload: str, reserved: int, error: str, frames: int
) -> None:
    (packet,) = dissect(long_packet(PacketType.INITIAL, bytes.fromhex(payload), reserved=reserved), Keys())

    assert error in packet.error
    assert frames == len(packet.frames)
    assert bytes.fromhex(payload) == packet.payload


def test_a_packet_without_frames_is_reported() -> None:  # RFC 9000 §12.4
    writer = Writer()
    append_long_header(writer, PacketType.INITIAL, VERSION_1, CID, b"", b"", 1, 4, 16)
    (packet,) = dissect(seal(writer.getvalue(), len(writer) - 4, 1, b""), Keys())

    assert ("no frames", b"") == (packet.error, packet.payload)


def test_retry_and_version_negotiation() -> None:
    (retry,) = dissect(Retry(VERSION_2, b"d", b"s", b"token", TAG).encode())
    (negotiation,) = dissect(VersionNegotiation(b"d", b"s", (1, 0x0A0A0A0A)).encode())
    (broken,) = dissect(VersionNegotiation(b"d", b"s", ()).encode())

    assert (VERSION_2, b"d", b"s", b"token", TAG) == (
        retry.version,
        retry.destination_cid,
        retry.source_cid,
        retry.token,
        retry.integrity_tag,
    )
    assert ((1, 0x0A0A0A0A), b"d") == (negotiation.supported_versions, negotiation.destination_cid)
    assert "truncated: 0 bytes of versions" == broken.error


def test_short_packets_with_an_unknown_or_long_connection_id() -> None:
    packet = short_packet(bytes(30))
    (unknown,) = dissect(packet, Keys(None))
    (beyond,) = dissect(packet[:5], Keys(8))

    assert (b"", "") == (unknown.destination_cid, unknown.error)
    assert "truncated: connection ID of 8 bytes, 4 left" == beyond.error


def test_junk_of_a_real_datagram_is_reported() -> None:
    packets = dissect(bytes.fromhex(FIREFOX["datagram"]))

    expected = [tuple(part) for part in FIREFOX["parts"]]
    assert expected == [(p.start, p.end, p.packet_type.name if p.packet_type else p.error) for p in packets]


@pytest.mark.parametrize("row", ["client_initial", "server_initial", "chacha20_short_header"])
@pytest.mark.parametrize("vectors", VECTORS, ids=NAMES)
def test_header_protection_of_the_rfc(vectors: dict[str, Any], row: str) -> None:  # RFC 9001 A, RFC 9369 A
    vector = vectors[row]
    packet = bytes.fromhex(vector["packet"])
    header = bytes.fromhex(vector["unprotected_header"])
    offset = len(header) - (header[0] & 3) - 1
    seen: list[tuple[str, str, int]] = []

    def mask_of(sample: bytes) -> bytes:
        assert vector["sample"] == sample.hex()
        return bytes.fromhex(vector["mask"])

    def opened(packet_number: int, header: bytes, ciphertext: bytes) -> bytes:
        seen.append((header.hex(), ciphertext.hex(), packet_number))
        return b"payload"

    result = open_packet(packet, offset, mask_of, opened, vector["packet_number"] - 1)

    assert OpenedPacket(header[0], vector["packet_number"], (header[0] & 3) + 1, b"payload") == result
    assert [(header.hex(), packet[len(header) :].hex(), vector["packet_number"])] == seen


@given(st.binary(max_size=80), st.booleans())
def test_nothing_is_raised_for_any_bytes(data: bytes, fixed_bit: bool) -> None:
    for prefix in (b"", b"\xc0\0\0\0\1", b"\xf0\0\0\0\1", b"\xc0\x6b\x33\x43\xcf", b"\xc0\0\0\0\0"):
        packets = dissect(prefix + data, Keys(4), fixed_bit=fixed_bit)

        assert all(isinstance(packet, DissectedPacket) for packet in packets)


@given(st.binary(max_size=60))
def test_any_payload_is_opened(payload: bytes) -> None:
    (packet,) = dissect(long_packet(PacketType.INITIAL, bytes(4) + payload), Keys())

    assert bytes(4) + payload == packet.payload
    assert packet.frames or packet.error
