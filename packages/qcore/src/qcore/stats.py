"""Numbers of a connection at one moment."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionStats:
    """Times in seconds, sizes in bytes.

    Attributes:
        bytes_in_flight, congestion_window: as RFC 9002 §B.2 defines them.
        packets_lost, packets_spurious: declared lost, and of those acknowledged after all.
        datagram_size: UDP payload in use on the active path.
    """

    smoothed_rtt: float
    minimum_rtt: float
    latest_rtt: float
    rtt_variance: float
    congestion_window: int
    bytes_in_flight: int
    datagrams_sent: int
    datagrams_received: int
    bytes_sent: int
    bytes_received: int
    packets_lost: int
    packets_spurious: int
    datagram_size: int
    ecn_capable: bool
    open_streams: int
