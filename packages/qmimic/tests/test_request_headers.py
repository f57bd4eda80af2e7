"""Header fields of requests against those of captured visits: which, in which order, with what values."""

from pathlib import Path

import pytest

import quicvarint
from qhttp3.qpack import Decoder
from qmimic import profile
from qmimic.capture import CapturedFlow, read_capture
from qmimic.dissection import dissect_flow

BROWSERS = {
    "chrome-156": "chromium-156.0.8078.79",
    "firefox-esr-153": "firefox-esr-153.7.0esr",
    "firefox-159": "firefox-159.0",
}
ENCODER = b"\x02"
HEADERS = 0x01


def client_streams(flow: CapturedFlow) -> dict[int, bytes]:
    """The client's streams, whole."""
    pieces: dict[int, dict[int, bytes]] = {}
    for datagram in dissect_flow(flow)["datagrams"]:
        for packet in datagram["packets"] if datagram["dir"] == "c" else ():
            for frame in packet.get("frames", ()):
                if frame["frame"] == "stream":
                    data = bytes.fromhex(frame["data"])
                    pieces.setdefault(frame["stream_id"], {})[frame["offset"]] = data
    return {stream: b"".join(part for _, part in sorted(parts.items())) for stream, parts in pieces.items()}


def requests(flow: CapturedFlow) -> list[list[tuple[str, str]]]:
    """The fields of each request, pseudo-headers first."""
    streams = client_streams(flow)
    decoder = Decoder(65_536, 100)
    for stream, data in streams.items():
        if stream % 4 == 2 and data.startswith(ENCODER):
            decoder.receive(data[1:])
    found = []
    for stream in sorted(number for number in streams if number % 4 == 0):
        data = streams[stream]
        size, start = quicvarint.parse(data, 1)
        assert HEADERS == data[0]
        fields = decoder.decode(stream, data[start : start + size])
        if fields is not None:
            found.append([(name.decode(), value.decode()) for name, value in fields])
    return found


@pytest.mark.parametrize("name", BROWSERS)
def test_headers_are_those_of_the_browser(name: str, shared: Path) -> None:
    spec = profile(name).http3
    assert spec is not None
    destinations = set()
    for flow in read_capture(shared / "captures" / f"{BROWSERS[name]}-h3-train.jsonl"):
        for fields in requests(flow):
            values = dict(fields)
            destination = values["sec-fetch-dest"]
            if values[":path"] == "/favicon.ico":
                continue  # an image of another priority
            expected = spec.complete([], values[":authority"], destination, values.get("referer", ""))
            # A headless browser says so; the profile does not.
            given = [(field, value.replace("HeadlessChrome", "Chrome")) for field, value in fields]
            assert [*spec.pseudo_headers] == [field for field, _ in given[:4]]
            if destination == "image" and ("priority", "u=4, i") in given:
                expected[-1] = ("priority", "u=4, i")  # a picture that Firefox knows to be in sight
            assert given[4:] == expected, destination
            destinations.add(destination)

    assert {"document", *(item.name for item in spec.destinations)} == destinations
