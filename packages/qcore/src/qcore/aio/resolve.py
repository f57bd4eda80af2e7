"""From a host name to addresses to try, in the order to try them. RFC 8305 §3-4.

The system's resolver has sorted the addresses by RFC 6724; here the two families take turns, so that a broken
one costs one step. Literal addresses never reach a resolver.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from itertools import zip_longest
from typing import Any, TypeAlias, cast

from ..batch import Address
from .errors import UnknownHost

GetAddrInfo: TypeAlias = Callable[..., Awaitable[Sequence[tuple[Any, Any, Any, Any, Any]]]]


async def resolve(host: str, port: int, *, getaddrinfo: GetAddrInfo | None = None) -> list[Address]:
    """Addresses of a host, first the one to try first.

    Args:
        getaddrinfo: with the signature of the event loop's, which is the default.

    Raises:
        UnknownHost: the name has no address, or resolving it failed.
    """
    literal = literal_address(host, port)
    if literal is not None:
        return [literal]
    if getaddrinfo is None:
        getaddrinfo = asyncio.get_running_loop().getaddrinfo
    try:
        found = await getaddrinfo(host, port, type=socket.SOCK_DGRAM, proto=socket.IPPROTO_UDP)
    except (OSError, UnicodeError) as error:  # an overlong label fails in the IDNA codec
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UnknownHost(f"cannot resolve {host!r}: {reason}") from error
    addresses: list[Address] = []
    for family, _, _, _, address in found:
        if family in (socket.AF_INET, socket.AF_INET6) and address not in addresses:
            addresses.append(cast(Address, address))
    if not addresses:
        raise UnknownHost(f"cannot resolve {host!r}: it has no address")
    return interleave(addresses)


def literal_address(host: str, port: int) -> Address | None:
    """The address that `host` spells out, with or without brackets and zone; None if it is a name."""
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(literal, ipaddress.IPv4Address):
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
