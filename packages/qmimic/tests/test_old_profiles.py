"""Profiles without captures in this folder: Safari 18.5, Chrome 115, Firefox 116."""

from collections import Counter
from pathlib import Path

import pytest

from qmimic import grease, profile
from qmimic.capture import read_capture
from qmimic.catalog import BUILT_IN
from qmimic.draw import draw_flows
from qmimic.fingerprint import Fingerprint, fingerprint
from qwire.constants import VERSION_1, VERSION_2

COUNT = 150


def drawn(name: str, server_name: str = "www.example.com", *, resumed: bool = False) -> list[Fingerprint]:
    flows = draw_flows(profile(name), seed=18, count=COUNT, server_names=[server_name], resumed=resumed)
    found = fingerprint((data for flow in flows for data in flow.payloads), any_pn=True)
    assert COUNT == len(found)
    return found


# uQUIC's identifiers of Firefox 116 A, B and C, and what version 2 makes of the same flights.
FIREFOX_116 = {
    8: ("31ea0e4ffd75b477", "b4cf215ad42e7eb7"),
    9: ("d07d3c9152fbc5e0", "a5e162c16a783579"),
    15: ("c74f87b2a9ccc006", "48e6487b603bb187"),
}


def test_firefox_116_draws_its_three_published_fingerprints() -> None:
    by_size = {len(item.connection): (item.v1.overall, item.v2.super) for item in drawn("firefox-116")}

    assert FIREFOX_116 == {size: by_size[size] for size in FIREFOX_116}


def test_firefox_116_pads_the_hello_to_512_bytes_and_the_datagram_outside_the_packet() -> None:
    for item in drawn("firefox-116"):
        [packet] = item.flight.packets
        assert 512 == len(item.flight.client_hello)
        assert (1357, 546 + len(item.connection)) == (packet.datagram_size, packet.size)
        assert "q13d0314h3_55b375c5d22e_2d2a40a25571" == item.ja4.value


@pytest.mark.parametrize("size", [1, 60, 200, 253])
def test_padding_of_the_hello_follows_boringssl(size: int) -> None:
    name = ".".join(["a" * 50] * 5)[:size].rstrip(".")
    hello = drawn("firefox-116", name)[0].flight.client_hello

    assert len(hello) == 512 if size <= 200 else len(hello) > 512


def test_safari_has_the_fields_of_the_corpus(corpus: Path) -> None:
    flows = read_capture(corpus / "apple_safari_18_5_icloud_private_relay_disabled" / "input.pcap")
    real = fingerprint(data for flow in flows for data in flow.payloads)

    def constants(item: Fingerprint) -> tuple[object, ...]:
        hello = item.hello
        return (
            item.v1.overall,
            item.v2.super,
            item.ja4.value,
            [grease.fold_tls(value) for value in hello.extension_ids],
            [grease.fold_tls(value) for value in hello.cipher_suites],
            [(grease.fold_tls(group), len(share)) for group, share in hello.key_shares],
            [
                body
                for number, body in hello.extensions
                if number not in (0, 10, 43, 51, 57) and not grease.is_tls_value(number)
            ],
            [len(body) for number, body in hello.extensions if grease.is_tls_value(number)],
            sorted((entry.id, entry.value) for entry in item.parameters.entries),
            [(packet.datagram_size, packet.size, packet.frame_types) for packet in item.flight.packets],
            len(item.flight.client_hello) - len(item.server_name or ""),
        )

    assert 4 == len(real)
    assert {repr(constants(item)) for item in real} == {
        repr(constants(item)) for item in drawn("safari-18.5")
    }


def test_safaris_parameters_are_rotated(corpus: Path) -> None:
    flows = read_capture(corpus / "apple_safari_18_5_icloud_private_relay_disabled" / "input.pcap")
    real = fingerprint(data for flow in flows for data in flow.payloads)

    def order(item: Fingerprint) -> tuple[int, ...]:
        return tuple(entry.id for entry in item.parameters.entries)

    orders = Counter(order(item) for item in drawn("safari-18.5"))
    assert 7 == len(orders)
    assert {order(item) for item in real} <= set(orders)


def test_safaris_reserved_values_are_boringssls() -> None:
    found = drawn("safari-18.5")
    for item in found:
        reserved = [value for value in item.hello.extension_ids if grease.is_tls_value(value)]
        assert 2 == len(set(reserved))
        assert item.hello.groups[0] == item.hello.key_shares[0][0]
        assert grease.is_tls_value(item.hello.groups[0])
        assert grease.is_tls_value(item.hello.supported_versions[0])
    assert 16 == len({item.hello.cipher_suites[0] for item in found})
    assert {False, True} == {
        item.hello.cipher_suites[0] == item.hello.supported_versions[0] for item in found
    }


def test_chrome_115_has_the_fingerprint_of_chrome_113(corpus: Path) -> None:
    flows = read_capture(corpus / "chrome_113_0_5672_126" / "input.pcap")
    [real] = fingerprint(data for flow in flows for data in flow.payloads)

    assert {(real.v1, real.v2, real.ja4)} == {(item.v1, item.v2, item.ja4) for item in drawn("chrome-115")}
    assert len(real.flight.client_hello) - len(real.server_name or "") in {
        len(item.flight.client_hello)
        - len(item.server_name or "")
        - len(next(entry.value for entry in item.parameters.entries if grease.is_parameter(entry.id)))
        for item in drawn("chrome-115")
    }


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("family", [4, 6])
def test_flights_of_every_kind_are_whole(name: str, resumed: bool, family: int) -> None:
    flows = list(
        draw_flows(
            BUILT_IN[name],
            seed=7,
            count=5,
            server_names=["a.example", "a" * 63 + "." + "b" * 60 + ".example.com"],
            family=4 if family == 4 else 6,
            resumed=resumed,
        )
    )
    versions = (VERSION_1, VERSION_2)
    found = fingerprint((data for flow in flows for data in flow.payloads), any_pn=True, versions=versions)

    assert 5 == len(found)
    assert {resumed} == {bool(item.flight.header.token) for item in found}
    assert {resumed} == {41 in item.hello.extension_ids for item in found}
