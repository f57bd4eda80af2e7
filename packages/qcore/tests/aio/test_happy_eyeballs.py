"""Names with addresses of both families, of which one does not answer. RFC 8305."""

import asyncio
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from qcore.aio import Connection, Endpoint, connect, serve
from qcore.aio.sockets import has_ipv6
from qcore.config import QuicConfig
from qcore.errors import ConnectionRefused, HandshakeTimeout
from qtls import ClientTLS, ServerTLS

from .conftest import HOST
from .test_endpoint import echo_all, exchange

pytestmark = pytest.mark.skipif(not has_ipv6(), reason="this host has no IPv6")
NAME = "both.test"


class Loop(asyncio.SelectorEventLoop):
    """Knows one name with two addresses; `slow` families are never heard of."""

    slow: tuple[int, ...] = ()

    async def getaddrinfo(  # type: ignore[override]  # the two arguments that are used here
        self, host: str, port: int, *, family: int = 0, **kw: Any
    ) -> Sequence[tuple[Any, Any, Any, Any, Any]]:
        assert NAME == host
        found: list[tuple[Any, Any, Any, Any, Any]] = []
        for kind, address in ((socket.AF_INET6, ("::1", port, 0, 0)), (socket.AF_INET, (HOST, port))):
            if family in (socket.AF_UNSPEC, kind):
                if kind in self.slow:
                    await self.create_future()
                found.append((kind, 0, 0, "", address))
        return found


@pytest.fixture
def port() -> Iterator[int]:
    """A port that is free for both families."""
    with ExitStack() as stack:
        while True:
            one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            other = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
            one.bind((HOST, 0))
            try:
                other.bind(("::1", one.getsockname()[1]))
            except OSError:
                continue
            break
        port: int = one.getsockname()[1]
    yield port


@pytest.fixture
def silent_ipv6(port: int) -> Iterator[None]:
    """Somebody who takes datagrams at the IPv6 address and never answers."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as silent:
        silent.bind(("::1", port))
        yield


def tls_for(client_tls: ClientTLS) -> ClientTLS:
    return ClientTLS(alpn=client_tls.alpn, ca=client_tls.ca, server_name="localhost")


def check(
    port: int,
    tls: ClientTLS,
    server_tls: ServerTLS,
    *,
    local: str = HOST,
    slow: tuple[int, ...] = (),
    shared: bool,
) -> str:
    """Connect by name to a server on one of the addresses; the address that was reached."""

    async def talk(connection: Connection) -> str:
        assert b"hello" == await exchange(connection, b"hello")
        return str(connection.address[0]).removeprefix("::ffff:")

    async def main() -> str:
        async with serve(echo_all, (local, port), tls=server_tls):
            if not shared:
                async with connect(NAME, port, tls=tls_for(tls)) as connection:
                    return await talk(connection)
            async with Endpoint.open() as endpoint:
                return await talk(await endpoint.connect(NAME, port, tls=tls_for(tls)))

    loop = Loop()
    loop.slow = slow
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(asyncio.wait_for(main(), 60))


BOTH = pytest.mark.parametrize("shared", [False, True], ids=["socket of its own", "shared socket"])


@BOTH
def test_silent_ipv6_is_overtaken_by_ipv4(
    port: int, silent_ipv6: None, client_tls: ClientTLS, server_tls: ServerTLS, shared: bool
) -> None:
    assert HOST == check(port, client_tls, server_tls, shared=shared)


@BOTH
def test_refused_ipv6_is_followed_by_ipv4(
    port: int, client_tls: ClientTLS, server_tls: ServerTLS, shared: bool
) -> None:
    assert HOST == check(port, client_tls, server_tls, shared=shared)


@BOTH
def test_ipv6_comes_first(port: int, client_tls: ClientTLS, server_tls: ServerTLS, shared: bool) -> None:
    assert "::1" == check(port, client_tls, server_tls, local="::", shared=shared)


@BOTH
@pytest.mark.parametrize(
    ("slow", "expected"), [(socket.AF_INET6, HOST), (socket.AF_INET, "::1")], ids=["IPv6", "IPv4"]
)
def test_address_that_the_resolver_never_gives_is_not_waited_for(
    port: int, client_tls: ClientTLS, server_tls: ServerTLS, shared: bool, slow: int, expected: str
) -> None:
    assert expected == check(port, client_tls, server_tls, local="::", slow=(slow,), shared=shared)


def test_nobody_at_any_address(port: int, client_tls: ClientTLS) -> None:
    async def main() -> None:
        async with connect(NAME, port, tls=tls_for(client_tls)):
            raise AssertionError("connected")

    with asyncio.Runner(loop_factory=Loop) as runner, pytest.raises(ConnectionRefused) as caught:
        runner.run(asyncio.wait_for(main(), 60))
    assert 1 == len(caught.value.__notes__), "the other address is mentioned"


def test_silence_at_one_address_and_refusal_at_the_other(
    port: int, silent_ipv6: None, client_tls: ClientTLS
) -> None:
    config = QuicConfig(handshake_timeout=0.5)

    async def main() -> None:
        async with connect(NAME, port, tls=tls_for(client_tls), config=config):
            raise AssertionError("connected")

    with asyncio.Runner(loop_factory=Loop) as runner, pytest.raises(HandshakeTimeout) as caught:
        runner.run(asyncio.wait_for(main(), 60))
    assert "nothing listens" in caught.value.__notes__[0]
