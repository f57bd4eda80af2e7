"""Sockets with several connections: listeners that come and go, connection IDs of one's own making, long round trips."""

from itertools import count

import pytest

from qcore.batch import Address
from qcore.config import QuicConfig
from qcore.congestion import NAMES
from qcore.engine.engine import QuicEngine
from qcore.router import Router
from qcore.testing import LinkConfig, Pair, Seeded
from qcore.testing.pair import SERVER_NAME, START, WALL, throwaway_certificate
from qtls.config import ClientTLS, ServerTLS

from ..engine.sites import Site, Wire

SERVER: Address = ("10.0.0.2", 443)


def echo(wire: Wire, client: QuicEngine, server: Site) -> None:
    """A stream there and back."""
    stream = client.open_stream()
    client.send(stream, b"ping", True)
    wire.wait(0.1)
    (peer,) = [each for each in server.engines if each.address == ("10.0.0.1", client_port(client, wire))]
    assert (b"ping", True) == peer.read(stream)
    peer.send(stream, b"pong", True)
    wire.wait(0.1)
    assert (b"pong", True) == client.read(stream)


def client_port(client: QuicEngine, wire: Wire) -> int:
    return next(address[1] for address, site in wire.sites.items() if client in site.engines)


# Listeners that are exchanged while connections go on (quic-go: hotswap)


def test_listener_may_be_exchanged_while_connections_go_on() -> None:
    server = Site(SERVER).listen()
    first, second, third = (Site(("10.0.0.1", 50_000 + index), seed=index) for index in range(3))
    wire = Wire(server, first, second, third)
    old = first.dial(SERVER)
    wire.wait(0.5)
    assert old.is_confirmed

    server.router.stop_listening()
    between = second.dial(SERVER, wire.now)
    wire.wait(0.5)
    assert not between.is_established
    echo(wire, old, server)

    made = throwaway_certificate()
    config = QuicConfig(random=server.random)
    server.router.listen(tls=ServerTLS(certs=made.chain, alpn=("other",)), config=config)
    new = third.router.connect(
        SERVER,
        tls=ClientTLS(alpn=("other",), ca=made.ca_pem),
        config=QuicConfig(random=third.random),
        server_name=SERVER_NAME,
        now=wire.now,
        wall_clock=WALL,
    )
    third.engines.append(new)
    wire.wait(0.5)
    assert new.is_confirmed
    assert "other" == new.info.alpn
    echo(wire, old, server)
    echo(wire, new, server)


# Connection IDs of one's own making (quic-go: conn_id)


class Counted:
    """Connection IDs that are numbers behind a mark."""

    size = 6

    def __init__(self) -> None:
        self.made: set[bytes] = set()
        self._numbers = count()

    def generate(self) -> bytes:
        cid = b"mark" + next(self._numbers).to_bytes(2, "big")
        self.made.add(cid)
        return cid


def test_connection_ids_come_from_the_generator() -> None:
    generator = Counted()
    server = Site(SERVER)
    server.router = Router(cids=generator, random=server.random, wall_offset=WALL - START)
    server.listen()
    client = Site(("10.0.0.1", 50_000))
    wire = Wire(server, client)
    shown: set[bytes] = set()

    def note(source: Address, target: Address, data: bytes) -> bool:
        if target == SERVER and not data[0] & 0x80:
            shown.add(data[1:7])
        return True

    wire.tap = note
    engine = client.dial(SERVER)
    wire.wait(0.5)
    echo(wire, engine, server)

    assert shown
    assert shown <= generator.made
    assert set(server.router._by_cid) & generator.made


# Round trips of any length (quic-go: rtt)


@pytest.mark.parametrize("congestion", NAMES)
@pytest.mark.parametrize("round_trip", [0.002, 0.01, 0.05, 0.25, 0.8])
def test_transfers_at_any_round_trip(round_trip: float, congestion: str) -> None:
    config = QuicConfig(congestion=congestion)
    link = LinkConfig(delay=round_trip / 2, rate=1_250_000)
    pair = Pair(to_server=link, to_client=link, client_config=config, server_config=config)
    pair.run_until(lambda: pair.client.is_established)
    start = pair.now
    data = Seeded("any round trip")(300_000)
    stream = pair.client.open_stream()
    pair.client.send(stream, data, True)
    pair.run_until(lambda: ("server", stream) in pair.finished)

    assert data == pair.received["server", stream]
    # Slow start needs five or six round trips, and the link a quarter of a second.
    assert pair.now - start < 8 * round_trip + 0.6
    assert pytest.approx(round_trip, rel=0.2, abs=0.002) == pair.client.stats().minimum_rtt
