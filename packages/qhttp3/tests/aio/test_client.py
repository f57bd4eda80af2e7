import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from qcore.config import QuicConfig
from qcore.errors import ApplicationError, CertificateError, ConnectionRefused, StreamError
from qhttp3 import Client, H3Config, Priority
from qhttp3.adapters.asgi import serve_asgi
from qhttp3.aio.client import Dialer
from qhttp3.aio.server import Request
from qhttp3.aio.server import serve as serve_requests
from qhttp3.errors import H3_FRAME_UNEXPECTED
from qtls import ClientTLS, MemorySessionStore, ServerTLS
from qtls.adapters.self_signed import MadeCertificate

from ..conftest import HOST, Serve, run

PIECE = bytes(range(256)) * 100


async def describe(scope: Any, receive: Any, send: Any) -> None:
    """Says in the body what it got."""
    if scope["type"] == "lifespan":
        raise ValueError("no lifespan")
    body = b""
    more = True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    lines = [scope["method"].encode(), scope["raw_path"] + b"?" + scope["query_string"], b"%d" % len(body)]
    lines += [name + b": " + value for name, value in scope["headers"]]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-sum", b"%d" % sum(body))]})
    await send({"type": "http.response.body", "body": b"\n".join(lines)})


async def slow(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the head at once and with the body never."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x", "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass


async def silent(scope: Any, receive: Any, send: Any) -> None:
    """Answers nothing."""
    while (await receive())["type"] != "http.disconnect":
        pass


def pieces() -> Iterator[bytes]:
    for _ in range(20):
        yield PIECE


async def async_pieces() -> AsyncIterator[bytes]:
    for piece in pieces():
        await asyncio.sleep(0)
        yield piece


def test_a_request_carries_what_was_asked(serve: Serve) -> None:
    async def main() -> None:
        async with serve(describe) as (_, client, url):
            response = await client.request(
                "get", url + "/a b/ü?q=1&r=%20", headers={"X-Y": "z"}, priority=Priority(1)
            )
            lines = (await response.read()).split(b"\n")

            assert 200 == response.status
            assert [b"GET", b"/a%20b/%C3%BC?q=1&r=%20", b"0"] == lines[:3]
            assert b"host: " + url.removeprefix("https://").encode() in lines
            assert b"x-y: z" in lines
            assert b"priority: u=1" in lines
            assert lines == (await response.read()).split(b"\n")

    run(main())


@pytest.mark.parametrize(
    ("content", "size"),
    [
        pytest.param(b"", 0, id="nothing"),
        pytest.param(b"bytes", 5, id="bytes"),
        pytest.param("täxt", 5, id="text"),
        pytest.param(PIECE * 400, 400 * len(PIECE), id="10 MB"),
        pytest.param([b"a", b"", b"b"], 2, id="list"),
        pytest.param("iterator", 20 * len(PIECE), id="iterator"),
        pytest.param("async iterator", 20 * len(PIECE), id="asynchronous iterator"),
    ],
)
def test_content_in_many_forms(serve: Serve, content: Any, size: int) -> None:
    async def main() -> None:
        async with serve(describe) as (_, client, url):
            given = pieces() if content == "iterator" else content
            given = async_pieces() if content == "async iterator" else given
            response = await client.request("POST", url, content=given)

            assert b"%d" % size == (await response.read()).split(b"\n")[2]

    run(main())


def test_trailers_and_interim_responses(serve: Serve) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.early_hint", "links": [b"</a>; rel=preload"]})
        await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": True})
        await send({"type": "http.response.body", "body": b"body"})
        await send({"type": "http.response.trailers", "headers": [(b"x-after", b"1")]})

    async def main() -> None:
        async with serve(app) as (_, client, url):
            response = await client.request("POST", url, content=b"x", trailers={"X-Sum": "1"})

            assert [103] == [hint.status for hint in response.informational]
            assert "</a>; rel=preload" == response.informational[0].headers["link"]
            assert b"body" == await response.read()
            assert [("x-after", "1")] == response.trailers

    run(main())


def test_requests_to_one_origin_share_a_connection(serve: Serve) -> None:
    async def main() -> None:
        async with serve(describe) as (server, client, url):

            async def get(number: int) -> bytes:
                response = await client.request("GET", f"{url}/{number}")
                assert b"/%d?" % number == (await response.read()).split(b"\n")[1]
                return b""

            await asyncio.gather(*(get(number) for number in range(300)))
            assert 1 == server.connections

    run(main())


def test_a_connection_can_stand_before_the_first_request(serve: Serve) -> None:
    async def main() -> None:
        async with serve(describe) as (server, client, url):
            await client.preconnect(url)
            response = await client.request("GET", url)
            await response.read()

            assert 1 == server.connections
            with pytest.raises(ValueError, match="https"):
                await client.preconnect("http://localhost/")
            await client.close()
            with pytest.raises(RuntimeError, match="closed"):
                await client.preconnect(url)

    run(main())


def test_a_body_is_given_in_pieces(serve: Serve) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(50):
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
        await send({"type": "http.response.body", "body": b"end"})

    async def main() -> None:
        async with serve(app) as (_, client, url):
            response = await client.request("GET", url)
            received = [piece async for piece in response]

            assert PIECE * 50 + b"end" == b"".join(received)
            assert 1 < len(received)
            with pytest.raises(RuntimeError, match="taken"):
                await response.read()

    run(main())


def test_what_is_not_read_holds_the_server_back(serve: Serve) -> None:
    sent = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(400):
            await send({"type": "http.response.body", "body": bytes(10_000), "more_body": True})
            sent += 10_000
        await send({"type": "http.response.body", "body": b""})

    async def main() -> None:
        window = QuicConfig(stream_window=100_000, max_stream_window=100_000, send_buffer=100_000)
        async with serve(app, config=window, client={"config": window}) as (_, client, url):
            response = await client.request("GET", url)
            await asyncio.sleep(0.3)

            assert 300_000 > sent
            assert 4_000_000 == len(await response.read())

    run(main())


def test_a_response_given_up_is_stopped(serve: Serve) -> None:
    gone = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await slow(scope, receive, send)
        gone.set()

    async def main() -> None:
        async with serve(app) as (_, client, url):
            async with await client.request("GET", url) as response:
                assert b"x" == await anext(aiter(response))
            await gone.wait()
            assert 200 == (await client.request("GET", url)).status

    run(main())


def test_a_silent_server_times_out(serve: Serve) -> None:
    async def main() -> None:
        async with serve(silent, client={"timeout": 0.2}) as (_, client, url):
            with pytest.raises(TimeoutError):
                await client.request("GET", url)

    run(main())


def test_a_server_that_falls_silent_times_out(serve: Serve) -> None:
    async def main() -> None:
        async with serve(slow, client={"timeout": 0.2}) as (_, client, url):
            response = await client.request("GET", url)
            with pytest.raises(TimeoutError):
                await response.read()

    run(main())


def test_a_cancelled_request_leaves_nothing_behind(serve: Serve) -> None:
    async def main() -> None:
        async with serve(silent) as (_, client, url):
            task = asyncio.create_task(client.request("GET", url))
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            (origin,) = client._origins.values()
            assert origin._current is not None
            assert {} == origin._current.exchanges
            assert 0 == origin._current.engine.request_count

    run(main())


def test_content_that_fails_fails_the_request(serve: Serve) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise LookupError("no more")

    async def main() -> None:
        async with serve(describe) as (_, client, url):
            with pytest.raises(LookupError):
                await client.request("POST", url, content=broken())
            assert 200 == (await client.request("GET", url)).status

    run(main())


def test_a_server_that_breaks_off_raises_a_stream_error(serve: Serve) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        async with serve(app) as (_, client, url):
            with pytest.raises(StreamError, match="H3_INTERNAL_ERROR"):
                await (await client.request("GET", url)).read()

    run(main())


def test_a_connection_going_away_is_replaced(serve: Serve) -> None:
    async def main() -> None:
        async with serve(describe) as (server, client, url):
            first = await client.request("GET", url)
            await first.read()
            for connection in server._connections:
                connection.go_away()
            second = await client.request("GET", url)
            await second.read()
            third = await client.request("GET", url)

            assert first.connection is not third.connection
            assert 200 == second.status == third.status

    run(main())


def test_a_lost_connection_is_replaced(serve: Serve) -> None:
    async def main() -> None:
        async with serve(describe) as (server, client, url):
            first = await client.request("GET", url)
            await first.read()
            for connection in list(server._connections):
                await connection.close()
            await first.connection.wait_closed()
            second = await client.request("GET", url)

            assert first.connection is not second.connection
            assert 200 == second.status

    run(main())


@pytest.mark.parametrize("url", ["http://localhost/", "/path", "https://", "ftp://a/"])
def test_only_https_urls(url: str) -> None:
    async def main() -> None:
        async with Client() as client:
            with pytest.raises(ValueError, match="https"):
                await client.request("GET", url)

    run(main())


def test_bad_headers_are_refused(serve: Serve) -> None:
    async def main() -> None:
        async with serve(describe) as (_, client, url):
            with pytest.raises(ValueError, match="line break"):
                await client.request("GET", url, headers={"x": "a\r\nb: c"})

    run(main())


def test_an_untrusted_server_is_refused(serve: Serve) -> None:
    async def main() -> None:
        async with serve(describe) as (_, _, url), Client() as client:
            with pytest.raises(CertificateError):
                await client.request("GET", url)

    run(main())


def test_a_port_where_nobody_listens_is_refused() -> None:
    async def main() -> None:
        async with Client() as client:
            with pytest.raises(ConnectionRefused):
                await client.request("GET", f"https://{HOST}:1/")

    run(main())


def test_a_name_can_lead_elsewhere(made: MadeCertificate) -> None:
    async def main() -> None:
        tls = ClientTLS(ca=made.ca_pem)
        async with serve_asgi(describe, (HOST, 0), tls=ServerTLS(certs=made.chain), drain=0) as server:
            port = server.addresses[0][1]
            async with Client(tls=tls, resolve={("localhost", 443): (HOST, port)}) as client:
                response = await client.request("GET", "https://localhost/")
                assert b"host: localhost" in await response.read()

    run(main())


def test_requests_beyond_the_stream_limit_wait(serve: Serve) -> None:
    async def main() -> None:
        async with serve(describe, config=QuicConfig(max_bidi=3)) as (_, client, url):

            async def get() -> int:
                response = await client.request("GET", url)
                await response.read()
                return response.status

            assert [200] * 20 == await asyncio.gather(*(get() for _ in range(20)))

    run(main())


def test_early_data_carries_a_request(made: MadeCertificate) -> None:  # RFC 9114 §7.2.4.2, RFC 8470
    async def main() -> None:
        tls = ClientTLS(ca=made.ca_pem, sessions=MemorySessionStore())
        server_tls = ServerTLS(certs=made.chain, early_data=True)
        async with serve_asgi(describe, (HOST, 0), tls=server_tls, drain=0) as server:
            url = f"https://localhost:{server.addresses[0][1]}/"
            for is_resumed in (False, True):
                async with Client(
                    tls=tls, resolve={("localhost", server.addresses[0][1]): (HOST, server.addresses[0][1])}
                ) as client:
                    response = await client.request("GET", url, early=True)
                    await response.read()
                    await asyncio.sleep(0.1)  # tickets come after the handshake
                    assert 200 == response.status
                    assert is_resumed is response.connection.info.early_accepted

    run(main())


def test_refused_early_data_is_sent_again(made: MadeCertificate) -> None:  # RFC 9001 §4.6.2
    async def main() -> None:
        tls = ClientTLS(ca=made.ca_pem, sessions=MemorySessionStore())
        keys = (bytes(32),)
        async with serve_asgi(
            describe, (HOST, 0), tls=ServerTLS(certs=made.chain, early_data=True, ticket_keys=keys), drain=0
        ) as server:
            port = server.addresses[0][1]
            async with Client(tls=tls) as client:
                await (await client.request("GET", f"https://{HOST}:{port}/")).read()
                await asyncio.sleep(0.1)
        async with (
            serve_asgi(
                describe,
                (HOST, port),
                tls=ServerTLS(certs=made.chain, ticket_keys=(bytes(31) + b"x",)),
                drain=0,
            ),
            Client(tls=tls) as client,
        ):
            response = await client.request("POST", f"https://{HOST}:{port}/", content=b"again", early=True)
            assert b"\n5\n" in await response.read()
            assert not response.connection.info.early_accepted

    run(main())


def test_a_connector_makes_the_connections(serve: Serve, made: MadeCertificate) -> None:
    async def main() -> None:
        dialer = Dialer(ClientTLS(ca=made.ca_pem), QuicConfig(), H3Config(priority_update=b"u=1"))
        async with serve(describe) as (_, _, url), Client(connector=dialer) as client:
            assert 200 == (await client.request("GET", url)).status

    run(main())


def test_a_closed_client_takes_no_requests() -> None:
    async def main() -> None:
        client = Client()
        await client.close()
        with pytest.raises(RuntimeError, match="closed"):
            await client.request("GET", "https://localhost/")

    run(main())


def test_a_server_that_breaks_the_rules_is_left(serve: Serve, made: MadeCertificate) -> None:  # RFC 9114 §8
    def on_request(request: Request) -> None:
        # DATA before HEADERS, past our own engine.
        request.connection.connection.engine.send(request.stream_id, b"\x00\x01x")
        request.connection.connection.flush()

    async def main() -> None:
        async with (
            serve_requests(on_request, (HOST, 0), tls=ServerTLS(certs=made.chain), drain=0) as server,
            Client(tls=ClientTLS(ca=made.ca_pem)) as client,
        ):
            with pytest.raises(ApplicationError, match="DATA on stream 0") as caught:
                await client.request("GET", f"https://{HOST}:{server.addresses[0][1]}/")
            assert H3_FRAME_UNEXPECTED == caught.value.code
            assert caught.value.is_local

    run(main())
