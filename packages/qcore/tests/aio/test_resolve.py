import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import pytest

from qcore.aio.errors import UnknownHost
from qcore.aio.resolve import GetAddrInfo, Resolved, for_family, interleave, literal_address, resolve
from qcore.batch import Address
from qcore.errors import QuicError

V4 = ("192.0.2.1", 443)
V4B = ("192.0.2.2", 443)
V6 = ("2001:db8::1", 443, 0, 0)
V6B = ("2001:db8::2", 443, 0, 0)


def answering(*addresses: Address) -> GetAddrInfo:
    async def getaddrinfo(host: str, port: int, **kw: Any) -> Sequence[tuple[Any, Any, Any, Any, Any]]:
        return [
            (socket.AF_INET if len(address) == 2 else socket.AF_INET6, kw["type"], kw["proto"], "", address)
            for address in addresses
        ]

    return getaddrinfo


def failing(error: Exception) -> GetAddrInfo:
    async def getaddrinfo(host: str, port: int, **kw: Any) -> Sequence[tuple[Any, Any, Any, Any, Any]]:
        raise error

    return getaddrinfo


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param([V6, V6B, V4, V4B], [V6, V4, V6B, V4B], id="families take turns"),
        pytest.param([V4, V4B, V6], [V4, V6, V4B], id="first family of the resolver first"),
        pytest.param([V4, V4, V6, V4], [V4, V6], id="doubles once"),
        pytest.param([V6], [V6], id="one"),
    ],
)
def test_addresses_in_the_order_to_try(found: list[Address], expected: list[Address]) -> None:  # RFC 8305 §4
    assert Resolved(expected) == asyncio.run(resolve("example.org", 443, getaddrinfo=answering(*found)))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("192.0.2.1", V4, id="IPv4"),
        pytest.param("2001:db8::1", V6, id="IPv6"),
        pytest.param("[2001:db8::1]", V6, id="IPv6 in brackets"),
        pytest.param("2001:0DB8:0:0::1", V6, id="spelled out"),
        pytest.param("fe80::1%7", ("fe80::1", 443, 0, 7), id="zone by number"),
    ],
)
def test_literals_do_not_reach_the_resolver(host: str, expected: Address) -> None:
    getaddrinfo = failing(AssertionError("asked"))

    assert Resolved([expected]) == asyncio.run(resolve(host, 443, getaddrinfo=getaddrinfo))


@pytest.mark.skipif(not hasattr(socket, "if_nametoindex"), reason="no interface names here")
def test_zone_by_name() -> None:
    index, name = socket.if_nameindex()[0]

    assert ("fe80::1", 443, 0, index) == literal_address(f"fe80::1%{name}", 443)
    with pytest.raises(UnknownHost, match="no network interface"):
        literal_address("fe80::1%no-such-interface", 443)


@pytest.mark.parametrize(
    ("getaddrinfo", "reason"),
    [
        pytest.param(
            failing(socket.gaierror(-2, "Name or service not known")), "not known", id="no such name"
        ),
        pytest.param(failing(UnicodeError("label too long")), "label too long", id="not a name"),
        pytest.param(answering(), "no address", id="empty answer"),
    ],
)
def test_unknown_host_is_a_typed_error(getaddrinfo: GetAddrInfo, reason: str) -> None:
    with pytest.raises(UnknownHost, match=reason) as caught:
        asyncio.run(resolve("no-such.invalid", 443, getaddrinfo=getaddrinfo))

    assert isinstance(caught.value, QuicError)


def test_the_systems_resolver_is_the_default() -> None:
    assert {"127.0.0.1", "::1"} & {address[0] for address in asyncio.run(resolve("localhost", 443)).addresses}
    with pytest.raises(UnknownHost, match="cannot resolve"):
        asyncio.run(resolve("a" * 70 + ".invalid", 443))


def test_ipv6_sockets_reach_ipv4_by_mapped_addresses() -> None:
    assert [V6, ("::ffff:192.0.2.1", 443, 0, 0)] == for_family([V6, V4], socket.AF_INET6)
    assert [V4] == for_family([V6, V4], socket.AF_INET)
    assert [] == interleave([]) == for_family([V6], socket.AF_INET)


class SlowResolver:
    """Answers a query for a family once the test says so; of both, once it has said so for each."""

    def __init__(self) -> None:
        self.answers: dict[int, asyncio.Future[list[Address]]] = {
            family: asyncio.get_running_loop().create_future() for family in (socket.AF_INET, socket.AF_INET6)
        }
        self.asked: list[int] = []

    async def getaddrinfo(
        self, host: str, port: int, *, family: int, **kw: Any
    ) -> Sequence[tuple[Any, Any, Any, Any, Any]]:
        self.asked.append(family)
        families = [socket.AF_INET6, socket.AF_INET] if family == socket.AF_UNSPEC else [family]
        return [
            (family, 0, 0, "", address)
            for family in families
            for address in await asyncio.shield(self.answers[family])
        ]

    async def resolve(self, *, delay: float = 0.0) -> Resolved:
        return await resolve("example.org", 443, getaddrinfo=self.getaddrinfo, patience=0.0, delay=delay)


@pytest.mark.parametrize(
    ("family", "first", "other"), [(socket.AF_INET6, V6, V4), (socket.AF_INET, V4, V6)], ids=["IPv6", "IPv4"]
)
def test_slow_answer_for_one_family_does_not_hold_up_the_other(
    family: int, first: Address, other: Address
) -> None:  # RFC 8305 §3
    async def main() -> None:
        resolver = SlowResolver()
        resolver.answers[family].set_result([first])
        resolved = await resolver.resolve()
        assert [first] == resolved.addresses
        assert resolved.later is not None
        assert not resolved.later.done()
        other_family = socket.AF_INET6 if family == socket.AF_INET else socket.AF_INET
        resolver.answers[other_family].set_result([other])
        assert [V6, V4] == await resolved.later

    asyncio.run(main())


def test_ipv4_waits_a_little_for_ipv6() -> None:  # RFC 8305 §3
    async def main() -> None:
        resolver = SlowResolver()
        resolver.answers[socket.AF_INET].set_result([V4])
        resolving = asyncio.create_task(resolver.resolve(delay=3600))
        while len(resolver.asked) < 3:
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        assert not resolving.done()
        resolver.answers[socket.AF_INET6].set_result([V6])
        assert [V6, V4] == (await resolving).addresses

    asyncio.run(main())


def test_families_are_not_asked_for_apart_when_the_resolver_is_quick() -> None:
    async def main() -> None:
        resolver = SlowResolver()
        for family, address in ((socket.AF_INET, V4), (socket.AF_INET6, V6)):
            resolver.answers[family].set_result([address])
        resolved = await resolve("example.org", 443, getaddrinfo=resolver.getaddrinfo)
        assert Resolved([V6, V4]) == resolved
        assert [socket.AF_UNSPEC] == resolver.asked

    asyncio.run(main())


def test_slow_resolver_that_fails_in_the_end() -> None:
    async def main() -> None:
        resolver = SlowResolver()
        resolving = asyncio.create_task(resolver.resolve())
        while len(resolver.asked) < 3:
            await asyncio.sleep(0)
        for answer in resolver.answers.values():
            answer.set_exception(socket.gaierror(-3, "Temporary failure in name resolution"))
        with pytest.raises(UnknownHost, match="Temporary failure"):
            await resolving

    asyncio.run(main())
