import asyncio
import gc
import socket
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from qcore.admission import Admission, Arrival, LoadLimits, always_retry
from qcore.aio import Connection, Endpoint, Listener, UnknownHost, connect, serve
from qcore.aio.sockets import has_ipv6
from qcore.config import QuicConfig
from qcore.engine.engine import QuicEngine
from qcore.errors import (
    CertificateError,
    ConnectionRefused,
    EarlyDataRejected,
    HandshakeTimeout,
    QuicError,
    TransportError,
    UsageError,
)
from qcore.tokens import MemoryTokenStore
from qtls import ClientTLS, MemorySessionStore, ServerTLS
from qtls.adapters.self_signed import MadeCertificate, make_certificate
from qwire.constants import CONNECTION_REFUSED, CRYPTO_ERROR, INTERNAL_ERROR

from ..engine.sites import Site
from .conftest import ALPN, HOST
from .test_stream import echo, run, send_all

NO_APPLICATION_PROTOCOL = CRYPTO_ERROR + 120
QUICK = QuicConfig(handshake_timeout=1.0)
IPV6 = pytest.mark.skipif(not has_ipv6(), reason="this host has no IPv6")


async def echo_all(connection: Connection) -> None:
    async with asyncio.TaskGroup() as group:
        async for stream in connection.streams():
            group.create_task(echo(stream))


async def echo_all_of(listener: Listener) -> None:
    async with asyncio.TaskGroup() as group:
        async for connection in listener:
            group.create_task(echo_all(connection))


async def exchange(connection: Connection, data: bytes) -> bytes:
    stream = await connection.open_stream()
    await send_all(stream, data)
    return await stream.read()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes datagrams and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((HOST, 0))
        yield silent.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind((HOST, 0))
        port: int = closed.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("local", "host"),
    [
        pytest.param("127.0.0.1", "127.0.0.1", id="IPv4"),
        pytest.param("::1", "::1", id="IPv6", marks=IPV6),
        pytest.param("::1", "[::1]", id="IPv6 in brackets", marks=IPV6),
        pytest.param("::", "127.0.0.1", id="IPv4 to a dual-stack socket", marks=IPV6),
        pytest.param("127.0.0.1", "localhost", id="a name"),
    ],
)
def test_connect_and_serve(server_tls: ServerTLS, client_tls: ClientTLS, local: str, host: str) -> None:
    async def main() -> None:
        async with (
            serve(echo_all, (local, 0), tls=server_tls) as listener,
            connect(host, listener.addresses[0][1], tls=client_tls) as connection,
        ):
            assert b"hello" == await exchange(connection, b"hello")

    run(main())


def test_many_clients_and_a_listener_share_a_socket(server_tls: ServerTLS, client_tls: ClientTLS) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            endpoints = [await stack.enter_async_context(Endpoint.open((HOST, 0))) for _ in range(2)]
            listeners = [endpoint.listen(tls=server_tls) for endpoint in endpoints]
            serving = [asyncio.create_task(echo_all_of(listener)) for listener in listeners]
            clients = await asyncio.gather(
                *[
                    endpoints[number % 2].connect(HOST, endpoints[1 - number % 2].address[1], tls=client_tls)
                    for number in range(40)
                ]
            )
            contents = [f"client {number}".encode() * 100 for number in range(40)]

            assert contents == await asyncio.gather(
                *[exchange(client, data) for client, data in zip(clients, contents, strict=True)]
            )
            assert {("127.0.0.1", endpoint.address[1]) for endpoint in endpoints} == {
                client.address for client in clients
            }
            for endpoint in endpoints:
                await endpoint.close()
            await asyncio.gather(*serving)

    run(main())


def test_an_endpoint_can_connect_to_itself(server_tls: ServerTLS, client_tls: ClientTLS) -> None:
    async def main() -> None:
        async with Endpoint.open((HOST, 0)) as endpoint:
            listener = endpoint.listen(tls=server_tls)
            client = await endpoint.connect(HOST, endpoint.address[1], tls=client_tls)
            serving = asyncio.create_task(echo_all(await anext(listener)))

            assert b"me" == await exchange(client, b"me")
            await client.close()
            await serving

    run(main())


def test_one_listener_per_socket(server_tls: ServerTLS, client_tls: ClientTLS) -> None:
    async def main() -> None:
        async with Endpoint.open((HOST, 0)) as endpoint:
            endpoint.listen(tls=server_tls)
            with pytest.raises(UsageError, match="listens already"):
                endpoint.listen(tls=server_tls)
        with pytest.raises(UsageError, match="closed"):
            endpoint.listen(tls=server_tls)
        with pytest.raises(UsageError, match="closed"):
            await endpoint.connect(HOST, 1, tls=client_tls)

    run(main())


def test_closing_an_endpoint_closes_its_connections(server_tls: ServerTLS, client_tls: ClientTLS) -> None:
    async def main() -> None:
        async with Endpoint.open((HOST, 0)) as there:
            listener = there.listen(tls=server_tls)
            async with Endpoint.open((HOST, 0)) as here:
                client = await here.connect(HOST, there.address[1], tls=client_tls)
                server = await anext(listener)
            assert (await client.wait_closed()).is_local
            info = await server.wait_closed()
            assert (None, False) == (info.error, info.is_local)

    run(main())


# Failures to connect


def test_a_refused_port(client_tls: ClientTLS, closed_port: int) -> None:
    async def main() -> None:
        with pytest.raises(ConnectionRefused) as caught:
            async with connect(HOST, closed_port, tls=client_tls):
                pass
        assert isinstance(caught.value, ConnectionRefusedError)
        assert isinstance(caught.value, QuicError)

    run(main(), 5)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell connected sockets only")
@pytest.mark.parametrize("local", ["127.0.0.1", pytest.param("::", marks=IPV6)])
def test_a_refused_port_on_a_shared_socket(
    server_tls: ServerTLS, client_tls: ClientTLS, closed_port: int, local: str
) -> None:
    async def main() -> None:
        async with (
            serve(echo_all, (HOST, 0), tls=server_tls) as listener,
            Endpoint.open((local, 0)) as endpoint,
        ):
            other = await endpoint.connect(HOST, listener.addresses[0][1], tls=client_tls)
            with pytest.raises(ConnectionRefused):
                await endpoint.connect(HOST, closed_port, tls=client_tls)
            assert b"unharmed" == await exchange(other, b"unharmed")

    run(main(), 5)


def test_a_port_refused_on_every_address_of_a_name(client_tls: ClientTLS, closed_port: int) -> None:
    async def main() -> None:
        with pytest.raises(ConnectionRefused):
            async with connect("localhost", closed_port, tls=client_tls):
                pass

    run(main(), 5)


@pytest.mark.parametrize("shared", [False, True], ids=["socket of its own", "shared socket"])
def test_a_server_that_never_answers(client_tls: ClientTLS, silent_port: int, shared: bool) -> None:
    async def main() -> None:
        with pytest.raises(HandshakeTimeout) as caught:
            if shared:
                async with Endpoint.open((HOST, 0)) as endpoint:
                    await endpoint.connect(HOST, silent_port, tls=client_tls, config=QUICK)
            else:
                async with connect(HOST, silent_port, tls=client_tls, config=QUICK):
                    pass
        assert isinstance(caught.value, TimeoutError)

    run(main(), 10)


def test_an_unknown_host_name(client_tls: ClientTLS) -> None:
    async def main() -> None:
        with pytest.raises(UnknownHost, match=r"no-such-host\.invalid"):
            async with connect("no-such-host.invalid", 443, tls=client_tls):
                pass

    run(main())


def test_a_wrong_alpn(made: MadeCertificate, server_tls: ServerTLS) -> None:
    async def main() -> None:
        async with serve(echo_all, (HOST, 0), tls=server_tls) as listener:
            with pytest.raises(TransportError) as caught:
                tls = ClientTLS(alpn=("other",), ca=made.ca_pem)
                async with connect(HOST, listener.addresses[0][1], tls=tls):
                    pass
            assert (NO_APPLICATION_PROTOCOL, False) == (caught.value.code, caught.value.is_local)

    run(main())


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"ca": make_certificate().ca_pem}, id="unknown authority"),
        pytest.param({"server_name": "other.test"}, id="another name"),
    ],
)
def test_a_wrong_certificate(
    made: MadeCertificate, server_tls: ServerTLS, changed: dict[str, bytes | str]
) -> None:
    async def main() -> None:
        async with serve(echo_all, (HOST, 0), tls=server_tls) as listener:
            with pytest.raises(CertificateError) as caught:
                tls = ClientTLS(**{"alpn": ALPN, "ca": made.ca_pem, **changed})  # type: ignore[arg-type]
                async with connect(HOST, listener.addresses[0][1], tls=tls):
                    pass
            assert caught.value.is_local

    run(main())


def test_verification_can_be_switched_off(server_tls: ServerTLS) -> None:
    async def main() -> None:
        async with serve(echo_all, (HOST, 0), tls=server_tls) as listener:
            tls = ClientTLS(alpn=ALPN, verify=False)
            async with connect(HOST, listener.addresses[0][1], tls=tls) as connection:
                assert b"x" == await exchange(connection, b"x")

    run(main())


def test_a_server_that_is_not_admitting(server_tls: ServerTLS, client_tls: ClientTLS) -> None:
    async def main() -> None:
        async with serve(echo_all, (HOST, 0), tls=server_tls, admit=lambda _: Admission.REFUSE) as listener:
            with pytest.raises(QuicError) as caught:
                async with connect(HOST, listener.addresses[0][1], tls=client_tls):
                    pass
            assert isinstance(caught.value, TransportError)
            assert CONNECTION_REFUSED == caught.value.code

    run(main())


def test_cancelling_a_connect_leaves_nothing(client_tls: ClientTLS, silent_port: int) -> None:
    async def main() -> None:
        async with Endpoint.open((HOST, 0)) as endpoint:
            before = asyncio.all_tasks()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await endpoint.connect("localhost", silent_port, tls=client_tls)
            assert before == asyncio.all_tasks()

    run(main())


# Serving


def test_retry_is_answered(server_tls: ServerTLS, client_tls: ClientTLS) -> None:  # RFC 9000 §8.1.2
    arrivals: list[Arrival] = []

    def admit(arrival: Arrival) -> Admission:
        arrivals.append(arrival)
        return always_retry(arrival)

    async def main() -> None:
        async with (
            serve(echo_all, (HOST, 0), tls=server_tls, admit=admit) as listener,
            connect(HOST, listener.addresses[0][1], tls=client_tls) as connection,
        ):
            assert b"x" == await exchange(connection, b"x")
        assert (False, True) == (arrivals[0].is_validated, arrivals[-1].is_validated)

    run(main())


def test_a_token_spares_the_retry(server_tls: ServerTLS, client_tls: ClientTLS) -> None:  # RFC 9000 §8.1.3
    arrivals: list[Arrival] = []

    def admit(arrival: Arrival) -> Admission:
        arrivals.append(arrival)
        return always_retry(arrival)

    async def main() -> None:
        tokens = MemoryTokenStore()
        async with serve(echo_all, (HOST, 0), tls=server_tls, admit=admit) as listener:
            for _ in range(2):
                arrivals.clear()
                port = listener.addresses[0][1]
                async with connect(HOST, port, tls=client_tls, tokens=tokens) as connection:
                    await exchange(connection, b"x")
        assert {True} == {arrival.is_validated for arrival in arrivals}

    run(main())


def test_sessions_are_resumed(made: MadeCertificate, server_tls: ServerTLS) -> None:
    async def main() -> None:
        tls = ClientTLS(alpn=ALPN, ca=made.ca_pem, sessions=MemorySessionStore())
        async with serve(echo_all, (HOST, 0), tls=server_tls) as listener:
            resumed = []
            for _ in range(2):
                async with connect(HOST, listener.addresses[0][1], tls=tls) as connection:
                    await exchange(connection, b"x")
                    resumed.append(connection.info.resumed)
        assert [False, True] == resumed

    run(main())


def test_early_data_arrives(made: MadeCertificate) -> None:  # RFC 9001 §4.6
    server_tls = ServerTLS(certs=made.chain, alpn=ALPN, early_data=True)
    client_tls = ClientTLS(alpn=ALPN, ca=made.ca_pem, sessions=MemorySessionStore())

    async def main() -> None:
        async with serve(echo_all, (HOST, 0), tls=server_tls) as listener:
            port = listener.addresses[0][1]
            async with connect(HOST, port, tls=client_tls, early=True) as connection:
                assert connection.is_established  # there was no session yet
                await exchange(connection, b"late")
            async with connect(HOST, port, tls=client_tls, early=True) as connection:
                assert not connection.is_established
                assert b"early" == await exchange(connection, b"early")
                await connection.handshake()
                assert connection.info.early_accepted

    run(main())


def test_refused_early_data_is_told(made: MadeCertificate) -> None:  # RFC 9001 §4.6.2
    client_tls = ClientTLS(alpn=ALPN, ca=made.ca_pem, sessions=MemorySessionStore())

    async def main() -> None:
        async with (
            serve(
                echo_all, (HOST, 0), tls=ServerTLS(certs=made.chain, alpn=ALPN, early_data=True)
            ) as listener,
            connect(HOST, port := listener.addresses[0][1], tls=client_tls) as connection,
        ):
            await exchange(connection, b"x")
        # The server is started anew, and cannot open the ticket.
        async with (
            serve(echo_all, (HOST, port), tls=ServerTLS(certs=made.chain, alpn=ALPN, early_data=True)),
            connect(HOST, port, tls=client_tls, early=True) as connection,
        ):
            stream = await connection.open_stream()
            await stream.write(b"early")
            with pytest.raises(EarlyDataRejected):
                await stream.read()
            assert b"again" == await exchange(connection, b"again")
            assert not connection.info.early_accepted

    run(main())


def test_what_a_handler_says_at_once_leaves_with_the_end_of_the_handshake(
    made: MadeCertificate, client_tls: ClientTLS
) -> None:
    counts: list[int] = []

    async def greet(connection: Connection) -> None:
        counts.append(connection.stats().datagrams_sent)
        stream = await connection.open_uni()
        await send_all(stream, b"welcome")

    async def main() -> None:
        tls = ServerTLS(certs=made.chain, alpn=ALPN, ticket_keys=())
        async with (
            serve(greet, (HOST, 0), tls=tls, config=QuicConfig(pmtud=False)) as listener,
            connect(HOST, listener.addresses[0][1], tls=client_tls) as connection,
        ):
            stream = await anext(aiter(connection.uni_streams()))
            assert b"welcome" == await stream.read()
            (accepted,) = listener.connections
            assert [accepted.stats().datagrams_sent - 1] == counts

    run(main())


def test_a_handler_that_raises_has_its_connection_closed(
    server_tls: ServerTLS, client_tls: ClientTLS
) -> None:
    async def fail(connection: Connection) -> None:
        async for _ in connection.streams():
            raise ZeroDivisionError("a bug of the application")

    async def main() -> None:
        reported: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        async with serve(fail, (HOST, 0), tls=server_tls) as listener:
            port = listener.addresses[0][1]
            async with connect(HOST, port, tls=client_tls) as connection:
                stream = await connection.open_stream()
                await stream.write(b"x")
                with pytest.raises(TransportError) as caught:
                    await stream.read()
            assert (INTERNAL_ERROR, False) == (caught.value.code, caught.value.is_local)
            async with connect(HOST, port, tls=client_tls):
                pass
        assert [ZeroDivisionError] == [type(context["exception"]) for context in reported]

    run(main())


def test_how_a_connection_ended_is_no_failure_of_its_handler(
    server_tls: ServerTLS, client_tls: ClientTLS
) -> None:
    async def read(connection: Connection) -> None:
        stream = await anext(connection.streams())
        await stream.read()

    async def main() -> None:
        reported: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        async with (
            serve(read, (HOST, 0), tls=server_tls) as listener,
            connect(HOST, listener.addresses[0][1], tls=client_tls) as connection,
        ):
            await (await connection.open_stream()).write(b"x")
            await connection.close(77, "changed my mind")
        assert [] == reported

    run(main())


def test_a_draining_listener_lets_connections_finish(server_tls: ServerTLS, client_tls: ClientTLS) -> None:
    async def main() -> None:
        async with serve(echo_all, (HOST, 0), tls=server_tls) as listener:
            port = listener.addresses[0][1]
            async with connect(HOST, port, tls=client_tls) as connection:
                stream = await connection.open_stream()
                await stream.write(b"begun")
                assert b"begun" == await stream.readexactly(5)
                closing = asyncio.create_task(listener.close(drain=30))
                await asyncio.sleep(0)
                with pytest.raises(HandshakeTimeout):
                    async with connect(HOST, port, tls=client_tls, config=QUICK):
                        pass
                assert not closing.done()
                await send_all(stream, b" and ended")
                assert b" and ended" == await stream.read()
            await closing

    run(main())


@pytest.mark.parametrize("iterates", [False, True], ids=["handler", "iterator"])
def test_a_handshake_in_progress_is_accepted_by_a_draining_listener(
    server_tls: ServerTLS, client_tls: ClientTLS, iterates: bool
) -> None:
    async def main() -> None:
        closing: list[asyncio.Task[None]] = []

        def admit(arrival: Arrival) -> Admission:
            closing.append(asyncio.create_task(listener.close(drain=3600)))
            return Admission.ACCEPT

        async with Endpoint.open((HOST, 0)) as endpoint, asyncio.TaskGroup() as group:
            listener = endpoint.listen(tls=server_tls, admit=admit)
            if iterates:
                group.create_task(echo_all_of(listener))
            else:
                listener.take(lambda connection: group.create_task(echo_all(connection)))
            async with connect(HOST, endpoint.address[1], tls=client_tls) as connection:
                assert b"abc" == await exchange(connection, b"abc")
                assert [False] == [task.done() for task in closing]
            await closing[0]

    run(main())


def test_a_handshake_that_fails_does_not_keep_a_listener_from_closing(server_tls: ServerTLS) -> None:
    async def main() -> None:
        client = Site(("192.0.2.1", 50_000))
        async with Endpoint.open((HOST, 0)) as endpoint:
            listener = endpoint.listen(tls=server_tls, config=QuicConfig(handshake_timeout=0.1))
            client.dial(endpoint.address)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                for _, data in client.transmit():
                    sock.sendto(data, endpoint.address)
                while not listener.arriving:
                    await asyncio.sleep(0)
                await listener.close(drain=3600)
            assert 0 == listener.arriving

    run(main())


def test_closing_a_listener_closes_its_connections(server_tls: ServerTLS, client_tls: ClientTLS) -> None:
    async def main() -> None:
        async with Endpoint.open((HOST, 0)) as endpoint:
            listener = endpoint.listen(tls=server_tls)
            async with connect(HOST, endpoint.address[1], tls=client_tls) as connection:
                await anext(listener)
                await listener.close()

                assert (None, False) == (await closed(connection))
                assert [] == [late async for late in listener]

    async def closed(connection: Connection) -> tuple[QuicError | None, bool]:
        info = await connection.wait_closed()
        return info.error, info.is_local

    run(main())


# Surroundings


def test_ssl_key_log_file_is_honoured(
    made: MadeCertificate, server_tls: ServerTLS, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("keys") / "keys.log"

    async def main() -> None:
        async with serve(echo_all, (HOST, 0), tls=server_tls) as listener:
            tls = ClientTLS(alpn=ALPN, ca=made.ca_pem)
            async with connect(HOST, listener.addresses[0][1], tls=tls) as connection:
                await exchange(connection, b"x")

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SSLKEYLOGFILE", str(path))
        run(main())

    labels = [line.split()[0] for line in path.read_text().splitlines()]
    assert 0o600 == path.stat().st_mode & 0o777
    # Both sides are in this process and write the same secrets.
    for label in ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_TRAFFIC_SECRET_0", "CLIENT_TRAFFIC_SECRET_0"):
        assert 2 == labels.count(label)


def test_loops_that_cannot_watch_descriptors(server_tls: ServerTLS, client_tls: ClientTLS) -> None:
    class WithoutReaders(asyncio.SelectorEventLoop):
        """Like the proactor loop of Windows; the loop's own machinery uses the underscored name."""

        def add_reader(self, fd: object, callback: object, *args: object) -> None:
            raise NotImplementedError

    async def main() -> None:
        async with (
            serve(echo_all, (HOST, 0), tls=server_tls) as listener,
            connect(HOST, listener.addresses[0][1], tls=client_tls) as connection,
        ):
            assert bytes(1 << 20) == await exchange(connection, bytes(1 << 20))

    with asyncio.Runner(loop_factory=WithoutReaders) as runner:
        runner.run(main())


def test_sockets_are_closed(server_tls: ServerTLS, client_tls: ClientTLS) -> None:
    """ResourceWarnings are errors here; and the port is free again."""

    async def main() -> int:
        async with serve(echo_all, (HOST, 0), tls=server_tls) as listener:
            port: int = listener.addresses[0][1]
            async with connect(HOST, port, tls=client_tls) as connection:
                await exchange(connection, b"x")
        return port

    port = asyncio.run(main())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        if sys.platform != "win32":
            again.bind((HOST, port))


def test_ended_connections_are_forgotten(server_tls: ServerTLS, client_tls: ClientTLS) -> None:
    async def main() -> None:
        async with Endpoint.open((HOST, 0)) as here, Endpoint.open((HOST, 0)) as there:
            serving = asyncio.create_task(echo_all_of(there.listen(tls=server_tls)))
            for _ in range(20):
                connection = await here.connect(HOST, there.address[1], tls=client_tls)
                await exchange(connection, b"x")
                await connection.close()
            del connection
            # They stay for three probe timeouts, to answer what is late (RFC 9000 §10.2); the last one of all in
            # the loop variable of the task that accepts.
            while len(engines()) > len(others) + 1:
                await asyncio.sleep(0.05)
        await serving

    def engines() -> list[QuicEngine]:
        gc.collect()
        return [found for found in gc.get_objects() if isinstance(found, QuicEngine)]

    others = engines()  # of other tests; held here, so that they cannot make up for some of ours
    run(main(), 20)


def test_nobody_is_let_in_while_too_many_wait_to_be_accepted(
    server_tls: ServerTLS, client_tls: ClientTLS
) -> None:
    async def main() -> None:
        async with Endpoint.open((HOST, 0)) as server, Endpoint.open((HOST, 0)) as client:
            listener = server.listen(tls=server_tls, admit=LoadLimits(max_waiting=2))
            port = server.address[1]
            for _ in range(2):
                await client.connect(HOST, port, tls=client_tls)
            while listener.waiting < 2:  # the server's side of the second handshake
                await asyncio.sleep(0)
            with pytest.raises(TransportError, match="CONNECTION_REFUSED"):
                await client.connect(HOST, port, tls=client_tls)
            await anext(listener)
            await client.connect(HOST, port, tls=client_tls)

    run(main())
