"""The varint codec against RFC 9000 §16 and appendix A.1, and against itself."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import quicvarint
from quicvarint import MAX, VarintError

VECTORS = json.loads((Path(__file__).parent / "vectors" / "rfc9000-appA-varint-pn.json").read_text())
VALUES = st.integers(min_value=0, max_value=MAX)
SIZES = (1, 2, 4, 8)


@pytest.mark.parametrize(("data", "value"), VECTORS["varint_decode"], ids=lambda v: str(v))
def test_parses_the_samples_of_the_rfc(data: str, value: int) -> None:  # RFC 9000 A.1
    raw = bytes.fromhex(data)

    assert (value, len(raw)) == quicvarint.parse(raw)


@pytest.mark.parametrize(
    ("data", "value"), VECTORS["varint_boundaries_from_section_16_table_4"], ids=lambda v: str(v)
)
def test_edges_of_each_size_go_both_ways(data: str, value: int) -> None:  # RFC 9000 §16, table 4
    buffer = bytearray()
    quicvarint.append(buffer, value)

    assert data == buffer.hex()
    assert value == quicvarint.parse(bytes(buffer))[0]
    assert len(buffer) == quicvarint.size(value)


@given(VALUES)
def test_what_is_written_is_read(value: int) -> None:
    buffer = bytearray(b"before")
    quicvarint.append(buffer, value)

    assert (value, len(buffer)) == quicvarint.parse(bytes(buffer), 6)
    assert 6 + quicvarint.size(value) == len(buffer)


@given(VALUES, st.sampled_from(SIZES))
def test_longer_encodings_are_read_alike(value: int, size: int) -> None:  # RFC 9000 §16
    buffer = bytearray()
    if size < quicvarint.size(value):
        with pytest.raises(ValueError, match="does not fit"):
            quicvarint.append_sized(buffer, value, size)
        assert b"" == buffer
        return
    quicvarint.append_sized(buffer, value, size)

    assert size == len(buffer)
    assert (value, size) == quicvarint.parse(bytes(buffer))


@given(VALUES, st.sampled_from(SIZES))
def test_every_prefix_is_truncated(value: int, size: int) -> None:
    size = max(size, quicvarint.size(value))
    buffer = bytearray()
    quicvarint.append_sized(buffer, value, size)

    for cut in range(size):
        with pytest.raises(VarintError, match="truncated"):
            quicvarint.parse(bytes(buffer[:cut]))


@given(st.binary(max_size=12), st.integers(min_value=0, max_value=14))
def test_nothing_but_varint_error_for_any_bytes(data: bytes, position: int) -> None:
    try:
        value, stop = quicvarint.parse(data, position)
    except VarintError:
        assert position >= len(data) or len(data) - position < 1 << (data[position] >> 6)
    else:
        assert 0 <= value <= MAX
        assert position < stop <= len(data)


@pytest.mark.parametrize("value", [-1, MAX + 1, 1 << 70], ids=["negative", "2^62", "2^70"])
def test_values_without_encoding_are_misuse(value: int) -> None:
    buffer = bytearray()

    with pytest.raises(ValueError):
        quicvarint.append(buffer, value)
    with pytest.raises(ValueError):
        quicvarint.size(value)
    with pytest.raises(ValueError):
        quicvarint.append_sized(buffer, value, 8)
    assert b"" == buffer


@pytest.mark.parametrize("size", [0, 3, 5, 16])
def test_other_sizes_are_misuse(size: int) -> None:
    with pytest.raises(ValueError, match="not 1, 2, 4 or 8"):
        quicvarint.append_sized(bytearray(), 1, size)


def test_a_negative_position_is_misuse() -> None:
    with pytest.raises(ValueError, match="negative position"):
        quicvarint.parse(b"\x01", -1)
