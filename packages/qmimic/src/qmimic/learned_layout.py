"""Which layout rule explains captured flights: each is tried, the first that explains all is taken."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from qcore.packing.initial_flight import Crypto, InOrder
from qwire.frames import CryptoFrame, PaddingFrame, parse_frames

from .fingerprint.initials import ClientInitial
from .layouts import (
    Arrangement,
    Chaos,
    Chunked,
    Halving,
    MultiChaos,
    NameCut,
    Pinned,
    PinnedDatagram,
    Sampled,
    SniSlicing,
)
from .layouts.multi_chaos import ceil_div
from .layouts.sni_slicing import host_name_range
from .observation import Observed, context_of, stretches
from .profile import Layout

#: Arrangements that are kept where no rule fits.
SAMPLES: Final = 64


def learn_layout(flights: Sequence[Observed]) -> Layout:
    """The rule that gave these layouts; without one, what was seen."""
    if all(is_in_order(item) for item in flights):
        return InOrder()
    if all(is_sliced(item) for item in flights):
        return SniSlicing()
    size = chunk_size(flights)
    if size:
        return Chunked(size=size)
    cut = name_cut(flights)
    if cut is not None:
        return cut
    if all(len(item.packets) == 1 for item in flights) and are_mixed(flights):
        return learn_chaos(flights)
    if all(is_split(item) for item in flights) and are_mixed(flights):
        heads = [stretches(item.packets[0])[0][1] for item in flights]
        return learn_multi_chaos(heads, learn_chaos(flights))
    halves = halving(flights)
    if halves is not None:
        return halves
    if len(flights) == 1:
        only = flights[0]
        return Pinned(datagrams=tuple(pinned_datagram(only, packet, False) for packet in only.packets))
    return Sampled(flights=arrangements(flights))


def arrangements(flights: Sequence[Observed]) -> tuple[Arrangement, ...]:
    """What was seen, each arrangement once, with the sizes of the ClientHellos it was seen of.

    If hardly one was seen twice, there are as many as draws, and sizes say nothing of them.
    """
    from_start = cuts_recur(flights)
    seen: dict[tuple[str, ...], list[int]] = {}
    for item in flights:
        texts = (pinned_datagram(item, packet, from_start).frames for packet in item.packets)
        sizes = seen.setdefault(tuple(", ".join(frames) for frames in texts), [])
        sizes.append(len(item.fingerprint.flight.client_hello))
    if 2 * len(seen) > len(flights):
        return tuple(Arrangement(datagrams=datagrams) for datagrams in seen)[:SAMPLES]
    return tuple(
        Arrangement(datagrams=datagrams, smallest=min(sizes), largest=max(sizes))
        for datagrams, sizes in seen.items()
    )[:SAMPLES]


def cuts(packet: ClientInitial) -> list[tuple[int, int]]:
    """The byte ranges of the CRYPTO frames, in the order of the wire."""
    return [(offset, offset + len(data)) for offset, data in packet.crypto]


def has_only_padding_behind(packet: ClientInitial) -> bool:
    kinds = [kind for kind in packet.frame_types if kind != 0]
    return kinds == packet.frame_types[: len(kinds)] and 1 not in kinds


def is_in_order(item: Observed) -> bool:
    """One CRYPTO frame a packet, in order, each packet but the last full."""
    position = 0
    for index, packet in enumerate(item.packets):
        ranges = cuts(packet)
        is_last = index == len(item.packets) - 1
        if len(ranges) != 1 or ranges[0][0] != position or not has_only_padding_behind(packet):
            return False
        if not is_last and 0 in packet.frame_types:
            return False
        position = ranges[0][1]
    return True


def is_sliced(item: Observed) -> bool:
    """Whether Firefox's rule gives exactly these cuts."""
    plan = SniSlicing().lay_out(context_of(item))
    if plan is None or any(1 in packet.frame_types for packet in item.packets):
        return False
    planned = [[(part.start, part.stop) for part in parts if isinstance(part, Crypto)] for parts in plan]
    return planned == [cuts(packet) for packet in item.packets]


def chunk_size(flights: Sequence[Observed]) -> int:
    """The size of equal pieces in order, or 0."""
    size = (
        max(stop - start for start, stop in cuts(flights[0].packets[0]))
        if flights[0].packets[0].crypto
        else 0
    )
    if not size:
        return 0
    for item in flights:
        plan = Chunked(size=size).lay_out(context_of(item))
        ours = [cuts(packet) for packet in item.packets]
        if plan is None or not all(has_only_padding_behind(packet) for packet in item.packets):
            return 0
        if ours != [
            [(part.start, part.stop) for part in parts if isinstance(part, Crypto)] for parts in plan
        ]:
            return 0
    return size


def name_cut(flights: Sequence[Observed]) -> NameCut | None:
    """quic-go's rule, with the order of frames and the place of PADDING that was seen."""
    mixed = False
    front = back = 0
    for item in flights:
        plan = NameCut(mixed=False).lay_out(context_of(item))
        if plan is None or any(1 in packet.frame_types for packet in item.packets):
            return None
        ours = [cuts(packet) for packet in item.packets]
        planned = [[(part.start, part.stop) for part in parts if isinstance(part, Crypto)] for parts in plan]
        if [sorted(part) for part in ours] != [sorted(part) for part in planned]:
            return None
        mixed = mixed or ours != planned
        for packet in item.packets:
            front += packet.frame_types[0] == 0
            back += packet.frame_types[-1] == 0
    return NameCut(mixed=mixed, padding="front" if front > back else "back")


def halving(flights: Sequence[Observed]) -> Halving | None:
    """ngtcp2's rule, if several flights are cut by halves, not in order, and their packets divided as it says."""
    if len(flights) < 2 or not all(map(is_halved, flights)):
        return None
    if not any(cuts(packet) != sorted(cuts(packet)) for item in flights for packet in item.packets):
        return None
    rule = Halving()
    for item in flights:
        plan = rule.lay_out(context_of(item))
        if plan is None or len(plan) != len(item.packets):
            return None
        planned = max(part.stop for part in plan[0] if isinstance(part, Crypto))
        if planned != max(stop for _, stop in cuts(item.packets[0])):
            return None
    return rule


def is_halved(item: Observed) -> bool:
    """Whether every stretch, cut at the host name at most once more, falls into halves of halves."""
    name = host_name_range(item.fingerprint.flight.client_hello)
    middle = (name[0] + name[1]) // 2 if name is not None else 0
    for packet in item.packets:
        ranges = cuts(packet)
        starts = {start for start, _ in ranges}
        for start, stop in stretches(packet):
            parts = (
                [(start, middle), (middle, stop)]
                if start < middle < stop and len(item.packets) == 1
                else [(start, stop)]
            )
            if not all(falls_into_halves(*part, starts) for part in parts):
                return False
    return all(packet.crypto for packet in item.packets)


def falls_into_halves(start: int, stop: int, cuts: set[int]) -> bool:
    """Whether the cuts inside a range stand where halving it again and again puts them."""
    if not any(start < cut < stop for cut in cuts):
        return True
    middle = start + (stop - start) // 2
    return middle in cuts and falls_into_halves(start, middle, cuts) and falls_into_halves(middle, stop, cuts)


def are_mixed(flights: Sequence[Observed]) -> bool:
    """Whether packets have PING frames, and CRYPTO frames in any order: a few are in rising order by chance."""
    packets = [packet for item in flights for packet in item.packets]
    orders = [[offset for offset, _ in packet.crypto] for packet in packets]
    pinging = sum(1 in packet.frame_types for packet in packets)
    mixed = sum(order != sorted(order) for order in orders)
    return len(flights) > 1 and 2 * pinging > len(packets) and 3 * mixed > len(packets)


def is_split(item: Observed) -> bool:
    """Whether the bytes are divided among packets by Chromium's rule, whatever the size of the head."""
    flight = context_of(item)
    total = len(flight.crypto)
    first = stretches(item.packets[0])
    if len(item.packets) < 2 or len(first) != 2 or first[0][0] != 0 or first[1][1] != total:
        return False
    overhead = 1 + 2 * 2
    packets = ceil_div(total + overhead, flight.room(0) - overhead)
    other = ceil_div(total + overhead, packets)
    carried = sum(stop - start for start, stop in first)
    position = first[0][1]
    for packet in item.packets[1:]:
        ranges = stretches(packet)
        if len(ranges) != 1 or ranges[0][0] != position or ranges[0][1] - position > other:
            return False
        position = ranges[0][1]
    return carried == other - overhead and position == first[1][0]


def learn_chaos(flights: Sequence[Observed]) -> Chaos:
    """Bounds of the PING frames; of the cuts only the number that succeeded is seen."""
    pings = [packet.frame_types.count(1) for item in flights for packet in item.packets]
    made = [len(packet.crypto) - len(stretches(packet)) for item in flights for packet in item.packets]
    standard = Chaos()
    low, high = min(pings), max(pings)
    within = standard.min_pings <= low and high <= standard.max_pings and max(made) <= standard.max_cuts
    if within:
        return standard
    return Chaos(min_pings=low, max_pings=high, min_cuts=min(made), max_cuts=max(made))


def learn_multi_chaos(heads: Sequence[int], chaos: Chaos) -> MultiChaos:
    """Chromium's own bounds of the head where they explain what was seen."""
    standard = MultiChaos()
    if standard.min_head <= min(heads) and max(heads) < standard.min_head + standard.head_span:
        return MultiChaos(chaos=chaos)
    return MultiChaos(min_head=min(heads), head_span=max(heads) - min(heads) + 1, chaos=chaos)


def cuts_recur(flights: Sequence[Observed]) -> bool:
    """Whether most cuts stand at the same bytes in most flights, whatever the size of the ClientHello."""
    places = [{offset for packet in item.packets for offset, _ in packet.crypto} for item in flights]
    tally = Counter(offset for row in places for offset in row)
    recurring = sum(count for count in tally.values() if count > len(flights) / 2)
    return recurring > tally.total() / 2


def pinned_datagram(item: Observed, packet: ClientInitial, from_start: bool) -> PinnedDatagram:
    """The frames of one packet; bytes behind the host name are counted from the end of the ClientHello.

    With `from_start` all are counted from its beginning.
    """
    total = len(item.fingerprint.flight.client_hello)
    name = host_name_range(item.fingerprint.flight.client_hello)
    turn = total if from_start else name[1] if name is not None else total // 2
    frames: list[str] = []
    parsed = parse_frames(packet.payload)
    largest = max((frame.size() for frame in parsed if isinstance(frame, PaddingFrame)), default=0)
    filled = False
    for frame in parsed:
        if isinstance(frame, CryptoFrame):
            start, stop = frame.offset, frame.offset + len(frame.data)
            frames.append(f"crypto {place(start, total, turn)}:{place(stop, total, turn)}")
        elif isinstance(frame, PaddingFrame):
            fill = frame.size() == largest and not filled
            filled = filled or fill
            frames.append("padding" if fill else f"padding {frame.size()}")
        else:
            frames.append("ping")
    return PinnedDatagram(frames=tuple(frames))


def place(offset: int, total: int, turn: int) -> str:
    """An offset as a profile writes it: from the beginning up to `turn`, from the end behind it."""
    if offset in (0, total):
        return ""
    return str(offset) if offset < turn else str(offset - total)
