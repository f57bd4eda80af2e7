"""Thousands of draws: none is invalid, and their hashes are those of captures, about as often.

The hash of the header follows from the length of the connection ID, the size of the packet number and the frames of the
first packet. Captures show samples of what a client sends: a hash that none of them has must be rare enough for that.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from qcore.errors import UsageError
from qmimic.draw import TICKET_SIZE, Family, draw_flight, sample_resumption
from qmimic.fingerprint import Fingerprint, fingerprint
from qmimic.observation import CACHED_RTT, PRE_SHARED_KEY, Observed
from qmimic.profile import ClientProfile, Resumption
from qmimic.randomness import SeededBytes, between
from qmimic.statistics import fisher_p
from qwire.constants import VERSION_1, VERSION_2

VERSIONS = (VERSION_1, VERSION_2)


@dataclass(frozen=True, order=True)
class Kind:
    """What a client knows of the server when it connects."""

    resumed: bool
    family: Family
    token: bool
    rtt: bool

    @classmethod
    def of(cls, item: Observed) -> "Kind":
        """The kind of a captured flight."""
        return cls(
            resumed=item.is_resumed,
            family=6 if item.family == 6 else 4,
            token=bool(item.packets[0].header.token),
            rtt=item.fingerprint.parameters.get(CACHED_RTT) is not None,
        )

    def __str__(self) -> str:
        words = ["resumed" if self.resumed else "fresh"]
        words += ["with token"] if self.token else []
        words += ["with round trip"] if self.rtt else []
        words += ["over IPv6"] if self.family == 6 else []
        return " ".join(words)

    def known(self, sample: Resumption) -> Resumption:
        """As much of `sample` as this kind has."""
        return replace(
            sample,
            sessions=sample.sessions if self.resumed else None,
            version=sample.version if self.resumed else None,
            token=sample.token if self.token else b"",
            rtt=sample.rtt if self.rtt else None,
        )


@dataclass
class Tally:
    """What many draws gave.

    Attributes:
        invalid: seeds whose draw failed, or is no whole first flight, and why.
        v2: how often each hash was drawn.
        causes: what each hash follows from.
    """

    invalid: list[tuple[int, str]] = field(default_factory=list)
    v2: Counter[str] = field(default_factory=Counter)
    ja4: Counter[str] = field(default_factory=Counter)
    causes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Unlike:
    """A hash whose share chance does not explain; `p` is corrected for how many there are."""

    value: str
    cause: str
    drawn: int
    captured: int
    p: float


def tally(
    profile: ClientProfile,
    like: Sequence[Observed],
    count: int,
    progress: Callable[[], None] = lambda: None,
) -> Tally:
    """Draw `count` flights like captured ones of one kind, for the same names, tickets and tokens, and hash them."""
    kind = Kind.of(like[0])
    found = Tally()
    for seed in range(count):
        random = SeededBytes(f"hashes/{seed}")
        item = like[seed % len(like)]
        name = item.fingerprint.server_name or "localhost"
        ticket, token = ticket_size(item), len(item.packets[0].header.token)
        resumption = kind.known(
            sample_resumption(profile, random, name, ticket_size=ticket, token_size=token)
        )
        try:
            datagrams = draw_flight(
                profile,
                random,
                server_name=name,
                family=kind.family,
                resumption=resumption,
                wall_clock=between(random, 1, 60_000) / 1000,
            )
        except (UsageError, ValueError) as error:
            found.invalid.append((seed, f"{type(error).__name__}: {error}"))
            continue
        flaw = flaw_of(datagrams, profile, kind.family, name)
        if isinstance(flaw, str):
            found.invalid.append((seed, flaw))
        else:
            found.v2[flaw.v2.super] += 1
            found.ja4[flaw.ja4.value] += 1
            found.causes.setdefault(flaw.v2.super, cause_of(flaw))
        progress()
    return found


def ticket_size(item: Observed) -> int:
    """Bytes of the first identity in pre_shared_key; some for a flight without."""
    body = item.fingerprint.hello.body(PRE_SHARED_KEY)
    return TICKET_SIZE if body is None else int.from_bytes(body[2:4], "big")


def flaw_of(
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
    first = found.flight.packets[0]
    frames = "+".join({0: "PADDING", 1: "PING", 6: "CRYPTO"}[kind] for kind in sorted(set(first.frame_types)))
    parts = [f"connection ID of {len(first.header.destination_cid)}", f"number in {first.packet_number_size}"]
    if first.header.token:
        parts.append("token")
    if found.parameters.get(CACHED_RTT) is not None:
        parts.append("round trip known")
    return ", ".join([*parts, frames])


def unlike(drawn: Counter[str], captured: Counter[str], causes: dict[str, str]) -> Iterator[Unlike]:
    """Hashes that one side has more often than the other, the least likely first.

    One that captures never show is unlike them only if it is drawn so often that they ought to.
    """
    values = sorted({*drawn, *captured})
    for value in values:
        a, b = drawn[value], captured[value]
        p = fisher_p(a, drawn.total(), b, captured.total()) * len(values)
        # What is captured and can never be drawn is a difference however rare it is.
        if p < 0.01 or (a == 0 and b > 0):
            yield Unlike(value, causes.get(value, "not drawn"), a, b, min(1.0, p))
