"""One UDP socket with any number of connections: `Endpoint`, and the short forms `connect` and `serve`."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache, partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from qtls import ClientTLS, ServerTLS
from qwire.constants import INTERNAL_ERROR

from ..batch import Address, Datagram
from ..config import QuicConfig
from ..engine.engine import QuicEngine
from ..errors import QuicError, UsageError
from ..ids.generator import ConnectionIdGenerator
from ..router import Router
from ..stateless_reset import KEY_SIZE, ResetTokens
from .connection import Connection, ConnectionOwner
from .driver import Driver
from .errors import UnknownHost, Unreachable
from .race import Attempt, race
from .resolve import for_family, literal_address, resolve
from .sockets import open_socket
from .tracing import observer_factory, with_key_log
from .udp import PolledSocket, UdpSocket, wrap_socket

if TYPE_CHECKING:
    from ..admission import Admit
    from ..tokens import TokenStore
    from .listener import Listener

ANY_IPV6: Final = ("::", 0)
ANY_IPV4: Final = ("0.0.0.0", 0)
DEFAULT_CONFIG: Final = QuicConfig()
Result = TypeVar("Result")


@cache
def _client_tokens() -> ResetTokens:
    """The reset tokens of this process's clients with a socket of their own."""
    return ResetTokens(os.urandom(KEY_SIZE))


class Dial(ConnectionOwner):
    """One wish to connect: what all attempts at it share. Keeps the tokens that come of it.

    Args:
        tokens: where address validation tokens are kept between connections.
    """

    __slots__ = ("config", "early", "host", "key", "observers", "port", "server_name", "tls", "tokens")

    def __init__(
        self,
        host: str,
        port: int,
        tls: ClientTLS,
        config: QuicConfig,
        early: bool,
        tokens: TokenStore | None,
    ) -> None:
        self.host = host
        self.port = port
        self.tls = with_key_log(tls)
        self.config = config
        self.early = early
        self.tokens = tokens
        self.observers = observer_factory(config, is_client=True)
        self.server_name = tls.server_name or host.strip("[]").partition("%")[0].rstrip(".")
        # What is kept for later connections belongs to a server, not to a host.
        self.key = f"{self.server_name}:{port}"

    def take_token(self) -> bytes:
        """An address validation token from an earlier connection; each is used once. RFC 9000 §8.1.3."""
        kept = self.tokens.pop(self.key) if self.tokens is not None else None
        return kept or b""

    def on_token(self, token: bytes) -> None:
        if self.tokens is not None:
            self.tokens.put(self.key, token)


class Endpoint:
    """A UDP socket with any number of client connections and at most one listener. Made by `open`.

    Args:
        shares_port: the socket is one of several on its port, in as many processes; so are those that it adds.
    """

    __slots__ = (
        "__weakref__",
        "_driver",
        "_is_closed",
        "_listener",
        "_loop",
        "_router",
        "_shares_port",
        "_udp",
    )

    def __init__(self, udp: UdpSocket, router: Router, *, shares_port: bool = False) -> None:
        self._loop = asyncio.get_running_loop()
        self._udp = udp
        self._router = router
        self._driver = Driver(self._loop, udp, router, self._adopt)
        self._listener: Listener | None = None
        self._shares_port = shares_port
        self._is_closed = False
        self._driver.start()

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        local: Address = ANY_IPV6,
        *,
        cids: ConnectionIdGenerator | None = None,
        reset_key: bytes | None = None,
        token_keys: Sequence[bytes] = (),
    ) -> AsyncIterator[Endpoint]:
        """Bind a socket; leaving the context closes all connections and the socket.

        Args:
            local: address and port; "::" takes IPv4 as well.
            cids: makes connection IDs, random ones by default.
            reset_key: secret for stateless resets; give the same one after a restart (RFC 9000 §10.3).
            token_keys: secrets for address validation tokens, newest first, shared by servers of one name.

        Raises:
            OSError: the address cannot be bound.
        """
        endpoint = await cls._open(local, None, cids, reset_key, token_keys)
        try:
            yield endpoint
        finally:
            await endpoint.close()

    @classmethod
    async def _open(
        cls,
        local: Address,
        remote: Address | None,
        cids: ConnectionIdGenerator | None = None,
        reset_key: bytes | None = None,
        token_keys: Sequence[bytes] = (),
    ) -> Endpoint:
        sock = open_socket(local, remote)
        loop = asyncio.get_running_loop()
        udp = await wrap_socket(loop, sock, is_connected=remote is not None)
        router = Router(
            cids=cids,
            reset_key=reset_key,
            # Whoever has no strangers sends no resets either, so one key will do for all of them.
            reset_tokens=_client_tokens() if remote is not None else None,
            token_keys=token_keys,
            wall_offset=time.time() - time.monotonic(),
        )
        return cls(udp, router)

    @property
    def address(self) -> Address:
        """The local address."""
        return self._udp.address

    async def connect(
        self,
        host: str,
        port: int = 443,
        *,
        tls: ClientTLS,
        config: QuicConfig = DEFAULT_CONFIG,
        early: bool = False,
        tokens: TokenStore | None = None,
    ) -> Connection:
        """Connect to a host by name or address; tries its addresses side by side (RFC 8305).

        Args:
            early: return before the handshake is complete when a kept session allows 0-RTT data.
            tokens: where address validation tokens are kept for later connections.

        Raises:
            UnknownHost: the name has no address that this socket can reach.
            CertificateError, TransportError, HandshakeTimeout, ...: no attempt succeeded.
        """
        if self._is_closed:
            raise UsageError("the endpoint is closed")
        dial = Dial(host, port, tls, config, early, tokens)
        self._udp.watch_errors()
        return await _race_to(
            host,
            port,
            partial(self._attempt, dial),
            release=Connection.abort,
            family=self._udp.family,
            unreachable=f"{host!r} has no IPv4 address",
        )

    async def _attempt(self, dial: Dial, address: Address) -> Connection:
        engine = self._router.connect(
            address,
            tls=dial.tls,
            config=dial.config,
            server_name=dial.server_name,
            now=self._driver.now(),
            wall_clock=time.time(),
            session_key=dial.key,
            token=dial.take_token(),
            observer=dial.observers() if dial.observers else None,
        )
        connection = Connection(engine, self._driver, dial)
        begins_early = dial.early and engine.can_send_early
        self._driver.dial(connection, begins_early)
        try:
            if not begins_early:
                await connection.handshake()
        except BaseException:
            connection.abort()
            raise
        return connection

    def listen(
        self, *, tls: ServerTLS, config: QuicConfig = DEFAULT_CONFIG, admit: Admit | None = None
    ) -> Listener:
        """Take connections on this socket.

        Args:
            admit: decides about each new connection before any work is done for it; `admit_by_load` unless given. Any
                function from an `Arrival` to an `Admission`, or `LoadLimits` with other numbers.

        Raises:
            UsageError: there is a listener already.
            OSError: a preferred address of the configuration cannot be bound.
        """
        if self._listener is not None or self._is_closed:
            raise UsageError("the endpoint is closed" if self._is_closed else "the endpoint listens already")
        preferred: list[int] = []
        try:
            for host, port in config.preferred_addresses:
                sock = open_socket((host, port), shares_port=self._shares_port)
                preferred.append(self._driver.add_socket(PolledSocket(self._loop, sock)))
        except OSError:
            for number in preferred:
                self._driver.remove_socket(number)
            raise
        addresses = [self._udp.address, *config.preferred_addresses]
        from .listener import Listener  # and with it what only servers need

        listener = self._listener = Listener(addresses, self._router.stop_listening)
        self._router.listen(
            tls=with_key_log(tls),
            config=config,
            admit=admit,
            observer_factory=observer_factory(config, is_client=False),
            waiting=lambda: listener.waiting,
        )
        return listener

    def receive(self, datagrams: Sequence[Datagram]) -> None:
        """Take datagrams that came another way than through the socket."""
        self._driver.on_datagrams(datagrams)

    async def close(self) -> None:
        """Close all connections at once, and the socket."""
        if not self._is_closed:
            self._is_closed = True
            if self._listener is not None:
                await self._listener.close()
            self._driver.close()

    def _adopt(self, engine: QuicEngine) -> Connection:
        assert self._listener is not None, "the router makes engines only while there is a listener"
        self._listener.on_arrived()
        return Connection(engine, self._driver, self._listener)


def connect(
    host: str,
    port: int = 443,
    *,
    tls: ClientTLS,
    config: QuicConfig = DEFAULT_CONFIG,
    early: bool = False,
    tokens: TokenStore | None = None,
    local: Address | None = None,
) -> AbstractAsyncContextManager[Connection]:
    """One connection on a socket of its own; leaving the context closes both.

    Takes the arguments of `Endpoint.connect`, and `local` to bind to an address.

    Raises:
        UnknownHost, Unreachable, ConnectionRefused: there is no such host, no route, or nobody listens.
        CertificateError, TransportError, HandshakeTimeout, ...: no attempt succeeded.
    """
    return Alone(partial(Dial, host, port, tls, config, early, tokens), local)


class Alone:
    """A connection with its endpoint while the context of `connect` lasts."""

    # Not a generator: event loops keep a list of those, and each takes a dozen calls to enter and to leave.
    __slots__ = ("_connection", "_dial", "_endpoint", "_local")

    def __init__(self, dial: Callable[[], Dial], local: Address | None) -> None:
        self._dial = dial
        self._local = local
        self._endpoint: Endpoint | None = None
        self._connection: Connection | None = None

    async def __aenter__(self) -> Connection:
        dial, local = self._dial(), self._local
        family: int | None = None
        if local is not None:
            family = socket.AF_INET6 if ":" in local[0] else socket.AF_INET
        endpoint, connection = await _race_to(
            dial.host,
            dial.port,
            partial(_dial_alone, dial, local),
            release=lambda pair: pair[0]._driver.close(),
            family=family,
            unreachable=f"{dial.host!r} has no address of the family of {local[0] if local else 'this host'}",
        )
        self._endpoint, self._connection = endpoint, connection
        return connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        endpoint, connection = self._endpoint, self._connection
        assert endpoint is not None, "entered"
        assert connection is not None, "entered"
        try:
            await connection.close()
        finally:
            await endpoint.close()


async def _race_to(
    host: str,
    port: int,
    attempt: Callable[[Address], Coroutine[Any, Any, Result]],
    *,
    release: Callable[[Result], object],
    family: int | None,
    unreachable: str,
) -> Result:
    """Try the addresses of a host side by side; `family` is that of the socket, if there is only one.

    Raises:
        UnknownHost: there is no address, or none of the family.
    """

    literal = literal_address(host, port)
    if literal is not None:  # there is nothing to race
        reachable = [literal] if family is None else for_family([literal], family)
        if not reachable:
            raise UnknownHost(unreachable)
        return await attempt(reachable[0])

    def attempts(addresses: list[Address]) -> list[Attempt[Result]]:
        reachable = addresses if family is None else for_family(addresses, family)
        return [partial(attempt, address) for address in reachable]

    resolved = await resolve(host, port)
    later = resolved.later
    first = attempts(resolved.addresses)
    if later is None:
        if not first:
            raise UnknownHost(unreachable)
        return await race(first, release=release)

    async def others() -> list[Attempt[Result]]:
        found = attempts([address for address in await later if address not in resolved.addresses])
        if not first and not found:
            raise UnknownHost(unreachable)
        return found

    try:
        return await race(first, release=release, later=others())
    finally:
        later.cancel()


async def _dial_alone(dial: Dial, local: Address | None, address: Address) -> tuple[Endpoint, Connection]:
    """An attempt with a connected socket, which hears of refused ports."""
    try:
        endpoint = await Endpoint._open(local or (ANY_IPV6 if len(address) == 4 else ANY_IPV4), address)
    except OSError as error:
        if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EACCES):
            raise Unreachable(f"{address[0]}: {error.strerror}") from error
        raise
    try:
        return endpoint, await endpoint._attempt(dial, address)
    except BaseException:
        await endpoint.close()
        raise


@asynccontextmanager
async def serve(
    handler: Callable[[Connection], Awaitable[object]],
    local: Address,
    *,
    tls: ServerTLS,
    config: QuicConfig = DEFAULT_CONFIG,
    admit: Admit | None = None,
    cids: ConnectionIdGenerator | None = None,
    reset_key: bytes | None = None,
    token_keys: Sequence[bytes] = (),
) -> AsyncIterator[Listener]:
    """Run `handler` in a task of its own for each connection that arrives; leaving the context closes all.

    A connection lives on when its handler returns, until either side closes it: what was written is still being
    delivered. A handler that raises has its connection closed with an internal error, and the exception goes to
    the event loop's exception handler - unless it is how the connection ended.
    """
    async with (
        Endpoint.open(local, cids=cids, reset_key=reset_key, token_keys=token_keys) as endpoint,
        serve_on(endpoint, handler, tls=tls, config=config, admit=admit) as listener,
    ):
        yield listener


@asynccontextmanager
async def serve_on(
    endpoint: Endpoint,
    handler: Callable[[Connection], Awaitable[object]],
    *,
    tls: ServerTLS,
    config: QuicConfig = DEFAULT_CONFIG,
    admit: Admit | None = None,
) -> AsyncIterator[Listener]:
    """`serve` on a socket that is open already."""
    listener = endpoint.listen(tls=tls, config=config, admit=admit)
    handlers: set[asyncio.Task[None]] = set()
    loop = asyncio.get_running_loop()

    def take(connection: Connection) -> None:
        # In a task that begins before anything is sent: what it says at once shares a packet with the handshake's end.
        task = loop.create_task(_handle(handler, connection))
        handlers.add(task)
        task.add_done_callback(handlers.discard)

    listener.take(take)
    try:
        yield listener
    finally:
        await listener.close()
        for task in handlers:
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


async def _handle(handler: Callable[[Connection], Awaitable[object]], connection: Connection) -> None:
    try:
        await handler(connection)
    except Exception as error:  # noqa: BLE001 - reported, as for any task nobody waits for
        if _is_only(error, connection.ended_by()):
            return
        asyncio.get_running_loop().call_exception_handler(
            {"message": "QUIC connection handler failed", "exception": error}
        )
        if not connection.engine.is_closed:
            connection.engine.close(INTERNAL_ERROR, "", application=False)
            connection.flush()


def _is_only(error: BaseException, expected: QuicError | None) -> bool:
    """Whether nothing but the expected error was raised, also by the tasks of a group."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_only(each, expected) for each in error.exceptions)
    return error is expected
