"""The endpoint for the quic-interop-runner, client against server over the loopback."""

import asyncio
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qcore.aio.sockets import has_ipv6
from qtls.adapters.self_signed import make_certificate

from ..servers import clean_environment
from .cases import CASES
from .run import UNSUPPORTED, main, parse_requests, run_client, running_server

ROOT = Path(__file__).parents[3]
IPV6 = pytest.mark.skipif(not has_ipv6(), reason="this host has no IPv6")
SIZES = {"one": 1_000, "two": 300_000, "three": 0, "f" * 250: 32}
TIME = 60.0


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certs")
    made = make_certificate()
    (folder / "ca.pem").write_bytes(made.ca_pem)
    (folder / "cert.pem").write_bytes(made.chain.certificate_pem())
    (folder / "priv.key").write_bytes(made.chain.key_pem())
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("www")
    for name, size in SIZES.items():
        (folder / name).write_bytes(random.Random(name).randbytes(size))
    return folder


def both_sides(host: str, port: int, certificates: Path, files: Path, downloads: Path) -> dict[str, Any]:
    shown = f"[{host}]" if ":" in host else host
    return {
        "CERTS": str(certificates),
        "WWW": str(files),
        "DOWNLOADS": str(downloads),
        "HOST": host,
        "PORT": str(port),
        "PREFERRED": host,
        "REQUESTS": " ".join(f"https://{shown}:{port}/{name}" for name in SIZES),
    }


def two_free_ports(host: str) -> int:
    """A port that is free together with the next one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        with socket.socket(family, socket.SOCK_DGRAM) as one, socket.socket(family, socket.SOCK_DGRAM) as two:
            one.bind((host, 0))
            port: int = one.getsockname()[1]
            try:
                two.bind((host, port + 1))
            except OSError:
                continue
            return port


def run_both(name: str, host: str, certificates: Path, files: Path, downloads: Path) -> None:
    case = CASES[name]
    environment = both_sides(host, two_free_ports(host), certificates, files, downloads)

    async def both() -> None:
        async with running_server(case, environment):
            await run_client(case, environment)

    asyncio.run(asyncio.wait_for(both(), TIME))
    assert {name: (files / name).read_bytes() for name in SIZES} == {
        file.name: file.read_bytes() for file in downloads.iterdir()
    }


@pytest.mark.parametrize("name", CASES)
def test_case(name: str, certificates: Path, files: Path, tmp_path: Path) -> None:
    run_both(name, "127.0.0.1", certificates, files, tmp_path)


@IPV6
@pytest.mark.parametrize("name", ["transfer", "http3", "connectionmigration"])
def test_ipv6(name: str, certificates: Path, files: Path, tmp_path: Path) -> None:
    run_both(name, "::1", certificates, files, tmp_path)


def test_processes_obey_the_environment(certificates: Path, files: Path, tmp_path: Path) -> None:
    downloads, traces = tmp_path / "downloads", tmp_path / "qlog"
    downloads.mkdir()
    traces.mkdir()
    port = two_free_ports("127.0.0.1")
    environment = {
        **clean_environment(),
        **both_sides("127.0.0.1", port, certificates, files, downloads),
        "TESTCASE": "transfer",
        "SSLKEYLOGFILE": str(tmp_path / "keys.log"),
        "QLOGDIR": str(traces),
    }
    command = [sys.executable, "-m", "tests.interop.endpoint.run"]
    with subprocess.Popen(
        command, cwd=ROOT, env={**environment, "ROLE": "server"}, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert f"serving on 127.0.0.1 port {port}\n" == server.stdout.readline()
        client = subprocess.run(
            command, cwd=ROOT, env={**environment, "ROLE": "client"}, timeout=TIME, check=False
        )
        server.send_signal(signal.SIGTERM)
        assert (0, 0) == (client.returncode, server.wait(TIME))
    for name in SIZES:
        assert (files / name).read_bytes() == (downloads / name).read_bytes()
    assert "CLIENT_TRAFFIC_SECRET_0" in (tmp_path / "keys.log").read_text()
    assert 2 == len(list(traces.iterdir()))


def test_unsupported_cases_have_their_own_exit_code() -> None:
    assert UNSUPPORTED == main({"ROLE": "client", "TESTCASE": "teleportation"})
    assert UNSUPPORTED == main({"ROLE": "server"})


def test_role_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main({"TESTCASE": "transfer"})
    assert "ROLE is client or server" in capsys.readouterr().err


def test_failure_is_an_exit_code(
    certificates: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    environment = {
        "ROLE": "client",
        "TESTCASE": "handshake",
        "CERTS": str(certificates),
        "DOWNLOADS": str(tmp_path),
        "REQUESTS": f"https://127.0.0.1:{port}/one",
    }

    assert 1 == main(environment)
    assert "ConnectionRefused" in capsys.readouterr().err


def test_requests_are_https() -> None:
    with pytest.raises(ValueError, match="'http://server4/one' is no https URL"):
        parse_requests("http://server4/one")
    assert [("server4", 443, "/a/one", "one")] == [
        (url.host, url.port, url.path, url.name) for url in parse_requests(" https://server4/a/one ")
    ]
