"""A client and a server in virtual time."""

import pytest

from qcore.config import QuicConfig
from qcore.events import HandshakeCompleted
from qcore.testing import LinkConfig, Pair, Stalled, Trace
from qcore.testing.pair import SERVER_NAME, START, throwaway_certificate
from qwire.constants import PacketType
from qwire.frames import AckFrame, CryptoFrame


def history(pair: Pair) -> list[tuple[float, PacketType, int, int]]:
    return [
        (packet.time, packet.packet_type, packet.packet_number, packet.size)
        for trace in (pair.client_trace, pair.server_trace)
        for packet in trace.sent
    ]


def ran(seed: int) -> Pair:
    link = LinkConfig(loss=0.1, reorder=0.1)
    pair = Pair(to_server=link, to_client=link, seed=seed)
    pair.run_until(lambda: pair.client.is_confirmed)
    stream = pair.client.open_stream()
    pair.client.send(stream, bytes(20_000), True)
    pair.run_until(lambda: ("server", stream) in pair.finished)
    return pair


def test_same_seed_same_connection() -> None:
    first = ran(3)
    # Signatures of the certificate's key differ in size by a byte or two from run to run.
    assert [entry[:3] for entry in history(first)][:2] == [entry[:3] for entry in history(ran(3))][:2]
    assert first.client.parts.packer.headers.source_cid == ran(3).client.parts.packer.headers.source_cid
    assert first.client.parts.packer.headers.source_cid != ran(4).client.parts.packer.headers.source_cid


def test_condition_that_holds_takes_no_time() -> None:
    pair = Pair()
    pair.run_until(lambda: True)

    assert START == pair.now


def test_condition_that_never_holds_is_an_error_with_the_seed() -> None:
    pair = Pair(seed=77)
    with pytest.raises(Stalled, match="seed 77: .*time is up"):
        pair.run_until(lambda: False, limit=0.01)
    with pytest.raises(Stalled, match="seed 77: nothing is due"):
        pair.client.close()
        pair.run_until(lambda: False, limit=1_000.0)


def test_time_passes_exactly() -> None:
    pair = Pair()
    pair.run_for(1.5)
    assert START + 1.5 == pair.now

    pair.run_for(0.25)
    assert START + 1.75 == pair.now


def test_both_sides_tell_their_events() -> None:
    pair = Pair()
    pair.run_until(lambda: pair.client.is_confirmed)

    for events in (pair.client_events, pair.server_events):
        assert 1 == sum(isinstance(event, HandshakeCompleted) for event in events)


@pytest.mark.parametrize("auto_read", [True, False])
def test_streams_are_read_if_wanted(auto_read: bool) -> None:
    pair = Pair(auto_read=auto_read)
    pair.run_until(lambda: pair.client.is_confirmed)
    stream = pair.client.open_stream()
    pair.client.send(stream, b"data", True)
    pair.run_for(1.0)

    assert auto_read is (("server", stream) in pair.finished)
    assert (b"data" if auto_read else None) == pair.received.get(("server", stream))


def test_idle_means_that_nothing_is_on_its_way() -> None:
    pair = Pair()
    pair.run_until(lambda: pair.client.is_confirmed)
    pair.run_until_idle()

    assert 0 == pair.client.stats().bytes_in_flight


def test_client_may_move() -> None:
    pair = Pair()
    pair.run_until(lambda: pair.client.is_confirmed)
    pair.client_address = ("10.9.9.9", 9_999)
    pair.client.ping()
    pair.run_for(1.0)

    assert pair.server is not None
    assert ("10.9.9.9", 9_999) == pair.server.address


def test_configurations_are_those_given() -> None:
    pair = Pair(client_config=QuicConfig(max_bidi=7), server_config=QuicConfig(max_bidi=9))
    pair.run_until(lambda: pair.client.is_confirmed)
    assert pair.server is not None
    told = pair.server.info.peer_parameters, pair.client.info.peer_parameters

    assert [7, 9] == [parameters.initial_max_streams_bidi for parameters in told if parameters is not None]
    assert SERVER_NAME == pair.server.info.server_name


def test_certificate_is_made_once() -> None:
    assert throwaway_certificate() is throwaway_certificate()


def test_trace_lists_what_happened() -> None:
    pair = Pair(to_server=LinkConfig(loss=0.3, max_loss_run=2), seed=4)
    pair.run_until(lambda: pair.client.is_confirmed)
    trace = pair.client_trace

    assert isinstance(trace, Trace)
    assert trace.count("packet_sent") == len(trace.sent)
    assert trace.count("packet_received") == len(trace.received)
    assert trace.count("packet_lost") == len(trace.lost)
    assert trace.count("packet_dropped") == len(trace.dropped)
    assert ["established", "confirmed"] == trace.states
    assert {True, False} == set(trace.parameters)
    assert trace.frames_sent(CryptoFrame)
    assert trace.frames_received(AckFrame)
    assert 0 == trace.count("no such event")
    assert PacketType.INITIAL is trace.sent[0].packet_type
