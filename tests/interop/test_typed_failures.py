"""What a program sees when there is no answer: an exception that names the kind, within the configured time."""

import asyncio

import pytest

import qcore
import qcore.aio
from qtls import ClientTLS

from .certificates import Certificates
from .servers import HOST, Server, free_port

NO_APPLICATION_PROTOCOL = 0x100 + 120  # RFC 9001 §4.8, §8.1
CONFIG = qcore.QuicConfig(handshake_timeout=2.0)


async def dial(host: str, port: int, tls: ClientTLS) -> None:
    async with qcore.connect(host, port, tls=tls, config=CONFIG) as connection:
        await connection.handshake()


def trusting(certificates: Certificates, server_name: str | None = None) -> ClientTLS:
    return ClientTLS(alpn=("h3",), ca=certificates.authority, server_name=server_name)


@pytest.mark.peer
def test_certificate_of_an_unknown_authority(certificates: Certificates, strange_server: Server) -> None:
    with pytest.raises(qcore.CertificateError):
        asyncio.run(dial(HOST, strange_server.port, trusting(certificates)))


@pytest.mark.peer
def test_certificate_for_another_name(certificates: Certificates, aioquic_server: Server) -> None:
    with pytest.raises(qcore.CertificateError, match="other.test"):
        asyncio.run(dial(HOST, aioquic_server.port, trusting(certificates, "other.test")))


def test_unknown_host_name(certificates: Certificates) -> None:
    with pytest.raises(qcore.aio.UnknownHost, match="no-such-host.invalid"):
        asyncio.run(dial("no-such-host.invalid", 443, trusting(certificates)))


def test_port_where_nobody_listens(certificates: Certificates) -> None:
    with pytest.raises(qcore.ConnectionRefused):
        asyncio.run(dial(HOST, free_port(), trusting(certificates)))


@pytest.mark.peer
def test_server_of_another_protocol(certificates: Certificates, other_protocol_server: Server) -> None:
    with pytest.raises(qcore.TransportError) as caught:
        asyncio.run(dial(HOST, other_protocol_server.port, trusting(certificates)))

    assert NO_APPLICATION_PROTOCOL == caught.value.code


def test_server_that_never_answers(certificates: Certificates, silent_port: int) -> None:
    with pytest.raises(qcore.HandshakeTimeout):
        asyncio.run(dial(HOST, silent_port, trusting(certificates)))
