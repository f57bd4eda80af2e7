"""The numbers of a connection, collected from its parts."""

from ..stats import ConnectionStats
from .parts import Parts


def stats_of(parts: Parts, sent: tuple[int, int], received: tuple[int, int]) -> ConnectionStats:
    """What the parts count, beside datagrams and bytes in each direction."""
    recovery = parts.recovery
    rtt, mtu = recovery.rtt, parts.paths.active.mtu
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
        datagram_size=mtu.current if mtu is not None else parts.base_size,
        ecn_capable=recovery.ecn_codepoint() != 0,
        open_streams=parts.streams.open_count,
    )
