"""Which path is in use, and when that changes.

A server follows a client whose address changes, and keeps the last validated path to return to until the new
one is validated. A client adds paths of its own. RFC 9000 §9.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from qwire.frames import PathResponseFrame

from ..batch import Address
from .path import Path, PathState

# Paths per connection: the one in use, the one before, and some being probed. The stalest goes first.
MAX_PATHS: Final = 4


@final
class Migration:
    """The active path has changed.

    Attributes:
        path: the active path now.
        old: the active path before.
        address_changed: the host differs, so that congestion state does not carry over; otherwise only the
            port does, as behind a NAT (RFC 9000 §9.4).
    """

    __slots__ = ("address_changed", "old", "path")

    def __init__(self, path: Path, old: Path) -> None:
        self.path = path
        self.old = old
        self.address_changed = path.address[0] != old.address[0]


@final
class PathManager:
    """The paths of one connection.

    Args:
        address: where the first packets come from or go to.
        validated: whether that address is known to be the peer's: for a client always, for a server after
            Retry or with a token.

    Attributes:
        active: the path in use.
    """

    __slots__ = ("_fallback", "_is_client", "_others", "_random", "active", "is_lost")

    def __init__(
        self, address: Address, *, is_client: bool, validated: bool, random: Callable[[int], bytes]
    ) -> None:
        self.active = Path(address, validated=validated)
        self.is_lost = False
        self._is_client = is_client
        self._random = random
        self._others: list[Path] = []  # oldest first
        self._fallback: Path | None = None

    def paths(self) -> list[Path]:
        """All paths, the active one first."""
        return [self.active, *self._others]

    def find(self, address: Address) -> Path | None:
        """The path to an address."""
        if self.active.address == address:
            return self.active
        for path in self._others:
            if path.address == address:
                return path
        return None

    def on_datagram(self, address: Address, size: int) -> Path | None:
        """Count a datagram that arrived.

        Returns:
            Its path. On a server that may be one which is not kept before `on_packet` hears of a packet that
            authenticates, so that forged addresses cost nothing. None on a client for an address that it
            never sent to, whose datagrams have to be dropped (RFC 9000 §9.3).
        """
        active = self.active
        if address == active.address:
            active.received += size
            return active
        path = self.find(address)
        if path is None:
            if self._is_client:
                return None
            path = Path(address)
        path.on_received(size)
        return path

    def on_packet(
        self, path: Path, *, is_probing: bool, is_newest: bool, confirmed: bool, now: float, pto: float
    ) -> Migration | None:
        """A 1-RTT packet that authenticates has come on a path.

        Args:
            is_probing: all of its frames are probing frames (RFC 9000 §9.1).
            is_newest: its packet number is the highest so far.
            confirmed: the handshake is confirmed; a client does not move before (§9).
            pto: the present probe timeout in seconds.

        Returns:
            What has changed, if the peer has moved. A challenge is due then on both paths (§9.3, §9.3.3).
        """
        active = self.active
        if path is active or self._is_client:
            return None
        if path not in self._others:
            self._keep(path)
        if is_probing or not is_newest or not confirmed:
            return None
        self._switch(path)
        if not path.validated:
            path.start_validation(self._random, now, pto)
        if active.validated:
            active.start_validation(self._random, now, pto)
        return Migration(path, active)

    def _keep(self, path: Path) -> None:
        self._others.append(path)
        while len(self._others) >= MAX_PATHS:
            for stale in self._others:
                if stale is not self._fallback:
                    self._others.remove(stale)
                    break

    def _switch(self, path: Path) -> None:
        old = self.active
        if path in self._others:
            self._others.remove(path)
        self._others.append(old)
        self.active = path
        if path.validated:
            self._fallback = None
        elif old.validated:
            self._fallback = old
        self.is_lost = False

    def receive_response(self, frame: PathResponseFrame, now: float) -> Path | None:
        """PATH_RESPONSE: the path that it validates, or None if it answers nothing."""
        for path in self.paths():
            if path.receive_response(frame):
                if path is self.active:
                    self._fallback = None
                    self._others = [other for other in self._others if other.state is not PathState.FAILED]
                return path
        return None

    def handle_timeout(self, now: float) -> Migration | None:
        """Repeat challenges, give up paths.

        Returns:
            What has changed, if the active path was given up and the connection is back on the last validated
            one. Without such a one, `is_lost` is set.
        """
        for path in self.paths():
            if not path.handle_timeout(self._random, now) or path is self.active:
                continue
            if path is self._fallback:
                self._fallback = None
            self._others.remove(path)
        failed = self.active
        if failed.state is not PathState.FAILED or self.is_lost:
            return None
        fallback = self._fallback
        if fallback is None:
            self.is_lost = True
            return None
        self._fallback = None
        self._others.remove(fallback)
        self.active = fallback
        return Migration(fallback, failed)

    def next_timeout(self) -> float:
        """When `handle_timeout` is due; math.inf when it is not."""
        deadline = self.active.deadline
        for path in self._others:
            deadline = min(deadline, path.deadline)
        return deadline

    def add(self, address: Address, local: object, now: float, pto: float) -> Path:
        """Client: probe a path from another local address. RFC 9000 §9.1."""
        path = Path(address, local=local)
        # The limit of RFC 9000 §8.1 holds for servers; a client may send to the server it has chosen.
        path.received = self.active.received
        self._keep(path)
        path.start_validation(self._random, now, pto)
        return path

    def switch(self, path: Path) -> Migration:
        """Client: go on with another path. RFC 9000 §9.2."""
        old = self.active
        self._switch(path)
        return Migration(path, old)
