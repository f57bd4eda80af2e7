"""Connection IDs for load balancers.

The vectors are those of draft-ietf-quic-load-balancers-21, appendix B, without its second plain one, which lacks digits.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcore.ids.routable import RoutableIds, RoutingCodec, RoutingConfig, server_id_in
from qcore.testing import Seeded

KEY = bytes.fromhex("8f95f09245765f80256934e50c66207f")
VECTORS = [
    pytest.param(0, "c4605e", "4504cc4f", None, "07c4605e4504cc4f", id="plain"),
    pytest.param(0, "ed793a", "ee080dbf", KEY, "0720b1d07b359d3c", id="four passes, odd"),
    pytest.param(
        1,
        "ed793a51d49b8f5fab65",
        "ee080dbf48",
        KEY,
        "2fcc381bc74cb4fbad2823a3d1f8fed2",
        id="four passes, server ID beyond the half",
    ),
    pytest.param(
        2, "ed793a51d49b8f5f", "ee080dbf48c0d1e5", KEY, "504dd2d05a7b0de9b2b9907afb5ecf8cc3", id="one pass"
    ),
    # The draft prints configuration 3 beside an ID of configuration 0.
    pytest.param(
        0,
        "ed793a51d49b8f5fab",
        "ee080dbf48c0d1e55d",
        KEY,
        "125779c9cc86beb3a3a4a3ca96fce4bfe0cdbc",
        id="four passes, even",
    ),
    pytest.param(
        0,
        "31441a",
        "9c69c275",
        bytes.fromhex("fdf726a9893ec05c0632d3956680baf0"),
        "0767947d29be054a",
        id="worked example of section 5.4.2.4",
    ),
]


def codec(**fields: Any) -> RoutingCodec:
    return RoutingCodec(RoutingConfig(**{"server_id_size": 3, "nonce_size": 4, **fields}))


@pytest.mark.parametrize(("rotation", "server", "nonce", "key", "cid"), VECTORS)
def test_published_vector(rotation: int, server: str, nonce: str, key: bytes | None, cid: str) -> None:
    server_id, salt = bytes.fromhex(server), bytes.fromhex(nonce)
    made = codec(rotation=rotation, server_id_size=len(server_id), nonce_size=len(salt), key=key)

    assert bytes.fromhex(cid) == made.encode(server_id, salt)
    assert server_id == made.decode(bytes.fromhex(cid))


@given(st.data())
def test_what_is_encoded_is_decoded(data: st.DataObject) -> None:
    server_size = data.draw(st.integers(1, 15))
    nonce_size = data.draw(st.integers(4, 19 - server_size))
    made = codec(
        rotation=data.draw(st.integers(0, 6)),
        server_id_size=server_size,
        nonce_size=nonce_size,
        key=data.draw(st.none() | st.binary(min_size=16, max_size=16)),
        encodes_length=data.draw(st.booleans()),
    )
    server_id = data.draw(st.binary(min_size=server_size, max_size=server_size))
    nonce = data.draw(st.binary(min_size=nonce_size, max_size=nonce_size))
    cid = made.encode(server_id, nonce, data.draw(st.integers(0, 255)))

    assert 1 + server_size + nonce_size == len(cid)
    assert server_id == made.decode(cid)


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
def test_no_id_comes_twice(key: bytes | None) -> None:
    config = RoutingConfig(server_id_size=2, nonce_size=5, key=key)
    ids = RoutableIds(config, b"ab", Seeded(1))
    made = {ids.generate() for _ in range(1_000)}

    assert 1_000 == len(made)
    assert {8} == {len(cid) for cid in made}
    assert {b"ab"} == {RoutingCodec(config).decode(cid) for cid in made}


def test_encrypted_nonce_goes_round_at_its_end() -> None:
    config = RoutingConfig(server_id_size=1, nonce_size=4, key=KEY)
    ids = RoutableIds(config, b"a", lambda size: b"\xff" * size)

    assert RoutingCodec(config).encode(b"a", bytes(4)) == ids.generate()


def test_encryption_hides_the_server() -> None:
    ids = RoutableIds(RoutingConfig(server_id_size=2, nonce_size=5, key=KEY), b"ab", Seeded(1))

    assert not any(b"ab" in ids.generate() for _ in range(100))


def test_first_byte_tells_the_length_or_nothing() -> None:
    telling = RoutableIds(RoutingConfig(rotation=2, server_id_size=2, nonce_size=5), b"ab", Seeded(1))
    silent = RoutableIds(
        RoutingConfig(rotation=2, server_id_size=2, nonce_size=5, encodes_length=False), b"ab", Seeded(1)
    )

    assert {2 << 5 | 7} == {telling.generate()[0] for _ in range(100)}
    firsts = [silent.generate()[0] for _ in range(200)]
    assert {2} == {first >> 5 for first in firsts}
    assert 25 < len(set(firsts))


def test_two_configurations_live_side_by_side() -> None:
    old, new = codec(rotation=0, key=KEY), codec(rotation=1, server_id_size=2, nonce_size=10)
    codecs = (old, new)

    assert b"old" == server_id_in(b"\x40" + old.encode(b"old", b"1234") + bytes(30), codecs)
    assert b"nw" == server_id_in(b"\x40" + new.encode(b"nw", b"1234567890") + bytes(30), codecs)


@pytest.mark.parametrize("version", [1, 0x6B3343CF, 0x1A2A3A4A], ids=hex)
def test_long_headers_of_any_version_are_routed(version: int) -> None:
    made = codec(key=KEY)
    cid = made.encode(b"abc", b"1234")
    datagram = b"\xe0" + version.to_bytes(4, "big") + bytes((len(cid),)) + cid + b"\0" + bytes(100)

    assert b"abc" == server_id_in(datagram, (made,))


CID = codec().encode(b"abc", b"1234")


@pytest.mark.parametrize(
    "datagram",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x40", id="short header alone"),
        pytest.param(b"\x40" + CID[:-1], id="short header, ID cut"),
        pytest.param(b"\xc0\0\0\0\1", id="long header cut before the length"),
        pytest.param(b"\xc0\0\0\0\1\x08" + CID[:-1], id="long header cut in the ID"),
        pytest.param(b"\xc0\0\0\0\1\x07" + CID, id="ID too short"),
        pytest.param(b"\x40\x20" + CID[1:], id="another configuration"),
        pytest.param(b"\x40\xe7" + CID[1:], id="unroutable codepoint"),
    ],
)
def test_unroutable_datagrams(datagram: bytes) -> None:  # section 4.1
    assert server_id_in(datagram, (codec(),)) is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"rotation": 7}, "rotation is 0 to 6, not 7"),
        ({"server_id_size": 0}, "server_id_size is 1 to 15, not 0"),
        ({"server_id_size": 16}, "server_id_size is 1 to 15, not 16"),
        ({"nonce_size": 3}, "nonce_size is 4 to 16 beside 3 bytes"),
        ({"nonce_size": 17}, "nonce_size is 4 to 16 beside 3 bytes"),
        ({"key": bytes(15)}, "16 bytes, not 15"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_configuration_out_of_range_is_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        codec(**fields)


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="2 bytes of server ID and 4 of nonce, not 3 and 4"):
        codec().encode(b"ab", b"1234")
    with pytest.raises(ValueError, match="has 3 bytes here, not 2"):
        RoutableIds(codec().config, b"ab", Seeded(1))
