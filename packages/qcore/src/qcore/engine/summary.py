"""The numbers of a connection, collected from its parts."""

from __future__ import annotations

from ..spaces import APPLICATION
from ..stats import ConnectionStats
from .parts import Parts


def stats_of(parts: Parts, sent: tuple[int, int], received: tuple[int, int]) -> ConnectionStats:
    """What the parts count, beside datagrams and bytes in each direction."""
    recovery = parts.recovery
    rtt, mtu, ecn = recovery.rtt, parts.paths.active.mtu, recovery.ecn
    marks = [space.marks for space in parts.spaces]
    marks += [(each.received.ect0, each.received.ect1, each.received.ce) for each in parts.spaces]
    phases = parts.spaces[APPLICATION].phases
    return ConnectionStats(
        smoothed_rtt=rtt.smoothed,
        minimum_rtt=rtt.minimum,
        latest_rtt=rtt.latest,
        rtt_variance=rtt.variance,
        congestion_window=recovery.congestion.window,
        bytes_in_flight=recovery.bytes_in_flight,
        datagrams_sent=sent[0],
        bytes_sent=sent[1],
        datagrams_received=received[0],
        bytes_received=received[1],
        packets_lost=recovery.lost_count,
        packets_spurious=recovery.spurious_count,
        pto_count=recovery.pto_count,
        congestion_state=recovery.congestion.state,
        datagram_size=mtu.current if mtu is not None else parts.base_size,
        ecn_capable=recovery.ecn_codepoint() != 0,
        ecn_state=ecn.state.value if ecn is not None else "off",
        ecn_congested=ecn.ce_count if ecn is not None else 0,
        ecn_received=(
            sum(ect0 for ect0, _, _ in marks),
            sum(ect1 for _, ect1, _ in marks),
            sum(ce for _, _, ce in marks),
        ),
        key_generation=phases.generation if phases is not None else 0,
        paths=len(parts.paths.paths()),
        open_streams=parts.streams.open_count,
    )
