"""Attacks that are no floods: handshakes out of order, answers to nothing, tickets in crumbs, silence.

The list of all attacks is in docs/limits.md.
"""

from itertools import permutations
from random import Random

import pytest

from qcore.batch import Datagram
from qcore.config import QuicConfig
from qcore.errors import HandshakeTimeout
from qcore.events import SessionReceived
from qcore.spaces import APPLICATION
from qcore.testing import Pair, Seeded
from qcore.testing.pair import SERVER_ADDRESS, SERVER_NAME, WALL, throwaway_certificate
from qtls.adapters.long_chain import make_long_chain
from qtls.config import ClientTLS, ServerTLS
from qtls.constants import X25519
from qtls.resumption import MemorySessionStore
from qwire.constants import PacketType
from qwire.frames import AckFrame, CryptoFrame, StreamFrame

from .crafting import Cheat, confirmed_pair, first_flight, halfway_pair


def finish(pair: Pair) -> None:
    """The handshake completes, and data goes both ways."""
    pair.run_until(
        lambda: pair.client.is_confirmed and pair.server is not None and pair.server.is_confirmed, limit=20
    )
    assert pair.server is not None
    stream = pair.client.open_stream()
    pair.client.send(stream, b"up", True)
    pair.run_until(lambda: ("server", stream) in pair.finished)
    pair.server.send(stream, b"down", True)
    pair.run_until(lambda: ("client", stream) in pair.finished)

    assert b"down" == pair.received["client", stream]


# S2: what a handshake ends with, in every order (quic-go CVE-2023-46239, CVE-2025-59530)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_last_flight_of_a_client_in_every_order(order: tuple[int, ...]) -> None:
    pair = halfway_pair()
    stream = pair.client.open_stream()
    pair.client.send(stream, bytes(3_000))
    flight: list[bytes] = []
    while len(flight) < 4:
        flight += [each.data for each in pair.to_server.deliver(pair.now + 10)]
        flight += first_flight(pair.client, pair.now)
        pair.client.ping()
    for index in order:
        pair.router.receive([Datagram(flight[index], pair.client_address)], pair.now)

    finish(pair)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_last_flight_of_a_server_in_every_order(order: tuple[int, ...]) -> None:
    made = throwaway_certificate()
    tls = ServerTLS(certs=made.chain, alpn=("test",), groups=(X25519,))
    client_tls = ClientTLS(alpn=("test",), ca=made.ca_pem, groups=(X25519,))
    pair = Pair(server_tls=tls, client_tls=client_tls)
    pair.run_until(lambda: pair.server is not None)
    assert pair.server is not None
    # 1-RTT packets before the client's Finished, and HANDSHAKE_DONE after it, all of which arrive in one go.
    server_stream = pair.server.open_stream(bidirectional=False)
    pair.server.send(server_stream, bytes(4_000), True)
    flight = [each.data for each in pair.to_client.deliver(pair.now + 10)]
    flight += first_flight(pair.server, pair.now)
    for index in order:
        if index < len(flight):
            pair.client_router.receive([Datagram(flight[index], SERVER_ADDRESS)], pair.now)

    finish(pair)
    pair.run_until(lambda: ("client", server_stream) in pair.finished)


# S3: acknowledgements of whatever was sent on whichever path (quic-go CVE-2025-29785)


@pytest.mark.parametrize("seed", range(10))
def test_acknowledgements_during_a_migration(seed: int) -> None:
    random = Random(seed)
    cheat = Cheat(confirmed_pair(seed=seed), "client")
    stream = cheat.victim.open_stream()
    cheat.victim.send(stream, bytes(200_000))
    for step in range(60):
        if random.random() < 0.3:
            cheat.address = (f"10.0.{random.randrange(3)}.1", 50_000 + random.randrange(3))
        highest = cheat.victim.parts.recovery.largest_sent(APPLICATION)
        first = random.randrange(highest + 1)
        ranges = [(first, min(highest, first + random.randrange(5)))]
        if first > 10:
            ranges.append((first - 8, first - 5))
        cheat.send(PacketType.ONE_RTT, [AckFrame(ranges, 0), StreamFrame(0, step, b"x", False)])
        cheat.pair.now += random.random()
        if cheat.victim.next_timeout() <= cheat.pair.now:
            cheat.victim.handle_timeout(cheat.pair.now)
        cheat.answer()
        # Numbers are left out to find such a peer: it may be found, and nothing else may happen.
        if cheat.victim.is_closed:
            assert 0xA == cheat.code
            return
        assert 0 <= cheat.victim.stats().bytes_in_flight


# S5: messages after the handshake, byte by byte (Go CVE-2023-39321)


@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("backwards", [False, True])
def test_ticket_in_crumbs(backwards: bool, size: int) -> None:
    made = throwaway_certificate()
    pair = Pair(
        client_tls=ClientTLS(alpn=("test",), ca=made.ca_pem, sessions=MemorySessionStore()),
        server_tls=ServerTLS(certs=made.chain, alpn=("test",), tickets=1),
    )
    pair.to_client.filter(lambda _: not pair.client.is_established)
    pair.run_until(lambda: pair.server is not None and pair.server.is_confirmed)
    pair.run_for(1.0)
    assert pair.server is not None
    ticket = next(
        frame
        for packet in pair.server_trace.sent
        for frame in packet.frames
        if isinstance(frame, CryptoFrame) and packet.packet_type is PacketType.ONE_RTT
    ).data
    cheat = Cheat(pair, "server")
    crumbs = [CryptoFrame(at, ticket[at : at + size]) for at in range(0, len(ticket), size)]
    for crumb in reversed(crumbs) if backwards else crumbs:
        cheat.send(PacketType.ONE_RTT, crumb)

    assert cheat.code is None
    assert 1 == sum(isinstance(event, SessionReceived) for event in cheat.victim.events())


# A2: a client that sends one datagram and nothing else


@pytest.mark.parametrize("size", [1_200, 1_201, 1_350, 1_452])
def test_silent_client_gets_three_times_what_it_sent(size: int) -> None:  # RFC 9000 §8.1
    made = make_long_chain([SERVER_NAME], wall_clock=WALL)
    pair = Pair(
        server_tls=ServerTLS(certs=made.chain, alpn=("test",)),
        client_tls=ClientTLS(alpn=("test",), ca=made.ca_pem, groups=(X25519,)),
        server_config=QuicConfig(handshake_timeout=60.0),
    )
    heard = said = 0

    def grow(datagram: Datagram) -> bool:
        nonlocal heard
        if heard:
            return False
        # Junk behind the packet counts as well.
        datagram.data += Seeded("junk")(size - len(datagram.data))
        heard = len(datagram.data)
        return True

    def count(datagram: Datagram) -> bool:
        nonlocal said
        said += len(datagram.data)
        return True

    pair.to_server.filter(grow)
    pair.to_client.filter(count)
    pair.run_until(lambda: pair.client.is_closed, limit=120)

    assert isinstance(pair.client.error, HandshakeTimeout)
    assert size == heard
    assert 2 * heard < said <= 3 * heard
