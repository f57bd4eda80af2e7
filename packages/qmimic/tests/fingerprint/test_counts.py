"""Every datagram is counted once, whatever it holds."""

from pathlib import Path

import pytest

from qmimic.capture import CapturedFlow
from qmimic.catalog import profile
from qmimic.draw import draw_flows
from qmimic.fingerprint import FlightCollector
from qmimic.fingerprint.flight import MAX_CONNECTIONS


@pytest.fixture(scope="module")
def flow() -> CapturedFlow:
    return next(draw_flows(profile("chrome-156"), seed=3, server_names=["a.example"]))


def counted(*datagrams: bytes) -> dict[str, int]:
    collector = FlightCollector()
    for data in datagrams:
        collector.receive(data)
    counts = collector.counts.as_dict()
    assert len(datagrams) == sum(value for name, value in counts.items() if name != "evicted")
    return {name: value for name, value in counts.items() if value}


def test_a_whole_flight(flow: CapturedFlow) -> None:
    first, second = flow.payloads

    assert {"gathered": 1, "flights": 1} == counted(first, second)
    assert {"gathered": 1, "repeated": 1, "flights": 1, "late": 1} == counted(first, first, second, second)


def test_noise(flow: CapturedFlow) -> None:
    first = flow.payloads[0]
    broken = first[:-1] + bytes((first[-1] ^ 1,))

    assert {"foreign": 3} == counted(b"", b"\x40" * 50, first[:1] + b"\xff\0\0\x1d" + first[5:])
    assert {"unopened": 1} == counted(broken)
    assert {"foreign": 1} == counted(first[:600])


def test_high_numbers() -> None:
    flows = draw_flows(profile("firefox-159"), seed=3, count=30, server_names=["a.example"])
    found = counted(*(data for item in flows for data in item.payloads))

    assert found["numbered_too_high"] >= 2
    assert found["flights"] > 15


def test_connections_are_forgotten(flow: CapturedFlow) -> None:
    first = flow.payloads[0]
    collector = FlightCollector()
    for number in range(MAX_CONNECTIONS + 5):
        collector.receive(first[:6] + number.to_bytes(8, "big") + first[14:])

    assert 5 == collector.counts.evicted
    assert MAX_CONNECTIONS == collector.connection_count
    assert MAX_CONNECTIONS + 5 == collector.counts.unopened


def test_the_cost_of_noise_is_bounded_by_what_is_kept(captures: Path) -> None:
    collector = FlightCollector()
    for size in range(1500):
        collector.receive(bytes((size & 0xFF,)) * size)

    assert collector.connection_count <= collector.counts.unopened
