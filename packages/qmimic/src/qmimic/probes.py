"""What a client sends when nobody answers: when, with which packet numbers, and cut how."""

from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from qwire.constants import VERSION_1, VERSION_2
from qwire.frames import CryptoFrame, parse_frames

from .capture import CapturedFlow
from .fingerprint.initials import initial_header, keys_of, unprotect_initial
from .observation import Observed

VERSIONS: Final = (VERSION_1, VERSION_2)
#: Datagrams closer together than this belong to one timeout, in seconds.
TOGETHER: Final = 0.05
#: Timeouts that are compared; later ones may be cut off by the end of a capture.
COMPARED: Final = 3


@dataclass(frozen=True, slots=True)
class Probes:
    """The first timeouts of one unanswered connection.

    Attributes:
        times: seconds since the first datagram.
        counts: Initial packets per timeout.
        steps: packet numbers, from one Initial to the next, the first flight included.
        same_cuts: whether all CRYPTO frames are cut as in the first flight.
    """

    times: tuple[float, ...]
    counts: tuple[int, ...]
    steps: tuple[int, ...]
    same_cuts: bool


def probes_of(flow: CapturedFlow, first: Observed) -> Probes | None:
    """The probes of a flow whose first flight is `first`; None if it was answered, or ended with the flight."""
    if any(not datagram.from_client for datagram in flow.datagrams):
        return None
    cuts = {(offset, len(data)) for packet in first.packets for offset, data in packet.crypto}
    sent: list[tuple[float, int]] = []
    same = True
    start = next(d.time_ms for d in flow.datagrams if d.data == first.datagrams[0])
    for datagram in flow.datagrams:
        header = initial_header(datagram.data, VERSIONS)
        if header is None or header.destination_cid != first.fingerprint.connection:
            continue
        opened = unprotect_initial(datagram.data, header, keys_of(header))
        if opened is None:
            continue
        number, _, payload = opened
        crypto = [frame for frame in parse_frames(payload) if isinstance(frame, CryptoFrame)]
        if not crypto:
            continue  # a close, or an acknowledgement
        sent.append(((datagram.time_ms - start) / 1000, number))
        same = same and all((frame.offset, len(frame.data)) in cuts for frame in crypto)
    later = sent[len(first.packets) :]
    if not later:
        return None
    groups: list[list[float]] = []
    for time, _ in later:
        if groups and time - groups[-1][0] < TOGETHER:
            groups[-1].append(time)
        else:
            groups.append([time])
    groups = groups[:COMPARED]
    kept = sent[: len(first.packets) + sum(map(len, groups))]
    return Probes(
        tuple(group[0] for group in groups),
        tuple(len(group) for group in groups),
        tuple(after[1] - before[1] for before, after in pairwise(kept)),
        same,
    )


def typical_times(probes: list[Probes]) -> list[float]:
    """Median time of each timeout that all connections reached."""
    shortest = min(len(item.times) for item in probes)
    return [median(item.times[index] for item in probes) for index in range(shortest)]
