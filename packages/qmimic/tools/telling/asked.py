"""What a captured client asked for first, which the sizes of its packets depend on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from qhttp3.qpack import Decoder
from qmimic.capture import CapturedFlow
from qmimic.dissection import dissect_flow
from qmimic.fingerprint.perk import ENCODER, HEADERS, collected, frame_of_type, settings_of, stream_of_type
from qwire.frames import StreamFrame

REQUEST: Final = 0  # the first request's stream
MAX_SECTION: Final = 65_536


@dataclass(frozen=True)
class Asked:
    """A request: for what, and on whose behalf, as `qmimic.Client.request` takes it."""

    host: str
    path: str = "/"
    destination: str = "document"
    referer: str = ""


def asked(flow: CapturedFlow) -> Asked:
    """The first request of a captured client."""
    fields = dict(asked_fields(flow))
    return Asked(
        flow.about["host"],
        fields.get(":path", "/"),
        fields.get("sec-fetch-dest", "document"),
        fields.get("referer", ""),
    )


def asked_fields(flow: CapturedFlow) -> list[tuple[str, str]]:
    """The fields of the first request in their order; empty if it cannot be read."""
    datagrams = dissect_flow(flow)["datagrams"]
    sent = collected(stream_frames(datagrams, "c"))
    settings = settings_of(collected(stream_frames(datagrams, "s")))
    section = frame_of_type(sent.get(REQUEST, b""), HEADERS)
    if section is None:
        return []
    decoder = Decoder(settings.qpack_max_table_capacity if settings else 0, 1, MAX_SECTION)
    decoder.receive(stream_of_type(sent, ENCODER) or b"")
    fields = decoder.decode(REQUEST, section) or []
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]


def stream_frames(datagrams: list[dict[str, Any]], side: str) -> Iterator[StreamFrame]:
    """The STREAM frames of one side."""
    for item in datagrams:
        if item["dir"] == side:
            for packet in item["packets"]:
                for frame in packet.get("frames", []):
                    if frame["frame"] == "stream":
                        yield StreamFrame(
                            frame["stream_id"], frame["offset"], bytes.fromhex(frame["data"]), frame["fin"]
                        )
