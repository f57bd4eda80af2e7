"""What a trace amounts to."""

from hypothesis import given
from hypothesis import strategies as st

from qlog import events
from qlog.packets import header_of
from qlog.reader import Trace, load_traces
from qlog.summary import describe, summarize
from qlog.writer import TraceWriter
from qwire.constants import VERSION_1, PacketType
from qwire.frames import AckFrame, CryptoFrame, PaddingFrame, StreamFrame


def example() -> Trace:
    records: list[str] = []
    writer = TraceWriter(records.append, vantage_point="client", group_id="0203")
    long = header_of(PacketType.INITIAL, 0, VERSION_1, b"\x02\x03", b"\x01")
    short = header_of(PacketType.ONE_RTT, 0, VERSION_1, b"", b"")
    crypto = [CryptoFrame(0, bytes(300)), PaddingFrame(800)]
    writer.event(0.0, events.VERSION_INFORMATION, events.version_information((), VERSION_1))
    writer.event(0.0, events.PACKET_SENT, events.packet(long, crypto, 1200, 3))
    stream = [StreamFrame(0, 0, bytes(100), True), AckFrame([(0, 0)], 0)]
    writer.event(0.1, events.PACKET_SENT, events.packet(short, stream, 150, 3))
    writer.event(0.1, events.PACKET_RECEIVED, events.packet(short, stream, 160, 3))
    writer.event(0.1, events.ALPN_INFORMATION, {"chosen_alpn": {"string_value": "h3"}})
    metrics = {"min_rtt": 20, "smoothed_rtt": 25.5, "congestion_window": 14720}
    writer.event(0.2, events.RECOVERY_METRICS_UPDATED, metrics)
    writer.event(0.2, events.PACKET_LOST, events.packet_lost(2, 0, "time_threshold"))
    writer.event(0.2, events.PACKET_DROPPED, events.packet_dropped("duplicate", 40))
    writer.event(0.2, events.CONNECTION_STATE_UPDATED, {"old": "attempted", "new": "closed"})
    writer.event(1.5, events.CONNECTION_CLOSED, events.connection_closed(True, 256, True, "done\x1b[2J"))
    return load_traces("".join(records).encode())[0]


def test_summary_counts() -> None:
    summary = summarize(example())

    assert ("client", "0203", 10, 0, 1.5) == (
        summary.vantage_point,
        summary.group_id,
        summary.events,
        summary.skipped,
        summary.duration,
    )
    assert {"initial": 1, "1RTT": 1} == summary.sent.packets
    assert {"crypto": 1, "padding": 1, "stream": 1, "ack": 1} == summary.sent.frames
    assert (1350, 100, 160, 100) == (
        summary.sent.size,
        summary.sent.stream_data,
        summary.received.size,
        summary.received.stream_data,
    )
    assert (1, {"duplicate": 1}) == (summary.lost, summary.dropped)
    assert (0.020, 0.0255, 14720) == (summary.smallest_rtt, summary.smoothed_rtt, summary.largest_window)
    assert ("00000001", "h3", ["closed"]) == (summary.version, summary.alpn, summary.states)


def test_text_of_a_peer_does_not_reach_the_terminal_raw() -> None:
    text = describe(summarize(example()))

    assert "closed      local application unknown done?[2J code 256" in text
    assert "rtt         20.0 ms smallest, 25.5 ms last" in text
    assert "\x1b" not in text


def test_an_empty_trace_has_a_summary() -> None:
    assert "unknown (no connection ID)" in describe(summarize(Trace()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KINDS = (
    "packet_sent",
    "packet_lost",
    "packet_dropped",
    "recovery_metrics_updated",
    "version_information",
    "alpn_information",
    "connection_state_updated",
    "connection_closed",
)
KEYS = st.sampled_from(
    (
        "header",
        "frames",
        "raw",
        "length",
        "packet_number",
        "packet_type",
        "frame_type",
        "smoothed_rtt",
        "min_rtt",
        "congestion_window",
        "chosen_alpn",
        "trigger",
        "error_code",
    )
)
DATA = st.dictionaries(KEYS, JSON | st.dictionaries(KEYS, JSON, max_size=3), max_size=5) | JSON


@given(st.lists(st.tuples(st.sampled_from(KINDS), DATA, JSON), max_size=4))
def test_events_unlike_the_schema_are_passed_over(listed: list[tuple[str, object, object]]) -> None:
    trace = Trace(
        events=[{"time": time, "name": f"quic:{kind}", "data": data} for kind, data, time in listed]
    )

    assert describe(summarize(trace))
