"""Floods of frames, each of which is allowed: memory stays where it is, and the cost of one frame does not grow.

Memory is what can be reached from the engine, cost is calls of functions: both are the same on every machine. The
limits that hold here are listed in docs/limits.md. `UQUIC_FLOOD` sets the number of packets; a million frames of each
kind take some minutes:

    UQUIC_FLOOD=200000 ./hatchw run test packages/qcore/tests/engine/test_floods.py -n auto
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import pytest

from qcore.config import QuicConfig
from qcore.spaces import APPLICATION
from qcore.testing.weighing import calls, held
from qwire.constants import (
    CONNECTION_ID_LIMIT_ERROR,
    CRYPTO_BUFFER_EXCEEDED,
    FLOW_CONTROL_ERROR,
    PROTOCOL_VIOLATION,
    PacketType,
)
from qwire.frames import (
    AckFrame,
    CryptoFrame,
    DataBlockedFrame,
    DatagramFrame,
    Frame,
    HandshakeDoneFrame,
    MaxDataFrame,
    MaxStreamDataFrame,
    MaxStreamsFrame,
    NewConnectionIdFrame,
    NewTokenFrame,
    PaddingFrame,
    PathChallengeFrame,
    PathResponseFrame,
    PingFrame,
    ResetStreamFrame,
    RetireConnectionIdFrame,
    StopSendingFrame,
    StreamDataBlockedFrame,
    StreamFrame,
    StreamsBlockedFrame,
)

from .crafting import Cheat, confirmed_pair, craft

PACKETS: Final = int(os.environ.get("UQUIC_FLOOD", "1500"))
KIB: Final = 1024
# What a connection may hold at most because of a flood, beside its windows.
CAP: Final = 1024 * KIB
# What it may grow by for each packet: its place in the list of packets without an answer, a PING now and then, and in
# the acknowledgements that wait for an answer the gaps that skipped packet numbers leave.
GROWTH: Final = 160
# Packets of the two runs whose costs are compared, and how much more twice as many may cost.
FEW: Final = 150
RATIO: Final = 2.3

Make = Callable[[int], Frame]


@dataclass(frozen=True)
class Flood:
    """Frames of a bad peer.

    Attributes:
        side: who is bad.
        code: how the connection ends, if it does.
        per_packet: frames in a packet.
        answers: the victim may send; what it sends is never acknowledged.
    """

    make: Make
    side: str = "client"
    code: int | None = None
    per_packet: int = 5
    answers: bool = True


def stream_of(side: str, number: int) -> int:
    return 4 * (number % 100) + (side == "server")


def fresh_id(number: int, prior: int) -> NewConnectionIdFrame:
    sequence = number + 8
    return NewConnectionIdFrame(sequence, prior, sequence.to_bytes(8, "big"), sequence.to_bytes(16, "big"))


def floods(side: str) -> dict[str, Flood]:
    """Floods of one side, by attack."""
    bit = side == "server"
    found = {
        "PING": Flood(lambda number: PingFrame()),
        "PADDING": Flood(lambda number: PaddingFrame(1 + number % 20)),
        "ACK of one packet": Flood(lambda number: AckFrame([(0, 0)], number % 100)),
        "MAX_DATA": Flood(lambda number: MaxDataFrame((1 << 30) + number)),
        "MAX_STREAMS": Flood(lambda number: MaxStreamsFrame(bool(number % 2), 100 + number)),
        "MAX_STREAM_DATA": Flood(
            lambda number: MaxStreamDataFrame(stream_of(side, number), (1 << 30) + number)
        ),
        "DATA_BLOCKED": Flood(lambda number: DataBlockedFrame(number)),
        "STREAMS_BLOCKED": Flood(lambda number: StreamsBlockedFrame(bool(number % 2), 100)),
        "STREAM_DATA_BLOCKED": Flood(lambda number: StreamDataBlockedFrame(stream_of(side, number), number)),
        "PATH_CHALLENGE": Flood(lambda number: PathChallengeFrame(number.to_bytes(8, "big")), per_packet=1),
        "PATH_CHALLENGE, many in a packet": Flood(
            lambda number: PathChallengeFrame(number.to_bytes(8, "big")), answers=False
        ),
        "PATH_RESPONSE": Flood(lambda number: PathResponseFrame(number.to_bytes(8, "big"))),
        "RESET_STREAM": Flood(lambda number: ResetStreamFrame(stream_of(side, number), 7, 0)),
        "STOP_SENDING": Flood(lambda number: StopSendingFrame(stream_of(side, number), 7)),
        "empty STREAM": Flood(lambda number: StreamFrame(stream_of(side, number), 0, b"", False)),
        "STREAM of one byte, again and again": Flood(lambda number: StreamFrame(bit, 5, b"x", False)),
        "STREAM backwards": Flood(lambda number: StreamFrame(bit, 1_000_000 - number, b"x", False)),
        "STREAM with gaps": Flood(lambda number: StreamFrame(bit, 2 * (number % 990) + 1, b"x", False)),
        "STREAM with ever more gaps": Flood(
            lambda number: StreamFrame(bit, 2 * number + 1, b"x", False), code=PROTOCOL_VIOLATION
        ),
        "DATAGRAM": Flood(lambda number: DatagramFrame(b"x" * 20, True)),
        "NEW_CONNECTION_ID that retires all before": Flood(
            lambda number: fresh_id(number, number + 8), code=CONNECTION_ID_LIMIT_ERROR
        ),
        "RETIRE_CONNECTION_ID": Flood(lambda number: RetireConnectionIdFrame(1 + number), per_packet=1),
        "CRYPTO with gaps": Flood(
            lambda number: CryptoFrame(2 * number + 3_000, b"x"), code=CRYPTO_BUFFER_EXCEEDED
        ),
        "CRYPTO, the same byte": Flood(lambda number: CryptoFrame(3_000, b"x")),
    }
    if side == "server":
        found["NEW_TOKEN"] = Flood(lambda number: NewTokenFrame(number.to_bytes(40, "big")))
        found["HANDSHAKE_DONE"] = Flood(lambda number: HandshakeDoneFrame())
    return {name: replace(each, side=side) for name, each in found.items()}


ALL: Final = {
    f"{side}: {name}": flood for side in ("client", "server") for name, flood in floods(side).items()
}


def start(flood: Flood) -> Cheat:
    config = QuicConfig(stream_window=1 << 20, connection_window=1 << 21)
    return Cheat(confirmed_pair(client_config=config, server_config=config, auto_read=False), flood.side)


def send(cheat: Cheat, flood: Flood, first: int, stop: int) -> None:
    """Send some packets of a flood; ends with the connection."""
    size = flood.per_packet
    for packet in range(first, stop):
        if cheat.victim.is_closed:
            return
        frames = [flood.make(number) for number in range(packet * size, (packet + 1) * size)]
        cheat.send(PacketType.ONE_RTT, frames)
        cheat.pair.now += 0.000_1
        cheat.victim.events()
        if flood.answers:
            cheat.answer()
            if cheat.victim.next_timeout() <= cheat.pair.now:
                cheat.victim.handle_timeout(cheat.pair.now)


@pytest.mark.parametrize("name", list(ALL))
def test_memory_stays_where_it_is(name: str) -> None:
    flood = ALL[name]
    cheat = start(flood)
    empty = held(cheat.victim)
    send(cheat, flood, 0, PACKETS // 2)
    half = held(cheat.victim)
    send(cheat, flood, PACKETS // 2, PACKETS)
    full = held(cheat.victim)

    assert flood.code == cheat.code
    assert full <= empty + CAP, f"{full - empty} bytes"
    assert full <= half + GROWTH * PACKETS // 2, f"{full - half} bytes more after twice as many packets"


@pytest.mark.parametrize("name", [name for name, flood in ALL.items() if flood.code is None])
def test_cost_grows_no_faster_than_the_number_of_frames(name: str) -> None:
    flood = ALL[name]
    cheat = start(flood)
    send(cheat, flood, 0, FEW)  # the first ones may have more to do
    few = calls(lambda: send(cheat, flood, FEW, 2 * FEW))
    many = calls(lambda: send(cheat, flood, 2 * FEW, 4 * FEW))

    assert many <= RATIO * few + 100


# Larger numbers in one frame or packet


def test_acknowledgement_of_many_ranges_costs_as_much_as_they_are() -> None:  # M8
    def cost(count: int) -> int:
        cheat = Cheat(confirmed_pair(), "client")
        stream = cheat.victim.open_stream()
        cheat.victim.send(stream, bytes(1_000))
        cheat.answer()
        highest = cheat.victim.parts.recovery.largest_sent(APPLICATION)
        ranges = [(number, number) for number in range(highest, highest - 2 * count, -2) if number >= 0]
        frames = [AckFrame(ranges, 0)] * 50
        data = craft(cheat.engine, PacketType.ONE_RTT, frames[:20])
        return calls(lambda: cheat.deliver(data))

    assert cost(400) <= RATIO * cost(200) + 500


def test_jump_to_a_high_stream_costs_no_more_than_the_next_one() -> None:  # M7
    config = QuicConfig(max_bidi=1 << 40)

    def open_at(stream: int) -> tuple[int, int]:
        cheat = Cheat(confirmed_pair(server_config=config), "client")
        data = craft(cheat.engine, PacketType.ONE_RTT, StreamFrame(stream, 0, b"x", False))
        empty = held(cheat.victim)
        return calls(lambda: cheat.deliver(data)), held(cheat.victim) - empty

    near, far = open_at(0), open_at(4 << 39)
    assert far[0] <= near[0] + 20
    assert far[1] <= near[1] + KIB


@pytest.mark.parametrize("side", ["client", "server"])
def test_data_that_nobody_reads_is_bounded_by_the_window(side: str) -> None:  # M6
    config = QuicConfig(stream_window=100_000, connection_window=150_000)
    cheat = Cheat(confirmed_pair(client_config=config, server_config=config, auto_read=False), side)
    empty = held(cheat.victim)
    bit = side == "server"
    for stream in (bit, 4 + bit):
        for offset in range(0, 100_000, 1_000):
            cheat.send(PacketType.ONE_RTT, StreamFrame(stream, offset, bytes(1_000), False))
            cheat.answer()

    assert FLOW_CONTROL_ERROR == cheat.code
    assert held(cheat.victim) <= empty + 150_000 + CAP


@pytest.mark.parametrize("side", ["client", "server"])
def test_copies_of_a_packet_are_processed_once(side: str) -> None:  # A12
    cheat = Cheat(confirmed_pair(), side)
    data = craft(cheat.engine, PacketType.ONE_RTT, PathChallengeFrame(bytes(8)))
    cheat.deliver(data)
    empty = held(cheat.victim)
    for _ in range(2_000):
        cheat.deliver(data)

    assert 1 == len(cheat.victim.parts.paths.active._responses)
    assert held(cheat.victim) <= empty + KIB
