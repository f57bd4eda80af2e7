"""``qmimic get`` against our own server and against servers that others wrote."""

from pathlib import Path

import pytest

from .conftest import SIZES, Get
from .servers import Server

SERVERS = [
    pytest.param("qmimic_server", id="own server"),
    pytest.param("aioquic_server", id="aioquic", marks=pytest.mark.peer),
    pytest.param("caddy", id="caddy", marks=pytest.mark.peer),
]


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("server_fixture", SERVERS)
@pytest.mark.parametrize("profile", ["chrome", "plain"])
def test_body_arrives_byte_for_byte(
    profile: str,
    server_fixture: str,
    name: str,
    folder: Path,
    get_with_qmimic: Get,
    request: pytest.FixtureRequest,
) -> None:
    server: Server = request.getfixturevalue(server_fixture)

    answer = get_with_qmimic(server, name, "--as", profile)

    assert (0, "") == (answer.code, answer.errors)
    assert SIZES[name] == len(answer.body)
    assert (folder / name).read_bytes() == answer.body


@pytest.mark.parametrize("server_fixture", SERVERS)
def test_missing_file_is_a_failed_request(
    server_fixture: str, get_with_qmimic: Get, request: pytest.FixtureRequest
) -> None:
    server: Server = request.getfixturevalue(server_fixture)

    answer = get_with_qmimic(server, "no-such-file")

    assert 1 == answer.code
    assert 1 == len(answer.errors.splitlines()), answer.errors
    assert "404" in answer.errors


@pytest.mark.peer
@pytest.mark.parametrize("name", ["empty.bin", "20m.bin"])
@pytest.mark.parametrize("profile", ["plain", "firefox"])
def test_body_of_qh3_arrives_byte_for_byte(
    profile: str, name: str, folder: Path, qh3_server: Server, get_with_qmimic: Get
) -> None:
    """Not as Chrome: qh3 takes an empty connection ID for none, and the parameter that repeats it for a lie."""
    answer = get_with_qmimic(qh3_server, name, "--as", profile)

    assert (0, "") == (answer.code, answer.errors)
    assert (folder / name).read_bytes() == answer.body
