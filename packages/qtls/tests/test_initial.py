"""Initial keys against the appendices of RFC 9001 and RFC 9369."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qtls.initial import initial_keys
from qtls.protection import Opener, Sealer

BOTH = pytest.mark.parametrize(
    ("name", "version"),
    [
        pytest.param("rfc9001-appA-quicv1-protection", 1, id="v1"),
        pytest.param("rfc9369-appA-quicv2-protection", 0x6B3343CF, id="v2"),
    ],
)


@BOTH
@pytest.mark.parametrize("side", ["client", "server"])
def test_appendix_a_packet_is_sealed_and_opened(
    vectors: Callable[[str], Any], name: str, version: int, side: str
) -> None:  # RFC 9001 A.2, A.3; RFC 9369 A.2, A.3
    vector = vectors(name)
    case = vector[f"{side}_initial"]
    keys = initial_keys(bytes.fromhex(vector["client_dcid"]), version)
    sealer: Sealer = keys.client_sealer if side == "client" else keys.server_sealer
    opener: Opener = keys.client_opener if side == "client" else keys.server_opener
    payload = bytes.fromhex(case["payload"] if side == "server" else case["crypto_frame"])
    payload = payload.ljust(case.get("payload_padded_to", 0), b"\0")
    header = bytes.fromhex(case["unprotected_header"])
    number_size = (header[0] & 3) + 1

    sealed = sealer.seal(case["packet_number"], header, payload)
    sample = sealed[4 - number_size : 20 - number_size]
    mask = sealer.masks(sample)
    protected = bytearray(header)
    protected[0] ^= mask[0] & 0x0F
    for index in range(number_size):
        protected[len(header) - number_size + index] ^= mask[1 + index]

    assert case["sample"] == sample.hex()
    assert case["mask"] == mask[:5].hex()
    assert case["protected_header"] == protected.hex()
    assert case["packet"] == (bytes(protected) + sealed).hex()
    assert case["packet"] == sealer.protect(case["packet_number"], number_size, header, payload).hex()
    assert header == opener.unprotect(bytes.fromhex(case["packet"]), 0, len(header) - number_size)
    assert payload == opener.open(case["packet_number"], header, sealed)
    assert mask == opener.masks(sample)


@BOTH
def test_secrets_of_appendix_a1(vectors: Callable[[str], Any], name: str, version: int) -> None:
    vector = vectors(name)
    keys = initial_keys(bytes.fromhex(vector["client_dcid"]), version)

    assert vector["client_initial"]["secret"] == keys.client_secret.hex()
    assert vector["server_initial"]["secret"] == keys.server_secret.hex()


def test_objects_are_derived_once() -> None:
    keys = initial_keys(b"12345678", 1)

    assert keys.client_sealer is keys.client_sealer
    assert keys.client_opener is keys.client_opener
    assert keys.server_sealer is keys.server_sealer
    assert keys.server_opener is keys.server_opener


def test_refuses_an_unknown_version() -> None:
    with pytest.raises(ValueError, match="0x0a0a0a0a"):
        initial_keys(b"12345678", 0x0A0A0A0A)
