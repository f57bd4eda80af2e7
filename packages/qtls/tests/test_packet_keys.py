"""Keys of packet protection."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from qtls.constants import AES_128_GCM_SHA256, AES_256_GCM_SHA384, CHACHA20_POLY1305_SHA256
from qtls.hkdf import expand_label
from qtls.packet_keys import HeaderProtection, PacketKeys, labels_of, suite_parameters

SUITES = pytest.mark.parametrize(
    "suite", [AES_128_GCM_SHA256, AES_256_GCM_SHA384, CHACHA20_POLY1305_SHA256], ids=hex
)
VERSIONS = pytest.mark.parametrize(
    ("version", "prefix"), [(1, b"quic"), (0x6B3343CF, b"quicv2")], ids=["v1", "v2"]
)


@SUITES
@VERSIONS
def test_keys_are_those_of_hkdf_and_can_be_had_again(suite: int, version: int, prefix: bytes) -> None:
    parameters = suite_parameters(suite)
    secret = bytes(range(parameters.hash_size))
    nonce = bytes(12)

    def expand(label: bytes, size: int) -> bytes:  # RFC 9001 §5.1, RFC 9369 §3.3.2
        return expand_label(parameters.hash_name, secret, prefix + label, b"", size)

    keys = PacketKeys(parameters, secret, labels_of(version))
    first = keys.aead()
    expected = type(first)(expand(b" key", parameters.key_size)).encrypt(nonce, b"payload", b"header")

    assert expected == first.encrypt(nonce, b"payload", b"header")
    assert int.from_bytes(expand(b" iv", 12), "big") == keys.iv
    assert expand(b" hp", parameters.key_size) == keys.header_key()
    again = keys.aead()
    assert again is not first
    assert expected == again.encrypt(nonce, b"payload", b"header")
    assert expand(b" hp", parameters.key_size) == keys.header_key()
    assert expand(b" ku", parameters.hash_size) == keys.next().secret


@pytest.mark.parametrize("suite", [AES_128_GCM_SHA256, AES_256_GCM_SHA384], ids=hex)
def test_masks_are_single_blocks_of_aes(suite: int) -> None:  # RFC 9001 §5.4.3
    parameters = suite_parameters(suite)
    keys = PacketKeys(parameters, bytes(parameters.hash_size), labels_of(1))
    samples = bytes(range(48))
    expected = Cipher(AES(keys.header_key()), ECB()).encryptor().update(samples)
    protection = HeaderProtection(keys)

    assert expected == protection.masks(samples)
    protection.rest()
    assert expected[16:32] == protection.masks(samples[16:32])


def test_refuses_unknown_suites_and_versions() -> None:
    with pytest.raises(ValueError, match="cipher suite 0x1304 is not implemented"):
        suite_parameters(0x1304)
    with pytest.raises(ValueError, match="QUIC version 0x00000002 has no known key derivation"):
        labels_of(2)
