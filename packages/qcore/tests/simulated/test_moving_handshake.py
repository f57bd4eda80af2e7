"""Addresses that change during the handshake, and forged ones, on the simulated network. RFC 9000 §8.1, §9.

RFC 9000 relies on an address that stays until the handshake is over. NATs do not keep to that, so a server answers to
where the client was heard last; until an address is proved it gets three times what came from it, and no more.
"""

from collections import Counter

import pytest

from qcore.batch import Address, Datagram
from qcore.packing.builder import MIN_INITIAL_SIZE
from qcore.testing import LinkConfig, Pair, Seeded
from qcore.testing.pair import CLIENT_ADDRESS, throwaway_certificate
from qtls.config import ClientTLS, ServerTLS
from qwire.constants import PacketType

from .test_scenarios_handshake import long_chain

VICTIM: Address = ("192.0.2.66", 666)
SIZE = 100_000


class Ledger:
    """Bytes to and from each address of the server's peers, which never are out of proportion before a proof."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.heard: Counter[Address] = Counter()
        self.said: Counter[Address] = Counter()
        pair.to_client.filter(self.say)

    def say(self, datagram: Datagram) -> bool:
        """Count a datagram to the client, which a NAT only lets through to the address of now."""
        self.said[datagram.address] += len(datagram.data)
        return datagram.address == self.pair.client_address

    def check_paths(self) -> None:
        server = self.pair.server
        if server is not None and not server.is_closed:
            for path in server.parts.paths.paths():
                assert path.validated or path.sent <= 3 * path.received


def download(pair: Pair, ledger: Ledger) -> None:
    """A handshake, and data behind it that arrives whole."""

    def established() -> bool:
        ledger.check_paths()
        return pair.client.is_confirmed and pair.server is not None and pair.server.is_confirmed

    pair.run_until(established)
    assert pair.server is not None
    data = Seeded(f"down {pair.seed}")(SIZE)
    stream = pair.server.open_stream()
    pair.server.send(stream, data, True)
    pair.client.ping()  # a client that says nothing after its address changed cannot be found
    pair.run_until(lambda: ("client", stream) in pair.finished)

    assert data == pair.received["client", stream]
    assert pair.client_address == pair.server.address


@pytest.mark.parametrize(
    "chain", [pytest.param(False, id="short chain"), pytest.param(True, id="long chain")]
)
@pytest.mark.parametrize(
    "host", [pytest.param("10.0.0.1", id="port"), pytest.param("10.0.9.9", id="address")]
)
@pytest.mark.parametrize("index", range(1, 7))
def test_address_may_change_before_any_datagram_of_the_handshake(index: int, host: str, chain: bool) -> None:
    made = long_chain() if chain else throwaway_certificate()
    pair = Pair(
        seed=index,
        server_tls=ServerTLS(certs=made.chain, alpn=("test",)),
        client_tls=ClientTLS(alpn=("test",), ca=made.ca_pem),
    )
    ledger = Ledger(pair)
    count = 0

    def move(_: Datagram) -> bool:
        nonlocal count
        if count == index:
            pair.client_address = (host, 50_001)
        count += 1
        return True

    pair.to_server.filter(move)
    download(pair, ledger)


@pytest.mark.parametrize("seed", range(5))
def test_address_may_change_with_each_datagram_of_the_handshake(seed: int) -> None:
    link = LinkConfig(loss=0.1)
    pair = Pair(seed=seed, to_server=link, to_client=link)
    ledger = Ledger(pair)
    port = 50_000

    def move(_: Datagram) -> bool:
        nonlocal port
        if not pair.client.is_confirmed:
            port += 1
            pair.client_address = (CLIENT_ADDRESS[0], port)
        return True

    pair.to_server.filter(move)
    download(pair, ledger)


@pytest.mark.parametrize("kind", [PacketType.INITIAL, PacketType.HANDSHAKE])
def test_forged_source_in_the_handshake_gets_three_times_what_it_sent(kind: PacketType) -> None:
    # An attacker who speaks for itself and then for a victim: the Handshake packet is genuine, its source is not.
    pair = Pair()
    ledger = Ledger(pair)
    heard = 0

    def forge(datagram: Datagram) -> bool:
        nonlocal heard
        is_wanted = kind is PacketType.INITIAL or pair.client.is_established
        if is_wanted and datagram.data[0] & 0x80 and heard < 2 * MIN_INITIAL_SIZE:
            heard += len(datagram.data)
            pair.router.receive([Datagram(datagram.data, VICTIM)], pair.now)
            if pair.server is not None and pair.server.is_established:
                pair.server.send(pair.server.open_stream(), bytes(SIZE))
        return True

    pair.to_server.filter(forge)
    pair.run_until(lambda: pair.client.is_established)
    pair.run_for(20.0)

    assert 0 < ledger.said[VICTIM] <= 3 * heard


@pytest.mark.parametrize("index", range(5))
def test_copies_from_elsewhere_do_not_end_the_handshake(index: int) -> None:
    # Faster than the original each time, so that the server is always drawn to where nobody is.
    pair = Pair(seed=index)
    ledger = Ledger(pair)
    count = 0

    def copy(datagram: Datagram) -> bool:
        nonlocal count
        count += 1
        if count <= index + 1:
            touched = pair.router.receive([Datagram(datagram.data, VICTIM)], pair.now)
            pair.server = pair.server or next(iter(touched), None)
        return True

    pair.to_server.filter(copy)
    download(pair, ledger)


def test_client_goes_on_asking_while_its_new_address_is_not_proved() -> None:
    # The server answers a small Handshake packet from a new address with three times as much, and what it says is lost.
    pair = Pair()
    ledger = Ledger(pair)
    moved_at = 0.0

    def move(datagram: Datagram) -> bool:
        nonlocal moved_at
        if not moved_at and pair.client.parts.spaces[1].sealer is not None:
            moved_at = pair.now
            pair.client_address = (CLIENT_ADDRESS[0], 50_001)
        return True

    pair.to_server.filter(move)
    pair.to_client.filter(lambda datagram: not moved_at or pair.now > moved_at + 3 or len(datagram.data) < 60)
    download(pair, ledger)
