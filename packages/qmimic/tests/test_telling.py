"""The tools that look for tells: what they measure, and thousands of draws in small."""

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from telling.asked import asked
from telling.hash_report import result_of
from telling.hashes import alike, compare, tally, unlike
from telling.kinds import CLIENTS, Captures, Kind, all_captures, shape_of
from telling.later import Part, later_traits, said, word_of
from telling.pace import pace_of
from telling.replay import replay
from telling.traits import traits

from qmimic.capture import read_capture
from qmimic.catalog import profile
from qmimic.draw import draw_flows
from qmimic.extensions import EchGrease
from qmimic.layouts import Pinned, PinnedDatagram
from qmimic.observation import observe
from qmimic.profile import ClientProfile

DRAWS = 120


@cache
def kinds_in(folder: Path) -> list[Captures]:
    return list(all_captures(folder))


@pytest.mark.parametrize("name", CLIENTS)
def test_draws_hash_like_captures(captures: Path, name: str) -> None:
    kinds = [like for like in kinds_in(captures) if like.profile == name]

    assert kinds
    for like in kinds:
        found = tally(profile(name), like, DRAWS)
        beside = compare(found, like)

        assert [] == found.invalid, like.title
        assert DRAWS == found.v2.total()
        assert [] == beside.foreign_ja4
        assert 0 == beside.foreign or not like.items
        assert beside.alike > 0.01, like.title
        # Few draws miss a rare hash; many captures of it would not be chance.
        assert [] == [item for item in beside.unlike if item.p < 0.01], like.title


def test_a_layout_that_does_not_fit_is_an_invalid_draw(captures: Path) -> None:
    items = observe(read_capture(captures / "chromium-150.0.7871.100-flight.jsonl")[:3])
    like = Captures("chrome-150", Kind.of(items[0]), items, frozenset())
    half = Pinned(datagrams=(PinnedDatagram(frames=("crypto :100", "padding")),))
    found = tally(replace(profile("chrome-150"), layout=half), like, 4)

    assert [0, 1, 2, 3] == [seed for seed, _ in found.invalid]
    assert not found.v2
    result = result_of(found, like)
    assert "FAILS" == result["verdict"]
    assert "4 of 4 draws are invalid." == result["said"][0]


def test_a_foreign_hash_fails(captures: Path) -> None:
    items = observe(read_capture(captures / "chromium-150.0.7871.100-flight.jsonl"))
    like = Captures(
        "chrome-150", Kind.of(items[0]), items, frozenset(shape_of(item.fingerprint) for item in items)
    )
    result = result_of(tally(profile("chrome-156"), like, 20), like)

    assert "FAILS" == result["verdict"]
    assert any("a ClientHello or parameters that no capture shows" in line for line in result["said"])


def test_what_captures_lack_is_told_by_where_it_comes_from(captures: Path) -> None:
    [like] = [item for item in kinds_in(captures) if item.title == "firefox-esr-153, fresh"]
    few = replace(like, items=like.items[:6])
    found = tally(profile("firefox-esr-153"), few, DRAWS)
    beside = compare(found, few)

    assert 0 < beside.put_together
    assert DRAWS == beside.seen + beside.put_together + beside.by_rule
    assert 0.1 < beside.lacked < 0.6
    told = " ".join(result_of(found, few)["said"])
    assert "another length of the connection ID" in told
    assert "expected to lack" in told


def test_what_nobody_captured_is_drawn_and_not_compared() -> None:
    like = Captures("firefox-116", Kind(resumed=False, family=4, token=False, rtt=False), [], frozenset())
    result = result_of(tally(profile("firefox-116"), like, 6), like)

    assert "passes" == result["verdict"]
    assert result["said"][1].startswith("Nobody has captured this")
    assert {0} == {row["captured"] for row in result["hashes"]}


def test_frequencies_are_alike_where_chance_explains_them() -> None:
    drawn = Counter({"common": 9_000, "rare": 1_000})

    assert 0.05 < alike(drawn, Counter({"common": 54, "rare": 6}))
    assert 0.01 > alike(drawn, Counter({"common": 30, "rare": 30}))
    assert 1.0 == alike(drawn, Counter())


def test_hashes_that_no_capture_shows_are_unlike_them_only_if_they_are_frequent() -> None:
    captured = Counter({"common": 60})

    rare = Counter({"common": 9_900, "rare": 100})
    assert [] == list(unlike(rare, captured))
    frequent = Counter({"common": 6_000, "other": 4_000})
    assert {"common", "other"} == {item.value for item in unlike(frequent, captured)}
    missing = Counter({"common": 10_000})
    assert {"missing"} == {item.value for item in unlike(missing, Counter({"common": 60, "missing": 1}))}


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
    ("name", "file", "part"),
    [
        ("chrome-156", "chromium-156.0.8078.79-h3", "fresh"),
        ("chrome-156", "chromium-156.0.8078.79-resumed", "early"),
        ("chrome-156", "chromium-156.0.8078.79-resumed", "resumed"),
        ("firefox-esr-153", "firefox-esr-153.7.0esr-resumed", "resumed"),
        ("firefox-159", "firefox-159.0-resumed", "resumed"),
    ],
)
def test_visits_at_the_pace_of_captured_ones_say_the_same(
    captures: Path, name: str, file: str, part: Part
) -> None:
    pytest.importorskip("aioquic")
    alike = []
    for flow in read_capture(captures / f"{file}.jsonl"):
        theirs = said(flow, part)
        if theirs is not None:
            visit = replay(profile(name), pace_of(flow), asked(flow), seed="1", resumed=part != "fresh")
            ours = said(visit, part)
            assert ours is not None
            alike.append([word_of(item) for item in theirs] == [word_of(item) for item in ours])

    # The rest are moments that both sides' timers decide, such as whether two ACKs were still two.
    assert len(alike) >= 2
    assert sum(alike) >= 0.5 * len(alike)
