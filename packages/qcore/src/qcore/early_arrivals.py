"""0-RTT packets that overtook the Initial of their connection.

Kept for a short while, few of them and for few connections, so that reordering does not cost a round trip and
nobody can fill the memory with them. RFC 9000 §5.2.2.
"""

from __future__ import annotations

from typing import Final, final

from .batch import Address, Datagram

MAX_CONNECTIONS: Final = 8
MAX_DATAGRAMS: Final = 4
# A client repeats a lost Initial after its first probe timeout, which is about one second.
KEPT_FOR: Final = 1.5


@final
class EarlyArrivals:
    """Datagrams that wait for an Initial with the same connection ID from the same address."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[tuple[bytes, Address], tuple[float, list[Datagram]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def keep(self, destination_cid: bytes, datagram: Datagram, now: float) -> bool:
        """Keep a datagram; False when its connection has enough of them. The oldest connection gives way."""
        key = destination_cid, datagram.address
        entry = self._waiting.get(key)
        if entry is None or now - entry[0] > KEPT_FOR:
            self._waiting.pop(key, None)
            while len(self._waiting) >= MAX_CONNECTIONS:
                del self._waiting[next(iter(self._waiting))]
            entry = self._waiting[key] = (now, [])
        if len(entry[1]) >= MAX_DATAGRAMS:
            return False
        entry[1].append(datagram)
        return True

    def take(self, destination_cid: bytes, address: Address, now: float) -> list[Datagram]:
        """What has arrived for a connection before its Initial, in order."""
        if not self._waiting:
            return []
        since, datagrams = self._waiting.pop((destination_cid, address), (now, []))
        return datagrams if now - since <= KEPT_FOR else []
