"""Invariants, Version Negotiation, Retry and stateless resets."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwire.constants import VERSION_1, VERSION_2
from qwire.errors import DecodeError
from qwire.unprotected import (
    Invariants,
    Retry,
    VersionNegotiation,
    parse_invariants,
    reset_token_of,
    stateless_reset,
)

FOLDER = Path(__file__).parent / "vectors"
NAMES = ("rfc9001-appA-quicv1-protection", "rfc9369-appA-quicv2-protection")
RETRIES = [json.loads((FOLDER / f"{name}.json").read_text()) for name in NAMES]
TOKEN = bytes(range(16))


@pytest.mark.parametrize("vectors", RETRIES, ids=NAMES)
def test_retry_of_the_rfc(vectors: dict[str, Any]) -> None:  # RFC 9001 A.4, RFC 9369 A.4
    row = vectors["retry"]
    packet = bytes.fromhex(row["packet"])
    retry = Retry.parse(packet)

    expected = Retry(
        int(vectors["version"], 16),
        b"",
        bytes.fromhex("f067a5502a4262b5"),
        bytes.fromhex(row["token"]),
        bytes.fromhex(row["integrity_tag"]),
        0x0F,
    )
    assert expected == retry
    assert packet == retry.encode()
    assert packet[:-16] == retry.without_tag()


@given(
    st.sampled_from((VERSION_1, VERSION_2)),
    st.binary(max_size=20),
    st.binary(max_size=20),
    st.binary(min_size=1, max_size=100),
    st.binary(min_size=16, max_size=16),
    st.integers(min_value=0, max_value=15),
)
def test_retry_goes_both_ways(
    version: int, destination: bytes, source: bytes, token: bytes, tag: bytes, unused: int
) -> None:
    retry = Retry(version, destination, source, token, tag, unused)
    data = retry.encode()

    assert retry == Retry.parse(data)
    for cut in range(len(data)):
        try:
            shorter = Retry.parse(data[:cut])
        except DecodeError:
            continue
        assert len(shorter.token) < len(token)  # what is left of token and tag is taken for both


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param("", "truncated", id="nothing"),
        pytest.param("70 00000001 00 00" + "00" * 20, "not that of a long header", id="short"),
        pytest.param("c0 00000001 00 00" + "00" * 20, "not that of Retry", id="an Initial"),
        pytest.param("f0 6b3343cf 00 00" + "00" * 20, "not that of Retry", id="Retry bits of version 1 in 2"),
        pytest.param("f0 0000000a 00 00" + "00" * 20, "unknown version", id="version 10"),
        pytest.param("f0 00000001 15" + "00" * 60, "connection ID of 21 bytes", id="destination"),
        pytest.param("f0 00000001 00 15" + "00" * 60, "connection ID of 21 bytes", id="source"),
        pytest.param("f0 00000001 00 00" + "00" * 16, "truncated", id="no token"),
    ],
)
def test_refuses_malformed_retry(data: str, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        Retry.parse(bytes.fromhex(data))


def test_retry_without_tag_is_not_sent() -> None:
    with pytest.raises(ValueError, match="integrity tag of 0 bytes"):
        Retry(VERSION_1, b"", b"", b"token").encode()
    with pytest.raises(ValueError, match="connection ID of 21 bytes"):
        Retry(VERSION_1, bytes(21), b"", b"token").without_tag()


@given(
    st.binary(max_size=255),
    st.binary(max_size=255),
    st.lists(st.integers(min_value=0, max_value=0xFFFFFFFF), min_size=1, max_size=6),
    st.integers(min_value=0x80, max_value=0xFF),
)
def test_version_negotiation_goes_both_ways(
    destination: bytes, source: bytes, versions: list[int], first: int
) -> None:  # RFC 8999 §6
    packet = VersionNegotiation(destination, source, tuple(versions), first)
    data = packet.encode()

    assert packet == VersionNegotiation.parse(data)
    assert Invariants(True, 0, destination, source) == parse_invariants(data, 8)
    for cut in range(len(data)):
        try:
            shorter = VersionNegotiation.parse(data[:cut])
        except DecodeError:
            continue
        assert tuple(versions[: len(shorter.versions)]) == shorter.versions
        assert len(shorter.versions) < len(versions)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param("", "truncated", id="nothing"),
        pytest.param("40 00000000 00 00 00000001", "not that of a long header", id="short"),
        pytest.param("c0 00000001 00 00 00000001", "version 0x00000001 is not", id="version 1"),
        pytest.param("c0 00000000 00 00", "truncated: 0 bytes of versions", id="no version"),
        pytest.param("c0 00000000 00 00 000001", "truncated: 3 bytes of versions", id="part of a version"),
        pytest.param("c0 00000000 ff 00 00000001", "truncated", id="connection ID cut"),
    ],
)
def test_refuses_malformed_version_negotiation(data: str, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        VersionNegotiation.parse(bytes.fromhex(data))


def test_version_negotiation_misuse() -> None:
    with pytest.raises(ValueError, match="256 bytes"):
        VersionNegotiation(bytes(256), b"", (1,)).encode()
    with pytest.raises(ValueError, match="does not fit"):
        VersionNegotiation(b"", b"", (1 << 32,)).encode()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param("40 aabbccdd ee", Invariants(False, 0, b"\xaa\xbb\xcc\xdd", b""), id="short header"),
        pytest.param(
            "80 ffffffff 02aabb 01cc junk",
            Invariants(True, 0xFFFFFFFF, b"\xaa\xbb", b"\xcc"),
            id="any version",
        ),
    ],
)
def test_invariants(data: str, expected: Invariants) -> None:  # RFC 8999 §5
    assert expected == parse_invariants(bytes.fromhex(data.replace("junk", "ff")), 4)


@given(st.binary(max_size=600), st.integers(min_value=0, max_value=20))
def test_nothing_but_decode_error_for_any_bytes(data: bytes, cid_length: int) -> None:
    for parse in (Retry.parse, VersionNegotiation.parse, reset_token_of):
        for prefix in (b"", b"\xf0\0\0\0\1", b"\xc0\x6b\x33\x43\xcf", b"\xff\0\0\0\0"):
            try:
                parse(prefix + data)
            except DecodeError as error:
                assert error.reason
    try:
        parse_invariants(data, cid_length)
    except DecodeError as error:
        assert "truncated" in error.reason


@given(st.integers(min_value=21, max_value=1200), st.randoms(use_true_random=False))
def test_stateless_reset_looks_like_a_packet(size: int, random: Any) -> None:  # RFC 9000 §10.3
    data = stateless_reset(TOKEN, size, random.randbytes)

    assert size == len(data)
    assert 0x40 == data[0] & 0xC0
    assert TOKEN == reset_token_of(data)


def test_stateless_reset_takes_all_it_can_from_random() -> None:
    asked: list[int] = []

    def noise(size: int) -> bytes:
        asked.append(size)
        return b"\xff" * size

    assert b"\x7f\xff\xff\xff\xff" + TOKEN == stateless_reset(TOKEN, 21, noise)
    assert [5] == asked


@pytest.mark.parametrize(("token", "size"), [(TOKEN, 20), (TOKEN[1:], 40)], ids=["size", "token"])
def test_stateless_reset_misuse(token: bytes, size: int) -> None:
    with pytest.raises(ValueError):
        stateless_reset(token, size, bytes)


def test_short_datagrams_are_no_reset() -> None:  # RFC 9000 §10.3: 21 bytes
    with pytest.raises(DecodeError, match="of 20 bytes"):
        reset_token_of(bytes(20))
