"""What a user of ``qmimic get`` sees when there is no answer: one line on stderr, exit code 1, in bounded time."""

from pathlib import Path

import pytest

from .certificates import Certificates
from .conftest import Answer, qmimic, run
from .servers import HOST, Server, free_port


def get(certificates: Certificates, url: str, *options: str) -> Answer:
    return run([*qmimic(), "get", url, "--ca", certificates.authority, *options])


def assert_one_clear_line(answer: Answer, *words: str) -> None:
    assert (1, "") == (answer.code, answer.output), answer.errors
    assert 1 == len(answer.errors.splitlines()), answer.errors
    assert "Traceback" not in answer.errors
    assert [] == [word for word in words if word not in answer.errors.lower()], answer.errors


@pytest.mark.peer
def test_certificate_of_an_unknown_authority(certificates: Certificates, strange_server: Server) -> None:
    answer = get(certificates, strange_server.url(), "--resolve", strange_server.resolve())

    assert_one_clear_line(answer, "certificate", "localhost")


@pytest.mark.peer
def test_certificate_for_another_name(certificates: Certificates, aioquic_server: Server) -> None:
    url, resolve = aioquic_server.url(host="other.test"), aioquic_server.resolve("other.test")

    answer = get(certificates, url, "--resolve", resolve)

    assert_one_clear_line(answer, "certificate", "other.test")


@pytest.mark.peer
def test_insecure_goes_on_with_a_warning(
    certificates: Certificates, strange_server: Server, folder: Path, tmp_path: Path
) -> None:
    url, resolve, body = strange_server.url("kilobyte.bin"), strange_server.resolve(), tmp_path / "body"

    answer = get(certificates, url, "--resolve", resolve, "--insecure", "-o", str(body))

    assert (0, "") == (answer.code, answer.output), answer.errors
    assert (folder / "kilobyte.bin").read_bytes() == body.read_bytes()
    assert 1 == len(answer.errors.splitlines()), answer.errors
    assert "localhost is NOT verified" in answer.errors


def test_unknown_host_name(certificates: Certificates) -> None:
    answer = get(certificates, "https://no-such-host.invalid/")

    assert_one_clear_line(answer, "no-such-host.invalid")


def test_port_where_nobody_listens(certificates: Certificates) -> None:
    port = free_port()

    answer = get(certificates, f"https://localhost:{port}/", "--resolve", f"localhost:{port}:{HOST}")

    assert_one_clear_line(answer, "localhost", str(port))


@pytest.mark.peer
def test_server_of_another_protocol(certificates: Certificates, other_protocol_server: Server) -> None:
    answer = get(certificates, other_protocol_server.url(), "--resolve", other_protocol_server.resolve())

    assert_one_clear_line(answer, "protocol")


def test_server_that_never_answers(certificates: Certificates, silent_port: int) -> None:
    resolve = f"localhost:{silent_port}:{HOST}"

    answer = get(certificates, f"https://localhost:{silent_port}/", "--resolve", resolve)

    assert_one_clear_line(answer, "localhost", str(silent_port))
