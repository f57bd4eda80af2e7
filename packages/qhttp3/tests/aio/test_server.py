import asyncio

import pytest

from qcore.admission import Admission, Arrival
from qcore.aio.endpoint import connect
from qcore.config import QuicConfig
from qcore.errors import HandshakeTimeout, StreamError
from qhttp3 import Client, H3Config
from qhttp3.aio.connection import H3Connection
from qhttp3.aio.patience import Patience
from qhttp3.aio.response import ClientExchange
from qhttp3.aio.server import Request, serve
from qtls import ClientTLS, ServerTLS
from qtls.adapters.self_signed import MadeCertificate

from ..conftest import HOST, run


def test_a_request_has_its_parts_and_is_answered(made: MadeCertificate) -> None:
    requests: list[Request] = []

    def on_request(request: Request) -> None:
        requests.append(request)
        request.send_informational(103, [(b"link", b"</a>")])
        request.send_head(404, [(b"x", b"y")], end=True)
        request.finish()

    async def main() -> None:
        async with (
            serve(on_request, (HOST, 0), tls=ServerTLS(certs=made.chain), drain=0) as server,
            Client(tls=ClientTLS(ca=made.ca_pem)) as client,
        ):
            response = await client.request(
                "GET", f"https://{HOST}:{server.addresses[0][1]}/p?q", headers={"a": "b"}
            )
            assert 404 == response.status
            assert [("x", "y")] == response.headers
            assert 1 == len(response.informational)
            assert b"" == await response.read()
        (request,) = requests
        assert (b"GET", b"https", b"/p?q", [(b"a", b"b")]) == (
            request.method,
            request.scheme,
            request.path,
            request.fields,
        )
        assert "<Request GET /p?q>" == repr(request)

    run(main())


def test_an_unread_request_body_is_refused_after_the_answer(made: MadeCertificate) -> None:  # RFC 9114 §4.1
    def on_request(request: Request) -> None:
        request.send_head(413, end=True)
        request.finish()

    async def endless() -> object:
        while True:
            yield bytes(10_000)

    async def main() -> None:
        async with (
            serve(on_request, (HOST, 0), tls=ServerTLS(certs=made.chain), drain=0) as server,
            Client(tls=ClientTLS(ca=made.ca_pem)) as client,
        ):
            url = f"https://{HOST}:{server.addresses[0][1]}/"
            response = await client.request("POST", url, content=endless())  # type: ignore[arg-type]  # never read
            assert 413 == response.status
            assert b"" == await response.read()

    run(main())


def test_closing_waits_for_requests_under_way(made: MadeCertificate) -> None:  # RFC 9114 §5.2
    tasks: list[asyncio.Task[None]] = []

    async def answer(request: Request) -> None:
        await asyncio.sleep(0.3)
        request.send_head(200)
        await request.write(b"done", True)
        request.finish()

    async def main() -> None:
        async with Client(tls=ClientTLS(ca=made.ca_pem)) as client:
            async with serve(
                lambda request: tasks.append(asyncio.create_task(answer(request))),
                (HOST, 0),
                tls=ServerTLS(certs=made.chain),
            ) as server:
                url = f"https://{HOST}:{server.addresses[0][1]}/"
                pending = asyncio.create_task(client.request("GET", url))
                while not tasks:
                    await asyncio.sleep(0.01)
            response = await pending
            assert b"done" == await response.read()

    run(main())


def test_a_client_that_leaves_is_noticed(made: MadeCertificate) -> None:
    errors: list[Exception] = []

    async def answer(request: Request) -> None:
        request.send_head(200)
        try:
            while True:
                await request.write(bytes(100_000))
        except OSError as error:
            errors.append(error)
        request.finish()

    async def main() -> None:
        tasks = []
        async with (
            serve(
                lambda request: tasks.append(asyncio.create_task(answer(request))),
                (HOST, 0),
                tls=ServerTLS(certs=made.chain),
                drain=0,
            ) as server,
            Client(tls=ClientTLS(ca=made.ca_pem)) as client,
        ):
            url = f"https://{HOST}:{server.addresses[0][1]}/"
            response = await client.request("GET", url)
            await response.close()
            while not errors:
                await asyncio.sleep(0.01)
            response = await client.request("GET", url)
        await asyncio.gather(*tasks)
        assert 2 == len(errors)
        assert isinstance(errors[0], StreamError)

    run(main())


def test_a_request_with_more_fields_than_allowed_gets_431(made: MadeCertificate) -> None:
    async def main() -> None:
        async with (
            serve(lambda request: None, (HOST, 0), tls=ServerTLS(certs=made.chain), drain=0) as server,
            Client(tls=ClientTLS(ca=made.ca_pem)) as client,
        ):
            url = f"https://{HOST}:{server.addresses[0][1]}/"
            response = await client.request("GET", url, headers=[("x", str(n)) for n in range(300)])
            assert 431 == response.status

    run(main())


@pytest.mark.parametrize("count", [50])
def test_many_connections_at_once(made: MadeCertificate, count: int) -> None:
    def on_request(request: Request) -> None:
        request.send_head(204, end=True)
        request.finish()

    async def main() -> None:
        async with serve(on_request, (HOST, 0), tls=ServerTLS(certs=made.chain), drain=0) as server:
            url = f"https://{HOST}:{server.addresses[0][1]}/"

            async def once() -> int:
                async with Client(tls=ClientTLS(ca=made.ca_pem)) as client:
                    return (await client.request("GET", url)).status

            assert [204] * count == await asyncio.gather(*(once() for _ in range(count)))
            while server.connections:
                await asyncio.sleep(0.01)

    run(main())


def test_a_response_longer_than_the_send_buffer_is_sent_in_full(made: MadeCertificate) -> None:
    body = bytes(300_000)
    tasks: list[asyncio.Task[None]] = []

    def on_request(request: Request) -> None:
        tasks.append(asyncio.create_task(answer(request)))

    async def answer(request: Request) -> None:
        await request.respond(200, [(b"x", b"y")], body)
        request.finish()

    async def main() -> None:
        config = QuicConfig(send_buffer=20_000)
        async with (
            serve(on_request, (HOST, 0), tls=ServerTLS(certs=made.chain), config=config, drain=0) as server,
            Client(tls=ClientTLS(ca=made.ca_pem)) as client,
        ):
            response = await client.request("GET", f"https://{HOST}:{server.addresses[0][1]}/")
            assert body == await response.read()

    run(main())


@pytest.mark.parametrize(
    ("size", "groups"),
    [
        pytest.param(100, [5, 10, 5], id="short"),
        pytest.param(20_000, [20], id="long ones leave in the order of their priorities"),
    ],
)
def test_the_first_of_many_answers_leave_while_others_are_made(
    made: MadeCertificate, size: int, groups: list[int]
) -> None:
    sent: list[int] = []

    def on_request(request: Request) -> None:
        sent.append(request.connection.connection.stats().datagrams_sent)
        request.try_respond(200, [], bytes(size))
        request.finish()

    async def main() -> None:
        async with (
            serve(on_request, (HOST, 0), tls=ServerTLS(certs=made.chain), drain=0) as server,
            connect(HOST, server.addresses[0][1], tls=ClientTLS(ca=made.ca_pem, alpn=("h3",))) as connection,
        ):
            client = H3Connection(connection, H3Config())
            client.start()
            while client.engine.peer_settings is None or not connection.engine.is_confirmed:
                await asyncio.sleep(0.001)
            head = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"a"), (b":path", b"/")]
            for _ in range(20):
                assert client.engine.send_request(head, True) is not None
            client.pump()  # all in one datagram
            while len(sent) < 20:
                await asyncio.sleep(0.001)

    run(main())
    assert groups == [sent.count(number) for number in sorted(set(sent))]


def test_a_client_whose_handshake_is_in_progress_is_served_before_the_server_ends(
    made: MadeCertificate,
) -> None:
    closing: list[asyncio.Task[None]] = []

    def on_request(request: Request) -> None:
        request.send_head(204, end=True)
        request.finish()

    async def main() -> None:
        def admit(arrival: Arrival) -> Admission:
            closing.append(asyncio.create_task(server.close(drain=3600)))
            return Admission.ACCEPT

        async with (
            serve(on_request, (HOST, 0), tls=ServerTLS(certs=made.chain), admit=admit, drain=0) as server,
            Client(tls=ClientTLS(ca=made.ca_pem)) as client,
        ):
            response = await client.request("GET", f"https://{HOST}:{server.addresses[0][1]}/")
            assert 204 == response.status
            await closing[0]
            with pytest.raises(HandshakeTimeout):
                async with connect(
                    HOST,
                    server.addresses[0][1],
                    tls=ClientTLS(ca=made.ca_pem, alpn=("h3",)),
                    config=QuicConfig(handshake_timeout=0.5),
                ):
                    pass

    run(main())


def test_an_answer_that_was_not_wanted_from_the_start_does_no_harm(made: MadeCertificate) -> None:
    stopped: list[StreamError] = []

    def on_request(request: Request) -> None:
        if request.path == b"/unwanted":
            try:
                request.try_respond(200, [], b"x")
            except StreamError as error:
                stopped.append(error)
        else:
            request.send_head(204, end=True)
        request.finish()

    async def main() -> None:
        tls = ClientTLS(ca=made.ca_pem, alpn=("h3",))
        async with serve(on_request, (HOST, 0), tls=ServerTLS(certs=made.chain), drain=0) as server:
            port = server.addresses[0][1]
            async with connect(HOST, port, tls=tls) as connection:
                client = H3Connection(connection, H3Config())
                client.start()
                heads = []
                for path in (b"/unwanted", b"/wanted"):
                    stream_id = client.engine.send_request(
                        [
                            (b":method", b"GET"),
                            (b":scheme", b"https"),
                            (b":authority", b"a"),
                            (b":path", path),
                        ],
                        True,
                    )
                    assert stream_id is not None
                    exchange = ClientExchange(client, stream_id, Patience(None))
                    client.exchanges[stream_id] = exchange
                    heads.append(exchange)
                client.engine.stop_reading(heads[0].stream_id, 0x10C)
                client.pump()
                while not heads[1].status:
                    heads[1].raise_error()
                    await heads[1].wait_change()
                assert 204 == heads[1].status

    run(main())
    assert [0x10C] == [error.code for error in stopped]
