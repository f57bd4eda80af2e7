"""What `--hashes` says: for machines, and in words."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from .hashes import Comparison, Tally, cause_of, compare
from .kinds import Captures

#: Below it frequencies are not alike.
LEVEL = 0.01


def result_of(found: Tally, like: Captures) -> dict[str, Any]:
    """What was drawn beside what was captured, and whether it passes."""
    beside = compare(found, like)
    fails = (
        found.invalid
        or beside.unlike
        or beside.foreign_ja4
        or beside.alike < LEVEL
        or (like.items and beside.foreign)
    )
    return {
        "name": like.title,
        "drawn": found.v2.total(),
        "invalid": [f"seed {seed}: {reason}" for seed, reason in found.invalid],
        "captured": len(like.items),
        "hashes": [
            {
                "v2": value,
                "cause": cause_of(found.examples[value]),
                "drawn": times,
                "captured": beside.captured[value],
            }
            for value, times in found.v2.most_common()
        ],
        "frequencies_p": round(beside.alike, 4) if like.items else None,
        "said": list(said(found, beside, like)),
        "verdict": "FAILS" if fails else "passes",
    }


def said(found: Tally, beside: Comparison, like: Captures) -> Iterator[str]:
    """The result in words, a sentence each."""
    drawn = found.v2.total()
    total = drawn + len(found.invalid)
    yield f"{len(found.invalid)} of {total} draws are invalid."
    yield from (f"invalid: seed {seed}: {reason}" for seed, reason in found.invalid[:5])
    if not like.items:
        yield f"Nobody has captured this: of its {len(found.v2)} hashes nothing can be said."
        return
    count = len(like.items)
    yield f"{part(beside.seen, drawn)} hash as one of {count} captures does."
    if beside.put_together:
        yield (
            f"{part(beside.put_together, drawn)} have the ClientHello and parameters of these captures, and a header "
            "that other captures of the client show: another length of the connection ID or size of the number."
        )
    if beside.by_rule:
        yield (
            f"{part(beside.by_rule, drawn)} have the ClientHello and parameters of these captures, and a header that no "
            "capture shows and the client's rule gives."
        )
    if beside.put_together or beside.by_rule:
        yield f"So few captures are expected to lack the hashes of {100 * beside.lacked:.1f} % of all connections."
    if beside.foreign:
        yield f"{part(beside.foreign, drawn)} have a ClientHello or parameters that no capture shows."
    yield (
        f"Frequencies as far apart as these come of one source with p = {beside.alike:.2g} (draws and captures mixed)."
    )
    for item in beside.unlike:
        yield f"{item.value}: drawn {item.drawn} times, captured {item.captured} times, corrected p = {item.p:.2g}."
    for value in beside.foreign_ja4:
        yield f"JA4 {value} is drawn and was never captured."


def part(times: int, total: int) -> str:
    return f"{times} draws ({100 * times / total:.1f} %)" if total else "0 draws"


def print_result(result: dict[str, Any]) -> None:
    """A line for each hash, with what it follows from; then the sentences."""
    table = Table(title=f"{result['name']}: {result['verdict']}")
    for title in ("v2", "follows from", "drawn", "captured"):
        table.add_column(title, justify="right" if title in ("drawn", "captured") else "left")
    for row in result["hashes"]:
        shown = f"{100 * row['captured'] / result['captured']:.1f} %" if row["captured"] else "none"
        table.add_row(row["v2"], row["cause"], f"{100 * row['drawn'] / result['drawn']:.2f} %", shown)
    console = Console(width=max(Console().width, 120))
    console.print(table)
    for line in result["said"]:
        console.print(line, highlight=False)
