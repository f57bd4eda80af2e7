import asyncio
import gc
import random
from contextlib import suppress

import pytest

from qcore.aio import Connection, ReceiveStream, SendStream, Stream
from qcore.config import QuicConfig
from qcore.errors import ApplicationError, StreamError, UsageError

from .conftest import Loopback

MIB = 1 << 20
SMALL = QuicConfig(
    send_buffer=64 << 10, stream_window=64 << 10, max_stream_window=64 << 10, connection_window=256 << 10
)


def run(main: "asyncio._CoroutineLike[None]", seconds: float = 60) -> None:
    asyncio.run(asyncio.wait_for(main, seconds))


async def echo(stream: Stream) -> None:
    async for chunk in stream:
        await stream.write(chunk)
    await stream.finish()


async def send_all(stream: SendStream, data: bytes) -> None:
    await stream.write(data)
    await stream.finish()


async def settle(sender: Connection, receiver: Connection) -> None:
    """Wait until what was sent before has arrived: the loopback keeps the order."""
    await send_all(await sender.open_uni(), b"done")
    await (await anext(receiver.uni_streams())).read()


def test_what_was_written_is_read_and_comes_back(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback() as (client, server):
            stream = await client.open_stream()
            await stream.write(b"hello, ")
            await stream.write(b"world")
            await stream.finish()
            arrived = await anext(server.streams())
            await echo(arrived)

            assert (stream.id, b"hello, world") == (arrived.id, await stream.read())
            assert b"" == await stream.read()

    run(main())


@pytest.mark.parametrize("size", [0, 1, 1000, 20 * MIB])
def test_bytes_arrive_unchanged_in_both_directions(loopback: Loopback, size: int) -> None:
    data = random.Random(size).randbytes(size)

    async def main() -> None:
        async with loopback() as (client, server):
            stream = await client.open_stream()
            sending = asyncio.create_task(send_all(stream, data))
            echoing = asyncio.create_task(echo(await anext(server.streams())))

            assert data == await stream.read()
            await sending
            await echoing
            assert await stream.stopped() is None

    run(main(), 120)


def test_many_streams_at_once(loopback: Loopback) -> None:
    contents = [random.Random(number).randbytes(number * 97 % 5000) for number in range(200)]

    async def main() -> None:
        async with loopback() as (client, server):

            async def exchange(data: bytes) -> bytes:
                stream = await client.open_stream()
                await send_all(stream, data)
                return await stream.read()

            async def serve() -> None:
                async with asyncio.TaskGroup() as group:
                    async for stream in server.streams():
                        group.create_task(echo(stream))

            serving = asyncio.create_task(serve())

            assert contents == await asyncio.gather(*[exchange(data) for data in contents])
            await client.close()
            await serving

    run(main())


def test_more_streams_than_the_peer_allows_wait_their_turn(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback(server=QuicConfig(max_bidi=2)) as (client, server):
            first, second = [await client.open_stream() for _ in range(2)]
            third = asyncio.create_task(client.open_stream())
            await send_all(first, b"1")
            streams = server.streams()
            arrived = await anext(streams)
            assert not third.done()
            await echo(arrived)

            assert b"1" == await first.read()
            await send_all(await third, b"3")
            await send_all(second, b"2")
            assert {b"2", b"3"} == {await (await anext(streams)).read() for _ in range(2)}

    run(main())


def test_unidirectional_streams(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback() as (client, server):
            for here, there in ((client, server), (server, client)):
                stream = await here.open_uni()
                await send_all(stream, b"one way")
                arrived = await anext(there.uni_streams())

                assert isinstance(arrived, ReceiveStream)
                assert not isinstance(arrived, SendStream)
                assert b"one way" == await arrived.read()

    run(main())


def test_reading_by_size(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback() as (client, server):
            stream = await client.open_stream()
            await send_all(stream, b"0123456789")
            arrived = await anext(server.streams())

            assert b"" == await arrived.read(0)
            assert b"0123" == await arrived.readexactly(4)
            assert b"45" == await arrived.read(2)
            with pytest.raises(asyncio.IncompleteReadError) as caught:
                await arrived.readexactly(5)
            assert (b"6789", 5) == (caught.value.partial, caught.value.expected)
            assert b"" == await arrived.read(10) == await arrived.readexactly(0)

    run(main())


def test_a_cancelled_read_loses_nothing(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback() as (client, server):
            stream = await client.open_stream()
            await stream.write(b"first ")
            arrived = await anext(server.streams())
            for size in (-1, 100):
                reading = asyncio.create_task(arrived.read() if size < 0 else arrived.readexactly(size))
                await stream.write(b"more ")
                await settle(client, server)  # it has taken bytes, and waits for others
                reading.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await reading
            await stream.finish()

            assert b"first more more " == await arrived.read()

    run(main())


def test_a_cancelled_write_is_sent_all_the_same(loopback: Loopback) -> None:
    data = random.Random(1).randbytes(MIB)

    async def main() -> None:
        async with loopback(SMALL, SMALL) as (client, server):
            stream = await client.open_stream()
            writing = asyncio.create_task(stream.write(data))
            arrived = await anext(server.streams())
            assert not writing.done()
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
            finishing = asyncio.create_task(send_all(stream, b"the end"))

            assert data + b"the end" == await arrived.read()
            await finishing

    run(main())


def test_a_writer_waits_for_a_slow_reader(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback(SMALL, SMALL) as (client, server):
            stream = await client.open_stream()
            written = 0

            async def pour() -> None:
                nonlocal written
                for _ in range(64):
                    await stream.write(bytes(32 << 10))
                    written += 32 << 10
                await stream.finish()

            pouring = asyncio.create_task(pour())
            arrived = await anext(server.streams())
            read = 0
            while chunk := await arrived.read(8 << 10):
                read += len(chunk)
                # Its own buffer, the peer's window, and the chunk in hand.
                assert written - read <= (64 + 64 + 32) << 10
                await asyncio.sleep(0)
            await pouring
            assert written == read

    run(main())


@pytest.mark.parametrize("size", [1, 100_000, 400_000])
def test_beginning_of_a_stream_survives_its_reset(loopback: Loopback, size: int) -> None:
    data = random.Random(size).randbytes(400_000)  # more than windows and buffers hold

    async def main() -> None:
        async with loopback(SMALL, SMALL) as (client, server):
            assert client.info.reset_stream_at
            stream = await client.open_uni()
            writing = asyncio.create_task(stream.write(data))
            await asyncio.sleep(0)
            with pytest.raises(UsageError, match="400001 bytes of 400000"):
                stream.reset(7, reliable=400_001)
            stream.reset(7, reliable=size)
            stream.reset(8, reliable=size + 1)
            with suppress(StreamError):  # unless all of it is promised
                await writing
            arrived = await anext(server.uni_streams())
            received = b""
            with pytest.raises(StreamError) as caught:
                while True:
                    received += await arrived.read(10_000)
            assert (7, False) == (caught.value.code, caught.value.is_local)
            assert size <= len(received)
            assert data[: len(received)] == received

    run(main())


def test_peer_that_knows_no_partial_reset_is_spared_it(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback(None, QuicConfig(reset_stream_at=False)) as (client, _):
            assert not client.info.reset_stream_at
            stream = await client.open_uni()
            await stream.write(b"data")
            with pytest.raises(UsageError, match="peer"):
                stream.reset(7, reliable=4)
            await stream.finish()
            assert await stream.stopped() is None

    run(main())


def test_what_was_reset_cannot_be_read(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback() as (client, server):
            stream = await client.open_stream()
            await stream.write(b"half")
            arrived = await anext(server.streams())
            reading = asyncio.create_task(arrived.read())
            stream.reset(7)
            with pytest.raises(StreamError) as caught:
                await reading
            assert (stream.id, 7, False) == (caught.value.stream_id, caught.value.code, caught.value.is_local)
            with pytest.raises(StreamError) as caught:
                await stream.write(b"other half")
            assert caught.value.is_local
            await arrived.write(b"the other direction lives")
            await arrived.finish()
            assert b"the other direction lives" == await stream.read()

    run(main())


def test_what_was_stopped_cannot_be_written(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback(SMALL, SMALL) as (client, server):
            stream = await client.open_stream()
            writing = asyncio.create_task(stream.write(bytes(MIB)))
            arrived = await anext(server.streams())
            arrived.stop(9)
            with pytest.raises(StreamError) as caught:
                await writing
            assert (9, False) == (caught.value.code, caught.value.is_local)
            assert 9 == await stream.stopped()
            with pytest.raises(StreamError):
                await arrived.read()

    run(main())


def test_writing_after_the_end_is_misuse(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback() as (client, _):
            stream = await client.open_stream()
            await stream.finish()
            await stream.finish()
            with pytest.raises(RuntimeError, match="finished"):
                await stream.write(b"late")

    run(main())


def test_closing_raises_what_waits(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback(SMALL, SMALL) as (client, server):
            stream = await client.open_stream()
            waiting = [
                asyncio.create_task(stream.read()),
                asyncio.create_task(stream.write(bytes(MIB))),
                asyncio.create_task(stream.stopped()),
            ]
            await anext(server.streams())
            await server.close(17, "enough")
            for task in waiting:
                with pytest.raises(ApplicationError, match="enough") as caught:
                    await task
                assert (17, False) == (caught.value.code, caught.value.is_local)
            with pytest.raises(ApplicationError):
                await stream.write(b"late")
            with pytest.raises(ApplicationError):
                await client.open_stream()

    run(main())


def test_what_arrived_before_the_end_can_still_be_read(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback() as (client, server):
            stream = await client.open_stream()
            await send_all(stream, b"complete")
            cut = await client.open_stream()
            await cut.write(b"cut")
            assert await stream.stopped() is None
            await client.close(3)
            await server.wait_closed()
            streams = {arrived.id: arrived for arrived in [await anext(server.streams()) for _ in range(2)]}

            assert b"complete" == await streams[stream.id].read()
            assert b"cut" == await streams[cut.id].read(100)
            with pytest.raises(ApplicationError):
                await streams[cut.id].read(100)

    run(main())


def test_streams_that_are_over_are_forgotten(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback() as (client, server):
            arriving = server.streams()
            for _ in range(50):
                stream = await client.open_stream()
                await send_all(stream, b"ping")
                arrived = await anext(arriving)
                await echo(arrived)
                assert b"ping" == await stream.read()
                assert await stream.stopped() is await arrived.stopped() is None

            assert 0 == client.stats().open_streams == server.stats().open_streams
            del stream, arrived
            gc.collect()
            assert [] == [found for found in gc.get_objects() if isinstance(found, Stream)]

    run(main())
