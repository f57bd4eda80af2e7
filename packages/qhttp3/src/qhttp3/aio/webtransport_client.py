"""A client's WebTransport sessions. draft-ietf-webtrans-http3 §3."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from qhttp3.aio.client import Connector, open_exchange
from qhttp3.aio.connection import H3Connection
from qhttp3.aio.fields import FieldsInput, encode_fields
from qhttp3.aio.patience import Patience
from qhttp3.aio.request import Target
from qhttp3.aio.webtransport import SessionRefused, WebTransportSession
from qhttp3.events import Field
from qhttp3.light_dataclass import replace
from qhttp3.protocol_list import encode_protocols, parse_protocols
from qhttp3.webtransport import DRAFT_02_REQUEST, PROTOCOL, PROTOCOLS, TOKEN, token_for, with_webtransport


@asynccontextmanager
async def open_session(
    connector: Connector, patience: Patience, url: str, headers: FieldsInput, protocols: Sequence[str]
) -> AsyncIterator[WebTransportSession]:
    """`Client.webtransport`."""
    target = Target.parse(url)
    given = encode_fields(headers)
    async with AsyncExitStack() as stack:
        async with asyncio.timeout(patience.seconds):
            dialed, config = await stack.enter_async_context(connector(target.host, target.port, False))
            settings = with_webtransport(config.settings, is_client=True)
            connection = H3Connection(dialed, replace(config, settings=settings))
            connection.start()
            fields = _connect_fields(await _token(connection), target, protocols)
        exchange = await open_exchange(connection, fields + given, False, patience)
        await exchange.wait_head()
        if not 200 <= exchange.status < 300:
            raise SessionRefused(exchange.status)
        answered = [value for name, value in exchange.headers.raw if name == PROTOCOL]
        agreed = parse_protocols(b", ".join(answered))
        protocol = agreed[0] if len(agreed) == 1 and agreed[0] in protocols else None
        async with WebTransportSession(exchange, protocol, None, exchange.headers) as session:
            yield session


async def _token(connection: H3Connection) -> bytes:
    """Wait for the server's settings, which say how to ask for a session."""
    while connection.engine.peer_settings is None:
        error = connection.connection.ended_by()
        if error is not None:
            raise error
        await connection.changed.wait()
    token = token_for(connection.engine.peer_settings)
    if token is None:
        raise SessionRefused(None)
    return token


def _connect_fields(token: bytes, target: Target, protocols: Sequence[str]) -> list[Field]:
    fields = [
        (b":method", b"CONNECT"),
        (b":protocol", token),
        (b":scheme", b"https"),
        (b":authority", target.authority),
        (b":path", target.path),
    ]
    if token == TOKEN:
        fields.append(DRAFT_02_REQUEST)
    if protocols:
        fields.append((PROTOCOLS, encode_protocols(protocols)))
    return fields
