"""Several processes on one port, over the loopback."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from qcore.admission import Admission, Arrival, always_retry
from qcore.aio import Connection, Endpoint, connect
from qcore.aio.endpoint import serve_on
from qcore.aio.workers import Worker, WorkerFailed, WorkerGroup, serve_workers, start_workers
from qcore.batch import Address
from qcore.config import QuicConfig
from qcore.errors import StatelessReset, UsageError
from qcore.ids.routable import RoutingConfig
from qcore.ids.workers import WorkerIds
from qcore.testing.aio import Relay
from qtls import ClientTLS, ServerTLS
from qtls.adapters.self_signed import MadeCertificate
from qtls.resumption import Session

from ..conftest import ALPN, HOST
from ..test_endpoint import exchange
from ..test_stream import run, send_all

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
ENCRYPTED = WorkerIds(RoutingConfig(rotation=3, server_id_size=3, nonce_size=9, key=bytes(16)), b"ho")


@asynccontextmanager
async def reporting(
    tls: ServerTLS,
    *,
    count: int = 2,
    steering: bool = True,
    ids: WorkerIds | None = None,
    retry: bool = False,
    config: QuicConfig | None = None,
) -> AsyncIterator[WorkerGroup]:
    """Workers that answer each stream with their number, their process, and what came through other workers."""

    async def main(worker: Worker) -> None:
        async def answer(connection: Connection) -> None:
            async for stream in connection.streams():
                await stream.read()
                await send_all(stream, f"{worker.number} {os.getpid()} {worker.taken_over}".encode())

        admit = always_retry if retry else None
        async with (
            worker.endpoint() as endpoint,
            serve_on(endpoint, answer, tls=tls, admit=admit, config=config or QuicConfig()) as listener,
        ):
            worker.ready()
            await listener.close(drain=await worker.stopped())

    async with start_workers(main, (HOST, 0), workers=count, steering=steering, ids=ids, drain=20) as group:
        yield group


async def ask(connection: Connection) -> tuple[int, int, int]:
    number, pid, taken_over = (await exchange(connection, b"who?")).split()
    return int(number), int(pid), int(taken_over)


def port_of(group: WorkerGroup) -> int:
    return group.addresses[0][1]


@pytest.mark.parametrize("retry", [False, True], ids=["", "retry"])
def test_clients_are_spread_over_all_workers(
    server_tls: ServerTLS, client_tls: ClientTLS, retry: bool
) -> None:
    async def main() -> None:
        async with reporting(server_tls, retry=retry) as group:
            pids = set()
            for _ in range(100):  # each client is one of two workers', by chance
                async with connect(HOST, port_of(group), tls=client_tls) as connection:
                    number, pid, _ = await ask(connection)
                    assert pid == group.pids[number]
                    pids.add(pid)
                if len(pids) == 2:
                    break
            assert set(group.pids) == pids

    run(main())


@pytest.mark.parametrize("ids", [None, ENCRYPTED], ids=["plain", "encrypted"])
def test_datagrams_that_reach_the_wrong_worker_are_handed_on(
    server_tls: ServerTLS, client_tls: ClientTLS, ids: WorkerIds | None
) -> None:
    async def main() -> None:
        async with (
            reporting(server_tls, steering=False, ids=ids) as group,
            Relay(port_of(group)) as relay,
            connect(HOST, relay.port, tls=client_tls) as connection,
        ):
            number, pid, taken_over = await ask(connection)
            assert 0 == taken_over
            for _ in range(100):
                relay.rebind()
                seen = await ask(connection)
                assert (number, pid) == seen[:2]
                taken_over = seen[2]
                if taken_over:
                    break
            assert taken_over > 0, "100 ports, and all led to one worker"

    run(main())


def test_workers_share_a_preferred_address(server_tls: ServerTLS, client_tls: ClientTLS) -> None:
    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind((HOST, 0))
            preferred = (HOST, free.getsockname()[1])
        config = QuicConfig(preferred_addresses=(preferred,))
        async with reporting(server_tls, config=config) as group:
            has_taken_over = False
            for _ in range(100):
                async with connect(HOST, port_of(group), tls=client_tls) as connection:
                    seen = await ask(connection)
                    while connection.address != preferred:
                        assert seen[:2] == (await ask(connection))[:2]
                    after = await ask(connection)
                    assert seen[:2] == after[:2]
                    has_taken_over = has_taken_over or after[2] > 0
                if has_taken_over:
                    return
            raise AssertionError("100 connections, and none came to the preferred socket of the other worker")

    run(main())


def test_kernel_steers_to_the_worker(server_tls: ServerTLS, client_tls: ClientTLS) -> None:
    async def main() -> None:
        async with (
            reporting(server_tls) as group,
            Relay(port_of(group)) as relay,
            connect(HOST, relay.port, tls=client_tls) as connection,
        ):
            seen = []
            for _ in range(20):
                seen.append(await ask(connection))
                relay.rebind()
            assert {(seen[0][0], seen[0][1], 0)} == set(seen)

    run(main())


class Sessions:
    """Keeps the newest session, and tells when it comes."""

    def __init__(self) -> None:
        self.has_come = asyncio.Event()
        self._session: Session | None = None

    def put(self, key: str, session: Session) -> None:
        self._session = session
        self.has_come.set()

    def pop(self, key: str) -> Session | None:
        self.has_come.clear()
        return self._session


def test_sessions_of_one_worker_are_resumed_by_the_others(
    made: MadeCertificate, server_tls: ServerTLS
) -> None:
    async def main() -> None:
        tls = ServerTLS(certs=made.chain, alpn=ALPN, early_data=True)
        sessions = Sessions()
        client_tls = ClientTLS(alpn=ALPN, ca=made.ca_pem, sessions=sessions)
        async with reporting(tls) as group:
            before: int | None = None
            for _ in range(100):
                async with Endpoint.open((HOST, 0)) as endpoint:
                    connection = await endpoint.connect(HOST, port_of(group), tls=client_tls, early=True)
                    number, _, _ = await ask(connection)
                    await connection.handshake()
                    if before is not None:
                        assert (True, True) == (connection.info.resumed, connection.info.early_accepted)
                        if number != before:
                            return
                    before = number
                    await sessions.has_come.wait()
            raise AssertionError("100 ports, and all led to one worker")

    run(main())


class Tokens:
    """Keeps the first token, which is used again and again, and tells when it has come."""

    def __init__(self) -> None:
        self.has_come = asyncio.Event()
        self._token: bytes | None = None

    def put(self, key: str, token: bytes) -> None:
        if self._token is None:
            self._token = token
            self.has_come.set()

    def pop(self, key: str) -> bytes | None:
        return self._token


def test_token_is_taken_once_by_all_workers_together(
    server_tls: ServerTLS, client_tls: ClientTLS
) -> None:  # RFC 9000 §8.1.4
    async def tell(worker: Worker) -> None:
        validated: dict[Address, bool] = {}

        def admit(arrival: Arrival) -> Admission:
            validated[arrival.address] = arrival.is_validated
            return Admission.ACCEPT

        async def answer(connection: Connection) -> None:
            async for stream in connection.streams():
                await stream.read()
                await send_all(stream, f"{worker.number} {validated[connection.address]}".encode())

        async with (
            worker.endpoint() as endpoint,
            serve_on(endpoint, answer, tls=server_tls, admit=admit) as listener,
        ):
            worker.ready()
            await listener.close(drain=await worker.stopped())

    async def main() -> None:
        tokens = Tokens()
        answers: list[list[bytes]] = []
        async with start_workers(tell, (HOST, 0), workers=2, drain=0) as group:
            for _ in range(100):
                async with connect(HOST, port_of(group), tls=client_tls, tokens=tokens) as connection:
                    answers.append((await exchange(connection, b"")).split())
                    await tokens.has_come.wait()
                # The first has no token, the second brings one, and the others bring that one again.
                if len(answers) > 5 and len({number for number, _ in answers[1:]}) == 2:
                    break
        assert [b"False", b"True"] == [is_validated for _, is_validated in answers[:2]]
        assert {b"False"} == {is_validated for _, is_validated in answers[2:]}
        assert 2 == len({number for number, _ in answers[1:]}), "100 ports, and all led to one worker"

    run(main())


async def one_of_each(group: WorkerGroup, tls: ClientTLS, stack: AsyncExitStack) -> dict[int, Connection]:
    """A connection to each of two workers."""
    found: dict[int, Connection] = {}
    for _ in range(100):
        connection = await stack.enter_async_context(connect(HOST, port_of(group), tls=tls))
        number = (await ask(connection))[0]
        found.setdefault(number, connection)
        if len(found) == 2:
            return found
    raise AssertionError("100 ports, and all led to one worker")


def test_worker_that_crashes_is_started_again(server_tls: ServerTLS, client_tls: ClientTLS) -> None:
    async def main() -> None:
        async with reporting(server_tls) as group, AsyncExitStack() as stack:
            connections = await one_of_each(group, client_tls, stack)
            before = group.pids
            os.kill(before[0], signal.SIGKILL)
            # The new process knows nothing of the connection, and its resets are those of the old one.
            with pytest.raises(StatelessReset):
                await exchange(connections[0], bytes(1_000))  # large enough for an answer (RFC 9000 §10.3)

            assert 1 == group.restarts
            assert before[0] != group.pids[0]
            assert (1, before[1]) == (await ask(connections[1]))[:2]
            async with AsyncExitStack() as later:
                assert {0, 1} == (await one_of_each(group, client_tls, later)).keys()

    run(main())


def test_worker_that_is_told_to_end_is_started_again(server_tls: ServerTLS, client_tls: ClientTLS) -> None:
    async def main() -> None:
        async with reporting(server_tls) as group, AsyncExitStack() as stack:
            connections = await one_of_each(group, client_tls, stack)
            before = group.pids
            os.kill(before[0], signal.SIGTERM)
            # While it ends, it serves those it has, and another takes the clients that come to it.
            await seen_by_a_newcomer(group, client_tls, lambda number, pid, taken_over: taken_over > 0)
            assert (0, before[0]) == (await ask(connections[0]))[:2]
            await stack.aclose()
            await seen_by_a_newcomer(
                group, client_tls, lambda number, pid, taken_over: number == 0 and pid != before[0]
            )
            assert before[0] != group.pids[0]
            assert before[1] == group.pids[1]

    run(main())


async def seen_by_a_newcomer(
    group: WorkerGroup, tls: ClientTLS, is_it: Callable[[int, int, int], bool]
) -> None:
    """Have clients come, of whom none must fail, until one sees what is looked for."""
    for _ in range(1_000):
        async with connect(HOST, port_of(group), tls=tls) as connection:
            if is_it(*await ask(connection)):
                return
    raise AssertionError("1,000 clients, and none has seen it")


def test_closing_lets_connections_end(server_tls: ServerTLS, client_tls: ClientTLS) -> None:
    async def main() -> None:
        async with reporting(server_tls) as group, AsyncExitStack() as stack:
            connections = await one_of_each(group, client_tls, stack)
            pids = group.pids
            closing = asyncio.create_task(group.close(drain=20))
            for number, connection in connections.items():
                assert (number, pids[number]) == (await ask(connection))[:2]
            await stack.aclose()
            await closing  # at once, and not after 20 seconds: `run` would not wait for that
            for pid in pids:
                with pytest.raises(ProcessLookupError):
                    os.kill(pid, 0)

    run(main())


def test_serve_workers_runs_the_handler(server_tls: ServerTLS, client_tls: ClientTLS) -> None:
    async def answer(connection: Connection) -> None:
        async for stream in connection.streams():
            await send_all(stream, (await stream.read())[::-1])

    async def main() -> None:
        async with (
            serve_workers(answer, (HOST, 0), workers=2, tls=server_tls, drain=0) as group,
            connect(HOST, port_of(group), tls=client_tls) as connection,
        ):
            assert b"cba" == await exchange(connection, b"abc")

    run(main())


def test_worker_that_cannot_begin_says_why() -> None:
    async def fail(worker: Worker) -> None:
        if worker.number == 1:
            raise LookupError("no database")
        worker.ready()
        await worker.stopped()

    async def main() -> None:
        with pytest.raises(WorkerFailed, match="worker 1: LookupError: no database"):
            async with start_workers(fail, (HOST, 0), workers=2):
                raise AssertionError("never reached")

    run(main())


def test_worker_that_exits_before_it_is_ready_is_reported() -> None:
    async def leave(worker: Worker) -> None:
        os._exit(3)

    async def main() -> None:
        with pytest.raises(WorkerFailed, match="ended with code 3"):
            async with start_workers(leave, (HOST, 0), workers=1):
                raise AssertionError("never reached")

    run(main())


def test_taken_port_is_refused() -> None:
    async def idle(worker: Worker) -> None:
        worker.ready()
        await worker.stopped()

    async def main() -> None:
        async with start_workers(idle, (HOST, 0), workers=1) as group:
            with pytest.raises(OSError, match="in use"):
                async with start_workers(idle, (HOST, port_of(group)), workers=1):
                    raise AssertionError("never reached")

    run(main())


@pytest.mark.parametrize("count", [0, 257])
def test_impossible_numbers_of_workers_are_refused(count: int) -> None:
    async def main() -> None:
        with pytest.raises(UsageError, match=f"1 to 256 workers, not {count}"):
            async with start_workers(None, (HOST, 0), workers=count):  # type: ignore[arg-type]  # not called
                raise AssertionError("never reached")

    run(main())


ORPHANS = """
import asyncio, os, sys
from qcore.aio.workers import start_workers

async def idle(worker):
    worker.ready()
    await worker.stopped()

async def main():
    async with start_workers(idle, ("127.0.0.1", 0), workers=2) as group:
        print(*group.pids, flush=True)
        os.kill(os.getpid(), 9)

asyncio.run(main())
"""


def test_workers_end_when_nobody_is_left_to_tell_them() -> None:
    # What the first process wrote to is open until the last worker has ended.
    done = subprocess.run(
        [sys.executable, "-c", ORPHANS], capture_output=True, text=True, timeout=60, check=False
    )

    assert -signal.SIGKILL == done.returncode, done.stderr
    assert 2 == len(done.stdout.split())
