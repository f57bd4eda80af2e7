"""Keys and random bytes are told apart, and the profiles send what their clients send."""

from pathlib import Path

import pytest

from qmimic.capture import read_capture
from qmimic.catalog import profile
from qmimic.curve25519 import may_be_public_key
from qmimic.draw import draw_flows
from qmimic.observation import ECH, observe
from qmimic.randomness import SeededBytes
from qtls.constants import X25519
from qtls.key_exchange import KeyShares

# RFC 7748 §6.1: the public keys of Alice and Bob.
PUBLISHED = (
    "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
    "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
)


@pytest.mark.parametrize("key", PUBLISHED)
def test_published_keys_are_keys(key: str) -> None:
    data = bytes.fromhex(key)

    assert may_be_public_key(data)
    assert not may_be_public_key(data[:31] + bytes((data[31] | 0x80,)))  # not what RFC 7748 §5 encodes
    assert not may_be_public_key(data + b"\0")


def test_keys_are_keys_and_one_in_four_random_strings_is() -> None:
    assert all(may_be_public_key(KeyShares(SeededBytes(seed)).public(X25519)) for seed in range(50))
    taken = sum(may_be_public_key(SeededBytes(seed)(32)) for seed in range(400))
    assert 60 < taken < 140


def encapsulated(flights: object) -> list[bytes]:
    bodies = [item.fingerprint.hello.body(ECH) for item in observe(flights)]  # type: ignore[arg-type] # flows
    return [body[8:40] for body in bodies if body is not None]


@pytest.mark.parametrize(
    ("name", "capture"),
    [
        ("chrome-156", "chromium-156.0.8078.79-flight.jsonl"),
        ("firefox-esr-140", "firefox-esr-140.12.0esr-flight.jsonl"),
    ],
)
def test_draws_have_keys_where_the_client_has(captures: Path, name: str, capture: str) -> None:
    real = encapsulated(read_capture(captures / capture)[:40])
    drawn = encapsulated(draw_flows(profile(name), seed=3, count=40, server_names=["a.example"]))

    # Chromium makes a key, Firefox random bytes.
    assert all(map(may_be_public_key, real)) is name.startswith("chrome")
    assert all(map(may_be_public_key, drawn)) is name.startswith("chrome")
