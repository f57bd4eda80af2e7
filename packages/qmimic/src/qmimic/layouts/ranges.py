"""Byte ranges of a flight: joining them, and filling datagrams with them in order."""

from collections.abc import Sequence

from qcore.packing.initial_flight import FlightContext


def is_whole(flight: FlightContext) -> bool:
    """Whether all bytes of the flight have to be placed."""
    return merged(flight.ranges) == [(0, len(flight.crypto))]


def merged(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in rising order, those that touch joined."""
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined


def portions(
    flight: FlightContext, pieces: Sequence[tuple[int, int]], first: int = 0
) -> list[list[tuple[int, int]]]:
    """Pieces in order, one list per datagram from datagram `first` on, each filled before the next begins."""
    datagrams: list[list[tuple[int, int]]] = []
    room = 0
    for start, stop in pieces:
        while start < stop:
            size = fitting(flight, start, stop, room)
            if size == 0:
                datagrams.append([])
                room = flight.room(first + len(datagrams) - 1)
                size = fitting(flight, start, stop, room)
            datagrams[-1].append((start, start + size))
            room -= flight.crypto_size(start, start + size)
            start += size
    return datagrams


def fitting(flight: FlightContext, start: int, stop: int, room: int) -> int:
    """How many bytes from `start` fit a CRYPTO frame of at most `room` bytes."""
    size = min(stop - start, room)
    while size > 0 and flight.crypto_size(start, start + size) > room:
        size -= 1
    return size
