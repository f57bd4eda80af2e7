"""What a trace amounts to: counts, sizes, losses, round-trip times, how it ended."""

from collections import Counter
from dataclasses import dataclass, field

from qlog.reader import Record, Trace, as_number


@dataclass(slots=True)
class Direction:
    """What went one way."""

    packets: Counter[str] = field(default_factory=Counter)  # by packet type
    frames: Counter[str] = field(default_factory=Counter)  # by frame type
    size: int = 0
    stream_data: int = 0


@dataclass(slots=True)
class Summary:
    """Of one trace; times in seconds."""

    vantage_point: str
    group_id: str
    events: int
    skipped: int
    duration: float
    names: Counter[str]
    sent: Direction
    received: Direction
    lost: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    smallest_rtt: float | None = None
    smoothed_rtt: float | None = None
    largest_window: int | None = None
    version: str = ""
    alpn: str = ""
    states: list[str] = field(default_factory=list)
    end: str = ""


def summarize(trace: Trace) -> Summary:
    """Go through the events of a trace once; what is not as the schema says is passed over."""
    events = trace.events
    times = [number_of(event, "time") or 0.0 for event in events]
    summary = Summary(
        vantage_point=trace.vantage_point,
        group_id=trace.group_id,
        events=len(events),
        skipped=trace.skipped,
        duration=(max(times) - min(times)) / 1000 if times else 0.0,
        names=Counter([str(event["name"]) for event in events]),
        sent=Direction(),
        received=Direction(),
    )
    for event in events:
        _add(summary, kind_of(event), object_of(event, "data"))
    return summary


def kind_of(event: Record) -> str:
    """The event's name without its namespace: earlier drafts had others."""
    return str(event.get("name", "")).rpartition(":")[2]


def object_of(record: Record, key: str) -> Record:
    """A field that should be an object; empty if it is not."""
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def objects_of(record: Record, key: str) -> list[Record]:
    """A field that should be a list of objects; what is not is left out."""
    value = record.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def number_of(record: Record, key: str) -> float | None:
    """A field that should be a number; None if it is not, or beyond what a trace counts."""
    return as_number(record.get(key))


def text_field(record: Record, key: str) -> str:
    """A field that should be text; empty if it is not."""
    value = record.get(key)
    return value if isinstance(value, str) else ""


def _add(summary: Summary, kind: str, data: Record) -> None:
    if kind == "packet_sent":
        _add_packet(summary.sent, data)
    elif kind == "packet_received":
        _add_packet(summary.received, data)
    elif kind == "packet_lost":
        summary.lost += 1
    elif kind == "packet_dropped":
        summary.dropped[text_field(data, "trigger") or "general"] += 1
    elif kind in ("recovery_metrics_updated", "metrics_updated"):
        smallest, smoothed = number_of(data, "min_rtt"), number_of(data, "smoothed_rtt")
        window = number_of(data, "congestion_window")
        if smallest is not None:
            summary.smallest_rtt = smallest / 1000
        if smoothed is not None:
            summary.smoothed_rtt = smoothed / 1000
        if window is not None:
            summary.largest_window = max(int(window), summary.largest_window or 0)
    elif kind == "version_information":
        summary.version = text_field(data, "chosen_version") or summary.version
    elif kind == "alpn_information":
        chosen = data.get("chosen_alpn")
        summary.alpn = text_field(chosen, "string_value") if isinstance(chosen, dict) else str(chosen or "")
    elif kind == "connection_state_updated":
        summary.states.append(text_field(data, "new"))
    elif kind == "connection_closed":
        words = [
            text_field(data, key)
            for key in ("initiator", "trigger", "connection_error", "application_error", "reason")
        ]
        code = data.get("error_code")
        summary.end = " ".join(
            [word for word in words if word] + ([f"code {code}"] if code is not None else [])
        )


def _add_packet(direction: Direction, data: Record) -> None:
    direction.packets[text_field(object_of(data, "header"), "packet_type") or "unknown"] += 1
    direction.size += int(number_of(object_of(data, "raw"), "length") or 0)
    for frame in objects_of(data, "frames"):
        name = text_field(frame, "frame_type") or "unknown"
        direction.frames[name] += 1
        if name == "stream":
            length = number_of(object_of(frame, "raw"), "length")
            direction.stream_data += int(length if length is not None else number_of(frame, "length") or 0)


def describe(summary: Summary) -> str:
    """The summary as lines of text."""
    lines = [
        f"{summary.vantage_point} {summary.group_id or '(no connection ID)'}",
        f"  events      {summary.events} in {summary.duration:.3f} s",
    ]
    if summary.skipped:
        lines.append(f"  skipped     {summary.skipped} unreadable records")
    if summary.version or summary.alpn:
        lines.append(f"  protocol    version {summary.version or '?'} alpn {summary.alpn or '?'}")
    for label, direction in (("sent", summary.sent), ("received", summary.received)):
        lines.append(
            f"  {label:11} {_counts(direction.packets) or 'nothing'}; {direction.size} bytes, "
            f"{direction.stream_data} of streams"
        )
        if direction.frames:
            lines.append(f"              {_counts(direction.frames)}")
    lines.append(f"  lost        {summary.lost}")
    if summary.dropped:
        lines.append(f"  dropped     {_counts(summary.dropped)}")
    if summary.smoothed_rtt is not None:
        smallest = summary.smallest_rtt if summary.smallest_rtt is not None else summary.smoothed_rtt
        lines.append(
            f"  rtt         {smallest * 1000:.1f} ms smallest, {summary.smoothed_rtt * 1000:.1f} ms last"
        )
    if summary.largest_window is not None:
        lines.append(f"  window      {summary.largest_window} bytes at most")
    if summary.states:
        lines.append(f"  states      {' > '.join(summary.states)}")
    if summary.end:
        lines.append(f"  closed      {summary.end}")
    return "\n".join(_plain(line) for line in lines)


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common())


def _plain(line: str) -> str:
    """Text of a trace may come from a peer: nothing in it may steer a terminal."""
    return "".join([character if character.isprintable() else "?" for character in line])
