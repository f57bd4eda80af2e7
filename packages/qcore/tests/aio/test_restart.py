"""Servers that come back with the secrets they had: tokens and stateless resets go on. RFC 9000 §8.1.3, §10.3."""

import asyncio

import pytest

from qcore.admission import Admission, Arrival
from qcore.aio import Connection, Endpoint
from qcore.config import QuicConfig
from qcore.errors import IdleTimeout, StatelessReset
from qcore.tokens import MemoryTokenStore
from qtls import ClientTLS, ServerTLS

from .conftest import HOST
from .test_endpoint import exchange
from .test_path import free_port
from .test_stream import run, send_all

OLD, NEW = b"o" * 32, b"n" * 32


async def echo(endpoint: Endpoint, tls: ServerTLS, seen: list[bool]) -> None:
    """Echo for ever; writes down which clients brought a proof of their address."""

    def admit(arrival: Arrival) -> Admission:
        seen.append(arrival.is_validated)
        return Admission.ACCEPT

    async def answer(connection: Connection) -> None:
        async for stream in connection.streams():
            await send_all(stream, await stream.read())

    async with asyncio.TaskGroup() as group:
        async for connection in endpoint.listen(tls=tls, admit=admit):
            group.create_task(answer(connection))


@pytest.mark.parametrize(
    ("keys", "is_known"),
    [
        pytest.param((OLD,), True, id="the same key"),
        pytest.param((NEW, OLD), True, id="a newer key, and the old one"),
        pytest.param((NEW,), False, id="another key"),
        pytest.param((), False, id="a key of its own"),
    ],
)
def test_tokens_outlive_the_server_that_gave_them(
    client_tls: ClientTLS, server_tls: ServerTLS, keys: tuple[bytes, ...], is_known: bool
) -> None:
    tokens = MemoryTokenStore()
    port = free_port(HOST)
    seen: list[bool] = []

    async def visit(token_keys: tuple[bytes, ...]) -> None:
        async with Endpoint.open((HOST, port), token_keys=token_keys) as server, Endpoint.open() as here:
            serving = asyncio.create_task(echo(server, server_tls, seen))
            client = await here.connect(HOST, port, tls=client_tls, tokens=tokens)
            assert b"hello" == await exchange(client, b"hello")
            await client.close()
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    async def main() -> None:
        await visit((OLD,))
        await visit(keys)
        assert [False, is_known] == seen

    run(main())


@pytest.mark.parametrize("key", [OLD, NEW], ids=["the same key", "another key"])
def test_client_hears_at_once_that_its_server_has_started_anew(
    client_tls: ClientTLS, server_tls: ServerTLS, key: bytes
) -> None:
    port = free_port(HOST)

    async def main() -> None:
        async with Endpoint.open() as here:
            async with Endpoint.open((HOST, port), reset_key=OLD) as server:
                serving = asyncio.create_task(echo(server, server_tls, []))
                config = QuicConfig(idle_timeout=1.0)
                client = await here.connect(HOST, port, tls=client_tls, config=config)
                assert b"hello" == await exchange(client, b"hello")
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)
                server._driver._udp.close()  # as when a process dies: nobody says goodbye
            async with Endpoint.open((HOST, port), reset_key=key) as server:
                serving = asyncio.create_task(echo(server, server_tls, []))
                with pytest.raises(StatelessReset if key == OLD else IdleTimeout):
                    await exchange(client, bytes(100))
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)

    run(main())
