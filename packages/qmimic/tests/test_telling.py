"""The tools that look for tells: what they measure, and thousands of draws in small."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from telling.asked import asked
from telling.hashes import Kind, tally, unlike
from telling.later import later_traits, said_later, word_of
from telling.pace import pace_of
from telling.replay import replay
from telling.traits import traits

from qmimic.capture import read_capture
from qmimic.catalog import profile
from qmimic.draw import draw_flows
from qmimic.extensions import EchGrease
from qmimic.layouts import Pinned, PinnedDatagram
from qmimic.observation import Observed, observe
from qmimic.profile import ClientProfile

CAPTURES = {
    "chrome-156": "chromium-156.0.8078.79",
    "chrome-150": "chromium-150.0.7871.100",
    "firefox-esr-153": "firefox-esr-153.7.0esr",
    "firefox-esr-140": "firefox-esr-140.12.0esr",
    "firefox-159": "firefox-159.0",
}
DRAWS = 120


@pytest.mark.parametrize("name", CAPTURES)
def test_draws_hash_like_captures(captures: Path, name: str) -> None:
    kinds: dict[Kind, list[Observed]] = {}
    for file in sorted(captures.glob(f"{CAPTURES[name]}-*.jsonl")):
        for item in observe(read_capture(file)):
            kinds.setdefault(Kind.of(item), []).append(item)

    assert kinds
    for kind, items in kinds.items():
        found = tally(profile(name), items, DRAWS)
        captured = Counter(item.fingerprint.v2.super for item in items)

        assert [] == found.invalid, kind
        assert DRAWS == found.v2.total()
        assert set(found.ja4) <= {item.fingerprint.ja4.value for item in items}
        # Few draws miss a rare hash; many captures of it would not be chance.
        assert [] == [item for item in unlike(found.v2, captured, found.causes) if item.p < 0.01], kind


def test_a_layout_that_does_not_fit_is_an_invalid_draw(captures: Path) -> None:
    items = observe(read_capture(captures / "chromium-150.0.7871.100-flight.jsonl")[:3])
    half = Pinned(datagrams=(PinnedDatagram(frames=("crypto :100", "padding")),))
    found = tally(replace(profile("chrome-150"), layout=half), items, 4)

    assert [0, 1, 2, 3] == [seed for seed, _ in found.invalid]
    assert not found.v2


def test_hashes_that_no_capture_shows_are_unlike_them_only_if_they_are_frequent() -> None:
    captured = Counter({"common": 60})

    rare = Counter({"common": 9_900, "rare": 100})
    assert [] == list(unlike(rare, captured, {}))
    frequent = Counter({"common": 6_000, "other": 4_000})
    assert {"common", "other"} == {item.value for item in unlike(frequent, captured, {})}
    missing = Counter({"common": 10_000})
    assert {"missing"} == {item.value for item in unlike(missing, Counter({"common": 60, "missing": 1}), {})}


def test_traits_tell_keys_from_random_bytes() -> None:
    chrome = profile("chrome-156")
    assert chrome.hello is not None
    random = tuple(
        replace(item, enc="random") if isinstance(item, EchGrease) else item
        for item in chrome.hello.extensions
    )
    changed = replace(chrome, hello=replace(chrome.hello, extensions=random))

    def points(chosen: ClientProfile) -> set[float | str]:
        flows = draw_flows(chosen, seed=1, count=30, server_names=["a.example"])
        return {traits(item)["hello.ech.enc.is_a_point"] for item in observe(flows)}

    assert {True} == points(chrome)
    assert {True, False} == points(changed)


def test_traits_describe_every_packet(captures: Path) -> None:
    items = observe(read_capture(captures / "chromium-156.0.8078.79-flight.jsonl")[:20])
    rows = [traits(item) for item in items]

    for row, item in zip(rows, items, strict=True):
        for index, packet in enumerate(item.packets, 1):
            assert row[f"layout.packet{index}.crypto.count"] == len(packet.crypto)
            assert row[f"layout.packet{index}.payload"] == len(packet.payload)
            assert row[f"layout.packet{index}.shortest_encoded"] is True
        assert 12 == row["hello.extension.count"]


def test_what_follows_the_answer_is_measured_up_to_the_request(captures: Path) -> None:
    flows = read_capture(captures / "chromium-156.0.8078.79-h3.jsonl")
    rows = [later_traits(flow) for flow in flows]

    for row in rows:
        assert row is not None
        assert "2 10 0" == row["streams.order"]
        assert 1.0 == row["frame.crypto"]
    assert later_traits(replace(flows[0], secrets={})) is None


def test_pace_is_what_acknowledgements_say_of_it(captures: Path) -> None:
    for flow in read_capture(captures / "chromium-156.0.8078.79-h3.jsonl"):
        pace = pace_of(flow)
        arrivals = [item.time_ms / 1000 for item in flow.datagrams if not item.from_client]

        assert 4 <= len(pace.opening)
        assert list(pace.opening) == sorted(pace.opening)
        assert all(read >= at for at, read in zip(arrivals, pace.opening, strict=False))
        assert pace.pause is not None
        assert 0 < pace.pause < 1
        # Nothing is read later than it is answered.
        assert all(any(read <= time for time in pace.awake[0]) for read in pace.opening[:3])


def test_requests_are_read_from_captures(captures: Path) -> None:
    fresh = [asked(flow) for flow in read_capture(captures / "chromium-156.0.8078.79-h3.jsonl")]
    resumed = [asked(flow) for flow in read_capture(captures / "firefox-159.0-resumed.jsonl")]

    assert {("/", "document", "")} == {(item.path, item.destination, item.referer) for item in fresh}
    assert ("empty", "/resume") in {(item.destination, item.referer[-7:]) for item in resumed}


@pytest.mark.peer
@pytest.mark.parametrize(
    ("name", "file", "is_resumed"),
    [
        ("chrome-156", "chromium-156.0.8078.79-h3", False),
        ("chrome-156", "chromium-156.0.8078.79-resumed", True),
        ("firefox-esr-153", "firefox-esr-153.7.0esr-resumed", True),
        ("firefox-159", "firefox-159.0-resumed", True),
    ],
)
def test_visits_at_the_pace_of_captured_ones_say_the_same(
    captures: Path, name: str, file: str, is_resumed: bool
) -> None:
    pytest.importorskip("aioquic")
    alike = [
        [word_of(item) for item in said] == [word_of(item) for item in ours]
        for flow in read_capture(captures / f"{file}.jsonl")
        if (said := said_later(flow, is_resumed)) is not None
        for ours in [
            said_later(
                replay(profile(name), pace_of(flow), asked(flow), seed="1", resumed=is_resumed), is_resumed
            )
        ]
        if ours is not None
    ]

    # The rest are moments that both sides' timers decide, such as whether two ACKs were still two.
    assert len(alike) >= 2
    assert sum(alike) >= 0.5 * len(alike)
