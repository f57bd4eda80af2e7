"""An endpoint of the quic-interop-runner: what it does stands in the environment.

    ROLE=server TESTCASE=transfer python -m tests.interop.endpoint.run
    ROLE=client TESTCASE=transfer REQUESTS="https://server4:443/one https://server4:443/two" python -m ...

TESTCASE names the case; 127 is the exit code for those that are not supported. CERTS (/certs), WWW (/www), DOWNLOADS
(/downloads), HOST (::), PORT (443) and PREFERRED (ports of the second address are PORT + 1) say where things are.
SSLKEYLOGFILE and QLOGDIR are honoured by the library.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from qcore import Connection, always_retry, connect, serve
from qhttp3 import Client, serve_asgi
from qhttp3.adapters.files import FileServer as Http3FileServer
from qtls import ClientTLS, ServerTLS
from qtls.certificates import CertificateChain
from qtls.resumption import Session

from .cases import CASES, Case, Plan
from .hq import FileServer, download

UNSUPPORTED = 127


class Url(NamedTuple):
    """One of the files in REQUESTS."""

    text: str
    host: str
    port: int
    path: str

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def parse_requests(text: str) -> list[Url]:
    urls = []
    for word in text.split():
        parts = urlsplit(word)
        if parts.scheme != "https" or not parts.hostname:
            raise ValueError(f"{word!r} is no https URL")
        urls.append(Url(word, parts.hostname, parts.port or 443, parts.path))
    return urls


class NewestSession:
    """Keeps one session, which may be used again and again, and tells when it has come."""

    def __init__(self) -> None:
        self.has_come = asyncio.Event()
        self._session: Session | None = None

    def put(self, key: str, session: Session) -> None:
        self._session = session
        self.has_come.set()

    def pop(self, key: str) -> Session | None:
        return self._session


# The client


async def run_client(case: Case, environment: Mapping[str, str]) -> None:
    """Download everything in REQUESTS.

    Raises:
        OSError: a connection failed, or a file cannot be written.
    """
    urls = parse_requests(environment["REQUESTS"])
    folder = Path(environment.get("DOWNLOADS", "/downloads"))
    authority = Path(environment.get("CERTS", "/certs")) / "ca.pem"
    sessions = NewestSession()
    tls = ClientTLS(
        alpn=(case.alpn,),
        ca=str(authority) if authority.exists() else None,
        verify=authority.exists(),
        ciphers=case.ciphers,
        sessions=sessions,
    )
    if case.is_http3:
        async with Client(tls=tls, config=case.client) as client:
            await asyncio.gather(*(_fetch_http3(client, url, folder) for url in urls))
        return
    if case.plan is Plan.AT_ONCE:
        await _fetch(case, urls, folder, tls)
    elif case.plan is Plan.ONE_EACH:
        for url in urls:
            await _fetch(case, [url], folder, tls)
    else:
        await _fetch(case, urls[:1], folder, tls, until=sessions.has_come)
        await _fetch(case, urls[1:], folder, tls, early=case.plan is Plan.EARLY)


async def _fetch(
    case: Case,
    urls: Sequence[Url],
    folder: Path,
    tls: ClientTLS,
    *,
    early: bool = False,
    until: asyncio.Event | None = None,
) -> None:
    """Download files over one connection."""
    async with connect(urls[0].host, urls[0].port, tls=tls, config=case.client, early=early) as connection:
        async with asyncio.TaskGroup() as group:
            for url in urls:
                group.create_task(download(connection, url.path, folder / url.name))
            if case.updates_keys:
                group.create_task(_update_keys(connection))
        if until is not None:
            await until.wait()


async def _update_keys(connection: Connection) -> None:
    """RFC 9001 §6.1: once the handshake is confirmed and something was acknowledged."""
    while not connection.update_keys():
        await asyncio.sleep(0.01)


async def _fetch_http3(client: Client, url: Url, folder: Path) -> None:
    response = await client.request("GET", url.text)
    if response.status != 200:
        raise OSError(f"{url.text}: status {response.status}")
    with (folder / url.name).open("wb") as file:
        async for chunk in response:
            file.write(chunk)


# The server


@asynccontextmanager
async def running_server(case: Case, environment: Mapping[str, str]) -> AsyncIterator[tuple[str, int]]:
    """Serve the files in WWW; gives the address."""
    folder = Path(environment.get("WWW", "/www"))
    certificates = Path(environment.get("CERTS", "/certs"))
    chain = CertificateChain.from_pem(
        (certificates / "cert.pem").read_bytes(), (certificates / "priv.key").read_bytes()
    )
    tls = ServerTLS(certs=chain, alpn=(case.alpn,), ciphers=case.ciphers, early_data=True)
    local = environment.get("HOST", "::"), int(environment.get("PORT", "443"))
    admit = always_retry if case.retry else None
    if case.is_http3:
        async with serve_asgi(
            Http3FileServer(folder), local, tls=tls, config=case.server, admit=admit
        ) as server:
            yield server.addresses[0][:2]
        return
    config = case.server
    if case.prefers_another:
        config = replace(config, preferred_addresses=preferred(local, environment))
    async with serve(FileServer(folder).serve, local, tls=tls, config=config, admit=admit) as listener:
        yield listener.addresses[0][:2]


def preferred(local: tuple[str, int], environment: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    """Where clients shall go: the addresses in PREFERRED, or those of the runner's server, on the next port."""
    named = environment.get("PREFERRED")
    hosts = named.split() if named else ["server4", "server6"]
    found = []
    for host in hosts:
        try:
            info = socket.getaddrinfo(host, local[1] + 1, type=socket.SOCK_DGRAM)
        except OSError:  # no such family here
            continue
        found.append((str(info[0][4][0]), local[1] + 1))
    return tuple(found)


async def run_server(case: Case, environment: Mapping[str, str]) -> None:
    """Serve until a signal comes."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running_server(case, environment) as address:
        print(f"serving on {address[0]} port {address[1]}", flush=True)
        await stop.wait()


def main(environment: Mapping[str, str]) -> int:
    case = CASES.get(environment.get("TESTCASE", ""))
    if case is None:
        return UNSUPPORTED
    role = environment.get("ROLE")
    if role not in ("client", "server"):
        print(f"ROLE is client or server, not {role!r}", file=sys.stderr)
        return 2
    try:
        asyncio.run(run_server(case, environment) if role == "server" else run_client(case, environment))
    except (OSError, ExceptionGroup) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
