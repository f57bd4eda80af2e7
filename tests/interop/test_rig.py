"""Foreign clients against foreign servers: what fails here is the rig, not this stack."""

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import SCRIPT_RAN, SIZES, Answer, Get
from .servers import Server

pytestmark = pytest.mark.peer


@pytest.mark.parametrize("server_fixture", ["aioquic_server", "caddy"])
@pytest.mark.parametrize("client_fixture", ["get_with_aioquic", "get_with_niquests"])
def test_foreign_client_reaches_foreign_server(
    client_fixture: str, server_fixture: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    server: Server = request.getfixturevalue(server_fixture)
    get: Get = request.getfixturevalue(client_fixture)

    for name in ("empty.bin", "kilobyte.bin"):
        answer = get(server, name)

        assert (0, "200\n") == (answer.code, answer.output), answer.errors
        assert (folder / name).read_bytes() == answer.body
        assert SIZES[name] == len(answer.body)


@pytest.mark.browser
def test_chromium_reaches_foreign_server(
    load_with_chromium: Callable[[Server], Answer], aioquic_server: Server
) -> None:
    answer = load_with_chromium(aioquic_server)

    assert SCRIPT_RAN in answer.output, answer.errors
