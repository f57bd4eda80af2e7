"""The references in the package are what the captures say."""

from pathlib import Path

import pytest

from qmimic.capture import read_capture
from qmimic.catalog import profile
from qmimic.catalog.chrome import brands
from qmimic.catalog.references import FRESH, RESUMED, Reference
from qmimic.draw import draw_flows
from qmimic.fingerprint import Fingerprint, fingerprint


def check(reference: Reference, found: list[Fingerprint], family: int) -> None:
    assert reference.v1 >= {item.v1.overall for item in found}
    assert reference.v2 >= {item.v2.super for item in found}
    assert reference.ja4 >= {item.ja4.value for item in found}
    for item in found:
        packets = item.flight.packets
        assert reference.datagram_sizes[family] == tuple(packet.datagram_size for packet in packets)
        assert reference.packet_numbers == tuple(
            (packet.packet_number, packet.packet_number_size) for packet in packets
        )


def load(path: Path) -> list[Fingerprint]:
    return fingerprint(data for flow in read_capture(path) for data in flow.client_payloads)


def test_chrome_156(captures: Path) -> None:
    name = "chromium-156.0.8078.79"
    resumed = [item for item in load(captures / f"{name}-resumed.jsonl") if 41 in item.hello.extension_ids]

    assert resumed
    check(FRESH["chrome-156"], load(captures / f"{name}-flight.jsonl"), 4)
    check(FRESH["chrome-156"], load(captures / f"{name}-flight6.jsonl"), 6)
    check(RESUMED["chrome-156"], resumed, 4)


@pytest.mark.parametrize("name", FRESH)
def test_draws_lie_in_the_reference(name: str) -> None:
    flows = draw_flows(profile(name), seed=4, count=50, server_names=["www.example.com", "a.example"])

    check(FRESH[name], fingerprint(data for flow in flows for data in flow.payloads), 4)


@pytest.mark.parametrize(
    ("major", "brand", "expected"),
    [
        pytest.param(156, None, '"Not:A-Brand";v="8", "Chromium";v="156"', id="as captured"),
        pytest.param(
            146,
            "Google Chrome",
            '"Chromium";v="146", "Not-A.Brand";v="24", "Google Chrome";v="146"',
            id="three",
        ),
    ],
)
def test_brands_follow_from_the_version(major: int, brand: str | None, expected: str) -> None:
    assert expected == brands(major, brand)
