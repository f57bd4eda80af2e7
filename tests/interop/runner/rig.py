"""The rig: one server and one client at a time at the ends of two links, in virtual time.

What the quic-interop-runner does with containers and captures: a seeded link, files, and criteria that are read off
the wire. The time goes on from one client to the next, so sessions can be resumed.
"""

import math
import time
from collections.abc import Callable
from typing import Protocol

from qcore.batch import Address, Datagram
from qcore.testing import Link, LinkConfig
from qcore.testing.interop import LIMIT, LINK, Sent
from qcore.testing.pair import CLIENT_ADDRESS, SERVER_ADDRESS, START, Stalled
from qwire.constants import PacketType

from .sides import Download, Side

# Where the server is, and where it may prefer to be.
PREFERRED_ADDRESS = ("10.0.0.3", 444)
SERVER_ADDRESSES: list[Address] = [SERVER_ADDRESS, PREFERRED_ADDRESS]
# aioquic takes the ages of certificates and tickets from the clock of the machine.
WALL_OFFSET = time.time() - START


class Client(Side, Protocol):
    """A client of the rig: one connection."""

    @property
    def is_ended(self) -> bool: ...
    @property
    def failure(self) -> object: ...
    @property
    def is_confirmed(self) -> bool: ...
    @property
    def version(self) -> int: ...
    @property
    def is_resumed(self) -> bool: ...
    @property
    def early_accepted(self) -> bool: ...
    def update_keys(self) -> bool: ...
    def close(self) -> None: ...


class Rig:
    """Links between a server and clients.

    Attributes:
        now: virtual time.
        to_server, to_client: the links.
        sent, answered: what the client and the server have put on them.
        client_address: where the client is seen by the server; what is sent elsewhere arrives nowhere.
    """

    def __init__(self, server: Side, link: LinkConfig = LINK, *, seed: int = 0) -> None:
        self.now = START
        self.to_server = Link(link, f"{seed} to server")
        self.to_client = Link(link, f"{seed} to client")
        self.sent: list[Sent] = []
        self.answered: list[Sent] = []
        self.client_address: Address = CLIENT_ADDRESS
        self._server = server
        self.to_server.filter(lambda datagram: self._note(self.sent, datagram))
        self.to_client.filter(lambda datagram: self._note(self.answered, datagram))
        self.to_client.filter(lambda datagram: datagram.address == self.client_address)

    def _note(self, wire: list[Sent], datagram: Datagram) -> bool:
        wire.append(Sent(self.now, Datagram(datagram.data, datagram.address, datagram.ecn, datagram.local)))
        return True

    def run_until(self, client: Client, holds: Callable[[], bool], limit: float = LIMIT) -> None:
        """Let time pass until the condition holds.

        Raises:
            Stalled: it does not within `limit` seconds of virtual time.
        """
        end = self.now + limit
        while True:
            self._flush(client)
            if holds():
                return
            due = min(
                client.next_timeout(),
                self._server.next_timeout(),
                self.to_server.next_delivery(),
                self.to_client.next_delivery(),
            )
            if due > end:
                raise Stalled("nothing is due" if due == math.inf else f"time is up at {self.now:.3f}")
            self.now = max(self.now, due)
            for side in (client, self._server):
                if side.next_timeout() <= self.now:
                    side.handle_timeout(self.now)
            arrived = self.to_server.deliver(self.now)
            if arrived:
                self._server.receive(
                    [
                        Datagram(
                            each.data, self.client_address, each.ecn, SERVER_ADDRESSES.index(each.address)
                        )
                        for each in arrived
                    ],
                    self.now,
                )
            arrived = self.to_client.deliver(self.now)
            if arrived:
                client.receive(
                    [Datagram(each.data, SERVER_ADDRESSES[each.local], each.ecn) for each in arrived],
                    self.now,
                )

    def _flush(self, client: Client) -> None:
        for side, link in ((client, self.to_server), (self._server, self.to_client)):
            while datagrams := side.transmit(self.now):
                for datagram in datagrams:
                    link.send(datagram, self.now)

    def download(
        self,
        client: Client,
        download: Download,
        files: dict[bytes, bytes],
        *,
        until: Callable[[], bool] = lambda: True,
        limit: float = LIMIT,
    ) -> float:
        """Let a client fetch what it wants, and close; returns how long the files took.

        Args:
            until: what must hold as well before the client closes.
        """
        begin = self.now

        def is_done() -> bool:
            assert not client.is_ended, f"the connection ended early: {client.failure!r}"
            return download.is_complete and until()

        self.run_until(client, is_done, limit)
        took = self.now - begin
        for name, body in download.bodies.items():
            assert files[name] == body
        client.close()
        self.run_until(client, lambda: client.is_ended, limit)
        assert client.failure is None
        return took

    def rebind(self, times: list[float], *, changes_host: bool) -> None:
        """Have a translator in the client's way choose another port, or address too, at these times."""
        left = [START + at for at in times]

        def keep(_: object) -> bool:
            if left and left[0] <= self.now:
                left.pop(0)
                host, port = str(self.client_address[0]), int(self.client_address[1])
                self.client_address = (f"10.0.0.{port % 100 + 1}" if changes_host else host, port + 1)
            return True

        self.to_server.filter(keep)

    # The wire

    def handshakes(self) -> int:
        """Handshakes as the runner counts them: source connection IDs of the server's Initial packets."""
        return len({sent.headers[0].source_cid for sent in self.answered if sent.kind is PacketType.INITIAL})

    def is_retried(self) -> bool:
        return any(sent.kind is PacketType.RETRY for sent in self.answered)
