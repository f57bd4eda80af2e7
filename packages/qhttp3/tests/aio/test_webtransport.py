"""Sessions between our own client and server, over sockets."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from qcore.aio.endpoint import connect
from qcore.config import QuicConfig
from qcore.errors import ApplicationError, QuicError, StreamError
from qhttp3 import Client, H3Config, SessionRefused, WebTransportSession, serve_webtransport
from qhttp3.aio.connection import H3Connection
from qhttp3.aio.server import Request, serve
from qhttp3.aio.sessions import MAX_WAITING
from qhttp3.config import DEFAULT_SETTINGS
from qhttp3.webtransport import with_webtransport
from qtls import ClientTLS, ServerTLS
from qtls.adapters.self_signed import MadeCertificate

from ..conftest import HOST, run

Handler = Callable[[WebTransportSession], Coroutine[Any, Any, None]]


def exchange(
    made: MadeCertificate,
    handler: Handler,
    client_side: Handler,
    *,
    path: str = "/",
    protocols: tuple[str, ...] = (),
    **options: Any,
) -> None:
    """Run a handler on each side of one session; the client's is done first."""

    async def main() -> None:
        async with (
            serve_webtransport(
                handler, (HOST, 0), tls=ServerTLS(certs=made.chain), drain=0, **options
            ) as server,
            Client(tls=ClientTLS(ca=made.ca_pem)) as client,
        ):
            url = f"https://{HOST}:{server.addresses[0][1]}{path}"
            async with client.webtransport(url, protocols=protocols) as session:
                await client_side(session)

    run(main())


async def echo(session: WebTransportSession) -> None:
    async with asyncio.TaskGroup() as group:

        async def streams() -> None:
            async for stream in session.streams():
                await stream.write(await stream.read())
                await stream.finish()

        async def uni_streams() -> None:
            async for incoming in session.uni_streams():
                answer = await session.open_uni()
                await answer.write(await incoming.read())
                await answer.finish()

        async def datagrams() -> None:
            async for data in session.datagrams():
                await session.send_datagram(data)

        for each in (streams, uni_streams, datagrams):
            group.create_task(each())


async def wait(session: WebTransportSession) -> None:
    await session.wait_closed()


def test_streams_and_datagrams_come_back(made: MadeCertificate) -> None:
    async def ask(session: WebTransportSession) -> None:
        stream = await session.open_stream()
        await stream.write(b"b" * 300_000)
        await stream.finish()
        assert b"b" * 300_000 == await stream.read()

        uni = await session.open_uni()
        await uni.write(b"u" * 70_000)
        await uni.finish()
        incoming = await anext(session.uni_streams())
        assert b"u" * 70_000 == await incoming.read()

        await session.send_datagram(b"d")
        assert b"d" == await anext(session.datagrams())

    exchange(made, echo, ask)


def test_many_streams_at_once_keep_their_bytes_apart(made: MadeCertificate) -> None:
    async def ask(session: WebTransportSession) -> None:
        async def one(number: int) -> bytes:
            stream = await session.open_stream()
            await stream.write(b"%d" % number * 1000)
            await stream.finish()
            return await stream.read()

        answers = await asyncio.gather(*(one(number) for number in range(150)))
        assert [b"%d" % number * 1000 for number in range(150)] == answers

    exchange(made, echo, ask)


def test_the_server_opens_streams_too(made: MadeCertificate) -> None:
    async def give(session: WebTransportSession) -> None:
        stream = await session.open_stream()
        await stream.write(b"from the server")
        await stream.finish()
        assert b"from the client" == await stream.read()

    async def take(session: WebTransportSession) -> None:
        stream = await anext(session.streams())
        assert b"from the server" == await stream.read()
        await stream.write(b"from the client")
        await stream.finish()
        await session.wait_closed()

    exchange(made, give, take)


def test_codes_of_streams_are_the_applications(made: MadeCertificate) -> None:
    async def give(session: WebTransportSession) -> None:
        stream = await anext(session.streams())
        with pytest.raises(StreamError) as caught:
            await stream.read()
        assert (7, False) == (caught.value.code, caught.value.is_local)
        with pytest.raises(StreamError) as caught:
            while True:
                await stream.write(bytes(1000))
                await asyncio.sleep(0)
        assert 0xFFFF_FFFF == caught.value.code
        await session.close(3, "enough")

    async def take(session: WebTransportSession) -> None:
        stream = await session.open_stream()
        await stream.write(b"x")
        stream.reset(7)
        stream.stop(0xFFFF_FFFF)
        info = await session.wait_closed()
        assert (3, "enough", False) == (info.code, info.reason, info.is_local)
        with pytest.raises(ApplicationError, match="enough"):
            await session.open_stream()

    exchange(made, give, take)


def test_the_end_of_a_session_ends_its_streams(made: MadeCertificate) -> None:
    errors: list[QuicError] = []

    async def give(session: WebTransportSession) -> None:
        stream = await anext(session.streams())
        assert b"x" == await stream.readexactly(1)
        with pytest.raises(QuicError) as caught:
            await stream.read()
        errors.append(caught.value)
        assert session.is_closed

    async def take(session: WebTransportSession) -> None:
        stream = await session.open_stream()
        await stream.write(b"x")
        await asyncio.sleep(0)
        await session.close()
        with pytest.raises(QuicError):
            await stream.write(b"y")
        assert [] == [each async for each in session.streams()]

    exchange(made, give, take)
    assert 1 == len(errors)


def test_the_first_protocol_that_both_know_is_taken(made: MadeCertificate) -> None:
    seen: list[str | None] = []

    async def give(session: WebTransportSession) -> None:
        seen.append(session.protocol)

    async def take(session: WebTransportSession) -> None:
        seen.append(session.protocol)
        await session.wait_closed()

    exchange(made, give, take, protocols=("new", 'odd "one"', "old"), welcomes=None)
    assert [None, None] == sorted(seen, key=str)
    seen.clear()

    async def main() -> None:
        async with (
            serve_webtransport(
                give, (HOST, 0), tls=ServerTLS(certs=made.chain), protocols=("old", 'odd "one"'), drain=0
            ) as server,
            Client(tls=ClientTLS(ca=made.ca_pem)) as client,
        ):
            url = f"https://{HOST}:{server.addresses[0][1]}/"
            async with client.webtransport(url, protocols=("new", 'odd "one"', "old")) as session:
                await take(session)

    run(main())
    assert ['odd "one"', 'odd "one"'] == seen


def test_an_unwelcome_session_is_refused(made: MadeCertificate) -> None:
    with pytest.raises(SessionRefused) as caught:
        exchange(made, echo, wait, path="/no", welcomes=lambda request: request.path == b"/yes")
    assert 403 == caught.value.status


def test_a_server_without_webtransport_is_told_apart(made: MadeCertificate) -> None:
    def on_request(request: Request) -> None:
        request.send_head(204, end=True)
        request.finish()

    async def main() -> None:
        async with (
            serve(on_request, (HOST, 0), tls=ServerTLS(certs=made.chain), drain=0) as server,
            Client(tls=ClientTLS(ca=made.ca_pem)) as client,
            client.webtransport(f"https://{HOST}:{server.addresses[0][1]}/"),
        ):
            pass

    with pytest.raises(SessionRefused, match="speaks no WebTransport"):
        run(main())


def test_both_sides_derive_the_same_keys(made: MadeCertificate) -> None:
    keys: list[bytes] = []

    async def give(session: WebTransportSession) -> None:
        keys.append(session.export(b"label", b"context", 32))

    async def take(session: WebTransportSession) -> None:
        keys.append(session.export(b"label", b"context", 32))
        keys.append(session.export(b"label", b"other", 32))
        await session.wait_closed()

    exchange(made, give, take)
    assert 2 == len(set(keys))


def test_a_server_that_ends_asks_to_drain(made: MadeCertificate) -> None:
    async def main() -> None:
        async with Client(tls=ClientTLS(ca=made.ca_pem)) as client:
            async with serve_webtransport(
                wait, (HOST, 0), tls=ServerTLS(certs=made.chain), drain=2
            ) as server:
                url = f"https://{HOST}:{server.addresses[0][1]}/"
                opened = client.webtransport(url)
                session = await opened.__aenter__()

                async def follow() -> bool:
                    await session.wait_draining()
                    was_open = not session.is_closed
                    await opened.__aexit__(None, None, None)
                    return was_open

                follower = asyncio.create_task(follow())
            assert await follower

    run(main())


def test_a_session_is_asked_to_drain_however_little_room_there_is(made: MadeCertificate) -> None:
    async def end(session: WebTransportSession) -> None:
        session.drain()
        session.drain()
        await session.close(7, "after that")

    seen: list[bool] = []

    async def follow(session: WebTransportSession) -> None:
        async with asyncio.timeout(5):
            await session.wait_draining()
        seen.append(session.is_draining)
        with pytest.raises(ApplicationError, match="after that"):
            async for _ in session.streams():
                pass

    exchange(made, end, follow, config=QuicConfig(send_buffer=2))  # less than a capsule
    assert [True] == seen


def test_streams_that_overtake_the_answer_wait_and_only_so_many(made: MadeCertificate) -> None:
    requests: list[Request] = []
    outcome: list[bytes] = []

    async def main() -> None:
        offered = H3Config(settings=with_webtransport(DEFAULT_SETTINGS, is_client=False))
        asked = H3Config(settings=with_webtransport(DEFAULT_SETTINGS, is_client=True))
        async with (
            serve(requests.append, (HOST, 0), tls=ServerTLS(certs=made.chain), h3=offered, drain=0) as server,
            connect(HOST, server.addresses[0][1], tls=ClientTLS(ca=made.ca_pem, alpn=("h3",))) as connection,
        ):
            client = H3Connection(connection, asked)
            client.start()
            while client.engine.peer_settings is None:
                await client.changed.wait()
            head = [(b":method", b"CONNECT"), (b":protocol", b"webtransport"), (b":scheme", b"https")]
            session_id = client.engine.send_request([*head, (b":authority", b"a"), (b":path", b"/")])
            assert session_id is not None
            for number in range(MAX_WAITING + 8):
                stream_id = client.engine.open_session_stream(session_id, False)
                connection.engine.send(stream_id, b"%d" % number, True)
            client.pump()
            while not requests:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.05)
            session = requests[0].accept_webtransport()
            opened = session.uni_streams()
            for _ in range(MAX_WAITING):
                outcome.append(await (await anext(opened)).read())
            late = client.engine.open_session_stream(session_id, False)
            connection.engine.send(late, b"late", True)
            client.pump()
            outcome.append(await (await anext(opened)).read())
            await session.close()

    run(main())
    assert [*(b"%d" % number for number in range(MAX_WAITING)), b"late"] == outcome
