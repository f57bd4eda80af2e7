"""SSLKEYLOGFILE, honoured by the commands: both sides write the same secrets, and nobody else can read them."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .certificates import Certificates
from .conftest import qmimic, run
from .servers import HOST, Server, free_port, running

# RFC 9850 §2; each connection writes them once, and the early one where 0-RTT was offered.
LABELS = {
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_TRAFFIC_SECRET_0",
    "SERVER_TRAFFIC_SECRET_0",
    "EXPORTER_SECRET",
}
EARLY = "CLIENT_EARLY_TRAFFIC_SECRET"


@pytest.fixture
def logging_server(
    folder: Path, certificates: Certificates, logs: Path, tmp_path: Path
) -> Iterator[tuple[Server, Path]]:
    """``qmimic serve`` with a key log, and where that is."""
    port = free_port()
    log = tmp_path / "server.keys"
    listen = ["--host", HOST, "--port", str(port)]
    identity: list[str | Path] = ["--cert", certificates.chain, "--key", certificates.key]
    command: list[str | Path] = [
        "env",
        f"SSLKEYLOGFILE={log}",
        *qmimic(),
        "serve",
        folder,
        *listen,
        *identity,
    ]
    with running("qmimic-keys", command, port, logs) as server:
        yield server, log


def by_environment(log: Path) -> tuple[list[str | Path], list[str | Path]]:
    return ["env", f"SSLKEYLOGFILE={log}"], []


def by_option(log: Path) -> tuple[list[str | Path], list[str | Path]]:
    return [], ["--keylog", log]


@pytest.mark.parametrize("how", [by_environment, by_option], ids=["SSLKEYLOGFILE", "--keylog"])
def test_both_sides_write_the_same_secrets(
    how: Callable[[Path], tuple[list[str | Path], list[str | Path]]],
    logging_server: tuple[Server, Path],
    certificates: Certificates,
    tmp_path: Path,
) -> None:
    server, theirs = logging_server
    ours = tmp_path / "client.keys"
    before, after = how(ours)
    trust: list[str | Path] = ["--ca", certificates.authority, "--resolve", server.resolve()]
    kept: list[str | Path] = ["--session", tmp_path / "sessions", "-o", tmp_path / "body"]
    for _ in range(2):
        answer = run([*before, *qmimic(), "get", server.url("kilobyte.bin"), *trust, *kept, *after])
        assert 0 == answer.code, answer.errors

    lines = ours.read_text().splitlines()
    assert set(lines) == set(theirs.read_text().splitlines())
    counted = Counter(line.split()[0] for line in lines)
    assert {**dict.fromkeys(LABELS, 2), EARLY: 1} == counted
    for line in lines:
        _, random, secret = line.split()
        assert 32 == len(bytes.fromhex(random))
        assert len(bytes.fromhex(secret)) in (32, 48)
    assert 0o600 == ours.stat().st_mode & 0o777 == theirs.stat().st_mode & 0o777
