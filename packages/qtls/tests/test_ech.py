"""Encrypted ClientHello: configurations, keys, the extension, and the encoding of inner hellos."""

from __future__ import annotations

import pickle
import random as seeded

import pytest

from qtls import constants, extensions, hpke
from qtls.client_hello import HelloDraft
from qtls.codec import vector8, vector16
from qtls.constants import (
    EXT_ALPN,
    EXT_ENCRYPTED_CLIENT_HELLO,
    EXT_PRE_SHARED_KEY,
    EXT_SERVER_NAME,
    alert_name,
)
from qtls.ech import (
    EchConfig,
    EchKey,
    OuterEch,
    ech_config_list,
    grease,
    make_ech_key,
    parse_config_list,
    parse_extension,
    payload_range,
)
from qtls.ech_client import choose_config
from qtls.ech_inner import arrange, decode_inner, encode_inner
from qtls.errors import DecodeError
from qtls.messages.client_hello import ClientHello
from qtls.outer_parameters import reduced_parameters

OUTER_EXTENSIONS = constants.EXT_ECH_OUTER_EXTENSIONS

# A configuration with config_id 66, X25519, and two algorithms, written out field by field.
CONFIG = (
    "fe0d 0043 42 0020 0020 20cc5d5e9d4ba2d1a5b5a5b3d8c8a3f5c6a7c1b6b1b7d4f5e6a7b8c9d0e1f203"
    "0008 0001 0001 0001 0003 40 10 7075626c69632e6578616d706c652e69 0000"
)


def config(**changes: object) -> EchConfig:
    values = {
        "config_id": 7,
        "kem": hpke.KEM_X25519,
        "public_key": b"\x09" + bytes(31),
        "suites": ((1, 1), (1, 3)),
        "maximum_name_length": 32,
        "public_name": "public.example",
        **changes,
    }
    return EchConfig(**values)  # type: ignore[arg-type]


def test_configuration_read_and_written() -> None:  # RFC 9849 §4
    encoded = bytes.fromhex(CONFIG.replace(" ", ""))
    (parsed,) = parse_config_list(vector16(encoded))

    assert 66 == parsed.config_id
    assert hpke.KEM_X25519 == parsed.kem
    assert ((1, 1), (1, 3)) == parsed.suites
    assert (64, "public.example.i") == (parsed.maximum_name_length, parsed.public_name)
    assert encoded == parsed.encoded
    assert b"tls ech\0" + encoded == parsed.info


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "truncated", id="nothing"),
        pytest.param(b"\0\0", "empty ECHConfigList", id="empty"),
        pytest.param(vector16(config().encoded) + b"\0", "1 bytes after the end of ECHConfigList", id="trailing"),
        pytest.param(vector16(config().encoded[:-1]), "truncated", id="cut"),
        pytest.param(vector16(b"\xfe\x0d" + vector16(config().encoded[4:] + b"\0")), "after the end of ECHConfig", id="long"),
        pytest.param(vector16(config(public_key=b"").encoded), "without a key", id="no key"),
        pytest.param(vector16(config(suites=()).encoded), "without a key, algorithms", id="no algorithms"),
        pytest.param(vector16(config(public_name="").encoded), "or a public name", id="no name"),
        pytest.param(vector16(config(extensions=((1, b""), (1, b""))).encoded), "extension twice", id="extension twice"),
    ],
)  # fmt: skip
def test_malformed_configurations(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        parse_config_list(data)


@pytest.mark.parametrize(
    "unusable",
    [
        pytest.param(config(kem=0x21), id="KEM"),
        pytest.param(config(public_key=b"short"), id="key size"),
        pytest.param(config(suites=((9, 1), (1, 9))), id="algorithms"),
        pytest.param(config(extensions=((0x8001, b""),)), id="mandatory extension"),
        pytest.param(config(public_name="192.0.2.1"), id="address"),
        pytest.param(config(public_name="example.0x7f"), id="hexadecimal end"),
        pytest.param(config(public_name="under_score.example"), id="underscore"),
        pytest.param(config(public_name="-.example"), id="hyphen"),
        pytest.param(config(public_name="dot.example."), id="trailing dot"),
    ],
)
def test_configurations_that_are_passed_over(unusable: EchConfig) -> None:  # RFC 9849 §4 and §6.1
    good = config(extensions=((1, b"known to nobody, and optional"),))

    assert unusable.suite() is None
    assert choose_config(vector16(unusable.encoded)) is None
    assert choose_config(vector16(b"\xfe\x0c\0\1?" + unusable.encoded)) is None
    found = choose_config(vector16(unusable.encoded + good.encoded))
    assert found is not None and good.encoded == found.encoded


@pytest.mark.parametrize("kem", [hpke.KEM_X25519, hpke.KEM_P256], ids=["x25519", "p256"])
def test_made_keys(kem: int) -> None:
    key = make_ech_key("public.example", config_id=9, kem=kem, random=seeded.Random(3).randbytes)
    other = make_ech_key("public.example", config_id=9, kem=kem)

    assert (9, "public.example") == (key.parsed().config_id, key.parsed().public_name)
    assert 2 == len(parse_config_list(ech_config_list((key, other))))
    assert key == pickle.loads(pickle.dumps(key))
    with pytest.raises(ValueError, match="does not belong"):
        EchKey(key.config, other.private_key).parsed()
    with pytest.raises(ValueError, match="one configuration"):
        EchKey(key.config + other.config, key.private_key).parsed()


def test_keys_that_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="cannot be a public name"):
        make_ech_key("127.0.0.1")
    with pytest.raises(ValueError, match="not implemented"):
        make_ech_key("public.example", kem=0x12)


@pytest.mark.parametrize(
    ("body", "alert", "reason"),
    [
        pytest.param("", "decode_error", "truncated", id="empty"),
        pytest.param("02", "illegal_parameter", "type 2", id="unknown type"),
        pytest.param("0100", "decode_error", "after the end", id="inner with more"),
        pytest.param("00 0001 0001 07 0000 0000", "decode_error", "without a payload", id="no payload"),
        pytest.param("00 0001 0001 07 0000 0001 aa bb", "decode_error", "after the end", id="trailing"),
        pytest.param("00 0001 0001 07 0002 aa", "decode_error", "truncated", id="cut"),
    ],
)
def test_malformed_extension(body: str, alert: str, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason) as refused:
        parse_extension(bytes.fromhex(body.replace(" ", "")))
    assert alert == alert_name(refused.value.alert)


def test_extension_read_and_written() -> None:
    offer = parse_extension(OuterEch(1, 3, 200, b"enc", b"payload").encode())

    assert parse_extension(b"\x01") is None
    assert offer is not None
    assert (1, 3, 200, b"enc", b"payload") == (
        offer.kdf, offer.aead, offer.config_id, offer.enc, offer.payload,
    )  # fmt: skip


def test_grease_is_varied_and_well_formed() -> None:  # RFC 9849 §6.2
    random = seeded.Random(4).randbytes
    offers = [parse_extension(grease(random)) for _ in range(100)]

    assert {144, 176, 208, 240} == {len(each.payload) for each in offers if each is not None}
    assert len({each.config_id for each in offers if each is not None}) > 60
    assert {32} == {len(each.enc) for each in offers if each is not None}


SHARED = [(constants.EXT_SUPPORTED_GROUPS, b"\0\2\0\x1d"), (constants.EXT_KEY_SHARE, b"shares" * 200)]
INNER = [
    (constants.EXT_KEY_SHARE, b"shares" * 200),
    (EXT_SERVER_NAME, extensions.encode_server_name("secret.example")),
    (constants.EXT_SUPPORTED_GROUPS, b"\0\2\0\x1d"),
    (EXT_ALPN, extensions.encode_alpn(("h3",))),
    (EXT_ENCRYPTED_CLIENT_HELLO, b"\x01"),
    (EXT_PRE_SHARED_KEY, b"same"),
]
OUTER = [
    (EXT_SERVER_NAME, extensions.encode_server_name("public.example")),
    *SHARED,
    (EXT_ALPN, extensions.encode_alpn(("h2",))),
    (EXT_ENCRYPTED_CLIENT_HELLO, OuterEch(1, 1, 7, b"e" * 32, b"p" * 100).encode()),
    (EXT_PRE_SHARED_KEY, b"same"),
]


def hello(
    entries: list[tuple[int, bytes]], session_id: bytes = b"", random: bytes = b"r" * 32
) -> ClientHello:
    draft = HelloDraft(random=random, cipher_suites=[0x1301], extensions=entries, session_id=session_id)
    return ClientHello(draft.encode())


def test_inner_hello_is_compressed_and_expanded() -> None:  # RFC 9849 §5.1
    arranged, shared = arrange(INNER, OUTER)
    inner, outer = hello(arranged, b"id"), hello(OUTER, b"id", b"o" * 32)
    encoded = encode_inner(inner, shared, 32)

    assert [constants.EXT_SUPPORTED_GROUPS, constants.EXT_KEY_SHARE] == shared
    assert EXT_PRE_SHARED_KEY == arranged[-1][0]
    assert sorted(INNER) == sorted(arranged)
    assert len(encoded) < 200
    assert inner.raw == decode_inner(encoded, outer).raw


@pytest.mark.parametrize("maximum", [0, 16, 100, 255])
def test_padding_hides_the_length_of_the_name(maximum: int) -> None:  # RFC 9849 §6.1.3
    sizes = set()
    for name in ("a.example", "ab.example", "abcdefg.example"):
        inner = hello(
            [(EXT_SERVER_NAME, extensions.encode_server_name(name)), (EXT_ENCRYPTED_CLIENT_HELLO, b"\x01")]
        )
        sizes.add(len(encode_inner(inner, [], maximum)))
    without_name = len(encode_inner(hello([(EXT_ENCRYPTED_CLIENT_HELLO, b"\x01")]), [], maximum))

    assert all(size % 32 == 0 for size in sizes)
    if maximum >= 16:
        assert {without_name} == sizes


def encoded_with(
    entries: list[tuple[int, bytes]], session_id: bytes = b"", padding: bytes = bytes(5)
) -> bytes:
    return hello(entries, session_id).raw[4:] + padding


def refer(*kinds: int) -> tuple[int, bytes]:
    return OUTER_EXTENSIONS, vector8(b"".join([kind.to_bytes(2, "big") for kind in kinds]))


@pytest.mark.parametrize(
    ("encoded", "alert", "reason"),
    [
        pytest.param(encoded_with([], b"id"), "illegal_parameter", "session ID", id="session ID"),
        pytest.param(encoded_with([], b"", b"\0\0\1"), "illegal_parameter", "not zeros", id="padding"),
        pytest.param(encoded_with([])[:30], "decode_error", "truncated", id="cut"),
        pytest.param(encoded_with([refer()]), "decode_error", "empty ech_outer", id="no reference"),
        pytest.param(encoded_with([refer(51, 10)]), "illegal_parameter", "extension 10", id="other order"),
        pytest.param(encoded_with([refer(10, 10)]), "illegal_parameter", "extension 10", id="twice"),
        pytest.param(encoded_with([refer(99)]), "illegal_parameter", "extension 99", id="not there"),
        pytest.param(encoded_with([refer(0xFE0D)]), "illegal_parameter", "extension 65037", id="the extension itself"),
        pytest.param(encoded_with([(OUTER_EXTENSIONS, b"\1\0")]), "decode_error", "odd length", id="odd"),
        pytest.param(encoded_with([(OUTER_EXTENSIONS, b"\2\0\x0a\0")]), "decode_error", "after the end", id="trailing"),
        pytest.param(encoded_with([refer(10), (10, b"")]), "illegal_parameter", "extension 10 twice", id="expands to a duplicate"),
        pytest.param(
            encoded_with([])[:-7] + vector16(2 * b"\xfd\0\0\3\2\0\x0a"), "illegal_parameter", "ech_outer_extensions twice", id="two lists",
        ),
    ],
)  # fmt: skip
def test_inner_hellos_that_must_not_be(encoded: bytes, alert: str, reason: str) -> None:  # RFC 9849 §5.1
    with pytest.raises(DecodeError, match=reason) as refused:
        decode_inner(encoded, hello(OUTER))
    assert alert == alert_name(refused.value.alert)


def test_place_of_the_payload() -> None:  # RFC 9849 §5.2
    outer = hello(OUTER, b"some id")
    start, stop = payload_range(outer.raw)

    assert b"p" * 100 == outer.raw[start:stop]
    for other in (INNER, SHARED):
        with pytest.raises(DecodeError, match="no encrypted_client_hello"):
            payload_range(hello(other).raw)


def test_reduced_parameters() -> None:
    parameters = bytes.fromhex("0404800f0000 0f03616263 2000 110400000001 50390100 800000ff0101")

    assert bytes.fromhex("0f03616263110400000001") == reduced_parameters(parameters)
    assert b"" == reduced_parameters(b"")
    with pytest.raises(DecodeError, match="truncated"):
        reduced_parameters(b"\x04\x05a")
