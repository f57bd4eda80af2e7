"""Who is let in: what a server decides before it keeps any state for a client. RFC 9000 §8.1.

`Crowd` counts who is there, an `Arrival` is what is known of a newcomer, and a rule makes an `Admission` of it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias, final

from .batch import Address

# Handshakes in progress. From the first number on every new client has to prove its address, which costs an
# attacker a round trip and us nothing; at the second nobody is let in.
RETRY_ABOVE: Final = 1_000
MAX_HALF_OPEN: Final = 10_000
# The same for one network. Many may live behind one address, so it is not refused soon; and who forges it only brings
# upon its owner that proof.
RETRY_ABOVE_PER_NETWORK: Final = 100
MAX_HALF_OPEN_PER_NETWORK: Final = 1_000
# Connections that wait to be accepted; an application that is this far behind cannot serve more.
MAX_WAITING: Final = 1_024
# An IPv6 host has as many addresses as it likes within its network. RFC 7721 §2, RFC 6177.
IPV6_PREFIX_SIZE: Final = 8


class Admission(Enum):
    """What to do with a new client."""

    ACCEPT = "accept"
    RETRY = "retry"
    REFUSE = "refuse"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A client whose first packet has come.

    Attributes:
        is_validated: a token has proved its address.
        half_open: handshakes in progress on this socket.
        half_open_nearby: those of them with clients of the same network: the IPv4 address, or 64 bits of IPv6.
        connections: clients on this socket, handshakes included.
        connections_nearby: those of them in the same network.
        waiting: connections that the application has yet to accept.
    """

    address: Address
    version: int
    is_validated: bool
    half_open: int
    half_open_nearby: int = 0
    connections: int = 0
    connections_nearby: int = 0
    waiting: int = 0


Admit: TypeAlias = Callable[[Arrival], Admission]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadLimits:
    """A rule: everyone is let in, with Retry under load, and nobody beyond what can be borne.

    Attributes:
        retry_above: handshakes in progress from which on newcomers prove their address; 0 for always.
        max_half_open: handshakes in progress at which nobody is let in.
        retry_above_per_network, max_half_open_per_network: the same of one network.
        max_connections, max_connections_per_network: clients at which nobody is let in; None for no limit.
        max_waiting: connections that the application has yet to accept at which nobody is let in.
    """

    retry_above: int = RETRY_ABOVE
    max_half_open: int = MAX_HALF_OPEN
    retry_above_per_network: int = RETRY_ABOVE_PER_NETWORK
    max_half_open_per_network: int = MAX_HALF_OPEN_PER_NETWORK
    max_connections: int | None = None
    max_connections_per_network: int | None = None
    max_waiting: int = MAX_WAITING

    def __call__(self, arrival: Arrival) -> Admission:
        if (
            arrival.half_open >= self.max_half_open
            or arrival.waiting >= self.max_waiting
            or (self.max_connections is not None and arrival.connections >= self.max_connections)
        ):
            return Admission.REFUSE
        if not arrival.is_validated and (
            arrival.half_open >= self.retry_above or arrival.half_open_nearby >= self.retry_above_per_network
        ):
            return Admission.RETRY
        # Below here an address is its owner's, or few have come from it.
        if arrival.half_open_nearby >= self.max_half_open_per_network or (
            self.max_connections_per_network is not None
            and arrival.connections_nearby >= self.max_connections_per_network
        ):
            return Admission.REFUSE
        return Admission.ACCEPT


# The default.
admit_by_load: Final = LoadLimits()
# Every client has to prove its address first.
always_retry: Final = LoadLimits(retry_above=0)


@final
class Crowd:
    """Counts the clients of a socket, and where they come from."""

    __slots__ = ("_half_open", "_nearby", "_networks")

    def __init__(self) -> None:
        self._networks: dict[Hashable, bytes | str] = {}
        self._half_open: set[Hashable] = set()
        # By network: all clients, and those whose handshake is in progress.
        self._nearby: dict[bytes | str, list[int]] = {}

    @property
    def half_open(self) -> int:
        """Handshakes in progress."""
        return len(self._half_open)

    def arrival(self, address: Address, version: int, is_validated: bool, waiting: int) -> Arrival:
        """What is known of a newcomer."""
        connections, half_open = self._nearby.get(network_of(address), (0, 0))
        return Arrival(
            address=address,
            version=version,
            is_validated=is_validated,
            half_open=len(self._half_open),
            half_open_nearby=half_open,
            connections=len(self._networks),
            connections_nearby=connections,
            waiting=waiting,
        )

    def enter(self, client: Hashable, address: Address) -> None:
        """A client is let in."""
        network = network_of(address)
        self._networks[client] = network
        self._half_open.add(client)
        counts = self._nearby.setdefault(network, [0, 0])
        counts[0] += 1
        counts[1] += 1

    def is_half_open(self, client: Hashable) -> bool:
        """Whether the handshake of this client is in progress."""
        return client in self._half_open

    def settle(self, client: Hashable) -> None:
        """The handshake of a client is over."""
        if client in self._half_open:
            self._half_open.discard(client)
            self._nearby[self._networks[client]][1] -= 1

    def leave(self, client: Hashable) -> None:
        """A client is gone; it may never have been one."""
        self.settle(client)
        network = self._networks.pop(client, None)
        if network is not None:
            counts = self._nearby[network]
            counts[0] -= 1
            if not counts[0]:
                del self._nearby[network]


def network_of(address: Address) -> bytes | str:
    """What clients of one place have in common: the IPv4 address, or the first 64 bits of an IPv6 address."""
    host = address[0]
    if ":" not in host:
        return host
    from ipaddress import IPv6Address

    found = IPv6Address(host.partition("%")[0])
    mapped = found.ipv4_mapped
    return str(mapped) if mapped is not None else found.packed[:IPV6_PREFIX_SIZE]
