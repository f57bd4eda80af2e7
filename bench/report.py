"""Results as a table and as JSON."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from .floor import Floor
from .rounds import Results
from .rows import ROWS, Row
from .usage import load
from .work import Metric, Work

SHOWN_VERSIONS: Final = ("aioquic", "qh3", "cryptography", "uvloop", "uquic-qcore", "uquic-qhttp3")


def about() -> dict[str, str]:
    """Where and when, and with which versions."""
    facts = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": _cpu(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": f"{load():.1f}",
    }
    for name in SHOWN_VERSIONS:
        try:
            facts[name] = version(name)
        except PackageNotFoundError:
            continue
    return facts


def ratio(metric: Metric, ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """How many times better ours is than theirs, by medians; None where one of them is no number to divide by."""
    first, second = median(ours), median(theirs)
    if first <= 0 or second <= 0:
        return None
    return first / second if metric.more_is_better else second / first


def as_json(
    facts: dict[str, str], results: Results, works: Sequence[Work], floor: Floor | None
) -> dict[str, Any]:
    """Everything, for programs."""
    ratios: dict[str, dict[str, float]] = {}
    for work in works:
        values = results.values.get(work.name, {})
        for own, peer in pairs(values):
            for metric in work.metrics:
                found = ratio(metric, values[own][metric.key], values[peer][metric.key])
                if found is not None:
                    ratios.setdefault(f"{work.name} {metric.key}", {})[f"{own} ÷ {peer}"] = round(found, 3)
    return {
        "about": facts,
        "floor": None
        if floor is None
        else {**vars(floor), "sender": floor.sender, "receiver": floor.receiver},
        "results": results.values,
        "ratios": ratios,
        "failures": results.failures,
    }


def pairs(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Each of our rows with each of the peers', as far as they were measured."""
    own = [name for name in values if not ROWS[name].is_peer]
    return [(name, peer) for name in own for peer in values if ROWS[peer].is_peer]


def show(
    console: Console,
    facts: dict[str, str],
    results: Results,
    works: Sequence[Work],
    rows: Sequence[Row],
    floor: Floor | None,
) -> None:
    """Print the tables."""
    console.print(", ".join(f"{key} {value}" for key, value in facts.items()), highlight=False)
    console.print(_values(results, works, rows))
    if any(row.is_peer for row in rows) and any(not row.is_peer for row in rows):
        console.print(_ratios(results, works, rows))
    if floor is not None:
        console.print(_floor(floor))
    for failure in results.failures:
        console.print(failure, style="red", highlight=False, markup=False)


def _values(results: Results, works: Sequence[Work], rows: Sequence[Row]) -> Table:
    table = Table(title="Medians, with the worst and the best run", title_justify="left")
    table.add_column("work")
    table.add_column("")
    for row in rows:
        table.add_column(row.name, justify="right")
    for work in works:
        measured = results.values.get(work.name, {})
        for number, metric in enumerate(work.metrics):
            cells = [_cell(metric, measured.get(row.name, {}).get(metric.key)) for row in rows]
            is_last = number == len(work.metrics) - 1
            table.add_row("" if number else work.title, metric.label, *cells, end_section=is_last)
    return table


def _cell(metric: Metric, values: Sequence[float] | None) -> str:
    if not values:
        return "–"
    middle = _number(median(values))
    if len(values) == 1:
        return middle
    low, high = _number(min(values)), _number(max(values))
    return f"{middle} ({low} … {high})" if metric.more_is_better else f"{middle} ({high} … {low})"


def _ratios(results: Results, works: Sequence[Work], rows: Sequence[Row]) -> Table:
    names = [(own.name, peer.name) for own in rows if not own.is_peer for peer in rows if peer.is_peer]
    table = Table(title="Times better than a peer", title_justify="left")
    table.add_column("work")
    table.add_column("")
    for own, peer in names:
        table.add_column(f"{own} ÷ {peer}", justify="right")
    for work in works:
        measured = results.values.get(work.name, {})
        for number, metric in enumerate(work.metrics):
            cells = []
            for own, peer in names:
                both = [measured.get(name, {}).get(metric.key) for name in (own, peer)]
                found = ratio(metric, both[0], both[1]) if both[0] and both[1] else None
                cells.append("–" if found is None else f"{found:.2f}")
            is_last = number == len(work.metrics) - 1
            table.add_row("" if number else work.title, metric.label, *cells, end_section=is_last)
    return table


def _floor(floor: Floor) -> Table:
    table = Table(title="The floor: primitives alone, µs of CPU per packet", title_justify="left")
    for name in ("", "AEAD", "header protection", "system call", "sum", "CPU-s/GB"):
        table.add_column(name, justify="right" if name else "left")
    for name, aead, call, total in (
        ("sender", floor.seal, floor.send, floor.sender),
        ("receiver", floor.open, floor.receive, floor.receiver),
    ):
        table.add_row(
            name,
            f"{aead:.2f}",
            f"{floor.mask:.3f}",
            f"{call:.2f}",
            f"{aead + floor.mask + call:.2f}",
            f"{total:.2f}",
        )
    if not floor.is_batched:
        table.caption = "without segmentation and receive offload"
    return table


def as_markdown(results: Results, works: Sequence[Work], rows: Sequence[Row]) -> str:
    """The medians as a table for a page, with the ratio of our rows to each peer behind them."""
    measured = [work for work in works if work.name in results.values]
    names = [row.name for row in rows if any(row.name in results.values[work.name] for work in measured)]
    own = [name for name in names if not ROWS[name].is_peer]
    peers = [name for name in names if ROWS[name].is_peer]
    heads = ["work", "", *names, *[f"{name} ÷ {peer}" for name in own for peer in peers]]
    lines = ["| " + " | ".join(heads) + " |", "|---|---|" + "--:|" * (len(heads) - 2)]
    for work in measured:
        found = results.values[work.name]
        for number, metric in enumerate(work.metrics):
            values = {name: found.get(name, {}).get(metric.key) for name in names}
            cells = [_number(median(each)) if each else "–" for each in values.values()]
            for name in own:
                for peer in peers:
                    first, second = values[name], values[peer]
                    times = ratio(metric, first, second) if first and second else None
                    cells.append("–" if times is None else f"{times:.2f}")
            lines.append(f"| {'' if number else work.title} | {metric.label} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
