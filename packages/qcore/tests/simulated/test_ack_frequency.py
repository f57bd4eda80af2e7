"""Acknowledgements at another frequency. draft-ietf-quic-ack-frequency-14, and its second version."""

from dataclasses import replace
from typing import Final

import pytest

from qcore.ackhandler.frequency import LONGEST_DELAY
from qcore.config import AckFrequency, QuicConfig, local_parameters
from qcore.errors import TransportError
from qcore.testing import LinkConfig, Pair
from qwire.constants import (
    FRAME_ENCODING_ERROR,
    PROTOCOL_VIOLATION,
    TP_MIN_ACK_DELAY_02,
    TRANSPORT_PARAMETER_ERROR,
    VERSION_1,
)
from qwire.frames import AckFrame, AckFrequencyFrame, Frame, ImmediateAckFrame
from qwire.transport_parameters import TransportParameters

from .test_scenarios_connection import established, transfer

FAST: Final = LinkConfig(delay=0.005, rate=2_500_000)
RARE: Final = AckFrequency(threshold=20, max_delay=0.02)


def with_old_parameter() -> QuicConfig:
    """Offers what the second version of the draft has, as Firefox does."""
    plain = QuicConfig(min_ack_delay=None, grease=False)
    offered = local_parameters(plain, b"", version=VERSION_1)
    return replace(plain, parameters=offered.replace(TP_MIN_ACK_DELAY_02, b"\x43\xe8"))


def acks_for(size: int, wish: AckFrequency | None, server: QuicConfig | None = None) -> int:
    """ACK frames that a server sends while a client uploads."""
    config = QuicConfig(ack_frequency=wish)
    pair = established(client_config=config, server_config=server, to_server=FAST, to_client=FAST)
    pair.run_for(0.5)
    before = len(pair.server_trace.frames_sent(AckFrame))
    stream = pair.client.open_stream()
    pair.client.send(stream, bytes(size), True)
    pair.run_until(lambda: ("server", stream) in pair.finished)
    return len(pair.server_trace.frames_sent(AckFrame)) - before


@pytest.mark.parametrize("server", [None, with_old_parameter()], ids=["14th draft", "2nd draft"])
def test_peer_that_is_asked_acknowledges_less(server: QuicConfig | None) -> None:
    assert 2 * acks_for(1_000_000, RARE, server) < acks_for(1_000_000, None, server)


def test_peer_that_cannot_be_asked_is_not() -> None:
    pair = established(
        client_config=QuicConfig(ack_frequency=RARE), server_config=QuicConfig(min_ack_delay=None)
    )
    transfer(pair, 100_000)

    assert [] == pair.client_trace.frames_sent(AckFrequencyFrame)


def test_wish_is_sent_as_the_draft_has_it() -> None:  # §4
    pair = established(client_config=QuicConfig(ack_frequency=AckFrequency(threshold=7, reordering=2)))
    pair.run_for(0.5)

    assert [AckFrequencyFrame(0, 7, 25_000, 2)] == pair.client_trace.frames_sent(AckFrequencyFrame)
    assert pair.client.parts.ack_frequency.ask(1, 0.000_1, 0)
    pair.run_for(0.5)
    # Never below the smallest that the peer offers.
    assert AckFrequencyFrame(1, 1, 1_000, 0) == pair.client_trace.frames_sent(AckFrequencyFrame)[-1]


def test_wish_is_written_for_readers_of_the_second_draft() -> None:
    pair = established(
        client_config=QuicConfig(ack_frequency=AckFrequency(threshold=7)), server_config=with_old_parameter()
    )
    pair.run_for(0.5)

    assert [AckFrequencyFrame(0, 8, 25_000, 0)] == pair.client_trace.frames_sent(AckFrequencyFrame)


def test_lost_wish_is_repeated_and_an_old_one_is_not() -> None:
    pair = established()
    pair.run_for(0.5)
    pair.to_server.drop(2)
    asking = pair.client.parts.ack_frequency
    asking.ask(5, None, 3)
    pair.flush()
    asking.ask(6, None, 3)
    transfer(pair, 50_000)

    sent = [frame.ack_eliciting_threshold for frame in pair.client_trace.frames_sent(AckFrequencyFrame)]
    assert 5 == sent[0]
    assert {6} == set(sent[1:])
    assert 2 <= len(sent[1:])
    assert [6] == [
        frame.ack_eliciting_threshold for frame in pair.server_trace.frames_received(AckFrequencyFrame)
    ]


def test_longer_delay_counts_from_its_sending_and_a_shorter_one_from_its_arrival() -> None:  # §7
    pair = established()
    pair.run_for(0.5)
    recovery = pair.client.parts.recovery
    assert 0.025 == recovery.peer_max_ack_delay
    pair.client.parts.ack_frequency.ask(10, 0.5, 3)
    assert 0.025 == recovery.peer_max_ack_delay
    pair.flush()
    assert 0.5 == recovery.peer_max_ack_delay
    pair.run_for(1.0)
    pair.client.parts.ack_frequency.ask(10, 0.01, 3)
    pair.flush()
    assert 0.5 == recovery.peer_max_ack_delay
    pair.run_for(1.0)

    assert 0.01 == recovery.peer_max_ack_delay


def test_probe_asks_for_an_answer_at_once() -> None:  # §5
    pair = established(client_config=QuicConfig(ack_frequency=AckFrequency(threshold=100, max_delay=2.0)))
    pair.run_for(1.0)
    pair.to_server.drop(1)
    start = pair.now
    stream = pair.client.open_stream()
    pair.client.send(stream, b"lost", True)
    pair.run_until(lambda: ("server", stream) in pair.finished)
    arrived = pair.now
    pair.run_until(lambda: not pair.client.stats().bytes_in_flight)

    assert pair.client_trace.frames_sent(ImmediateAckFrame)
    assert arrived - start > 2.0  # the delay is part of the probe timeout
    assert pair.now - arrived < 0.1


# What we obey


UNHURRIED = QuicConfig(hasty_acks=False)


def asked(*frames: Frame, config: QuicConfig = UNHURRIED) -> Pair:
    """A server that was sent such frames by its client."""
    pair = established(server_config=config)
    pair.run_for(0.5)
    for frame in frames:
        pair.client.parts.control._queue = [frame]
        pair.client.ping()
        pair.run_for(0.3)
    return pair


def delay_of_one_ack(pair: Pair) -> float:
    pair.run_for(0.5)
    trace = pair.server_trace
    sent, received = len(trace.sent), len(trace.received)
    pair.client.ping()
    pair.run_until(lambda: len(trace.sent) > sent, limit=20)
    return pair.now - trace.received[received].time


def test_delay_that_was_asked_for_is_kept() -> None:
    assert pytest.approx(0.3) == delay_of_one_ack(asked(AckFrequencyFrame(0, 10, 300_000, 1)))
    assert pytest.approx(0.025) == delay_of_one_ack(asked())
    assert 0.0 == delay_of_one_ack(asked(AckFrequencyFrame(0, 0, 300_000, 1)))


def test_nobody_waits_longer_than_a_parameter_could_say() -> None:  # RFC 9000 §18.2
    pair = asked(AckFrequencyFrame(0, 1 << 40, (1 << 62) - 1, 0))
    assert pair.server is not None

    assert LONGEST_DELAY == pair.server.parts.spaces[2].received._delay


@pytest.mark.parametrize("numbers", [(3, 2), (3, 3)])
def test_older_wishes_are_ignored(numbers: tuple[int, int]) -> None:  # §4.1
    first, second = numbers
    pair = asked(AckFrequencyFrame(first, 10, 300_000, 1), AckFrequencyFrame(second, 10, 900_000, 1))

    assert pytest.approx(0.3) == delay_of_one_ack(pair)


def test_immediate_ack_is_obeyed() -> None:  # §5
    pair = asked(AckFrequencyFrame(0, 10, 900_000, 1))
    before = len(pair.server_trace.frames_sent(AckFrame))
    pair.client.parts.control._queue = [ImmediateAckFrame()]
    pair.run_for(0.1)

    assert before + 1 == len(pair.server_trace.frames_sent(AckFrame))


@pytest.mark.parametrize(("ignores_order", "tolerance", "acks"), [(1, 10, 0), (0, 10, 1), (1, 2, 1)], ids=str)
def test_second_draft_is_obeyed_where_it_was_offered(ignores_order: int, tolerance: int, acks: int) -> None:
    pair = asked(AckFrequencyFrame(0, tolerance, 900_000, ignores_order), config=with_old_parameter())
    pair.run_for(2.0)
    before = len(pair.server_trace.frames_sent(AckFrame))
    pair.to_server.drop(1)
    for _ in range(3):
        pair.client.ping()
        pair.run_for(0.02)

    assert acks == len(pair.server_trace.frames_sent(AckFrame)) - before


@pytest.mark.parametrize(
    ("frame", "config", "code"),
    [
        (AckFrequencyFrame(0, 1, 999, 1), QuicConfig(), PROTOCOL_VIOLATION),
        (AckFrequencyFrame(0, 1, 999, 0), with_old_parameter(), PROTOCOL_VIOLATION),
        (AckFrequencyFrame(0, 1, 9_999, 1), QuicConfig(min_ack_delay=0.01), PROTOCOL_VIOLATION),
        (AckFrequencyFrame(0, 1, 25_000, 1), QuicConfig(min_ack_delay=None), FRAME_ENCODING_ERROR),
        (ImmediateAckFrame(), QuicConfig(min_ack_delay=None), FRAME_ENCODING_ERROR),
    ],
)
def test_wishes_beyond_what_was_offered_are_violations(frame: Frame, config: QuicConfig, code: int) -> None:
    pair = asked(frame, config=config)
    assert pair.server is not None
    error = pair.server.error

    assert isinstance(error, TransportError)
    assert (code, frame.type, True) == (error.code, error.frame_type, error.is_local)


@pytest.mark.parametrize("id", [0xFF04DE1B, TP_MIN_ACK_DELAY_02])
def test_smallest_delay_above_the_largest_is_a_violation(id: int) -> None:  # §3
    plain = QuicConfig(grease=False, min_ack_delay=None)
    offered = local_parameters(plain, b"", version=VERSION_1).replace(id, b"\x80\x00\x61\xa9")  # 25,001
    pair = Pair(client_config=replace(plain, parameters=offered))
    pair.run_until(lambda: pair.client.is_closed)
    error = pair.client.error

    assert isinstance(error, TransportError)
    assert (TRANSPORT_PARAMETER_ERROR, False) == (error.code, error.is_local)


def test_wishes_that_make_no_sense_are_refused() -> None:
    for wrong in ({"threshold": -1}, {"reordering": -1}, {"max_delay": 0.0}, {"max_delay": 16.4}):
        with pytest.raises(ValueError, match="threshold|waits"):
            AckFrequency(**wrong)
    with pytest.raises(ValueError, match="min_ack_delay"):
        QuicConfig(min_ack_delay=0.03)


def test_offer_is_in_microseconds() -> None:
    assert 1_000 == local_parameters(QuicConfig(), b"", version=VERSION_1).min_ack_delay
    assert local_parameters(QuicConfig(min_ack_delay=None), b"", version=VERSION_1).min_ack_delay is None
    assert 1_000 == TransportParameters.build(min_ack_delay=1_000).min_ack_delay
