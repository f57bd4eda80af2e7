"""Thousands of draws: none is invalid, and their hashes are those of captures, about as often.

The hash of the header follows from the length of the connection ID, the size of the packet number and the frames of the
first packet. Captures are samples of what a client sends: they lack what is rare, and are expected to.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from qcore.errors import UsageError
from qmimic.draw import TICKET_SIZE, TOKEN_SIZE, Family, draw_flight, sample_resumption
from qmimic.fingerprint import Fingerprint, fingerprint
from qmimic.observation import CACHED_RTT, PRE_SHARED_KEY, Observed
from qmimic.profile import ClientProfile
from qmimic.randomness import SeededBytes, between
from qmimic.statistics import fisher_p
from qwire.constants import VERSION_1, VERSION_2

from .kinds import Captures, shape_of

VERSIONS: Final = (VERSION_1, VERSION_2)
#: Names for what was not captured.
NAMES: Final = ("a.example", "www.example.com", "static.long-name.example.org")
#: Times that captures and draws are mixed to see what chance makes of frequencies.
SHUFFLES: Final = 2_000


@dataclass
class Tally:
    """What many draws gave.

    Attributes:
        invalid: seeds whose draw failed, or is no whole first flight, and why.
        v2: how often each hash was drawn.
        examples: a flight with each hash.
    """

    invalid: list[tuple[int, str]] = field(default_factory=list)
    v2: Counter[str] = field(default_factory=Counter)
    ja4: Counter[str] = field(default_factory=Counter)
    examples: dict[str, Fingerprint] = field(default_factory=dict)


@dataclass(frozen=True)
class Unlike:
    """A hash whose share chance does not explain; `p` is corrected for how many there are."""

    value: str
    drawn: int
    captured: int
    p: float


def tally(
    profile: ClientProfile, like: Captures, count: int, progress: Callable[[], None] = lambda: None
) -> Tally:
    """Draw `count` flights like captured ones of one kind, for the same names, tickets and tokens, and hash them."""
    kind = like.kind
    found = Tally()
    for seed in range(count):
        source = SeededBytes(f"hashes/{seed}")
        item = like.items[seed % len(like.items)] if like.items else None
        name = NAMES[seed % len(NAMES)] if item is None else item.fingerprint.server_name or "localhost"
        ticket = TICKET_SIZE if item is None else ticket_size(item)
        token = TOKEN_SIZE if item is None else len(item.packets[0].header.token)
        resumption = kind.known(
            sample_resumption(profile, source, name, ticket_size=ticket, token_size=token)
        )
        progress()
        try:
            datagrams = draw_flight(
                profile,
                source,
                server_name=name,
                family=kind.family,
                resumption=resumption,
                wall_clock=between(source, 1, 60_000) / 1000,
            )
        except (UsageError, ValueError) as error:
            found.invalid.append((seed, f"{type(error).__name__}: {error}"))
            continue
        flight = checked(datagrams, profile, kind.family, name)
        if isinstance(flight, str):
            found.invalid.append((seed, flight))
            continue
        found.v2[flight.v2.super] += 1
        found.ja4[flight.ja4.value] += 1
        found.examples.setdefault(flight.v2.super, flight)
    return found


def ticket_size(item: Observed) -> int:
    """Bytes of the first identity in pre_shared_key; some for a flight without."""
    body = item.fingerprint.hello.body(PRE_SHARED_KEY)
    return TICKET_SIZE if body is None else int.from_bytes(body[2:4], "big")


def checked(
    datagrams: Sequence[bytes], profile: ClientProfile, family: Family, name: str
) -> Fingerprint | str:
    """The fingerprint of a flight, or what is wrong with it."""
    flights = fingerprint(datagrams, any_pn=True, versions=VERSIONS)
    if len(flights) != 1:
        return f"{len(flights)} first flights in {len(datagrams)} datagrams"
    [found] = flights
    if found.server_name != name:
        return f"for {found.server_name}"
    header = profile.header
    expected = header.datagram_size if family == 4 else header.datagram_size_ipv6
    sizes = {len(data) for data in datagrams}
    if sizes != {expected}:
        return f"datagrams of {sorted(sizes)} bytes instead of {expected}"
    return found


def cause_of(found: Fingerprint) -> str:
    """What the parts of the hash that vary follow from, in words."""
    size, number_size, kinds = shape_of(found)
    frames = "+".join({0: "PADDING", 1: "PING", 6: "CRYPTO"}[kind] for kind in kinds)
    parts = [f"connection ID of {size}", f"number in {number_size}"]
    if found.flight.header.token:
        parts.append("token")
    if found.parameters.get(CACHED_RTT) is not None:
        parts.append("round trip known")
    return ", ".join([*parts, frames])


# Beside captures


@dataclass(frozen=True)
class Comparison:
    """Draws of a kind beside its captures.

    Attributes:
        captured: how often captures show each hash.
        seen: draws whose hash captures of this kind show.
        put_together: draws of other hashes whose every part captures of the client show: ClientHello and parameters
            those of this kind, connection ID and packet number those of any.
        by_rule: draws whose header no capture shows.
        foreign: draws whose ClientHello or parameters hash as no capture of this kind does.
        lacked: the share of draws whose hash so many captures are expected to lack.
        alike: how likely frequencies are as far apart as these by chance; 1 without captures.
        unlike: hashes that one side has too often.
    """

    captured: Counter[str]
    seen: int
    put_together: int
    by_rule: int
    foreign: int
    lacked: float
    alike: float
    unlike: list[Unlike]
    foreign_ja4: list[str]


def compare(found: Tally, like: Captures) -> Comparison:
    """What captures say of draws."""
    hashes = [item.fingerprint.v2 for item in like.items]
    captured = Counter(item.super for item in hashes)
    inner = {(item.tls, item.parameters) for item in hashes}
    counts: Counter[str] = Counter()
    for value, times in found.v2.items():
        example = found.examples[value]
        if value in captured:
            counts["seen"] += times
        elif (example.v2.tls, example.v2.parameters) not in inner:
            counts["foreign"] += times
        elif shape_of(example) in like.shapes:
            counts["put together"] += times
        else:
            counts["by rule"] += times
    shares = [times / found.v2.total() for times in found.v2.values()]
    known = {item.fingerprint.ja4.value for item in like.items}
    return Comparison(
        captured=captured,
        seen=counts["seen"],
        put_together=counts["put together"],
        by_rule=counts["by rule"],
        foreign=counts["foreign"],
        lacked=sum(share * (1 - share) ** captured.total() for share in shares),
        alike=alike(found.v2, captured),
        unlike=list(unlike(found.v2, captured)) if captured else [],
        foreign_ja4=sorted(set(found.ja4) - known) if captured else [],
    )


def alike(drawn: Counter[str], captured: Counter[str], shuffles: int = SHUFFLES, seed: int = 1) -> float:
    """How likely frequencies as far apart come of one source: a permutation test with the statistic of chi-square."""
    if not captured or not drawn:
        return 1.0
    both = drawn + captured
    size, whole = captured.total(), both.total()

    def distance(sample: Counter[str]) -> float:
        return sum(
            (sample[value] - size * times / whole) ** 2 / (size * times / whole)
            for value, times in both.items()
        )

    source = random.Random(seed)
    values, counts = list(both), list(both.values())
    found = distance(captured)
    worse = sum(
        distance(Counter(source.sample(values, size, counts=counts))) >= found - 1e-9 for _ in range(shuffles)
    )
    return (1 + worse) / (1 + shuffles)


def unlike(drawn: Counter[str], captured: Counter[str]) -> Iterator[Unlike]:
    """Hashes that one side has more often than the other.

    One that captures never show is unlike them only if it is drawn so often that they ought to.
    """
    values = sorted({*drawn, *captured})
    for value in values:
        a, b = drawn[value], captured[value]
        p = fisher_p(a, drawn.total(), b, captured.total()) * len(values)
        # What is captured and can never be drawn is a difference however rare it is.
        if p < 0.01 or (a == 0 and b > 0):
            yield Unlike(value, a, b, min(1.0, p))
