"""Somebody on the path or beside it: junk, copies, damage, and packets forged with keys that everyone can derive.

After quic-go's integration tests of a man in the middle. Initial packets protect nobody from somebody who reads
along, so a forged one may end a handshake, with an error that has a type; it may do nothing else.
"""

from collections.abc import Callable

import pytest

from qcore.batch import Datagram
from qcore.errors import QuicError, TransportError
from qcore.testing import Pair, Seeded
from qcore.testing.pair import SERVER_ADDRESS
from qtls.initial import initial_keys
from qtls.retry import integrity_tag
from qwire.buffer import Writer
from qwire.constants import PROTOCOL_VIOLATION, VERSION_1, PacketType
from qwire.frames import AckFrame, ConnectionCloseFrame, CryptoFrame, Frame, PaddingFrame, PathChallengeFrame
from qwire.headers import parse_long_header
from qwire.unprotected import Retry, VersionNegotiation

from ..engine.crafting import long_header, protect

SIZE = 60_000


def confirmed(pair: Pair) -> bool:
    return pair.client.is_confirmed and pair.server is not None and pair.server.is_confirmed


def transfer_both_ways(pair: Pair) -> None:
    """Data up and down arrives whole."""
    pair.run_until(lambda: pair.client.is_established)
    up, down = Seeded(f"up {pair.seed}")(SIZE), Seeded(f"down {pair.seed}")(SIZE)
    stream = pair.client.open_stream()
    pair.client.send(stream, up, True)
    pair.run_until(lambda: ("server", stream) in pair.finished)
    assert pair.server is not None
    pair.server.send(stream, down, True)
    pair.run_until(lambda: ("client", stream) in pair.finished)

    assert up == pair.received["server", stream]
    assert down == pair.received["client", stream]


def each(pair: Pair, act: Callable[[Datagram, bool], bool]) -> None:
    """Have `act` see each datagram, and whether it goes to the server; False keeps it back."""
    pair.to_server.filter(lambda datagram: act(datagram, True))
    pair.to_client.filter(lambda datagram: act(datagram, False))


def keep_in(seen: list[bytes], passes: bool = True) -> Callable[[Datagram], bool]:
    """A filter that collects what it sees."""

    def keep(datagram: Datagram) -> bool:
        seen.append(datagram.data)
        return passes

    return keep


def inject(pair: Pair, data: bytes, to_server: bool) -> None:
    """Deliver bytes now."""
    if to_server:
        pair.router.receive([Datagram(data, pair.client_address)], pair.now)
    else:
        pair.client_router.receive([Datagram(data, SERVER_ADDRESS)], pair.now)


# Junk and copies


@pytest.mark.parametrize("seed", range(3))
def test_random_bytes_change_nothing(seed: int) -> None:
    pair = Pair(seed=seed)
    chance = Seeded(f"junk {seed}")

    def add_junk(datagram: Datagram, to_server: bool) -> bool:
        data = datagram.data
        # The same start, so that it is routed to the connection, and anything behind it.
        start = data[: chance.below(min(len(data), 30))]
        inject(pair, start + chance(1 + chance.below(1_300)), to_server)
        return True

    each(pair, add_junk)
    transfer_both_ways(pair)


@pytest.mark.parametrize("copies", [1, 3])
def test_every_datagram_may_come_again_and_again(copies: int) -> None:
    pair = Pair(seed=copies)
    old: list[tuple[bytes, bool]] = []

    def repeat(datagram: Datagram, to_server: bool) -> bool:
        old.append((datagram.data, to_server))
        for data, direction in old[-copies:]:
            inject(pair, data, direction)
        return True

    each(pair, repeat)
    transfer_both_ways(pair)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_datagrams_are_as_good_as_lost(seed: int) -> None:
    pair = Pair(seed=seed)
    chance = Seeded(f"damage {seed}")

    def damage(datagram: Datagram, to_server: bool) -> bool:
        if pair.client.is_established and chance.below(10) == 0:
            at = chance.below(len(datagram.data))
            datagram.data = datagram.data[:at] + bytes((datagram.data[at] ^ 0x10,)) + datagram.data[at + 1 :]
        return True

    each(pair, damage)
    transfer_both_ways(pair)


@pytest.mark.parametrize("seed", range(3))
def test_truncated_datagrams_are_as_good_as_lost(seed: int) -> None:
    pair = Pair(seed=seed)
    chance = Seeded(f"cut {seed}")

    def cut(datagram: Datagram, to_server: bool) -> bool:
        if chance.below(10) == 0:
            datagram.data = datagram.data[: 1 + chance.below(len(datagram.data))]
        return True

    each(pair, cut)
    transfer_both_ways(pair)


def test_copies_after_the_close_are_answered_ever_more_rarely() -> None:  # RFC 9000 §10.2.1
    pair = Pair()
    recorded: list[bytes] = []
    pair.to_server.filter(keep_in(recorded))
    transfer_both_ways(pair)
    assert pair.server is not None
    pair.server.close(7)
    pair.flush()
    before = pair.to_client.sent
    for data in recorded * 3:
        inject(pair, data, True)
        pair.flush()

    assert pair.to_client.sent - before <= len(recorded * 3).bit_length() + 1


# Packets that anybody can make


def forged_initial(pair: Pair, frames: list[Frame], *, of_server: bool, packet_number: int = 50) -> bytes:
    """An Initial packet by somebody who saw the client's first datagram."""
    negotiation = pair.client.parts
    first = parse_long_header(FIRST[pair.seed])
    keys = initial_keys(first.destination_cid, VERSION_1)
    writer = Writer()
    for frame in frames:
        frame.append(writer)
    if not of_server:
        PaddingFrame(1_200 - len(writer.data)).append(writer)
    elif len(writer.data) < 20:
        PaddingFrame(20).append(writer)
    payload = writer.getvalue()
    destination = negotiation.packer.headers.source_cid if of_server else first.destination_cid
    source = first.destination_cid if of_server else negotiation.packer.headers.source_cid
    header = long_header(PacketType.INITIAL, VERSION_1, destination, source, packet_number, 4, len(payload))
    sealer = keys.server_sealer if of_server else keys.client_sealer
    return protect(sealer, header, packet_number, 4, payload)


FIRST: dict[int, bytes] = {}


def started(seed: int) -> Pair:
    """A pair whose client has sent its first flight, which is still under way."""
    pair = Pair(seed=seed)
    seen: list[bytes] = []
    pair.to_server.filter(keep_in(seen))
    pair.flush()
    FIRST[seed] = seen[0]
    return pair


def test_forged_version_negotiation_with_our_version_is_ignored() -> None:  # RFC 9000 §6.2
    pair = started(1)
    first = parse_long_header(FIRST[1])
    forged = VersionNegotiation(first.source_cid, first.destination_cid, (VERSION_1, 0x1A2A3A4A))
    inject(pair, forged.encode(), False)

    transfer_both_ways(pair)


def test_forged_version_negotiation_for_another_connection_is_ignored() -> None:  # RFC 9000 §17.2.1
    pair = started(2)
    forged = VersionNegotiation(b"somebody", b"anything", (0x1A2A3A4A,))
    inject(pair, forged.encode(), False)

    transfer_both_ways(pair)


def test_forged_retry_without_a_valid_tag_is_ignored() -> None:  # RFC 9000 §17.2.5.2
    pair = started(3)
    first = parse_long_header(FIRST[3])
    forged = Retry(VERSION_1, first.source_cid, b"attacker", b"token", bytes(16)).encode()
    inject(pair, forged, False)

    transfer_both_ways(pair)
    assert 0 == pair.client_trace.count("retry_received")


def test_forged_retry_with_a_valid_tag_ends_in_an_error() -> None:  # RFC 9000 §7.3
    pair = started(4)
    first = parse_long_header(FIRST[4])
    draft = Retry(VERSION_1, first.source_cid, b"attacker", b"token", bytes(16)).encode()[:-16]
    inject(pair, draft + integrity_tag(draft, first.destination_cid, VERSION_1), False)
    pair.run_until(lambda: pair.client.is_closed, limit=60)

    assert isinstance(pair.client.error, QuicError)
    assert not pair.client.is_established


@pytest.mark.parametrize("of_server", [pytest.param(True, id="server"), pytest.param(False, id="client")])
def test_forged_acknowledgement_of_what_was_never_sent(of_server: bool) -> None:  # RFC 9000 §13.1
    pair = started(5)
    if not of_server:
        pair.run_for(0.02)
    inject(pair, forged_initial(pair, [AckFrame([(1_000, 1_000)], 0)], of_server=of_server), not of_server)
    victim = pair.client if of_server else pair.server
    assert victim is not None
    pair.run_until(lambda: victim.is_closed, limit=60)

    error = victim.error
    assert isinstance(error, TransportError)
    assert (PROTOCOL_VIOLATION, True) == (error.code, error.is_local)


def test_forged_frame_that_an_initial_may_not_have() -> None:  # RFC 9000 §12.4
    pair = started(6)
    inject(pair, forged_initial(pair, [PathChallengeFrame(bytes(8))], of_server=True), False)
    pair.run_until(lambda: pair.client.is_closed, limit=60)

    assert isinstance(pair.client.error, TransportError)
    assert PROTOCOL_VIOLATION == pair.client.error.code


def test_forged_close_in_an_initial_ends_the_handshake() -> None:  # RFC 9000 §21.2
    pair = started(7)
    inject(pair, forged_initial(pair, [ConnectionCloseFrame(0x2, 0, b"", False)], of_server=True), False)
    pair.run_until(lambda: pair.client.is_closed, limit=60)

    error = pair.client.error
    assert error is not None
    assert not pair.client.is_established


def test_forged_initial_after_the_handshake_is_too_late() -> None:  # RFC 9001 §4.9.1
    pair = started(8)
    pair.run_until(lambda: confirmed(pair))
    inject(pair, forged_initial(pair, [ConnectionCloseFrame(0x2, 0, b"", False)], of_server=True), False)
    inject(pair, forged_initial(pair, [CryptoFrame(0, b"\1")], of_server=False), True)

    transfer_both_ways(pair)


# Beside the path


def test_copies_from_another_address_do_not_move_the_connection() -> None:  # RFC 9000 §9.3.1
    pair = Pair(seed=9)
    pair.run_until(lambda: confirmed(pair))
    home = pair.client_address
    thief = ("192.0.2.66", 666)

    def copy(datagram: Datagram) -> bool:
        # Faster than the original, and from elsewhere.
        pair.router.receive([Datagram(datagram.data, thief)], pair.now)
        return True

    pair.to_client.filter(lambda datagram: datagram.address == home)
    pair.to_server.filter(copy)
    stream = pair.client.open_stream()
    pair.client.send(stream, bytes(SIZE), True)
    pair.run_for(0.05)
    # The copies stop; what comes from home is heard again.
    pair.to_server._filters.clear()
    pair.run_until(lambda: ("server", stream) in pair.finished, limit=30)
    transfer_both_ways(pair)

    assert pair.server is not None
    assert home == pair.server.address


def test_address_that_does_not_answer_gets_three_times_what_it_sent() -> None:  # RFC 9000 §9.3.1
    pair = Pair(seed=10)
    pair.run_until(lambda: confirmed(pair))
    home = pair.client_address
    thief = ("192.0.2.66", 666)
    to_thief: list[int] = []

    def count(datagram: Datagram) -> bool:
        if datagram.address == thief:
            to_thief.append(len(datagram.data))
        return datagram.address == home

    pair.to_client.filter(count)
    assert pair.server is not None
    stream = pair.server.open_stream()
    pair.server.send(stream, bytes(200_000), True)
    stolen: list[bytes] = []
    pair.to_server.filter(keep_in(stolen, passes=False))
    pair.client.ping()
    pair.run_for(0.01)
    for data in stolen:
        pair.router.receive([Datagram(data, thief)], pair.now)
    pair.run_for(3.0)

    assert sum(to_thief) <= 3 * sum(map(len, stolen))
