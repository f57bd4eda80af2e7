"""What is sealed once."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qtls.one_time import KEY_SIZE, open_once, seal_once

KEY = bytes(range(KEY_SIZE))


def test_seals_with_a_nonce_of_zeros() -> None:
    sealed = seal_once(KEY, b"content", b"beside it")

    assert b"content" == AESGCM(KEY).decrypt(bytes(12), sealed, b"beside it")
    assert b"content" == open_once(KEY, sealed, b"beside it")


@pytest.mark.parametrize(
    ("key", "cut", "associated"),
    [(bytes(16), 0, b"beside it"), (KEY, 1, b"beside it"), (KEY, 10, b"beside it"), (KEY, 0, b"besides")],
    ids=["other key", "cut", "no room for a tag", "other associated data"],
)
def test_opens_nothing_else(key: bytes, cut: int, associated: bytes) -> None:
    sealed = seal_once(KEY, b"content", b"beside it")

    assert open_once(key, sealed[: len(sealed) - cut], associated) is None
