"""Layouts written down frame by frame: as fixed lists, or as ranges cut and mixed at random.

`Pinned` repeats one arrangement; `Scattered` draws counts between bounds. Both name bytes as slices of the
ClientHello, from its beginning or, with a minus sign, from its end, so one list serves hellos of several sizes.
What is not theirs to say, a probe or a flight that was partly acknowledged, is left to the ordinary path.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import quicvarint
from qcore.packing.initial_flight import Ack, Crypto, FlightContext, Padding, Ping, Placement

from ..bounds import check_span
from ..randomness import RandomBytes, between, shuffle
from .ranges import is_whole

SLICE: Final = re.compile(r"(-?\d+)?:(-?\d+)?")
FRAME: Final = re.compile(r"crypto (?P<slice>\S+)|(?P<ping>ping)|(?P<ack>ack)|padding(?: (?P<count>\d+))?")
PING: Final = Ping()
ACK: Final = Ack()


@dataclass(frozen=True, kw_only=True)
class PinnedDatagram:
    """The frames of one datagram, in order.

    "crypto 0:55", "crypto -700:", "crypto 55:-700" carry that slice of the ClientHello; "ping"; "padding 12" is a
    run of that many, "padding" whatever is left of the packet, at most once; "ack" is where an ACK goes if one is due,
    instead of to the front.
    """

    frames: tuple[str, ...]

    def __post_init__(self) -> None:
        for text in self.frames:
            found = FRAME.fullmatch(text)
            if found is None or (found["slice"] is not None and SLICE.fullmatch(found["slice"]) is None):
                raise ValueError(f"{text!r} is none of 'crypto START:STOP', 'ping', 'padding [COUNT]', 'ack'")
        if self.frames.count("padding") > 1:
            raise ValueError("'padding' without a count takes all that is left, so once at most")

    def arrange(self, flight: FlightContext, room: int) -> list[Placement]:
        """The placements for a ClientHello of this flight's size."""
        placements: list[Placement] = []
        rest: int | None = None
        used = 0
        for text in self.frames:
            if text == "ping":
                placements.append(PING)
                used += 1
            elif text == "ack":
                placements.append(ACK)
            elif text == "padding":
                rest = len(placements)
            elif text.startswith("padding"):
                count = int(text.split()[1])
                placements.append(Padding(count))
                used += count
            else:
                start, stop = bounds(text.split()[1], len(flight.crypto))
                if start < stop:
                    placements.append(Crypto(start, stop))
                    used += flight.crypto_size(start, stop)
        if rest is not None and room > used:
            placements.insert(rest, Padding(room - used))
        return placements


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """The same frames on every connection."""

    datagrams: tuple[PinnedDatagram, ...]

    def lay_out(self, flight: FlightContext) -> Sequence[Sequence[Placement]] | None:
        """Every datagram as listed; None for a flight of which only parts are to be sent."""
        if not is_whole(flight):
            return None
        return [item.arrange(flight, flight.room(index)) for index, item in enumerate(self.datagrams)]


@dataclass(frozen=True, kw_only=True)
class ScatteredDatagram:
    """The bytes of one datagram and the bounds of what is drawn for it; bounds are included.

    Attributes:
        ranges: slices of the ClientHello; empty for the bytes that come next, `crypto` of them or all that fit.
        crypto: size of the next piece if `ranges` is empty; 0 for all that fit.
        min_crypto, max_crypto: CRYPTO frames.
        min_pings, max_pings: PING frames.
        min_paddings, max_paddings: runs of PADDING, before neighbours join.
        fill: whether the runs take all that is left of the packet.
        length: bytes of frames that the packet has at most; 0 for all that fit.
        ack: whether an ACK that is due comes first or is mixed with the rest.
    """

    ranges: tuple[str, ...] = ()
    crypto: int = 0
    min_crypto: int = 1
    max_crypto: int = 1
    min_pings: int = 0
    max_pings: int = 0
    min_paddings: int = 0
    max_paddings: int = 0
    fill: bool = True
    length: int = 0
    ack: Literal["first", "mixed"] = "first"

    def __post_init__(self) -> None:
        if self.length < 0:
            raise ValueError(f"a packet cannot have {self.length} bytes of frames")
        for name in ("crypto", "pings", "paddings"):
            check_span(name, getattr(self, f"min_{name}"), getattr(self, f"max_{name}"))
        for text in self.ranges:
            if SLICE.fullmatch(text) is None:
                raise ValueError(f"{text!r} is not START:STOP")

    def take(self, flight: FlightContext, position: int, room: int, is_last: bool) -> list[tuple[int, int]]:
        """The ranges of this datagram when everything before `position` has been placed in others."""
        total = len(flight.crypto)
        if self.ranges:
            return [item for item in (bounds(text, total) for text in self.ranges) if item[0] < item[1]]
        frame = 1 + quicvarint.size(flight.base + total) + quicvarint.size(total)
        most = max(1, room - self.max_crypto * frame - self.max_pings - self.min_paddings)
        stop = min(total, position + min(most, self.crypto or most))
        return (
            [(position, total if is_last and total - position <= most else stop)] if position < stop else []
        )

    def arrange(self, flight: FlightContext, pieces: list[tuple[int, int]], room: int) -> list[Placement]:
        """Frames that carry `pieces`, cut, mixed with PING and PADDING, and shuffled."""
        random = flight.random
        pieces = cut(random, pieces, between(random, self.min_crypto, self.max_crypto))
        placements: list[Placement] = [Crypto(start, stop) for start, stop in pieces]
        spare = room - sum(flight.crypto_size(start, stop) for start, stop in pieces)
        pings = min(max(spare, 0), between(random, self.min_pings, self.max_pings))
        placements.extend([PING] * pings)
        spare -= pings
        runs = min(max(spare, 0), between(random, self.min_paddings, self.max_paddings))
        placements.extend(Padding(count) for count in parted(random, spare if self.fill else runs, runs))
        if self.ack == "mixed":
            placements.append(ACK)
        shuffle(random, placements)
        return placements


@dataclass(frozen=True, kw_only=True)
class Scattered:
    """Counts and cuts drawn anew per connection; the last datagram's rule repeats while bytes are left."""

    datagrams: tuple[ScatteredDatagram, ...]

    def __post_init__(self) -> None:
        if not self.datagrams:
            raise ValueError("a layout needs at least one datagram")

    def lay_out(self, flight: FlightContext) -> Sequence[Sequence[Placement]] | None:
        """As many datagrams as are listed, and more where the rule of the last one repeats."""
        if not is_whole(flight):
            return None
        total = len(flight.crypto)
        plan: list[Sequence[Placement]] = []
        position = 0
        last = len(self.datagrams) - 1
        while len(plan) <= last or (position < total and not self.datagrams[last].ranges):
            rule = self.datagrams[min(len(plan), last)]
            room = flight.room(len(plan))
            room = min(room, rule.length or room)
            pieces = rule.take(flight, position, room, len(plan) >= last)
            if not pieces:
                break
            position = max(position, *(stop for _, stop in pieces))
            plan.append(rule.arrange(flight, pieces, room))
        return plan


def bounds(text: str, total: int) -> tuple[int, int]:
    """The slice "START:STOP" of `total` bytes, as Python counts."""
    start, _, stop = text.partition(":")
    return slice(int(start) if start else None, int(stop) if stop else None).indices(total)[:2]


def cut(random: RandomBytes, ranges: Sequence[tuple[int, int]], count: int) -> list[tuple[int, int]]:
    """Ranges cut into `count` pieces, if they have as many bytes; each range into pieces drawn one after another."""
    shares = [1] * len(ranges)
    spare = [stop - start - 1 for start, stop in ranges]
    for _ in range(min(count - len(ranges), sum(spare))):
        # A range gets a cut by its number of bytes that could still begin a piece.
        place = between(random, 0, sum(spare) - 1)
        index = next(index for index in range(len(spare)) if place < sum(spare[: index + 1]))
        shares[index] += 1
        spare[index] -= 1
    pieces = []
    for (start, stop), share in zip(ranges, shares, strict=True):
        for size in parted(random, stop - start, share):
            pieces.append((start, start + size))
            start += size
    return pieces


def parted(random: RandomBytes, total: int, count: int) -> list[int]:
    """`total` as the sum of `count` numbers of at least 1, drawn one after another from what is left."""
    parts: list[int] = []
    for left in range(count - 1, -1, -1):
        part = total if left == 0 else between(random, 1, total - left)
        parts.append(part)
        total -= part
    return parts
