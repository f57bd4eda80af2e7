"""HPKE against the vectors of RFC 9180. Only base mode."""

from __future__ import annotations

import random as seeded
from collections.abc import Callable
from typing import Any

import pytest

from qtls import hpke

KDF_SHA256 = 1
AES_128 = 1


@pytest.mark.parametrize("number", range(12))
def test_vectors(vectors: Callable[[str], Any], number: int) -> None:  # RFC 9180 §A.1.1, §A.2.1, §A.3.1
    vector = vectors("rfc9180-base-mode")[number]
    kem, kdf, aead = vector["kem_id"], vector["kdf_id"], vector["aead_id"]
    private_key, ephemeral = bytes.fromhex(vector["skRm"]), bytes.fromhex(vector["skEm"])
    public_key, info, enc = (bytes.fromhex(vector[name]) for name in ("pkRm", "info", "enc"))

    def random(size: int) -> bytes:
        # A P-256 key is drawn as a number: one less, as what is drawn counts from 1.
        if kem == hpke.KEM_P256:
            return (int.from_bytes(ephemeral, "big") - 1).to_bytes(size, "big")
        return ephemeral

    made_enc, sender = hpke.setup_sender(kem, public_key, info, kdf, aead, random)
    receiver = hpke.setup_receiver(kem, private_key, enc, info, kdf, aead)

    assert public_key == hpke.public_key_of(kem, private_key)
    assert enc == made_enc
    for message in vector["encryptions"]:
        aad, plain, sealed = (bytes.fromhex(message[name]) for name in ("aad", "pt", "ct"))
        assert sealed == sender.seal(aad, plain)
        assert plain == receiver.open(aad, sealed)


@pytest.mark.parametrize(
    "kem", [pytest.param(hpke.KEM_X25519, id="x25519"), pytest.param(hpke.KEM_P256, id="p256")]
)
def test_what_does_not_authenticate(kem: int) -> None:
    random = seeded.Random(1).randbytes
    private_key = hpke.generate(kem, random)
    public_key = hpke.public_key_of(kem, private_key)
    enc, sender = hpke.setup_sender(kem, public_key, b"info", KDF_SHA256, AES_128, random)
    receiver = hpke.setup_receiver(kem, private_key, enc, b"info", KDF_SHA256, AES_128)
    stranger = hpke.setup_receiver(kem, private_key, enc, b"other", KDF_SHA256, AES_128)
    sealed = sender.seal(b"aad", b"plain")

    assert stranger.open(b"aad", sealed) is None
    assert receiver.open(b"other", sealed) is None
    assert receiver.open(b"aad", sealed[:-1]) is None
    assert receiver.open(b"aad", b"short") is None
    assert b"plain" == receiver.open(b"aad", sealed)
    assert receiver.open(b"aad", sealed) is None


@pytest.mark.parametrize(
    ("kem", "enc", "kdf", "aead"),
    [
        pytest.param(hpke.KEM_X25519, bytes(31), 1, 1, id="short key"),
        pytest.param(hpke.KEM_X25519, bytes(32), 1, 1, id="point of small order"),
        pytest.param(hpke.KEM_P256, b"\x04" + bytes(64), 1, 1, id="not on the curve"),
        pytest.param(hpke.KEM_X25519, b"\x09" + bytes(31), 9, 1, id="unknown KDF"),
        pytest.param(hpke.KEM_X25519, b"\x09" + bytes(31), 1, 9, id="unknown AEAD"),
        pytest.param(0x21, bytes(56), 1, 1, id="unknown KEM"),
    ],
)
def test_refused_set_up(kem: int, enc: bytes, kdf: int, aead: int) -> None:
    with pytest.raises(ValueError):
        hpke.setup_receiver(kem, b"\x01" * 32, enc, b"", kdf, aead)
    with pytest.raises(ValueError):
        hpke.setup_sender(kem, enc, b"", kdf, aead, seeded.Random(1).randbytes)


def test_repr_shows_no_key() -> None:
    _, context = hpke.setup_sender(hpke.KEM_X25519, b"\x09" + bytes(31), b"", 1, 1, bytes)

    assert "Context(sequence=0)" == repr(context)
