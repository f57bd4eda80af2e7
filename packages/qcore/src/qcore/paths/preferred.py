"""The preferred address of a server: how it is offered, and whether a client should believe it.

RFC 9000 §9.6, §21.5.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from qwire.preferred_address import PreferredAddress

from ..batch import Address
from .path import MAPPED


def offer(addresses: Sequence[tuple[str, int]], connection_id: bytes, reset_token: bytes) -> PreferredAddress:
    """The transport parameter for at most one address of each family.

    Raises:
        ValueError: not an address, one that cannot be sent to, two of a family, or none.
    """
    ipv4, ipv6 = (bytes(4), 0), (bytes(16), 0)
    for host, port in addresses:
        address = ip_address(host)
        if not 0 < port < 1 << 16 or address.is_unspecified or address.is_multicast:
            raise ValueError(f"{host} port {port} cannot be a preferred address")
        if (ipv4 if isinstance(address, IPv4Address) else ipv6)[1]:
            raise ValueError("more than one preferred address of a family")
        if isinstance(address, IPv4Address):
            ipv4 = address.packed, port
        else:
            ipv6 = address.packed, port
    if not ipv4[1] and not ipv6[1]:
        raise ValueError("no preferred address")
    return PreferredAddress(*ipv4, *ipv6, connection_id, reset_token)


def choose(offered: PreferredAddress, present: Address) -> Address | None:
    """The offered address of the family in use, in the form of the present one; None if there is none to go to.

    A server cannot send us to a network that is nearer than its own: the datagrams could be taken for those of
    somebody inside it.
    """
    host = str(present[0])
    is_mapped = host.startswith(MAPPED)
    now = _parse(host.removeprefix(MAPPED) if is_mapped else host.partition("%")[0])
    if now is None:
        return None
    there: IPv4Address | IPv6Address
    if isinstance(now, IPv4Address):
        there, port = IPv4Address(offered.ipv4_address), offered.ipv4_port
    else:
        there, port = IPv6Address(offered.ipv6_address), offered.ipv6_port
    if not port or there.is_unspecified or there.is_multicast or _reach(there) < _reach(now):
        return None
    address = f"{MAPPED}{there}" if is_mapped else str(there)
    if len(present) == 4:
        return address, port, 0, present[3] if there.is_link_local else 0
    return address, port


def _parse(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:  # a simulated network names its hosts as it likes
        return None


def _reach(address: IPv4Address | IPv6Address) -> int:
    """How far an address is valid: this host, this link, this site, everywhere."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return 0
    if address.is_link_local:
        return 1
    return 3 if address.is_global else 2
