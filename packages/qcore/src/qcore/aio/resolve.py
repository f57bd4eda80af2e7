"""From a host name to addresses to try, in the order to try them. RFC 8305 §3-4.

The system's resolver has sorted the addresses by RFC 6724; here the two families take turns, so that a broken
one costs one step. A resolver that is slow about one family does not hold up the other. Literal addresses never
reach a resolver.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from itertools import zip_longest
from typing import Any, Final, TypeAlias, cast, final

from qtls.values import Value

from ..batch import Address
from .errors import UnknownHost

GetAddrInfo: TypeAlias = Callable[..., Awaitable[Sequence[tuple[Any, Any, Any, Any, Any]]]]
Query: TypeAlias = Callable[[int], Coroutine[Any, Any, list[Address]]]


# The resolver answers for both families together, in the right order, unless one takes longer than this: then each
# family is asked for alone. Long enough for a name server on another continent.
PATIENCE: Final = 0.3
# RFC 8305 §8: how long IPv4 waits for IPv6 once it is there.
RESOLUTION_DELAY: Final = 0.05


@final
class Resolved(Value):
    """Addresses of a host, first the one to try first; `later` brings those that the resolver was too slow for."""

    __slots__ = ("addresses", "later")

    def __init__(self, addresses: list[Address], later: asyncio.Task[list[Address]] | None = None) -> None:
        self.addresses: Final = addresses
        self.later: Final = later


async def resolve(
    host: str,
    port: int,
    *,
    getaddrinfo: GetAddrInfo | None = None,
    patience: float = PATIENCE,
    delay: float = RESOLUTION_DELAY,
) -> Resolved:
    """Look a host up.

    Args:
        getaddrinfo: with the signature of the event loop's, which is the default.
        patience: seconds in which the resolver may answer for both families together.
        delay: seconds that IPv4 addresses wait for IPv6 ones.

    Returns:
        At least one address. Whoever has got enough of them cancels `later`.

    Raises:
        UnknownHost: the name has no address, or resolving it failed.
    """
    literal = literal_address(host, port)
    if literal is not None:
        return Resolved([literal])
    query = partial(_query, getaddrinfo or asyncio.get_running_loop().getaddrinfo, host, port)
    both = asyncio.create_task(query(socket.AF_UNSPEC))
    try:
        done, _ = await asyncio.wait((both,), timeout=patience)
        if done:
            return Resolved(interleave(both.result()))
        return await _resolve_apart(query, both, delay)
    except BaseException:
        both.cancel()
        raise


async def _resolve_apart(query: Query, both: asyncio.Task[list[Address]], delay: float) -> Resolved:
    """Take the addresses of the family that comes first. RFC 8305 §3."""
    ipv6 = asyncio.create_task(query(socket.AF_INET6))
    ipv4 = asyncio.create_task(query(socket.AF_INET))
    waiting = {both, ipv6, ipv4}
    try:
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if both in done:
                return Resolved(interleave(both.result()))
            if ipv4 in done and ipv6 in waiting and ipv4.exception() is None:
                await asyncio.wait((ipv6, both), timeout=delay, return_when=asyncio.FIRST_COMPLETED)
            found = [
                address
                for task in (ipv6, ipv4)
                if task.done() and task.exception() is None
                for address in task.result()
            ]
            if found and not both.done():
                return Resolved(interleave(found), both)
        return Resolved(interleave(both.result()))
    finally:
        ipv6.cancel()
        ipv4.cancel()
        await asyncio.gather(ipv6, ipv4, return_exceptions=True)


async def _query(getaddrinfo: GetAddrInfo, host: str, port: int, family: int) -> list[Address]:
    """What the resolver has of one family, or of both."""
    try:
        found = await getaddrinfo(host, port, family=family, type=socket.SOCK_DGRAM, proto=socket.IPPROTO_UDP)
    except (OSError, UnicodeError) as error:  # an overlong label fails in the IDNA codec
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UnknownHost(f"cannot resolve {host!r}: {reason}") from error
    addresses: list[Address] = []
    for kind, _, _, _, address in found:
        if kind in (socket.AF_INET, socket.AF_INET6) and address not in addresses:
            addresses.append(cast(Address, address))
    if not addresses:
        raise UnknownHost(f"cannot resolve {host!r}: it has no address")
    return addresses


def literal_address(host: str, port: int) -> Address | None:
    """The address that `host` spells out, with or without brackets and zone; None if it is a name."""
    if host[-1:].isdigit() and ":" not in host:
        try:
            packed = socket.inet_pton(socket.AF_INET, host)
        except OSError:
            packed = b""
        if packed:
            return (socket.inet_ntoa(packed), port)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    # An IPv6 address has a colon and an IPv4 address ends in a digit.
    if ":" not in host and not host[-1:].isdigit():
        return None
    from ipaddress import IPv4Address, ip_address

    try:
        literal = ip_address(host)
    except ValueError:
        return None
    if isinstance(literal, IPv4Address):
        return (str(literal), port)
    zone = literal.scope_id
    if zone is None:
        return (str(literal), port, 0, 0)
    index = int(zone) if zone.isdigit() else _interface_index(zone)
    return (host.partition("%")[0], port, 0, index)


def _interface_index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError as error:
        raise UnknownHost(f"no network interface {name!r}") from error


def interleave(addresses: Sequence[Address]) -> list[Address]:
    """Let the families take turns, beginning with that of the first address. RFC 8305 §4."""
    first = [address for address in addresses if len(address) == len(addresses[0])]
    second = [address for address in addresses if len(address) != len(addresses[0])]
    mixed: list[Address] = []
    for pair in zip_longest(first, second):
        mixed.extend(address for address in pair if address is not None)
    return mixed


def for_family(addresses: Sequence[Address], family: int) -> list[Address]:
    """The addresses that a socket of one family can send to; IPv6 sockets reach IPv4 by mapped addresses."""
    if family == socket.AF_INET:
        return [address for address in addresses if len(address) == 2]
    return [
        (f"::ffff:{address[0]}", address[1], 0, 0) if len(address) == 2 else address for address in addresses
    ]
