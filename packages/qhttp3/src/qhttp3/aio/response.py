"""`Response`: what a client holds of the answer to a request.

The body is read as it is asked for; what is not read holds the server back. RFC 9114 §4.1.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from qcore.aio.connection import Connection
from qhttp3.aio.client_exchange import ClientExchange, Informational
from qhttp3.aio.fields import Headers

__all__ = ["ClientExchange", "Informational", "Response"]


class Response:
    """The answer to a request. Read the body with `read` or by iteration, or `close` the response.

    Attributes:
        status: Status code.
        headers: Fields of the head, without ``:status``.
        informational: Interim responses that came before.
        url: What was asked for.
    """

    def __init__(self, exchange: ClientExchange, url: str, sender: asyncio.Task[None] | None) -> None:
        self.status = exchange.status
        self.headers = exchange.headers
        self.informational: tuple[Informational, ...] = tuple(exchange.informational)
        self.url = url
        self._exchange = exchange
        self._sender = sender
        self._body: bytes | None = None
        self._is_taken = False

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.url}>"

    @property
    def trailers(self) -> Headers:
        """Fields behind the body; complete once the body has been read."""
        return self._exchange.trailers

    @property
    def connection(self) -> Connection:
        """The connection that carries the response."""
        return self._exchange.connection.connection

    @property
    def stream_id(self) -> int:
        """The stream that carries the response."""
        return self._exchange.stream_id

    async def read(self) -> bytes:
        """Give the whole body; a second call gives it again.

        Raises:
            TimeoutError: the server fell silent.
            QuicError: the request or its connection ended early.
        """
        if self._body is None:
            pieces: list[bytes] = []
            self._take()
            exchange = self._exchange
            is_complete = False
            try:
                while not exchange.is_ended:
                    if piece := exchange.take_body() or await exchange.read_body():
                        pieces.append(piece)
                is_complete = True
            finally:
                if self._sender is None:
                    exchange.close()
                else:
                    await self._release(is_complete)
            self._body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return self._body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the body in pieces as they arrive."""
        if self._body is not None:
            yield self._body
            return
        self._take()
        is_complete = False
        try:
            while piece := await self._exchange.read_body():
                yield piece
            is_complete = True
        finally:
            await self._release(is_complete)

    def _take(self) -> None:
        if self._is_taken:
            raise RuntimeError("the body was already taken in pieces")
        self._is_taken = True

    async def close(self) -> None:
        """Give the response up; whatever has not arrived will not be sent."""
        self._is_taken = True
        await self._release(False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _release(self, is_complete: bool) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            if not is_complete:
                sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
        self._exchange.close()
