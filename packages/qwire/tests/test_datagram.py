"""Where packets begin and end in a datagram, RFC 9000 §12.2."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwire.buffer import Writer
from qwire.constants import VERSION_1, VERSION_2, PacketType
from qwire.datagram import ZEROS, split
from qwire.headers import append_long_header, append_short_header
from qwire.unprotected import Retry, VersionNegotiation

FIREFOX = json.loads((Path(__file__).parent / "vectors" / "firefox-159-zeros.json").read_text())
NUMBERED = (PacketType.INITIAL, PacketType.ZERO_RTT, PacketType.HANDSHAKE)


def long_packet(kind: PacketType, version: int, size: int) -> bytes:
    writer = Writer()
    append_long_header(writer, kind, version, b"destination", b"source", b"", 7, 2, size)
    return writer.getvalue() + bytes(range(size))


def short_packet(size: int) -> bytes:
    writer = Writer()
    append_short_header(writer, b"destination", 7, 2, False, False)
    return writer.getvalue() + bytes(size)


def described(datagram: bytes, fixed_bit: bool = True) -> list[list[object]]:
    return [
        [part.start, part.end, part.reason if part.packet_type is None else part.packet_type.name]
        for part in split(datagram, fixed_bit=fixed_bit)
    ]


def test_zeros_of_firefox_are_no_packet() -> None:
    datagram = bytes.fromhex(FIREFOX["datagram"])

    assert FIREFOX["parts"] == described(datagram)


@given(
    st.lists(st.tuples(st.sampled_from(NUMBERED), st.integers(0, 200)), max_size=4),
    st.sampled_from((VERSION_1, VERSION_2)),
    st.booleans(),
    st.binary(max_size=4),
)
def test_coalesced_packets_are_found(
    packets: list[tuple[PacketType, int]], version: int, short: bool, before: bytes
) -> None:
    expected, datagram = [], b""
    for kind, size in packets:
        start = len(datagram)
        datagram += long_packet(kind, version, size)
        expected.append([start, len(datagram), kind.name])
    if short:
        start = len(datagram)
        datagram += short_packet(30)
        expected.append([start, len(datagram), "ONE_RTT"])

    assert expected == described(datagram)
    headers = [part.header for part in split(datagram)]
    assert [kind for kind, _ in packets] == [header.packet_type for header in headers if header is not None]


@pytest.mark.parametrize("version", [VERSION_1, VERSION_2])
def test_retry_and_version_negotiation_take_the_rest(version: int) -> None:
    retry = Retry(version, b"destination", b"source", b"token", bytes(16)).encode()
    negotiation = VersionNegotiation(b"destination", b"source", (1,)).encode()
    first = long_packet(PacketType.HANDSHAKE, version, 20)
    size = len(first)

    assert [[0, len(retry), "RETRY"]] == described(retry)
    assert [[0, len(negotiation), "VERSION_NEGOTIATION"]] == described(negotiation)
    assert [[0, size, "HANDSHAKE"], [size, size + len(retry), "RETRY"]] == described(first + retry)


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        pytest.param("00", ZEROS, id="one zero"),
        pytest.param("00 00 00 01", "the fixed bit is 0", id="almost zeros"),
        pytest.param("c0 00", "truncated: a long header in 2 bytes", id="long header cut"),
        pytest.param("c0 0000000a 00 00 00", "unknown version 0x0000000a", id="other version"),
        pytest.param("c0 00000001 00 00 00 3f", "truncated: length 63, 0 bytes left", id="length"),
        pytest.param("80 00000001 00 00 00 00", "the fixed bit is 0", id="long header without fixed bit"),
    ],
)
def test_junk_after_a_packet_is_reported(tail: str, reason: str) -> None:
    first = long_packet(PacketType.INITIAL, VERSION_1, 20)
    datagram = first + bytes.fromhex(tail)

    assert [[0, len(first), "INITIAL"], [len(first), len(datagram), reason]] == described(datagram)


def test_zeros_alone_are_junk() -> None:
    assert [[0, 3, "the fixed bit is 0"]] == described(bytes(3))


def test_fixed_bit_may_be_grease() -> None:  # RFC 9287 §3.1
    datagram = (
        bytes([long_packet(PacketType.INITIAL, VERSION_1, 20)[0] & 0xBF])
        + long_packet(PacketType.INITIAL, VERSION_1, 20)[1:]
    )
    size = len(datagram)

    assert [[0, size, "the fixed bit is 0"]] == described(datagram)
    assert [[0, size, "INITIAL"], [size, size + 3, "ONE_RTT"]] == described(datagram + b"\x01ab", False)
    assert [[0, size, "INITIAL"], [size, size + 3, ZEROS]] == described(datagram + bytes(3), False)


@given(st.binary(max_size=100), st.booleans())
def test_parts_cover_any_datagram(data: bytes, fixed_bit: bool) -> None:
    for prefix in (b"", b"\xc0\0\0\0\1", b"\xc0\x6b\x33\x43\xcf", b"\xc0\0\0\0\0"):
        datagram = prefix + data
        parts = split(datagram, fixed_bit=fixed_bit)

        assert [part.end for part in parts[:-1]] == [part.start for part in parts[1:]]
        assert datagram == b"".join([datagram[part.start : part.end] for part in parts])
        for part in parts:
            assert (part.packet_type is None) == (part.reason != "")


def test_repr_tells_range_and_kind() -> None:
    assert "[DatagramPart(0, 2, the fixed bit is 0)]" == repr(split(bytes(2)))
    assert "[DatagramPart(0, 2, ONE_RTT)]" == repr(split(b"@@"))
