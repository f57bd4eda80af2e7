"""The cases of the quic-interop-runner between this stack and aioquic, both ways, in virtual time.

Link, files and criteria are the runner's. aioquic does not do ECN, so the case ecn is missing; ipv6 is about sockets
and crosstraffic about TCP, and both are elsewhere.
"""

from collections.abc import Sequence
from dataclasses import replace

import pytest

pytest.importorskip("aioquic")

from qcore.testing import LinkConfig, Seeded
from qcore.testing.interop import LIMIT, LINK, damage, lossy
from qcore.testing.pair import SERVER_ADDRESS, SERVER_NAME, START
from qtls.adapters.long_chain import make_long_chain
from qwire.constants import VERSION_1, VERSION_2, PacketType
from qwire.frames import (
    CryptoFrame,
    MaxDataFrame,
    MaxStreamDataFrame,
    MaxStreamsFrame,
    PathChallengeFrame,
    PathResponseFrame,
    StreamFrame,
)
from qwire.headers import parse_long_header

from .http3 import OurHttp3, TheirHttp3
from .rig import PREFERRED_ADDRESS, Client, Rig
from .sides import Download, FileServer
from .stacks import Options, OurClient, OurServer, Stacks

pytestmark = pytest.mark.peer

KIB = 1 << 10
MIB = 1 << 20
PLAIN = Options()


@pytest.fixture(params=[OurClient, OurServer], ids=["our client", "our server"])
def stacks(request: pytest.FixtureRequest) -> Stacks:
    made: Stacks = request.param()
    return made


class Case:
    """A server with files, and one client after the other."""

    def __init__(
        self,
        stacks: Stacks,
        sizes: Sequence[int],
        options: Options = PLAIN,
        *,
        link: LinkConfig = LINK,
        seed: int = 0,
        name_size: int = 10,
    ) -> None:
        content = Seeded(f"files {seed}")(max(sizes) + len(sizes))
        self.files = {
            f"{index:0{name_size}}".encode(): content[index : index + size]
            for index, size in enumerate(sizes)
        }
        self.stacks = stacks
        self.options = options
        self.rig = Rig(stacks.serve(lambda: FileServer(self.files), options, seed), link, seed=seed)

    def dial(self, *, early: bool = False, connection: int = 0) -> tuple[Client, Download]:
        download = Download(list(self.files))
        return self.stacks.dial(download, self.options, connection, self.rig.now, early=early), download

    def fetch(self, *, early: bool = False, connection: int = 0, limit: float = LIMIT) -> Client:
        """Have a client download everything; returns the client."""
        client, download = self.dial(early=early, connection=connection)
        self.took = self.rig.download(client, download, self.files, limit=limit)
        return client


def test_handshake(stacks: Stacks) -> None:
    case = Case(stacks, [KIB])
    client = case.fetch()

    assert 1 == case.rig.handshakes()
    assert not case.rig.is_retried()
    assert VERSION_1 == client.version


def test_transfer(stacks: Stacks) -> None:
    case = Case(stacks, [2 * MIB, 3 * MIB, 5 * MIB], replace(PLAIN, windows=(64 * KIB, 96 * KIB)))
    case.fetch()

    assert 1 == case.rig.handshakes()
    trace = stacks.our_trace()
    seen = trace.frames_sent if stacks.is_our_client else trace.frames_received
    assert seen(MaxDataFrame)
    assert seen(MaxStreamDataFrame)


def test_longrtt(stacks: Stacks) -> None:
    case = Case(stacks, [KIB], link=replace(LINK, delay=0.75))
    case.fetch()

    assert 1 == case.rig.handshakes()
    trace = stacks.our_trace()
    frames = (trace.frames_sent if stacks.is_our_client else trace.frames_received)(CryptoFrame)
    hellos = [frame for frame in frames if frame.offset == 0 and frame.data[:1] == b"\1"]
    assert 2 <= len(hellos)


def test_chacha20(stacks: Stacks) -> None:
    case = Case(stacks, [3 * MIB], replace(PLAIN, chacha20=True))
    case.fetch()

    assert 1 == case.rig.handshakes()


def test_multiplexing(stacks: Stacks) -> None:
    case = Case(stacks, [32] * 1_999, replace(PLAIN, max_streams=1_000))
    case.fetch()

    assert 1 == case.rig.handshakes()
    trace = stacks.our_trace()
    parameters = trace.parameters[not stacks.is_our_client]
    assert parameters.initial_max_streams_bidi <= 1_000
    seen = trace.frames_received if stacks.is_our_client else trace.frames_sent
    assert seen(MaxStreamsFrame)


def test_retry(stacks: Stacks) -> None:
    case = Case(stacks, [10 * KIB], replace(PLAIN, retry=True))
    case.fetch()

    assert case.rig.is_retried()
    headers = [
        parse_long_header(sent.datagram.data) for sent in case.rig.sent if sent.kind is PacketType.INITIAL
    ]
    assert b"" == headers[0].token
    assert 1 == len({header.token for header in headers if header.token})
    trace = stacks.our_trace()
    packets = trace.sent if stacks.is_our_client else trace.received
    numbers = [packet.packet_number for packet in packets if packet.packet_type is PacketType.INITIAL]
    assert sorted(set(numbers)) == numbers, "numbers go on after the Retry (RFC 9000 §17.2.5.3)"
    assert 0 < numbers[-1]


def test_resumption(stacks: Stacks) -> None:
    case = Case(stacks, [5 * KIB, 10 * KIB])
    first = case.fetch()
    assert 1 == case.rig.handshakes()
    size_before = _handshake_size(stacks)
    second = case.fetch(connection=1)

    assert 2 == case.rig.handshakes()
    assert (False, True) == (first.is_resumed, second.is_resumed)
    assert _handshake_size(stacks) < 500 < size_before, "the certificate is sent once"


def _handshake_size(stacks: Stacks) -> int:
    """Bytes of the server's handshake messages at that level."""
    trace = stacks.our_trace()
    return max(
        frame.offset + len(frame.data)
        for packet in (trace.received if stacks.is_our_client else trace.sent)
        if packet.packet_type is PacketType.HANDSHAKE
        for frame in packet.frames
        if isinstance(frame, CryptoFrame)
    )


def test_zerortt(stacks: Stacks) -> None:
    case = Case(stacks, [32] * 40, name_size=250)
    case.fetch()
    client = case.fetch(early=True, connection=1)

    assert 2 == case.rig.handshakes()
    assert client.early_accepted
    trace = stacks.our_trace()
    sizes = dict.fromkeys(PacketType, 0)
    for packet in trace.sent if stacks.is_our_client else trace.received:
        for frame in packet.frames:
            if isinstance(frame, StreamFrame):
                sizes[packet.packet_type] += len(frame.data)
    assert 0 < sizes[PacketType.ZERO_RTT]
    assert sizes[PacketType.ONE_RTT] <= 5_000


def test_http3(stacks: Stacks) -> None:
    stacks.make_our_connection, stacks.make_their_connection = OurHttp3, TheirHttp3
    case = Case(stacks, [5 * KIB, 10 * KIB, 500 * KIB], replace(PLAIN, alpn="h3"))
    case.fetch()

    assert 1 == case.rig.handshakes()


def test_blackhole(stacks: Stacks) -> None:
    holes = tuple((START + 7 * index + 5, START + 7 * index + 7) for index in range(8))
    case = Case(stacks, [10 * MIB], link=replace(LINK, black_holes=holes))
    case.fetch()

    assert 1 == case.rig.handshakes()


def test_keyupdate(stacks: Stacks) -> None:
    case = Case(stacks, [3 * MIB])
    client, download = case.dial()
    case.rig.run_until(
        client, lambda: client.is_confirmed and any(download.bodies.values()) and client.update_keys()
    )
    case.rig.download(client, download, case.files)

    trace = stacks.our_trace()
    assert 1 == case.rig.handshakes()
    assert trace.count("keys_updated")
    assert "does not authenticate" not in trace.dropped


def test_amplificationlimit(stacks: Stacks) -> None:
    options = replace(PLAIN, certificate=make_long_chain([SERVER_NAME]))
    case = Case(stacks, [5 * KIB], options)
    rig = case.rig
    delivered: list[tuple[float, int]] = []
    count = 0

    def drop_early(_: object) -> bool:
        nonlocal count
        count += 1
        return not 2 <= count <= 7

    rig.to_server.filter(drop_early)
    rig.to_server.filter(lambda datagram: _note(delivered, rig.now + LINK.delay, len(datagram.data)))
    case.fetch()

    assert 7_500 <= _handshake_size(stacks)
    # A client's first Handshake packet proves its address. Aioquic stays within the limit, too.
    trace = stacks.our_trace()
    packets = trace.sent if stacks.is_our_client else trace.received
    validated = min(packet.time for packet in packets if packet.packet_type is PacketType.HANDSHAKE)
    sent = 0
    for answered in rig.answered:
        if answered.time >= validated:
            break
        sent += len(answered.datagram.data)
        assert sent <= 3 * sum(size for at, size in delivered if at <= answered.time)


def _note(delivered: list[tuple[float, int]], at: float, size: int) -> bool:
    delivered.append((at, size))
    return True


@pytest.mark.parametrize("first", range(0, 50, 25))
def test_handshakeloss(stacks: Stacks, first: int) -> None:
    for seed in range(first, first + 25):
        case = Case(stacks, [KIB], link=lossy(0.3), seed=seed)
        case.fetch()
        assert 1 == case.rig.handshakes()


def test_transferloss(stacks: Stacks) -> None:
    case = Case(stacks, [2 * MIB], link=lossy(0.02))
    case.fetch()

    assert 1 == case.rig.handshakes()


@pytest.mark.parametrize("first", range(0, 50, 25))
def test_handshakecorruption(stacks: Stacks, first: int) -> None:
    for seed in range(first, first + 25):
        case = Case(stacks, [KIB], seed=seed)
        _damage(case.rig, 0.3, seed)
        case.fetch()


def test_transfercorruption(stacks: Stacks) -> None:
    case = Case(stacks, [2 * MIB])
    _damage(case.rig, 0.02, 0)
    case.fetch()


def _damage(rig: Rig, share: float, seed: int) -> None:
    rig.to_server.filter(damage(f"to server {seed}", share))
    rig.to_client.filter(damage(f"to client {seed}", share))


def test_v2(stacks: Stacks) -> None:
    case = Case(stacks, [KIB], replace(PLAIN, versions=(VERSION_2, VERSION_1)))
    client = case.fetch()

    assert 1 == case.rig.handshakes()
    assert VERSION_1 == case.rig.sent[0].version
    headers = [header for sent in (*case.rig.sent, *case.rig.answered) for header in sent.headers]
    assert {VERSION_2} == {header.version for header in headers if header.packet_type is PacketType.HANDSHAKE}
    assert VERSION_2 == client.version


@pytest.mark.parametrize(
    ("changes_host", "size"),
    # One change of the port is seen in 3 MiB; the runner's 10 MiB see two.
    [pytest.param(False, 3 * MIB, id="port"), pytest.param(True, 10 * MIB, id="addr")],
)
def test_rebind(stacks: Stacks, changes_host: bool, size: int) -> None:
    case = Case(stacks, [size])
    case.rig.rebind([1.0, 6.0, 11.0], changes_host=changes_host)
    case.fetch()

    addresses = list(dict.fromkeys(sent.datagram.address for sent in case.rig.answered))
    assert 2 <= len(addresses)
    if changes_host:
        assert 2 <= len({address[0] for address in addresses})
    trace = stacks.our_trace()
    if stacks.is_our_client:
        asked = {frame.data for frame in trace.frames_received(PathChallengeFrame)}
        answered = {frame.data for frame in trace.frames_sent(PathResponseFrame)}
        assert len(addresses) - 1 <= len(asked)
        assert asked == answered
        return
    # What is sent to the address that was left is a challenge as well (RFC 9000 §9.3.3), and nobody there answers.
    # A small packet allows a small challenge only, so that another one follows for the size (§8.2.3).
    assert (
        len(addresses) - 1 == trace.count("path_validated") <= len(trace.frames_received(PathResponseFrame))
    )
    for address in addresses[1:]:
        begin = next(sent.time for sent in case.rig.answered if sent.datagram.address == address)
        packet = next(packet for packet in trace.sent if packet.time >= begin)
        assert any(isinstance(frame, PathChallengeFrame) for frame in packet.frames)


def test_connectionmigration() -> None:
    stacks = OurServer()  # aioquic's server has no preferred address to offer
    case = Case(stacks, [2 * MIB], replace(PLAIN, prefers_another=True))
    case.fetch()

    assert 1 == case.rig.handshakes()
    wire = case.rig.sent
    assert [SERVER_ADDRESS, PREFERRED_ADDRESS] == list(dict.fromkeys(sent.datagram.address for sent in wire))
    assert PREFERRED_ADDRESS == wire[-1].datagram.address
    cids = {
        address: {
            sent.datagram.data[1:9]
            for sent in wire
            if sent.datagram.address == address and not sent.datagram.data[0] & 0x80
        }
        for address in (SERVER_ADDRESS, PREFERRED_ADDRESS)
    }
    assert cids[SERVER_ADDRESS].isdisjoint(cids[PREFERRED_ADDRESS]), (
        "the new path has connection IDs of its own"
    )
    trace = stacks.our_trace()
    assert trace.frames_received(PathChallengeFrame)
    assert trace.frames_sent(PathResponseFrame)


def test_goodput(stacks: Stacks) -> None:
    case = Case(stacks, [10 * MIB])
    case.fetch()

    kilobits = 10 * MIB * 8 / case.took / 1_000
    assert 8_700 <= kilobits
