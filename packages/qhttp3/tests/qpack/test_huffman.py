import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhttp3.qpack import huffman
from qhttp3.qpack.huffman_table import CODES, EOS, LENGTHS

VECTORS = Path(__file__).parent.parent / "vectors"


def test_codes_are_those_of_the_specification() -> None:  # RFC 7541 appendix B
    expected = json.loads((VECTORS / "rfc7541-appB-huffman.json").read_text())["codes"]

    assert expected == [list(pair) for pair in zip(CODES, LENGTHS, strict=True)]


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        pytest.param(b"", "", id="empty"),
        pytest.param(b"www.example.com", "f1e3c2e5f23a6ba0ab90f4ff", id="RFC 7541 C.4.1"),
        pytest.param(b"no-cache", "a8eb10649cbf", id="RFC 7541 C.4.2"),
        pytest.param(b"custom-key", "25a849e95ba97d7f", id="RFC 7541 C.4.3 name"),
        pytest.param(b"custom-value", "25a849e95bb8e8b4bf", id="RFC 7541 C.4.3 value"),
        pytest.param(
            b"Mon, 21 Oct 2013 20:13:21 GMT", "d07abe941054d444a8200595040b8166e082a62d1bff", id="date"
        ),
    ],
)
def test_strings_of_the_specification(text: bytes, encoded: str) -> None:
    assert encoded == huffman.encode(text).hex()
    assert text == huffman.decode(bytes.fromhex(encoded))


@given(st.binary(max_size=300))
def test_round_trip(data: bytes) -> None:
    assert data == huffman.decode(huffman.encode(data))


def test_every_symbol_alone() -> None:
    for symbol in range(256):
        assert bytes((symbol,)) == huffman.decode(huffman.encode(bytes((symbol,))))


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param("ff", id="padding of 8 bits"),
        pytest.param("1fff", id="padding of 11 bits"),
        pytest.param("18", id="padding of zeros"),
        pytest.param("fffffffc", id="EOS and padding"),
        pytest.param("3fffffffff", id="EOS within"),
        pytest.param("fe", id="padding ends in 0"),
    ],
)
def test_refuses_bad_padding_and_eos(encoded: str) -> None:  # RFC 7541 §5.2
    with pytest.raises(huffman.HuffmanError):
        huffman.decode(bytes.fromhex(encoded))


@given(st.binary(max_size=80))
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    try:
        decoded = huffman.decode(data)
    except huffman.HuffmanError:
        return
    assert data == huffman.encode(decoded)


def test_results_kept_are_bounded() -> None:
    for number in range(3 * huffman.CACHED_COUNT):
        huffman.decode(huffman.encode(b"%d" % number))

    assert huffman.CACHED_COUNT >= len(huffman._DECODED)
    assert huffman.CACHED_COUNT >= len(huffman._ENCODED)


def test_the_table_ends_with_eos() -> None:
    assert EOS + 1 == len(LENGTHS)
