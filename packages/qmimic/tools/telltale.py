"""How well connections of profiles can be told from captured ones, by classifiers and by tests of each feature.

    python packages/qmimic/tools/telltale.py --all [FOLDER]
    python packages/qmimic/tools/telltale.py CAPTURE PROFILE [CAPTURE PROFILE ...]

`--all` compares whatever the captures in a folder allow: first flights, fresh and resumed, over IPv4 and IPv6; what
follows the server's answer, up to the first request; and profiles learned from the captures of other clients. PROFILE is
a name, a TOML file, a file of draws that `qmimic draw --jsonl` wrote, or `learn`, which learns from one half of the capture
and is tested on the other. A random forest,
boosted trees and logistic regression are cross-validated over more than a thousand features; an AUC of 0.5 is a coin.
What follows the server's answer is compared in visits at the pace of the captured ones: what the server does, when the
client gets round to reading it, and what is asked for are theirs, and told apart is what the client makes of it. Rows that
share a captured visit are learned from together or not at all.
`--hashes` draws thousands of flights instead, and compares what they hash to.

Exit status 1 if an AUC is above the bar and above the floor, which is what mixed sides of the same sizes give, or a
feature differs with a corrected p below the level. Needs scikit-learn: `./hatchw run telltale:run` has it.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from telling.cases import Case, all_cases, drawn_case, flight_case
from telling.hash_report import print_result, result_of
from telling.hashes import tally
from telling.kinds import all_captures

from qmimic import learn
from qmimic.capture import read_capture
from qmimic.catalog import profile
from qmimic.profile import ClientProfile

ROOT: Final = Path(__file__).resolve().parents[3]
DEFAULT_FOLDERS: Final = (ROOT.parent / "shared/captures", ROOT / "packages/qmimic/tests/captures")
AUC: Final = 0.60
LEARNED_AUC: Final = 0.65
LEVEL: Final = 0.01
#: Steps of one comparison: three classifiers and the tests.
STEPS: Final = 4


def main() -> int:
    """Run what was asked for, and print what was found."""
    options = arguments()
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with bar:
        results = list(hash_results(options, bar) if options.hashes else results_of(options, bar))
    if options.json:
        print(json.dumps(results, indent=1))
    elif not options.hashes:
        print_table(results)
    return 0 if results and all(result["verdict"] != "FAILS" for result in results) else 1


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", nargs="*", metavar="CAPTURE PROFILE")
    parser.add_argument("--all", action="store_true", help="everything in a folder of captures")
    parser.add_argument("--hashes", action="store_true", help="hash thousands of draws of each profile")
    parser.add_argument("--only", default="", help="comparisons whose names hold this text")
    parser.add_argument("--count", type=int, help="flights drawn: 300, or 10,000 to hash")
    parser.add_argument(
        "--shuffles", type=int, default=9, help="times that both sides are mixed, for what chance gives"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--resumed", action="store_true", help="of a pair: resumed connections, not fresh ones"
    )
    parser.add_argument("--auc", type=float, default=AUC)
    parser.add_argument("--learned-auc", type=float, default=LEARNED_AUC)
    parser.add_argument("--level", type=float, default=LEVEL)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.folder = Path(options.pairs.pop(0)) if options.all and options.pairs else default_folder()
    if not options.all and not options.hashes and (len(options.pairs) % 2 or not options.pairs):
        parser.error("captures and profiles come in pairs")
    return options


def default_folder() -> Path:
    return next((folder for folder in DEFAULT_FOLDERS if folder.is_dir()), DEFAULT_FOLDERS[-1])


# Comparisons


def results_of(options: argparse.Namespace, bar: Progress) -> Iterator[dict[str, Any]]:
    """One result for each comparison."""
    count = options.count or 300
    cases = (
        all_cases(options.folder, count, options.auc, options.learned_auc)
        if options.all
        else pair_cases(options, count)
    )
    for case in cases:
        if options.only in case.name:
            yield compare(case, options, bar)


def pair_cases(options: argparse.Namespace, count: int) -> Iterator[Case]:
    """The comparisons of captures with profiles that the command line names."""
    for capture, name in zip(options.pairs[::2], options.pairs[1::2], strict=True):
        flows = read_capture(capture)
        if name.endswith(".jsonl"):
            case = drawn_case(name, read_capture(name), flows, options.resumed, options.auc)
        else:
            chosen = learn(flows[::2]) if name == "learn" else load(name)
            tested = flows[1::2] if name == "learn" else flows
            case = flight_case(chosen, tested, options.resumed, count, options.auc)
        if case is None:
            print(f"{capture}: too few connections", file=sys.stderr)
        else:
            yield case


def load(name: str) -> ClientProfile:
    """A built-in profile, or one in a file."""
    if name.endswith(".toml"):
        return ClientProfile.from_toml(Path(name).read_text(encoding="utf-8"))
    return profile(name)


def compare(case: Case, options: argparse.Namespace, bar: Progress) -> dict[str, Any]:
    """One comparison, and the same with the two sides mixed."""
    from telling.separation import separate  # only here is scikit-learn needed

    task = bar.add_task(case.name, total=STEPS + options.shuffles * (STEPS - 1))
    drawn = case.draw(options.seed, case.count)
    found = separate(
        case.real,
        drawn,
        options.seed,
        options.shuffles,
        partial(bar.advance, task),
        is_paired=case.is_paired,
    )
    chance = found.chance
    is_chance = chance is not None and found.best <= chance.floor
    differs = found.smallest_p < options.level
    verdict = "passes"
    if differs or found.best > case.bar:
        verdict = "within chance" if is_chance and not differs else "FAILS"
    return {
        "name": case.name,
        "captured": found.real,
        "drawn": found.drawn,
        "features": found.features,
        "auc": {title: round(area, 3) for title, area in found.areas.items()},
        "best": round(found.best, 3),
        "bar": case.bar,
        "chance": None
        if chance is None
        else {"floor": round(chance.floor, 3), "p": chance.p(found.best), "shuffles": len(chance.areas)},
        "p": found.smallest_p,
        "suspects": [
            {
                "feature": item.title,
                "p": item.p,
                "corrected": item.corrected,
                "real": item.real,
                "drawn": item.drawn,
            }
            for item in found.suspects[:3]
        ],
        "verdict": verdict,
    }


def print_table(results: Sequence[dict[str, Any]]) -> None:
    """What was found, a line a comparison."""
    table = Table(
        caption="floor: what 95 % of the best AUC stay below when both sides are mixed, which is chance; "
        "chance: how often mixed sides are told as well; least p: of a feature, corrected"
    )
    for title in (
        "comparison",
        "captured",
        "drawn",
        "features",
        "forest",
        "trees",
        "logistic",
        "floor",
        "chance",
        "least p",
        "",
    ):
        table.add_column(title, justify="left" if title in ("comparison", "") else "right")
    for result in results:
        chance = result["chance"]
        table.add_row(
            result["name"],
            str(result["captured"]),
            str(result["drawn"]),
            str(result["features"]),
            *(f"{area:.3f}" for area in result["auc"].values()),
            f"{chance['floor']:.3f}" if chance else "",
            f"p {chance['p']:.2g}" if chance else "",
            f"{result['p']:.2g}",
            result["verdict"],
        )
    wide = Console(width=max(Console().width, 140))
    wide.print(table)
    for result in results:
        if result["verdict"] != "passes":
            wide.print(f"{result['name']}:", highlight=False)
            for item in result["suspects"]:
                wide.print(
                    f"  p {item['p']:.2g}, corrected {item['corrected']:.2g}: {item['feature']}: "
                    f"captured {item['real']}, drawn {item['drawn']}",
                    highlight=False,
                )


# Hashes


def hash_results(options: argparse.Namespace, bar: Progress) -> Iterator[dict[str, Any]]:
    """One result for each profile and kind of first flight; each is printed as soon as it is known."""
    count = options.count or 10_000
    for like in all_captures(options.folder):
        if options.only not in like.title:
            continue
        task = bar.add_task(like.title, total=count)
        result = result_of(tally(profile(like.profile), like, count, partial(bar.advance, task)), like)
        bar.remove_task(task)
        if not options.json:
            print_result(result)
        yield result


if __name__ == "__main__":
    sys.exit(main())
