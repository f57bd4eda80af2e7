"""Long and short headers of both versions."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwire.buffer import Writer
from qwire.constants import VERSION_1, VERSION_2, PacketType
from qwire.errors import DecodeError, Truncated
from qwire.frames import AckFrame, CryptoFrame, parse_frames
from qwire.headers import (
    LongHeader,
    append_long_header,
    append_short_header,
    long_header_size,
    long_packet_type,
    parse_long_header,
)

FOLDER = Path(__file__).parent / "vectors"
NAMES = ("rfc9001-appA-quicv1-protection", "rfc9369-appA-quicv2-protection")
VECTORS = [json.loads((FOLDER / f"{name}.json").read_text()) for name in NAMES]
VERSIONS = (VERSION_1, VERSION_2)
NUMBERED = (PacketType.INITIAL, PacketType.ZERO_RTT, PacketType.HANDSHAKE)
CIDS = st.binary(max_size=20)


def fields(header: LongHeader) -> tuple[object, ...]:
    return (
        header.packet_type,
        header.version,
        header.destination_cid,
        header.source_cid,
        header.token,
        header.packet_number_offset,
        header.end,
    )


@pytest.mark.parametrize("vectors", VECTORS, ids=NAMES)
def test_client_initial_of_the_rfc(vectors: dict[str, Any]) -> None:  # RFC 9001 A.2, RFC 9369 A.2
    row = vectors["client_initial"]
    cid, version = bytes.fromhex(vectors["client_dcid"]), int(vectors["version"], 16)
    writer = Writer()
    append_long_header(
        writer, PacketType.INITIAL, version, cid, b"", b"", 2, 4, row["payload_padded_to"] + 16
    )

    assert row["unprotected_header"] == writer.getvalue().hex()
    assert (PacketType.INITIAL, version, cid, b"", b"", 18, 1200) == fields(
        parse_long_header(bytes.fromhex(row["packet"]))
    )


@pytest.mark.parametrize("vectors", VECTORS, ids=NAMES)
def test_server_initial_of_the_rfc(vectors: dict[str, Any]) -> None:  # RFC 9001 A.3, RFC 9369 A.3
    row = vectors["server_initial"]
    packet, payload = bytes.fromhex(row["packet"]), bytes.fromhex(row["payload"])
    header = parse_long_header(packet)
    writer = Writer()
    append_long_header(
        writer,
        PacketType.INITIAL,
        header.version,
        header.destination_cid,
        header.source_cid,
        b"",
        row["packet_number"],
        2,
        len(payload) + 16,
    )

    assert row["unprotected_header"] == writer.getvalue().hex()
    assert len(packet) == header.end
    assert [AckFrame, CryptoFrame] == [type(frame) for frame in parse_frames(payload, PacketType.INITIAL)]


@pytest.mark.parametrize("vectors", VECTORS, ids=NAMES)
def test_short_header_of_the_rfc(vectors: dict[str, Any]) -> None:  # RFC 9001 A.5, RFC 9369 A.5
    row = vectors["chacha20_short_header"]
    writer = Writer()
    append_short_header(writer, b"", row["packet_number"], 3, False, False)

    assert row["unprotected_header"] == writer.getvalue().hex()


@pytest.mark.parametrize(
    ("version", "kinds"),
    [
        pytest.param(VERSION_1, "INITIAL ZERO_RTT HANDSHAKE RETRY", id="RFC 9000 table 5"),
        pytest.param(VERSION_2, "RETRY INITIAL ZERO_RTT HANDSHAKE", id="RFC 9369 section 3.2"),
        pytest.param(0, " ".join(["VERSION_NEGOTIATION"] * 4), id="RFC 8999 section 6"),
    ],
)
def test_type_bits(version: int, kinds: str) -> None:
    assert kinds.split() == [long_packet_type(0xC0 | bits << 4, version).name for bits in range(4)]


@given(
    st.sampled_from(NUMBERED),
    st.sampled_from(VERSIONS),
    CIDS,
    CIDS,
    st.binary(max_size=80),
    st.integers(min_value=0, max_value=1 << 62),
    st.integers(min_value=1, max_value=4),
    st.integers(min_value=0, max_value=40),
    st.sampled_from((1, 2, 4, 8)),
    st.binary(max_size=5),
)
def test_long_headers_go_both_ways(
    kind: PacketType,
    version: int,
    destination: bytes,
    source: bytes,
    token: bytes,
    number: int,
    number_size: int,
    payload: int,
    length_size: int,
    before: bytes,
) -> None:
    token = token if kind is PacketType.INITIAL else b""
    writer = Writer()
    writer.write_bytes(before)
    append_long_header(
        writer, kind, version, destination, source, token, number, number_size, payload, length_size
    )
    size = len(writer) - len(before)
    datagram = writer.getvalue() + bytes(payload) + b"the next packet"
    header = parse_long_header(datagram, len(before))

    assert size == long_header_size(kind, destination, source, token, number_size, length_size)
    start = len(before) + size - number_size
    assert (kind, version, destination, source, token, start, start + number_size + payload) == fields(header)
    assert number & (1 << 8 * number_size) - 1 == int.from_bytes(datagram[start : start + number_size], "big")
    assert number_size - 1 == datagram[len(before)] & 0x0F

    for cut in range(len(before), header.end):  # every prefix
        with pytest.raises(Truncated):
            parse_long_header(datagram[:cut], len(before))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param("40 00000001 00 00 00 00", "not that of a long header", id="short header"),
        pytest.param("c0 0000000a 00 00 00 00", "unknown version 0x0000000a", id="version 10"),
        pytest.param("c0 00000000 00 00 00000001", "VERSION_NEGOTIATION has no", id="version negotiation"),
        pytest.param("f0 00000001 00 00 00 00", "RETRY has no packet number", id="retry of version 1"),
        pytest.param("c0 6b3343cf 00 00 00 00", "RETRY has no packet number", id="retry of version 2"),
        pytest.param("80 00000001 00 00 00 00", "fixed bit is 0", id="fixed bit"),
        pytest.param("c0 00000001 15" + "00" * 40, "connection ID of 21 bytes", id="long destination"),
        pytest.param("c0 00000001 00 15" + "00" * 40, "connection ID of 21 bytes", id="long source"),
        pytest.param("c0 00000001 00 00 05 00 00", "5 bytes wanted", id="token beyond the datagram"),
        pytest.param("c0 00000001 00 00 00 4001", "length 1, 0 bytes left", id="length beyond the datagram"),
        pytest.param("c0 00000001 00 00 ffffffffffffffff", "truncated", id="largest token"),
        pytest.param("c0 00000001 ff 00 00 00", "connection ID of 255 bytes", id="largest connection ID"),
        pytest.param("", "truncated", id="nothing"),
    ],
)
def test_refuses_malformed_long_header(data: str, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        parse_long_header(bytes.fromhex(data))


def test_fixed_bit_may_be_grease() -> None:  # RFC 9287 §3.1
    data = bytes.fromhex("80 00000001 00 00 00 00")

    assert PacketType.INITIAL is parse_long_header(data, fixed_bit=False).packet_type


@given(st.binary(max_size=60), st.sampled_from((b"", *(b"%c" % b for b in (0xC0, 0xD0, 0xE0, 0xF0)))))
def test_nothing_but_decode_error_for_any_bytes(data: bytes, first: bytes) -> None:
    for version in (b"", b"\0\0\0\1", b"\x6b\x33\x43\xcf"):
        try:
            header = parse_long_header(first + version + data)
        except DecodeError as error:
            assert error.reason
        else:
            assert header.packet_number_offset <= header.end <= len(first + version + data)


@pytest.mark.parametrize("phase", [False, True])
@pytest.mark.parametrize("spin", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_short_header(phase: bool, spin: bool, size: int) -> None:  # RFC 9000 §17.3.1
    writer = Writer()
    append_short_header(writer, b"cid", 0x0102030405, size, phase, spin)
    data = writer.getvalue()

    assert 0x40 | spin << 5 | phase << 2 | size - 1 == data[0]
    assert b"cid" + bytes([2, 3, 4, 5])[-size:] == data[1:]


@pytest.mark.parametrize(
    ("kind", "version", "cid", "token", "number_size", "payload"),
    [
        pytest.param(PacketType.RETRY, 1, b"", b"", 1, 20, id="retry"),
        pytest.param(PacketType.ONE_RTT, 1, b"", b"", 1, 20, id="1-RTT"),
        pytest.param(PacketType.VERSION_NEGOTIATION, 1, b"", b"", 1, 20, id="version negotiation"),
        pytest.param(PacketType.INITIAL, 7, b"", b"", 1, 20, id="version"),
        pytest.param(PacketType.INITIAL, 1, bytes(21), b"", 1, 20, id="connection ID"),
        pytest.param(PacketType.HANDSHAKE, 1, b"", b"token", 1, 20, id="token in a Handshake packet"),
        pytest.param(PacketType.INITIAL, 1, b"", b"", 0, 20, id="no packet number"),
        pytest.param(PacketType.INITIAL, 1, b"", b"", 5, 20, id="packet number of 5 bytes"),
        pytest.param(PacketType.INITIAL, 1, b"", b"", 1, 1 << 14, id="length above 2 bytes"),
    ],
)
def test_misuse_is_a_value_error(
    kind: PacketType, version: int, cid: bytes, token: bytes, number_size: int, payload: int
) -> None:
    with pytest.raises(ValueError) as caught:
        append_long_header(Writer(), kind, version, cid, b"", token, 0, number_size, payload)
    assert not isinstance(caught.value, DecodeError)


def test_short_header_needs_a_packet_number() -> None:
    with pytest.raises(ValueError, match="packet number of 5 bytes"):
        append_short_header(Writer(), b"", 0, 5, False, False)


def test_repr_tells_the_fields() -> None:
    header = parse_long_header(bytes.fromhex("c0 00000001 01aa 01bb 00 05 0102030405"))

    assert (
        "LongHeader(INITIAL, version=0x00000001, destination_cid=aa, source_cid=bb, token=0 bytes, "
        "packet_number_offset=11, end=16)" == repr(header)
    )
