"""Captured connections opened with their secrets."""

from pathlib import Path

import pytest

from qmimic.capture import CapturedFlow, read_capture
from qmimic.dissection import dissect_flow, parse_key_log


@pytest.fixture(scope="module")
def visits(captures: Path) -> list[CapturedFlow]:
    return read_capture(captures / "chromium-156.0.8078.79-h3.jsonl")


def test_every_packet_of_a_visit_opens(visits: list[CapturedFlow]) -> None:
    for flow in visits:
        packets = [packet for datagram in dissect_flow(flow)["datagrams"] for packet in datagram["packets"]]
        unopened = [packet for packet in packets if packet["type"] and "number" not in packet]
        assert [] == unopened
        assert {"initial", "handshake", "one_rtt", None} == {packet["type"] for packet in packets}


def test_early_data_opens(captures: Path) -> None:
    flows = read_capture(captures / "chromium-156.0.8078.79-resumed.jsonl")
    kinds = [
        packet["type"]
        for flow in flows
        for datagram in dissect_flow(flow)["datagrams"]
        for packet in datagram["packets"]
        if "number" in packet
    ]

    assert "zero_rtt" in kinds


def test_without_secrets_initials_open(visits: list[CapturedFlow]) -> None:
    flow = visits[0]
    dissected = dissect_flow(CapturedFlow(flow.about, flow.datagrams))
    opened = {
        packet["type"]
        for datagram in dissected["datagrams"]
        for packet in datagram["packets"]
        if "number" in packet
    }

    assert {"initial"} == opened


def test_a_key_log_stands_in_for_secrets(visits: list[CapturedFlow]) -> None:
    flow = visits[0]
    bare = CapturedFlow(flow.about, flow.datagrams)
    [hello] = dissect_flow(bare)["client_hello"]
    lines = [f"{label} {hello['random'].upper()} {secret.hex()}" for label, secret in flow.secrets.items()]
    secrets = parse_key_log("\n".join(["# comment", "", *lines, "BROKEN zz zz"]))

    assert dissect_flow(flow)["datagrams"] == dissect_flow(bare, secrets)["datagrams"]


def test_the_hello_is_told_in_the_order_of_the_wire(visits: list[CapturedFlow]) -> None:
    [hello] = dissect_flow(visits[0])["client_hello"]

    assert visits[0].about["host"] == hello["server_name"]
    assert ["h3"] == hello["alpn"]
    assert 12 == len(hello["extensions"])
    assert {"server_name", "key_share", "encrypted_client_hello", "trust_anchors"} <= {
        entry["name"] for entry in hello["extensions"]
    }
    assert "grease" in {entry["name"] for entry in hello["transport_parameters"]}
