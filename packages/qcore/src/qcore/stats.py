"""Numbers of a connection at one moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionStats:
    """Times in seconds, sizes in bytes.

    Attributes:
        bytes_in_flight, congestion_window: as RFC 9002 §B.2 defines them.
        packets_lost, packets_spurious: declared lost, and of those acknowledged after all.
        pto_count: probe timeouts in a row without an answer.
        congestion_state: what the congestion controller is doing, in its own words.
        datagram_size: UDP payload in use on the active path.
        ecn_state: "off", or how far the path is known to carry marks: "testing", "unknown", "capable", "failed".
        ecn_congested: packets of ours that met congestion, by the peer's reports.
        ecn_received: packets that arrived marked ECT(0), ECT(1), CE.
        key_generation: how often the 1-RTT keys were changed.
        paths: network paths that are in use or kept.
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
    pto_count: int
    congestion_state: str
    datagram_size: int
    ecn_capable: bool
    ecn_state: str
    ecn_congested: int
    ecn_received: tuple[int, int, int]
    key_generation: int
    paths: int
    open_streams: int
