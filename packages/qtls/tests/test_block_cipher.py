"""AES on single blocks."""

import pytest

from qtls.block_cipher import BlockCipher

# FIPS 197, appendix C.1.
KEY = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
PLAIN = bytes.fromhex("00112233445566778899aabbccddeeff")
IMAGE = bytes.fromhex("69c4e0d86a7b0430d8cdb78070b4c55a")


def test_published_vector() -> None:
    cipher = BlockCipher(KEY)

    assert IMAGE == cipher.encrypt(PLAIN)
    assert PLAIN == cipher.decrypt(IMAGE)


def test_blocks_do_not_depend_on_each_other() -> None:
    cipher = BlockCipher(KEY)

    assert [IMAGE, IMAGE] == [cipher.encrypt(PLAIN), cipher.encrypt(PLAIN)]


@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"has 16 bytes, not {size}"):
        BlockCipher(bytes(size))
