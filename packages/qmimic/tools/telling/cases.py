"""What is compared with what: captures of real clients, and connections of profiles made like them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from qmimic import learn
from qmimic.capture import CapturedFlow, read_capture
from qmimic.catalog import profile
from qmimic.draw import Family, draw_flows
from qmimic.observation import Observed, observe
from qmimic.profile import ClientProfile

from .asked import Asked, asked
from .kinds import CLIENTS
from .later import Part, later_traits
from .pace import Pace, pace_of
from .replay import replay
from .traits import Traits, traits

#: Browsers that are learned from only as a check: they have profiles of their own.
BROWSERS: Final = ("chromium-", "firefox-")
#: Of visits, by what comparisons of them are called.
PARTS: Final[dict[Part, str]] = {
    "fresh": "after the answer",
    "early": "early data",
    "resumed": "after the answer, resumed",
}
#: Seeds that are tried for a visit that gets as far as its model.
ATTEMPTS: Final = 3
#: Rows a side, below which nothing can be cross-validated in five folds.
FEWEST: Final = 5
#: What headless Chromium calls itself; the profile does not.
HEADLESS: Final = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36"


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
        real: rows of the captured side.
        draw: makes that many rows of the other side from a seed.
        count: how many of them, unless the user says otherwise.
        bar: the AUC that is not to be exceeded.
        is_paired: drawn row i was made like captured row i, modulo their number.
    """

    name: str
    real: Sequence[Traits]
    draw: Callable[[int, int], Sequence[Traits]]
    count: int
    bar: float
    is_paired: bool = False


def all_cases(folder: Path, count: int, bar: float, learned_bar: float) -> Iterator[Case]:
    """Every comparison that the captures in a folder allow; those with too few connections are left out."""
    for name, client in CLIENTS.items():
        for kind in ("flight", "flight6", "resumed"):
            found = sorted(folder.glob(f"{client}-{kind}*.jsonl"))
            if found:
                case = flight_case(profile(name), read_capture(found[0]), kind == "resumed", count, bar)
                if case is not None:
                    yield case
        files = [
            file for kind in ("h3", "resumed") for file in sorted(folder.glob(f"{client}-{kind}*.jsonl"))
        ]
        whole = [flow for file in files for flow in read_capture(file)]
        for part in PARTS:
            case = visit_case(profile(name), whole, part, count, bar)
            if case is not None:
                yield case
    for file in sorted(folder.glob("*-flight*.jsonl")):
        if not file.name.startswith(BROWSERS):
            yield from learned_cases(file, count, learned_bar)


def flight_case(
    chosen: ClientProfile, flows: Sequence[CapturedFlow], resumed: bool, count: int, bar: float
) -> Case | None:
    """First flights of a profile against captured ones; None where there are too few."""
    items = [item for item in observe(flows) if item.is_resumed == resumed]
    if len(items) < FEWEST:
        return None
    kind = "resumed" if resumed else "fresh"
    family: Family = 6 if items[0].family == 6 else 4
    label = f"{chosen.name}, {kind}" + (" over IPv6" if family == 6 else "")
    names = names_of(items)

    def draw(seed: int, size: int) -> list[Traits]:
        drawn = draw_flows(chosen, seed=seed, count=size, server_names=names, family=family, resumed=resumed)
        return [row_of(item) for item in observe(drawn)]

    return Case(label, [row_of(item) for item in items], draw, count, bar)


def drawn_case(
    name: str, drawn: Sequence[CapturedFlow], flows: Sequence[CapturedFlow], resumed: bool, bar: float
) -> Case | None:
    """First flights that were drawn before, and written down, against captured ones; None where there are too few."""
    items = [item for item in observe(flows) if item.is_resumed == resumed]
    rows = [row_of(item) for item in observe(drawn) if item.is_resumed == resumed]
    if min(len(items), len(rows)) < FEWEST:
        return None
    return Case(name, [row_of(item) for item in items], lambda seed, size: rows[:size], len(rows), bar)


def row_of(item: Observed) -> Traits:
    """Traits of a first flight, and the time that it took; but resumed ones were captured behind a relay, at its pace."""
    row = traits(item)
    if not item.is_resumed:
        row["datagrams.gap"] = max((after - before for before, after in pairwise(item.times_ms)), default=0.0)
    return row


def names_of(items: Sequence[Observed]) -> list[str]:
    return [item.fingerprint.server_name or "localhost" for item in items]


def learned_cases(file: Path, count: int, bar: float) -> Iterator[Case]:
    """A profile learned from one half of a capture, against the other half and against all of it."""
    flows = read_capture(file)
    whole = observe(flows)
    if len(whole) < 2 * FEWEST:
        if not whole:
            return
        halves = [("itself", flows, flows)]
    else:
        halves = [("the other half", flows[::2], flows[1::2]), ("all", flows[::2], flows)]
    for against, taught, tested in halves:
        learned = learn(taught, name=f"learned from {file.name.partition('-flight')[0]}")
        case = flight_case(learned, tested, whole[0].is_resumed, count, bar)
        if case is not None:
            yield Case(f"{learned.name}, against {against}", case.real, case.draw, count, bar)


def visit_case(
    chosen: ClientProfile, flows: Sequence[CapturedFlow], part: Part, count: int, bar: float
) -> Case | None:
    """Visits of a profile to a server like the captured one, each at the pace of a captured visit."""
    kept = [
        (flow, row)
        for flow in flows
        if (flow.about.get("label") == "resumed-0rtt") == (part != "fresh")
        and (row := later_traits(flow, part)) is not None
    ]
    if len(kept) < FEWEST:
        return None
    headers = (("user-agent", HEADLESS),) if chosen.name.startswith("chrome") else ()
    models = [(pace_of(flow), asked(flow)) for flow, _ in kept]

    def draw(seed: int, size: int) -> list[Traits]:
        return [visit(*models[index % len(models)], f"{seed}/{index}") for index in range(size)]

    def visit(pace: Pace, wanted: Asked, seed: str) -> Traits:
        for attempt in range(ATTEMPTS):
            again = part != "fresh"
            flow = replay(chosen, pace, wanted, headers=headers, seed=f"{seed}/{attempt}", resumed=again)
            row = later_traits(flow, part)
            if row is not None:
                return row
        raise RuntimeError(f"{chosen.name}, seed {seed}: the visit does not get as far as the captured one")

    rows = [row for _, row in kept]
    return Case(f"{chosen.name}, {PARTS[part]}", rows, draw, count, bar, is_paired=True)
