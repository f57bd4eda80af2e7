"""Against aioquic, in this process: it dials our listener, and we dial its server."""

import asyncio
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from qcore.aio import Connection, connect, serve
from qcore.config import QuicConfig
from qtls import ClientTLS, ServerTLS
from qtls.adapters.self_signed import MadeCertificate
from qwire.constants import VERSION_1, VERSION_2

from .conftest import ALPN, HOST
from .test_endpoint import IPV6, echo_all, exchange
from .test_path import free_port
from .test_stream import run, send_all

pytestmark = pytest.mark.peer
OTHER_HOSTS = ("127.0.0.2", "127.0.0.3")
CONTENTS = [random.Random(size).randbytes(size) for size in (0, 1, 1000, 300_000, 3_000_000)]


@pytest.fixture
def peer() -> ModuleType:
    """The module of the peer, which needs it to be installed."""
    pytest.importorskip("aioquic")
    from . import aioquic_peer

    return aioquic_peer


@pytest.mark.parametrize("versions", [(VERSION_1,), (VERSION_2, VERSION_1)], ids=["version 1", "version 2"])
def test_our_client_at_aioquic(
    peer: ModuleType, made: MadeCertificate, client_tls: ClientTLS, tmp_path: Path, versions: tuple[int, ...]
) -> None:
    async def main() -> None:
        config = QuicConfig(versions=versions)
        async with (
            peer.echo_server(tmp_path, made) as port,
            connect(HOST, port, tls=client_tls, config=config) as connection,
        ):
            assert (versions[0], ALPN[0]) == (connection.info.version, connection.info.alpn)
            assert CONTENTS == await asyncio.gather(*[exchange(connection, data) for data in CONTENTS])
            await connection.send_datagram(b"ping")
            assert b"ping" == await anext(connection.datagrams())

    run(main())


@IPV6
def test_ipv6_both_ways(
    peer: ModuleType, made: MadeCertificate, client_tls: ClientTLS, server_tls: ServerTLS, tmp_path: Path
) -> None:
    async def main() -> None:
        async with (
            peer.echo_server(tmp_path, made, "::1") as port,
            connect("::1", port, tls=client_tls) as connection,
        ):
            assert "::1" == connection.address[0]
            assert CONTENTS == [await exchange(connection, data) for data in CONTENTS]
        async with (
            serve(echo_all, ("::1", 0), tls=server_tls) as listener,
            peer.dial(made, listener.addresses[0][1], "::1") as client,
        ):
            for data in CONTENTS:
                reader, writer = await client.create_stream()
                writer.write(data)
                writer.write_eof()
                assert data == await reader.read()

    run(main())


def test_our_client_updates_keys_at_aioquic(
    peer: ModuleType, made: MadeCertificate, client_tls: ClientTLS, tmp_path: Path
) -> None:
    async def main() -> None:
        async with (
            peer.echo_server(tmp_path, made) as port,
            connect(HOST, port, tls=client_tls) as connection,
        ):
            for _ in range(3):
                while not connection.update_keys():  # RFC 9001 §6.5: not before the last change has settled
                    assert b"before" == await exchange(connection, b"before")
                assert bytes(100_000) == await exchange(connection, bytes(100_000))

    run(main())


@pytest.mark.parametrize("version", [VERSION_1, VERSION_2], ids=["version 1", "version 2"])
def test_aioquic_at_our_listener(
    peer: ModuleType, made: MadeCertificate, server_tls: ServerTLS, version: int
) -> None:
    async def answer(connection: Connection) -> None:
        async def echo_datagrams() -> None:
            async for datagram in connection.datagrams():
                await connection.send_datagram(datagram)

        async with asyncio.TaskGroup() as group:
            group.create_task(echo_datagrams())
            group.create_task(echo_all(connection))

    async def main() -> None:
        async with serve(answer, (HOST, 0), tls=server_tls) as listener:
            port = listener.addresses[0][1]
            async with peer.dial(made, port, original_version=version) as client:
                for data in CONTENTS:
                    reader, writer = await client.create_stream()
                    writer.write(data)
                    writer.write_eof()
                    assert data == await reader.read()
                client._quic.send_datagram_frame(b"ping")
                client.transmit()
                assert b"ping" == await client.datagrams.get()

    run(main())


def test_our_client_moves_at_aioquic(
    peer: ModuleType, made: MadeCertificate, client_tls: ClientTLS, tmp_path: Path
) -> None:  # RFC 9000 §9.2
    async def main() -> None:
        async with (
            peer.echo_server(tmp_path, made) as port,
            connect(HOST, port, tls=client_tls) as connection,
        ):
            running = asyncio.create_task(exchange(connection, CONTENTS[-1]))
            for host in OTHER_HOSTS:
                path = await connection.add_path((host, 0))
                await path.probe()
                path.switch()
                assert CONTENTS[3] == await exchange(connection, CONTENTS[3])
                assert path.is_active
            assert CONTENTS[-1] == await running

    run(main())


async def exchange_from_there(client: Any, data: bytes) -> bytes:
    reader, writer = await client.create_stream()
    writer.write(data)
    writer.write_eof()
    answer: bytes = await reader.read()
    return answer


@pytest.mark.parametrize("changes_id", [False, True], ids=["same connection ID", "other connection ID"])
def test_aioquic_is_moved_at_our_listener(
    peer: ModuleType, made: MadeCertificate, server_tls: ServerTLS, changes_id: bool
) -> None:  # RFC 9000 §9.3
    arrived: list[Connection] = []

    async def answer(connection: Connection) -> None:
        arrived.append(connection)
        await echo_all(connection)

    async def main() -> None:
        async with (
            serve(answer, (HOST, 0), tls=server_tls) as listener,
            peer.dial(made, listener.addresses[0][1]) as client,
        ):
            running = asyncio.create_task(exchange_from_there(client, CONTENTS[-1]))
            seen = []
            for host in ("::", *(f"::ffff:{host}" for host in OTHER_HOSTS)):
                await peer.rebind(client, host)
                if changes_id:
                    client.change_connection_id()
                assert CONTENTS[3] == await exchange_from_there(client, CONTENTS[3])
                seen.append(arrived[0].address[0])
            assert CONTENTS[-1] == await running
            assert [HOST, *OTHER_HOSTS] == seen

    run(main())


def test_aioquic_goes_where_our_listener_prefers(
    peer: ModuleType, made: MadeCertificate, server_tls: ServerTLS
) -> None:  # RFC 9000 §9.6
    preferred = OTHER_HOSTS[0], free_port(OTHER_HOSTS[0])
    config = QuicConfig(preferred_addresses=(preferred,))

    async def main() -> None:
        async with (
            serve(echo_all, (HOST, 0), tls=server_tls, config=config) as listener,
            peer.dial(made, listener.addresses[0][1]) as client,
        ):
            while f"::ffff:{preferred[0]}" != client._quic._network_paths[0].addr[0]:
                assert CONTENTS[2] == await exchange_from_there(client, CONTENTS[2])
            assert CONTENTS[-1] == await exchange_from_there(client, CONTENTS[-1])

    run(main())


def test_aioquic_hears_why_we_closed(peer: ModuleType, made: MadeCertificate, server_tls: ServerTLS) -> None:
    async def refuse(connection: Connection) -> None:
        await send_all(await connection.open_uni(), b"no")
        await connection.close(0x1234, "not today")

    async def main() -> None:
        async with serve(refuse, (HOST, 0), tls=server_tls) as listener:
            port = listener.addresses[0][1]
            async with peer.dial(made, port) as client:
                await client.wait_closed()
                event = client._quic._close_event
                assert event is not None
                assert (0x1234, "not today") == (event.error_code, event.reason_phrase)

    run(main())
