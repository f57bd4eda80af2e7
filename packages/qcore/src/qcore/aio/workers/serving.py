"""`serve_workers`: `qcore.serve` in several processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from qtls import ServerTLS

from ...admission import Admit
from ...batch import Address
from ...config import QuicConfig
from ...ids.workers import WorkerIds
from ..connection import Connection
from ..endpoint import DEFAULT_CONFIG, serve_on
from .group import DEFAULT_DRAIN, WorkerGroup, start_workers
from .replays import with_shared_replays
from .worker import Worker


@asynccontextmanager
async def serve_workers(
    handler: Callable[[Connection], Awaitable[object]],
    local: Address,
    *,
    workers: int,
    tls: ServerTLS,
    config: QuicConfig = DEFAULT_CONFIG,
    admit: Admit | None = None,
    ids: WorkerIds | None = None,
    reset_key: bytes | None = None,
    token_keys: Sequence[bytes] = (),
    drain: float = DEFAULT_DRAIN,
    steering: bool = True,
) -> AsyncIterator[WorkerGroup]:
    """Run `handler` for each connection, in one of several processes on the same port.

    The processes are forked, see `start_workers`; the rest is as with `serve`. What `handler` keeps is its process's
    own. Leaving the context gives connections `drain` seconds to end.
    """
    tls = with_shared_replays(tls)

    async def main(worker: Worker) -> None:
        async with (
            worker.endpoint() as endpoint,
            serve_on(endpoint, handler, tls=tls, config=config, admit=admit) as listener,
        ):
            worker.ready()
            await listener.close(drain=await worker.stopped())

    async with start_workers(
        main,
        local,
        workers=workers,
        ids=ids,
        reset_key=reset_key,
        token_keys=token_keys,
        drain=drain,
        steering=steering,
    ) as group:
        yield group
