"""Packet headers and raw information."""

import pytest

from qlog.packets import header_of, raw_of, text_of, token_of
from qwire.constants import VERSION_1, VERSION_2, PacketType


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (PacketType.INITIAL, "initial"),
        (PacketType.HANDSHAKE, "handshake"),
        (PacketType.ZERO_RTT, "0RTT"),
        (PacketType.RETRY, "retry"),
        (PacketType.VERSION_NEGOTIATION, "version_negotiation"),
    ],
)
def test_long_headers(kind: PacketType, name: str) -> None:  # quic-events-12 §8.9
    expected = {"packet_type": name, "packet_number": 7, "version": "6b3343cf", "scid": "bb", "dcid": "aa"}

    assert expected == header_of(kind, 7, VERSION_2, b"\xaa", b"\xbb")


def test_short_headers_leave_the_connection_id_out() -> None:
    assert {"packet_type": "1RTT", "packet_number": 0} == header_of(
        PacketType.ONE_RTT, 0, VERSION_1, b"a", b""
    )


def test_packets_without_number() -> None:
    assert "packet_number" not in header_of(PacketType.RETRY, None, VERSION_1, b"", b"")


def test_bytes_are_told_by_length_and_a_short_prefix() -> None:
    assert {"length": 15} == raw_of(bytes(15))
    assert {"length": 16, "data": "00" * 8} == raw_of(bytes(16))
    assert {"raw": {"length": 1 << 16, "data": "00" * 8}} == token_of(bytes(1 << 16))


def test_long_text_is_cut() -> None:
    assert "x" * 256 == text_of("x" * 256)
    assert "x" * 256 + "…" == text_of("x" * 257)
