"""Bulk transfer: runs of packets instead of packet by packet."""

import sys
from types import FrameType
from typing import Final

import pytest

import qcore.engine.bulk
from qcore.testing import LinkConfig, Pair
from qcore.testing.transfer import Transfer

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


def calls_per_packet(transfer: Transfer) -> float:
    """Calls of functions for each packet of a transfer that is sent, received and acknowledged."""
    transfer.run(12_800)
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
