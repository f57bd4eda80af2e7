"""A connection and its paths: what the application may ask for, and what follows when another path is active.

`paths` decides which path is in use. Here the rest of the connection is told: connection IDs, congestion control,
path MTU, and the application. RFC 9000 §9.
"""

from __future__ import annotations

from typing import final

from ..batch import Address
from ..config import QuicConfig
from ..errors import PathUnavailable, UsageError
from ..events import PathAbandoned, PathChanged, PathValidated
from ..observer import Observer
from ..paths.migration import Migration
from ..paths.mtu import BASE_SIZE, MtuDiscovery
from ..paths.path import Path, is_same_place
from .lifecycle import Lifecycle
from .negotiation import Negotiation
from .parts import Parts
from .progress import Progress


@final
class Mobility:
    """The paths of one connection. The first has the number 0; `add` gives others theirs."""

    __slots__ = ("_config", "_lifecycle", "_negotiation", "_observer", "_parts", "_progress")

    def __init__(
        self,
        parts: Parts,
        config: QuicConfig,
        *,
        negotiation: Negotiation,
        lifecycle: Lifecycle,
        progress: Progress,
        observer: Observer | None,
    ) -> None:
        self._parts = parts
        self._config = config
        self._negotiation = negotiation
        self._lifecycle = lifecycle
        self._progress = progress
        self._observer = observer

    # Verbs of a client

    @property
    def active_id(self) -> int:
        """The number of the path in use."""
        return self._parts.paths.active.id

    def add(self, local: int, now: float, address: Address | None = None) -> int:
        """Another path, from a local socket that the caller gives a number; nothing is sent on it yet.

        Args:
            address: where the server is, by default where it is now; a preferred address, or the same one as
                another family of sockets writes it.

        Returns:
            The number of the path.

        Raises:
            PathUnavailable: the handshake is not confirmed, the server forbids it, has an empty connection ID or
                has given no spare one, or there are too many paths.
            UsageError: a server, or the path exists.
            ConnectionClosed: the connection is over.
        """
        parts = self._parts
        self._lifecycle.require_open()
        if not parts.is_client:
            raise UsageError("a server does not choose paths")
        paths = parts.paths
        address = address or paths.active.address
        if paths.find(address, local) is not None:
            raise UsageError(f"there is a path from socket {local} to {address} already")
        self._check_allowed(address)
        remote_id = parts.remote_ids.take()
        if remote_id is None:
            raise PathUnavailable("the server has given no spare connection ID")
        path = paths.add(address, local)
        path.remote_id = remote_id
        if self._observer is not None:
            self._observer.path_added(now, path.id, address)
        return path.id

    def _check_allowed(self, address: Address) -> None:
        parts = self._parts
        peer = self._negotiation.peer
        if not self._lifecycle.is_confirmed or peer is None:
            raise PathUnavailable("the handshake is not confirmed yet")  # RFC 9000 §9
        # RFC 9000 §18.2: forbidden is only the address of the handshake.
        if peer.disable_active_migration and is_same_place(address, parts.paths.first_address):
            raise PathUnavailable("the server does not allow migration")
        if not parts.remote_ids.current_cid:
            raise PathUnavailable("the server uses an empty connection ID")  # RFC 9000 §9.5
        if parts.paths.is_full:
            raise PathUnavailable("there are too many paths")

    def probe(self, path_id: int, now: float) -> None:
        """Ask whether the server is there; `PathValidated` or `PathAbandoned` follows.

        Raises:
            UsageError: there is no such path.
        """
        self._parts.paths.probe(self._path(path_id), now, self._parts.pto())

    def switch(self, path_id: int, now: float, *, keep_old: bool = False) -> None:
        """Go on with another path; one that was not probed is validated meanwhile, and left again if that fails.

        Args:
            keep_old: do not forget the path before.

        Raises:
            PathUnavailable: it leads to another address, which has not answered yet (RFC 9000 §9.6.1, §21.5.3).
            UsageError: there is no such path.
        """
        parts = self._parts
        path = self._path(path_id)
        active = parts.paths.active
        if path is active:
            return
        if not path.validated and not is_same_place(path.address, active.address):
            raise PathUnavailable(f"{path.address[0]} has to answer a probe first")
        self.on_migration(parts.paths.switch(path, now, parts.pto(), keep_old=keep_old), now)
        parts.control.ping()  # the server follows a packet that does more than probe

    def close(self, path_id: int, now: float) -> None:
        """Forget a path and give its connection ID back; nothing happens if it is gone.

        Raises:
            UsageError: it is the one in use.
        """
        paths = self._parts.paths
        path = paths.get(path_id)
        if path is paths.active:
            raise UsageError("the path in use cannot be closed: switch to another one")
        if path is not None:
            paths.drop(path)
            self._on_dropped(now)

    def _path(self, path_id: int) -> Path:
        path = self._parts.paths.get(path_id)
        if path is None:
            raise UsageError(f"there is no path {path_id}")
        return path

    # Reports

    def on_packet(
        self, path: Path, destination_cid: bytes, *, is_probing: bool, is_newest: bool, now: float
    ) -> None:
        """A 1-RTT packet came on a path that is not the active one."""
        parts = self._parts
        paths = parts.paths
        is_new = path.id < 0
        if is_new:
            path.local_cid = destination_cid
            # RFC 9000 §9.5: a peer that moves on purpose shows another connection ID, and is shown another. One
            # that does not was moved by the network, or is copied by somebody else.
            if destination_cid != paths.active.local_cid:
                path.remote_id = parts.remote_ids.take()
        migration = paths.on_packet(
            path,
            is_probing=is_probing,
            is_newest=is_newest,
            confirmed=self._lifecycle.is_confirmed and self._config.migration,
            now=now,
            pto=parts.pto(),
        )
        if is_new and self._observer is not None:
            self._observer.path_added(now, path.id, path.address)
        self.on_migration(migration, now)

    def follow(self, path: Path, now: float) -> None:
        """Server: the newest packet of the handshake came on a path that is not the active one."""
        if self._config.migration:
            self.on_migration(self._parts.paths.follow(path, now, self._parts.pto()), now)

    def on_validated(self, path: Path, now: float) -> None:
        """The peer has answered on a path."""
        if self._observer is not None:
            self._observer.path_validated(now, path.id, path.address)
        self._progress.events.append(PathValidated(path.id))
        self._on_dropped(now)

    def handle_timeout(self, now: float) -> None:
        """Challenges are to be repeated, or given up."""
        parts = self._parts
        self.on_migration(parts.paths.handle_timeout(now, parts.pto()), now)

    def on_migration(self, migration: Migration | None, now: float) -> None:
        """Another path may be active now: RFC 9000 §9.4 wants new estimates when the address is another."""
        if migration is not None:
            self._exchange_ids(migration)
            self._take_over(migration, now)
            path = migration.path
            if self._observer is not None:
                self._observer.path_changed(now, path.id, path.address)
            self._progress.events.append(PathChanged(path.id, path.address))
        self._on_dropped(now)

    def _exchange_ids(self, migration: Migration) -> None:
        """Each path keeps its connection ID, if it has one of its own."""
        path, old = migration.path, migration.old
        parts = self._parts
        ids = parts.remote_ids
        if path.remote_id is not None and path.remote_id.is_retired:
            path.remote_id = ids.take()
        if path.remote_id is not None:
            old.remote_id = ids.current
            ids.use(path.remote_id)
            path.remote_id = None
        parts.packer.headers.destination_cid = ids.current_cid

    def _take_over(self, migration: Migration, now: float) -> None:
        parts = self._parts
        path, old = migration.path, migration.old
        if not migration.address_changed and old.mtu is not None:
            path.mtu = old.mtu  # only the port is another: the route is the same
        elif path.mtu is None:
            peer = self._negotiation.peer
            ceiling = self._config.max_udp_payload
            if peer is not None:
                ceiling = min(ceiling, peer.max_udp_payload_size)
            path.mtu = MtuDiscovery(base=BASE_SIZE, ceiling=ceiling, enabled=self._config.pmtud)
            path.mtu.permit(now)
            if old.mtu is not None and not old.mtu.is_idle:
                path.mtu.want()  # who had use for larger datagrams has it here, too
        if migration.address_changed:
            parts.recovery.on_path_changed(now, path.rtt)
        parts.follow_mtu(now)

    def _on_dropped(self, now: float) -> None:
        """RFC 9000 §5.1.2: the connection IDs of paths that are gone are given back."""
        parts = self._parts
        if not parts.paths.dropped:
            return
        for path in parts.paths.take_dropped():
            if path.remote_id is not None:
                parts.remote_ids.retire(path.remote_id)
            if self._observer is not None:
                self._observer.path_abandoned(now, path.id, path.address, path.has_failed)
            self._progress.events.append(PathAbandoned(path.id, path.has_failed))
