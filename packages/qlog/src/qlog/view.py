"""A trace as one page: packets over time, round-trip time and window, and the events.

The page needs nothing but itself: drawings are SVG, there is no script, and a policy forbids loading anything.
Whatever comes from the trace is escaped.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

from qlog.reader import Trace
from qlog.summary import describe, kind_of, number_of, object_of, objects_of, summarize, text_field

WIDTH: Final = 1100
LEFT: Final = 70
MAX_MARKS: Final = 20_000  # beyond, packets are thinned out evenly
MAX_ROWS: Final = 5_000
MAX_DETAIL: Final = 600  # characters of an event's data
COLORS: Final = {"initial": "#8e44ad", "handshake": "#d35400", "0RTT": "#16a085", "1RTT": "#2471a3"}
STYLE: Final = """
body{font:14px/1.4 system-ui,sans-serif;margin:1.5em;color:#222;background:#fff}
pre{background:#f4f4f4;padding:.8em;overflow:auto}
svg{background:#fafafa;border:1px solid #ddd;margin:.3em 0}
svg text{font:11px system-ui,sans-serif;fill:#555}
table{border-collapse:collapse;font:12px/1.3 ui-monospace,monospace}
td,th{border-bottom:1px solid #eee;padding:.15em .6em;text-align:left;vertical-align:top}
td.t{text-align:right}
.lost{color:#c0392b}
"""


@dataclass(slots=True)
class _Mark:
    time: float
    number: float
    packet_type: str
    title: str


@dataclass(slots=True)
class _Drawing:
    sent: list[_Mark] = field(default_factory=list)
    received: list[_Mark] = field(default_factory=list)
    lost: list[tuple[str, float, float]] = field(default_factory=list)  # packet type, number, time
    rtt: list[tuple[float, float]] = field(default_factory=list)
    window: list[tuple[float, float]] = field(default_factory=list)
    in_flight: list[tuple[float, float]] = field(default_factory=list)
    end: float = 0.0


def page(traces: Sequence[Trace], title: str) -> str:
    """The page, whole."""
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
    ]
    for trace in traces:
        parts += _section(trace)
    parts.append("</body></html>\n")
    return "\n".join(parts)


def _section(trace: Trace) -> list[str]:
    drawing = _collect(trace)
    parts = [f"<pre>{escape(describe(summarize(trace)))}</pre>"]
    legend = " ".join(f'<tspan fill="{color}">■ {name}</tspan>' for name, color in COLORS.items())
    for label, marks, lost in (
        ("sent", drawing.sent, drawing.lost),
        ("received", drawing.received, []),
    ):
        parts.append(f"<h2>Packets {label}</h2>")
        parts.append(_packets(marks, lost, drawing.end, legend))
    if drawing.rtt:
        parts += [
            "<h2>Smoothed round-trip time</h2>",
            _lines([("rtt, ms", "#2471a3", drawing.rtt)], drawing.end),
        ]
    if drawing.window or drawing.in_flight:
        lines = [
            ("congestion window, bytes", "#27ae60", drawing.window),
            ("bytes in flight", "#d35400", drawing.in_flight),
        ]
        parts += ["<h2>Congestion</h2>", _lines(lines, drawing.end)]
    parts += _events(trace)
    return parts


def _collect(trace: Trace) -> _Drawing:
    drawing = _Drawing()
    for event in trace.events:
        time = number_of(event, "time") or 0.0
        drawing.end = max(drawing.end, time)
        kind, data = kind_of(event), object_of(event, "data")
        if kind in ("packet_sent", "packet_received"):
            header = object_of(data, "header")
            number = number_of(header, "packet_number")
            if number is None:
                continue
            names = [text_field(frame, "frame_type") for frame in objects_of(data, "frames")]
            packet_type = text_field(header, "packet_type")
            size = int(number_of(object_of(data, "raw"), "length") or 0)
            title = f"{time:.3f} ms {packet_type} {number:.0f}, {size} bytes: {' '.join(names[:20])}"
            marks = drawing.sent if kind == "packet_sent" else drawing.received
            marks.append(_Mark(time, number, packet_type, title))
        elif kind == "packet_lost":
            header = object_of(data, "header")
            number = number_of(header, "packet_number")
            if number is not None:
                drawing.lost.append((text_field(header, "packet_type"), number, time))
        elif kind in ("recovery_metrics_updated", "metrics_updated"):
            for key, points in (
                ("smoothed_rtt", drawing.rtt),
                ("congestion_window", drawing.window),
                ("bytes_in_flight", drawing.in_flight),
            ):
                value = number_of(data, key)
                if value is not None:
                    points.append((time, value))
    return drawing


class _Scale:
    """From times and values to places in a drawing."""

    def __init__(self, end: float, lowest: float, highest: float, height: int) -> None:
        self._width = (WIDTH - LEFT - 20) / (end or 1.0)
        self._lowest = lowest
        self._height = (height - 40) / ((highest - lowest) or 1.0)
        self.height = height

    def x(self, time: float) -> str:
        return f"{LEFT + time * self._width:.1f}"

    def y(self, value: float) -> str:
        return f"{self.height - 25 - (value - self._lowest) * self._height:.1f}"

    def axes(self, end: float, lowest: float, highest: float) -> list[str]:
        """Five marks along either axis."""
        parts = []
        for step in range(5):
            time, value = end * step / 4, lowest + (highest - lowest) * step / 4
            parts.append(f'<text x="{self.x(time)}" y="{self.height - 6}">{time:.1f} ms</text>')
            parts.append(f'<text x="4" y="{self.y(value)}">{value:.0f}</text>')
            parts.append(
                f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{self.y(value)}" y2="{self.y(value)}" stroke="#eee"/>'
            )
        return parts


def _open_svg(height: int) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">'


def _packets(marks: list[_Mark], lost: list[tuple[str, float, float]], end: float, legend: str) -> str:
    if not marks:
        return "<p>none</p>"
    step = -(-len(marks) // MAX_MARKS)
    numbers = [mark.number for mark in marks]
    scale = _Scale(end, min(numbers), max(numbers), 320)
    parts = [_open_svg(320), *scale.axes(end, min(numbers), max(numbers))]
    parts.append(f'<text x="{LEFT}" y="12">packet number over time: {legend}</text>')
    for mark in marks[::step]:
        color = COLORS.get(mark.packet_type, "#777")
        parts.append(
            f'<circle cx="{scale.x(mark.time)}" cy="{scale.y(mark.number)}" r="2.5" fill="{color}">'
            f"<title>{escape(mark.title)}</title></circle>"
        )
    for packet_type, number, time in lost[:MAX_MARKS]:
        title = f"{time:.3f} ms lost: {packet_type} {number:.0f}"
        parts.append(
            f'<text class="lost" x="{scale.x(time)}" y="{scale.y(number)}" style="fill:#c0392b">×'
            f"<title>{escape(title)}</title></text>"
        )
    parts.append("</svg>")
    if step > 1:
        parts.append(f"<p>Every {step}th of {len(marks)} packets is drawn.</p>")
    return "".join(parts)


def _lines(series: list[tuple[str, str, list[tuple[float, float]]]], end: float) -> str:
    highest = max([value for _, _, points in series for _, value in points], default=1.0)
    scale = _Scale(end, 0.0, highest, 200)
    parts = [_open_svg(200), *scale.axes(end, 0.0, highest)]
    for index, (label, color, points) in enumerate(series):
        step = -(-len(points) // MAX_MARKS) or 1
        path = " ".join([f"{scale.x(time)},{scale.y(value)}" for time, value in points[::step]])
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}"/>')
        parts.append(f'<text x="{LEFT + 200 * index}" y="12" style="fill:{color}">{escape(label)}</text>')
    parts.append("</svg>")
    return "".join(parts)


def _events(trace: Trace) -> list[str]:
    shown = trace.events[:MAX_ROWS]
    parts = [f"<details><summary>{len(trace.events)} events</summary><table>"]
    parts.append("<tr><th>ms</th><th>event</th><th>data</th></tr>")
    for event in shown:
        time = number_of(event, "time") or 0.0
        detail = json.dumps(event.get("data"), separators=(", ", ": "))
        if len(detail) > MAX_DETAIL:
            detail = detail[:MAX_DETAIL] + "…"
        parts.append(
            f'<tr><td class="t">{time:.3f}</td><td>{escape(str(event.get("name")))}</td>'
            f"<td>{escape(detail)}</td></tr>"
        )
    parts.append("</table>")
    if len(trace.events) > len(shown):
        parts.append(f"<p>The first {len(shown)} are listed.</p>")
    parts.append("</details>")
    return parts
