"""Profiles learned from captures draw what the captures show."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from qcore.packing.initial_flight import Crypto
from qmimic import ProfileError, learn
from qmimic.adapters.cli import cli
from qmimic.capture import CapturedFlow, read_capture
from qmimic.catalog import profile
from qmimic.diff import diff
from qmimic.draw import draw_flows
from qmimic.extensions import EchGrease, QuicTransportParameters
from qmimic.layouts import Chaos, Chunked, Halving, InOrder, MultiChaos, NameCut, Pinned, Sampled, SniSlicing
from qmimic.learn import bounds
from qmimic.lint import lint
from qmimic.neqo import NeqoCidSize, NeqoPacketNumber
from qmimic.observation import context_of, observe
from qmimic.profile import ClientProfile
from qmimic.sizes import SizeChoice
from qmimic.transport_parameters import Opaque

CHROMIUM = "chromium-156.0.8078.79-flight.jsonl"
BUILT_IN = [
    pytest.param(CHROMIUM, "chrome-156", MultiChaos(), id="Chromium 156"),
    pytest.param("firefox-esr-153.7.0esr-flight.jsonl", "firefox-esr-153", SniSlicing(), id="ESR 153"),
    pytest.param("firefox-esr-140.12.0esr-flight.jsonl", "firefox-esr-140", SniSlicing(), id="ESR 140"),
]


@pytest.mark.parametrize(("capture", "name", "layout"), BUILT_IN)
def test_draws_of_a_learned_browser_are_not_told_apart(
    captures: Path, capture: str, name: str, layout: Any
) -> None:
    flows = read_capture(captures / capture)
    learned = learn(flows)
    known = profile(name)

    assert layout == learned.layout
    assert [] == diff(learned, flows)
    assert [] == lint(learned)
    assert learned == ClientProfile.from_toml(learned.to_toml())
    assert learned.hello is not None
    assert known.hello is not None
    assert known.hello.permute is learned.hello.permute
    assert {item for item in known.hello.extensions if item.pinned} <= {
        item for item in learned.hello.extensions if item.pinned
    } or name.startswith("firefox")
    assert known.parameters is not None
    assert learned.parameters is not None
    assert known.parameters.order == learned.parameters.order
    # Firefox leaves it to the system to send several datagrams at once, since a version after 140.
    assert bool(known.engine.send_gaps) is bool(learned.engine.send_gaps)


def test_the_rules_of_a_browser_are_recognised(captures: Path) -> None:
    chromium = learn(read_capture(captures / CHROMIUM))
    firefox = learn(read_capture(captures / "firefox-esr-153.7.0esr-flight.jsonl"))

    assert chromium.header == profile("chrome-156").header.__class__(
        **{
            **vars(profile("chrome-156").header),
            "packet_number_sizes": (1, 2),
            "shared_packet_numbers": False,
        }
    )
    assert isinstance(firefox.header.destination_cid_size, NeqoCidSize)
    assert isinstance(firefox.header.first_packet_number, NeqoPacketNumber)
    assert firefox.hello is not None
    pinned = [item for item in firefox.hello.extensions if item.pinned]
    assert [QuicTransportParameters, EchGrease] == [type(item) for item in pinned]
    assert firefox.parameters == profile("firefox-esr-153").parameters


def test_one_flight_gives_a_pinned_profile(captures: Path) -> None:
    [flow] = read_capture(captures / CHROMIUM)[:1]
    learned = learn([flow])
    [real] = observe([flow])
    drawn = observe(draw_flows(learned, seed=1, count=10, server_names=[flow.about["host"]]))

    assert isinstance(learned.layout, Pinned)
    assert "pinned" in learned.provenance
    assert 10 == len(drawn)
    assert {real.fingerprint.v2} == {item.fingerprint.v2 for item in drawn}
    for item in drawn:
        assert real.fingerprint.hello.extension_ids == item.fingerprint.hello.extension_ids
        for ours, theirs in zip(item.packets, real.packets, strict=True):
            assert theirs.frame_types == ours.frame_types
    assert 10 == len({item.fingerprint.hello.random for item in drawn})


OTHERS = [
    pytest.param("aioquic-1.7.2", InOrder, id="aioquic"),
    pytest.param("niquests-3.21.2-qh3_2.1.0", Chunked, id="niquests"),
    pytest.param("cycletls-2.0.5", NameCut, id="CycleTLS"),
    pytest.param("httpcloak-safari-18-1.7.3", NameCut, id="httpcloak as Safari"),
    pytest.param("httpcloak-chrome-155-linux-1.7.3", Sampled, id="httpcloak as Chrome"),
    pytest.param("curl-8.23.0-OpenSSL_3.6.5-ngtcp2_1.24.0", Halving, id="curl"),
    pytest.param("curl_cffi-chrome152-0.17.0", Halving, id="curl_cffi as Chrome"),
]


@pytest.mark.parametrize(("name", "layout"), OTHERS)
def test_other_clients_are_redrawn(shared: Path, name: str, layout: type) -> None:
    flows = read_capture(shared / "captures" / f"{name}-flight-train.jsonl")
    learned = learn(flows)

    assert layout is type(learned.layout)
    assert [] == diff(learned, flows)
    assert learned == ClientProfile.from_toml(learned.to_toml())


def test_chaos_in_one_packet_is_recognised() -> None:
    flows = list(
        draw_flows(profile("chrome-115"), seed=4, count=40, server_names=["a.example", "bb.example"])
    )

    assert Chaos() == learn(flows).layout


def test_safari_is_recognised() -> None:
    flows = list(
        draw_flows(profile("safari-18.5"), seed=4, count=60, server_names=["a.example", "b.example"])
    )
    learned, known = learn(flows), profile("safari-18.5")

    assert known.parameters is not None
    assert learned.parameters is not None
    assert ("rotated", 1) == (learned.parameters.order, learned.parameters.tail)
    assert known.hello == learned.hello


def test_nothing_cannot_be_learned_from() -> None:
    with pytest.raises(ProfileError, match="no first flight"):
        learn([CapturedFlow({}, [])])


def test_a_client_without_transport_parameters_is_named(shared: Path) -> None:
    flows = read_capture(shared / "captures" / "curl_cffi-firefox155-0.17.0-flight-train.jsonl")

    with pytest.raises(ProfileError, match="18 ClientHellos .* no quic_transport_parameters"):
        learn(flows)


def test_a_few_captures_give_all_that_the_client_draws_from(shared: Path) -> None:
    def learned(name: str, count: int) -> ClientProfile:
        return learn(read_capture(shared / "captures" / f"{name}-flight-train.jsonl")[:count])

    assert SizeChoice(smallest=8, largest=20) == learned("cycletls-2.0.5", 12).header.destination_cid_size
    hello = learned("httpcloak-chrome-155-linux-1.7.3", 6).hello
    assert hello is not None
    [ech] = [item for item in hello.extensions if isinstance(item, EchGrease)]
    assert (144, 176, 208, 240) == ech.payload_sizes


def test_uniform_draws_lie_between_usual_bounds_unless_they_would_have_shown_more() -> None:
    assert (8, 20) == bounds([14, 17, 16, 15, 14, 12], (8, 20))
    assert (1, 8) == bounds([1, 8, 5, 2, 3, 7, 8, 4, 6, 1] * 4, (0, 15))
    assert (12, 68) == bounds([20, 30, 40, 50, 60, 30], (8, 20))
    assert (5, 5) == bounds([5, 5], (0, 15))


def test_bits_that_never_vary_are_kept(shared: Path) -> None:
    parameters = learn(
        read_capture(shared / "captures" / "niquests-3.21.2-qh3_2.1.0-flight-train.jsonl")
    ).parameters

    assert parameters is not None
    [versions] = [item for item in parameters.entries if isinstance(item, Opaque) and 0x11 == item.id]
    assert bytes.fromhex("0000000000000000 f5000000") == versions.drawn  # 0x?a0a0a0a with a slip


def test_the_size_of_the_hello_decides_between_arrangements(shared: Path) -> None:
    flows = read_capture(shared / "captures" / "httpcloak-chrome-155-linux-1.7.3-flight-train.jsonl")
    layout = learn(flows).layout

    assert isinstance(layout, Sampled)
    assert 3 == len(layout.flights)
    for item in observe(flows):
        plan = layout.lay_out(context_of(item))
        assert plan is not None
        assert [len(packet.crypto) for packet in item.packets] == [
            sum(isinstance(placement, Crypto) for placement in part) for part in plan
        ]


def test_the_command_writes_a_profile(captures: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    source = captures / "firefox-esr-140.12.0esr-flight.jsonl"
    done = CliRunner().invoke(cli, ["learn", str(source), "-o", str(file), "--name", "mine"])

    assert (0, "") == (done.exit_code, done.output)
    assert "mine" == ClientProfile.from_toml(file.read_text()).name
    assert 0 == CliRunner().invoke(cli, ["draw", str(file), "--seed", "1"]).exit_code
    absent = CliRunner().invoke(cli, ["learn", "/absent.pcap"])
    assert (1, "qmimic: /absent.pcap: No such file or directory\n") == (absent.exit_code, absent.stderr)
