"""Routers that share an address: what reaches the wrong one goes to the other. No processes, no sockets."""

from typing import Final

import pytest

from qcore.batch import Address, Datagram, SendBatch
from qcore.config import QuicConfig
from qcore.engine.engine import QuicEngine
from qcore.ids.workers import WorkerIds
from qcore.router import Router
from qcore.testing import Seeded
from qcore.testing.pair import START, WALL, throwaway_certificate
from qtls.config import ServerTLS

from .engine.sites import Site

CLIENT: Final[Address] = ("192.0.2.1", 50_000)
MOVED: Final[Address] = ("192.0.2.1", 60_000)
SERVER: Final[Address] = ("198.51.100.1", 443)
RESET_KEY: Final = b"r" * 32


class Host:
    """Two routers on one address.

    Attributes:
        handed_on: by the number of the router that got a datagram: how many it passed to the other.
        passed_on: the same of those that came from clients it did not let in.
    """

    def __init__(self, *, listens: bool = True) -> None:
        ids = WorkerIds()
        self.handed_on = [0, 0]
        self.passed_on = [0, 0]
        self.engines: list[QuicEngine] = []
        self.routers: list[Router] = []
        for number in (0, 1):
            random = Seeded(number)

            def hand_on(cid: bytes, datagram: Datagram, number: int = number) -> bool:
                if ids.worker_of(cid) != 1 - number:
                    return False
                self.handed_on[number] += 1
                self._give(1 - number, datagram)
                return True

            def pass_on(cid: bytes, datagram: Datagram, number: int = number) -> bool:
                self.passed_on[number] += 1
                self._give(1 - number, datagram)
                return True

            router = Router(
                cids=ids.generator(number, random),
                reset_key=RESET_KEY,
                token_keys=(b"t" * 32,),
                random=random,
                wall_offset=WALL - START,
                hand_on=hand_on,
                pass_on=pass_on,
            )
            if listens:
                router.listen(
                    tls=ServerTLS(certs=throwaway_certificate().chain, alpn=("test",)),
                    config=QuicConfig(random=random),
                )
            self.routers.append(router)

    def _give(self, number: int, datagram: Datagram) -> None:
        for engine in self.routers[number].receive([datagram], START):
            if engine not in self.engines:
                self.engines.append(engine)

    def receive(self, number: int, data: bytes, source: Address) -> None:
        self._give(number, Datagram(data, source))

    def transmit(self) -> list[tuple[Address, bytes]]:
        batch = SendBatch(1_000)
        sources: list[Router | QuicEngine] = [*self.routers, *self.engines]
        for source in sources:
            source.transmit(START, batch)
        return [(datagram.address, datagram.data) for datagram in batch.datagrams()]


def test_client_that_moves_during_the_handshake_is_served() -> None:
    host, client = Host(), Site(CLIENT)
    engine = client.dial(SERVER)
    for _, data in client.transmit():
        host.receive(0, data, CLIENT)
    for _ in range(20):
        for _, data in host.transmit():
            client.receive(data, SERVER)
        for _, data in client.transmit():
            host.receive(1, data, MOVED)  # all the rest comes to the one that knows nothing

    assert engine.is_confirmed
    assert 1 == len(host.engines)
    assert host.engines[0].is_confirmed
    assert host.handed_on[1] > 0
    assert 0 == host.handed_on[0]

    stream = engine.open_stream()
    engine.send(stream, b"hello", True)
    for _, data in client.transmit():
        host.receive(1, data, MOVED)
    assert (b"hello", True) == host.engines[0].read(stream)


def test_late_initial_is_handed_on() -> None:
    host, client = Host(), Site(CLIENT)
    client.dial(SERVER)
    for _, data in client.transmit():
        host.receive(0, data, CLIENT)
    for _, data in host.transmit():
        client.receive(data, SERVER)
    (first, *_) = [data for _, data in client.transmit()]
    assert 0xC0 == first[0] & 0xF0, "an Initial, with a Handshake packet behind it"
    host.receive(1, first, MOVED)

    assert [0, 1] == host.handed_on
    assert 1 == len(host.engines)


def test_first_initials_stay_where_they_come() -> None:
    host = Host()
    for number in range(50):
        client = Site(CLIENT, seed=number)
        client.dial(SERVER)
        for _, data in client.transmit():
            host.receive(number % 2, data, CLIENT)

    assert [0, 0] == host.handed_on
    assert 50 == len(host.engines)


@pytest.mark.parametrize("number", [0, 1])
def test_reset_comes_from_the_one_whose_id_it_is(number: int) -> None:
    host = Host()
    cid = WorkerIds().generator(0, Seeded("lost")).generate()
    host.receive(number, b"\x40" + cid + bytes(100), CLIENT)

    ((_, answer),) = host.transmit()
    assert [0, number] == host.handed_on
    assert host.routers[0]._reset_token(cid) == answer[-16:]


def test_one_that_takes_nobody_in_still_hands_on() -> None:
    host = Host(listens=False)
    host.receive(1, b"\x40" + WorkerIds().generator(0, Seeded(1)).generate() + bytes(100), CLIENT)

    assert [0, 1] == host.handed_on
    assert [] == host.transmit()


def test_clients_of_one_that_takes_nobody_in_any_more_are_served_by_the_other() -> None:
    host, client = Host(), Site(CLIENT)
    host.routers[0].stop_listening()
    engine = client.dial(SERVER)
    for _ in range(20):
        for _, data in client.transmit():
            host.receive(0, data, CLIENT)
        for _, data in host.transmit():
            client.receive(data, SERVER)

    assert engine.is_confirmed
    assert 1 == len(host.engines)
    # Whatever names the connection goes where that is; the first flight names none yet.
    assert host.passed_on[0] > 0
    assert host.handed_on[0] > 0
    assert 0 == host.handed_on[1] == host.passed_on[1]


@pytest.mark.parametrize("size", range(1, 9))
@pytest.mark.parametrize("first", [0x40, 0xC0, 0xE0])
def test_scraps_are_dropped(first: int, size: int) -> None:
    host = Host()
    host.receive(0, (bytes((first,)) + b"\0\0\0\1" + bytes(4))[:size], CLIENT)

    assert [] == host.transmit()
    assert [] == host.engines
