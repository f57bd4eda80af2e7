"""An application in several processes on one port."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qhttp3 import Client
from qhttp3.adapters.asgi import serve_asgi
from qhttp3.errors import UsageError
from qtls import ClientTLS, ServerTLS
from qtls.adapters.self_signed import MadeCertificate

from ..conftest import HOST, Serve, run
from .test_asgi import respond

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


def test_each_worker_has_its_own_lifespan(serve: Serve, made: MadeCertificate, tmp_path: Path) -> None:
    diary = tmp_path / "diary"

    def note(what: str) -> None:
        with diary.open("a") as file:
            file.write(f"{what} {os.getpid()}\n")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            note("startup")
            scope["state"]["pid"] = b"%d" % os.getpid()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            note("shutdown")
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await respond(send, scope["state"]["pid"])

    async def main() -> None:
        async with serve(app, has_lifespan=True, workers=2) as (server, _, url):
            answers = set()
            for _ in range(100):
                async with Client(tls=ClientTLS(ca=made.ca_pem)) as client:
                    answers.add(await (await client.request("GET", url)).read())
                if len(answers) == 2:
                    break
            started = {line.split()[1].encode() for line in diary.read_text().splitlines()}
            assert answers == started
            assert str(os.getpid()).encode() not in answers
            with pytest.raises(UsageError, match="each worker knows its own"):
                assert server.connections

    run(main())
    lines = [line.split()[0] for line in diary.read_text().splitlines()]
    assert ["startup"] * 2 + ["shutdown"] * 2 == lines


def test_no_request_fails_while_a_worker_is_started_again(serve: Serve, made: MadeCertificate) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, b"%d" % os.getpid())

    async def main() -> None:
        async with serve(app, workers=2) as (_, _, url):

            async def seen_by_a_newcomer() -> int:
                async with Client(tls=ClientTLS(ca=made.ca_pem)) as client:
                    response = await client.request("GET", url)
                    assert 200 == response.status
                    return int(await response.read())

            first = await seen_by_a_newcomer()
            os.kill(first, signal.SIGTERM)
            seen = {first}
            for _ in range(1_000):
                seen.add(await seen_by_a_newcomer())
                if len(seen) == 3:  # both of before, and the new one
                    return
            raise AssertionError(f"1,000 clients, served by {seen} alone")

    run(main())


def test_application_that_cannot_start_in_a_worker_stops_the_server(made: MadeCertificate) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    async def main() -> None:
        with pytest.raises(RuntimeError, match="no database"):
            async with serve_asgi(app, (HOST, 0), tls=ServerTLS(certs=made.chain), workers=2):
                raise AssertionError("never reached")

    run(main())


def test_requests_under_way_end_when_workers_stop(serve: Serve) -> None:
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
        async with serve(app, workers=2) as (server, client, url):
            may_go_on = asyncio.Event()

            async def body() -> AsyncIterator[bytes]:
                yield b"before "
                await may_go_on.wait()
                yield b"and after"

            response = await client.request("POST", url, content=body())
            closing = asyncio.create_task(server.close(drain=30))
            chunks = aiter(response)
            assert b"before " == await anext(chunks)
            may_go_on.set()
            assert b"and after" == b"".join([chunk async for chunk in chunks])
            await closing

    run(main(), 25)
