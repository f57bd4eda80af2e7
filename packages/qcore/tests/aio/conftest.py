"""Connections over the loopback, with a certificate made for the tests."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from qcore.aio import Connection, Endpoint
from qcore.config import QuicConfig
from qtls import ClientTLS, ServerTLS
from qtls.adapters.self_signed import MadeCertificate, make_certificate

HOST = "127.0.0.1"
ALPN = ("test",)

Loopback = Callable[..., AbstractAsyncContextManager[tuple[Connection, Connection]]]


@pytest.fixture(scope="session")
def made() -> MadeCertificate:
    return make_certificate()


@pytest.fixture(scope="session")
def server_tls(made: MadeCertificate) -> ServerTLS:
    return ServerTLS(certs=made.chain, alpn=ALPN)


@pytest.fixture(scope="session")
def client_tls(made: MadeCertificate) -> ClientTLS:
    return ClientTLS(alpn=ALPN, ca=made.ca_pem)


@pytest.fixture(scope="session")
def loopback(server_tls: ServerTLS, client_tls: ClientTLS) -> Loopback:
    """Both ends of a connection between two sockets."""

    @asynccontextmanager
    async def open_pair(
        client: QuicConfig | None = None, server: QuicConfig | None = None
    ) -> AsyncIterator[tuple[Connection, Connection]]:
        async with Endpoint.open((HOST, 0)) as here, Endpoint.open((HOST, 0)) as there:
            listener = there.listen(tls=server_tls, config=server or QuicConfig())
            near = await here.connect(HOST, there.address[1], tls=client_tls, config=client or QuicConfig())
            yield near, await anext(listener)

    return open_pair
