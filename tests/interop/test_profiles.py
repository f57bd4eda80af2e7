"""Every built-in profile against servers of three makes, on every way a handshake can take.

Ours and aioquic's run in the event loop of the test; Caddy, whose QUIC is quic-go, runs once for the whole module.
aioquic has no HelloRetryRequest, and Caddy speaks version 1 alone with every client it knows.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

import qmimic
from qcore import QuicConfig, VersionMismatch
from qcore.config import ACTIVE_CONNECTION_ID_LIMIT
from qhttp3 import Client, H3Config, Response
from qhttp3.aio.client import Dialer
from qmimic.catalog import ALIASES, BUILT_IN
from qmimic.extensions import EarlyData
from qtls import ClientTLS
from qtls.constants import SECP256R1, SECP384R1, group_name
from qwire.constants import VERSION_1, VERSION_2
from qwire.headers import parse_long_header
from qwire.unprotected import VersionNegotiation

from .certificates import Certificates
from .conftest import needed
from .servers import free_port, running
from .sites import LOOPBACK, SITES, Mood, body

pytestmark = pytest.mark.peer

TIME: Final = 20.0
SMALL: Final = 1_024
MIB: Final = 1 << 20
#: More than any profile lets a server send on a stream that nobody reads, Firefox excepted.
LARGE: Final = 8 * MIB
LEFT_UNREAD: Final = 6 * MIB

# One Caddy, four sites: two take one curve each, the last is for drowning in requests, which are counted by port.
CADDYFILE: Final = """{{
    auto_https off
    admin off
    servers {{
        protocols h1 h2 h3
    }}
}}
(files) {{
    bind 127.0.0.1 ::1
    root * {folder}
    file_server
}}
https://localhost:{plain} {{
    import files
    tls {chain} {key}
}}
https://localhost:{p256} {{
    import files
    tls {chain} {key} {{
        curves secp256r1
    }}
}}
https://localhost:{p384} {{
    import files
    tls {chain} {key} {{
        curves secp384r1
    }}
}}
https://localhost:{busy} {{
    import files
    tls {chain} {key}
}}
"""
# Caddy 2.6 asks for proof of addresses while more than a thousand requests are under way.
BUSY_CONNECTIONS: Final = 12
BUSY_REQUESTS: Final = 90

Main = Callable[[int], Awaitable[Any]]
#: Runs a coroutine function that is given the port of a server.
Reach = Callable[[Main], Any]


class CaddyPorts:
    """The ports of the four sites."""

    def __init__(self) -> None:
        self.plain, self.p256, self.p384, self.busy = (free_port() for _ in range(4))

    def for_mood(self, mood: Mood) -> int:
        return {(): self.plain, (SECP256R1,): self.p256, (SECP384R1,): self.p384}[mood.groups]


@pytest.fixture(scope="module")
def caddy_ports(
    certificates: Certificates, logs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CaddyPorts]:
    program = needed("caddy")
    folder = tmp_path_factory.mktemp("sizes")
    for size in (SMALL, LARGE):
        (folder / str(size)).write_bytes(body(size))
    ports = CaddyPorts()
    config = logs / "Caddyfile-profiles"
    config.write_text(
        CADDYFILE.format(folder=folder, chain=certificates.chain, key=certificates.key, **vars(ports))
    )
    command: list[str | Path] = [program, "run", "--config", config, "--adapter", "caddyfile"]
    with running("caddy-profiles", command, ports.plain, logs):
        yield ports


@pytest.fixture(params=["own", "aioquic", "caddy"])
def server(request: pytest.FixtureRequest) -> str:
    """The maker of a server."""
    name: str = request.param
    return name


@asynccontextmanager
async def site(request: pytest.FixtureRequest, server: str, mood: Mood) -> AsyncIterator[int]:
    """A server of that make; gives its port."""
    if server == "caddy":
        ports: CaddyPorts = request.getfixturevalue("caddy_ports")
        yield ports.for_mood(mood)
        return
    async with SITES[server](request.getfixturevalue("certificates"), mood) as port:
        yield port


@pytest.fixture
def reach(request: pytest.FixtureRequest) -> Callable[[str, Mood], Reach]:
    """Makes what runs a test against a server of that make and mood."""

    def at(server: str, mood: Mood) -> Reach:
        async def within(main: Main) -> Any:
            async with asyncio.timeout(TIME), site(request, server, mood) as port:
                return await main(port)

        if server == "caddy":
            request.getfixturevalue("caddy_ports")  # started outside of the loop
        return lambda main: asyncio.run(within(main))

    return at


@pytest.fixture
def browser(certificates: Certificates) -> Callable[..., qmimic.Client]:
    """Makes the client of a profile that reaches `localhost` at a port and over a family of addresses."""

    def make(
        profile: str | qmimic.ClientProfile, port: int, family: int = 4, **options: Any
    ) -> qmimic.Client:
        resolve = {("localhost", port): (LOOPBACK[family], port)}
        return qmimic.Client(profile, ca=str(certificates.authority), resolve=resolve, **options)

    return make


async def fetch(client: qmimic.Client, port: int, size: int = SMALL, early: bool = False) -> Response:
    """Get and check a page of `size` bytes."""
    response = await client.request("GET", f"https://localhost:{port}/{size}", early=early)
    assert (200, body(size)) == (response.status, await response.read())
    return response


@pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("name", [*BUILT_IN, *ALIASES])
def test_handshake_and_request(
    name: str, family: int, server: str, reach: Callable[[str, Mood], Reach], browser: Any
) -> None:
    async def main(port: int) -> None:
        async with browser(name, port, family) as client:
            response = await fetch(client, port)
            assert "h3" == response.connection.info.alpn

    reach(server, Mood(family=family))(main)


@pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("server", ["own", "aioquic"])
@pytest.mark.parametrize("name", BUILT_IN)
def test_retry(
    name: str, family: int, server: str, reach: Callable[[str, Mood], Reach], browser: Any, tmp_path: Path
) -> None:
    async def main(port: int) -> None:
        async with browser(name, port, family, qlog=str(tmp_path)) as client:
            await fetch(client, port)

    reach(server, Mood(family=family, retry=True))(main)
    assert has_seen_retry(tmp_path)


def has_seen_retry(folder: Path) -> bool:
    [trace] = folder.iterdir()
    return '"packet_type":"retry"' in trace.read_text()


def test_retry_of_quic_go(
    caddy_ports: CaddyPorts, certificates: Certificates, browser: Any, tmp_path: Path
) -> None:
    port = caddy_ports.busy

    async def main() -> None:
        async with asyncio.timeout(TIME), AsyncExitStack() as stack:
            for _ in range(BUSY_CONNECTIONS):
                await stack.enter_async_context(unread_requests(port, certificates))
            for name in BUILT_IN:
                folder = tmp_path / name
                folder.mkdir()
                async with browser(name, port, qlog=str(folder)) as client:
                    await fetch(client, port)
                assert has_seen_retry(folder), name

    asyncio.run(main())


@asynccontextmanager
async def unread_requests(port: int, certificates: Certificates) -> AsyncIterator[None]:
    """Requests that are under way for as long as the block runs, since nobody reads the answers."""
    tls = ClientTLS(alpn=("h3",), ca=str(certificates.authority))
    config = QuicConfig(stream_window=4_096, max_stream_window=4_096, connection_window=MIB)
    dialer = Dialer(tls, config, H3Config(), {("localhost", port): (LOOPBACK[4], port)})
    async with Client(connector=dialer) as client:
        url = f"https://localhost:{port}/{LARGE}"
        kept = await asyncio.gather(*(client.request("GET", url) for _ in range(BUSY_REQUESTS)))
        yield
        assert {200} == {response.status for response in kept}


@pytest.mark.parametrize("group", [pytest.param(SECP256R1, id="P-256"), pytest.param(SECP384R1, id="P-384")])
@pytest.mark.parametrize("server", ["own", "caddy"])
@pytest.mark.parametrize("name", BUILT_IN)
def test_group_of_the_servers_choice(
    name: str, server: str, group: int, reach: Callable[[str, Mood], Reach], browser: Any
) -> None:
    """By one of the key shares, as P-256 with Firefox, or by way of a HelloRetryRequest."""

    async def main(port: int) -> None:
        async with browser(name, port) as client:
            response = await fetch(client, port)
            assert group_name(group) == response.connection.info.group

    reach(server, Mood(groups=(group,)))(main)


@pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("name", BUILT_IN)
def test_resumption_with_early_data_and_token(
    name: str, family: int, server: str, reach: Callable[[str, Mood], Reach], browser: Any
) -> None:
    hello = BUILT_IN[name].hello
    offers = hello is None or any(isinstance(extension, EarlyData) for extension in hello.extensions)
    token = b"\0" * 48  # nothing that a server would know, so that it changes sizes and nothing else
    memory = qmimic.Memory()

    async def main(port: int) -> None:
        kept = memory.origin(f"localhost:{port}")
        for visit in range(2):
            async with browser(name, port, family, memory=memory) as client:
                response = await fetch(client, port, early=True)
                while not kept.sessions:
                    await asyncio.sleep(0.01)
                info = response.connection.info
                assert (visit > 0, visit > 0 and offers) == (info.resumed, info.early_accepted)
            if not kept.tokens:
                kept.tokens.append(token)

    reach(server, Mood(family=family))(main)


@pytest.mark.parametrize("name", BUILT_IN)
def test_window_can_be_left_unread(
    name: str, server: str, reach: Callable[[str, Mood], Reach], browser: Any
) -> None:
    parameters = BUILT_IN[name].parameters
    window = MIB if parameters is None else parameters.draw(bytes).initial_max_stream_data_bidi_local

    async def main(port: int) -> None:
        async with browser(name, port) as client:
            unread = await client.request("GET", f"https://localhost:{port}/{LARGE}")
            while unread.connection.stats().bytes_received < min(window, LEFT_UNREAD):
                await asyncio.sleep(0.01)
            response = await fetch(client, port)
            assert unread.connection is response.connection
            assert not unread.connection.is_closed
            # Packets around the data, and the small page.
            assert unread.connection.stats().bytes_received < 1.1 * min(window, LARGE) + 2 * SMALL

    reach(server, Mood())(main)


@pytest.mark.parametrize("name", BUILT_IN)
def test_as_many_connection_ids_as_are_allowed(
    name: str, reach: Callable[[str, Mood], Reach], browser: Any
) -> None:
    parameters = BUILT_IN[name].parameters
    limit = (
        ACTIVE_CONNECTION_ID_LIMIT
        if parameters is None
        else parameters.draw(bytes).active_connection_id_limit
    )

    mood = Mood(spares=True)

    async def main(port: int) -> None:
        async with browser(name, port) as client:
            responses = [await fetch(client, port) for _ in range(4)]
            assert 1 == len({response.connection for response in responses})
            [quic] = mood.connections
            assert [True] * limit == [offered.was_sent for offered in quic._host_cids]

    reach("aioquic", mood)(main)


# Version Negotiation


class Juggler(asyncio.DatagramProtocol):
    """Answers first flights with Version Negotiation: all of them, or, where there is a server to pass all else on to,
    only the first.

    Attributes:
        clients: the addresses that attempts came from, each once.
        datagrams: how many have come from all of them.
    """

    def __init__(self, versions: tuple[int, ...], server: int | None = None) -> None:
        self.clients: list[Any] = []
        self.datagrams = 0
        self._versions = versions
        self._server = server
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if addr[1] == self._server:
            self._transport.sendto(data, self.clients[-1])
            return
        self.datagrams += 1
        if addr not in self.clients:
            self.clients.append(addr)
            if self._server is None or len(self.clients) == 1:
                header = parse_long_header(data)
                answer = VersionNegotiation(header.source_cid, header.destination_cid, self._versions)
                self._transport.sendto(answer.encode(), addr)
        if self._server is not None:
            self._transport.sendto(data, (LOOPBACK[4], self._server))


@asynccontextmanager
async def juggler(versions: tuple[int, ...], server: int | None = None) -> AsyncIterator[tuple[Juggler, int]]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: Juggler(versions, server), local_addr=(LOOPBACK[4], 0)
    )
    try:
        yield protocol, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


SPEAK_VERSION_2: Final = [name for name, item in BUILT_IN.items() if VERSION_2 in item.engine.versions]


@pytest.mark.parametrize("server", ["own", "aioquic"])
@pytest.mark.parametrize("name", SPEAK_VERSION_2)
def test_version_negotiation_leads_on(
    name: str, server: str, reach: Callable[[str, Mood], Reach], browser: Any
) -> None:
    async def main(port: int) -> None:
        async with browser(name, port) as client:
            response = await fetch(client, port)
            assert VERSION_2 == response.connection.info.version

    reach(server, Mood(versions=(VERSION_2,)))(main)


@pytest.mark.parametrize(
    ("name", "attempts", "flight"),
    [
        ("chrome-156", 3, 2),
        ("chrome-115", 3, 1),
        ("firefox-159", 2, 2),
        ("firefox-esr-140", 2, 2),
        ("safari-18.5", 1, 1),
        ("plain", 1, 2),
    ],
)
def test_unknown_versions_end_attempts_without_a_word(
    name: str, attempts: int, flight: int, browser: Any
) -> None:
    async def main() -> None:
        async with juggler((0x1A2A3A4A,)) as (seen, port), browser(name, port) as client:
            with pytest.raises(VersionMismatch, match="speaks none of our versions, only 0x1a2a3a4a"):
                await fetch(client, port)
            assert (attempts, attempts * flight) == (len(seen.clients), seen.datagrams)

    asyncio.run(main())


@pytest.mark.parametrize("name", BUILT_IN)
def test_list_with_the_version_that_was_tried(name: str, certificates: Certificates, browser: Any) -> None:
    """RFC 9000 §6.2 has clients ignore it, and all do but Chrome, which makes another attempt."""

    async def main() -> None:
        async with (
            SITES["own"](certificates, Mood()) as server,
            juggler((VERSION_1, VERSION_2), server) as (seen, port),
            browser(name, port) as client,
        ):
            await fetch(client, port)
            heeds = BUILT_IN[name].habits.heeds_any_negotiation
            assert heeds == (BUILT_IN[name].client in ("Chrome", "Chromium"))
            assert (2 if heeds else 1) == len(seen.clients)

    asyncio.run(main())
