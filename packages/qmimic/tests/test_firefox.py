"""Firefox's profiles against its captures."""

from collections import Counter
from pathlib import Path

import pytest

from qcore.packing.initial_flight import Crypto, FlightContext
from qmimic.capture import read_capture
from qmimic.catalog import profile
from qmimic.draw import draw_flows
from qmimic.fingerprint import Fingerprint, fingerprint
from qmimic.layouts import SniSlicing
from qwire.constants import VERSION_1, VERSION_2

VERSIONS = (VERSION_1, VERSION_2)
COUNT = 200

CASES = [
    pytest.param("firefox-159", "firefox-159.0", id="159"),
    pytest.param("firefox-esr-153", "firefox-esr-153.7.0esr", id="ESR 153"),
    pytest.param("firefox-esr-140", "firefox-esr-140.12.0esr", id="ESR 140"),
]
RESUMED = CASES[:2]


def captured(captures: Path, name: str, kind: str = "flight") -> list[Fingerprint]:
    flows = read_capture(captures / f"{name}-{kind}.jsonl")
    return fingerprint(
        (data for flow in flows for data in flow.client_payloads), any_pn=True, versions=VERSIONS
    )


def drawn(name: str, names: list[str], *, resumed: bool = False) -> list[Fingerprint]:
    flows = draw_flows(profile(name), seed=159, count=COUNT, server_names=names, resumed=resumed)
    found = fingerprint((data for flow in flows for data in flow.payloads), any_pn=True, versions=VERSIONS)
    assert COUNT == len(found)
    return found


def names_of(found: list[Fingerprint]) -> list[str]:
    return [item.server_name or "" for item in found]


def pieces(item: Fingerprint) -> list[list[tuple[int, int]]]:
    return [
        [(offset, offset + len(data)) for offset, data in packet.crypto] for packet in item.flight.packets
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("firefox-159.0", "flight"),
        ("firefox-159.0", "resumed"),
        ("firefox-esr-153.7.0esr", "flight"),
        ("firefox-esr-153.7.0esr", "resumed"),
        ("firefox-esr-140.12.0esr", "flight"),
    ],
)
def test_the_cuts_of_every_capture_follow_from_the_rule(captures: Path, name: str, kind: str) -> None:
    found = captured(captures, name, kind)

    assert found
    for item in found:
        rooms = [packet.datagram_size - packet.size + len(packet.payload) for packet in item.flight.packets]
        flight = FlightContext(item.flight.client_hello, rooms=rooms, random=bytes)
        plan = SniSlicing().lay_out(flight)
        assert plan is not None
        assert pieces(item) == [
            [(piece.start, piece.stop) for piece in part if isinstance(piece, Crypto)] for part in plan
        ]


@pytest.mark.parametrize(("name", "capture"), CASES)
def test_draws_have_the_constants_of_captures(captures: Path, name: str, capture: str) -> None:
    real = captured(captures, capture)

    def constants(item: Fingerprint) -> tuple[object, ...]:
        varying = {0, 51, 57, 65037}
        hello = item.hello
        return (
            item.ja4,
            item.v2.tls,
            item.v2.parameters,
            hello.extension_ids[-2:],
            sorted((number, body) for number, body in hello.extensions if number not in varying),
            [(group, len(share)) for group, share in hello.key_shares],
            len(hello.body(65037) or b""),
            [(entry.id, len(entry.value)) for entry in item.parameters.entries],
            [entry.value for entry in item.parameters.entries if entry.id not in (0x0F, 0x11)],
            len(item.flight.client_hello) - len(item.server_name or ""),
            [packet.datagram_size for packet in item.flight.packets],
        )

    assert [constants(real[0])] * COUNT == [constants(item) for item in drawn(name, names_of(real))]


@pytest.mark.parametrize(("name", "capture"), CASES)
def test_one_key_serves_alone_and_in_the_hybrid(captures: Path, name: str, capture: str) -> None:
    for item in (*captured(captures, capture), *drawn(name, ["a.example"])):
        shares = dict(item.hello.key_shares)
        assert shares[0x001D] == shares[0x11EC][-32:]


@pytest.mark.parametrize("name", ["firefox-159", "firefox-esr-153"])
def test_connection_ids_and_numbers_are_drawn_as_neqo_does(name: str) -> None:
    found = drawn(name, ["www.example.com"])
    sizes = Counter(len(item.connection) for item in found)
    numbers = [item.flight.first.packet_number for item in found]

    assert 0.5 < sizes[8] / COUNT < 0.72  # 161 of 256
    assert set(sizes) <= set(range(8, 21))
    assert 0.8 < sum(number <= 32 for number in numbers) / COUNT < 0.96
    for item in found:
        first, second = item.flight.packets
        assert 1 <= first.packet_number <= 1024
        assert first.packet_number + 1 == second.packet_number
        for packet in (first, second):
            assert (2 if packet.packet_number >= 255 else 1) == packet.packet_number_size


def test_esr_140_counts_from_0() -> None:
    assert {0} == {item.flight.first.packet_number for item in drawn("firefox-esr-140", ["a.example"])}


@pytest.mark.parametrize(("name", "capture"), RESUMED)
def test_resumed_draws_have_the_constants_of_captures(captures: Path, name: str, capture: str) -> None:
    real = [item for item in captured(captures, capture, "resumed") if 41 in item.hello.extension_ids]

    def constants(item: Fingerprint) -> tuple[object, ...]:
        return (
            item.flight.header.version,
            item.ja4,
            item.v2.tls,
            item.v2.parameters,
            tuple(item.hello.extension_ids[-3:]),
            len(item.hello.body(65037) or b""),
            (item.parameters.get(0x11) or b"")[:4],
            len(item.flight.client_hello) - len(item.server_name or ""),
            len(item.flight.header.token),
        )

    assert real
    assert {constants(item) for item in real} == {
        constants(item) for item in drawn(name, names_of(real), resumed=True)
    }


def test_the_cut_moves_with_the_place_of_the_name() -> None:
    cuts = {pieces(item)[0][1][1] for item in drawn("firefox-159", ["www.example.com"])}

    assert len(cuts) > 20
