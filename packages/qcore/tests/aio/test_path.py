"""Clients that move between sockets, and servers that prefer another address. RFC 9000 §9."""

import asyncio
import random
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from qcore.aio import Connection, Endpoint, connect, serve
from qcore.config import QuicConfig
from qcore.errors import ApplicationError, ConnectionClosed, PathFailed, PathUnavailable, UsageError
from qtls import ClientTLS, ServerTLS

from .conftest import HOST
from .test_endpoint import echo_all, exchange
from .test_stream import run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have one loopback address")
SECOND = "127.0.0.2"
THIRD = "127.0.0.3"
DATA = random.Random(9).randbytes(400_000)


@asynccontextmanager
async def connected(
    client_tls: ClientTLS, server_tls: ServerTLS, *, is_mobile: bool = True
) -> AsyncIterator[tuple[Connection, Connection]]:
    """Both ends of a connection to an echo server."""
    arrived: asyncio.Queue[Connection] = asyncio.Queue()

    async def answer(connection: Connection) -> None:
        arrived.put_nowait(connection)
        await echo_all(connection)

    async with (
        serve(answer, (HOST, 0), tls=server_tls, config=QuicConfig(migration=is_mobile)) as listener,
        connect(HOST, listener.addresses[0][1], tls=client_tls) as client,
    ):
        yield client, await arrived.get()


def test_client_moves_and_the_server_follows(client_tls: ClientTLS, server_tls: ServerTLS) -> None:
    async def main() -> None:
        async with connected(client_tls, server_tls) as (client, server):
            (first,) = client.paths
            path = await client.add_path((SECOND, 0))
            assert (False, False, True) == (path.is_validated, path.is_active, first.is_active)
            await path.probe()
            assert (True, False) == (path.is_validated, path.is_active)
            assert HOST == server.address[0]
            path.switch()
            assert (True, False) == (path.is_active, first.is_active)
            assert DATA == await exchange(client, DATA)
            assert path.local == server.address
            while not first.is_closed:
                assert b"more" == await exchange(client, b"more")
            assert (path,) == client.paths

    run(main())


def test_transfers_go_on_while_the_client_moves(client_tls: ClientTLS, server_tls: ServerTLS) -> None:
    async def main() -> None:
        async with connected(client_tls, server_tls) as (client, server):
            running = [asyncio.create_task(exchange(client, DATA)) for _ in range(4)]
            for host in (SECOND, THIRD, SECOND):
                path = await client.add_path((host, 0))
                await path.probe()
                path.switch()
                assert b"between" == await exchange(client, b"between")
                assert path.local == server.address
            assert [DATA] * 4 == await asyncio.gather(*running)

    run(main())


def test_client_goes_back_to_a_path_that_it_kept(client_tls: ClientTLS, server_tls: ServerTLS) -> None:
    async def main() -> None:
        async with connected(client_tls, server_tls) as (client, server):
            first = client.paths[0]
            path = await client.add_path((SECOND, 0))
            path.switch(keep=True)
            assert DATA == await exchange(client, DATA)
            assert path.is_validated  # meanwhile
            first.switch(keep=True)
            assert DATA == await exchange(client, DATA)
            assert HOST == server.address[0]
            assert [first, path] == list(client.paths)
            path.close()
            while not path.is_closed:
                assert b"?" == await exchange(client, b"?")
            assert [first] == list(client.paths)

    run(main())


def test_what_waits_for_a_path_hears_of_its_end(client_tls: ClientTLS, server_tls: ServerTLS) -> None:
    async def main() -> None:
        async with connected(client_tls, server_tls) as (client, _):
            path = await client.add_path((SECOND, 0))
            probing = asyncio.create_task(path.probe())
            await asyncio.sleep(0)
            path.close()
            with pytest.raises(PathFailed):
                await probing
            with pytest.raises(PathFailed):
                await path.probe()
            with pytest.raises(PathFailed):
                path.switch()
            path.close()
            assert b"alive" == await exchange(client, b"alive")
            path = await client.add_path((SECOND, 0))
            probing = asyncio.create_task(path.probe())
            await asyncio.sleep(0)
            client.abort(7)
            with pytest.raises(ApplicationError):
                await probing
            with pytest.raises(ConnectionClosed):
                await client.add_path((SECOND, 0))

    run(main())


def test_path_that_cannot_be_had_is_refused(client_tls: ClientTLS, server_tls: ServerTLS) -> None:
    async def main() -> None:
        async with connected(client_tls, server_tls, is_mobile=False) as (client, server):
            with pytest.raises(UsageError, match="server"):
                await server.add_path((SECOND, 0))
            with pytest.raises(UsageError, match="IPv6"):
                await client.add_path(("::1", 0))
            with pytest.raises(OSError, match="assign"):
                await client.add_path(("192.0.2.77", 0))
            with pytest.raises(PathUnavailable, match="allow"):
                await client.add_path((SECOND, 0))
            (first,) = client.paths
            with pytest.raises(UsageError, match="in use"):
                first.close()
            assert () == server.paths
            assert b"alive" == await exchange(client, b"alive")

    run(main())


def test_socket_of_both_families_can_be_left_for_one_of_ipv4(
    client_tls: ClientTLS, server_tls: ServerTLS
) -> None:
    async def main() -> None:
        async with (
            serve(echo_all, (HOST, 0), tls=server_tls) as listener,
            Endpoint.open() as endpoint,
        ):
            client = await endpoint.connect(HOST, listener.addresses[0][1], tls=client_tls)
            path = await client.add_path((SECOND, 0))
            path.switch()
            assert DATA == await exchange(client, DATA)
            path = await client.add_path(("::", 0))
            await path.probe()
            path.switch()
            assert DATA == await exchange(client, DATA)
            assert path.is_active

    run(main())


def free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("shares_socket", [False, True], ids=["socket of its own", "shared socket"])
def test_client_goes_where_the_server_prefers_to_be(
    client_tls: ClientTLS, server_tls: ServerTLS, shares_socket: bool
) -> None:  # RFC 9000 §9.6
    preferred = SECOND, free_port(SECOND)
    config = QuicConfig(preferred_addresses=(preferred, ("::1", free_port("::1"))))

    async def check(client: Connection) -> None:
        while client.address[:2] not in (preferred, (f"::ffff:{SECOND}", preferred[1])):
            assert b"still here" == await exchange(client, b"still here")
        assert DATA == await exchange(client, DATA)
        assert client.paths[-1].is_active

    async def main() -> None:
        async with serve(echo_all, (HOST, 0), tls=server_tls, config=config) as listener:
            port = listener.addresses[0][1]
            assert preferred in listener.addresses
            if shares_socket:
                async with Endpoint.open() as endpoint:
                    await check(await endpoint.connect(HOST, port, tls=client_tls))
            else:
                async with connect(HOST, port, tls=client_tls) as client:
                    await check(client)

    run(main())


def test_preferred_address_that_is_taken_leaves_nothing_behind(server_tls: ServerTLS) -> None:
    first, second = (SECOND, free_port(SECOND)), ("::1", free_port("::1"))

    async def main() -> None:
        async with Endpoint.open((HOST, 0)) as endpoint, Endpoint.open(second):
            with pytest.raises(OSError, match="in use"):
                endpoint.listen(tls=server_tls, config=QuicConfig(preferred_addresses=(first, second)))
            listener = endpoint.listen(tls=server_tls, config=QuicConfig(preferred_addresses=(first,)))
            assert first in listener.addresses

    run(main())


def test_client_that_does_not_move_stays(client_tls: ClientTLS, server_tls: ServerTLS) -> None:
    config = QuicConfig(preferred_addresses=((SECOND, free_port(SECOND)),))

    async def main() -> None:
        async with (
            serve(echo_all, (HOST, 0), tls=server_tls, config=config) as listener,
            connect(
                HOST, listener.addresses[0][1], tls=client_tls, config=QuicConfig(migration=False)
            ) as client,
        ):
            assert DATA == await exchange(client, DATA)
            assert HOST == client.address[0]

    run(main())
