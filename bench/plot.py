"""Results as a picture: how many times better each row is than the slowest, per work, on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from .rounds import Results
from .rows import Row
from .work import Work


def draw(
    path: Path, facts: dict[str, str], results: Results, works: Sequence[Work], rows: Sequence[Row]
) -> None:
    """Write the picture; its kind follows from the ending of the name."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    measured = [work for work in works if work.name in results.values]
    plain = [work for work in measured if not work.is_growth]
    growing = _families([work for work in measured if work.is_growth])
    parts = (1 if plain else 0) + (1 if growing else 0)
    if not parts:
        return
    heights = [max(2.5, 0.2 * len(plain) * (len(rows) + 1))] * bool(plain) + [4.0] * bool(growing)
    figure = pyplot.figure(figsize=(10, sum(heights)), layout="constrained")
    figure.suptitle(f"{facts['date']}, {facts['cpu']}, Python {facts['python']}", fontsize=9)
    parts_of = figure.subfigures(parts, 1, height_ratios=heights, squeeze=False)[:, 0]
    if plain:
        _bars(parts_of[0].subplots(), results, plain, rows)
    if growing:
        for axes, works_of in zip(
            parts_of[-1].subplots(1, len(growing), squeeze=False)[0], growing, strict=True
        ):
            _curves(axes, results, works_of, rows)
    figure.savefig(path)


def _families(works: Sequence[Work]) -> list[list[Work]]:
    families: dict[str, list[Work]] = {}
    for work in works:
        families.setdefault(work.name.rpartition("-")[0], []).append(work)
    return list(families.values())


def _bars(axes: Any, results: Results, works: Sequence[Work], rows: Sequence[Row]) -> None:
    width = 0.8 / len(rows)
    for place, row in enumerate(rows):
        for number, work in enumerate(works):
            metric = work.metrics[0]
            found = {name: median(values[metric.key]) for name, values in results.values[work.name].items()}
            if row.name not in found or min(found.values()) <= 0:
                continue
            value = found[row.name]
            times = value / min(found.values()) if metric.more_is_better else max(found.values()) / value
            y = number + (place - (len(rows) - 1) / 2) * width
            axes.barh(y, times, width, color=f"C{place}", label=row.name if not number else None)
            axes.text(times, y, f" {value:,.4g}", va="center", fontsize=6)
    axes.set_yticks(
        range(len(works)), [f"{work.title}\n{work.metrics[0].label}" for work in works], fontsize=7
    )
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("times better than the slowest", fontsize=8)
    axes.legend(fontsize=8)


def _curves(axes: Any, results: Results, works: Sequence[Work], rows: Sequence[Row]) -> None:
    metric = works[0].metrics[0]
    for place, row in enumerate(rows):
        points = [
            (int(work.name.rpartition("-")[2]), median(results.values[work.name][row.name][metric.key]))
            for work in works
            if row.name in results.values[work.name]
        ]
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", color=f"C{place}", label=row.name)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(works[0].name.rpartition("-")[0], fontsize=8)
    axes.set_title(metric.label, fontsize=8)
    axes.legend(fontsize=7)
