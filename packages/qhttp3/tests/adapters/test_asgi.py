import asyncio
from typing import Any

import pytest

from qhttp3.adapters.asgi import ClientDisconnected, serve_asgi
from qtls import ServerTLS
from qtls.adapters.self_signed import MadeCertificate

from ..conftest import HOST, Serve, run


async def respond(send: Any, body: bytes = b"", status: int = 200, headers: Any = ()) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def test_the_scope_describes_the_request(serve: Serve) -> None:
    scopes: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await respond(send)

    async def main() -> None:
        async with serve(app) as (server, client, url):
            await client.request("GET", url + "/a%20b/%E2%82%AC?x=%20", headers={"Accept": "*/*"})
            (scope,) = scopes
            host, port = server.addresses[0][:2]

            assert ("http", "3", "GET", "https") == tuple(
                scope[key] for key in ("type", "http_version", "method", "scheme")
            )
            assert ("/a b/€", b"/a%20b/%E2%82%AC", b"x=%20", "") == tuple(
                scope[key] for key in ("path", "raw_path", "query_string", "root_path")
            )
            assert [(b"host", f"{host}:{port}".encode()), (b"accept", b"*/*")] == scope["headers"]
            assert (host, port) == scope["server"]
            assert HOST == scope["client"][0]
            assert "3.0" == scope["asgi"]["version"]
            assert "http.response.trailers" in scope["extensions"]

    run(main())


def test_bodies_stream_in_both_directions(serve: Serve) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            message = await receive()
            await send(
                {"type": "http.response.body", "body": message["body"], "more_body": message["more_body"]}
            )
            if not message["more_body"]:
                break

    async def main() -> None:
        content = bytes(range(256)) * 20_000
        async with serve(app) as (_, client, url):
            response = await client.request("POST", url, content=content)
            assert content == await response.read()

    run(main())


def test_alt_svc_is_announced_unless_switched_off(serve: Serve) -> None:  # RFC 7838
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send)

    async def main() -> None:
        async with serve(app) as (server, client, url):
            response = await client.request("GET", url)
            assert f'h3=":{server.addresses[0][1]}"; ma=86400' == response.headers["alt-svc"]
        async with serve(app, alt_svc=False) as (_, client, url):
            assert "alt-svc" not in (await client.request("GET", url)).headers

    run(main())


def test_connection_specific_fields_are_left_out(serve: Serve) -> None:  # RFC 9114 §4.2
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(
            send, headers=[(b"Connection", b"close"), (b"Transfer-Encoding", b"chunked"), (b"X", b"y")]
        )

    async def main() -> None:
        async with serve(app, alt_svc=False) as (_, client, url):
            assert [("x", "y")] == (await client.request("GET", url)).headers

    run(main())


def test_head_has_no_body(serve: Serve) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, b"body", headers=[(b"content-length", b"4")])

    async def main() -> None:
        async with serve(app) as (_, client, url):
            response = await client.request("HEAD", url)
            assert "4" == response.headers["content-length"]
            assert b"" == await response.read()

    run(main())


def test_an_application_that_fails_gives_500(serve: Serve) -> None:
    reports: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("broken")

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reports.append(context))
        async with serve(app) as (_, client, url):
            assert 500 == (await client.request("GET", url)).status
            assert 500 == (await client.request("GET", url)).status

    run(main())
    assert [LookupError, LookupError] == [type(report["exception"]) for report in reports]


def test_an_application_that_sends_nothing_gives_500(serve: Serve) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        async with serve(app) as (_, client, url):
            assert 500 == (await client.request("GET", url)).status

    run(main())


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param([{"type": "http.response.body"}], id="body first"),
        pytest.param([{"type": "http.response.start", "status": 200}] * 2, id="two starts"),
        pytest.param([{"type": "websocket.send"}], id="message of something else"),
        pytest.param(
            [
                {"type": "http.response.start", "status": 200, "headers": [(b"a\n", b"")]},
                {"type": "http.response.body"},
            ],
            id="bad field",
        ),
    ],
)
def test_messages_out_of_turn_are_refused(serve: Serve, messages: list[dict[str, Any]]) -> None:
    errors: list[Exception] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            for message in messages:
                await send(message)
        except RuntimeError as error:
            errors.append(error)
            raise

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        async with serve(app) as (_, client, url):
            assert 500 == (await client.request("GET", url)).status

    run(main())
    assert 1 == len(errors)


def test_a_message_after_the_end_is_refused(serve: Serve) -> None:
    errors: list[Exception] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send)
        try:
            await send({"type": "http.response.body"})
        except RuntimeError as error:
            errors.append(error)

    async def main() -> None:
        async with serve(app) as (_, client, url):
            assert 200 == (await client.request("GET", url)).status

    run(main())
    assert 1 == len(errors)


def test_a_client_that_leaves_is_a_disconnect(serve: Serve) -> None:
    seen: list[str] = []
    done = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        seen.append((await receive())["type"])
        seen.append((await receive())["type"])
        try:
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
        except ClientDisconnected:
            seen.append("send")
        done.set()

    async def main() -> None:
        async with serve(app) as (_, client, url):
            response = await client.request("GET", url)
            await response.close()
            await done.wait()

    run(main())
    assert ["http.request", "http.disconnect", "send"] == seen


def test_receive_after_the_response_is_a_disconnect(serve: Serve) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await respond(send)
        seen.append((await receive())["type"])

    async def main() -> None:
        async with serve(app) as (_, client, url):
            assert 200 == (await client.request("GET", url)).status

    run(main())
    assert ["http.disconnect"] == seen


def test_lifespan_brackets_everything_and_shares_state(serve: Serve) -> None:
    events: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            events.append((await receive())["type"])
            scope["state"]["answer"] = b"42"
            await send({"type": "lifespan.startup.complete"})
            events.append((await receive())["type"])
            await send({"type": "lifespan.shutdown.complete"})
        else:
            events.append("request")
            await respond(send, scope["state"]["answer"])

    async def main() -> None:
        async with serve(app, has_lifespan=True) as (_, client, url):
            assert b"42" == await (await client.request("GET", url)).read()

    run(main())
    assert ["lifespan.startup", "request", "lifespan.shutdown"] == events


def test_an_application_that_cannot_start_stops_the_server(made: MadeCertificate) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    async def main() -> None:
        with pytest.raises(RuntimeError, match="no database"):
            async with serve_asgi(app, (HOST, 0), tls=ServerTLS(certs=made.chain)):
                pass

    run(main())
