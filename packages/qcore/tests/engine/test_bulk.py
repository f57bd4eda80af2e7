"""Bulk transfer: runs of packets instead of packet by packet."""

import sys
from itertools import groupby
from types import FrameType
from typing import Final

import pytest

import qcore.engine.bulk
from qcore.batch import Datagram, SendBatch
from qcore.config import QuicConfig
from qcore.testing import LinkConfig, Pair
from qcore.testing.pair import CLIENT_ADDRESS, SERVER_ADDRESS
from qcore.testing.transfer import Transfer
from qwire.frames import Frame, StreamFrame

MIB: Final = 1 << 20
IS_COMPILED: Final = not qcore.engine.bulk.__file__.endswith(".py")
INTERPRETED = pytest.mark.skipif(IS_COMPILED, reason="compiled functions make calls that nobody can count")


def content_of(size: int) -> bytes:
    return b"".join([index.to_bytes(4, "big") for index in range(size // 4)])


@pytest.mark.parametrize("observed", [True, False], ids=["observed", "unobserved"])
@pytest.mark.parametrize(
    "link",
    [
        pytest.param(LinkConfig(), id="clean"),
        pytest.param(LinkConfig(loss=0.05), id="loss"),
        pytest.param(LinkConfig(reorder=0.1, duplicate=0.1), id="reordering and duplicates"),
        pytest.param(LinkConfig(corrupt=0.05), id="corruption"),
        pytest.param(LinkConfig(mark=0.1), id="congestion marks"),
    ],
)
def test_data_arrives_whatever_the_network_does(link: LinkConfig, observed: bool) -> None:
    content = content_of(MIB // 2)
    pair = Pair(to_server=link, to_client=link, observed=observed)
    pair.run_until(lambda: pair.client.is_confirmed)
    streams = [pair.client.open_stream() for _ in range(3)]
    for stream in streams:
        pair.client.send(stream, content, True)
    pair.run_until(lambda: len(pair.finished) == 3)

    assert [content] * 3 == [pair.received["server", stream] for stream in streams]


def test_keys_change_in_the_middle() -> None:
    content = content_of(MIB)
    pair = Pair(observed=False)
    pair.run_until(lambda: pair.client.is_confirmed)
    stream = pair.client.open_stream()
    pair.client.send(stream, content, True)
    for _ in range(3):
        pair.run_for(0.1)
        pair.client.update_keys()
    pair.run_until(lambda: bool(pair.finished))

    assert content == pair.received["server", stream]


def sent_in_batches_of(limit: int, *, streams: int, ecn: bool) -> list[tuple[int, int, list[Frame]]]:
    """Number, size and frames of what a client sends while acknowledgements come back, so many datagrams at a time."""
    config = QuicConfig(ecn=ecn)
    pair = Pair(client_config=config, server_config=config)
    pair.run_until(lambda: pair.client.is_confirmed)
    pair.client.parts.want_larger()
    pair.run_for(2.0)
    assert pair.server is not None
    before = len(pair.client_trace.sent)
    for _ in range(streams):
        pair.client.send(pair.client.open_stream(), bytes(200_000 // streams), True)
    now = pair.now
    batch = SendBatch(limit)
    while now < pair.now + 0.4:
        now += 0.002
        arrived: list[Datagram] = []
        for engine, source in ((pair.client, CLIENT_ADDRESS), (pair.server, SERVER_ADDRESS)):
            if engine.next_timeout() <= now:
                engine.handle_timeout(now)
            if arrived:
                engine.receive(arrived, now)
            arrived = []
            while engine.transmit(now, batch):
                arrived += [Datagram(each.data, source, each.ecn) for each in batch.datagrams()]
                batch.clear()
        if arrived:
            pair.client.receive(arrived, now)
    return [
        (packet.packet_number, packet.size, list(packet.frames)) for packet in pair.client_trace.sent[before:]
    ]


@pytest.mark.parametrize("ecn", [True, False])
def test_runs_are_the_packets_that_are_sent_one_by_one(ecn: bool) -> None:
    one_by_one = sent_in_batches_of(1, streams=1, ecn=ecn)

    assert one_by_one == sent_in_batches_of(64, streams=1, ecn=ecn)
    assert 200_000 == sum(
        len(frame.data) for _, _, frames in one_by_one for frame in frames if isinstance(frame, StreamFrame)
    )


def test_streams_take_turns_of_a_few_packets() -> None:
    packets = sent_in_batches_of(64, streams=3, ecn=False)
    turns = [
        (stream_id, len(list(frames)))
        for stream_id, frames in groupby(
            frame.stream_id for _, _, frames in packets for frame in frames if isinstance(frame, StreamFrame)
        )
    ]

    assert {0, 4, 8} == {stream_id for stream_id, _ in turns}
    assert 8 == max(count for _, count in turns[:6])


def calls_per_packet(transfer: Transfer) -> float:
    """Calls of functions for each packet of a transfer that is sent, received and acknowledged."""
    transfer.run(8_000)
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        if event in ("call", "c_call"):
            calls += 1

    before = transfer.packets
    sys.setprofile(count)
    try:
        transfer.run(1_280)
    finally:
        sys.setprofile(None)
    return calls / (transfer.packets - before)


@INTERPRETED
def test_a_packet_costs_few_calls() -> None:
    assert calls_per_packet(Transfer()) < 60


@INTERPRETED
def test_a_packet_costs_the_same_however_many_are_in_flight() -> None:
    assert calls_per_packet(Transfer(in_flight=6_400)) < 1.1 * calls_per_packet(Transfer(in_flight=128))


@INTERPRETED
def test_a_packet_costs_little_more_on_many_streams() -> None:
    assert calls_per_packet(Transfer(streams=1_000)) < 1.5 * calls_per_packet(Transfer(streams=1))
