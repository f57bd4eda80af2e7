"""HMAC against RFC 4231 and the standard library."""

from __future__ import annotations

import hmac
from random import Random

import pytest

from qtls.mac import MacKey, mac


@pytest.mark.parametrize(
    ("key", "message", "sha256", "sha384"),
    [
        pytest.param(
            b"\x0b" * 20,
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
            "faea9ea9076ede7f4af152e8b2fa9cb6",
            id="case 1",
        ),
        pytest.param(
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
            "8e2240ca5e69e2c78b3239ecfab21649",
            id="case 2",
        ),
        pytest.param(
            b"\xaa" * 131,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c6"
            "0c2ef6ab4030fe8296248df163f44952",
            id="case 6, a key longer than a block",
        ),
    ],
)
def test_rfc_4231(key: bytes, message: bytes, sha256: str, sha384: str) -> None:
    assert sha256 == mac("sha256", key, message).hex()
    assert sha384 == mac("sha384", key, message).hex()


@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("size", [0, 1, 32, 48, 63, 64, 65, 127, 128, 129, 300])
def test_keys_of_all_sizes_and_any_number_of_messages(hash_name: str, size: int) -> None:
    random = Random(size)
    key = random.randbytes(size)
    made = MacKey(hash_name, key)

    for length in (0, 1, 55, 64, 200):
        message = random.randbytes(length)
        assert hmac.digest(key, message, hash_name) == made.digest(message)


def test_refuses_other_hashes() -> None:
    with pytest.raises(ValueError, match="no HMAC with 'sha1'"):
        mac("sha1", bytes(20), b"")
