"""Which path is in use, and when that changes.

A server follows a client whose address changes, and keeps the last validated path to return to until the new
one is validated. A client adds paths of its own and chooses among them. RFC 9000 §9.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, final

from qwire.frames import PathResponseFrame

from ..batch import Address
from .path import Path, PathState

# Paths per connection: the one in use, the one before, and some being probed. The stalest goes first.
MAX_PATHS: Final = 4
# What connections with one path share: nobody may put anything into it.
NO_PATHS: Final[list[Path]] = []
# What was sent before a move may still arrive on the old path for about so many probe timeouts.
LINGER_PTOS: Final = 3
# RFC 9000 §8.2.4 gives the shortest time for a validation. Where there is no other path to go back to, it is given
# up only after so many of them: giving up ends the connection.
LAST_ROUNDS: Final = 3


@final
class Migration:
    """The active path has changed.

    Attributes:
        path: the active path now.
        old: the active path before.
        address_changed: the peer's host or our own socket differs, so that congestion state does not carry over;
            otherwise only the peer's port does, as behind a NAT (RFC 9000 §9.4).
    """

    __slots__ = ("address_changed", "old", "path")

    def __init__(self, path: Path, old: Path) -> None:
        self.path = path
        self.old = old
        self.address_changed = path.address[0] != old.address[0] or path.local != old.local


@final
class PathManager:
    """The paths of one connection.

    Args:
        address: where the first packets come from or go to.
        local: the socket of the first packets.
        validated: whether that address is known to be the peer's: for a client always, for a server after
            Retry or with a token.

    Attributes:
        active: the path in use.
        first_address: where the peer was during the handshake.
        dropped: paths that were given up, until somebody takes them from here.
        is_lost: the active path has failed, and there is none to go back to.
    """

    __slots__ = (
        "_fallback",
        "_is_client",
        "_next_id",
        "_random",
        "active",
        "dropped",
        "first_address",
        "is_lost",
        "others",
    )

    def __init__(
        self,
        address: Address,
        *,
        is_client: bool,
        validated: bool,
        random: Callable[[int], bytes],
        local: int = 0,
    ) -> None:
        self.active = Path(address, validated=validated, local=local)
        self.active.id = 0
        self.first_address = address
        self.dropped = NO_PATHS
        self.is_lost = False
        self._next_id = 1
        self._is_client = is_client
        self._random = random
        self.others = NO_PATHS  # oldest first
        self._fallback: Path | None = None

    @property
    def is_full(self) -> bool:
        """Another path would take the place of the stalest."""
        return len(self.others) + 1 >= MAX_PATHS

    def paths(self) -> list[Path]:
        """All paths, the active one first."""
        return [self.active, *self.others]

    def find(self, address: Address, local: int = 0) -> Path | None:
        """The path from a socket to an address."""
        for path in (self.active, *self.others):
            if path.address == address and path.local == local:
                return path
        return None

    def get(self, path_id: int) -> Path | None:
        """The path with a number."""
        for path in (self.active, *self.others):
            if path.id == path_id:
                return path
        return None

    def on_datagram(self, address: Address, size: int, local: int = 0) -> Path | None:
        """Count a datagram that arrived.

        Returns:
            Its path. On a server that may be one which is not kept before `on_packet` hears of a packet that
            authenticates, so that forged addresses cost nothing. None on a client for an address that it
            never sent to, whose datagrams have to be dropped (RFC 9000 §9.3).
        """
        active = self.active
        if address == active.address and local == active.local:
            active.received += size
            return active
        path = self.find(address, local)
        if path is None:
            if self._is_client:
                return None
            path = Path(address, local=local)
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
        if path not in self.others:
            self._keep(path)
        if not confirmed:
            return None
        # A probing peer is likely to move: once it does, the address need not hold it up.
        if not path.validated:
            path.start_validation(self._random, now, pto)
        if is_probing or not is_newest:
            return None
        self._switch(path, now, pto)
        if active.validated:
            active.start_validation(self._random, now, pto)
        return Migration(path, active)

    def follow(self, path: Path, now: float, pto: float) -> Migration:
        """Server: the newest packet of the handshake has come on a path that is not the active one.

        RFC 9000 §9 relies on addresses that stay during a handshake, and NATs do not keep to that. Answers go to
        where the client was heard last, at most three times what came from there; a challenge has to wait for
        1-RTT keys.
        """
        old = self.active
        if path not in self.others:
            self._keep(path)
        self._switch(path, now, pto)
        return Migration(path, old)

    def on_handshake_packet(self, path: Path) -> None:
        """Server: a Handshake packet proves that Initial packets reach the client's address. RFC 9000 §8.1.

        Where the client has been heard from two addresses, either may have been forged: no proof then.
        """
        if path is self.active and not self.others:
            path.set_validated()

    def on_confirmed(self, now: float, pto: float) -> None:
        """The handshake is confirmed: an address that it did not prove can be challenged now. RFC 9000 §8.2."""
        if not self.active.validated:
            self.active.start_validation(self._random, now, pto)

    def _keep(self, path: Path) -> None:
        path.id = self._next_id
        self._next_id += 1
        self.others = [*self.others, path]
        while len(self.others) >= MAX_PATHS:
            for stale in self.others:
                if stale is not self._fallback:
                    self.drop(stale)
                    break

    def drop(self, path: Path) -> None:
        """Give up a path that is not the active one."""
        self.others.remove(path)
        self.dropped = [*self.dropped, path]
        if path is self._fallback:
            self._fallback = None

    def take_dropped(self) -> list[Path]:
        """Paths that were given up since the last call."""
        dropped = self.dropped
        self.dropped = NO_PATHS
        return dropped

    def _switch(self, path: Path, now: float, pto: float) -> None:
        old = self.active
        self.others.remove(path)
        self.others.append(old)
        self.active = path
        path.leaves_at = math.inf
        if path.validated:
            self._fallback = None
            old.leave(now + LINGER_PTOS * pto)
        elif old.validated:
            self._fallback = old
        self.is_lost = False

    def receive_response(self, frame: PathResponseFrame, now: float, pto: float) -> Path | None:
        """PATH_RESPONSE: the path that it validates, or None if it answers nothing."""
        for path in self.paths():
            if path.receive_response(frame, self._random, now, pto):
                if path is self.active:
                    fallback = self._fallback
                    if fallback is not None:
                        self._fallback = None
                        fallback.leave(now + LINGER_PTOS * pto)
                    for other in list(self.others):
                        if other.state is PathState.FAILED:
                            self.drop(other)
                return path
        return None

    def handle_timeout(self, now: float, pto: float) -> Migration | None:
        """Repeat challenges, give up paths.

        Returns:
            What has changed, if the active path was given up and the connection is back on the last validated
            one. Without such a one it is tried again, and in the end `is_lost` is set.
        """
        for path in self.paths():
            has_failed = path.handle_timeout(self._random, now)
            if path is not self.active and (has_failed or path.leaves_at <= now):
                self.drop(path)
        failed = self.active
        if failed.state is not PathState.FAILED or self.is_lost:
            return None
        fallback = self._fallback
        if fallback is None:
            if failed.was_heard:
                failed.rounds = 0  # whoever speaks there may only get too little to answer
            if failed.rounds < LAST_ROUNDS:
                failed.start_validation(self._random, now, pto)
            else:
                self.is_lost = True
            return None
        self._fallback = None
        self.others.remove(fallback)
        self.active = fallback
        fallback.leaves_at = math.inf
        self.dropped = [*self.dropped, failed]
        return Migration(fallback, failed)

    def next_timeout(self) -> float:
        """When `handle_timeout` is due; math.inf when it is not."""
        deadline = self.active.deadline
        for path in self.others:
            deadline = min(deadline, path.deadline, path.leaves_at)
        return deadline

    # Of a client

    def add(self, address: Address, local: int) -> Path:
        """Another path to the peer, which carries nothing before it is probed or switched to."""
        path = Path(address, local=local)
        path.is_limited = False
        path.is_kept = True
        self._keep(path)
        return path

    def probe(self, path: Path, now: float, pto: float) -> None:
        """See whether the peer answers on a path. RFC 9000 §9.1."""
        path.start_validation(self._random, now, pto)

    def switch(self, path: Path, now: float, pto: float, *, keep_old: bool = False) -> Migration:
        """Go on with another path, and forget the one before once this one is known to work. RFC 9000 §9.2."""
        old = self.active
        old.is_kept = keep_old
        self._switch(path, now, pto)
        if not path.validated:
            path.start_validation(self._random, now, pto)
        return Migration(path, old)
