"""Certificate compression, RFC 8879."""

from __future__ import annotations

import pytest

from qtls import LocalAlert
from qtls.cert_compression import available, compress, decompress
from qtls.constants import COMPRESSION_ZLIB, alert_name

PLAIN = b"a certificate " * 300


@pytest.mark.parametrize("algorithm", available())
def test_round_trip(algorithm: int) -> None:
    compressed = compress(algorithm, PLAIN)

    assert compressed is not None
    assert len(compressed) < len(PLAIN)
    assert PLAIN == decompress(algorithm, len(PLAIN), compressed)


@pytest.mark.parametrize("algorithm", available())
def test_refuses_broken_data(algorithm: int) -> None:
    compressed = compress(algorithm, PLAIN) or b""
    cases = [
        (len(PLAIN) - 1, compressed),
        (len(PLAIN) + 1, compressed),
        (0, compressed),
        (65_537, compressed),
    ]
    cases += [(len(PLAIN), compressed[:size]) for size in range(len(compressed))]
    cases += [(len(PLAIN), b"junk" + compressed)]

    for size, data in cases:
        with pytest.raises(LocalAlert) as refused:
            decompress(algorithm, size, data)
        assert "bad_certificate" == alert_name(refused.value.description)


@pytest.mark.parametrize("algorithm", available())
def test_bombs_are_not_inflated(algorithm: int) -> None:
    bomb = compress(algorithm, bytes(50_000_000)) or b""

    with pytest.raises(LocalAlert, match="does not give the 60000 bytes"):
        decompress(algorithm, 60_000, bomb)


def test_refuses_unknown_algorithms() -> None:
    with pytest.raises(LocalAlert, match="illegal_parameter: certificate compression 77"):
        decompress(77, 10, b"x")
    assert compress(77, PLAIN) is None


def test_what_does_not_shrink_is_not_compressed() -> None:
    assert compress(COMPRESSION_ZLIB, b"abc") is None
    assert COMPRESSION_ZLIB == available()[-1]
