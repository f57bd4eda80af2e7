"""Connections that live long: new addresses, new keys, a path that changes, silence. After quic-go's integration tests."""

from dataclasses import replace

import pytest

from qcore.batch import Datagram
from qcore.config import QuicConfig
from qcore.congestion import NAMES
from qcore.errors import IdleTimeout, StatelessReset
from qcore.spaces import APPLICATION
from qcore.testing import LinkConfig, Pair, Seeded
from qcore.testing.pair import CLIENT_ADDRESS, SERVER_ADDRESS, START
from qwire.frames import (
    NewConnectionIdFrame,
    PathChallengeFrame,
    PathResponseFrame,
    PingFrame,
    RetireConnectionIdFrame,
)


def established(**options: object) -> Pair:
    pair = Pair(**options)  # type: ignore[arg-type]  # the options of Pair
    pair.run_until(lambda: pair.client.is_confirmed and pair.server is not None and pair.server.is_confirmed)
    return pair


def transfer(pair: Pair, size: int, limit: float = 60.0) -> None:
    """Data up, and the same amount down."""
    assert pair.server is not None
    up, down = Seeded(f"up {pair.now}")(size), Seeded(f"down {pair.now}")(size)
    stream = pair.client.open_stream()
    pair.client.send(stream, up, True)
    pair.run_until(lambda: ("server", stream) in pair.finished, limit)
    pair.server.send(stream, down, True)
    pair.run_until(lambda: ("client", stream) in pair.finished, limit)
    assert up == pair.received["server", stream]
    assert down == pair.received["client", stream]


def behind_a_translator(pair: Pair) -> None:
    """What is sent to an old address of the client arrives nowhere."""
    pair.to_client.filter(lambda datagram: datagram.address == pair.client_address)


# Addresses


@pytest.mark.parametrize("pause", [0.0, 0.003, 0.05, 5.0])
def test_address_may_change_again_and_again(pause: float) -> None:  # RFC 9000 §9.3
    pair = established()
    behind_a_translator(pair)
    for index in range(8):
        pair.client_address = ("10.0.0.1", 51_000 + index)
        pair.run_for(pause)
        transfer(pair, 10_000)

    assert pair.server is not None
    assert pair.client_address == pair.server.address


def test_address_may_change_back() -> None:
    pair = established()
    behind_a_translator(pair)
    for address in (("10.0.0.7", 7), CLIENT_ADDRESS, ("10.0.0.7", 7), CLIENT_ADDRESS):
        pair.client_address = address
        transfer(pair, 20_000)

    assert pair.server is not None
    assert CLIENT_ADDRESS == pair.server.address


def test_address_may_change_in_the_middle_of_a_download() -> None:
    link = LinkConfig(rate=1_250_000, loss=0.02)
    pair = established(to_server=link, to_client=link, seed=3)
    behind_a_translator(pair)
    assert pair.server is not None
    stream = pair.client.open_stream()
    pair.client.send(stream, b"?", True)
    pair.run_until(lambda: ("server", stream) in pair.finished)
    data = Seeded("download")(1_000_000)
    pair.server.send(stream, data, True)
    for index in range(3):
        pair.run_for(0.2)
        pair.client_address = (f"10.0.0.{20 + index}", 443)
    pair.run_until(lambda: ("client", stream) in pair.finished)

    assert data == pair.received["client", stream]
    assert 3 <= len(pair.server_trace.frames_sent(PathChallengeFrame))


def test_address_may_change_while_nothing_is_sent() -> None:
    pair = established(client_config=QuicConfig(keep_alive=5.0))
    behind_a_translator(pair)
    pair.run_for(7.0)
    pair.client_address = ("10.0.0.8", 8)
    pair.run_for(7.0)
    transfer(pair, 10_000)

    assert pair.server is not None
    assert ("10.0.0.8", 8) == pair.server.address


def test_moving_costs_no_more_than_one_round_trip_of_data() -> None:  # RFC 9000 §9.4
    pair = established()
    behind_a_translator(pair)
    transfer(pair, 50_000)
    start = pair.now
    pair.client_address = ("10.0.0.9", 9)
    transfer(pair, 5_000)

    # A round trip for the data of each direction, and one for the path.
    assert pair.now - start < 0.12


def test_each_probe_of_a_path_fills_a_datagram() -> None:  # RFC 9000 §8.2.1, §8.2.2
    pair = established()
    behind_a_translator(pair)
    pair.run_for(1.0)
    pair.client_address = ("10.0.0.9", 9)
    pair.client.ping()
    pair.run_for(4.0)

    probes = [
        packet.size
        for trace in (pair.client_trace, pair.server_trace)
        for packet in trace.sent
        if any(isinstance(frame, PathChallengeFrame | PathResponseFrame) for frame in packet.frames)
    ]
    # The first was limited by what one small packet allows; after its answer the size is tested too (§8.2.3).
    assert [size for size in probes if size < 1_200] == [min(probes)]
    assert 4 <= len(probes)


def test_answer_to_a_probe_does_not_wait_for_the_congestion_window() -> None:
    pair = established(seed=1)
    assert pair.server is not None
    pair.run_for(1.0)
    pair.to_server.drop(1_000)  # so that no acknowledgement opens the window
    stream = pair.client.open_stream()
    pair.client.send(stream, bytes(100_000))
    pair.run_for(0.001)
    assert pair.client.stats().bytes_in_flight + 1_200 > pair.client.stats().congestion_window
    pair.server.parts.paths.active.start_validation(Seeded("challenge"), pair.now, 1.0)
    pair.server.ping()
    before = len(pair.client_trace.frames_sent(PathResponseFrame))
    pair.run_for(0.018)

    assert before + 1 == len(pair.client_trace.frames_sent(PathResponseFrame))


def test_used_connection_ids_are_retired_and_replaced() -> None:  # RFC 9000 §5.1.2
    pair = established()
    behind_a_translator(pair)
    for index in range(4):
        pair.client_address = (f"10.0.1.{index}", 443)
        transfer(pair, 5_000)
    pair.run_for(2.0)

    retired = pair.server_trace.frames_sent(RetireConnectionIdFrame)
    issued = pair.client_trace.frames_sent(NewConnectionIdFrame)
    assert len(issued) >= 3 + len(set(map(repr, retired)))


# Keys


@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_keys_may_change_as_often_as_it_is_allowed(loss: float) -> None:  # RFC 9001 §6
    link = LinkConfig(loss=loss, reorder=0.1, duplicate=0.1)
    pair = established(to_server=link, to_client=link, seed=6)
    changes = 0

    def change(_: Datagram) -> bool:
        nonlocal changes
        for engine in (pair.client, pair.server):
            if engine is not None and not engine.is_closed:
                changes += engine.update_keys()
        return True

    pair.to_server.filter(change)
    for _ in range(20):
        transfer(pair, 10_000)
        pair.run_for(0.2)

    assert changes >= 10
    phases = pair.client.parts.spaces[APPLICATION].phases
    assert phases is not None
    assert phases.generation >= 5


# The path


@pytest.mark.parametrize("congestion", NAMES)
def test_path_that_takes_less_than_before_is_noticed(congestion: str) -> None:  # RFC 8899 §4.3
    config = QuicConfig(congestion=congestion)
    pair = established(client_config=config, server_config=config)
    transfer(pair, 300_000)
    pair.run_for(2.0)
    assert pair.client.stats().datagram_size > 1_400
    for link in (pair.to_server, pair.to_client):
        link.config = replace(link.config, mtu=1_250)
    transfer(pair, 100_000)

    assert pair.client.stats().datagram_size <= 1_250


@pytest.mark.parametrize("mtu", [1_200, 1_280, 1_399, 1_500])
def test_whatever_the_path_takes_is_found_without_loss_of_data(mtu: int) -> None:
    link = LinkConfig(mtu=mtu)
    pair = established(to_server=link, to_client=link)
    transfer(pair, 200_000)
    pair.run_for(5.0)

    assert 1_200 <= pair.client.stats().datagram_size <= mtu
    assert pair.client.stats().datagram_size >= min(mtu, 1_452) - 60


@pytest.mark.parametrize("congestion", NAMES)
@pytest.mark.parametrize("hole", [(0.0, 1.0), (0.03, 2.0), (0.5, 3.0)])
def test_holes_are_outlived(hole: tuple[float, float], congestion: str) -> None:
    config = QuicConfig(congestion=congestion)
    link = LinkConfig(rate=1_250_000, black_holes=((START + hole[0], START + hole[1]),))
    pair = Pair(to_server=link, to_client=link, client_config=config, server_config=config)
    pair.run_until(lambda: pair.client.is_established)
    stream = pair.client.open_stream()
    data = Seeded("over the hole")(1_000_000)
    pair.client.send(stream, data, True)
    pair.run_until(lambda: ("server", stream) in pair.finished, limit=30)

    assert data == pair.received["server", stream]
    assert pair.now - START < 12.0


@pytest.mark.parametrize("congestion", NAMES)
def test_every_controller_carries_data_over_a_bad_link(congestion: str) -> None:
    config = QuicConfig(congestion=congestion)
    link = LinkConfig(rate=1_250_000, loss=0.03, reorder=0.05, duplicate=0.02, corrupt=0.01)
    pair = established(to_server=link, to_client=link, client_config=config, server_config=config, seed=8)
    transfer(pair, 300_000)


def test_delays_that_differ_between_the_directions() -> None:
    pair = established(to_server=LinkConfig(delay=0.3), to_client=LinkConfig(delay=0.001))
    transfer(pair, 300_000)

    assert pytest.approx(0.301, rel=0.1) == pair.client.stats().minimum_rtt
    assert 0 == pair.client.stats().packets_lost


# Silence


def test_activity_puts_the_idle_timeout_off() -> None:  # RFC 9000 §10.1
    pair = established(client_config=QuicConfig(idle_timeout=3.0))
    for _ in range(6):
        pair.run_for(2.5)
        transfer(pair, 100)
    start = pair.now
    pair.run_until(lambda: pair.client.is_closed, limit=10)

    assert isinstance(pair.client.error, IdleTimeout)
    assert 2.9 <= pair.now - start <= 3.2


def test_smaller_idle_timeout_of_both_counts() -> None:  # RFC 9000 §10.1
    pair = established(
        client_config=QuicConfig(idle_timeout=20.0), server_config=QuicConfig(idle_timeout=2.0)
    )
    start = pair.now
    pair.run_until(lambda: pair.client.is_closed, limit=10)

    assert pair.now - start < 2.5


def test_keep_alive_holds_a_lossy_connection() -> None:
    link = LinkConfig(loss=0.2)
    pair = established(
        to_server=link, to_client=link, client_config=QuicConfig(idle_timeout=6.0, keep_alive=2.0), seed=1
    )
    pair.run_for(60.0)

    assert not pair.client.is_closed
    assert pair.client_trace.frames_sent(PingFrame)


def test_peer_that_vanished_is_given_up_in_time() -> None:
    pair = established(client_config=QuicConfig(idle_timeout=4.0))
    pair.to_server.filter(lambda datagram: False)
    pair.to_client.filter(lambda datagram: False)
    stream = pair.client.open_stream()
    pair.client.send(stream, bytes(100_000))
    start = pair.now
    pair.run_until(lambda: pair.client.is_closed, limit=30)

    assert isinstance(pair.client.error, IdleTimeout)
    assert pair.now - start <= 4.0 + 0.2


# Stateless reset


def test_reset_is_believed_only_with_its_token() -> None:  # RFC 9000 §10.3.1
    pair = established()
    chance = Seeded("not a reset")
    for size in (21, 22, 43, 100, 1_200):
        junk = bytes((0x40 | chance(1)[0] & 0x3F,)) + chance(size - 1)
        pair.client.receive([Datagram(junk, SERVER_ADDRESS)], pair.now)
    transfer(pair, 5_000)

    assert not pair.client.is_closed


def test_server_that_lost_its_state_is_noticed_by_all_its_clients() -> None:
    for seed in range(5):
        pair = established(seed=seed)
        transfer(pair, 1_000)
        assert pair.server is not None
        pair.router.forget(pair.server)
        pair.server = None
        pair.client.send(pair.client.open_stream(), bytes(500))
        pair.run_until(lambda pair=pair: pair.client.is_closed, limit=5)  # type: ignore[misc]
        assert isinstance(pair.client.error, StatelessReset)
