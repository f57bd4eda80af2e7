"""The ClientHello of a draw, through the handshake that sends it."""

from dataclasses import replace

import pytest

from qmimic.catalog import profile
from qmimic.extensions import Cookie, EarlyData
from qmimic.fingerprint import parse_client_hello
from qmimic.hello import DrawnHello
from qmimic.randomness import SeededBytes
from qtls.client_hello import HelloContext, HelloRetry
from qtls.key_exchange import KeyShares
from qtls.resumption import Session


@pytest.fixture
def drawn() -> DrawnHello:
    spec = profile("chrome-156").hello
    assert spec is not None
    return spec.draw(SeededBytes("hello"))


def context(**changes: object) -> HelloContext:
    base = HelloContext(
        server_name="www.example.com",
        alpn=("h3",),
        transport_parameters=b"\x01\x02\x40\x00",
        groups=(0x11EC, 0x001D, 0x0017, 0x0018),
        random=SeededBytes("keys"),
        key_shares=KeyShares(SeededBytes("shares")),
    )
    return base.changed(**changes)


def ids(drawn: DrawnHello, at: HelloContext) -> list[int]:
    return [number for number, _ in drawn.build(at).extensions]


def test_encodes_to_a_hello_that_parses_back(drawn: DrawnHello) -> None:
    hello = parse_client_hello(drawn.build(context()).encode())

    assert "www.example.com" == hello.server_name
    assert [0x1301, 0x1302, 0x1303] == hello.cipher_suites
    assert [(0x11EC, 1216), (0x001D, 32)] == [(group, len(share)) for group, share in hello.key_shares]
    assert {0, 10, 13, 16, 27, 43, 45, 51, 57, 17613, 51764, 65037} == set(hello.extension_ids)


def test_no_name_is_sent_for_addresses(drawn: DrawnHello) -> None:
    assert 0 not in ids(drawn, context(server_name="192.0.2.1"))
    assert 0 not in ids(drawn, context(server_name="2001:db8::1"))
    assert 0 not in ids(drawn, context(server_name=None))


def test_settings_go_with_their_protocol(drawn: DrawnHello) -> None:
    assert 17613 not in ids(drawn, context(alpn=("hq-interop",)))


def test_second_hello_repeats_all_but_the_key_share(drawn: DrawnHello) -> None:  # RFC 8446 §4.1.2
    at = context()
    first = drawn.build(at)
    retry = HelloRetry(group=0x0017, cookie=b"cookie", first_hello=first.encode())
    second = drawn.build(at.changed(retry=retry))

    assert first.random == second.random
    assert [0x0017] == [group for group, _ in parse_client_hello(second.encode()).key_shares]
    without = [item for item in second.extensions if item[0] not in (44, 51)]
    assert [item for item in first.extensions if item[0] != 51] == without
    assert (44, b"\0\6cookie") in second.extensions


def test_cookie_has_its_place_where_the_profile_names_it(drawn: DrawnHello) -> None:
    spec = replace(drawn.spec, permute=False, extensions=(Cookie(), *drawn.spec.extensions))
    at = context(retry=HelloRetry(group=None, cookie=b"c", first_hello=bytes(40)))

    assert 44 == ids(replace(drawn, spec=spec), at)[0]


def test_resumption_adds_early_data_among_the_others_and_the_key_last(drawn: DrawnHello) -> None:
    session = Session(
        ticket=bytes(64),
        secret=bytes(48),
        suite=0x1302,
        alpn="h3",
        server_name="www.example.com",
        lifetime=60.0,
        age_add=0,
        issued_at=0.0,
        quic_version=1,
        max_early_data=0xFFFFFFFF,
    )
    early = ids(drawn, context(session=session, early_data=True))
    late = ids(drawn, context(session=session, early_data=False))

    assert 41 == early[-1] == late[-1]
    assert 42 in early
    assert [number for number in early if number != 42] == late


def test_early_data_is_not_repeated_after_a_retry(drawn: DrawnHello) -> None:  # RFC 8446 §4.2.10
    retry = HelloRetry(group=0x0017, cookie=None, first_hello=bytes(40))

    assert EarlyData().body(context(early_data=True), SeededBytes(0)) == b""
    assert EarlyData().body(context(early_data=True, retry=retry), SeededBytes(0)) is None


def test_pinned_extensions_stay(drawn: DrawnHello) -> None:
    listed = list(drawn.spec.extensions)
    listed[3] = replace(listed[3], pinned=True)
    spec = replace(drawn.spec, extensions=tuple(listed))
    number = listed[3].id_of(SeededBytes(0))
    at = context()

    for seed in range(20):
        order = spec.draw(SeededBytes(seed)).build(at.changed(early_data=True)).extensions
        assert number == order[3][0]
