"""Fingerprints of QUIC clients, from the datagrams of their first flights.

Version 1 and version 2 hashes and JA4; the packets are opened, grouped and put together here as well.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from qwire.constants import VERSION_1
from qwire.errors import DecodeError
from qwire.transport_parameters import TransportParameters

from .flight import Flight, FlightCollector, FlightCounts
from .hello import ObservedHello, parse_client_hello
from .ja4 import JA4, ja4
from .perk import Perk, perk
from .v1 import V1, v1
from .v2 import V2, canonical_record, v2


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What one connection's first flight says about its client.

    `record` is the canonical record of version 2, ready for JSON.
    """

    connection: bytes
    server_name: str | None
    v1: V1
    v2: V2
    ja4: JA4
    record: dict[str, object]
    flight: Flight
    hello: ObservedHello
    parameters: TransportParameters


def fingerprint(
    datagrams: Iterable[bytes],
    *,
    any_pn: bool = False,
    versions: tuple[int, ...] = (VERSION_1,),
) -> list[Fingerprint]:
    """Fingerprints of all connections whose first flight is in `datagrams`, in the order they complete.

    Args:
        datagrams: UDP payloads of both directions and any number of connections, in the order captured. What
            is not a client's first flight is passed over.
        any_pn: also take flights whose packet numbers start above 32.
        versions: QUIC versions to open; the published hashes know version 1 only.
    """
    collector = FlightCollector(any_packet_number=any_pn, versions=versions)
    found: list[Fingerprint] = []
    for datagram in datagrams:
        flight = collector.receive(datagram)
        if flight is not None:
            result = fingerprint_flight(flight)
            if result is not None:
                found.append(result)
    return found


def fingerprint_flight(flight: Flight) -> Fingerprint | None:
    """The fingerprints of one flight; None when its ClientHello is malformed or not one for QUIC."""
    try:
        hello = parse_client_hello(flight.client_hello)
        if hello.transport_parameters is None:
            return None
        parameters = TransportParameters.parse(hello.transport_parameters)
    except DecodeError:
        return None
    hashes = v2(flight, hello, parameters)
    return Fingerprint(
        flight.header.destination_cid,
        hello.server_name,
        v1(flight, hello, parameters),
        hashes,
        ja4(hello),
        canonical_record(flight, hello, parameters, hashes),
        flight,
        hello,
        parameters,
    )


def canonical_records(fingerprints: Iterable[Fingerprint]) -> list[dict[str, object]]:
    """Canonical records in their canonical order, by connection key."""
    return [item.record for item in canonical_order(fingerprints)]


def canonical_order(fingerprints: Iterable[Fingerprint]) -> list[Fingerprint]:
    """Sorted by connection key."""
    return sorted(fingerprints, key=lambda item: (item.connection.hex(), item.v2.super))


__all__ = [
    "JA4",
    "V1",
    "V2",
    "Fingerprint",
    "Flight",
    "FlightCollector",
    "FlightCounts",
    "ObservedHello",
    "Perk",
    "canonical_order",
    "canonical_record",
    "canonical_records",
    "fingerprint",
    "fingerprint_flight",
    "parse_client_hello",
    "perk",
]
