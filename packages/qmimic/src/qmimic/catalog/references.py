"""What real clients' first flights hash to, as seen in captures: the measure that draws are held against."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Fingerprints of one kind of first flight.

    Attributes:
        v1, v2, ja4: every value that was seen.
        datagram_sizes: UDP payloads of the flight, by IP family.
        packet_numbers: (number, encoded size) of each packet, where it does not vary.
        provenance: the captures.
    """

    v1: frozenset[str]
    v2: frozenset[str]
    ja4: frozenset[str]
    datagram_sizes: dict[int, tuple[int, ...]]
    packet_numbers: tuple[tuple[int, int], ...]
    provenance: str


#: By profile name: fresh connections.
FRESH: Final[dict[str, Reference]] = {
    "chrome-156": Reference(
        v1=frozenset(("e664bcd7811126b9",)),
        v2=frozenset(("8fad1ce0b2129785",)),
        ja4=frozenset(("q13d0312h3_55b375c5d22e_178839b6cec1",)),
        datagram_sizes={4: (1250, 1250), 6: (1230, 1230)},
        packet_numbers=((1, 1), (2, 2)),
        provenance="246 connections over IPv4 and 4 over IPv6 of Chromium 156.0.8078.79, Debian, November 2026",
    ),
    "chrome-150": Reference(
        v1=frozenset(("928307f77f27ac60",)),
        v2=frozenset(("9b960c78d5e9235f",)),
        ja4=frozenset(("q13d0311h3_55b375c5d22e_653d80c3fe9d",)),
        datagram_sizes={4: (1250, 1250)},
        packet_numbers=((1, 1), (2, 2)),
        provenance="48 connections of Chromium 150.0.7871.100, Debian, November 2026",
    ),
    "chrome-146": Reference(
        v1=frozenset(("928307f77f27ac60",)),
        v2=frozenset(("9b960c78d5e9235f",)),
        ja4=frozenset(("q13d0311h3_55b375c5d22e_653d80c3fe9d",)),
        datagram_sizes={4: (1250, 1250)},
        packet_numbers=((1, 1), (2, 2)),
        provenance="quic-fingerprint-conformance, multi_chrome_146: connections without a ticket or a known round trip",
    ),
    "chrome-115": Reference(
        v1=frozenset(("beeb454235791d5c",)),
        v2=frozenset(("d92dc286acc009a8",)),
        ja4=frozenset(("q13d0310h3_55b375c5d22e_cd85d2d88918",)),
        datagram_sizes={4: (1250,)},
        packet_numbers=((1, 1),),
        provenance="quic-fingerprint-conformance, chrome_113_0_5672_126: one connection",
    ),
    "safari-18.5": Reference(
        v1=frozenset(("97aa00ce195e95a2",)),
        v2=frozenset(("8d930f128f8c878f",)),
        ja4=frozenset(("q13d0311h3_55b375c5d22e_f2a83c8e78ae",)),
        datagram_sizes={4: (1200,)},
        packet_numbers=((0, 1),),
        provenance="quic-fingerprint-conformance, apple_safari_18_5: 7 connections",
    ),
}

#: By profile name: connections that resume a session, with a token and a known round-trip time.
RESUMED: Final[dict[str, Reference]] = {
    "chrome-156": Reference(
        v1=frozenset(("318c5090094b619e",)),
        v2=frozenset(("ea9f840f259df02e",)),
        ja4=frozenset(("q13d0314h3_55b375c5d22e_79cc91d6b50c",)),
        datagram_sizes={4: (1250, 1250)},
        packet_numbers=((1, 1), (2, 2)),
        provenance="24 connections with 0-RTT of Chromium 156.0.8078.79, Debian, November 2026",
    ),
}
