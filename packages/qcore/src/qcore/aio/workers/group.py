"""Starts workers, starts them again when they crash, and stops them.

The process that does so holds the sockets and serves nobody: a worker that crashes loses its connections, but no
datagram that waits in its socket, and the order of the sockets, which the kernel steers by, never changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import sys
import traceback
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from ...batch import Address
from ...errors import UsageError
from ...ids.workers import MAX_WORKERS, WorkerIds
from ..sockets import open_socket
from .mailbox import open_mailboxes
from .replays import shared_token_memory
from .steering import steer
from .worker import FAILED, READY, STOP, Shared, Worker, WorkerFailed

log = logging.getLogger(__name__)

Main = Callable[[Worker], Awaitable[None]]

# Seconds that requests under way have to end.
DEFAULT_DRAIN: Final = 5.0
# A worker that has not ended so long after its time is killed.
GRACE: Final = 5.0
# Seconds before a crashed worker is started again: doubled each time, until one has lived for a while.
FIRST_DELAY: Final = 0.1
LONGEST_DELAY: Final = 5.0
LIVED: Final = 10.0
# How much a worker may say about why it could not begin.
REASON_SIZE: Final = 4_000


class _Process:
    """A worker as seen from outside."""

    def __init__(self, number: int, shared: Shared, main: Main, others: Sequence[_Process]) -> None:
        self.number = number
        self._loop = asyncio.get_running_loop()
        self.started_at = self._loop.time()
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._said = b""
        self._control, child_end = socket.socketpair()
        self._control.setblocking(False)
        child_end.setblocking(False)
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            # Python 3.12 warns where there are threads. Those of this loop resolve names, and the child has its own.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            for other in (*others, self):
                other._control.close()
            _run(number, shared, main, child_end)
        child_end.close()
        self._loop.add_reader(self._control.fileno(), self._on_said)

    def stop(self, drain: float) -> None:
        """Tell the worker to end."""
        with contextlib.suppress(OSError):
            self._control.send(STOP.pack(drain))

    def kill(self) -> None:
        if not self.ended.done():
            os.kill(self.pid, signal.SIGKILL)

    def _on_said(self) -> None:
        try:
            data = self._control.recv(REASON_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        self._said = (self._said + data)[:REASON_SIZE]
        if data:
            if self._said[:1] == READY and not self.ready.done():
                self.ready.set_result(None)
            return
        # The other end is closed because the process is gone.
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        _, status = os.waitpid(self.pid, 0)
        if not self.ready.done():
            reason = self._said[1:].decode(errors="replace") if self._said[:1] == FAILED else _ending(status)
            self.ready.set_exception(WorkerFailed(f"worker {self.number}: {reason}"))
        self.ended.set_result(None)


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"killed by signal {-code}" if code < 0 else f"ended with code {code}"


def _run(number: int, shared: Shared, main: Main, control: socket.socket) -> None:
    """The life of a forked process. Never returns: what is above on the stack belongs to the other process."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the first process decides
        asyncio.run(_live(number, shared, main, control))
        code = 0
    except BaseException as error:  # noqa: BLE001 - told to the other process, and to whoever reads the log
        traceback.print_exc()
        with contextlib.suppress(OSError):
            control.send((FAILED + f"{type(error).__name__}: {error}".encode())[:REASON_SIZE])
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


async def _live(number: int, shared: Shared, main: Main, control: socket.socket) -> None:
    await main(Worker(number, shared, control))


class WorkerGroup:
    """Running workers."""

    def __init__(self, shared: Shared, main: Main) -> None:
        self._shared = shared
        self._main = main
        self._processes: list[_Process] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._is_closed = False
        self.restarts = 0

    @property
    def addresses(self) -> list[Address]:
        """The local address, which all workers share."""
        address: Address = self._shared.sockets[0].getsockname()
        return [address]

    @property
    def pids(self) -> list[int]:
        """The processes, by number of the worker."""
        return [process.pid for process in self._processes]

    async def _start(self) -> None:
        for number in range(len(self._shared.sockets)):
            self._processes.append(_Process(number, self._shared, self._main, self._processes))
        await asyncio.gather(*(process.ready for process in self._processes))
        self._keepers = [asyncio.create_task(self._keep(process)) for process in self._processes]

    async def _keep(self, process: _Process) -> None:
        """Start a worker again whenever it ends, until the group is closed."""
        delay = FIRST_DELAY
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.shield(process.ended)
            if self._is_closed:
                return
            if loop.time() - process.started_at > LIVED:
                delay = FIRST_DELAY
            log.warning("worker %d (process %d) has ended; starting it again", process.number, process.pid)
            await asyncio.sleep(delay)
            if self._is_closed:
                return
            delay = min(2 * delay, LONGEST_DELAY)
            self.restarts += 1
            others = [other for other in self._processes if other is not process]
            process = _Process(process.number, self._shared, self._main, others)
            # Nobody else waits for it: if it fails, it ends, and that is logged above.
            process.ready.add_done_callback(lambda ready: ready.exception())
            self._processes[process.number] = process

    async def close(self, *, drain: float | None = None) -> None:
        """Have all workers stop: they take no more connections, and give those there are `drain` seconds to end."""
        seconds = self._shared.drain if drain is None else drain
        if self._is_closed:
            return
        self._is_closed = True
        for process in self._processes:
            process.stop(seconds)
            process.ready.add_done_callback(lambda ready: ready.exception())
        try:
            async with asyncio.timeout(seconds + GRACE):
                await asyncio.gather(*(asyncio.shield(process.ended) for process in self._processes))
        except TimeoutError:
            for process in self._processes:
                process.kill()
            await asyncio.gather(*(process.ended for process in self._processes))
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)


@asynccontextmanager
async def start_workers(
    main: Main,
    local: Address,
    *,
    workers: int,
    ids: WorkerIds | None = None,
    reset_key: bytes | None = None,
    token_keys: Sequence[bytes] = (),
    drain: float = DEFAULT_DRAIN,
    steering: bool = True,
) -> AsyncIterator[WorkerGroup]:
    """Run ``main(worker)`` in as many processes, all on one port; leaving the context stops them.

    The processes are forked, so `main` may be any coroutine function. It opens `Worker.endpoint`, calls `Worker.ready`
    and, once `Worker.stopped` returns, ends within the time that it was given. Whatever has to be the same in all of
    them, as the keys of session tickets, is to be made before.

    A worker that is sent SIGTERM ends within `drain` seconds, while new clients go to the others, and is started again.

    Args:
        ids: how connection IDs carry the workers' numbers; with a load balancer in front, those that it can read.
        reset_key, token_keys: as of `Endpoint.open`; shared by the workers.
        drain: seconds that a worker is given to end.
        steering: let the kernel deliver to the right worker, where it can.

    Raises:
        WorkerFailed: a worker could not begin.
        UsageError: no such number of workers, or this platform cannot fork.
        OSError: the address cannot be bound, or another process has it.
    """
    if not 1 <= workers <= MAX_WORKERS:
        raise UsageError(f"1 to {MAX_WORKERS} workers, not {workers}")
    if not hasattr(os, "fork") or not hasattr(socket, "SO_REUSEPORT"):
        raise UsageError("workers need a system that can fork and share ports")
    ids = ids or WorkerIds()
    sockets = _open_sockets(local, workers)
    mailboxes = open_mailboxes(workers)
    if steering and ids.number_offset is not None:
        steer(sockets[0], ids.number_offset)
    shared = Shared(
        ids,
        sockets,
        mailboxes,
        reset_key or secrets.token_bytes(32),
        tuple(token_keys) or (secrets.token_bytes(32),),
        shared_token_memory(),
        drain,
    )
    group = WorkerGroup(shared, main)
    try:
        await group._start()
        yield group
    finally:
        await group.close()
        for sock in (*sockets, *(end for pair in mailboxes for end in pair)):
            sock.close()


def _open_sockets(local: Address, count: int) -> list[socket.socket]:
    if local[1]:
        open_socket(local).close()  # who shares a port is not told that a stranger shares it, too
    sockets = [open_socket(local, shares_port=True)]
    bound: Address = sockets[0].getsockname()
    try:
        for _ in range(count - 1):
            sockets.append(open_socket(bound, shares_port=True))
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return sockets
