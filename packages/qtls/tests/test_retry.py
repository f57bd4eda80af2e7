"""The Retry integrity tag against RFC 9001 A.4 and RFC 9369 A.4."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qtls.retry import integrity_tag


@pytest.mark.parametrize(
    ("name", "version"),
    [("rfc9001-appA-quicv1-protection", 1), ("rfc9369-appA-quicv2-protection", 0x6B3343CF)],
    ids=["v1", "v2"],
)
def test_tag_of_appendix_a4(vectors: Callable[[str], Any], name: str, version: int) -> None:
    case = vectors(name)["retry"]
    packet = bytes.fromhex(case["packet"])

    assert case["integrity_tag"] == packet[-16:].hex()
    assert packet[-16:] == integrity_tag(packet[:-16], bytes.fromhex(case["original_dcid"]), version)


def test_refuses_an_unknown_version() -> None:
    with pytest.raises(ValueError, match="0x00000002"):
        integrity_tag(b"", b"", 2)
