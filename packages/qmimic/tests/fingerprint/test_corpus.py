"""Every connection of the public corpus has the fingerprints that its authors published."""

import json
from pathlib import Path

import pytest

from qmimic.capture import read_capture
from qmimic.fingerprint import Fingerprint, canonical_records, fingerprint

CASES = [
    "aioquic_1_2_0",
    "apple_safari_18_5_icloud_private_relay_disabled",
    "chrome_113_0_5672_126",
    "cloudflare_quiche_0_24_4",
    "firefox_149",
    "multi_chrome_146",
    "multi_firefox_149",
]

# Values of uQUIC's authors and of earlier work: v2 over all, v1 over all (None where it varies), JA4.
KNOWN: dict[str, list[tuple[str, str | None, str]]] = {
    "chrome_113_0_5672_126": [
        ("d92dc286acc009a8", "beeb454235791d5c", "q13d0310h3_55b375c5d22e_cd85d2d88918"),
    ],
    "multi_chrome_146": [
        ("9b960c78d5e9235f", "928307f77f27ac60", "q13d0311h3_55b375c5d22e_653d80c3fe9d"),
        ("73ca510489096d70", "bcb79c8b3e5e2677", "q13d0311h3_55b375c5d22e_653d80c3fe9d"),
        ("db04ed1e6fa58e7b", "aa482e106ab4b35f", "q13d0313h3_55b375c5d22e_226f3f127bbe"),
    ],
    "firefox_149": [("ffed50418122c418", None, "q13d0315h3_55b375c5d22e_dc5437974b47")],
    "multi_firefox_149": [("ee159d13c2e0026a", None, "q13d0317h3_55b375c5d22e_eaaab5390495")],
    "apple_safari_18_5_icloud_private_relay_disabled": [
        ("8d930f128f8c878f", "97aa00ce195e95a2", "q13d0311h3_55b375c5d22e_f2a83c8e78ae"),
    ],
    "aioquic_1_2_0": [("e309eafcb17d3e3c", "c4727677a027c274", "q13d0308h3_55b375c5d22e_a06176d7f541")],
    "cloudflare_quiche_0_24_4": [
        ("082a6f0419cbf97d", "f6f980d25123ac74", "q13d0308h3_55b375c5d22e_f0736a66fa6b"),
    ],
}


def fingerprints_of(corpus: Path, case: str, any_pn: bool = False) -> list[Fingerprint]:
    flows = read_capture(corpus / case / "input.pcap")
    return fingerprint([data for flow in flows for data in flow.payloads], any_pn=any_pn)


@pytest.mark.parametrize("case", CASES)
def test_records_equal_the_published_ones(corpus: Path, case: str) -> None:
    expected = json.loads((corpus / case / "expected.json").read_text())

    assert expected == canonical_records(fingerprints_of(corpus, case))


@pytest.mark.parametrize("case", CASES)
def test_known_clients_have_their_known_values(corpus: Path, case: str) -> None:
    found = fingerprints_of(corpus, case)
    for v2, v1, ja4 in KNOWN[case]:
        matching = [item for item in found if item.v2.super == v2]
        assert matching
        for item in matching:
            assert v1 in (None, item.v1.overall)
            assert ja4 == item.ja4.value


def test_numbers_above_32_are_taken_on_request(corpus: Path) -> None:
    strict = {item.connection for item in fingerprints_of(corpus, "multi_firefox_149")}
    lenient = {item.connection for item in fingerprints_of(corpus, "multi_firefox_149", any_pn=True)}

    assert strict < lenient
    assert {"b96ab678d25e18327c90a1aa7a", "00904e381f33a61ea92b71c7642bb9b33b"} == {
        connection.hex() for connection in lenient - strict
    }
