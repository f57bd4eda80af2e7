"""The verbs of an engine, and what they do at the wrong time."""

import errno
import math
from collections.abc import Callable

import pytest

from qcore.batch import Datagram, SendBatch
from qcore.config import QuicConfig
from qcore.engine.engine import QuicEngine
from qcore.errors import (
    ApplicationError,
    ConnectionClosed,
    ConnectionRefused,
    DatagramsUnavailable,
    HandshakeTimeout,
    IdleTimeout,
    TransportError,
    UnknownStream,
    UsageError,
)
from qcore.events import ConnectionEnded, StreamFinished, StreamOpened, StreamReadable
from qcore.testing import LinkConfig, Pair
from qcore.testing.pair import SERVER_ADDRESS
from qwire.constants import PacketType
from qwire.frames import PingFrame

from .crafting import Cheat, confirmed_pair, early_pair, first_flight, halfway_pair

VERBS: dict[str, Callable[[QuicEngine], object]] = {
    "open_stream": lambda engine: engine.open_stream(),
    "send": lambda engine: engine.send(0, b"x"),
    "reset": lambda engine: engine.reset(0, 1),
    "stop_sending": lambda engine: engine.stop_sending(0, 1),
    "send_datagram": lambda engine: engine.send_datagram(b"x"),
    "ping": lambda engine: engine.ping(),
    "update_keys": lambda engine: engine.update_keys(),
}


def ended(pair: Pair, how: str) -> QuicEngine:
    assert pair.server is not None
    if how == "by us":
        pair.client.close(1)
    elif how == "by the peer":
        pair.server.close(1)
        pair.run_for(0.1)
    elif how == "long ago":
        pair.client.close(1)
        pair.run_for(60.0)
    else:
        pair.to_client.filter(lambda datagram: False)
        pair.run_for(60.0)
    assert pair.client.is_closed
    return pair.client


@pytest.mark.parametrize("how", ["by us", "by the peer", "long ago", "by silence"])
@pytest.mark.parametrize("verb", VERBS)
def test_verb_after_the_end(verb: str, how: str) -> None:
    pair = confirmed_pair()
    assert 0 == pair.client.open_stream()
    engine = ended(pair, how)
    error = engine.error
    with pytest.raises(ConnectionClosed):
        VERBS[verb](engine)

    assert error is engine.error
    assert isinstance(ConnectionClosed(), UsageError)


def test_what_arrived_can_be_read_after_the_end() -> None:
    pair = confirmed_pair(auto_read=False)
    stream = pair.client.open_stream()
    pair.client.send(stream, b"last words", True)
    pair.run_for(0.1)
    pair.client.close()
    pair.run_for(0.1)
    assert pair.server is not None
    assert pair.server.is_closed

    assert (b"last words", True) == pair.server.read(stream)


def test_second_close_changes_nothing() -> None:
    pair = confirmed_pair()
    pair.client.close(1, "first")
    pair.client.close(2, "second")
    pair.run_for(0.1)

    assert pair.server is not None
    for engine in (pair.client, pair.server):
        assert isinstance(engine.error, ApplicationError)
        assert (1, "first") == (engine.error.code, engine.error.reason)


def test_close_for_the_transport() -> None:
    pair = confirmed_pair()
    pair.client.close(0x0A, "by hand", application=False)
    pair.run_for(0.1)

    assert pair.server is not None
    assert isinstance(pair.server.error, TransportError)
    assert (0x0A, "by hand", False) == (
        pair.server.error.code,
        pair.server.error.reason,
        pair.server.error.is_local,
    )


def test_end_is_told_once_and_last() -> None:
    pair = confirmed_pair()
    pair.client.close(1)
    pair.run_for(60.0)

    assert 1 == sum(isinstance(event, ConnectionEnded) for event in pair.client_events)
    assert isinstance(pair.client_events[-1], ConnectionEnded)
    assert [] == pair.client.events()
    assert math.inf == pair.client.next_timeout()


@pytest.mark.parametrize(
    ("verb", "error"),
    [
        pytest.param(lambda engine: engine.send(4, b"x"), UnknownStream, id="send on no stream"),
        pytest.param(lambda engine: engine.read(4), UnknownStream, id="read of no stream"),
        pytest.param(lambda engine: engine.send(3, b"x"), UnknownStream, id="send on the peer's stream"),
        pytest.param(lambda engine: engine.reset(5, 1), UnknownStream, id="reset of no stream"),
        pytest.param(
            lambda engine: engine.send_datagram(bytes(70_000)), DatagramsUnavailable, id="datagram too large"
        ),
    ],
)
def test_misuse_changes_nothing(verb: Callable[[QuicEngine], object], error: type[Exception]) -> None:
    pair = confirmed_pair()
    with pytest.raises(error):
        verb(pair.client)

    assert [] == first_flight(pair.client, pair.now)
    assert not pair.client.is_closed


def test_streams_wait_for_the_handshake() -> None:
    pair = Pair()
    with pytest.raises(UsageError):
        pair.client.open_stream()
    pair.run_until(lambda: pair.client.is_established)

    assert 0 == pair.client.open_stream()


@pytest.mark.parametrize("make", [Pair, early_pair, halfway_pair])
def test_keys_are_not_updated_before_confirmation(make: Callable[[], Pair]) -> None:  # RFC 9001 §6
    assert not make().client.update_keys()


def test_refusal_of_the_network_counts_before_the_peer_was_heard() -> None:  # RFC 9000 §14.2.1
    pair = Pair()
    first_flight(pair.client, pair.now)
    pair.client.refuse(OSError(errno.ECONNREFUSED, "refused"), pair.now)

    assert isinstance(pair.client.error, ConnectionRefused)
    assert errno.ECONNREFUSED == pair.client.error.errno
    assert SERVER_ADDRESS[0] in str(pair.client.error)
    assert pair.client.is_terminated


def test_refusal_of_the_network_means_nothing_later() -> None:
    pair = confirmed_pair()
    assert pair.server is not None
    for engine in (pair.client, pair.server):
        engine.refuse(OSError(errno.ECONNREFUSED, "refused"), pair.now)
        assert not engine.is_closed


def test_exporters_agree() -> None:  # RFC 8446 §7.5
    pair = confirmed_pair()
    assert pair.server is not None
    one, other = (engine.export(b"label", b"context", 48) for engine in (pair.client, pair.server))

    assert one == other
    assert 48 == len(one)
    assert one != pair.client.export(b"another", b"context", 48)


def test_statistics_add_up() -> None:
    pair = confirmed_pair()
    stream = pair.client.open_stream()
    pair.client.send(stream, bytes(100_000), True)
    pair.run_for(2.0)
    assert pair.server is not None
    client, server = pair.client.stats(), pair.server.stats()

    assert (client.datagrams_sent, client.bytes_sent) == (server.datagrams_received, server.bytes_received)
    assert (server.datagrams_sent, server.bytes_sent) == (client.datagrams_received, client.bytes_received)
    assert client.bytes_sent > 100_000
    assert 0.03 == pytest.approx(client.minimum_rtt)
    assert 0 == client.bytes_in_flight


def test_silence_before_the_handshake_is_a_timeout_of_its_own() -> None:
    pair = Pair(client_config=QuicConfig(handshake_timeout=2.0, idle_timeout=30.0))
    pair.to_server.filter(lambda datagram: False)
    pair.run_for(2.01)

    assert isinstance(pair.client.error, HandshakeTimeout)
    assert pair.client.is_terminated


def test_idle_timeout_may_be_the_shorter_one() -> None:  # RFC 9000 §10.1
    pair = Pair(client_config=QuicConfig(handshake_timeout=60.0, idle_timeout=5.0))
    pair.to_server.filter(lambda datagram: False)
    pair.run_for(30.0)

    assert isinstance(pair.client.error, IdleTimeout)


@pytest.mark.parametrize("seed", range(6))
def test_timer_that_was_handled_is_not_due_any_more(seed: int) -> None:
    link = LinkConfig(loss=0.2, reorder=0.2, rate=200_000)
    pair = Pair(to_server=link, to_client=link, seed=seed)
    for _ in range(600):
        for engine in (pair.client, pair.server):
            if engine is None:
                continue
            due = engine.next_timeout()
            if due <= pair.now:
                engine.handle_timeout(pair.now)
                engine.transmit(pair.now, SendBatch())
                assert engine.next_timeout() > pair.now
        pair.run_for(0.02)
        if pair.client.is_established and not pair.client.is_closed and pair.client.stats().open_streams < 5:
            pair.client.send(pair.client.open_stream(), bytes(20_000))


def test_full_batch_is_continued() -> None:
    pair = confirmed_pair()
    pair.client.send(pair.client.open_stream(), bytes(50_000))
    counts = []
    while True:
        batch = SendBatch(limit=3)
        count = pair.client.transmit(pair.now, batch)
        if not count:
            break
        counts.append(count)
        assert count == batch.count

    assert 3 == counts[0]
    assert len(counts) >= 3


def test_closed_engine_takes_anything_in_silence() -> None:
    cheat = Cheat(confirmed_pair(), "client")
    cheat.engine.close()
    cheat.pair.run_for(30.0)
    assert cheat.victim.is_terminated
    received = cheat.victim.stats().datagrams_received
    cheat.send(PacketType.ONE_RTT, PingFrame())
    cheat.victim.receive(
        [Datagram(b"", cheat.address), Datagram(b"\xff" * 50, cheat.address)], cheat.pair.now
    )

    assert received == cheat.victim.stats().datagrams_received
    assert [] == cheat.answer()


def test_empty_datagrams_are_counted_and_ignored() -> None:
    cheat = Cheat(confirmed_pair(), "client")
    before = cheat.victim.stats().datagrams_received
    cheat.deliver(b"", b"", b"")

    assert before + 3 == cheat.victim.stats().datagrams_received
    assert not cheat.victim.is_closed


def test_a_larger_mtu_is_looked_for_in_the_pass_that_follows_and_nothing_stays_due() -> None:
    pair = confirmed_pair()
    pair.run_for(1.0)
    engine, due = pair.client, pair.now + 0.5
    mtu = engine.parts.paths.active.mtu
    assert mtu is not None
    mtu.start(due)
    assert due == engine.next_timeout()

    engine.handle_timeout(due)
    assert due < engine.next_timeout()

    batch = SendBatch()
    engine.transmit(due, batch)
    assert [1452] == [len(each.data) for each in batch.datagrams()]


@pytest.mark.parametrize("omits", [False, True])
def test_streams_opened_and_finished_are_told_to_who_wants_it(omits: bool) -> None:
    pair = confirmed_pair()
    assert pair.server is not None
    for engine in (pair.client, pair.server):
        engine.omit_events(opened=omits, finished=omits)
    stream_id = pair.client.open_stream()
    pair.client.send(stream_id, b"request", fin=True)
    pair.run_for(0.1)

    assert (StreamOpened(stream_id) in pair.server_events) is not omits
    assert (StreamFinished(stream_id) in pair.client_events) is not omits
    assert StreamReadable(stream_id) in pair.server_events
