"""A request with its response, as the client sees it. RFC 9114 §4.1."""

from __future__ import annotations

from typing import Final, final

from qhttp3.aio.connection import NO_FIELDS, Exchange, H3Connection
from qhttp3.aio.fields import Headers
from qhttp3.aio.patience import Patience
from qhttp3.events import HeadersReceived, InformationalReceived
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

    async def wait_change(self) -> None:
        """As for every exchange, for no longer than the client has patience.

        Raises:
            TimeoutError: the server has fallen silent.
        """
        await self._patience.wait(self.changed)

    def on_headers(self, event: HeadersReceived) -> bool:
        self.status = int(event.fields[0][1])
        self.headers = Headers(event.fields[1:])
        self.is_ended = event.end
        return self.changed.notify()

    def on_informational(self, event: InformationalReceived) -> bool:
        if len(self.informational) < MAX_INFORMATIONAL:
            self.informational.append(Informational(int(event.fields[0][1]), Headers(event.fields[1:])))
        return False

    def close(self) -> None:
        """Let go of the stream, giving up what is not finished."""
        self.connection.exchanges.pop(self.stream_id, None)
        if self.engine.has_request(self.stream_id):
            self.engine.cancel(self.stream_id)
            self.connection.pump()
