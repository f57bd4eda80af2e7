"""An ACK frame changes the same whether it is taken at once or behind the answer."""

import pytest

from qcore.batch import Datagram, SendBatch
from qcore.config import QuicConfig
from qcore.engine.engine import QuicEngine
from qcore.events import StreamFinished
from qcore.spaces import APPLICATION
from qwire.constants import PROTOCOL_VIOLATION, PacketType
from qwire.frames import AckFrame

from .crafting import Cheat, confirmed_pair, craft, first_flight


def deliver(cheat: Cheat, *frames: AckFrame) -> None:
    """Hand the victim ACKs while it has something to do that could come first."""
    data = craft(cheat.engine, PacketType.ONE_RTT, frames)
    cheat.victim.receive([Datagram(data, cheat.address)], cheat.pair.now, settles=True)


def newest(engine: QuicEngine) -> int:
    return engine.parts.recovery.largest_sent(APPLICATION)


def ask(cheat: Cheat, size: int = 10) -> int:
    """Have the victim send a whole stream, which never arrives."""
    stream_id = cheat.victim.open_stream()
    cheat.victim.send(stream_id, bytes(size), fin=True)
    assert first_flight(cheat.victim, cheat.pair.now)
    return stream_id


@pytest.mark.parametrize("side", ["client", "server"])
def test_ack_that_leaves_nothing_behind_waits(side: str) -> None:
    cheat = Cheat(confirmed_pair(), side)
    stream_id = ask(cheat)
    in_flight = cheat.victim.stats().bytes_in_flight
    deliver(cheat, AckFrame([(0, newest(cheat.victim))], 0))

    assert in_flight == cheat.victim.stats().bytes_in_flight
    assert StreamFinished(stream_id) not in cheat.victim.events()
    assert not cheat.victim.settle(cheat.pair.now)
    assert 0 == cheat.victim.stats().bytes_in_flight
    assert StreamFinished(stream_id) in cheat.victim.events()


def test_round_trip_ends_when_the_ack_arrived() -> None:
    pair = confirmed_pair()
    cheat = Cheat(pair, "server")
    ask(cheat)
    pair.now += 0.05
    deliver(cheat, AckFrame([(0, newest(cheat.victim))], 0))
    cheat.victim.settle(pair.now + 5.0)

    assert 0.05 == pytest.approx(cheat.victim.stats().latest_rtt)


@pytest.mark.parametrize("how", ["next_timeout", "handle_timeout", "receive"])
def test_ack_is_taken_before_anything_else_happens(how: str) -> None:
    cheat = Cheat(confirmed_pair(), "server")
    victim, now = cheat.victim, cheat.pair.now
    ask(cheat)
    deliver(cheat, AckFrame([(0, newest(victim))], 0))
    if how == "next_timeout":
        victim.next_timeout()
    elif how == "handle_timeout":
        victim.handle_timeout(now)
    else:
        victim.receive([], now)

    assert 0 == victim.stats().bytes_in_flight


def test_ack_that_leaves_something_behind_is_taken_at_once() -> None:
    cheat = Cheat(confirmed_pair(), "server")
    for _ in range(3):
        ask(cheat)
    last = newest(cheat.victim)
    before = cheat.victim.stats().bytes_in_flight
    deliver(cheat, AckFrame([(last, last)], 0))

    assert before > cheat.victim.stats().bytes_in_flight


def test_ack_is_taken_first_where_the_window_lacks_room() -> None:
    cheat = Cheat(confirmed_pair(), "server")
    victim, now = cheat.victim, cheat.pair.now
    stream_id = victim.open_stream()
    victim.send(stream_id, bytes(1_000_000))
    assert first_flight(victim, now)
    assert not first_flight(victim, now)
    deliver(cheat, AckFrame([(0, newest(victim))], 0))

    assert victim.transmit(now + 1.0, SendBatch())


def test_growth_of_the_window_follows_what_was_in_flight_when_the_ack_came() -> None:
    windows = []
    for settles in (False, True):
        cheat = Cheat(confirmed_pair(), "server")
        victim, now = cheat.victim, cheat.pair.now
        ask(cheat, 2_000)
        data = craft(cheat.engine, PacketType.ONE_RTT, AckFrame([(0, newest(victim))], 0))
        victim.receive([Datagram(data, cheat.address)], now, settles=settles)
        victim.send(victim.open_stream(), bytes(6_000), fin=True)
        victim.transmit(now, SendBatch())
        victim.settle(now)
        windows.append(victim.stats().congestion_window)

    assert windows[0] == windows[1]


def test_what_an_ack_makes_possible_is_told() -> None:  # RFC 9000 §4.6
    """The client has two streams; the end of one gives it another."""
    pair = confirmed_pair(server_config=QuicConfig(max_bidi=2))
    server = pair.server
    assert server is not None
    for _ in range(2):
        stream_id = pair.client.open_stream()
        pair.client.send(stream_id, b"question", fin=True)
    pair.run_until_idle()
    for stream_id in (0, 4):
        server.send(stream_id, b"answer", fin=True)
    assert first_flight(server, pair.now)
    cheat = Cheat(pair, "client")
    deliver(cheat, AckFrame([(0, newest(server))], 0))

    assert server.settle(pair.now)
    assert first_flight(server, pair.now)


def test_late_ack_of_a_packet_that_was_never_sent_ends_the_connection() -> None:  # RFC 9000 §13.1
    cheat = Cheat(confirmed_pair(), "server")
    victim = cheat.victim
    ask(cheat)
    victim.parts.recovery.skip_packet_numbers(APPLICATION, 1)
    ask(cheat)
    deliver(cheat, AckFrame([(0, newest(victim))], 0))
    assert not victim.is_closed

    assert victim.settle(cheat.pair.now)
    assert PROTOCOL_VIOLATION == cheat.code
    assert cheat.answer()
