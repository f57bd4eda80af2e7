"""TLS against aioquic in both roles: resumption, 0-RTT, client certificates, key logs.

aioquic 1.7 knows neither HelloRetryRequest nor post-quantum groups.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from aioquic.asyncio.client import connect as aioquic_connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve as aioquic_serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import HandshakeCompleted, QuicEvent
from aioquic.tls import SessionTicket

from qcore import CertificateError, Connection, EarlyDataRejected, QuicConfig, connect, serve
from qtls import ClientTLS, ServerTLS
from qtls.adapters.files import load_certificate_chain
from qtls.adapters.self_signed import Authority
from qtls.constants import SECP256R1, SECP384R1, X25519, X25519MLKEM768
from qtls.resumption import MemorySessionStore

from .certificates import Certificates
from .servers import HOST

pytestmark = pytest.mark.peer

ALPN = "echo"
TIME = 20.0
# RFC 9850 §2; aioquic writes no exporter secret.
SHARED_LABELS = {
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_TRAFFIC_SECRET_0",
    "SERVER_TRAFFIC_SECRET_0",
}


def run(main: Awaitable[None]) -> None:
    asyncio.run(asyncio.wait_for(main, TIME))


class Tickets:
    """What an aioquic server remembers."""

    def __init__(self) -> None:
        self.by_name: dict[bytes, SessionTicket] = {}

    def add(self, ticket: SessionTicket) -> None:
        self.by_name[ticket.ticket] = ticket

    def pop(self, name: bytes) -> SessionTicket | None:
        return self.by_name.pop(name, None)


@asynccontextmanager
async def echoing_aioquic(
    certificates: Certificates, tickets: Tickets | None = None, **options: Any
) -> AsyncIterator[int]:
    """An aioquic server that sends streams back; gives its port."""
    configuration = QuicConfiguration(is_client=False, alpn_protocols=[ALPN], **options)
    configuration.load_cert_chain(certificates.chain, certificates.key)
    tasks = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read())
        writer.write_eof()

    def on_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(answer(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await aioquic_serve(
        HOST,
        0,
        configuration=configuration,
        stream_handler=on_stream,
        session_ticket_fetcher=tickets.pop if tickets else None,
        session_ticket_handler=tickets.add if tickets else None,
    )
    try:
        transport = cast(asyncio.DatagramTransport, server._transport)
        yield transport.get_extra_info("sockname")[1]
    finally:
        server.close()
        await asyncio.sleep(0)


async def exchange(connection: Connection, data: bytes) -> bytes:
    stream = await connection.open_stream()
    await stream.write(data)
    await stream.finish()
    return await stream.read()


async def ticket_of(store: MemorySessionStore, key: str) -> None:
    """Wait until a ticket has come."""
    while (session := store.pop(key)) is None:
        await asyncio.sleep(0.01)
    store.put(key, session)


# Our client, aioquic's server


def client_tls(certificates: Certificates, **options: Any) -> ClientTLS:
    return ClientTLS(alpn=(ALPN,), ca=str(certificates.authority), server_name="localhost", **options)


@pytest.mark.parametrize("group", [X25519, SECP256R1, SECP384R1], ids=["x25519", "secp256r1", "secp384r1"])
def test_groups(group: int, certificates: Certificates) -> None:
    async def main() -> None:
        async with (
            echoing_aioquic(certificates) as port,
            connect(HOST, port, tls=client_tls(certificates, groups=(group,))) as connection,
        ):
            assert b"hello" == await exchange(connection, b"hello")
            assert connection.info.peer_certificates
            assert not connection.info.resumed

    run(main())


def test_early_data_is_taken_by_aioquic(certificates: Certificates) -> None:
    tls = client_tls(certificates, sessions=(store := MemorySessionStore()))

    async def main() -> None:
        async with echoing_aioquic(certificates, Tickets()) as port:
            async with connect(HOST, port, tls=tls) as connection:
                assert b"first" == await exchange(connection, b"first")
                await ticket_of(store, f"localhost:{port}")
            async with connect(HOST, port, tls=tls, early=True) as connection:
                assert not connection.is_established
                data = bytes(8_000)
                assert data == await exchange(connection, data)
                await connection.handshake()
                assert (True, True) == (connection.info.resumed, connection.info.early_accepted)

    run(main())


def test_early_data_is_refused_by_aioquic_started_anew(certificates: Certificates) -> None:
    tls = client_tls(certificates, sessions=(store := MemorySessionStore()))

    async def main() -> None:
        async with (
            echoing_aioquic(certificates, Tickets()) as port,
            connect(HOST, port, tls=tls) as connection,
        ):
            await ticket_of(store, f"localhost:{port}")
            assert not connection.info.resumed
        session = store.pop(f"localhost:{port}")
        assert session is not None
        async with echoing_aioquic(certificates, Tickets()) as port:
            store.put(f"localhost:{port}", session)
            async with connect(HOST, port, tls=tls, early=True) as connection:
                assert not connection.is_established
                with pytest.raises(EarlyDataRejected):
                    await exchange(connection, b"early")
                assert b"again" == await exchange(connection, b"again")
                assert (False, False) == (connection.info.resumed, connection.info.early_accepted)

    run(main())


def test_certificate_of_a_stranger_is_one_clear_line(
    certificates: Certificates, strange_certificates: Certificates
) -> None:
    async def main() -> None:
        async with echoing_aioquic(strange_certificates) as port:
            with pytest.raises(CertificateError) as caught:
                async with connect(HOST, port, tls=client_tls(certificates)):
                    pass
        assert 0x130 == caught.value.code  # unknown_ca
        assert caught.value.is_local
        assert 1 == len(str(caught.value).splitlines())

    run(main())


def test_certificate_for_another_name_is_one_clear_line(certificates: Certificates) -> None:
    async def main() -> None:
        tls = replace(client_tls(certificates), server_name="other.test")
        async with echoing_aioquic(certificates) as port:
            with pytest.raises(CertificateError) as caught:
                async with connect(HOST, port, tls=tls):
                    pass
        assert "other.test" in str(caught.value)
        assert 1 == len(str(caught.value).splitlines())

    run(main())


def secrets(lines: list[str]) -> dict[str, str]:
    return {line.split()[0]: line.split()[2] for line in lines}


def test_key_logs_agree_with_aioquic_as_server(certificates: Certificates) -> None:  # RFC 9850
    theirs, ours = io.StringIO(), list[str]()

    async def main() -> None:
        async with (
            echoing_aioquic(certificates, secrets_log_file=theirs) as port,
            connect(HOST, port, tls=client_tls(certificates, keylog=ours.append)) as connection,
        ):
            await exchange(connection, b"x")

    run(main())
    written = secrets(theirs.getvalue().splitlines())
    assert SHARED_LABELS == set(written)
    assert written.items() <= secrets(ours).items()
    assert "EXPORTER_SECRET" in secrets(ours)
    assert 1 == len({line.split()[1] for line in [*ours, *theirs.getvalue().splitlines()]})


# aioquic's client, our server


class Client(QuicConnectionProtocol):
    """Remembers how the handshake ended."""

    completed: HandshakeCompleted | None = None

    def quic_event_received(self, event: QuicEvent) -> None:
        super().quic_event_received(event)
        if isinstance(event, HandshakeCompleted):
            self.completed = event

    async def exchange(self, data: bytes) -> bytes:
        reader, writer = await self.create_stream()
        writer.write(data)
        writer.write_eof()
        return await reader.read()


@asynccontextmanager
async def aioquic_client(
    certificates: Certificates, port: int, *, early: bool = False, tickets: Any = None, **options: Any
) -> AsyncIterator[Client]:
    configuration = QuicConfiguration(alpn_protocols=[ALPN], server_name="localhost", **options)
    configuration.load_verify_locations(str(certificates.authority))
    async with aioquic_connect(
        HOST,
        port,
        configuration=configuration,
        create_protocol=Client,
        session_ticket_handler=tickets,
        wait_connected=not early,
    ) as client:
        yield cast(Client, client)


def server_tls(certificates: Certificates, **options: Any) -> ServerTLS:
    chain = load_certificate_chain(certificates.chain, certificates.key)
    return ServerTLS(certs=chain, alpn=(ALPN,), **options)


def echoing(seen: list[Connection]) -> Callable[[Connection], Awaitable[None]]:
    """A handler that sends streams back."""

    async def handle(connection: Connection) -> None:
        seen.append(connection)
        async for stream in connection.streams():
            await stream.write(await stream.read())
            await stream.finish()

    return handle


def test_aioquic_resumes_and_sends_early_data(certificates: Certificates) -> None:
    tickets: list[SessionTicket] = []
    seen: list[Connection] = []

    async def main() -> None:
        tls = server_tls(certificates, early_data=True)
        async with serve(echoing(seen), (HOST, 0), tls=tls) as listener:
            port = listener.addresses[0][1]
            async with aioquic_client(certificates, port, tickets=tickets.append) as client:
                assert b"first" == await client.exchange(b"first")
                while not tickets:
                    await asyncio.sleep(0.01)
            async with aioquic_client(certificates, port, early=True, session_ticket=tickets[-1]) as client:
                data = bytes(8_000)
                assert data == await client.exchange(data)
                assert client.completed is not None
                assert client.completed.session_resumed
                assert client.completed.early_data_accepted

    run(main())
    assert [(False, False), (True, True)] == [
        (connection.info.resumed, connection.info.early_accepted) for connection in seen
    ]


def test_early_data_of_aioquic_is_refused_when_limits_have_shrunk(certificates: Certificates) -> None:
    tickets: list[SessionTicket] = []
    seen: list[Connection] = []

    async def main() -> None:
        tls = server_tls(certificates, early_data=True)
        async with serve(echoing(seen), (HOST, 0), tls=tls) as listener:
            port = listener.addresses[0][1]
            async with aioquic_client(certificates, port, tickets=tickets.append) as client:
                await client.exchange(b"first")
                while not tickets:
                    await asyncio.sleep(0.01)
        smaller = QuicConfig(max_bidi=50)
        async with (
            serve(echoing(seen), (HOST, 0), tls=tls, config=smaller) as listener,
            aioquic_client(certificates, listener.addresses[0][1], session_ticket=tickets[-1]) as client,
        ):
            assert b"again" == await client.exchange(b"again")
            assert client.completed is not None
            assert client.completed.session_resumed
            assert not client.completed.early_data_accepted

    run(main())
    assert [(False, False), (True, False)] == [
        (connection.info.resumed, connection.info.early_accepted) for connection in seen
    ]


def test_aioquic_shows_its_certificate(certificates: Certificates, tmp_path: Path) -> None:
    authority = Authority("clients")
    own = authority.issue(["client.test"], client=True)
    (tmp_path / "own.pem").write_bytes(own.certificate_pem())
    (tmp_path / "own.key").write_bytes(own.key_pem())
    seen: list[Connection] = []

    async def main() -> None:
        tls = server_tls(certificates, client_auth="require", client_ca=authority.pem)
        async with serve(echoing(seen), (HOST, 0), tls=tls) as listener:
            port = listener.addresses[0][1]
            configuration = QuicConfiguration(alpn_protocols=[ALPN], server_name="localhost")
            configuration.load_verify_locations(str(certificates.authority))
            configuration.load_cert_chain(tmp_path / "own.pem", tmp_path / "own.key")
            async with aioquic_connect(
                HOST, port, configuration=configuration, create_protocol=Client
            ) as client:
                assert b"hello" == await cast(Client, client).exchange(b"hello")
            # Without one the connection is refused, which a TLS 1.3 client hears of after its handshake.
            async with aioquic_client(certificates, port) as without:
                with pytest.raises(ConnectionError):
                    await without.ping()

    run(main())
    assert [own.leaf] == [connection.info.peer_certificates[0] for connection in seen]


def test_key_logs_agree_with_aioquic_as_client(certificates: Certificates) -> None:
    theirs, ours = io.StringIO(), list[str]()

    async def main() -> None:
        tls = server_tls(certificates, keylog=ours.append)
        async with (
            serve(echoing([]), (HOST, 0), tls=tls) as listener,
            aioquic_client(certificates, listener.addresses[0][1], secrets_log_file=theirs) as client,
        ):
            await client.exchange(b"x")

    run(main())
    written = secrets(theirs.getvalue().splitlines())
    assert SHARED_LABELS == set(written)
    assert written.items() <= secrets(ours).items()


def test_early_secrets_agree(certificates: Certificates) -> None:
    theirs, ours = io.StringIO(), list[str]()
    store = MemorySessionStore()

    async def main() -> None:
        tls = client_tls(certificates, sessions=store, keylog=ours.append)
        async with echoing_aioquic(certificates, Tickets(), secrets_log_file=theirs) as port:
            async with connect(HOST, port, tls=tls) as connection:
                await exchange(connection, b"first")
                await ticket_of(store, f"localhost:{port}")
            async with connect(HOST, port, tls=tls, early=True) as connection:
                await exchange(connection, b"early")

    run(main())
    written = set(theirs.getvalue().splitlines())
    assert written <= set(ours)
    assert 1 == sum(line.startswith("CLIENT_EARLY_TRAFFIC_SECRET ") for line in written)


def test_aioquic_without_a_common_group_gets_an_alert(certificates: Certificates) -> None:
    # aioquic has no post-quantum group.
    async def main() -> None:
        tls = server_tls(certificates, groups=(X25519MLKEM768,))
        async with serve(echoing([]), (HOST, 0), tls=tls) as listener:
            with pytest.raises(ConnectionError):
                async with aioquic_client(certificates, listener.addresses[0][1]):
                    pass

    run(main())
