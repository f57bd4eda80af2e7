import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhttp3.qpack import prefix_int


@pytest.mark.parametrize(
    ("value", "prefix_bits", "encoded"),
    [
        pytest.param(10, 5, "0a", id="RFC 7541 C.1.1"),
        pytest.param(1337, 5, "1f9a0a", id="RFC 7541 C.1.2"),
        pytest.param(42, 8, "2a", id="RFC 7541 C.1.3"),
        pytest.param(31, 5, "1f00", id="just beyond the prefix"),
        pytest.param(prefix_int.MAX, 8, "ff80feffffffffffff3f", id="62 bits"),
    ],
)
def test_known_values(value: int, prefix_bits: int, encoded: str) -> None:
    assert encoded == prefix_int.encode(value, prefix_bits).hex()
    assert (value, len(encoded) // 2) == prefix_int.parse(bytes.fromhex(encoded), 0, prefix_bits)


@given(st.integers(0, prefix_int.MAX), st.integers(3, 8), st.integers(0, 255))
def test_round_trip_and_every_prefix(value: int, prefix_bits: int, flags: int) -> None:
    flags = flags >> prefix_bits << prefix_bits
    encoded = prefix_int.encode(value, prefix_bits, flags)

    assert flags == encoded[0] >> prefix_bits << prefix_bits
    assert (value, len(encoded)) == prefix_int.parse(encoded, 0, prefix_bits)
    for size in range(len(encoded)):
        assert -1 == prefix_int.parse(encoded[:size], 0, prefix_bits)[1]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("ff81feffffffffffff3f", id="2^62"),
        pytest.param("ff" + "ff" * 9 + "01", id="70 bits"),
        pytest.param("ff" + "80" * 12 + "00", id="zeros without end"),
    ],
)
def test_refuses_what_is_too_long(data: str) -> None:  # RFC 9204 §4.1.1
    with pytest.raises(prefix_int.PrefixIntError):
        prefix_int.parse(bytes.fromhex(data), 0, 8)
