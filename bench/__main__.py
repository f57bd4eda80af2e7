"""``./hatchw run bench``: measure, print a table, draw a picture."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from . import certificates, compiled, floor, report
from .rounds import Runner, run_rounds
from .rows import ROWS
from .usage import allow_many_files
from .work import WORKS

ROUNDS = 5
QUICK_SCALE = 0.1


@click.command()
@click.option("--row", "row_names", multiple=True, type=click.Choice(list(ROWS)), help="Only these rows.")
@click.option(
    "--work", "work_names", multiple=True, help="Only this work, or those whose names begin so; see --list."
)
@click.option("--rounds", type=click.IntRange(1), help=f"Rounds; {ROUNDS}, or 1 with --quick.")
@click.option(
    "--quick", is_flag=True, help="One round with a tenth of the work: an impression, not a measurement."
)
@click.option("--scale", type=click.FloatRange(0.001, 10.0), help="Share of the work to do.")
@click.option("--loop", type=click.Choice(["asyncio", "uvloop"]), help="This loop for all rows.")
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the JSON to a file as well."
)
@click.option("--markdown", type=click.Path(path_type=Path, dir_okay=False), help="Write a table for a page.")
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw a picture: .svg, .png or .pdf."
)
@click.option(
    "--flame",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw where the time of the server goes, of the first row and work chosen, and measure nothing.",
)
@click.option("--list", "shows_list", is_flag=True, help="Name rows and works, and do nothing.")
def main(
    row_names: tuple[str, ...],
    work_names: tuple[str, ...],
    rounds: int | None,
    quick: bool,
    scale: float | None,
    loop: str | None,
    as_json: bool,
    out: Path | None,
    markdown: Path | None,
    plot: Path | None,
    flame: Path | None,
    shows_list: bool,
) -> None:
    """Measure this stack beside aioquic and qh3: client and server in processes of their own, on the loopback, every
    row in turn, round after round."""
    if shows_list:
        click.echo("rows: " + " ".join(ROWS))
        for work in WORKS.values():
            click.echo(f"{work.name:20} {work.title}: " + ", ".join(metric.label for metric in work.metrics))
        return
    families = tuple(name for name in work_names if name not in WORKS)  # by how their names begin
    works = [
        work
        for work in WORKS.values()
        if not work_names or work.name in work_names or work.name.startswith(families)
    ]
    if not works:
        raise click.UsageError(f"no work begins with {' or '.join(work_names)}")
    rows = [row for row in ROWS.values() if not row_names or row.name in row_names]
    errors = Console(stderr=True)
    built: Path | None = None
    if any(row.is_compiled for row in rows):
        built = _build(errors)
        if built is None:
            rows = [row for row in rows if not row.is_compiled]
    scale = scale or (QUICK_SCALE if quick else 1.0)
    rounds = rounds or (1 if quick else ROUNDS)
    allow_many_files()
    facts = report.about()
    with tempfile.TemporaryDirectory() as name:
        certificates.make(Path(name))
        runner = Runner(Path(name), built, scale, loop)
        if flame is not None:
            runner.run(rows[0], works[0], flame)
            return
        with Progress(
            TextColumn("{task.description:48}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=errors,
            transient=True,
            disable=not errors.is_terminal,
        ) as progress:
            steps = sum(1 for work in works for row in rows if not work.only or row.stack in work.only)
            task = progress.add_task("", total=steps * rounds)
            progress.update(task, completed=-1)
            results = run_rounds(
                runner, rows, works, rounds, lambda step: progress.update(task, advance=1, description=step)
            )
    floors = floor.measure(scale)
    found = report.as_json(facts, results, works, floors)
    if out is not None:
        out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        report.show(Console(), facts, results, works, rows, floors)
    if markdown is not None:
        markdown.write_text(report.as_markdown(results, works, rows))
    if plot is not None:
        from .plot import draw

        draw(plot, facts, results, works, rows)
    sys.exit(1 if results.failures else 0)


def _build(console: Console) -> Path | None:
    with console.status("Looking for compiled wheels") as status:
        try:
            built = compiled.build(lambda step: status.update(f"Building {step}"))
        except (subprocess.CalledProcessError, OSError, RuntimeError) as error:
            console.print(f"no compiled row: {error}", highlight=False)
            return None
    if built is None:
        console.print("no compiled row: the wheels came out without compiled modules", highlight=False)
    return built


if __name__ == "__main__":
    main(prog_name="bench")
