"""Where two clients part: profiles or captures, field by field, with what hashes cannot see.

Each side is a set of first flights. Values are compared as sets, with their frequencies; sizes and counts as
distributions; orders as rules. A difference is reported only if chance does not explain it, so a capture of one
connection may agree with a profile that could have drawn it.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from .capture import CapturedFlow
from .draw import Family, draw_flows, draw_unanswered
from .observation import Observed, numbers, observe, observe_flow, orders, values
from .ordering import order_rule
from .probes import Probes, probes_of, typical_times
from .profile import ClientProfile
from .statistics import fisher_p, kolmogorov_smirnov_p

#: Flights drawn from a profile.
DRAWS: Final = 150
#: Unanswered connections drawn from a profile.
ATTEMPTS: Final = 3
SECONDS: Final = 5.0
SEED: Final = 20_000
DEFAULT_NAMES: Final = ("www.example.com", "a.example", "static.example.org")
#: A reported difference is chance in one of ten thousand comparisons of equals.
LEVEL: Final = 1e-4
#: Values of which one side has none are a difference if their absence there is less likely than this.
NEVER_SEEN: Final = 0.01
#: Fewer flights say nothing about a distribution, only whether they lie within the other's bounds.
FEW: Final = 8
#: How far beyond the bounds of many a few may lie, as a share of the distance between them.
MARGIN: Final = 0.5
#: Medians of probe times that are closer than this, relatively, are taken for equal.
TIME_TOLERANCE: Final = 0.15
SHOWN_VALUES: Final = 4
SHOWN_LENGTH: Final = 120

Kind = tuple[bool, int]  # resumed, IP version


@dataclass(frozen=True, slots=True)
class Difference:
    """One field on which the sides part; `a` and `b` say what each has."""

    kind: str
    field: str
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class Side:
    """First flights of one client, and how it goes on where nobody answers."""

    flights: list[Observed]
    probes: list[Probes] = field(default_factory=list)

    @property
    def kinds(self) -> set[Kind]:
        """Which kinds of connections there are."""
        return {kind_of(item) for item in self.flights}

    def of(self, kind: Kind) -> list[Observed]:
        return [item for item in self.flights if kind_of(item) == kind]


def kind_of(item: Observed) -> Kind:
    return item.is_resumed, item.family


def side_of_capture(flows: Sequence[CapturedFlow]) -> Side:
    """What a capture file shows."""
    flights: list[Observed] = []
    probes: list[Probes] = []
    for flow in flows:
        found = list(observe_flow(flow))
        flights.extend(found)
        if len(found) == 1 and (later := probes_of(flow, found[0])) is not None:
            probes.append(later)
    return Side(flights, probes)


def side_of_profile(
    profile: ClientProfile, kinds: Iterable[Kind], server_names: Sequence[str], with_probes: bool
) -> Side:
    """Draws of these kinds, for servers of these names."""
    flights: list[Observed] = []
    for resumed, version in kinds:
        family: Family = 6 if version == 6 else 4
        flights.extend(
            observe(
                draw_flows(
                    profile,
                    seed=SEED,
                    count=DRAWS,
                    server_names=server_names,
                    family=family,
                    resumed=resumed,
                )
            )
        )
    probes: list[Probes] = []
    for flow in draw_unanswered(
        profile, seed=SEED, count=ATTEMPTS, server_names=server_names, seconds=SECONDS
    ):
        [first] = observe_flow(flow)
        if (later := probes_of(flow, first)) is not None:
            probes.append(later)
    return Side(flights, probes)


def sides(
    a: ClientProfile | Sequence[CapturedFlow], b: ClientProfile | Sequence[CapturedFlow]
) -> tuple[Side, Side]:
    """Both sides; a profile draws what the other side shows, for the same names."""
    known = [side_of_capture(item) for item in (a, b) if not isinstance(item, ClientProfile)]
    kinds = {kind for side in known for kind in side.kinds} or {(False, 4), (False, 6), (True, 4)}
    names = [item.fingerprint.server_name for side in known for item in side.flights]
    server_names = [name for name in names if name] or DEFAULT_NAMES
    with_probes = all(side.probes for side in known)
    captured = iter(known)
    first, second = (
        side_of_profile(item, sorted(kinds), server_names, with_probes)
        if isinstance(item, ClientProfile)
        else next(captured)
        for item in (a, b)
    )
    return first, second


def diff(
    a: ClientProfile | Sequence[CapturedFlow], b: ClientProfile | Sequence[CapturedFlow]
) -> list[Difference]:
    """Every field on which `a` and `b` part.

    Args:
        a, b: a profile, or captured flows.

    Raises:
        ValueError: a capture without a first flight, or two captures with no kind of connection in common.
    """
    first, second = sides(a, b)
    if not first.flights or not second.flights:
        raise ValueError("no first flight to compare")
    common = sorted(first.kinds & second.kinds)
    if not common:
        raise ValueError("one side has only fresh, the other only resumed connections, or another IP version")
    found: list[Difference] = []
    for kind in common:
        where = ("resumed" if kind[0] else "fresh") + (" over IPv6" if kind[1] == 6 else "")
        one, other = first.of(kind), second.of(kind)
        found.extend(compare_values(where, [values(item) for item in one], [values(item) for item in other]))
        found.extend(
            compare_numbers(where, [numbers(item) for item in one], [numbers(item) for item in other])
        )
        found.extend(compare_orders(where, [orders(item) for item in one], [orders(item) for item in other]))
    if first.probes and second.probes:
        found.extend(compare_probes(first.probes, second.probes))
    return found


ABSENT: Final = "absent"


def compare_values(
    where: str, one: Sequence[dict[str, Hashable]], other: Sequence[dict[str, Hashable]]
) -> Iterable[Difference]:
    """Fields whose values, or whose frequencies, chance does not explain."""
    for name in fields_of(one, other):
        a = Counter(item.get(name, ABSENT) for item in one)
        b = Counter(item.get(name, ABSENT) for item in other)
        if values_differ(a, b):
            yield Difference(where, name, counted(a), counted(b))


def values_differ(a: Counter[Hashable], b: Counter[Hashable]) -> bool:
    """Whether two tallies are those of different sources."""
    if not set(a) & set(b):
        both_single = a.total() == b.total() == 1
        return both_single or min(novelty(a) ** b.total(), novelty(b) ** a.total()) < NEVER_SEEN
    return any(fisher_p(a[value], a.total(), b[value], b.total()) < LEVEL for value in {*a, *b})


def novelty(tally: Counter[Hashable]) -> float:
    """The chance that one more draw gives a value not seen yet, by the share of those seen once (Good and Turing)."""
    return sum(count == 1 for count in tally.values()) / tally.total()


def compare_numbers(
    where: str, one: Sequence[dict[str, float]], other: Sequence[dict[str, float]]
) -> Iterable[Difference]:
    """Fields whose distributions chance does not explain."""
    for name in fields_of(one, other):
        a = [item[name] for item in one if name in item]
        b = [item[name] for item in other if name in item]
        if a and b and numbers_differ(a, b):
            yield Difference(where, name, spread(a), spread(b))


def numbers_differ(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether two samples are those of different sources."""
    if min(len(a), len(b)) >= FEW:
        return kolmogorov_smirnov_p(a, b) < LEVEL
    few, many = sorted((a, b), key=len)
    margin = MARGIN * (max(many) - min(many))
    return min(few) < min(many) - margin or max(few) > max(many) + margin


def compare_orders(
    where: str,
    one: Sequence[dict[str, tuple[int | str, ...]]],
    other: Sequence[dict[str, tuple[int | str, ...]]],
) -> Iterable[Difference]:
    """Orders that do not follow from one rule."""
    for name in fields_of(one, other):
        a, b = (order_rule([item[name] for item in side]) for side in (one, other))
        single = "one seen"
        seen_a, seen_b = one[0][name], other[0][name]
        if a.kind == single or b.kind == single:
            differ = not (a.allows(seen_b) and (b.kind == single or b.allows(seen_a))) and not (
                b.kind != single and b.allows(seen_a)
            )
        else:
            differ = a.kind != b.kind or not all(b.allows(item[name]) for item in one)
            differ = differ or not all(a.allows(item[name]) for item in other)
        if differ:
            yield Difference(where, name, str(a), str(b))


def compare_probes(one: Sequence[Probes], other: Sequence[Probes]) -> Iterable[Difference]:
    """Retransmissions where nobody answers."""
    where = "unanswered"
    times_a, times_b = typical_times(list(one)), typical_times(list(other))
    pairs = list(zip(times_a, times_b, strict=False))
    if any(abs(a - b) > TIME_TOLERANCE * max(a, b) for a, b in pairs):
        yield Difference(where, "timing.probes", seconds(times_a), seconds(times_b))
    described: dict[str, Callable[[Probes], Hashable]] = {
        "probes.packets_per_timeout": lambda item: item.counts[: len(pairs)],
        "probes.packet_number_steps": lambda item: item.steps[: 1 + sum(item.counts[: len(pairs)])],
        "probes.cuts": lambda item: "as in the first flight" if item.same_cuts else "new",
    }
    for name, describe in described.items():
        a, b = Counter(map(describe, one)), Counter(map(describe, other))
        if a.most_common(1)[0][0] != b.most_common(1)[0][0]:
            yield Difference(where, name, counted(a), counted(b))


def seconds(times: Sequence[float]) -> str:
    return ", ".join(f"{time:.2f} s" for time in times)


def fields_of(one: Sequence[Mapping[str, object]], other: Sequence[Mapping[str, object]]) -> list[str]:
    """The names of all fields, in the order in which they first appear."""
    return list(dict.fromkeys(name for side in (one, other) for item in side for name in item))


def counted(tally: Counter[Hashable]) -> str:
    """The most frequent values, with their shares where there are several."""
    total = tally.total()
    parts = []
    for value, count in tally.most_common(SHOWN_VALUES):
        text = shown(value)
        parts.append(text if count == total else f"{text} ({100 * count / total:.0f} %)")
    more = len(tally) - SHOWN_VALUES
    return " | ".join(parts) + (f" | {more} more" if more > 0 else "")


def shown(value: Hashable) -> str:
    text = " ".join(map(shown, value)) if isinstance(value, tuple) else str(value)
    text = text or "empty"
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}…"


def spread(sample: Sequence[float]) -> str:
    """Bounds and median of a sample."""
    ordered = sorted(sample)
    low, middle, high = ordered[0], ordered[len(ordered) // 2], ordered[-1]
    if low == high:
        return f"{low:g}"
    return f"{low:g} to {high:g}, median {middle:g}"
