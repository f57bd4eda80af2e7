import asyncio
import contextlib
import errno
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from qcore.aio.sockets import has_ipv6, open_socket
from qcore.aio.udp import LONE_READS, LONE_WAKE_UPS, PolledSocket, SocketOwner, UdpSocket, wrap_socket
from qcore.aio.udp_transport import TransportSocket
from qcore.batch import Address, Datagram, SendBatch, SendRun

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="offload and marks exist on Linux only")
IPV6 = pytest.mark.skipif(not has_ipv6(), reason="this host has no IPv6")


class Recorder(SocketOwner):
    """Keeps what a socket reports, and lets a test wait for it."""

    def __init__(self) -> None:
        self.datagrams: list[Datagram] = []
        self.wake_ups = 0
        self.writable = 0
        self.errors: list[OSError] = []
        self.error_addresses: list[Address | None] = []
        self._changed = asyncio.Event()

    def on_datagrams(self, datagrams: Sequence[Datagram]) -> None:
        self.datagrams.extend(datagrams)
        self.wake_ups += 1
        self._changed.set()

    def on_writable(self) -> None:
        self.writable += 1
        self._changed.set()

    def on_socket_error(self, error: OSError, address: Address | None) -> None:
        self.errors.append(error)
        self.error_addresses.append(address)
        self._changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    @property
    def payloads(self) -> list[bytes]:
        return [datagram.data for datagram in self.datagrams]


async def polled(sock: socket.socket, *, is_connected: bool = False) -> UdpSocket:
    return PolledSocket(asyncio.get_running_loop(), sock, is_connected=is_connected)


async def polled_without_offload(sock: socket.socket, *, is_connected: bool = False) -> UdpSocket:
    return PolledSocket(asyncio.get_running_loop(), sock, is_connected=is_connected, offload=False)


async def transport(sock: socket.socket, *, is_connected: bool = False) -> UdpSocket:
    return await TransportSocket.open(asyncio.get_running_loop(), sock, is_connected=is_connected)


class LosslessSocket(socket.socket):
    """A Unix socket, whose queue blocks its sender instead of dropping; its peer has an address as UDP ones do."""

    ADDRESS: Address = ("left", 0)

    def __init__(self) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_DGRAM)

    def getsockname(self) -> Address:
        return self.ADDRESS

    def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, Address]:
        return super().recvfrom(bufsize, flags)[0], self.ADDRESS

    def recvmsg_into(
        self, buffers: Iterable[Any], ancbufsize: int = 0, flags: int = 0
    ) -> tuple[int, list[tuple[int, int, bytes]], int, Address]:
        return *super().recvmsg_into(buffers, ancbufsize, flags)[:3], self.ADDRESS


Wrap = Callable[[socket.socket], Awaitable[UdpSocket]]
WRAPS = [polled, polled_without_offload, transport]


def batch_of(address: Address, parts: Sequence[bytes], ecn: int = 0) -> SendBatch:
    batch = SendBatch(limit=max(64, len(parts)))
    for part in parts:
        batch.add(address, ecn, part)
    return batch


def payloads(count: int, size: int, last: int | None = None) -> list[bytes]:
    parts = [bytes([index % 251]) * size for index in range(count)]
    if last is not None:
        parts[-1] = parts[-1][:last]
    return parts


@pytest.mark.parametrize("receiver", WRAPS)
@pytest.mark.parametrize("sender", WRAPS)
@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(payloads(1, 1200), id="one"),
        pytest.param(payloads(10, 1200), id="ten equal"),
        pytest.param(payloads(30, 1350, last=7), id="last shorter"),
        pytest.param([b"a" * 100, b"b" * 1200, b"c" * 1200, b"d" * 3, b"e" * 5], id="several runs"),
    ],
)
def test_runs_arrive_as_the_datagrams_they_were_made_of(
    sender: Wrap, receiver: Wrap, parts: list[bytes]
) -> None:
    async def main() -> None:
        here = await sender(open_socket(("127.0.0.1", 0)))
        there = await receiver(open_socket(("127.0.0.1", 0)))
        owner, recorder = Recorder(), Recorder()
        here.start(owner)
        there.start(recorder)

        assert here.send(batch_of(there.address, parts))
        await recorder.until(lambda: len(recorder.datagrams) >= len(parts))

        assert parts == recorder.payloads
        assert {here.address} == {datagram.address for datagram in recorder.datagrams}
        here.close()
        there.close()

    asyncio.run(main())


def test_what_comes_at_once_behind_lone_datagrams_arrives_whole() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        here = PolledSocket(loop, open_socket(("127.0.0.1", 0)), offload=False)
        there = PolledSocket(loop, open_socket(("127.0.0.1", 0)), offload=False)
        recorder = Recorder()
        here.start(Recorder())
        there.start(recorder)
        lone = payloads(LONE_WAKE_UPS + 3, 100)
        burst = payloads(60, 200)

        for part in lone:
            here.send(batch_of(there.address, [part]))
            await recorder.until(lambda part=part: part in recorder.payloads)  # type: ignore[misc]  # of bytes
        here.send(batch_of(there.address, burst))
        await recorder.until(lambda: len(recorder.datagrams) == len(lone) + len(burst))

        assert lone + burst == recorder.payloads
        assert recorder.wake_ups <= len(lone) + LONE_READS + 1  # one by one for a while, then the rest
        here.close()
        there.close()

    asyncio.run(main())


@LINUX
def test_a_run_leaves_and_arrives_in_one_call() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        here = PolledSocket(loop, open_socket(("127.0.0.1", 0)))
        there = PolledSocket(loop, open_socket(("127.0.0.1", 0)))
        recorder = Recorder()
        here.start(Recorder())
        there.start(recorder)
        parts = payloads(40, 1350)

        here.send(batch_of(there.address, parts))
        await recorder.until(lambda: recorder.datagrams)

        assert here.has_segmentation
        assert (1, parts) == (recorder.wake_ups, recorder.payloads)
        here.close()
        there.close()

    asyncio.run(main())


@LINUX
@pytest.mark.parametrize("ecn", [0, 1, 2, 3])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(
    ("local", "target"),
    [
        pytest.param("127.0.0.1", "127.0.0.1", id="IPv4"),
        pytest.param("::1", "::1", id="IPv6", marks=IPV6),
        pytest.param("::", "::ffff:127.0.0.1", id="IPv4 on a dual-stack socket", marks=IPV6),
    ],
)
def test_ecn_marks_travel(local: str, target: str, count: int, ecn: int) -> None:  # RFC 9000 §13.4
    async def main() -> None:
        loop = asyncio.get_running_loop()
        here = PolledSocket(loop, open_socket((local, 0)))
        there = PolledSocket(loop, open_socket((local, 0)))
        recorder = Recorder()
        here.start(Recorder())
        there.start(recorder)
        address = (target, *there.address[1:])

        here.send(batch_of(address, payloads(count, 1200), ecn))
        await recorder.until(lambda: len(recorder.datagrams) >= count)

        assert [ecn] * count == [datagram.ecn for datagram in recorder.datagrams]
        here.close()
        there.close()

    asyncio.run(main())


@pytest.mark.parametrize("receiver", WRAPS)
def test_empty_datagrams_are_counted_and_dropped(receiver: Wrap) -> None:
    async def main() -> None:
        there = await receiver(open_socket(("127.0.0.1", 0)))
        recorder = Recorder()
        there.start(recorder)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
            for data in (b"", b"", b"x"):
                here.sendto(data, there.address)
            await recorder.until(lambda: recorder.datagrams)

        assert (2, [b"x"]) == (there.empty_datagrams, recorder.payloads)
        there.close()

    asyncio.run(main())


@LINUX
@pytest.mark.parametrize("sender", WRAPS)
def test_what_is_too_large_is_lost_and_the_rest_goes_on(sender: Wrap) -> None:
    async def main() -> None:
        here = await sender(open_socket(("127.0.0.1", 0)))
        there = PolledSocket(asyncio.get_running_loop(), open_socket(("127.0.0.1", 0)))
        owner, recorder = Recorder(), Recorder()
        here.start(owner)
        there.start(recorder)

        assert here.send(batch_of(there.address, [b"a" * 65_600, b"b" * 1200, b"c" * 1200]))
        await recorder.until(lambda: len(recorder.datagrams) == 2)

        assert [] == owner.errors
        if isinstance(here, PolledSocket):
            assert 1 == here.failed_sends
            assert here.has_segmentation == here.capabilities.segmentation
        here.close()
        there.close()

    asyncio.run(main())


@LINUX
def test_segmentation_is_given_up_once_refused() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        here = PolledSocket(loop, open_socket(("127.0.0.1", 0)))
        there = PolledSocket(loop, open_socket(("127.0.0.1", 0)))
        recorder = Recorder()
        here.start(Recorder())
        there.start(recorder)
        run = SendRun(there.address, 0, b"0" * 10)
        run.parts = payloads(300, 10)  # more segments than any kernel takes in one call
        batch = SendBatch()
        batch.runs.append(run)

        here.send(batch)
        await recorder.until(lambda: len(recorder.datagrams) == 300)

        assert not here.has_segmentation
        assert payloads(300, 10) == recorder.payloads
        here.close()
        there.close()

    asyncio.run(main())


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="a full queue needs a socket that does not drop")
@pytest.mark.parametrize("wrap", [polled, transport])
def test_a_full_system_buffer_keeps_the_rest_until_there_is_room(
    wrap: Callable[..., Awaitable[UdpSocket]], tmp_path: Path
) -> None:
    async def main() -> None:
        left, right = (LosslessSocket() for _ in range(2))
        for sock, name in ((left, "left"), (right, "right")):
            sock.setblocking(False)
            sock.bind(str(tmp_path / name))
        left.connect(str(tmp_path / "right"))
        right.connect(str(tmp_path / "left"))
        here = await wrap(left, is_connected=True)
        there = await wrap(right, is_connected=True)
        owner, recorder = Recorder(), Recorder()
        here.start(owner)
        parts = payloads(400, 1000)

        answers = [here.send(batch_of(("", 0), parts[start : start + 64])) for start in range(0, 400, 64)]
        there.start(recorder)
        await recorder.until(lambda: len(recorder.datagrams) == 400)
        await owner.until(lambda: owner.writable)

        assert answers[-1] is False
        assert parts == recorder.payloads
        assert here.send(batch_of(("", 0), [b"again"]))
        here.close()
        there.close()

    asyncio.run(main())


@LINUX
@pytest.mark.parametrize("wrap", WRAPS)
def test_a_connected_socket_hears_of_a_refused_port(wrap: Callable[..., Awaitable[UdpSocket]]) -> None:
    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            address = taken.getsockname()
        here = await wrap(open_socket(("127.0.0.1", 0), address), is_connected=True)
        recorder = Recorder()
        here.start(recorder)

        here.send(batch_of(address, [b"hello"]))
        await recorder.until(lambda: recorder.errors)

        assert errno.ECONNREFUSED == recorder.errors[0].errno
        here.close()

    asyncio.run(main())


@LINUX
@pytest.mark.parametrize(
    ("local", "target"),
    [
        pytest.param("127.0.0.1", "127.0.0.1", id="IPv4"),
        pytest.param("::1", "::1", id="IPv6", marks=IPV6),
        pytest.param("::", "::ffff:127.0.0.1", id="IPv4 on a dual-stack socket", marks=IPV6),
    ],
)
def test_a_watched_socket_hears_which_port_refused(local: str, target: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        here = PolledSocket(loop, open_socket((local, 0)))
        there = PolledSocket(loop, open_socket((local, 0)))
        with contextlib.closing(open_socket((local, 0))) as taken:
            port = taken.getsockname()[1]
        owner, recorder = Recorder(), Recorder()
        here.start(owner)
        there.start(recorder)
        here.watch_errors()
        refusing = (target, port, *there.address[2:])
        for _ in range(3):
            here.send(batch_of(refusing, [b"hello", b"again"]))
            here.send(batch_of((target, *there.address[1:]), [b"to somebody"]))
        await owner.until(lambda: owner.errors)
        await recorder.until(lambda: len(recorder.datagrams) == 3)
        there.send(batch_of((target, *here.address[1:]), [b"answer"]))
        await owner.until(lambda: owner.datagrams)

        assert {(errno.ECONNREFUSED, refusing)} == {
            (error.errno, address) for error, address in zip(owner.errors, owner.error_addresses, strict=True)
        }
        here.close()
        there.close()

    asyncio.run(main())


@LINUX
def test_an_error_of_an_earlier_datagram_does_not_cost_the_next() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            address = peer.getsockname()
        here = PolledSocket(loop, open_socket(("127.0.0.1", 0), address), is_connected=True)
        recorder = Recorder()
        here.start(recorder)
        here.send(batch_of(address, [b"nobody there"]))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(address)
            peer.settimeout(10)
            here.send(batch_of(address, [b"first", b"secon"]))  # one run, whose call meets the old error

            assert [b"first", b"secon"] == [peer.recv(100), peer.recv(100)]
            peer.sendto(b"answer", here.address)
            await recorder.until(lambda: recorder.datagrams)
        assert 1 == len(recorder.errors)
        here.close()

    asyncio.run(main())


def test_the_plain_form_is_chosen_where_descriptors_cannot_be_watched() -> None:
    class WithoutReaders(asyncio.SelectorEventLoop):
        """Like the proactor loop of Windows; the loop's own machinery uses the underscored name."""

        def add_reader(self, fd: object, callback: object, *args: object) -> None:
            raise NotImplementedError

    async def main() -> None:
        loop = asyncio.get_running_loop()
        wrapped = await wrap_socket(loop, open_socket(("127.0.0.1", 0)), is_connected=False)

        assert isinstance(wrapped, TransportSocket)
        wrapped.close()

    with asyncio.Runner(loop_factory=WithoutReaders) as runner:
        runner.run(main())


def test_closing_twice_is_harmless() -> None:
    async def main() -> None:
        for wrap in WRAPS:
            wrapped = await wrap(open_socket(("127.0.0.1", 0)))
            wrapped.start(Recorder())
            wrapped.close()
            wrapped.close()

    asyncio.run(main())


@IPV6
def test_any_address_takes_both_families() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        there = PolledSocket(loop, open_socket(("::", 0)))
        recorder = Recorder()
        there.start(recorder)
        port = there.address[1]
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with socket.socket(family, socket.SOCK_DGRAM) as here:
                here.sendto(host.encode(), (host, port))
        await recorder.until(lambda: len(recorder.datagrams) == 2)

        assert {b"127.0.0.1", b"::1"} == set(recorder.payloads)
        there.close()

    asyncio.run(main())
