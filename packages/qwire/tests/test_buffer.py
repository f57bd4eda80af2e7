"""Reader, Writer and the varint functions; the latter against quicvarint."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import quicvarint
from qwire.buffer import (
    Reader,
    Writer,
    append_uint,
    append_varint,
    append_varint_sized,
    varint_at,
    varint_size,
)
from qwire.errors import Truncated

VALUES = st.integers(min_value=0, max_value=quicvarint.MAX)


@given(VALUES)
def test_varints_agree_with_quicvarint(value: int) -> None:  # RFC 9000 §16
    expected = bytearray()
    quicvarint.append(expected, value)
    data = bytearray()
    append_varint(data, value)

    assert expected == data
    assert len(expected) == varint_size(value)
    assert (value, len(data)) == varint_at(bytes(data), 0)
    assert value == Reader(bytes(data)).read_varint()


@given(VALUES, st.sampled_from((1, 2, 4, 8)))
def test_sized_varints_agree_with_quicvarint(value: int, size: int) -> None:
    data, expected = bytearray(), bytearray()
    if size < varint_size(value):
        with pytest.raises(ValueError, match="does not fit"):
            append_varint_sized(data, value, size)
        return
    quicvarint.append_sized(expected, value, size)
    append_varint_sized(data, value, size)

    assert expected == data


@given(st.binary(max_size=10), st.integers(min_value=0, max_value=11))
def test_any_bytes_read_as_in_quicvarint(data: bytes, position: int) -> None:
    try:
        expected = quicvarint.parse(data, position)
    except quicvarint.VarintError:
        with pytest.raises(Truncated, match="truncated"):
            varint_at(data, position)
        return
    assert expected == varint_at(data, position)
    reader = Reader(data, position)
    assert expected == (reader.read_varint(), reader.position)


def test_integers_go_both_ways() -> None:
    writer = Writer()
    writer.write_uint8(0x01)
    writer.write_uint16(0x0203)
    writer.write_uint24(0x040506)
    writer.write_uint32(0x0708090A)
    writer.write_uint64(0x0B0C0D0E0F101112)
    writer.write_varint(63)
    writer.write_varint_sized(63, 4)
    writer.write_bytes(b"end")

    assert bytes(range(1, 0x13)) + bytes.fromhex("3f 8000003f") + b"end" == writer.getvalue()
    assert 26 == len(writer)

    reader = Reader(writer.getvalue())
    assert 0x01 == reader.read_uint8()
    assert 0x0203 == reader.read_uint16()
    assert 0x040506 == reader.read_uint24()
    assert 0x0708090A == reader.read_uint32()
    assert 0x0B0C0D0E0F101112 == reader.read_uint64()
    assert [63, 63] == [reader.read_varint(), reader.read_varint()]
    assert 3 == reader.remaining()
    assert b"end" == reader.read_rest()
    assert reader.at_end()
    assert b"" == reader.read_rest()


def test_a_reader_stops_at_its_end() -> None:
    reader = Reader(b"\x00\x01\x02\x80\x00\x00\x00", 1, 4)

    assert b"\x01" == reader.read_bytes(1)
    with pytest.raises(Truncated, match="3 bytes wanted, 2 left"):
        reader.read_bytes(3)
    assert b"\x02" == reader.read_bytes(1)
    with pytest.raises(Truncated, match="varint of 4 bytes, 1 left"):
        reader.read_varint()
    assert b"\x80" == reader.read_rest()
    with pytest.raises(Truncated):
        reader.read_uint8()
    with pytest.raises(Truncated):
        reader.read_varint()


@pytest.mark.parametrize(
    ("position", "end"), [(-1, None), (4, None), (2, 1), (0, 4)], ids=["negative", "after", "turned", "long"]
)
def test_positions_outside_the_data_are_misuse(position: int, end: int | None) -> None:
    with pytest.raises(ValueError, match="do not lie"):
        Reader(b"abc", position, end)


@pytest.mark.parametrize("size", [0, 3, 9])
def test_odd_varint_sizes_are_misuse(size: int) -> None:
    with pytest.raises(ValueError, match="not 1, 2, 4 or 8"):
        append_varint_sized(bytearray(), 0, size)


@pytest.mark.parametrize(("value", "size"), [(-1, 1), (256, 1), (1 << 16, 2), (1 << 32, 4)])
def test_integers_that_do_not_fit_are_misuse(value: int, size: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        append_uint(bytearray(), value, size)


@pytest.mark.parametrize("value", [-1, 1 << 62])
def test_varints_that_do_not_exist_are_misuse(value: int) -> None:
    with pytest.raises(ValueError):
        append_varint(bytearray(), value)
    with pytest.raises(ValueError):
        append_varint_sized(bytearray(), value, 8)


def test_a_negative_size_is_misuse() -> None:
    with pytest.raises(ValueError, match="negative"):
        Reader(b"abc").read_bytes(-1)
