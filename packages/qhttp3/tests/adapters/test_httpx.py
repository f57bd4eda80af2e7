import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from qhttp3 import serve_asgi
from qtls import ClientTLS, ServerTLS
from qtls.adapters.self_signed import MadeCertificate

from ..conftest import HOST, Serve, run

httpx = pytest.importorskip("httpx")


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Sends the body back, or waits where the path says so."""
    if scope["type"] != "http":
        raise ValueError("no lifespan")
    if scope["path"] == "/silent":
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    names = b",".join(name for name, _ in scope["headers"])
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"x-method", scope["method"].encode()), (b"x-names", names)],
    }
    await send(start)
    more = True
    while more:
        message = await receive()
        more = message["more_body"]
        await send({"type": "http.response.body", "body": message["body"], "more_body": more})


def test_asynchronous_requests(serve: Serve, made: MadeCertificate) -> None:
    from qhttp3 import AsyncHTTP3Transport

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield bytes(10_000)

    async def main() -> None:
        async with (
            serve(echo) as (_, _, url),
            httpx.AsyncClient(transport=AsyncHTTP3Transport(tls=ClientTLS(ca=made.ca_pem))) as client,
        ):
            response = await client.get(url)
            assert (200, b"", "HTTP/3", "GET") == (
                response.status_code,
                response.content,
                response.http_version,
                response.headers["x-method"],
            )
            assert "connection" not in response.headers["x-names"].split(",")
            assert b"form=1" == (await client.post(url, data={"form": "1"})).content
            assert 500_000 == len((await client.post(url, content=pieces())).content)
            async with client.stream("POST", url, content=bytes(500_000)) as response:
                assert 500_000 == sum([len(piece) async for piece in response.aiter_bytes()])
            responses = await asyncio.gather(*(client.post(url, content=b"%d" % n) for n in range(50)))
            assert [b"%d" % n for n in range(50)] == [response.content for response in responses]

    run(main())


def test_failures_are_those_of_httpx(serve: Serve, made: MadeCertificate) -> None:
    from qhttp3 import AsyncHTTP3Transport

    async def main() -> None:
        async with serve(echo) as (_, _, url):
            async with httpx.AsyncClient(transport=AsyncHTTP3Transport()) as client:
                with pytest.raises(httpx.ConnectError):
                    await client.get(url)
                with pytest.raises(httpx.ConnectError):
                    await client.get(f"https://{HOST}:1/")
                with pytest.raises(httpx.LocalProtocolError):
                    await client.get("http://localhost/")
            transport = AsyncHTTP3Transport(tls=ClientTLS(ca=made.ca_pem))
            async with httpx.AsyncClient(transport=transport, timeout=0.2) as client:
                with pytest.raises(httpx.ReadTimeout):
                    await client.get(url + "/silent")

    run(main())


@pytest.fixture
def server_url(made: MadeCertificate) -> Iterator[str]:
    """A server in a thread of its own."""
    started = threading.Event()
    state: dict[str, Any] = {}

    async def main() -> None:
        state["stop"] = asyncio.Event()
        state["loop"] = asyncio.get_running_loop()
        async with serve_asgi(echo, (HOST, 0), tls=ServerTLS(certs=made.chain), drain=0) as server:
            state["port"] = server.addresses[0][1]
            started.set()
            await state["stop"].wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    started.wait()
    yield f"https://{HOST}:{state['port']}"
    state["loop"].call_soon_threadsafe(state["stop"].set)
    thread.join()


def test_synchronous_requests(server_url: str, made: MadeCertificate) -> None:
    from qhttp3 import HTTP3Transport

    with httpx.Client(transport=HTTP3Transport(tls=ClientTLS(ca=made.ca_pem))) as client:
        assert "HTTP/3" == client.get(server_url).http_version
        assert b"body" == client.post(server_url, content=b"body").content
        assert 30_000 == len(client.post(server_url, content=(bytes(10_000) for _ in range(3))).content)
        with client.stream("POST", server_url, content=bytes(500_000)) as response:
            assert 500_000 == sum(len(piece) for piece in response.iter_bytes())
        with pytest.raises(httpx.ReadTimeout):
            client.get(server_url + "/silent", timeout=0.2)
