"""0-RTT packets that arrive before their Initial: how many are kept, and for how long."""

from qcore.batch import Datagram
from qcore.early_arrivals import KEPT_FOR, MAX_CONNECTIONS, MAX_DATAGRAMS, EarlyArrivals

CLIENT = ("192.0.2.1", 5000)
OTHER = ("192.0.2.2", 5000)


def datagram(text: bytes, address: tuple[str, int] = CLIENT) -> Datagram:
    return Datagram(text, address)


def taken(early: EarlyArrivals, cid: bytes, now: float, address: tuple[str, int] = CLIENT) -> list[bytes]:
    return [each.data for each in early.take(cid, address, now)]


def test_datagrams_come_back_once_and_in_order() -> None:
    early = EarlyArrivals()
    early.keep(b"cid", datagram(b"one"), 1.0)
    early.keep(b"cid", datagram(b"two"), 1.1)

    assert [b"one", b"two"] == taken(early, b"cid", 1.2)
    assert [] == taken(early, b"cid", 1.2)


def test_another_address_gets_nothing() -> None:
    early = EarlyArrivals()
    early.keep(b"cid", datagram(b"one"), 1.0)

    assert [] == taken(early, b"cid", 1.0, OTHER)
    assert [b"one"] == taken(early, b"cid", 1.0)


def test_a_connection_may_leave_only_so_many() -> None:
    early = EarlyArrivals()
    kept = [early.keep(b"cid", datagram(bytes((number,))), 1.0) for number in range(MAX_DATAGRAMS + 2)]

    assert [True] * MAX_DATAGRAMS + [False] * 2 == kept
    assert MAX_DATAGRAMS == len(taken(early, b"cid", 1.0))


def test_the_oldest_connection_gives_way() -> None:
    early = EarlyArrivals()
    for number in range(MAX_CONNECTIONS + 1):
        early.keep(bytes((number,)), datagram(b"data"), 1.0)

    assert MAX_CONNECTIONS == len(early)
    assert [] == taken(early, b"\0", 1.0)
    assert [b"data"] == taken(early, bytes((MAX_CONNECTIONS,)), 1.0)


def test_nothing_is_kept_for_long() -> None:
    early = EarlyArrivals()
    early.keep(b"cid", datagram(b"old"), 1.0)
    early.keep(b"gone", datagram(b"old"), 1.0)
    later = 1.0 + KEPT_FOR + 0.1
    early.keep(b"cid", datagram(b"new"), later)

    assert [b"new"] == taken(early, b"cid", later)
    assert [] == taken(early, b"gone", later)


def test_a_flood_keeps_a_bounded_number() -> None:
    early = EarlyArrivals()
    for number in range(100_000):
        early.keep(number.to_bytes(8, "big"), datagram(b"x"), 1.0)

    assert MAX_CONNECTIONS == len(early)
