"""`Path`: one of the ways between a client and its server.

A client adds a path with a socket of its own, probes it, and switches to it; the server follows. RFC 9000 §9.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import final

from ..batch import Address
from ..engine.engine import QuicEngine
from ..errors import PathFailed, QuicError, UsageError
from ..events import Event, PathAbandoned, PathChanged, PathValidated, PreferredAddressOffered
from .driven import Driven
from .driver import Driver
from .resolve import for_family
from .signal import Signal
from .sockets import open_socket
from .udp import wrap_socket


@final
class Path:
    """A way to the server, from one local socket.

    Attributes:
        id: its number on the connection; the first path has 0.
        local: the address of its socket.
        is_validated: the server has answered on it.
        is_closed: it is given up.
    """

    def __init__(self, table: PathTable, path_id: int, number: int, local: Address) -> None:
        self.id = path_id
        self.local = local
        self.is_validated = not path_id
        self.is_closed = False
        self.number = number
        self.answers = 0
        self._table = table

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else "active" if self.is_active else "spare"
        return f"<Path {self.id} from {self.local[0]} port {self.local[1]}, {state}>"

    @property
    def is_active(self) -> bool:
        """Whether the connection uses it now."""
        return not self.is_closed and self._table.engine.paths.active_id == self.id

    async def probe(self) -> None:
        """Ask the server for an answer on this path, and wait for it. RFC 9000 §8.2.

        Raises:
            PathFailed: nobody answered, and the path is closed.
            QuicError: the connection has ended.
        """
        await self._table.probe(self)

    def switch(self, *, keep: bool = False) -> None:
        """Have the connection use this path. One that was not probed is validated meanwhile, and left again if that fails.

        Args:
            keep: do not close the path that was in use, so that one can go back to it.

        Raises:
            PathFailed: the path is closed.
        """
        self._table.switch(self, keep)

    def close(self) -> None:
        """Give the path up; nothing happens if that is done.

        Raises:
            UsageError: the connection uses it.
        """
        self._table.close_path(self)


@final
class PathTable:
    """The paths of one client connection, and their sockets.

    Args:
        ended_by: what ended the connection, if it has ended.
        local: the address of the first socket.
    """

    def __init__(
        self, driven: Driven, driver: Driver, ended_by: Callable[[], QuicError | None], local: Address
    ) -> None:
        self.engine: QuicEngine = driven.engine
        self.changed = Signal()
        self._driven = driven
        self._driver = driver
        self._ended_by = ended_by
        self._paths: dict[int, Path] = {0: Path(self, 0, 0, local)}
        self._moving: asyncio.Task[None] | None = None

    def paths(self) -> tuple[Path, ...]:
        """All that are not closed, in the order in which they were added."""
        return tuple(self._paths.values())

    # Verbs

    async def add(self, local: Address, address: Address | None = None) -> Path:
        """See `Connection.add_path`; `address` is a preferred one of the server."""
        driver = self._driver
        engine = self.engine
        while not engine.is_confirmed and self._ended_by() is None:
            await self.changed.wait()
        sock = open_socket(local)
        try:
            there = _as_seen_by(sock, address or engine.address)
            udp = await wrap_socket(asyncio.get_running_loop(), sock, is_connected=False)
        except BaseException:
            sock.close()
            raise
        number = driver.add_socket(udp, self._driven)
        try:
            path_id = engine.paths.add(number, driver.now(), there)
        except BaseException:
            driver.remove_socket(number)
            raise
        path = self._paths[path_id] = Path(self, path_id, number, udp.address)
        return path

    async def probe(self, path: Path) -> None:
        """See `Path.probe`."""
        answers = path.answers
        if not path.is_closed and self._ended_by() is None:
            self.engine.paths.probe(path.id, self._driver.now())
            self._driver.wake(self._driven)
        while path.answers == answers:
            ended = self._ended_by()
            if ended is not None:
                raise ended
            if path.is_closed:
                raise PathFailed(f"nobody answers on the path from {path.local[0]}")
            await self.changed.wait()

    def switch(self, path: Path, keep: bool) -> None:
        """See `Path.switch`."""
        if path.is_closed:
            raise PathFailed(f"the path from {path.local[0]} is closed")
        self.engine.paths.switch(path.id, self._driver.now(), keep_old=keep)
        self._driver.wake(self._driven)

    def close_path(self, path: Path) -> None:
        """See `Path.close`."""
        if not path.is_closed:
            self.engine.paths.close(path.id, self._driver.now())
            self._driver.wake(self._driven)

    # Reports

    def on_event(self, event: Event) -> bool:
        """What the engine says of a path; tells whether a task was woken."""
        if isinstance(event, PreferredAddressOffered):
            self._moving = asyncio.get_running_loop().create_task(self._move(event.address))
            return True
        if isinstance(event, PathValidated | PathAbandoned | PathChanged):
            path = self._paths.get(event.path_id)
            if path is not None:
                if isinstance(event, PathValidated):
                    path.is_validated = True
                    path.answers += 1
                elif isinstance(event, PathAbandoned):
                    path.is_closed = True
                    del self._paths[path.id]
                    self._driver.remove_socket(path.number)
        return self.changed.notify()

    async def _move(self, address: Address) -> None:
        """Go where the server prefers to be; whatever stands in the way, the connection stays where it is."""
        with contextlib.suppress(OSError, UsageError):
            host = self._paths[0].local[0]
            path = await self.add((host, 0), address)
            await path.probe()
            path.switch()

    def close(self) -> None:
        """The connection is over: close all sockets but the first."""
        if self._moving is not None:
            self._moving.cancel()
        for path in self._paths.values():
            path.is_closed = True
            self._driver.remove_socket(path.number)
        self._paths.clear()
        self.changed.notify()


def _as_seen_by(sock: socket.socket, address: Address) -> Address:
    """An address as a socket of another family may write it.

    Raises:
        UsageError: the socket cannot send there.
    """
    host = str(address[0])
    if sock.family == socket.AF_INET:
        if host.startswith("::ffff:"):
            return host.removeprefix("::ffff:"), address[1]
        if len(address) == 4:
            raise UsageError(f"no IPv4 socket reaches {host}")
        return address
    (seen,) = for_family([address], sock.family)
    if seen[0].startswith("::ffff:") and sock.getsockname()[0] != "::":
        raise UsageError(f"no socket of IPv6 alone reaches {host}")
    return seen
