"""A server of WebTransport sessions: one handler call for each. draft-ietf-webtrans-http3 §3."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

from qcore.batch import Address
from qcore.config import QuicConfig
from qcore.errors import QuicError
from qhttp3.aio.server import DEFAULT_DRAIN, Request, Server, serve
from qhttp3.aio.webtransport import WebTransportSession
from qhttp3.config import H3Config
from qhttp3.light_dataclass import replace
from qhttp3.webtransport import DEFAULT_SESSIONS, with_webtransport
from qtls.config import ServerTLS

SessionHandler: TypeAlias = Callable[[WebTransportSession], Awaitable[object]]

DEFAULT_QUIC: Final = QuicConfig()
DEFAULT_H3: Final = H3Config()


@asynccontextmanager
async def serve_webtransport(
    handler: SessionHandler,
    local: Address,
    *,
    tls: ServerTLS,
    config: QuicConfig = DEFAULT_QUIC,
    h3: H3Config = DEFAULT_H3,
    welcomes: Callable[[Request], bool] | None = None,
    protocols: Sequence[str] = (),
    on_request: Callable[[Request], None] | None = None,
    sessions: int = DEFAULT_SESSIONS,
    drain: float = DEFAULT_DRAIN,
) -> AsyncIterator[Server]:
    """Listen, and call ``handler`` with each session; the session is closed when it returns.

    Args:
        welcomes: whether a request gets a session, by its path and its origin; others are answered with 403. All
            are welcome without it.
        protocols: those of the application that are known here.
        on_request: takes all other requests, which are answered with 404 without it.
        sessions: at once on one connection.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def run(session: WebTransportSession) -> None:
        async with session:
            try:
                await handler(session)
            except* QuicError:
                # That the session is over is no news to it.
                if not session.is_closed and not session.connection.is_closed:
                    raise

    def answer(request: Request) -> None:
        if not request.is_webtransport:
            if on_request is not None:
                on_request(request)
            else:
                _refuse(request, 404)
        elif welcomes is not None and not welcomes(request):
            _refuse(request, 403)
        elif request.connection.sessions is not None and len(request.connection.sessions) >= sessions:
            _refuse(request, 429)
        else:
            task = asyncio.create_task(run(request.accept_webtransport(protocols=protocols)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    offered = with_webtransport(h3.settings, is_client=False, sessions=sessions)
    try:
        async with serve(
            answer, local, tls=tls, config=config, h3=replace(h3, settings=offered), drain=drain
        ) as server:
            yield server
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _refuse(request: Request, status: int) -> None:
    request.send_head(status, end=True)
    request.finish()
