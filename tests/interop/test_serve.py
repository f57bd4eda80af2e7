"""Clients that others wrote against ``qmimic serve``."""

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import SCRIPT_RAN, SIZES, Answer, Get
from .servers import Server


@pytest.mark.peer
@pytest.mark.parametrize("name", [*SIZES, "index.html"])
@pytest.mark.parametrize("client_fixture", ["get_with_aioquic", "get_with_niquests"])
def test_foreign_client_gets_the_file(
    client_fixture: str, name: str, folder: Path, qmimic_server: Server, request: pytest.FixtureRequest
) -> None:
    get: Get = request.getfixturevalue(client_fixture)

    answer = get(qmimic_server, name)

    assert (0, "200\n") == (answer.code, answer.output), answer.errors
    assert (folder / name).read_bytes() == answer.body


@pytest.mark.peer
@pytest.mark.browser
def test_chromium_loads_the_page(
    load_with_chromium: Callable[[Server], Answer], qmimic_server: Server
) -> None:
    answer = load_with_chromium(qmimic_server)

    assert SCRIPT_RAN in answer.output, answer.errors


@pytest.mark.peer
@pytest.mark.parametrize("client_fixture", ["get_with_aioquic", "get_with_niquests"])
def test_foreign_client_gets_the_file_from_one_of_several_workers(
    client_fixture: str, folder: Path, qmimic_workers: Server, request: pytest.FixtureRequest
) -> None:
    get: Get = request.getfixturevalue(client_fixture)

    answer = get(qmimic_workers, "kilobyte.bin")

    assert (0, "200\n") == (answer.code, answer.output), answer.errors
    assert (folder / "kilobyte.bin").read_bytes() == answer.body


@pytest.mark.peer
@pytest.mark.browser
def test_chromium_loads_the_page_from_several_workers(
    load_with_chromium: Callable[[Server], Answer], qmimic_workers: Server
) -> None:
    answer = load_with_chromium(qmimic_workers)

    assert SCRIPT_RAN in answer.output, answer.errors
