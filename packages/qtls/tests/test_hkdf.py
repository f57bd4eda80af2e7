"""HKDF against Wycheproof, and the label structure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qtls.hkdf import expand, expand_info, expand_label, extract, label_info


@pytest.mark.parametrize("hash_name", ["sha256", "sha384"])
def test_wycheproof(vectors: Callable[[str], Any], hash_name: str) -> None:
    count = 0
    for group in vectors(f"wycheproof-hkdf-{hash_name}")["groups"]:
        for case in group["tests"]:
            secret = extract(hash_name, bytes.fromhex(case["salt"]), bytes.fromhex(case["ikm"]))
            info = bytes.fromhex(case["info"])
            count += 1
            if case["result"] == "invalid":
                with pytest.raises(ValueError, match="cannot make"):
                    expand(hash_name, secret, info, case["size"])
            else:
                assert case["okm"] == expand(hash_name, secret, info, case["size"]).hex(), case["tcId"]
    assert count > 20


def test_refuses_more_than_255_blocks() -> None:  # RFC 5869 §2.3
    assert 255 * 32 == len(expand("sha256", bytes(32), b"", 255 * 32))
    with pytest.raises(ValueError, match="cannot make"):
        expand("sha256", bytes(32), b"", 255 * 32 + 1)


def test_label_structure() -> None:  # RFC 8446 §7.1
    assert "00200f746c73313320636c69656e7420696e00" == label_info(b"client in", b"", 32).hex()  # RFC 9001 A.1
    assert bytes.fromhex("0010") + b"\x08tls13 hp" + b"\x02ab" == label_info(b"hp", b"ab", 16)


def test_expand_info_is_expand_label() -> None:
    info = label_info(b"key", b"", 16)

    assert expand_label("sha384", bytes(48), b"key", b"", 16) == expand_info("sha384", bytes(48), info, 16)


def test_refuses_long_labels() -> None:
    with pytest.raises(ValueError, match="too long"):
        label_info(b"x" * 250, b"", 16)
    with pytest.raises(ValueError, match="too long"):
        label_info(b"x", bytes(256), 16)
