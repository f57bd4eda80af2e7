import asyncio
import random

import pytest

from qcore.aio import Connection, Endpoint
from qcore.aio.driver import REST_AFTER
from qcore.batch import Datagram
from qcore.events import Event, StreamReadable
from qcore.spaces import APPLICATION
from qtls import ClientTLS, ServerTLS

from .conftest import HOST, Loopback
from .test_stream import echo, run, send_all


class Closes:
    """A protocol that closes its whole endpoint from inside an event."""

    def __init__(self, endpoint: Endpoint, connection: Connection) -> None:
        self._endpoint = endpoint
        self._connection = connection
        self.closing: asyncio.Task[None] | None = None

    def on_events(self, events: list[Event]) -> None:
        if any(isinstance(event, StreamReadable) for event in events):
            self._endpoint._driver.close()
            self.closing = asyncio.create_task(self._endpoint.close())


def test_an_endpoint_can_be_closed_from_inside_an_event(server_tls: ServerTLS, client_tls: ClientTLS) -> None:
    async def main() -> None:
        async with Endpoint.open((HOST, 0)) as there, Endpoint.open((HOST, 0)) as here:
            listener = there.listen(tls=server_tls)
            client = await here.connect(HOST, there.address[1], tls=client_tls)
            server = await anext(listener)
            server.attach(Closes(there, server))
            await (await client.open_stream()).write(b"x")

            assert (await client.wait_closed()).error is None
            assert (await server.wait_closed()).is_local

    run(main())


def test_a_connection_without_anything_to_do_rests(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback() as (client, server):
            stream = await client.open_stream()
            await send_all(stream, b"x")
            await echo(await anext(server.streams()))
            assert b"x" == await stream.read()
            phases = client.engine.parts.spaces[APPLICATION].phases
            assert phases is not None
            assert not phases.is_at_rest
            while client.is_queued:
                await asyncio.sleep(0)

            def look_after(working: float, waiting: float) -> bool:
                client.last_turn = client._driver.now() - waiting
                client.first_turn = client.last_turn - working
                client._driver._alarms.set(client.alarm, 0.0)
                client._driver._alarms.ring()
                return phases.is_at_rest

            # Not before it has been without work for long, and for longer than it was at work.
            assert not look_after(working=1e6, waiting=REST_AFTER - 2)
            assert not look_after(working=0.7, waiting=0.7)
            assert look_after(working=0.1, waiting=0.7)

            stream = await client.open_stream()
            await send_all(stream, b"y")
            await echo(await anext(server.streams()))
            assert b"y" == await stream.read()
            assert not phases.is_at_rest
            while client.is_queued:
                await asyncio.sleep(0)
            assert look_after(working=1e6, waiting=REST_AFTER + 1)

    run(main())


def test_an_acknowledgement_travels_with_the_answer(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback() as (client, server):
            arriving = server.streams()
            warm_up = await client.open_stream()
            await send_all(warm_up, b"x")
            await echo(await anext(arriving))
            assert await warm_up.stopped() is None
            before = server.stats().datagrams_sent
            for _ in range(50):
                stream = await client.open_stream()
                await send_all(stream, b"question")
                await echo(await anext(arriving))
                assert b"question" == await stream.read()

            # One datagram for each answer, and few for limits and the rest.
            assert server.stats().datagrams_sent - before < 60

    run(main())


def test_each_flight_of_a_client_leaves_before_anything_else_is_done(
    server_tls: ServerTLS, client_tls: ClientTLS
) -> None:
    async def main() -> None:
        async with Endpoint.open((HOST, 0)) as there, Endpoint.open((HOST, 0)) as here:
            there.listen(tls=server_tls)
            dialling = asyncio.create_task(here.connect(HOST, there.address[1], tls=client_tls))
            await asyncio.sleep(0)
            (driven,) = here._driver._driven.values()
            hello = driven.engine.stats().datagrams_sent
            assert hello > 0

            client = await dialling
            assert client.stats().datagrams_sent > hello  # the Finished did not wait for this task

    run(main())


def test_writes_of_one_turn_leave_together(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback() as (client, _):
            streams = [await client.open_stream() for _ in range(20)]
            before = client.stats().datagrams_sent
            for stream in streams:
                await stream.write(b"a little")
                await stream.finish()
            assert await streams[-1].stopped() is None

            assert client.stats().datagrams_sent - before <= 5

    run(main())


def test_what_is_sent_ahead_does_not_wait_for_the_end_of_the_turn(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback() as (client, server):
            stream = await client.open_stream()
            await send_all(stream, b"x")
            await echo(await anext(server.streams()))
            assert b"x" == await stream.read()
            before = client.stats().datagrams_sent
            for _ in range(3):
                client.engine.send(client.engine.open_stream(), b"y", True)
                client.send_ahead()
            assert 3 == client.stats().datagrams_sent - before

            await client.close()
            client.send_ahead()

    run(main())


@pytest.mark.parametrize("seed", [1, 2])
def test_junk_changes_nothing(server_tls: ServerTLS, client_tls: ClientTLS, seed: int) -> None:
    print("seed", seed)
    chance = random.Random(seed)

    async def main() -> None:
        reported: list[dict[str, object]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context))
        async with Endpoint.open((HOST, 0)) as there, Endpoint.open((HOST, 0)) as here:
            listener = there.listen(tls=server_tls)
            client = await here.connect(HOST, there.address[1], tls=client_tls)
            serving = asyncio.create_task(echo_first(await anext(listener)))
            stream = await client.open_stream()
            await stream.write(b"half ")
            for _ in range(2000):
                data = bytes([chance.choice([0x40, 0xC0, 0xD0, 0xE0, 0xF0, chance.randrange(256)])])
                data += chance.choice([b"", bytes(4), b"\0\0\0\1", chance.randbytes(4)])
                data += chance.randbytes(chance.randrange(1300))
                source = chance.choice([here.address, (HOST, 9)])
                there._driver.on_datagrams([Datagram(data, source)])
            await send_all(stream, b"and half")

            assert b"half and half" == await stream.read()
            assert [] == reported
            await client.close()
            await serving

    async def echo_first(connection: Connection) -> None:
        await echo(await anext(connection.streams()))

    run(main())
