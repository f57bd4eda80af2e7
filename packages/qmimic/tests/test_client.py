"""The client against a server of our own on the loopback."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import brotli  # type: ignore[import-untyped] # it ships no types
import pytest

import qcore.aio
import qmimic
from qhttp3.adapters.asgi import serve_asgi
from qhttp3.priority import Priority
from qmimic.content import decoded
from qtls.adapters.self_signed import make_certificate
from qtls.config import ServerTLS

MADE = make_certificate(["localhost", "127.0.0.1"])
BODY = bytes(range(256)) * 4096  # 1 MiB
LONG = 14 << 20


@dataclass(frozen=True)
class Site:
    """A running server."""

    port: int
    seen: list[dict[str, Any]]

    def url(self, path: str = "/") -> str:
        return f"https://localhost:{self.port}{path}"


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    """Answers with a body, and notes what it was asked."""
    seen: list[dict[str, Any]] = []

    async def app(
        scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
            return
        seen.append(scope)
        headers = [(b"content-type", b"application/octet-stream")]
        body = BODY
        if scope["path"] == "/long":
            body = bytes(LONG)
        if scope["path"] == "/compressed":
            headers.append((b"content-encoding", b"br"))
            body = brotli.compress(BODY)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    tls = ServerTLS(certs=MADE.chain, alpn=("h3",), early_data=True)
    async with serve_asgi(app, ("127.0.0.1", 0), tls=tls, alt_svc=False) as server:
        yield Site(server.addresses[0][1], seen)


@pytest.mark.parametrize("name", [info.name for info in qmimic.profiles()])
def test_every_profile_fetches_a_page(name: str) -> None:
    async def main() -> None:
        async with site() as server:
            response = await qmimic.get(server.url(), profile=name, ca=MADE.ca_pem)
            assert (200, BODY) == (response.status, await response.read())

    asyncio.run(main())


def test_one_client_asks_many_times_on_one_connection() -> None:
    async def main() -> None:
        async with site() as server, qmimic.Client(ca=MADE.ca_pem) as client:
            responses = await asyncio.gather(*(client.request("GET", server.url(f"/{n}")) for n in range(10)))
            assert [BODY] * 10 == [await response.read() for response in responses]
            assert 1 == len({id(response.connection) for response in responses})

    asyncio.run(main())


def test_headers_are_the_profiles_in_its_order() -> None:
    async def main() -> None:
        async with site() as server:
            await qmimic.get(server.url(), ca=MADE.ca_pem, headers={"Accept": "text/plain", "X-Mine": "1"})
            names = [name.decode() for name, _ in server.seen[0]["headers"] if name != b"host"]
            spec = qmimic.profile("chrome").http3
            assert spec is not None
            assert [*(header.name for header in spec.headers), "x-mine"] == names
            assert b"text/plain" == dict(server.seen[0]["headers"])[b"accept"]

    asyncio.run(main())


def test_priority_takes_the_place_of_the_profiles() -> None:
    async def main() -> None:
        async with site() as server, qmimic.Client(ca=MADE.ca_pem) as client:
            for priority in ("u=1", Priority(2, incremental=True)):
                await client.request("GET", server.url(), priority=priority)
            given = [dict(scope["headers"])[b"priority"] for scope in server.seen]
            assert [b"u=1", b"u=2, i"] == given

    asyncio.run(main())


def test_headers_can_be_left_to_the_caller() -> None:
    async def main() -> None:
        async with site() as server:
            await qmimic.get(server.url(), ca=MADE.ca_pem, headers=[("a", "b")], browser_headers=False)
            assert [b"a"] == [name for name, _ in server.seen[0]["headers"] if name != b"host"]

    asyncio.run(main())


def test_compressed_bodies_are_there_as_sent_and_decoded() -> None:
    async def main() -> None:
        async with site() as server, qmimic.Client(ca=MADE.ca_pem) as client:
            sent = await client.request("GET", server.url("/compressed"))
            assert BODY == brotli.decompress(await sent.read())
            response = await client.request("GET", server.url("/compressed"))
            assert BODY == b"".join([piece async for piece in decoded(response)])

    asyncio.run(main())


def test_a_second_visit_resumes_with_early_data() -> None:
    async def main() -> None:
        memory = qmimic.Memory()
        async with site() as server:
            infos = []
            for _ in range(2):
                async with qmimic.Client(ca=MADE.ca_pem, memory=memory) as client:
                    response = await client.request("GET", server.url(), early=True)
                    await response.read()
                    while not memory.origin(f"localhost:{server.port}").sessions:
                        await asyncio.sleep(0.01)
                    infos.append(response.connection.info)
            assert [False, True] == [info.resumed for info in infos]
            assert [False, True] == [info.early_accepted for info in infos]
            assert memory.origin(f"localhost:{server.port}").rtt is not None

    asyncio.run(main())


def test_a_connection_uses_one_token() -> None:
    memory = qmimic.Memory()

    async def main() -> None:
        async with site() as server:
            kept = memory.origin(f"localhost:{server.port}").tokens
            kept.extend((b"older", b"newer"))
            await qmimic.get(server.url(), ca=MADE.ca_pem, memory=memory)
            assert b"older" in kept
            assert b"newer" not in kept

    asyncio.run(main())


def test_sockets_are_connected_or_not_as_the_profile_says() -> None:
    chrome = qmimic.profile("chrome")
    unconnected = replace(chrome, engine=replace(chrome.engine, connected_socket=False))

    async def main() -> None:
        async with site() as server:
            response = await qmimic.get(server.url(), profile=unconnected, ca=MADE.ca_pem)
            assert BODY == await response.read()

    asyncio.run(main())


def test_addresses_can_be_given() -> None:
    async def main() -> None:
        async with site() as server:
            resolve = {("localhost", 7): ("127.0.0.1", server.port)}
            response = await qmimic.get("https://localhost:7/", ca=MADE.ca_pem, resolve=resolve)
            assert 200 == response.status
            assert b"localhost:7" == dict(server.seen[0]["headers"])[b"host"]

    asyncio.run(main())


def test_plain_quic_with_a_profile() -> None:
    async def echo(connection: qcore.aio.Connection) -> None:
        async for stream in connection.streams():
            await stream.write(await stream.read())
            await stream.finish()

    async def main() -> None:
        tls = ServerTLS(certs=MADE.chain, alpn=("echo",))
        async with qcore.aio.serve(echo, ("127.0.0.1", 0), tls=tls) as listener:
            port = listener.addresses[0][1]
            async with qmimic.connect("localhost", port, alpn=("echo",), ca=MADE.ca_pem) as connection:
                stream = await connection.open_stream()
                await stream.write(b"hello")
                await stream.finish()
                assert b"hello" == await stream.read()
                assert "echo" == connection.info.alpn

    asyncio.run(main())


def test_unknown_profiles_and_options_are_refused() -> None:
    with pytest.raises(qmimic.ProfileError, match="no profile named 'netscape'; there are chrome"):
        qmimic.Client("netscape")
    with pytest.raises(TypeError):
        qmimic.Client(colour="red")


@pytest.mark.parametrize(("name", "window"), [("chrome-156", 6_291_456), ("firefox-159", 12_582_912)])
def test_what_is_advertised_can_be_left_unread(name: str, window: int) -> None:
    """Of the stream's window, not a byte less arrives, and the connection lives on."""

    async def main() -> None:
        async with site() as server, qmimic.Client(name, ca=MADE.ca_pem) as client:
            response = await client.request("GET", server.url("/long"))
            connection = response.connection
            while connection.stats().bytes_received < window:
                await asyncio.sleep(0.01)
            assert not connection.is_closed
            other = await client.request("GET", server.url())
            assert BODY == await other.read()
            assert LONG == len(await response.read())

    asyncio.run(main())


def test_a_profile_dials_any_number_of_times() -> None:
    chrome = qmimic.profile("chrome")

    async def main() -> None:
        async with site() as server:
            for _ in range(5):
                response = await qmimic.get(server.url(), profile=chrome, ca=MADE.ca_pem)
                assert 200 == response.status

    asyncio.run(main())
