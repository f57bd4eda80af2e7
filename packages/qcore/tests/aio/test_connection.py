import asyncio
from collections.abc import Callable

import pytest

from qcore.config import QuicConfig
from qcore.errors import (
    ApplicationError,
    DatagramsUnavailable,
    IdleTimeout,
    QuicError,
    TransportError,
    UsageError,
)
from qcore.events import (
    ConnectionEnded,
    DatagramReceived,
    Event,
    HandshakeCompleted,
    StreamOpened,
    StreamReadable,
)
from qwire.constants import INTERNAL_ERROR

from .conftest import ALPN, Loopback
from .test_stream import run, send_all, settle


class Recorder:
    """A protocol that keeps the events of its connection."""

    def __init__(self, react: Callable[[list[Event]], object] = bool) -> None:
        self.events: list[Event] = []
        self._react = react
        self._changed = asyncio.Event()

    def on_events(self, events: list[Event]) -> None:
        self.events += events
        self._react(events)
        self._changed.set()

    async def until(self, kind: type) -> None:
        async with asyncio.timeout(10):
            while not any(isinstance(event, kind) for event in self.events):
                self._changed.clear()
                await self._changed.wait()

    def kinds(self) -> list[type]:
        return [type(event) for event in self.events]


def test_both_sides_know_what_was_agreed(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback() as (client, server):
            assert client.is_established
            assert server.is_established
            assert ALPN == (client.info.alpn,) == (server.info.alpn,)
            assert client.info.version == server.info.version
            assert client.info.datagrams
            assert 1 == len(client.info.peer_certificates)
            assert client.export(b"test", b"", 20) == server.export(b"test", b"", 20)
            assert client.address[0] == "127.0.0.1"

    run(main())


@pytest.mark.parametrize("closer", ["client", "server"])
@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        pytest.param(0, "", None, id="without error"),
        pytest.param(42, "had to", ApplicationError, id="with an application's code"),
    ],
)
def test_both_sides_know_how_it_ended(
    loopback: Loopback, closer: str, code: int, reason: str, error: type[QuicError] | None
) -> None:
    async def main() -> None:
        async with loopback() as (client, server):
            here, there = (client, server) if closer == "client" else (server, client)
            await here.close(code, reason)
            near, far = await here.wait_closed(), await there.wait_closed()

            assert (True, False) == (near.is_local, far.is_local)
            assert (code, reason) == (near.code, near.reason) == (far.code, far.reason)
            for info in (near, far):
                assert error is (None if info.error is None else type(info.error))
            await here.close(99)  # too late to matter
            assert code == (await here.wait_closed()).code

    run(main())


def test_iteration_ends_with_the_connection(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback() as (client, server):

            async def take() -> tuple[int, int, int]:
                streams = len([stream async for stream in server.streams()])
                uni = len([stream async for stream in server.uni_streams()])
                return streams, uni, len([datagram async for datagram in server.datagrams()])

            taking = asyncio.create_task(take())
            await client.send_datagram(b"one")
            await send_all(await client.open_uni(), b"two")
            await send_all(await client.open_stream(), b"three")
            await send_all(await client.open_stream(), b"four")
            await client.send_datagram(b"five")
            for _ in range(3):
                stream = await client.open_stream()
                await send_all(stream, b"last")
                assert await stream.stopped() is None
            await client.close()

            assert (5, 1, 2) == await taking

    run(main())


def test_iteration_raises_an_error_of_the_connection(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback() as (client, server):
            await client.close(5, "gone wrong")
            await server.wait_closed()
            for arriving in (server.streams(), server.uni_streams(), server.datagrams()):
                with pytest.raises(ApplicationError, match="gone wrong"):
                    await anext(arriving)

    run(main())


def test_datagrams_travel(loopback: Loopback) -> None:  # RFC 9221
    async def main() -> None:
        async with loopback() as (client, server):
            arriving = server.datagrams()
            largest = bytes(client.max_datagram_size)
            for data in (b"", b"x", largest):
                await client.send_datagram(data)
                assert data == await anext(arriving)
            assert 1000 < len(largest) < 1500
            with pytest.raises(DatagramsUnavailable):
                client.try_send_datagram(bytes(100_000))

    run(main())


def test_sending_datagrams_waits_for_room(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback() as (client, server):
            refused = 0
            while client.try_send_datagram(b"fill"):
                refused += 1
            await asyncio.gather(*[client.send_datagram(b"wait") for _ in range(10)])

            assert refused > 0
            assert b"fill" == await anext(server.datagrams())

    run(main())


def test_datagrams_can_be_switched_off(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback(server=QuicConfig(datagrams=False)) as (client, _):
            assert (False, 0) == (client.info.datagrams, client.max_datagram_size)
            with pytest.raises(DatagramsUnavailable):
                await client.send_datagram(b"x")

    run(main())


def test_silence_ends_a_connection(loopback: Loopback) -> None:  # RFC 9000 §10.1
    async def main() -> None:
        async with loopback(QuicConfig(idle_timeout=0.2)) as (client, server):
            stream = await client.open_stream()
            with pytest.raises(IdleTimeout) as caught:
                await stream.read()
            assert isinstance(caught.value, TimeoutError)
            assert isinstance((await server.wait_closed()).error, IdleTimeout)

    run(main())


def test_keep_alive_prevents_it(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback(QuicConfig(idle_timeout=0.4, keep_alive=0.1)) as (client, _):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await client.wait_closed()
            assert not client.is_closed

    run(main())


def test_keys_can_be_updated(loopback: Loopback) -> None:  # RFC 9001 §6
    async def main() -> None:
        async with loopback() as (client, server):
            await settle(client, server)
            await settle(server, client)
            assert client.update_keys()
            await settle(client, server)
            await settle(server, client)

            assert not client.is_closed

    run(main())


def test_a_protocol_gets_all_events_in_place_of_streams(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback() as (client, server):
            stream = await client.open_stream()
            await send_all(stream, b"request")
            await client.send_datagram(b"datagram")

            def answer(events: list[Event]) -> None:
                for event in events:
                    if isinstance(event, StreamReadable):
                        data, is_end = server.engine.read(event.stream_id)
                        server.engine.send(event.stream_id, data.upper(), is_end)

            recorder = Recorder(answer)
            server.attach(recorder)

            assert b"REQUEST" == await stream.read()
            await recorder.until(DatagramReceived)
            await client.close()
            await recorder.until(ConnectionEnded)
            kinds = recorder.kinds()
            assert HandshakeCompleted is kinds[0]
            assert ConnectionEnded is kinds[-1]
            assert kinds.index(StreamOpened) < kinds.index(StreamReadable)
            with pytest.raises(UsageError):
                server.streams()
            with pytest.raises(UsageError):
                client.attach(recorder)

    run(main())


def test_a_protocol_that_raises_ends_its_connection_and_no_other(loopback: Loopback) -> None:
    def fail(events: list[Event]) -> None:
        if any(isinstance(event, DatagramReceived) for event in events):
            raise ZeroDivisionError("a bug")

    async def main() -> None:
        reported: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        async with loopback() as (client, server), loopback() as (other, _):
            server.attach(Recorder(fail))
            await client.send_datagram(b"x")
            near, far = await server.wait_closed(), await client.wait_closed()

            assert (INTERNAL_ERROR, INTERNAL_ERROR) == (near.code, far.code)
            assert isinstance(near.error, TransportError)
            assert [ZeroDivisionError] == [type(context["exception"]) for context in reported]
            assert not other.is_closed

    run(main())


def test_leaving_the_context_closes(loopback: Loopback) -> None:
    async def main() -> None:
        async with loopback() as (client, server):
            with pytest.raises(KeyError):
                async with client:
                    raise KeyError("of the caller")
            assert (await server.wait_closed()).error is None
            assert "ended" in repr(client)

    run(main())
