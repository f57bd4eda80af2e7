import gzip
import zlib

import brotli  # type: ignore[import-untyped] # it ships no types
import pytest
import zstandard

from qmimic.content import ContentError, decoders_for, finish, run

BODY = b"a body that was compressed, " * 500


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


CODED = {
    "gzip": gzip.compress(BODY),
    "deflate": zlib.compress(BODY),
    "br": brotli.compress(BODY),
    "zstd": zstandard.ZstdCompressor().compress(BODY),
}


def decode(codings: list[str], data: bytes, size: int) -> bytes:
    decoders = decoders_for(codings)
    pieces = [run(decoders, data[start : start + size]) for start in range(0, len(data), size)]
    return b"".join(pieces) + finish(decoders)


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("coding", CODED)
def test_codings_are_undone_piece_by_piece(coding: str, size: int) -> None:
    assert BODY == decode([coding], CODED[coding], size)


def test_deflate_without_its_header_is_taken() -> None:
    assert BODY == decode(["deflate"], raw_deflate(BODY), 100)


def test_codings_on_top_of_each_other() -> None:
    assert BODY == decode(["gzip, br"], brotli.compress(gzip.compress(BODY)), 50)
    assert BODY == decode(["gzip", "identity", "BR"], brotli.compress(gzip.compress(BODY)), 50)


@pytest.mark.parametrize("coding", ["", "identity"])
def test_no_coding(coding: str) -> None:
    assert BODY == decode([coding], BODY, 1_000)


@pytest.mark.parametrize("coding", CODED)
def test_an_empty_body_is_empty(coding: str) -> None:
    assert b"" == decode([coding], b"", 1)


@pytest.mark.parametrize("coding", CODED)
def test_a_body_cut_short_is_refused(coding: str) -> None:
    with pytest.raises(ContentError, match="ends early"):
        decode([coding], CODED[coding][:-9], 64)


@pytest.mark.parametrize("coding", CODED)
def test_a_body_in_another_coding_is_refused(coding: str) -> None:
    with pytest.raises(ContentError):
        decode([coding], b"\xff" * 100, 100)


@pytest.mark.parametrize("codings", [["rot13"], ["gzip,gzip,gzip,gzip,gzip"]])
def test_unknown_and_endless_codings_are_refused(codings: list[str]) -> None:
    with pytest.raises(ContentError):
        decoders_for(codings)
