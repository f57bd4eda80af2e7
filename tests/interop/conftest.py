"""Foreign servers and clients, and the files they move.

A fixture that needs a program which is not installed skips, with a reason; where CI is set that is a failure (see
the conftest.py at the root). When a test fails, the logs of the servers it used are part of its report.
"""

import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from .certificates import Certificates, make_certificates
from .servers import HOST, Server, clean_environment, free_port, running

PEERS = Path(__file__).parent / "peers"
SIZES = {"empty.bin": 0, "kilobyte.bin": 1024, "20m.bin": 20 * 1024 * 1024}
LOGS = pytest.StashKey[Path]()
LOG_TAIL = 3000
CLIENT_TIME = 120.0

PAGE = """<!DOCTYPE html>
<title>interop</title>
<p id="said">nothing</p>
<script src="script.js"></script>
"""
SCRIPT = 'document.getElementById("said").textContent = "the script " + "ran";\n'
SCRIPT_RAN = "the script ran"

CADDYFILE = """{{
    auto_https off
    admin off
    servers {{
        protocols h1 h2 h3
    }}
}}
https://localhost:{port}, https://127.0.0.1:{port} {{
    bind 127.0.0.1
    tls {chain} {key}
    root * {folder}
    file_server
}}
"""


class Answer(NamedTuple):
    """What a client in a subprocess brought home."""

    code: int
    output: str
    errors: str
    body: bytes


class Get(Protocol):
    """Fetches one file of a server with one client."""

    def __call__(self, server: Server, name: str, *options: str | Path) -> Answer: ...


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the end of each server's log to the report of a failed test."""
    report = yield
    if report.failed and LOGS in item.config.stash:
        for log in sorted(item.config.stash[LOGS].glob("*.log")):
            report.sections.append((f"end of {log}", log.read_text(errors="replace")[-LOG_TAIL:]))
    return report


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def strange_certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of an authority that the client was not told of."""
    return make_certificates(tmp_path_factory.mktemp("strange"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all servers serve."""
    folder = tmp_path_factory.mktemp("served")
    for name, size in SIZES.items():
        (folder / name).write_bytes(random.Random(name).randbytes(size))
    (folder / "index.html").write_text(PAGE)
    (folder / "script.js").write_text(SCRIPT)
    return folder


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """Where the servers' output goes."""
    pytestconfig.stash[LOGS] = tmp_path_factory.mktemp("logs")
    return pytestconfig.stash[LOGS]


@pytest.fixture(scope="session")
def aioquic_server(folder: Path, certificates: Certificates, logs: Path) -> Iterator[Server]:
    port = free_port()
    with running("aioquic", peer_command("aioquic", folder, port, certificates), port, logs) as server:
        yield server


@pytest.fixture(scope="session")
def qh3_server(folder: Path, certificates: Certificates, logs: Path) -> Iterator[Server]:
    port = free_port()
    with running("qh3", peer_command("qh3", folder, port, certificates), port, logs) as server:
        yield server


@pytest.fixture(scope="session")
def caddy(folder: Path, certificates: Certificates, logs: Path) -> Iterator[Server]:
    program = needed("caddy")
    port = free_port()
    config = logs / "Caddyfile"
    config.write_text(
        CADDYFILE.format(port=port, folder=folder, chain=certificates.chain, key=certificates.key)
    )
    command: list[str | Path] = [program, "run", "--config", config, "--adapter", "caddyfile"]
    with running("caddy", command, port, logs) as server:
        yield server


@pytest.fixture(scope="session")
def qmimic_server(folder: Path, certificates: Certificates, logs: Path) -> Iterator[Server]:
    port = free_port()
    listen = ["--host", HOST, "--port", str(port)]
    identity: list[str | Path] = ["--cert", certificates.chain, "--key", certificates.key]
    command: list[str | Path] = [*qmimic(), "serve", folder, *listen, *identity]
    with running("qmimic", command, port, logs) as server:
        yield server


@pytest.fixture(scope="session")
def qmimic_workers(folder: Path, certificates: Certificates, logs: Path) -> Iterator[Server]:
    """The same in three processes on one port."""
    port = free_port()
    listen = ["--host", HOST, "--port", str(port), "--workers", "3"]
    identity: list[str | Path] = ["--cert", certificates.chain, "--key", certificates.key]
    command: list[str | Path] = [*qmimic(), "serve", folder, *listen, *identity]
    with running("qmimic-workers", command, port, logs) as server:
        yield server


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A UDP port that takes datagrams and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((HOST, 0))
        yield silent.getsockname()[1]


@pytest.fixture(scope="session")
def strange_server(folder: Path, strange_certificates: Certificates, logs: Path) -> Iterator[Server]:
    """A server whose certificate comes from an authority that the client was not told of."""
    port = free_port()
    with running(
        "strange", peer_command("aioquic", folder, port, strange_certificates), port, logs
    ) as server:
        yield server


@pytest.fixture(scope="session")
def other_protocol_server(folder: Path, certificates: Certificates, logs: Path) -> Iterator[Server]:
    """A QUIC server that does not speak HTTP/3."""
    port = free_port()
    command = peer_command("aioquic", folder, port, certificates, "hq-interop")
    with running("other-protocol", command, port, logs) as server:
        yield server


@pytest.fixture
def get_with_aioquic(certificates: Certificates, tmp_path: Path) -> Get:
    return script_client("aioquic_client.py", certificates, tmp_path)


@pytest.fixture
def get_with_niquests(certificates: Certificates, tmp_path: Path) -> Get:
    return script_client("niquests_client.py", certificates, tmp_path)


@pytest.fixture
def get_with_qmimic(certificates: Certificates, tmp_path: Path) -> Get:
    def get(server: Server, name: str, *options: str | Path) -> Answer:
        file = tmp_path / "body"
        trust: list[str | Path] = ["--ca", certificates.authority, "--resolve", server.resolve()]
        return run([*qmimic(), "get", server.url(name), *trust, "-o", file, *options], file)

    return get


@pytest.fixture
def load_with_chromium(certificates: Certificates, tmp_path: Path) -> Callable[[Server], Answer]:
    """Loads the page of a server over HTTP/3 and answers with the document after its script ran."""
    command = chromium_command(certificates, tmp_path / "profile")

    def load(server: Server) -> Answer:
        # By address: Chromium tries ::1 first for localhost, where nobody listens.
        return run([*command(server.port), "--dump-dom", server.url("index.html", "127.0.0.1")])

    return load


def needed(*names: str) -> str:
    """The path of the first of these programs that is installed; skips the test if none is."""
    for name in names:
        if path := shutil.which(name):
            return path
    pytest.skip(f"{names[0]} is not installed")


def chromium_command(certificates: Certificates, profile: Path) -> Callable[[int], list[str | Path]]:
    """A headless Chromium that speaks HTTP/3 to a port from the start; what it shall do comes behind."""
    program = needed("chromium", "chromium-browser", "google-chrome")

    def command(port: int) -> list[str | Path]:
        return [
            program,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={profile}",
            "--enable-quic",
            f"--origin-to-force-quic-on=127.0.0.1:{port}",
            f"--ignore-certificate-errors-spki-list={certificates.spki_hash}",
        ]

    return command


def qmimic() -> list[str]:
    """The command line under test."""
    return [sys.executable, "-m", "qmimic"]


def peer_command(
    library: str, folder: Path, port: int, certificates: Certificates, alpn: str = "h3"
) -> list[str | Path]:
    """A file server on aioquic or qh3."""
    script = PEERS / "file_server.py"
    return [sys.executable, script, library, folder, str(port), certificates.chain, certificates.key, alpn]


def script_client(script: str, certificates: Certificates, tmp_path: Path) -> Get:
    def get(server: Server, name: str, *options: str | Path) -> Answer:
        file = tmp_path / "body"
        command = [sys.executable, PEERS / script, server.url(name), certificates.authority, file, *options]
        return run(command, file)

    return get


def run(command: Sequence[str | Path], file: Path | None = None) -> Answer:
    """Run a client to its end; ``file`` is where it puts the body."""
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=CLIENT_TIME,
        check=False,
        env=clean_environment(),
    )
    body = file.read_bytes() if file is not None and file.exists() else b""
    return Answer(done.returncode, done.stdout, done.stderr, body)
