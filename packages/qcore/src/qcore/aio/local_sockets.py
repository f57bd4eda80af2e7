"""The sockets of an endpoint beside its first: paths of clients, and addresses that a server prefers.

Datagrams that arrive carry the number of their socket, and datagrams that leave say by which they want to. RFC 9000
§9.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

from ..batch import Address, Datagram, SendBatch
from .udp import SocketOwner, UdpSocket

# What endpoints with a single socket share: nobody may put anything into it.
NO_SOCKETS: Final[dict[int, UdpSocket]] = {}


@final
class NumberedSocket(SocketOwner):
    """Hands on what one socket reports, with the number of the socket on each datagram."""

    def __init__(self, number: int, owner: SocketOwner) -> None:
        self._number = number
        self._owner = owner

    def on_datagrams(self, datagrams: Sequence[Datagram]) -> None:
        for datagram in datagrams:
            datagram.local = self._number
        self._owner.on_datagrams(datagrams)

    def on_writable(self) -> None:
        self._owner.on_writable()

    def on_socket_error(self, error: OSError, address: Address | None) -> None:
        """A path of which the system says this gets no answer, which validation notices."""


@final
class LocalSockets:
    """Further sockets by number.

    Args:
        owner: who reads their datagrams.
    """

    def __init__(self, owner: SocketOwner) -> None:
        self._owner = owner
        self._sockets = NO_SOCKETS
        self._next = 1

    def __bool__(self) -> bool:
        return bool(self._sockets)

    def add(self, udp: UdpSocket) -> int:
        """Read from a socket, which is owned from here on, and give it a number."""
        number = self._next
        self._next += 1
        if self._sockets:
            self._sockets[number] = udp
        else:
            self._sockets = {number: udp}
        udp.start(NumberedSocket(number, self._owner))
        return number

    def remove(self, number: int) -> None:
        """Close a socket."""
        if number in self._sockets:
            self._sockets.pop(number).close()

    def close(self) -> None:
        """Close all of them."""
        for number in list(self._sockets):
            self.remove(number)

    def send(self, batch: SendBatch) -> bool:
        """Send what leaves by further sockets, and take it out of the batch.

        Returns:
            False when a socket is full, as `UdpSocket.send`.
        """
        elsewhere: dict[int, SendBatch] = {}
        for run in batch.runs:
            if run.local:
                elsewhere.setdefault(run.local, SendBatch()).runs.append(run)
        if not elsewhere:
            return True
        batch.runs = [run for run in batch.runs if not run.local]
        has_room = True
        for number, part in elsewhere.items():
            udp = self._sockets.get(number)
            # What wanted to leave by a socket that is closed is lost, as on a path that is gone.
            if udp is not None and not udp.send(part):
                has_room = False
        return has_room
