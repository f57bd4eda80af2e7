"""`Client`, `get` and `connect`: HTTP/3 and QUIC as a profile does them.

Each connection is drawn anew from the profile; what servers hand out (tickets, tokens) and the round-trip time
are remembered per origin and used as the profile's client would.
"""

import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import qcore.aio
from qcore.aio.connection import Connection
from qcore.aio.endpoint import Endpoint
from qcore.errors import VersionMismatch
from qhttp3.aio.client import Client as Http3Client
from qhttp3.aio.client import Content, Response
from qhttp3.aio.fields import FieldsInput, encode_fields
from qhttp3.config import H3Config
from qhttp3.priority import Priority
from qhttp3.settings import H3Settings
from qtls.adapters.trust_store import Trust
from qtls.certificates import CertificateChain
from qtls.config import ClientTLS

from .catalog import profile as built_in
from .http3 import DOCUMENT
from .memory import Memory
from .profile import ClientProfile, DrawnClient
from .randomness import RandomBytes

DEFAULT_TIMEOUT: Final = 30.0

Resolve = dict[tuple[str, int], tuple[str, int]]


@dataclass(frozen=True, kw_only=True)
class DialOptions:
    """What the user of a client decides, whatever the profile.

    Attributes:
        verify: check certificates.
        ca: what is trusted: a path, PEM bytes, or None for the roots of the system.
        client_cert: the client's own certificate.
        ech: an ECHConfigList for the servers asked, as DNS gives it: the name asked for is then hidden.
        alpn: protocols in place of the profile's.
        keylog: takes lines of an NSS key log; SSLKEYLOGFILE is honoured without it.
        qlog: directory for traces; QLOGDIR is honoured without it.
        handshake_timeout: seconds until a connection must stand; the profile's if None.
        resolve: where to connect instead of what a URL says: `{(host, port): (address, port)}`.
    """

    verify: bool = True
    ca: Trust = None
    client_cert: CertificateChain | None = None
    ech: bytes | None = None
    alpn: tuple[str, ...] | None = None
    keylog: Callable[[str], None] | None = None
    qlog: str | None = None
    handshake_timeout: float | None = None
    resolve: Resolve | None = None


class Dialer:
    """Connects as a profile does; a connector of `qhttp3.Client`.

    Attributes:
        handshake_time: seconds that the last connection took to stand, names looked up included.
    """

    def __init__(
        self,
        profile: ClientProfile,
        *,
        memory: Memory,
        random: RandomBytes = secrets.token_bytes,
        options: DialOptions | None = None,
    ) -> None:
        self.profile = profile
        self.memory = memory
        self.random = random
        self.options = options or DialOptions()
        self.handshake_time: float | None = None

    @asynccontextmanager
    async def __call__(self, host: str, port: int, early: bool) -> AsyncIterator[tuple[Connection, H3Config]]:
        """Draw a connection's configuration and connect; a server of other versions is tried as often as usual."""
        key = f"{host}:{port}"
        started = time.monotonic()
        async with AsyncExitStack() as stack:
            for left in reversed(range(self.profile.engine.attempts)):
                drawn = self.profile.draw(self.random, self.memory.resumption(key))
                try:
                    connection = await stack.enter_async_context(self._dial(drawn, host, port, early))
                    break
                except VersionMismatch:
                    if not left:
                        raise
            self.handshake_time = time.monotonic() - started
            http3 = replace(drawn.http3, remember=partial(self._remember, key))
            try:
                yield connection, http3
            finally:
                if connection.is_established:
                    self.memory.origin(key).rtt = connection.stats().smoothed_rtt

    def _dial(
        self, drawn: DrawnClient, host: str, port: int, early: bool
    ) -> AbstractAsyncContextManager[Connection]:
        options = self.options
        address, to_port = (options.resolve or {}).get((host, port), (host, port))
        config = replace(drawn.quic, qlog=options.qlog)
        if options.handshake_timeout is not None:
            config = replace(config, handshake_timeout=options.handshake_timeout)
        dial = connect_alone if drawn.connected_socket else connect_unconnected
        return dial(
            address,
            to_port,
            tls=self._tls(drawn, host if address != host else None),
            config=config,
            early=early,
            tokens=self.memory.tokens(
                f"{host}:{port}", only_with_session=self.profile.engine.token_needs_session
            ),
        )

    def _remember(self, key: str, settings: H3Settings) -> None:
        self.memory.origin(key).settings = tuple(settings.pairs())

    def _tls(self, drawn: DrawnClient, server_name: str | None) -> ClientTLS:
        options = self.options
        return replace(
            drawn.tls,
            verify=options.verify,
            ca=options.ca,
            client_cert=options.client_cert,
            ech=options.ech if options.ech is not None else drawn.tls.ech,
            keylog=options.keylog,
            alpn=drawn.tls.alpn if options.alpn is None else options.alpn,
            server_name=server_name,
        )


connect_alone = qcore.aio.connect


@asynccontextmanager
async def connect_unconnected(host: str, port: int, **arguments: Any) -> AsyncIterator[Connection]:
    """Like `qcore.aio.connect`, on a socket that is not connected, which shows in the IP identification."""
    async with Endpoint.open() as endpoint, await endpoint.connect(host, port, **arguments) as connection:
        yield connection


class Client(Http3Client):
    """An HTTP/3 client that looks like the client of a profile.

    Requests get the profile's headers, in its order, unless `browser_headers` is false; a header given to
    `request` takes the place of the profile's, an empty one takes it away.

    Args:
        profile: a profile, or the name of a built-in one.
        memory: what is known of servers; a new one starts with nothing.
        random: bytes in the shape of `os.urandom`; a seeded one repeats the same flights.
        timeout: seconds to wait for the head of a response and for each piece of a body.
        browser_headers: whether the profile's headers are added to requests.
        options: as `DialOptions`: verify, ca, client_cert, ech, alpn, keylog, qlog, handshake_timeout, resolve.
    """

    def __init__(
        self,
        profile: str | ClientProfile = "chrome",
        *,
        memory: Memory | None = None,
        random: RandomBytes = secrets.token_bytes,
        timeout: float | None = DEFAULT_TIMEOUT,
        browser_headers: bool = True,
        **options: Any,
    ) -> None:
        self.profile = built_in(profile) if isinstance(profile, str) else profile
        self.memory = Memory() if memory is None else memory
        self.dialer = Dialer(self.profile, memory=self.memory, random=random, options=DialOptions(**options))
        super().__init__(connector=self.dialer, timeout=timeout)
        self._browser_headers = browser_headers

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: FieldsInput = (),
        content: Content = None,
        trailers: FieldsInput | None = None,
        priority: Priority | str | None = None,
        early: bool = False,
        destination: str = DOCUMENT,
        referer: str = "",
    ) -> Response:
        """Send a request and wait for the head of the response; arguments as in `qhttp3.Client.request`.

        Args:
            destination: what it is for: "document", or what a page asks for: "style", "script", "image", "empty" for
                what its scripts fetch. Browsers send other headers with each, in another order.
            referer: URL of the page that asks.

        Raises:
            ValueError: the profile knows no such destination.
        """
        spec = self.profile.http3
        fields: FieldsInput = headers
        if spec is not None and self._browser_headers:
            given = [
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in encode_fields(headers)
            ]
            if priority is not None:
                given.append(
                    ("priority", priority if isinstance(priority, str) else priority.encode().decode())
                )
            fields = spec.complete(given, urlsplit(url).netloc.rpartition("@")[2], destination, referer)
        return await super().request(
            method, url, headers=fields, content=content, trailers=trailers, priority=priority, early=early
        )


async def get(url: str, *, profile: str | ClientProfile = "chrome", **options: Any) -> Response:
    """Fetch one page on a connection of its own; the body of the response is there to `read`.

    Takes the options of `Client`, and `headers`.
    """
    headers: FieldsInput = options.pop("headers", ())
    async with Client(profile, **options) as client:
        response = await client.request("GET", url, headers=headers)
        await response.read()
        return response


@asynccontextmanager
async def connect(
    host: str,
    port: int = 443,
    *,
    profile: str | ClientProfile = "chrome",
    memory: Memory | None = None,
    random: RandomBytes = secrets.token_bytes,
    early: bool = False,
    **options: Any,
) -> AsyncIterator[Connection]:
    """A QUIC connection that looks like the profile's client; leaving the context closes it.

    Takes the options of `Client`. `alpn` names other protocols than the profile's, which shows.
    """
    chosen = built_in(profile) if isinstance(profile, str) else profile
    dialer = Dialer(
        chosen,
        memory=Memory() if memory is None else memory,
        random=random,
        options=DialOptions(**options),
    )
    async with dialer(host, port, early) as (connection, _):
        yield connection
