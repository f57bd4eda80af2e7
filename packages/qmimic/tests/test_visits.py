"""What profiles do behind their first flight, against the captures of the browsers that they stand for.

Each visit goes to an aioquic server, as the captured ones did. Sizes that follow from names and keys are left out
of the comparison, and so is what a busy machine changes: which of two datagrams arrived first.
"""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from telling.visits import Visit, outline, run

import qmimic
from qmimic.capture import CapturedFlow, read_capture

pytestmark = pytest.mark.peer
pytest.importorskip("aioquic")

BROWSERS = {
    "chrome-156": "chromium-156.0.8078.79",
    "firefox-esr-153": "firefox-esr-153.7.0esr",
    "firefox-159": "firefox-159.0",
}
# The same step of a handshake in the forms that arrival times give it, as one word each.
STEPS = (
    (r"ini\[\d+/2( token)?: A\d+ P\d+\]$", "hello half acknowledged"),
    (r"ini\[\d+/[12]( token)?: A\d+ C@\S+\] zeros$", "hello half acknowledged and repeated"),
    (r"ini\[\d+/1( token)?: A[\d-]+ P\d+\]$", "hello acknowledged"),
    (r"hs\[\d+/1: A2-[34]\]$", "half of the flight acknowledged"),
    (r"hs\[\d+/1: A2-4 C@0\+52\] 1\[\d+/1 s0: A5 S2@0\+\d+\]$", "finished with control stream"),
    (r"ini\[\d+/[12]( token)?: A[\d-]+\] hs\[0/1: A2(-\d)?\] zeros$", "flight acknowledged"),
    (
        r"hs\[\d/1: C@0\+52\] 1\[0/1 s[01]: A5 N1 N2 N3 N4 N5 N6 N7\]$",
        "finished with connection IDs",
    ),
    (r"1\[\d/1 s[01]: (A[\d,-]+ )?S2@0\+\d+L S6@0\+4L S10@0\+1L\]$", "streams"),
    (r"1\[\d+/1 s0: (A[\d,-]+ )?S2@\d+\+12L S10@0\+\d+L S0@0\+22F\]$", "request with priority update"),
    (r"1\[\d+/1 s[01]: (A[\d,-]+ )?S0@0\+\d+LF S6@4\+\d+L\]$", "request"),
)
# In every capture, and so in every visit: in this order.
NEEDED = {
    "chrome-156": ["finished with control stream", "request with priority update"],
    "firefox-esr-153": ["finished with connection IDs", "streams", "request"],
    "firefox-159": ["finished with connection IDs", "streams", "request"],
}
# What may happen in between, and does in most.
FIREFOX_POSSIBLE = {
    "hello half acknowledged and repeated",
    "flight acknowledged",
    "half of the flight acknowledged",
}
POSSIBLE = {
    "chrome-156": {"hello half acknowledged", "hello acknowledged", "half of the flight acknowledged"},
    "firefox-esr-153": FIREFOX_POSSIBLE,
    "firefox-159": FIREFOX_POSSIBLE,
}


def steps(lines: list[str]) -> list[str]:
    """The named steps between the first flight and the first request."""
    found = []
    for line in lines:
        for pattern, name in STEPS:
            if re.search(rf"^\d+ {pattern}", line):
                found.append(name)
        if found and found[-1].startswith("request"):
            break
    return found


def fresh(flow: CapturedFlow) -> bool:
    return bool(flow.about.get("label") == "fresh-profile")


def visited(visit: Visit, tickets: dict[bytes, Any] | None = None) -> list[str]:
    return outline(asyncio.run(run(visit, tickets)))


def resumed(name: str) -> list[str]:
    """The second of two visits, with early data, which the server ends."""
    tickets: dict[bytes, Any] = {}
    memory = qmimic.Memory()
    visited(Visit(name, memory=memory), tickets)
    return visited(Visit(name, memory=memory, early=True, close=True), tickets)


@pytest.mark.parametrize("name", BROWSERS)
def test_captures_go_through_these_steps(name: str, shared: Path) -> None:
    flows = read_capture(shared / "captures" / f"{BROWSERS[name]}-h3-train.jsonl")
    assert flows
    whole = 0
    for flow in flows:
        seen = steps(outline(flow))
        assert set(seen) <= {*NEEDED[name], *POSSIBLE[name]}
        whole += NEEDED[name] == [step for step in seen if step in NEEDED[name]]
    # Probes of a machine that was busy come between in a few.
    assert whole >= 0.8 * len(flows)


@pytest.mark.parametrize("retry", [False, True], ids=["h3", "retry"])
@pytest.mark.parametrize("name", BROWSERS)
def test_visit_goes_through_the_steps_of_the_captures(name: str, retry: bool) -> None:
    lines = visited(Visit(name, retry=retry))
    seen = steps(lines)

    assert NEEDED[name] == [step for step in seen if step in NEEDED[name]], lines
    assert set(seen) <= {*NEEDED[name], *POSSIBLE[name]}, lines
    assert set(seen) & POSSIBLE[name], lines


def test_chrome_is_sparing_with_bits() -> None:
    lines = visited(Visit("chrome-156", requests=3))
    short = [packet for line in lines for packet in re.findall(r" 1\[([^\]]+)\]", line)]

    assert {"1 s0:"} == {packet.split("/")[1][:5] for packet in short}
    assert not any(re.search(r"S\d+@\S+L\w?$", packet) for packet in short)
    assert any("S4@0+" in packet and packet.endswith("F") for packet in short)


def test_chrome_sends_its_streams_in_order_and_the_decoders_late() -> None:
    lines = visited(Visit("chrome-156", requests=3))
    streams = [int(number) for line in lines for number in re.findall(r"S(\d+)@0", line)]

    assert [2, 10, 0] == streams[:3]
    assert {2, 10, 0, 4, 8, 6} == set(streams)


def test_firefox_keeps_lengths_and_flips_a_coin_for_the_spin_bit() -> None:
    lines = [line for _ in range(4) for line in visited(Visit("firefox-159", requests=3))]
    text = " ".join(lines)

    assert {"0", "1"} == set(re.findall(r"\d s([01]): ", text))
    frames = re.findall(r"S\d+@\d+\+\d+(\w*)", text)
    assert frames
    assert all(marks.startswith("L") for marks in frames)


def test_numbers_of_spaces_go_on_or_restart() -> None:
    chrome = " ".join(visited(Visit("chrome-156")))
    firefox = " ".join(visited(Visit("firefox-esr-153")))

    numbers = [int(number) for number in re.findall(r"\[(\d+)/", chrome)]
    assert list(range(1, len(numbers) + 1)) == numbers
    assert "hs[0/1:" in firefox
    assert "1[0/1 " in firefox


def test_chrome_resumes_as_captured() -> None:
    lines = resumed("chrome-156")

    assert re.fullmatch(r"\d+ 0\[3/1: S2@0\+\d+\]", lines[2]), lines
    assert re.fullmatch(r"\d+ 0\[4/1: S2@\d+\+12L S10@0\+\d+L S0@0\+22F\]", lines[3]), lines
    text = "\n".join(lines[4:])
    assert re.search(r"^1250 ini\[5/1: A0(-1)? P\d+\]", text, re.MULTILINE), lines
    assert re.search(r"hs\[6/1: A2 C@0\+52\]$", text, re.MULTILINE), lines
    assert "CLOSE" not in text


@pytest.mark.parametrize("name", ["firefox-esr-153", "firefox-159"])
def test_firefox_resumes_as_captured(name: str) -> None:
    lines = resumed(name)

    assert re.fullmatch(r"1252 ini\[\S+ C@\S+ C@\S+\] zeros", lines[0]), lines
    # The request leaves behind the streams, or with them and then, by its number, before them.
    assert re.search(r"^1252 ini\[\S+ C@\S+\] 0\[0/1: (N1 )?S[02]@0\+\d+L? ?", lines[1]), lines
    text = "\n".join(lines[2:])
    behind = r"0\[\d/1: (N1 )?S0@0\+\d+LF S6@4\+\d+L\]"
    together = r"0\[1/1: (N1 )?S0@\d+\+\d+LF S2@0\+\d+L S6@0\+\d+L S10@0\+1L\]"
    assert re.search(together if "S0@" in lines[1] else behind, text), lines
    answer = r"^1252 ini\[\S+ A0-1\] hs\[0/1: A2 C@0\+52\] 1\[\d/1 s[01]: A[\d-]+ N2 N3 N4 N5 N6 N7 P\d+\]$"
    assert re.search(answer, text, re.MULTILINE), lines
    assert re.search(r"1\[\d+/1 s[01]: A[\d,-]+ CLOSE\(0 b''\)\]$", lines[-1]), lines


def test_chrome_probes_with_one_packet_that_skips_a_number_and_says_why_it_leaves() -> None:
    lines = visited(Visit("chrome-156", silent=5.0))

    assert ["1/1", "2/2", "4/1", "6/1", "8/1", "9/2"] == [
        re.findall(r"\[(\d+/\d)", line)[0] for line in lines
    ]
    assert {"1250"} == {line.split()[0] for line in lines}
    words = r"25:No recent network activity after 4\d{6}us\. Timeout:4s num_undecryptable_packets: 0 {}"
    assert re.search(rf"CLOSE\(0 b'{words}'\) P\d+\]$", lines[-1]), lines


def test_firefox_probes_with_both_packets_unchanged() -> None:
    lines = visited(Visit("firefox-esr-153", silent=1.1))
    frames = [line.partition(": ")[2] for line in lines]

    # The last datagram is the close of the one who asked.
    assert frames[:2] * 3 == frames[:-1]


def test_settings_of_the_server_are_remembered() -> None:
    memory = qmimic.Memory()
    visited(Visit("firefox-159", memory=memory))
    settings = memory.origin("localhost:443").settings

    assert settings is not None
    assert 4096 == dict(settings)[1]
    assert settings == qmimic.Memory.loads(memory.dumps()).origin("localhost:443").settings
