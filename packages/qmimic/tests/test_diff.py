"""Equals agree, and every fault that is known of another's parrot is named."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from qmimic.adapters.cli import cli
from qmimic.capture import CapturedFlow, read_capture
from qmimic.catalog import profile
from qmimic.diff import Difference, diff
from qmimic.draw import draw_flows, draw_unanswered
from qmimic.layouts import Chaos, MultiChaos
from qmimic.lint import lint
from qmimic.profile import ClientProfile
from qmimic.statistics import fisher_p, kolmogorov_smirnov_p
from qmimic.transport_parameters import Reserved

VECTORS = Path(__file__).parent / "vectors"


def drawn(name: str, count: int, seed: int = 31) -> list[CapturedFlow]:
    return list(
        draw_flows(profile(name), seed=seed, count=count, server_names=["www.example.com", "b.example"])
    )


@pytest.mark.parametrize(
    ("name", "capture"),
    [
        ("chrome-156", "chromium-156.0.8078.79-flight"),
        ("chrome-156", "chromium-156.0.8078.79-resumed"),
        ("chrome-156", "chromium-156.0.8078.79-pto"),
        ("firefox-159", "firefox-159.0-resumed"),
        ("firefox-esr-153", "firefox-esr-153.7.0esr-pto"),
        ("firefox-esr-140", "firefox-esr-140.12.0esr-flight"),
    ],
)
def test_profiles_agree_with_their_captures(captures: Path, name: str, capture: str) -> None:
    assert [] == diff(profile(name), read_capture(captures / f"{capture}.jsonl"))


@pytest.mark.parametrize("name", ["safari-18.5", "plain"])
def test_a_profile_agrees_with_its_draws(name: str) -> None:
    assert [] == diff(profile(name), drawn(name, 1))


# uQUIC's parrot against Chrome 146: the faults that are known, by field.
FAULTS = {
    "parameters.version_information.id": ("0xff73db", "0x11"),
    "parameters.version_information.grease": ("malformed", "well formed"),
    "parameters.google_initial_rtt": ("sent", "not sent"),
    "layout.packet1.bytes": ("beginning", "beginning and end"),
    "layout.packet2.bytes": ("end", "middle"),
    "datagrams.sizes": ("1270 1270", "1250 1250"),
    "hash.v1": ("05dd74d4b0af2f57", "928307f77f27ac60"),
    "hash.v2": (None, "9b960c78d5e9235f"),
    "layout.packet1.pings": (None, None),
    "layout.packet1.padding_runs": (None, None),
}


@pytest.mark.parametrize("real", ["drawn", "captured"])
def test_every_fault_of_uquics_chrome_146_is_named(captures: Path, real: str) -> None:
    parrot = ClientProfile.from_toml((VECTORS / "uquic-chrome-146.toml").read_text())
    if real == "drawn":  # held against the public corpus in test_references
        flows = drawn("chrome-146", 60)
    else:
        flows = read_capture(captures / "chromium-150.0.7871.100-flight.jsonl")
    found = {item.field: item for item in diff(parrot, flows)}

    for name, (a, b) in FAULTS.items():
        assert name in found
        assert a is None or a == found[name].a
        assert b is None or b == found[name].b
    assert "hash.v2.tls" not in found  # what uQUIC has right
    assert "hash.ja4" not in found
    assert not any(name.startswith(("hello.", "header.")) for name in found)
    # "10AF" is an experiment's value; Debian's Chromium takes part in none.
    assert (real == "captured") is ("parameters.0x3128" in found)


def test_what_has_changed_since_uquics_chrome_146_is_named(captures: Path) -> None:
    parrot = ClientProfile.from_toml((VECTORS / "uquic-chrome-146.toml").read_text())
    flows = read_capture(captures / "chromium-156.0.8078.79-flight.jsonl")
    found = {item.field: item for item in diff(parrot, flows)}

    # Counts that come from one capture, and what none of 2026 had yet.
    assert set(FAULTS) - {"hash.v1", "hash.v2"} <= set(found)
    assert {"layout.packet1.crypto_frames", "layout.packet2.crypto_frames", "layout.packet2.pings"} <= set(
        found
    )
    assert {"hello.extensions", "hello.trust_anchors", "hash.ja4"} <= set(found)
    assert ("31304146", "4f524947") == (found["parameters.0x3128"].a, found["parameters.0x3128"].b)


def test_lint_names_the_faults_that_need_no_capture() -> None:
    parrot = ClientProfile.from_toml((VECTORS / "uquic-chrome-146.toml").read_text())

    assert {"malformed GREASE", "version_information", "cached round trip"} == {f.kind for f in lint(parrot)}


def only(found: list[Difference]) -> set[str]:
    return {item.field for item in found if not item.field.startswith("hash.")}


def test_what_no_hash_sees_is_seen() -> None:
    chrome = profile("chrome-156")
    assert chrome.hello is not None
    assert chrome.parameters is not None
    fixed = replace(chrome, hello=replace(chrome.hello, permute=False))
    ascending = replace(chrome, parameters=replace(chrome.parameters, order="ascending"))
    fewer = replace(chrome, layout=MultiChaos(chaos=Chaos(max_pings=4)))
    longer = replace(
        chrome,
        parameters=replace(
            chrome.parameters,
            entries=tuple(
                Reserved(max_length=8) if isinstance(entry, Reserved) else entry
                for entry in chrome.parameters.entries
            ),
        ),
    )
    slow = replace(chrome, recovery=replace(chrome.recovery, initial_rtt=0.333))
    twice = replace(chrome, recovery=replace(chrome.recovery, probes_per_timeout=2, skip_before_probe=0))

    flights = drawn("chrome-156", 60)
    assert {"hello.extension_order"} == only(diff(fixed, flights))
    assert {"parameters.order"} == only(diff(ascending, flights))
    assert "layout.packet1.pings" in only(diff(fewer, flights))
    assert "parameters.grease.length" in only(diff(longer, flights))
    unanswered = list(draw_unanswered(chrome, seed=5, server_names=["a.example"], seconds=5.0))
    assert {"timing.probes"} == only(diff(slow, unanswered))
    assert {"probes.packets_per_timeout", "probes.packet_number_steps"} <= only(diff(twice, unanswered))


def test_the_command_exits_with_1_on_a_difference(tmp_path: Path, captures: Path) -> None:
    file = captures / "chromium-150.0.7871.100-flight.jsonl"
    same = CliRunner().invoke(cli, ["diff", "chrome-150", str(file)])
    other = CliRunner().invoke(cli, ["diff", "chrome-156", str(file), "--json"])
    (tmp_path / "empty.jsonl").write_text('{"datagrams": []}\n')
    nothing = CliRunner().invoke(cli, ["diff", "chrome-156", str(tmp_path / "empty.jsonl")])

    assert (0, "no difference found\n") == (same.exit_code, same.stdout)
    assert 1 == other.exit_code
    assert {"kind", "field", "a", "b"} == set(json.loads(other.stdout)[0])
    assert "hello.extensions" in {item["field"] for item in json.loads(other.stdout)}
    assert (2, "qmimic: no first flight to compare\n") == (nothing.exit_code, nothing.stderr)


def test_the_statistics() -> None:
    assert fisher_p(10, 10, 0, 10) == pytest.approx(1.0825e-5, rel=1e-3)
    assert fisher_p(3, 6, 3, 6) == pytest.approx(1.0)
    assert kolmogorov_smirnov_p(range(100), range(100)) == 1.0
    assert kolmogorov_smirnov_p(range(100), range(50, 150)) < 1e-9
