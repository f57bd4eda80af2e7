"""The page of a trace: self-contained, escaped, bounded."""

import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from qlog.reader import Trace
from qlog.view import MAX_MARKS, MAX_ROWS, page

NASTY = "<script>alert(1)</script><img src=x onerror=y>'\"&"


class Tags(HTMLParser):
    """The tags and attributes of a page, and whether the tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[str] = []
        self.open: list[str] = []
        self.is_sound = True

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_endtag(self, tag: str) -> None:
        self.is_sound &= bool(self.open) and self.open.pop() == tag


def tags_of(text: str) -> Tags:
    tags = Tags()
    tags.feed(text)
    tags.close()
    return tags


def packet(kind: str, number: int, time: float, text: str = "1RTT") -> dict[str, object]:
    header = {"packet_type": text, "packet_number": number}
    frames = [{"frame_type": text}]
    return {
        "time": time,
        "name": f"quic:{kind}",
        "data": {"header": header, "frames": frames, "raw": {"length": 9}},
    }


def example() -> Trace:
    metrics = {"smoothed_rtt": 20, "congestion_window": 12000, "bytes_in_flight": 1200}
    return Trace(
        {"trace": {"vantage_point": {"type": "client"}, "common_fields": {"group_id": NASTY}}},
        [
            packet("packet_sent", 0, 0.0, "initial"),
            packet("packet_sent", 1, 5.0, NASTY),
            packet("packet_received", 0, 6.0),
            packet("packet_lost", 1, 9.0, NASTY),
            {"time": 9.0, "name": "quic:recovery_metrics_updated", "data": metrics},
            {"time": 10.0, "name": NASTY, "data": {"reason": NASTY}},
        ],
    )


def test_the_page_stands_alone() -> None:
    text = page([example()], NASTY)
    tags = tags_of(text)

    assert tags.is_sound and not tags.open
    assert not {"script", "img", "link", "iframe", "object", "base"} & set(tags.names)
    assert not {"src", "href", "onerror", "onload"} & set(tags.attributes)
    assert "default-src &#x27;none&#x27;" in text or "default-src 'none'" in text
    assert not re.search(r"(https?:)?//[a-z]", text)


def test_packets_are_drawn() -> None:
    text = page([example()], "trace")

    assert 3 == text.count("<circle ")
    assert "0.000 ms initial 0, 9 bytes: initial" in text
    assert 1 == text.count("×")
    assert 3 == text.count("<polyline ")


def test_text_of_the_trace_is_escaped() -> None:
    text = page([example()], NASTY)

    assert "<script" not in text
    assert "<img" not in text
    assert "&lt;script&gt;" in text


def test_long_traces_are_thinned_out() -> None:
    count = MAX_MARKS * 2
    trace = Trace({}, [packet("packet_sent", number, float(number)) for number in range(count)])
    text = page([trace], "long")

    assert MAX_MARKS == text.count("<circle ")
    assert f"Every 2th of {count} packets" in text
    assert MAX_ROWS + 1 == text.count("<tr>")


def test_an_empty_trace_has_a_page() -> None:
    assert tags_of(page([Trace()], "")).is_sound
    assert tags_of(page([], "")).is_sound


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KINDS = ("packet_sent", "packet_received", "packet_lost", "recovery_metrics_updated", "<b>")
KEYS = st.sampled_from(
    ("header", "frames", "raw", "length", "packet_number", "packet_type", "frame_type", "smoothed_rtt")
)
DATA = st.dictionaries(KEYS, JSON | st.dictionaries(KEYS, JSON, max_size=3), max_size=5) | JSON


@given(st.lists(st.tuples(st.sampled_from(KINDS), DATA, JSON), max_size=4))
def test_events_unlike_the_schema_do_not_break_the_page(listed: list[tuple[str, object, object]]) -> None:
    trace = Trace({}, [{"time": time, "name": f"quic:{kind}", "data": data} for kind, data, time in listed])

    assert tags_of(page([trace], "any")).is_sound
