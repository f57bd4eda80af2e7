"""Servers in subprocesses: started on a free port, waited for, logged, ended."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

HOST = "127.0.0.1"

# A long header of a version nobody speaks, in a datagram large enough to be answered: every server replies with
# Version Negotiation (RFC 9000 §6.1), which tells that it listens and makes no connection.
PROBE = (b"\xc0\x1a\x2a\x3a\x4a\x08" + bytes(8) + b"\x08" + bytes(8)).ljust(1200, b"\0")
START_TIME = 20.0
STOP_TIME = 5.0


class Server(NamedTuple):
    """A running server and where its output goes."""

    name: str
    port: int
    log: Path

    def url(self, path: str = "", host: str = "localhost") -> str:
        return f"https://{host}:{self.port}/{path}"

    def resolve(self, host: str = "localhost") -> str:
        """The value of ``--resolve`` that leads to this server."""
        return f"{host}:{self.port}:{HOST}"


def clean_environment() -> dict[str, str]:
    """The environment for programs under test: traces and key logs of whoever runs the tests are no part of them."""
    kept = {key: value for key, value in os.environ.items() if key not in ("SSLKEYLOGFILE", "QLOGDIR")}
    return {**kept, "PYTHONUNBUFFERED": "1"}


def free_port() -> int:
    """A port that nobody holds, for UDP and TCP alike."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream:
            stream.bind((HOST, 0))
            port: int = stream.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram, contextlib.suppress(OSError):
                datagram.bind((HOST, port))
                return port


@contextlib.contextmanager
def running(name: str, command: Sequence[str | Path], port: int, folder: Path) -> Iterator[Server]:
    """Run a server while the block runs; it is ready when the block starts."""
    log = folder / f"{name}.log"
    server = Server(name, port, log)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=clean_environment(),
        )
        try:
            wait_until_ready(process, server)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIME)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_ready(process: subprocess.Popen[bytes], server: Server) -> None:
    """Ask the port until it answers.

    Raises:
        RuntimeError: the process ended, or did not answer in time; with its output.
    """
    deadline = time.monotonic() + START_TIME
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect((HOST, server.port))
        asking.settimeout(0.1)
        while process.poll() is None and time.monotonic() < deadline:
            try:
                asking.send(PROBE)
                if asking.recv(2048)[1:5] == bytes(4):
                    return
            except TimeoutError:
                pass
            except ConnectionRefusedError:
                time.sleep(0.05)
    state = "does not answer" if process.poll() is None else f"ended with {process.returncode}"
    raise RuntimeError(f"{server.name} {state}:\n{server.log.read_text(errors='replace')}")
