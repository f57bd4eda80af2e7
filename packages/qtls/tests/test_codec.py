"""The TLS presentation language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtls import DecodeError
from qtls.codec import Reader, message, uint16_list, uint16s, vector8, vector16, vector24


def test_numbers_and_vectors() -> None:
    reader = Reader(bytes.fromhex("01 0203 040506 0708090a 02aabb 0001cc 000002ddee 0004 00010002 ff"))

    assert (1, 0x0203, 0x040506, 0x0708090A) == (
        reader.read_uint8(),
        reader.read_uint16(),
        reader.read_uint24(),
        reader.read_uint32(),
    )
    assert b"\xaa\xbb" == reader.read_vector8()
    assert b"\xcc" == reader.read_vector16()
    assert b"\xdd\xee" == reader.read_vector24()
    assert (1, 2) == reader.read_uint16_list()
    assert 1 == reader.remaining()
    with pytest.raises(DecodeError, match="1 bytes after the end of thing"):
        reader.expect_end("thing")
    assert b"\xff" == reader.read_rest()
    reader.expect_end("thing")


@pytest.mark.parametrize(
    ("read", "size"),
    [
        (Reader.read_uint8, 1),
        (Reader.read_uint16, 2),
        (Reader.read_uint24, 3),
        (Reader.read_uint32, 4),
        (lambda reader: reader.read_bytes(5), 5),
        (Reader.read_vector8, 9),
        (Reader.read_vector16, 9 << 8 | 9),
        (Reader.read_vector24, 9 << 16 | 9 << 8 | 9),
    ],
)
def test_nothing_is_read_beyond_the_end(read: Callable[[Reader], Any], size: int) -> None:
    for available in range(min(size, 12)):
        with pytest.raises(DecodeError, match="truncated"):
            read(Reader(b"\x09" * 40, 0, available))
    with pytest.raises(DecodeError, match="truncated"):
        Reader(b"abc").read_bytes(-1)


@given(st.binary(max_size=255), st.binary(max_size=300), st.binary(max_size=300))
def test_vectors_round_trip(short: bytes, medium: bytes, long: bytes) -> None:
    reader = Reader(vector8(short) + vector16(medium) + vector24(long))

    assert (short, medium, long) == (reader.read_vector8(), reader.read_vector16(), reader.read_vector24())
    reader.expect_end("vectors")


@given(st.lists(st.integers(0, 0xFFFF), max_size=50))
def test_lists_round_trip(values: list[int]) -> None:
    assert tuple(values) == Reader(uint16_list(tuple(values))).read_uint16_list()


def test_odd_lists_are_refused() -> None:
    with pytest.raises(DecodeError, match="odd length"):
        uint16s(b"abc")


def test_message() -> None:  # RFC 8446 §4
    assert b"\x14\x00\x00\x02ab" == message(20, b"ab")
    with pytest.raises(OverflowError):
        vector8(bytes(256))
