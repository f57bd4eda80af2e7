"""Packet protection: ChaCha20 vectors, batches, key updates, Wycheproof."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from qtls.constants import AES_128_GCM_SHA256, AES_256_GCM_SHA384, CHACHA20_POLY1305_SHA256, QUIC_VERSION_1
from qtls.hkdf import expand_label
from qtls.protection import opener_from_secret, sealer_from_secret, suite_parameters

SUITES = pytest.mark.parametrize(
    "suite", [AES_128_GCM_SHA256, AES_256_GCM_SHA384, CHACHA20_POLY1305_SHA256], ids=hex
)
VERSIONS = pytest.mark.parametrize("version", [1, 0x6B3343CF], ids=["v1", "v2"])


@pytest.mark.parametrize(
    ("name", "version"),
    [("rfc9001-appA-quicv1-protection", 1), ("rfc9369-appA-quicv2-protection", 0x6B3343CF)],
    ids=["v1", "v2"],
)
def test_chacha20_short_header(vectors: Callable[[str], Any], name: str, version: int) -> None:  # A.5
    case = vectors(name)["chacha20_short_header"]
    secret = bytes.fromhex(case["secret"])
    header = bytes.fromhex(case["unprotected_header"])
    sealer = sealer_from_secret(CHACHA20_POLY1305_SHA256, secret, version)
    opener = opener_from_secret(CHACHA20_POLY1305_SHA256, secret, version)

    sealed = sealer.seal(case["packet_number"], header, b"\x01")

    assert case["ciphertext"] == sealed.hex()
    assert case["mask"] == sealer.masks(bytes.fromhex(case["sample"]))[:5].hex()
    assert b"\x01" == opener.open(case["packet_number"], header, sealed)
    assert case["packet"] == sealer.protect(case["packet_number"], 3, header, b"\x01").hex()
    assert header == opener.unprotect(bytes.fromhex(case["packet"]), 0, 1)
    assert (
        sealer_from_secret(CHACHA20_POLY1305_SHA256, bytes.fromhex(case["ku"]), version).seal(7, b"h", b"p")
        == sealer.next().seal(7, b"h", b"p")
    )  # fmt: skip


@SUITES
@VERSIONS
def test_a_batch_of_masks_is_the_masks_one_by_one(suite: int, version: int) -> None:
    sealer = sealer_from_secret(suite, bytes(suite_parameters(suite).hash_size), version)
    samples = [bytes((index,)) * 16 for index in range(20)]

    assert b"".join(map(sealer.masks, samples)) == sealer.masks(b"".join(samples))
    assert b"" == sealer.masks(b"")


@SUITES
def test_refuses_a_broken_batch_and_stays_usable(suite: int) -> None:
    sealer = sealer_from_secret(suite, bytes(suite_parameters(suite).hash_size), 1)
    before = sealer.masks(bytes(16))

    with pytest.raises(ValueError, match="16 bytes"):
        sealer.masks(bytes(17))
    assert before == sealer.masks(bytes(16))


@SUITES
@VERSIONS
def test_what_is_changed_does_not_open(suite: int, version: int) -> None:
    secret = bytes(range(suite_parameters(suite).hash_size))
    sealer = sealer_from_secret(suite, secret, version)
    opener = opener_from_secret(suite, secret, version)
    sealed = sealer.seal(1000, b"header", b"payload")

    assert b"payload" == opener.open(1000, b"header", sealed)
    assert opener.open(1001, b"header", sealed) is None
    assert opener.open(1000, b"Header", sealed) is None
    for index in range(len(sealed)):
        changed = bytearray(sealed)
        changed[index] ^= 1
        assert opener.open(1000, b"header", bytes(changed)) is None
    for size in range(len(sealed)):
        assert opener.open(1000, b"header", sealed[:size]) is None


@SUITES
@VERSIONS
def test_key_update_changes_keys_and_keeps_header_protection(suite: int, version: int) -> None:  # RFC 9001 §6
    parameters = suite_parameters(suite)
    secret = bytes(range(parameters.hash_size))
    sealer = sealer_from_secret(suite, secret, version)
    opener = opener_from_secret(suite, secret, version)
    label = b"quic ku" if version == 1 else b"quicv2 ku"
    updated = expand_label(parameters.hash_name, secret, label, b"", parameters.hash_size)

    for _ in range(3):
        before = sealer.seal(5, b"", b"x")
        masks = sealer.masks(bytes(16))
        sealer, opener = sealer.next(), opener.next()
        assert masks == sealer.masks(bytes(16)) == opener.masks(bytes(16))
        assert opener.open(5, b"", before) is None
        assert b"x" == opener.open(5, b"", sealer.seal(5, b"", b"x"))
    third = sealer_from_secret(suite, updated, version).next().next()
    assert third.seal(9, b"h", b"p") == sealer.seal(9, b"h", b"p")


def test_limits_of_rfc9001() -> None:  # RFC 9001 §6.6
    for suite in (AES_128_GCM_SHA256, AES_256_GCM_SHA384):
        secret = bytes(suite_parameters(suite).hash_size)
        assert 1 << 23 == sealer_from_secret(suite, secret, 1).confidentiality_limit
        assert 1 << 52 == opener_from_secret(suite, secret, 1).integrity_limit
    assert 1 << 62 == sealer_from_secret(CHACHA20_POLY1305_SHA256, bytes(32), 1).confidentiality_limit
    assert 1 << 36 == opener_from_secret(CHACHA20_POLY1305_SHA256, bytes(32), 1).integrity_limit


def test_secrets_are_not_shown() -> None:
    secret = bytes(range(32))
    for value in (
        sealer_from_secret(AES_128_GCM_SHA256, secret, 1),
        opener_from_secret(AES_128_GCM_SHA256, secret, 1),
    ):
        assert secret.hex() not in repr(value)
        assert repr(secret) not in repr(value)


@pytest.mark.parametrize("name", ["wycheproof-aes-gcm-96-128", "wycheproof-chacha20-poly1305"])
def test_wycheproof(vectors: Callable[[str], Any], name: str) -> None:
    kind = AESGCM if "aes" in name else ChaCha20Poly1305
    count = 0
    for group in vectors(name)["groups"]:
        for case in group["tests"]:
            aead = kind(bytes.fromhex(case["key"]))
            nonce, associated = bytes.fromhex(case["iv"]), bytes.fromhex(case["aad"])
            sealed = bytes.fromhex(case["ct"] + case["tag"])
            message = bytes.fromhex(case["msg"])
            count += 1
            if len(nonce) != 12:
                with pytest.raises((ValueError, InvalidTag)):
                    aead.decrypt(nonce, sealed, associated)
            elif case["result"] == "invalid":
                with pytest.raises(InvalidTag):
                    aead.decrypt(nonce, sealed, associated)
            else:
                assert sealed == aead.encrypt(nonce, message, associated), case["tcId"]
                assert message == aead.decrypt(nonce, sealed, associated), case["tcId"]
    assert count > 50


@SUITES
@VERSIONS
@pytest.mark.parametrize("number_size", [1, 2, 3, 4])
def test_a_run_of_packets_is_what_it_is_packet_by_packet(suite: int, version: int, number_size: int) -> None:
    sealer = sealer_from_secret(suite, bytes(suite_parameters(suite).hash_size), version)
    first = (1 << 32) - 3
    numbers = [(first + index) % (1 << 8 * number_size) for index in range(6)]
    headers = [
        bytes((0x40 | number_size - 1 | (index & 1) << 5,)) + b"a CID" + number.to_bytes(number_size, "big")
        for index, number in enumerate(numbers)
    ]
    payloads = [bytes(size) for size in (4, 5, 20, 1200, 1201, 30)]

    expected = []
    for index, (header, payload) in enumerate(zip(headers, payloads, strict=True)):
        ciphertext = sealer.seal(first + index, header, payload)
        mask = sealer.masks(ciphertext[4 - number_size :][:16])
        end = len(header) - number_size
        protected = bytes(a ^ b for a, b in zip(header[end:], mask[1:5], strict=False))
        expected.append(bytes((header[0] ^ mask[0] & 0x1F,)) + header[1:end] + protected + ciphertext)

    assert expected == sealer.protect_run(first, number_size, headers, payloads)
    assert expected == [
        sealer.protect(first + index, number_size, header, payload)
        for index, (header, payload) in enumerate(zip(headers, payloads, strict=True))
    ]
    assert [] == sealer.protect_run(first, number_size, [], [])

    opener = opener_from_secret(suite, bytes(suite_parameters(suite).hash_size), version)
    masks = opener.masks(b"".join([packet[10:26] for packet in expected]))
    assert payloads == opener.open_run(expected, first, 6, masks, 0x5C, 0x40)
    assert [] == opener.open_run(expected, first, 6, masks, 0x5C, 0x44)
    assert [] == opener.open_run(expected, first + 1, 6, masks, 0x5C, 0x40)
    for end in (0, 6, -1):  # first byte, packet number and tag of the third
        changed = bytearray(expected[2])
        changed[end] ^= 1
        packets = [*expected[:2], bytes(changed), *expected[3:]]
        assert payloads[:2] == opener.open_run(packets, first, 6, masks, 0x5C, 0x40)


@SUITES
@pytest.mark.parametrize("number_size", [1, 2, 3, 4])
@pytest.mark.parametrize("first", [0x40, 0x5C, 0xC0, 0xEC], ids=hex)
def test_header_of_a_packet_behind_another_loses_its_protection(
    suite: int, first: int, number_size: int
) -> None:
    secret = bytes(suite_parameters(suite).hash_size)
    opener = opener_from_secret(suite, secret, QUIC_VERSION_1)
    number = (1 << 8 * number_size) - 7
    header = bytes((first | number_size - 1,)) + b"a CID" + number.to_bytes(number_size, "big")
    sealer = sealer_from_secret(suite, secret, QUIC_VERSION_1)
    data = b"before" + sealer.protect(number, number_size, header, bytes(4))
    mask = opener.masks(data[16:32])

    assert header == opener.unprotect(data, 6, 12)
    assert header == opener.unprotect(data, 6, 12, mask[:5])
    with pytest.raises(ValueError, match="too short"):
        opener.unprotect(data[:31], 6, 12)


@pytest.mark.parametrize("suite", [AES_128_GCM_SHA256, AES_256_GCM_SHA384, CHACHA20_POLY1305_SHA256])
def test_keys_are_the_same_after_a_rest(suite: int) -> None:
    secret = bytes(suite_parameters(suite).hash_size)
    sealer = sealer_from_secret(suite, secret, QUIC_VERSION_1)
    opener = opener_from_secret(suite, secret, QUIC_VERSION_1)
    assert sealer.is_at_rest
    assert opener.is_at_rest
    sealed, masks = sealer.seal(7, b"header", b"payload"), sealer.masks(bytes(32))
    assert b"payload" == opener.open(7, b"header", sealed)
    run = sealer.protect_run(7, 2, [b"\x41CID\0\x07"], [b"payload"])
    for keys in (sealer, opener):
        assert not keys.is_at_rest
        keys.rest()
        assert keys.is_at_rest
        assert masks == keys.masks(bytes(32))

    assert run == sealer.protect_run(7, 2, [b"\x41CID\0\x07"], [b"payload"])
    sealer.rest()
    assert sealed == sealer.seal(7, b"header", b"payload")
    assert b"payload" == opener.open(7, b"header", sealed)
    opener.rest()
    mask = opener.masks(run[0][8:24])
    assert [b"payload"] == opener.open_run(run, 7, 4, mask, 0, 0)
    assert not sealer.is_at_rest
    assert not opener.is_at_rest
