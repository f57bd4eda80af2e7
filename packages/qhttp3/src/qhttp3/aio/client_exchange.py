"""A request with its response, as the client sees it. RFC 9114 §4.1."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final, final

from qhttp3.aio.connection import NO_FIELDS, Exchange, H3Connection
from qhttp3.aio.fields import Headers
from qhttp3.aio.patience import Patience
from qhttp3.events import Field, HeadersReceived, InformationalReceived
from qhttp3.headers import parse_status
from qhttp3.values import Value

# Interim responses kept per request; a server that sends more is not heard to.
MAX_INFORMATIONAL: Final = 32


@final
class Informational(Value):
    """An interim response, such as 103 Early Hints."""

    __slots__ = ("headers", "status")

    def __init__(self, status: int, headers: Headers) -> None:
        self.status: Final = status
        self.headers: Final = headers


@final
class ClientExchange(Exchange):
    """A request with its response, as the client sees it."""

    def __init__(self, connection: H3Connection, stream_id: int, patience: Patience) -> None:
        super().__init__(connection, stream_id)
        self._patience = patience
        self.status = 0
        self.headers = NO_FIELDS
        self.informational: list[Informational] = []

    async def wait_head(self) -> None:
        """Wait for the head of the final response.

        Raises:
            TimeoutError: the server has fallen silent; each sign of life, such as room for more of the body, starts
                the clock again.
            QuicError: the request or its connection ended early.
        """
        while not self.status:
            if self.error is not None:
                raise self.error
            # As `Patience.wait`, without a coroutine of its own: every request passes here.
            future = self._patience.begin(self.changed)
            try:
                await future
            except (asyncio.CancelledError, TimeoutError):
                self.changed.unsubscribe(future)
                raise
            finally:
                self._patience.end(future)

    async def wait_change(self) -> None:
        """As for every exchange, for no longer than the client has patience.

        Raises:
            TimeoutError: the server has fallen silent.
        """
        await self._patience.wait(self.changed)

    def on_headers(self, event: HeadersReceived) -> bool:
        self.status = parse_status(event.fields[0][1])
        self.headers = Headers(event.fields[1:])
        self.is_ended = event.end
        return self.changed.notify()

    def on_informational(self, event: InformationalReceived) -> bool:
        if len(self.informational) < MAX_INFORMATIONAL:
            status = parse_status(event.fields[0][1])
            self.informational.append(Informational(status, Headers(event.fields[1:])))
        return False

    def close(self) -> None:
        """Let go of the stream, giving up what is not finished."""
        exchanges = self.connection.exchanges
        if self.stream_id in exchanges:
            del exchanges[self.stream_id]
        if self.engine.has_request(self.stream_id):
            self.engine.cancel(self.stream_id)
            self.connection.pump()


def start_exchange(
    connection: H3Connection, fields: Iterable[Field], end: bool, patience: Patience
) -> ClientExchange | None:
    """Send the head of a request; None if the server allows no more now."""
    stream_id = connection.engine.send_request(fields, end)
    if stream_id is None:
        return None
    exchange = ClientExchange(connection, stream_id, patience)
    connection.exchanges[stream_id] = exchange
    connection.pump_message()
    if connection.keeps_apart:
        connection.set_apart()
    return exchange
