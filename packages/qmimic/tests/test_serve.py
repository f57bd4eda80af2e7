"""`qmimic serve` in a process of its own, and `qmimic get` against it."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from qmimic.dissection import parse_key_log

BODY = bytes(range(256)) * 1024
TIME = 30.0


@dataclass(frozen=True)
class Serving:
    """A running server, what it printed, and where its files are."""

    process: subprocess.Popen[str]
    port: int
    authority: Path
    printed: str

    def url(self, path: str = "/") -> str:
        return f"https://localhost:{self.port}{path}"


def environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("SSLKEYLOGFILE", "QLOGDIR")}
    return {**kept, "COLUMNS": "200"}


def start(*arguments: str | Path) -> Serving:
    command = [sys.executable, "-m", "qmimic", "serve", *map(str, arguments), "--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
    )
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if line.startswith("SPKI hash:"):
            break
    place = re.search(r"https://\S+:(\d+)/", printed)
    authority = re.search(r"certificate authority: (\S+)", printed)
    assert place and authority, printed
    return Serving(process, int(place[1]), Path(authority[1]), printed)


def stop(serving: Serving, number: signal.Signals = signal.SIGTERM) -> int:
    serving.process.send_signal(number)
    code = serving.process.wait(TIME)
    assert serving.process.stdout is not None
    serving.process.stdout.close()
    return code


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("files")
    (folder / "body.bin").write_bytes(BODY)
    (folder / "index.html").write_text("<p>hello</p>\n")
    found = start(folder)
    yield found
    stop(found)


def get(serving: Serving, path: str, *options: str | Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "qmimic", "get", serving.url(path), "--ca", str(serving.authority)]
    return subprocess.run(
        [*command, *map(str, options)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIME,
        check=False,
        env=environment(),
    )


def report(serving: Serving, path: str, *options: str | Path) -> dict[str, Any]:
    done = get(serving, path, "--json", *options)
    assert (0, b"") == (done.returncode, done.stderr)
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed


def test_a_server_prints_its_certificate(serving: Serving) -> None:
    assert serving.authority.read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")
    assert re.search(r"SPKI hash: [A-Za-z0-9+/]{43}=$", serving.printed, re.MULTILINE)


def test_body_goes_to_standard_output(serving: Serving) -> None:
    done = get(serving, "/body.bin")

    assert (0, BODY, b"") == (done.returncode, done.stdout, done.stderr)


def test_body_goes_to_a_file(serving: Serving, tmp_path: Path) -> None:
    file = tmp_path / "body"
    done = get(serving, "/body.bin", "-o", file)

    assert (0, b"", b"") == (done.returncode, done.stdout, done.stderr)
    assert BODY == file.read_bytes()


def test_a_file_that_cannot_be_written_is_named(serving: Serving, tmp_path: Path) -> None:
    file = tmp_path / "absent" / "file"
    done = get(serving, "/", "-o", file)

    assert 1 == done.returncode
    assert f"qmimic: {file}: No such file or directory\n".encode() == done.stderr


def test_report(serving: Serving) -> None:
    found = report(serving, "/body.bin", "-H", "x-test: 1")

    assert (200, "chrome-156", serving.url("/body.bin")) == (found["status"], found["profile"], found["url"])
    assert {"size": len(BODY), "sha256": hashlib.sha256(BODY).hexdigest()} == found["body"]
    assert {"handshake", "head", "total"} == set(found["timings"])
    assert ("h3", "0x00000001", False) == tuple(
        found["connection"][name] for name in ("alpn", "version", "resumed")
    )
    assert ["content-length", str(len(BODY))] in found["headers"]
    assert "initial_max_data" in {entry["name"] for entry in found["connection"]["peer_parameters"]}


def test_missing_pages_are_failures(serving: Serving, tmp_path: Path) -> None:
    done = get(serving, "/absent")

    assert 1 == done.returncode
    assert f"qmimic: {serving.url('/absent')}: the server answered with status 404\n" == done.stderr.decode()


def test_methods_and_bodies_are_sent(serving: Serving) -> None:
    done = get(serving, "/index.html", "-d", "a=b")

    assert (1, b"method not allowed\n") == (done.returncode, done.stdout)
    assert b"status 405" in done.stderr


def test_a_strange_certificate_is_refused_unless_asked(serving: Serving) -> None:
    command = [sys.executable, "-m", "qmimic", "get", serving.url()]
    refused = subprocess.run(command, capture_output=True, timeout=TIME, check=False, env=environment())
    taken = subprocess.run(
        [*command, "--insecure"], capture_output=True, timeout=TIME, check=False, env=environment()
    )

    assert 1 == refused.returncode
    assert b"certificate not accepted" in refused.stderr
    assert (0, b"<p>hello</p>\n") == (taken.returncode, taken.stdout)


def test_kept_sessions_resume_with_early_data(serving: Serving, tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    first = report(serving, "/", "--session", file)
    second = report(serving, "/", "--session", file)

    assert not first["connection"]["resumed"]
    assert second["connection"]["resumed"]
    assert second["connection"]["early_data_accepted"]
    assert 0o600 == file.stat().st_mode & 0o777


def test_a_broken_session_file_is_named(serving: Serving, tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    file.write_text("{")
    done = get(serving, "/", "--session", file)

    assert 1 == done.returncode
    assert str(file).encode() in done.stderr
    assert "{" == file.read_text()


def test_secrets_are_logged(serving: Serving, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    assert 0 == get(serving, "/", "--keylog", file).returncode
    [labels] = parse_key_log(file.read_text()).values()

    assert {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0"} <= set(labels)


def test_resolve_leads_elsewhere(serving: Serving) -> None:
    command = [sys.executable, "-m", "qmimic", "get", "https://localhost:9/", "--ca", str(serving.authority)]
    target = "localhost:9:[127.0.0.1]"
    done = subprocess.run(
        [*command, "--resolve", target], capture_output=True, timeout=TIME, check=False, env=environment()
    )

    assert 1 == done.returncode
    assert b"127.0.0.1 port 9" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server(tmp_path: Path, number: signal.Signals) -> None:
    found = start(tmp_path)

    assert 0 == stop(found, number)
    assert not found.authority.exists()


def test_several_workers_share_the_port(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import os\n"
        "async def app(scope, receive, send):\n"
        "    if scope['type'] == 'http':\n"
        "        await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "        await send({'type': 'http.response.body', 'body': b'%d' % os.getpid()})\n"
    )
    found = start(tmp_path, "--app", "mine:app", "--workers", "2")
    pid = get(found, "/").stdout

    assert pid.isdigit()
    assert found.process.pid != int(pid)
    assert 0 == stop(found)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def test_an_application_is_served(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "async def app(scope, receive, send):\n"
        "    if scope['type'] == 'http':\n"
        "        await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "        await send({'type': 'http.response.body', 'body': scope['path'].encode()})\n"
    )
    found = start(tmp_path, "--app", "mine:app")
    done = get(found, "/some/path")

    assert (0, b"/some/path") == (done.returncode, done.stdout)
    assert 0 == stop(found)


def test_own_certificates_are_used(serving: Serving, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "qmimic", "serve", str(tmp_path), "--cert", str(serving.authority)],
        capture_output=True,
        text=True,
        timeout=TIME,
        check=False,
        env=environment(),
    )

    assert 1 == done.returncode  # the authority's file has no key
    assert 1 == len(done.stderr.splitlines())
    assert str(serving.authority) in done.stderr
