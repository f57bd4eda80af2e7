"""Connections on the simulated network: data, flow control, closing, silence, paths, keys."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from qcore.batch import Datagram
from qcore.config import QuicConfig
from qcore.engine.engine import QuicEngine
from qcore.errors import (
    ApplicationError,
    ConnectionClosed,
    IdleTimeout,
    StatelessReset,
    StreamLimitReached,
    TransportError,
)
from qcore.events import (
    ConnectionEnded,
    DatagramReceived,
    StreamFinished,
    StreamReset,
    StreamsAvailable,
    StreamStopped,
    StreamWritable,
)
from qcore.testing import LinkConfig, Pair, Seeded
from qwire.constants import PacketType
from qwire.frames import (
    AckFrame,
    MaxDataFrame,
    MaxStreamDataFrame,
    NewConnectionIdFrame,
    PathChallengeFrame,
    PathResponseFrame,
    PingFrame,
    StreamFrame,
)


def established(**options: object) -> Pair:
    pair = Pair(**options)  # type: ignore[arg-type]  # the options of Pair
    pair.run_until(lambda: pair.client.is_confirmed and pair.server is not None and pair.server.is_confirmed)
    return pair


def transfer(pair: Pair, size: int, limit: float = 60.0) -> int:
    data = Seeded(f"data {pair.seed}")(size)
    stream = pair.client.open_stream()
    pair.client.send(stream, data, True)
    pair.run_until(lambda: ("server", stream) in pair.finished, limit)
    assert data == pair.received["server", stream]
    return stream


def test_data_arrives_both_ways() -> None:
    pair = established()
    stream = transfer(pair, 100_000)
    assert pair.server is not None
    pair.server.send(stream, b"answer", True)
    pair.run_until(lambda: ("client", stream) in pair.finished)

    assert b"answer" == pair.received["client", stream]
    pair.run_until(lambda: any(isinstance(event, StreamFinished) for event in pair.client_events))


@pytest.mark.parametrize("kind", ["loss", "reorder", "duplicate", "corrupt"])
def test_data_survives_a_bad_network(kind: str) -> None:
    link = replace(LinkConfig(), **{kind: 0.15})  # type: ignore[arg-type]  # each kind is a probability
    transfer(established(to_server=link, to_client=link, seed=3), 200_000)


def test_lost_packets_are_repaired_without_a_timeout() -> None:  # RFC 9002 §6.1
    pair = established()
    stream = pair.client.open_stream()
    pair.client.send(stream, bytes(60_000), True)
    pair.to_server.drop(1)
    pair.run_until(lambda: ("server", stream) in pair.finished)

    assert 0 == pair.client_trace.count("probe_sent")
    assert pair.client_trace.lost


def test_many_streams_share_the_connection() -> None:
    pair = established(server_config=QuicConfig(max_bidi=200))
    streams = [pair.client.open_stream() for _ in range(200)]
    for stream in streams:
        pair.client.send(stream, bytes((stream & 0xFF,)) * 1_000, True)
    pair.run_until(lambda: all(("server", stream) in pair.finished for stream in streams))


def test_unread_data_stops_the_sender() -> None:  # RFC 9000 §4.1
    pair = established(server_config=QuicConfig(stream_window=50_000), auto_read=False)
    stream = pair.client.open_stream()
    pair.client.send(stream, bytes(200_000), True)
    pair.run_for(5.0)

    sent = {frame.offset + len(frame.data) for frame in pair.client_trace.frames_sent(StreamFrame)}
    assert 50_000 == max(sent)
    assert not pair.server_trace.frames_sent(MaxStreamDataFrame)


def test_reading_gives_credit_back() -> None:
    pair = established(server_config=QuicConfig(stream_window=50_000, connection_window=80_000))
    transfer(pair, 500_000)

    assert pair.server_trace.frames_sent(MaxStreamDataFrame)
    assert pair.server_trace.frames_sent(MaxDataFrame)


def test_full_send_buffer_tells_when_it_has_room_again() -> None:
    pair = established(client_config=QuicConfig(send_buffer=100_000))
    stream = pair.client.open_stream()
    pair.client.send(stream, bytes(100_000))
    assert pair.client.send_capacity(stream) <= 0

    pair.run_until(lambda: StreamWritable(stream) in pair.client_events)
    assert pair.client.send_capacity(stream) > 0


def test_stream_limit_is_refused_and_then_lifted() -> None:  # RFC 9000 §4.6
    pair = established(server_config=QuicConfig(max_bidi=2))
    first, second = pair.client.open_stream(), pair.client.open_stream()
    with pytest.raises(StreamLimitReached):
        pair.client.open_stream()

    assert pair.server is not None
    for stream in (first, second):
        pair.client.send(stream, b"x", True)
        pair.run_until(lambda stream=stream: ("server", stream) in pair.finished)  # type: ignore[misc]
        pair.server.send(stream, b"y", True)
    pair.run_until(lambda: StreamsAvailable(True) in pair.client_events)
    pair.client.open_stream()


def test_reset_and_stop_reach_the_other_side() -> None:  # RFC 9000 §3.5
    pair = established()
    assert pair.server is not None
    stream = pair.client.open_stream()
    pair.client.send(stream, b"begin")
    pair.run_until(lambda: ("server", stream) in pair.received)
    pair.client.reset(stream, 7)
    pair.client.stop_sending(stream, 8)
    pair.run_until(lambda: StreamReset(stream, 7) in pair.server_events)
    pair.run_until(lambda: StreamStopped(stream, 8) in pair.server_events)


def test_datagrams_arrive() -> None:  # RFC 9221
    pair = established()
    assert pair.client.max_datagram_size > 1_000
    assert pair.client.send_datagram(b"unreliable")
    pair.run_until(lambda: DatagramReceived(b"unreliable") in pair.server_events)


def test_close_tells_code_and_reason() -> None:  # RFC 9000 §10.2
    pair = established()
    pair.client.close(42, "enough")
    pair.run_until(lambda: any(isinstance(event, ConnectionEnded) for event in pair.server_events))

    assert pair.server is not None
    error = pair.server.error
    assert isinstance(error, ApplicationError)
    assert (42, "enough", False) == (error.code, error.reason, error.is_local)
    with pytest.raises(ConnectionClosed):
        pair.client.open_stream()


def test_orderly_close_is_no_error() -> None:
    pair = established()
    pair.client.close()
    pair.run_until(lambda: any(isinstance(event, ConnectionEnded) for event in pair.server_events))

    assert pair.server is not None
    assert pair.server.error is None
    assert pair.client.error is None
    pair.run_until(
        lambda: pair.client.is_terminated and pair.server is not None and pair.server.is_terminated
    )


def test_lost_close_is_repeated() -> None:  # RFC 9000 §10.2.1
    pair = established()
    assert pair.server is not None
    stream = pair.server.open_stream()
    pair.to_server.drop(1)
    pair.client.close(1)
    pair.server.send(stream, b"does it still listen?")
    pair.run_until(lambda: pair.server is not None and pair.server.is_closed)


def test_silence_ends_the_connection() -> None:  # RFC 9000 §10.1
    pair = established(client_config=QuicConfig(idle_timeout=5.0))
    start = pair.now
    pair.run_until(lambda: pair.client.is_closed and pair.server is not None and pair.server.is_closed)

    assert isinstance(pair.client.error, IdleTimeout)
    assert 5.0 == pytest.approx(pair.now - start, abs=0.2)


def test_keep_alive_prevents_it() -> None:
    pair = established(client_config=QuicConfig(idle_timeout=5.0, keep_alive=2.0))
    pair.run_for(60.0)

    assert not pair.client.is_closed
    assert 25 <= len(pair.client_trace.frames_sent(PingFrame)) <= 45


def test_key_update_by_hand() -> None:  # RFC 9001 §6
    pair = established()
    transfer(pair, 5_000)
    assert pair.client.update_keys()
    transfer(pair, 50_000)
    assert pair.server is not None
    answer = pair.server.open_stream()
    pair.server.send(answer, b"in the new phase", True)
    pair.run_for(1.0)
    assert pair.server.update_keys()
    transfer(pair, 50_000)
    assert not pair.client.is_closed


def test_key_updates_in_a_row_are_not_possible() -> None:  # RFC 9001 §6.1
    pair = established()
    transfer(pair, 5_000)

    assert pair.client.update_keys()
    assert not pair.client.update_keys()


def test_client_may_change_its_address() -> None:  # RFC 9000 §9.3
    pair = established()
    transfer(pair, 20_000)
    pair.client_address = ("10.0.0.9", 50_999)
    transfer(pair, 20_000)

    assert pair.server is not None
    assert ("10.0.0.9", 50_999) == pair.server.address
    assert pair.server_trace.frames_sent(PathChallengeFrame)
    assert pair.client_trace.frames_sent(PathResponseFrame)


def test_both_sides_issue_connection_ids() -> None:  # RFC 9000 §5.1.1
    pair = established()

    assert 3 == len(pair.client_trace.frames_sent(NewConnectionIdFrame))
    assert 3 == len(pair.server_trace.frames_sent(NewConnectionIdFrame))


@pytest.mark.parametrize(
    ("size", "use", "is_larger"),
    [
        pytest.param(1_000, lambda client: None, False, id="small data"),
        pytest.param(100_000, lambda client: None, True, id="full datagrams"),
        pytest.param(
            1_000,
            lambda client: client.max_datagram_size,
            True,
            id="question for the size of DATAGRAM frames",
        ),
        pytest.param(1_000, lambda client: client.send_datagram(b"small"), True, id="DATAGRAM frame"),
    ],
)
def test_larger_mtu_is_looked_for_when_there_is_use_for_it(
    size: int, use: Callable[[QuicEngine], object], is_larger: bool
) -> None:
    pair = established()
    use(pair.client)
    transfer(pair, size)
    pair.run_for(2.0)

    assert is_larger == (pair.client.stats().datagram_size > 1_200)


def test_path_mtu_is_found() -> None:  # RFC 8899
    link = LinkConfig(mtu=1_400)
    pair = established(to_server=link, to_client=link)
    transfer(pair, 200_000)
    pair.run_for(5.0)

    assert 1_350 <= pair.client.stats().datagram_size <= 1_400


def test_stateless_reset_is_understood() -> None:  # RFC 9000 §10.3
    pair = established()
    transfer(pair, 1_000)
    assert pair.server is not None
    pair.router.forget(pair.server)  # the server loses its state
    pair.server = None
    stream = pair.client.open_stream()
    pair.client.send(stream, bytes(500))
    pair.run_until(lambda: pair.client.is_closed, limit=10)

    assert isinstance(pair.client.error, StatelessReset)


def test_congestion_marks_slow_the_sender() -> None:  # RFC 9002 §7.1
    pair = established(to_server=LinkConfig(mark=0.05))
    transfer(pair, 500_000)

    assert any(
        frame.ecn is not None and frame.ecn[2] for frame in pair.client_trace.frames_received(AckFrame)
    )
    assert not pair.client_trace.lost


def test_network_that_eats_marks_costs_nothing_but_the_marks() -> None:  # RFC 9000 §13.4.2
    pair = established()

    def bleach(datagram: Datagram) -> bool:
        datagram.ecn = 0
        return True

    pair.to_server.filter(bleach)
    transfer(pair, 300_000)
    assert not pair.client.stats().ecn_capable


def test_every_packet_of_a_transfer_is_numbered_once() -> None:
    pair = established(to_server=LinkConfig(loss=0.1), seed=9)
    transfer(pair, 100_000)

    numbers = [p.packet_number for p in pair.client_trace.sent if p.packet_type is PacketType.ONE_RTT]
    assert sorted(set(numbers)) == sorted(numbers)


def test_narrow_link_is_filled_and_not_flooded() -> None:
    link = LinkConfig(rate=1_250_000, queue=37_500, delay=0.015)
    pair = established(to_server=link, to_client=link)
    start = pair.now
    transfer(pair, 2_000_000)

    assert pair.now - start < 2.4, "1.6 s are the least that the link allows"
    assert pair.to_server.dropped < 0.08 * pair.to_server.sent


def test_black_hole_is_outlived() -> None:
    start = 1_000.0
    hole = LinkConfig(black_holes=((start + 0.2, start + 2.2),))
    pair = established(to_server=hole, to_client=hole)
    pair.run_for(start + 0.19 - pair.now)
    transfer(pair, 500_000)


def test_violation_names_code_and_frame() -> None:
    pair = established()
    assert pair.server is not None
    pair.client.parts.control.handshake_done()  # a client must not send this
    pair.run_until(lambda: pair.client.is_closed)

    error = pair.client.error
    assert isinstance(error, TransportError)
    assert (0xA, 0x1E, False) == (error.code, error.frame_type, error.is_local)
