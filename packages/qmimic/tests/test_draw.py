"""Drawn flights against captured ones: constants, permutations, and the distributions of what is drawn."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from qmimic import grease
from qmimic.capture import CapturedFlow, read_capture
from qmimic.catalog import profile
from qmimic.dissection import dissect_flow
from qmimic.draw import draw_flows
from qmimic.fingerprint import Fingerprint, fingerprint
from qmimic.fingerprint.initials import ClientInitial
from qwire.constants import PacketType
from qwire.frames import CryptoFrame, Frame, PaddingFrame, PingFrame, parse_frames
from qwire.headers import parse_long_header

SEED = 156
COUNT = 300


@pytest.fixture(scope="session")
def captured(chromium_flights: list[CapturedFlow]) -> list[Fingerprint]:
    found = fingerprint(data for flow in chromium_flights for data in flow.client_payloads)
    assert len(chromium_flights) == len(found)
    return found


@pytest.fixture(scope="session")
def drawn_flows(chromium_flights: list[CapturedFlow]) -> list[CapturedFlow]:
    names = [flow.about["host"] for flow in chromium_flights]
    return list(draw_flows(profile("chrome-156"), seed=SEED, count=COUNT, server_names=names))


@pytest.fixture(scope="session")
def drawn(drawn_flows: list[CapturedFlow]) -> list[Fingerprint]:
    found = fingerprint(data for flow in drawn_flows for data in flow.payloads)
    assert COUNT == len(found)
    return found


def test_every_flight_has_chromes_form(drawn_flows: list[CapturedFlow], drawn: list[Fingerprint]) -> None:
    for flow, item in zip(drawn_flows, drawn, strict=True):
        assert [1250, 1250] == [len(data) for data in flow.payloads]
        first, second = item.flight.packets
        assert [(1, 1), (2, 2)] == [
            (packet.packet_number, packet.packet_number_size) for packet in (first, second)
        ]
        for packet in (first, second):
            assert (1250, 8, b"", b"") == (
                packet.size,
                len(packet.header.destination_cid),
                packet.header.source_cid,
                packet.header.token,
            )
        assert flow.about["host"] == item.server_name


def test_fingerprints_lie_in_the_set_of_captures(
    captured: list[Fingerprint], drawn: list[Fingerprint]
) -> None:
    assert {item.v2.super for item in drawn} <= {item.v2.super for item in captured}
    assert {item.v1.overall for item in drawn} <= {item.v1.overall for item in captured}
    assert {item.ja4 for item in drawn} <= {item.ja4 for item in captured}


def test_constant_parts_are_equal(captured: list[Fingerprint], drawn: list[Fingerprint]) -> None:
    def constants(item: Fingerprint) -> list[object]:
        varying = {0, 51, 57, 65037}
        bodies = sorted((number, body) for number, body in item.hello.extensions if number not in varying)
        parameters = sorted(
            (entry.id, entry.value)
            for entry in item.parameters.entries
            if entry.id != 0x11 and not grease.is_parameter(entry.id)
        )
        shares = [(group, len(share)) for group, share in item.hello.key_shares]
        return [item.hello.cipher_suites, item.hello.session_id, bodies, parameters, shares]

    assert [constants(captured[0])] * COUNT == [constants(item) for item in drawn]


def test_nothing_that_must_be_fresh_is_repeated(drawn: list[Fingerprint]) -> None:
    values: tuple[Callable[[Fingerprint], object], ...] = (
        lambda item: item.connection,
        lambda item: item.hello.random,
        lambda item: item.hello.key_shares[0][1],
        lambda item: item.hello.key_shares[1][1],
        lambda item: item.hello.body(65037),
    )
    for value in values:
        assert COUNT == len({value(item) for item in drawn})


def test_extensions_and_parameters_stand_anywhere(drawn: list[Fingerprint]) -> None:
    for orders in (
        [item.hello.extension_ids for item in drawn],
        [[grease.fold_parameter(entry.id) for entry in item.parameters.entries] for item in drawn],
    ):
        places = {number: [order.index(number) for order in orders] for number in orders[0]}
        size = len(orders[0])
        expected = COUNT / size
        for positions in places.values():
            counts = Counter(positions)
            statistic = sum((counts[place] - expected) ** 2 / expected for place in range(size))
            assert chi_square_p(statistic, size - 1) > 0.0005
        for one, other in combinations(places, 2):  # no pair keeps an order
            before = sum(a < b for a, b in zip(places[one], places[other], strict=True))
            assert 0.35 < before / COUNT < 0.65


# What a classifier would look at, per flight.


def frames_of(packet: ClientInitial) -> list[Frame]:
    return parse_frames(packet.payload)


def of_kind(packet: ClientInitial, kind: type[Frame]) -> list[Frame]:
    return [frame for frame in frames_of(packet) if isinstance(frame, kind)]


def crypto_of(packet: ClientInitial) -> list[CryptoFrame]:
    return [frame for frame in frames_of(packet) if isinstance(frame, CryptoFrame)]


def padding_of(packet: ClientInitial) -> list[int]:
    return [frame.count for frame in frames_of(packet) if isinstance(frame, PaddingFrame)]


def inversions(packet: ClientInitial) -> int:
    offsets = [frame.offset for frame in crypto_of(packet)]
    return sum(a > b for a, b in combinations(offsets, 2))


def middle_start(item: Fingerprint) -> int:
    return min(frame.offset for frame in crypto_of(item.flight.packets[1]))


def body_size(extension: int) -> Callable[[Fingerprint], float]:
    return lambda item: len(item.hello.body(extension) or b"")


def reserved_length(item: Fingerprint) -> int:
    [entry] = [entry for entry in item.parameters.entries if grease.is_parameter(entry.id)]
    return len(entry.value)


def reserved_number(item: Fingerprint) -> float:
    [entry] = [entry for entry in item.parameters.entries if grease.is_parameter(entry.id)]
    return entry.id / 2**62


def label_place(item: Fingerprint) -> int:
    value = item.parameters.get(0x11) or b""
    return int(grease.is_version(int.from_bytes(value[4:8], "big")))


PACKET_FEATURES: dict[str, Callable[[ClientInitial], float]] = {
    "crypto frames": lambda packet: len(crypto_of(packet)),
    "ping frames": lambda packet: len(of_kind(packet, PingFrame)),
    "padding runs": lambda packet: len(padding_of(packet)),
    "frames": lambda packet: len(frames_of(packet)),
    "padding bytes": lambda packet: sum(padding_of(packet)),
    "largest padding": lambda packet: max(padding_of(packet), default=0),
    "smallest padding": lambda packet: min(padding_of(packet), default=0),
    "largest crypto": lambda packet: max(len(frame.data) for frame in crypto_of(packet)),
    "smallest crypto": lambda packet: min(len(frame.data) for frame in crypto_of(packet)),
    "crypto bytes": lambda packet: sum(len(frame.data) for frame in crypto_of(packet)),
    "first frame": lambda packet: frames_of(packet)[0].type,
    "last frame": lambda packet: frames_of(packet)[-1].type,
    "first offset": lambda packet: crypto_of(packet)[0].offset,
    "last offset": lambda packet: crypto_of(packet)[-1].offset,
    "inversions": inversions,
    "place of offset 0": lambda packet: next(
        (index for index, frame in enumerate(frames_of(packet)) if getattr(frame, "offset", 1) == 0), -1
    ),
}

FLIGHT_FEATURES: dict[str, Callable[[Fingerprint], float]] = {
    "hello size": lambda item: len(item.flight.client_hello) - len(item.server_name or ""),
    "head": middle_start,
    "ECH size": body_size(65037),
    "reserved parameter length": reserved_length,
    "reserved parameter id": reserved_number,
    "place of the reserved version": label_place,
    "place of key_share": lambda item: item.hello.extension_ids.index(51),
    "place of server_name": lambda item: item.hello.extension_ids.index(0),
}


@pytest.mark.parametrize("index", [0, 1], ids=["packet 1", "packet 2"])
@pytest.mark.parametrize("name", PACKET_FEATURES)
def test_layout_is_distributed_as_captured(
    captured: list[Fingerprint], drawn: list[Fingerprint], name: str, index: int
) -> None:
    feature = PACKET_FEATURES[name]
    p = kolmogorov_smirnov_p(
        [feature(item.flight.packets[index]) for item in captured],
        [feature(item.flight.packets[index]) for item in drawn],
    )

    assert p > 0.01 / (2 * len(PACKET_FEATURES))


@pytest.mark.parametrize("name", FLIGHT_FEATURES)
def test_hello_is_distributed_as_captured(
    captured: list[Fingerprint], drawn: list[Fingerprint], name: str
) -> None:
    feature = FLIGHT_FEATURES[name]
    p = kolmogorov_smirnov_p([feature(item) for item in captured], [feature(item) for item in drawn])

    assert p > 0.01 / len(FLIGHT_FEATURES)


def test_the_beginning_has_55_to_86_bytes(drawn: list[Fingerprint]) -> None:
    heads = Counter(middle_start(item) for item in drawn)

    assert set(heads) <= set(range(55, 87))
    assert chi_square_p(uniform_statistic(heads, range(55, 87)), 31) > 0.001


def test_sizes_of_reserved_things(drawn: list[Fingerprint]) -> None:
    payloads = Counter(len(item.hello.body(65037) or b"") - 42 for item in drawn)
    lengths = Counter(reserved_length(item) for item in drawn)

    assert {144, 176, 208, 240} == set(payloads)
    assert chi_square_p(uniform_statistic(payloads, (144, 176, 208, 240)), 3) > 0.001
    assert chi_square_p(uniform_statistic(lengths, range(16)), 15) > 0.001


# Variants.


def test_ipv6_only_shrinks_the_padding() -> None:
    flows = list(
        draw_flows(profile("chrome-156"), seed=1, count=50, server_names=["www.example.com"], family=6)
    )
    found = fingerprint(data for flow in flows for data in flow.payloads)

    assert {(1230, 1230)} == {tuple(len(data) for data in flow.payloads) for flow in flows}
    assert {"8fad1ce0b2129785"} == {item.v2.super for item in found}


def test_resumed_flights_have_the_fingerprint_of_captures() -> None:
    flows = list(
        draw_flows(profile("chrome-156"), seed=2, count=50, server_names=["www.example.com"], resumed=True)
    )
    found = fingerprint(data for flow in flows for data in flow.payloads)

    # Of 83 resumed connections of Chromium 156.0.8078.79, November 2026.
    assert {"ea9f840f259df02e"} == {item.v2.super for item in found}
    assert {41} == {item.hello.extension_ids[-1] for item in found}
    assert {(1250, 1250)} == {tuple(len(data) for data in flow.payloads) for flow in flows}


def test_a_seed_decides_every_byte() -> None:
    def flights(seed: int) -> list[list[bytes]]:
        flows = draw_flows(profile("chrome-156"), seed=seed, count=3, server_names=["a.example", "b.example"])
        return [flow.payloads for flow in flows]

    assert flights(5) == flights(5)
    assert flights(5) != flights(6)


def test_one_profile_draws_any_number_of_flights() -> None:
    chrome = profile("chrome-156")
    before = chrome.to_toml()
    first = {flow.payloads[0] for flow in draw_flows(chrome, seed=9, count=20, server_names=["a.example"])}

    assert 20 == len(first)
    assert before == chrome.to_toml()


# Early data, whose packets nobody opens without keys: sizes tell.


def resumed_flights(name: str, server_name: str, count: int) -> list[list[bytes]]:
    flows = draw_flows(
        profile(name), seed=0, count=count, server_names=[server_name], resumed=True, early_data=True
    )
    return [flow.payloads for flow in flows]


def test_chromes_early_request_goes_in_packets_of_its_own() -> None:
    for flight in resumed_flights("chrome-156", "example.org", 30):
        first, second, control, request = flight

        assert [1250, 1250] == [len(first), len(second)]
        assert len(control) in range(74, 84)  # as captured: 75 to 82
        assert 475 == len(request)
        assert [0xD0, 0xD0] == [data[0] & 0xF0 for data in (control, request)]


@pytest.mark.parametrize("name", ["firefox-esr-153", "firefox-159"])
def test_firefoxs_early_data_begins_behind_the_hello(name: str) -> None:
    together = 0
    flights = resumed_flights(name, "example.org", 60)
    for flight in flights:
        assert [1252, 1252] == [len(data) for data in flight[:2]]
        second = flight[1]
        behind = second[parse_long_header(second).end :]
        assert PacketType.ZERO_RTT is parse_long_header(behind).packet_type
        # The packet leaves a few zeros where the next frame did not fit.
        assert len(behind) - parse_long_header(behind).end < 8
        together += len(flight) == 3
        assert len(flight) in (3, 4)
    # The request leaves with the streams in half of all connections.
    assert 15 < together < 45


def test_firefox_offers_a_connection_id_as_soon_as_there_is_room_for_the_longest() -> None:
    places = set()
    names = ["org", "example.org", "test.example.net"]
    for flow in draw_flows(
        profile("firefox-159"), seed=2, count=40, server_names=names, resumed=True, early_data=True
    ):
        initial, early, *_ = dissect_flow(flow)["datagrams"][1]["packets"]
        frames = [frame["frame"] for frame in early["frames"]]
        header = 1 + 4 + 1 + len(early["dcid"]) // 2 + 1 + 3 + 2 + 1
        room = 1252 - initial["size"] - header - 16

        assert (room >= 47) is ("new_connection_id" in frames)
        places.add("new_connection_id" in frames)
    assert {False, True} == places


@pytest.mark.parametrize("name", ["chrome-156", "firefox-159"])
def test_what_holds_nothing_but_early_data_is_told_on_request(name: str) -> None:
    def flights(early_data: bool) -> list[list[bytes]]:
        names = ["example.org"]
        flows = draw_flows(
            profile(name), seed=7, count=5, server_names=names, resumed=True, early_data=early_data
        )
        return [flow.payloads for flow in flows]

    assert [flight[:2] for flight in flights(True)] == flights(False)


def test_a_profile_without_http3_asks_for_nothing() -> None:
    bare = replace(profile("chrome-156"), http3=None)
    [flow] = draw_flows(bare, seed=1, server_names=["example.org"], resumed=True, early_data=True)

    assert [1250, 1250] == [len(data) for data in flow.payloads]


# Statistics.


def kolmogorov_smirnov_p(one: Iterable[float], other: Iterable[float]) -> float:
    """Asymptotic p-value of the two-sample test; too large for discrete values, never too small."""
    a, b = sorted(one), sorted(other)
    distance = max(
        abs(bisect_right(a, value) / len(a) - bisect_right(b, value) / len(b)) for value in {*a, *b}
    )
    size = math.sqrt(len(a) * len(b) / (len(a) + len(b)))
    scaled = (size + 0.12 + 0.11 / size) * distance
    if scaled < 0.2:
        return 1.0
    return min(
        1.0, 2 * sum(math.cos(math.pi * (k - 1)) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101))
    )


def uniform_statistic(counts: Counter[int], values: Sequence[int]) -> float:
    expected = counts.total() / len(values)
    return sum((counts[value] - expected) ** 2 / expected for value in values)


def chi_square_p(statistic: float, degrees: int) -> float:
    """Upper tail by the approximation of Wilson and Hilferty."""
    spread = 2 / (9 * degrees)
    deviation = (math.cbrt(statistic / degrees) - (1 - spread)) / math.sqrt(spread)
    return 0.5 * math.erfc(deviation / math.sqrt(2))


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("chrome-156", "chromium-156.0.8078.79"),
        ("chrome-150", "chromium-150.0.7871.100"),
        ("firefox-esr-140", "firefox-esr-140.12.0esr"),
        ("firefox-esr-153", "firefox-esr-153.7.0esr"),
        ("firefox-159", "firefox-159.0"),
    ],
)
def test_datagrams_leave_as_far_apart_as_captured_ones(captures: Path, name: str, file: str) -> None:
    captured = first_gaps(read_capture(captures / f"{file}-flight.jsonl"))
    drawn = first_gaps(draw_flows(profile(name), seed=5, count=200, server_names=["a.example"]))

    # Kolmogorov and Smirnov at p = 0.001.
    bound = 1.95 * math.sqrt((len(captured) + len(drawn)) / (len(captured) * len(drawn)))
    assert bound > max(
        abs(bisect_right(captured, gap) / len(captured) - bisect_right(drawn, gap) / len(drawn))
        for gap in captured + drawn
    )


def first_gaps(flows: Iterable[CapturedFlow]) -> list[float]:
    """Milliseconds between the first two datagrams of each, the least first."""
    times = ([item.time_ms for item in flow.datagrams if item.from_client] for flow in flows)
    return sorted(two[1] - two[0] for two in times)


def test_gaps_are_quantiles() -> None:
    engine = profile("chrome-156").engine
    with pytest.raises(ValueError, match="two quantiles"):
        replace(engine, send_gaps=(0.001,))
    with pytest.raises(ValueError, match="above 0"):
        replace(engine, send_gaps=(0.0, 0.001))
    with pytest.raises(ValueError, match="do not fall"):
        replace(engine, send_gaps=(0.002, 0.001))
