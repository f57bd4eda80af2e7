"""The HTTP/3 fingerprint of captured visits, and of junk."""

from pathlib import Path

import pytest

from qhttp3.frames import frame
from qmimic.capture import read_capture
from qmimic.dissection import perk_of
from qmimic.fingerprint import perk
from qwire.frames import StreamFrame

CHROMIUM = "1:65536;6:262144;7:100;51:1;GREASE|m,a,s,p"
FIREFOX = "1:65536;7:20;727725890:0;16765559:1;51:1;8:1|m,s,a,p"


def test_chromium(captures: Path) -> None:
    flows = read_capture(captures / "chromium-156.0.8078.79-h3.jsonl")

    assert [CHROMIUM] * 2 == [found.value for flow in flows if (found := perk_of(flow))]


def test_firefox(shared: Path) -> None:
    flows = read_capture(shared / "captures" / "firefox-esr-153.7.0esr-h3-train.jsonl")

    assert {FIREFOX} == {found.value for flow in flows if (found := perk_of(flow))}


def test_without_keys_there_is_none(captures: Path) -> None:
    [flow] = read_capture(captures / "chromium-156.0.8078.79-flight.jsonl")[:1]

    assert perk_of(flow) is None


def stream(number: int, data: bytes, offset: int = 0) -> StreamFrame:
    return StreamFrame(number, offset, data, False)


SETTINGS = b"\0" + frame(4, bytes.fromhex("01 40 64 07 05"))
REQUEST = frame(1, bytes.fromhex("0000 d1 d7 50 01 61 c1"))  # GET, https, :authority a, :path /


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        pytest.param([stream(2, SETTINGS), stream(0, REQUEST)], "1:100;7:5|m,s,a,p", id="in order"),
        pytest.param(
            [
                stream(0, REQUEST[4:], 4),
                stream(2, SETTINGS[3:], 3),
                stream(0, REQUEST[:4]),
                stream(2, SETTINGS[:3]),
            ],
            "1:100;7:5|m,s,a,p",
            id="in pieces",
        ),
        pytest.param([stream(2, SETTINGS)], "1:100;7:5|", id="no request"),
        pytest.param([stream(2, SETTINGS), stream(0, frame(1, b"\xff\xff"))], "1:100;7:5|", id="junk"),
        pytest.param(
            [stream(2, SETTINGS), stream(0, frame(1, bytes.fromhex("0200 80")))],
            "1:100;7:5|",
            id="unknown table",
        ),
        pytest.param([stream(0, REQUEST)], None, id="no settings"),
        pytest.param([stream(2, SETTINGS[:4])], None, id="settings cut"),
        pytest.param([stream(2, b"\0" + frame(4, b"\x02\x00"))], None, id="setting of HTTP/2"),
        pytest.param([stream(2, b"\xc0")], None, id="stream type cut"),
        pytest.param([stream(2, SETTINGS[3:], 3)], None, id="gap"),
    ],
)
def test_streams(frames: list[StreamFrame], expected: str | None) -> None:
    found = perk(frames)

    assert expected == (None if found is None else found.value)
