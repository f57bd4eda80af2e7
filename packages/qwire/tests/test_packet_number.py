"""Truncation and expansion of packet numbers, RFC 9000 §17.1, A.2, A.3."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwire.packet_number import MAX_PACKET_NUMBER, encoded_size, expand

VECTORS = json.loads((Path(__file__).parent / "vectors" / "rfc9000-appA-varint-pn.json").read_text())


@pytest.mark.parametrize("row", VECTORS["packet_number_encode"], ids=lambda row: row["full_pn_hex"])
def test_sizes_of_the_rfc(row: dict[str, str | int]) -> None:  # RFC 9000 A.2
    size = encoded_size(int(str(row["full_pn_hex"]), 16), int(str(row["largest_acked_hex"]), 16))

    assert -(-int(row["encoded_bits_at_least"]) // 8) == size


@pytest.mark.parametrize("row", VECTORS["packet_number_decode"], ids=lambda row: row["truncated_hex"])
def test_expansion_of_the_rfc(row: dict[str, str | int]) -> None:  # RFC 9000 A.3
    truncated, largest = int(str(row["truncated_hex"]), 16), int(str(row["largest_received_hex"]), 16)

    assert int(str(row["decoded_hex"]), 16) == expand(truncated, int(row["bits"]) // 8, largest)


@pytest.mark.parametrize(
    ("distance", "size"),
    [(1, 1), (0x80, 1), (0x81, 2), (0x8000, 2), (0x8001, 3), (0x800000, 3), (0x800001, 4), (0x80000000, 4)],
)
def test_sizes_change_at_half_the_window(distance: int, size: int) -> None:
    assert size == encoded_size(distance - 1, -1)
    assert size == encoded_size(1000 + distance, 1000)


@pytest.mark.parametrize(
    ("packet_number", "largest_acked"), [(5, 5), (4, 5), (0x80000000, -1)], ids=["same", "below", "far"]
)
def test_numbers_that_cannot_be_sent_are_misuse(packet_number: int, largest_acked: int) -> None:
    with pytest.raises(ValueError):
        encoded_size(packet_number, largest_acked)


@given(
    st.integers(min_value=-1, max_value=MAX_PACKET_NUMBER - (1 << 33)),
    st.integers(min_value=1, max_value=0x80000000),
    st.data(),
)
def test_the_receiver_finds_what_was_sent(acked: int, distance: int, data: st.DataObject) -> None:
    # The receiver has seen at least what the sender knows to be acknowledged, and nothing after this packet.
    packet_number = acked + distance
    size = encoded_size(packet_number, acked)
    received = data.draw(st.integers(min_value=acked, max_value=packet_number - 1))

    assert packet_number == expand(packet_number & (1 << 8 * size) - 1, size, received)


@given(
    st.integers(min_value=-1, max_value=MAX_PACKET_NUMBER),
    st.integers(min_value=1, max_value=4),
    st.integers(min_value=0, max_value=0xFFFFFFFF),
)
def test_expansion_keeps_the_low_bytes(largest: int, size: int, number: int) -> None:
    truncated = number & (1 << 8 * size) - 1
    packet_number = expand(truncated, size, largest)

    assert packet_number >= 0
    assert truncated == packet_number & (1 << 8 * size) - 1
