"""Hostile input: whatever arrives, nothing is raised, memory stays flat, and honest peers are served.

The random part runs for `UQUIC_HOSTILE_SECONDS` of wall time in all, 30 unless set. A failure prints the seed;
`UQUIC_SEED` repeats it.
"""

import gc
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final, final

import pytest

from qcore.batch import Address, Datagram
from qcore.config import QuicConfig
from qcore.engine.engine import QuicEngine
from qcore.errors import QuicError, TransportError
from qcore.events import ConnectionEnded, StreamReadable
from qcore.packing.initial_flight import Crypto, FlightContext, InitialPolicy, InOrder, Ping, Placement
from qcore.spaces import APPLICATION
from qcore.testing import Pair
from qcore.testing.pair import START
from qtls.constants import X25519
from qwire.constants import (
    CONNECTION_ID_LIMIT_ERROR,
    CRYPTO_BUFFER_EXCEEDED,
    PROTOCOL_VIOLATION,
    VERSION_1,
    VERSION_2,
    PacketType,
    error_name,
)
from qwire.frames import (
    AckFrame,
    CryptoFrame,
    Frame,
    MaxDataFrame,
    MaxStreamsFrame,
    NewConnectionIdFrame,
    NewTokenFrame,
    PathChallengeFrame,
    PingFrame,
    ResetStreamFrame,
    RetireConnectionIdFrame,
    StopSendingFrame,
    StreamFrame,
)

from ..engine.crafting import Cheat, confirmed_pair, craft, early_pair
from ..engine.fuzzing import Fuzzer
from ..engine.sealed_junk import sealed_junk
from ..engine.sites import Site, Wire

SECONDS: Final = float(os.environ.get("UQUIC_HOSTILE_SECONDS", "30"))
SEED: Final = int(os.environ.get("UQUIC_SEED", str(time.time_ns() % 1_000_000_007)))
THERE: Final[Address] = ("198.51.100.1", 443)
MIB: Final = 1 << 20
# A connection takes some tens of kilobytes, and so many are open at a time that the allocator cannot settle at once.
GROWTH: Final = 32 * MIB
# Of the time of a run, before memory is looked at.
WARM_UP: Final = 0.4


def resident() -> int:
    """Resident memory of this process, or 0 where the system does not tell."""
    if not sys.platform.startswith("linux"):
        return 0
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def engines() -> list[QuicEngine]:
    """All engines of this process."""
    gc.collect()
    return [found for found in gc.get_objects() if isinstance(found, QuicEngine)]


def describe(error: QuicError | None) -> str:
    """How a connection ended, in a word."""
    if isinstance(error, TransportError):
        return error_name(error.code) if error.is_local else "told by the peer"
    return type(error).__name__


@final
class Attack:
    """A time-boxed run of inputs against the routers of some sites.

    Attributes:
        now: virtual time, which passes far quicker than the clock.
        others: engines that were there before, held here so that none of ours can take their place.
        outcomes: how connections ended.
    """

    def __init__(self, label: str, share: float) -> None:
        self.label = label
        self.fuzzer = Fuzzer(f"{SEED} {label}")
        self.now = START
        self.until = time.monotonic() + SECONDS * share
        self.warm = time.monotonic() + SECONDS * share * WARM_UP
        self.inputs = 0
        self.baseline = 0
        self.most_engines = 0
        self.others = engines()
        self.outcomes: Counter[str] = Counter()

    def rounds(self) -> Iterator[int]:
        """Count until the time is over."""
        number = 0
        while time.monotonic() < self.until:
            yield number
            number += 1
            if not self.baseline and time.monotonic() > self.warm:
                gc.collect()
                self.baseline = resident()

    def give(self, site: Site, source: Address, *datagrams: bytes) -> None:
        """Let datagrams arrive, let some time pass, and do what an endpoint does thereupon."""
        self.inputs += len(datagrams)
        try:
            for engine in site.router.receive([Datagram(data, source) for data in datagrams], self.now):
                if engine not in site.engines:
                    site.engines.append(engine)
            self.now += self.fuzzer.random.choice((0.0, 0.001, 0.02, 0.2))
            self.run(site)
        except Exception as error:
            note = f"seed {SEED}, {self.label}, input {self.inputs}: {[data.hex() for data in datagrams]}"
            error.add_note(note)
            raise

    def run(self, site: Site) -> None:
        """Timers, events, reads and sending of one site."""
        for engine in site.engines:
            if engine.next_timeout() <= self.now:
                engine.handle_timeout(self.now)
                assert engine.next_timeout() > self.now, "a timer stays due"
            for event in engine.events():
                if isinstance(event, StreamReadable):
                    engine.read(event.stream_id)
                elif isinstance(event, ConnectionEnded):
                    # What TLS raises beside alerts ends the connection in this way; here it would be a bug.
                    assert "in the TLS configuration" not in str(event.error), event.error
                    self.outcomes[describe(event.error)] += 1
        site.transmit(self.now)
        site.sent.clear()
        site.router.accepted()
        site.forget_ended()
        self.most_engines = max(self.most_engines, len(site.engines))

    def check(self, *sites: Site) -> None:
        """Memory is flat, and nothing is left of connections that ended."""
        gc.collect()
        growth = resident() - self.baseline if self.baseline else 0
        print(
            f"{self.label}: seed {SEED}, {self.inputs} inputs, at most {self.most_engines} engines, "
            f"growth {growth / MIB:.1f} MiB, {dict(self.outcomes.most_common())}"
        )
        assert growth < GROWTH
        assert self.most_engines < 1_000
        self.now += 100.0
        for site in sites:
            for _ in range(10):
                self.run(site)
                self.now += 10.0
            assert [] == site.engines
            for table in ("_by_cid", "_by_address", "half_open"):
                assert not getattr(site.router, table), table
        assert len(self.others) == len(engines()), "an engine is not forgotten"

    def serve_honest(self, server: Site) -> None:
        """The next honest client is served."""
        client = Site(("192.0.2.200", 44_000), seed=self.inputs)
        wire = Wire(client, server)
        wire.now = self.now
        engine = client.dial(THERE, wire.now)
        wire.wait(1.0)
        assert engine.is_confirmed, f"seed {SEED}"
        stream = engine.open_stream()
        engine.send(stream, b"honest", True)
        wire.wait(1.0)
        (peer,) = (each for each in server.engines if each.is_established and each.address == client.address)
        assert (b"honest", True) == peer.read(stream)
        engine.close()
        wire.wait(5.0)
        self.now = wire.now


# Clients of many kinds


class Pieces:
    """A layout that cuts the hello into pieces of some size, the last one first."""

    def __init__(self, size: int) -> None:
        self.size = size

    def lay_out(self, flight: FlightContext) -> Sequence[Sequence[Placement]]:
        pieces = [
            Crypto(at, min(at + self.size, stop))
            for start, stop in flight.ranges
            for at in range(start, stop, self.size)
        ]
        plan: list[list[Placement]] = [[]]
        left = flight.room(0)
        for piece in reversed(pieces):
            taken = flight.crypto_size(piece.start, piece.stop) + 1
            if taken > left:
                plan.append([])
                left = flight.room(len(plan) - 1)
            plan[-1] += [piece, Ping()]
            left -= taken
        return plan


def habits(attack: Attack) -> QuicConfig:
    """A client of some kind."""
    random = attack.fuzzer.random
    policy = InitialPolicy(
        source_cid_size=random.choice((0, 1, 8, 20)),
        destination_cid_size=random.choice((8, 18)),
        first_packet_number=random.choice((0, 1, 100)),
        packet_number_sizes=random.choice(((), (1, 2), (4,))),
        shared_packet_numbers=random.random() < 0.3,
        datagram_size=random.choice((1_200, 1_250, 1_350)),
        padding=random.choice(("packet", "datagram")),
        layout=random.choice((InOrder(), Pieces(100), Pieces(61), Pieces(1_000))),
        skip_before_probe=random.choice((0, 3)),
        probe_relayout=random.random() < 0.5,
        coalesce=random.random() < 0.7,
    )
    versions = random.choice(((VERSION_1, VERSION_2), (VERSION_1,), (VERSION_2, VERSION_1)))
    return QuicConfig(initial=policy, versions=versions, random=attack.fuzzer.draw)


# Against a server


def first_flight(attack: Attack, number: int) -> list[bytes]:
    """What a client sends first."""
    # Every other hello fits into one datagram, so that it is read whole.
    groups = None if number % 2 else (X25519,)
    client = Site(("192.0.2.1", 50_000), seed=f"{SEED} {attack.label} {number}", groups=groups)
    client.dial(THERE, attack.now)
    return [data for _, data in client.transmit(attack.now)]


def test_junk_at_a_server() -> None:
    attack = Attack("junk at a server", 0.3)
    fuzzer, random = attack.fuzzer, attack.fuzzer.random
    server = Site(THERE, seed=SEED).listen()
    for number in attack.rounds():
        source = (f"192.0.2.{number % 200}", 1_024 + number % 50_000)
        if number % 20 == 0:
            flight = first_flight(attack, number // 20)
        data = random.choice(flight)
        draw = random.randrange(8)
        if draw == 0:
            attack.give(server, source, *(fuzzer.junk() for _ in range(4)))
        elif draw == 1:
            attack.give(server, source, fuzzer.damage(data))
        elif draw == 2:
            attack.give(server, source, data[: random.randrange(len(data))])
        elif draw == 3:
            attack.give(server, source, data + fuzzer.junk(), data)
        elif draw == 4:
            attack.give(server, source, *flight, fuzzer.resealed(data))
        else:
            attack.give(server, source, *(fuzzer.resealed(data) for _ in range(3)))
    attack.serve_honest(server)
    attack.check(server)


def handshaking(attack: Attack, server: Site, number: int) -> tuple[Site, QuicEngine, QuicEngine | None]:
    """A client whose first flight has arrived, or whose handshake is complete, by chance."""
    client = Site((f"192.0.2.{number % 200}", 10_000 + number % 40_000), seed=f"{SEED} {number}")
    wire = Wire(client, server)
    wire.now = attack.now
    engine = client.dial(THERE, wire.now, config=habits(attack))
    steps = attack.fuzzer.random.choice((1, 2, 3, 100))
    for _ in range(steps):
        for site, other in ((client, server), (server, client)):
            for target, data in site.transmit(wire.now):
                if target == other.address:
                    other.receive(data, site.address, wire.now)
    attack.now = wire.now
    peer = next(
        (each for each in server.engines if each.address == client.address and not each.is_closed), None
    )
    return client, engine, peer


def attack_one_connection(attack: Attack, server: Site, number: int) -> None:
    random = attack.fuzzer.random
    client, engine, peer = handshaking(attack, server, number)
    for _ in range(random.randrange(1, 60)):
        datagrams = [sealed_junk(attack.fuzzer, engine) for _ in range(random.choice((1, 1, 3)))]
        if random.random() < 0.2:
            datagrams.append(random.choice(datagrams))
        if random.random() < 0.2:
            datagrams.append(b"".join(datagrams)[:1_500])
        attack.give(server, client.address, *datagrams)
        if peer is None or peer.is_closed:
            break


def test_sealed_junk_at_a_server() -> None:
    attack = Attack("sealed junk at a server", 0.35)
    server = Site(THERE, seed=SEED).listen()
    for number in attack.rounds():
        attack_one_connection(attack, server, number)
    attack.serve_honest(server)
    attack.check(server)


# Against a client


def attack_one_client(attack: Attack, client: Site, server: Site) -> None:
    fuzzer, random = attack.fuzzer, attack.fuzzer.random
    engine = client.dial(THERE, attack.now, config=habits(attack))
    original, local = engine.parts.packer.headers.destination_cid, engine.parts.packer.headers.source_cid
    for _, data in client.transmit(attack.now):
        server.receive(data, client.address, attack.now)
    peer = next((each for each in server.engines if not each.is_closed), None)
    answers = [data for _, data in server.transmit(attack.now)]
    if random.random() < 0.6:
        for data in answers:
            attack.give(client, THERE, data)
    for _ in range(random.randrange(1, 40)):
        draw = random.randrange(7)
        if draw == 0:
            attack.give(client, THERE, fuzzer.junk())
        elif draw == 1:
            attack.give(client, THERE, fuzzer.unprotected(local, original))
        elif draw == 2 and answers:
            attack.give(client, THERE, fuzzer.damage(random.choice(answers)))
        elif draw <= 4 and answers:
            data = fuzzer.resealed(random.choice(answers), key_cid=original, is_client=False)
            attack.give(client, THERE, data)
        elif peer is not None:
            attack.give(client, THERE, sealed_junk(attack.fuzzer, peer))
        if engine.is_closed:
            break
    engine.close()
    for each in server.engines:
        each.close()
    for site in (client, server):
        attack.run(site)
    attack.now += 30.0
    for site in (client, server):
        attack.run(site)


def dial_honestly(attack: Attack, client: Site, server: Site) -> None:
    """The next connection to an honest server succeeds."""
    engine = client.dial(THERE, attack.now)
    wire = Wire(client, server)
    wire.now = attack.now
    wire.wait(1.0)
    assert engine.is_confirmed, f"seed {SEED}"
    engine.close()
    wire.wait(5.0)
    attack.now = wire.now


def test_junk_at_a_client() -> None:
    attack = Attack("junk at a client", 0.35)
    server = Site(THERE, seed=SEED).listen()
    client = Site(("192.0.2.1", 50_000), seed=SEED)
    for _ in attack.rounds():
        attack_one_client(attack, client, server)
    attack.serve_honest(server)
    dial_honestly(attack, client, server)
    attack.check(client, server)


# Single attacks. Each floods a connection with frames that are allowed one by one.

FLOOD: Final = 20_000
BATCH: Final = 50


def flood(
    cheat: Cheat,
    frame: Callable[[int], Frame],
    count: int = FLOOD,
    per_packet: int = 50,
    *,
    answer: bool = True,
) -> int:
    """Send many frames; returns by how many bytes the memory of the process has grown in the second half."""
    before = 0
    for start in range(0, count, per_packet):
        if cheat.victim.is_closed:
            break
        frames = [frame(number) for number in range(start, min(start + per_packet, count))]
        cheat.send(PacketType.ONE_RTT, frames)
        if answer:
            cheat.answer()
        for trace in (cheat.pair.client_trace, cheat.pair.server_trace):
            trace.received.clear()  # the notes of the test are no memory of the connection
        if not before and start >= count // 2:
            gc.collect()
            before = resident()
    gc.collect()
    return resident() - before if before else 0


@pytest.mark.parametrize("packet_type", [PacketType.INITIAL, PacketType.HANDSHAKE, PacketType.ONE_RTT])
def test_crypto_gaps_are_bounded(packet_type: PacketType) -> None:  # RFC 9000 §7.5
    cheat = Cheat(early_pair() if packet_type is PacketType.INITIAL else confirmed_pair(), "client")
    if packet_type is PacketType.HANDSHAKE:
        pair = Pair()
        pair.run_until(lambda: pair.client.is_established)
        cheat = Cheat(pair, "client")
    space = {PacketType.INITIAL: 0, PacketType.HANDSHAKE: 1, PacketType.ONE_RTT: 2}[packet_type]
    offset = cheat.victim.parts.spaces[space].crypto.received_size + 1
    for number in range(40_000):
        cheat.send(packet_type, CryptoFrame(offset + 2 * number, b"x"), full=True)
        if cheat.victim.is_closed:
            break

    assert number <= 32_768, "64 KiB are kept, every other byte of them"
    assert CRYPTO_BUFFER_EXCEEDED == cheat.code


def test_one_crypto_byte_at_a_time_costs_no_memory() -> None:
    cheat = Cheat(early_pair(), "client")
    base = cheat.victim.parts.spaces[0].crypto.received_size
    for _ in range(3_000):
        cheat.send(PacketType.INITIAL, CryptoFrame(base + 5, b"x"), full=True)

    assert not cheat.victim.is_closed


def test_path_challenges_are_bounded() -> None:  # quic-go CVE-2023-49295
    cheat = Cheat(confirmed_pair(), "client")
    growth = flood(cheat, lambda number: PathChallengeFrame(number.to_bytes(8, "big")), answer=False)

    assert growth < MIB
    assert cheat.code is None
    assert 8 >= len(cheat.victim.parts.paths.active._responses)


def test_path_challenges_of_a_peer_that_acknowledges_nothing_are_bounded() -> None:
    cheat = Cheat(confirmed_pair(), "client")
    growth = flood(
        cheat, lambda number: PathChallengeFrame(number.to_bytes(8, "big")), per_packet=1, count=5_000
    )

    assert growth < MIB
    assert cheat.code is None


@pytest.mark.parametrize("step", [1, 3])
def test_retirements_are_bounded(step: int) -> None:  # quic-go CVE-2024-22189
    cheat = Cheat(confirmed_pair(), "client")

    def frame(number: int) -> NewConnectionIdFrame:
        sequence = 8 + number * step
        return NewConnectionIdFrame(
            sequence, sequence, sequence.to_bytes(8, "big"), sequence.to_bytes(16, "big")
        )

    flood(cheat, frame)

    assert CONNECTION_ID_LIMIT_ERROR == cheat.code


def test_connection_ids_that_are_given_back_at_once_are_bounded() -> None:
    client, server = Site(("192.0.2.1", 50_000)), Site(THERE).listen()
    wire = Wire(client, server)
    engine = client.dial(THERE)
    wire.settle()
    (victim,) = server.engines
    for number in range(1, 3_000):
        data = craft(engine, PacketType.ONE_RTT, RetireConnectionIdFrame(number))
        assert [victim] == server.receive(data, client.address)
        server.transmit()

    assert not victim.is_closed
    assert 9 >= len(server.router._by_cid), "eight in use, and the client's first destination"


def test_streams_that_are_opened_and_reset_are_bounded() -> None:  # CVE-2023-44487
    cheat = Cheat(confirmed_pair(), "client")

    def frame(number: int) -> Frame:
        return ResetStreamFrame(4 * (number % 100), 7, 0)

    growth = flood(cheat, frame)

    assert growth < MIB
    assert cheat.code is None
    assert 100 >= cheat.victim.stats().open_streams


def test_stop_sending_storm_is_bounded() -> None:
    cheat = Cheat(confirmed_pair(), "client")
    growth = flood(cheat, lambda number: StopSendingFrame(4 * (number % 100), 7))

    assert growth < MIB
    assert cheat.code is None
    assert 100 >= cheat.victim.stats().open_streams


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(lambda number: MaxStreamsFrame(True, number), id="MAX_STREAMS"),
        pytest.param(lambda number: MaxDataFrame(number), id="MAX_DATA"),
        pytest.param(lambda number: PingFrame(), id="PING"),
        pytest.param(
            lambda number: StreamFrame(0, 2 * (number % 900) + 1, b"x", False), id="STREAM with gaps"
        ),
        pytest.param(lambda number: StreamFrame(4 * (number % 100), 0, b"", False), id="empty STREAM"),
    ],
)
def test_small_frames_are_bounded(frame: Callable[[int], Frame]) -> None:
    cheat = Cheat(confirmed_pair(auto_read=False), "client")

    assert flood(cheat, frame) < MIB
    assert cheat.code is None


def test_tokens_of_a_server_are_bounded() -> None:
    cheat = Cheat(confirmed_pair(), "server")
    growth = flood(
        cheat, lambda number: NewTokenFrame(number.to_bytes(40, "big")), count=5_000, per_packet=20
    )

    assert growth < 4 * MIB
    assert cheat.code is None


@pytest.mark.parametrize("side", ["client", "server"])
def test_optimistic_acknowledgement_is_found_out(side: str) -> None:  # RFC 9000 §21.4
    pair = confirmed_pair()
    cheat = Cheat(pair, side)
    stream = cheat.victim.open_stream()
    cheat.victim.send(stream, bytes(2_000_000))
    # Everything is acknowledged up to the highest number, what was left out included.
    for _ in range(400):
        cheat.answer()
        highest = cheat.victim.parts.recovery.largest_sent(APPLICATION)
        cheat.send(PacketType.ONE_RTT, AckFrame([(0, highest)], 0))
        if cheat.victim.is_closed:
            break
        pair.now += 0.01

    assert PROTOCOL_VIOLATION == cheat.code


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("beyond", [1, 1_000, 1 << 40])
def test_acknowledgement_of_what_was_never_sent(side: str, beyond: int) -> None:  # RFC 9000 §13.1
    cheat = Cheat(confirmed_pair(), side)
    number = cheat.victim.parts.recovery.next_packet_number(APPLICATION) - 1 + beyond
    cheat.send(PacketType.ONE_RTT, AckFrame([(number, number)], 0))

    assert PROTOCOL_VIOLATION == cheat.code


def test_acknowledgement_with_a_thousand_ranges_is_taken() -> None:
    pair = confirmed_pair()
    cheat = Cheat(pair, "client")
    ranges = [(number, number) for number in range(2_000, 0, -2)]
    cheat.send(PacketType.ONE_RTT, AckFrame(ranges, 0))

    assert PROTOCOL_VIOLATION == cheat.code


def test_received_ranges_are_bounded() -> None:
    cheat = Cheat(confirmed_pair(), "client")
    base = cheat.engine.parts.recovery.next_packet_number(APPLICATION)
    for number in range(0, 4_000, 2):
        cheat.send(PacketType.ONE_RTT, PingFrame(), packet_number=base + number)
        cheat.answer()

    assert cheat.code is None
    frame = cheat.victim.parts.spaces[APPLICATION].received.ack_frame(cheat.pair.now)
    assert frame is None or len(frame.ranges) <= 64


def test_windows_do_not_grow_by_what_the_peer_claims() -> None:  # aioquic issue 589
    cheat = Cheat(
        confirmed_pair(
            server_config=QuicConfig(stream_window=100_000, connection_window=150_000), auto_read=False
        ),
        "client",
    )
    for number in range(200):
        cheat.send(PacketType.ONE_RTT, StreamFrame(0, 99_999 - number, b"x", False))
        cheat.answer()
    assert cheat.code is None

    cheat.send(PacketType.ONE_RTT, StreamFrame(0, 100_000, b"x", False))
    assert 3 == cheat.code
