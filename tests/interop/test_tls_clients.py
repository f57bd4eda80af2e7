"""TLS of our server against clients that others wrote: post-quantum groups, HelloRetryRequest, resumption, 0-RTT."""

import asyncio
from collections.abc import Callable

import pytest

from qcore import Connection
from qtls.constants import SECP256R1, SECP384R1, X25519, X25519MLKEM768

from .certificates import Certificates
from .conftest import Answer, Get
from .servers import Server
from .watched import SCRIPT_RAN, Watched, watched_server

pytestmark = pytest.mark.peer

TIME = 120.0
GROUPS = [
    pytest.param(X25519MLKEM768, "X25519MLKEM768", id="X25519MLKEM768"),
    pytest.param(X25519, "x25519", id="x25519"),
    pytest.param(SECP256R1, "secp256r1", id="secp256r1"),
    pytest.param(SECP384R1, "secp384r1", id="secp384r1"),
]


def serve_one(
    certificates: Certificates, group: int, load: Callable[[Server], Answer]
) -> tuple[Answer, Watched]:
    """Have a client load something from a server with this group alone."""

    async def main() -> tuple[Answer, Watched]:
        async with watched_server(certificates, groups=(group,)) as watched:
            return await asyncio.to_thread(load, watched.server), watched

    return asyncio.run(asyncio.wait_for(main(), TIME))


def summary(connection: Connection) -> tuple[bool, bool]:
    return connection.info.resumed, connection.info.early_accepted


@pytest.mark.parametrize(("group", "name"), GROUPS[:2])  # qh3 cannot read a HelloRetryRequest
def test_niquests_uses_the_group(
    group: int, name: str, certificates: Certificates, get_with_niquests: Get
) -> None:
    answer, watched = serve_one(certificates, group, lambda server: get_with_niquests(server, "script.js"))

    assert (0, "200\n") == (answer.code, answer.output), answer.errors
    assert [name] == [connection.info.group for connection in watched.connections]


@pytest.mark.browser
@pytest.mark.parametrize(("group", "name"), GROUPS)
def test_chromium_uses_the_group(
    group: int, name: str, certificates: Certificates, load_with_chromium: Callable[[Server], Answer]
) -> None:
    # Chromium sends shares for X25519MLKEM768 and X25519: the others take a HelloRetryRequest.
    answer, watched = serve_one(certificates, group, load_with_chromium)

    assert SCRIPT_RAN in answer.output, answer.errors
    assert {name} == {connection.info.group for connection in watched.connections}


@pytest.mark.browser
def test_chromium_comes_back_with_early_data(
    certificates: Certificates, load_with_chromium: Callable[[Server], Answer]
) -> None:
    async def main() -> tuple[Answer, Watched]:
        async with watched_server(certificates, closes=True, early_data=True) as watched:
            return await asyncio.to_thread(load_with_chromium, watched.server), watched

    answer, watched = asyncio.run(asyncio.wait_for(main(), TIME))
    assert SCRIPT_RAN in answer.output, answer.errors
    assert [(False, False), (True, True)] == [summary(each) for each in watched.connections]
