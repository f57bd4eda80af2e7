"""What a connection does by itself while it lives: other keys, other connection IDs, greased bits, sizes that are found."""

from dataclasses import replace
from typing import Final

import pytest

from qcore.ackhandler.ecn import CE, ECT0
from qcore.batch import Datagram
from qcore.config import QuicConfig
from qcore.congestion import CongestionController
from qcore.errors import DatagramsUnavailable, UsageError
from qcore.events import DatagramReceived
from qcore.testing import LinkConfig, Pair
from qwire.frames import RetireConnectionIdFrame

from .test_scenarios_connection import established, transfer

FIXED_BIT: Final = 0x40


# Keys


def test_keys_are_changed_after_so_many_packets() -> None:  # RFC 9001 §6
    config = QuicConfig(key_update_interval=100)
    pair = established(client_config=config, server_config=QuicConfig(key_update_interval=1_000_000))
    for _ in range(5):
        transfer(pair, 200_000)
        pair.run_for(1.0)
    assert pair.server is not None

    assert 4 <= pair.client.stats().key_generation
    assert pair.client.stats().key_generation == pair.server.stats().key_generation
    assert pair.client_trace.count("keys_updated") == pair.client.stats().key_generation


# Connection IDs


@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_connection_ids_serve_for_a_while(loss: float) -> None:  # RFC 9000 §5.1.2
    link = LinkConfig(loss=loss, reorder=0.1)
    config = QuicConfig(id_lifetime=40)
    pair = established(client_config=config, server_config=config, to_server=link, to_client=link, seed=5)
    seen: dict[str, list[bytes]] = {"up": [], "down": []}

    def note(name: str, datagram: Datagram) -> bool:
        cid = datagram.data[1:9]
        if cid not in seen[name]:
            seen[name].append(cid)
        return True

    pair.to_server.filter(lambda datagram: note("up", datagram))
    pair.to_client.filter(lambda datagram: note("down", datagram))
    for _ in range(6):
        transfer(pair, 100_000)
    pair.run_for(3.0)

    assert min(len(seen["up"]), len(seen["down"])) >= 8
    for trace in (pair.client_trace, pair.server_trace):
        retired = {frame.sequence_number for frame in trace.frames_sent(RetireConnectionIdFrame)}
        assert set(range(len(retired))) == retired
        assert len(retired) >= 7
    assert not pair.client.is_closed


def test_connection_id_is_kept_where_there_is_no_other() -> None:
    pair = established(client_config=QuicConfig(id_lifetime=10))
    pair.run_for(1.0)
    ids = pair.client.parts.remote_ids
    while ids.take() is not None:
        pass
    before = ids.current_cid
    transfer(pair, 100_000)

    assert before == ids.current_cid


def test_connection_id_can_be_kept_for_good() -> None:
    config = QuicConfig(id_lifetime=0)
    pair = established(client_config=config, server_config=config)
    for engine in (pair.client, pair.server):
        assert engine is not None
        engine.parts.remote_ids._sent = 1 << 40
    transfer(pair, 100_000)

    assert [] == pair.client_trace.frames_sent(RetireConnectionIdFrame)


# The spin bit


def test_one_connection_in_sixteen_does_not_spin() -> None:  # RFC 9000 §17.4
    still = [seed for seed in range(160) if not Pair(seed=seed).client.parts.packer.headers._spins]
    assert 3 <= len(still) <= 20
    pair = established(seed=still[0])
    assert pair.server is not None

    assert not pair.server.parts.packer.headers._spins
    spins: list[bool] = []

    def note(datagram: Datagram) -> bool:
        spins.append(bool(datagram.data[0] & 0x20))
        return True

    pair.to_server.filter(note)
    transfer(pair, 100_000)
    assert {False, True} == set(spins)  # a new one is drawn for each packet


# RFC 9287


def fixed_bits(**options: object) -> list[tuple[bool, bool, bool]]:
    """Of each datagram: whether a client sent it, whether its header is long, and its fixed bit."""
    pair = Pair(**options)  # type: ignore[arg-type]  # the options of Pair
    seen: list[tuple[bool, bool, bool]] = []

    def note(is_up: bool, datagram: Datagram) -> bool:
        first = datagram.data[0]
        seen.append((is_up, bool(first & 0x80), bool(first & FIXED_BIT)))
        return True

    pair.to_server.filter(lambda datagram: note(True, datagram))
    pair.to_client.filter(lambda datagram: note(False, datagram))
    pair.run_until(lambda: pair.client.is_confirmed)
    transfer(pair, 200_000)
    assert not pair.client_trace.dropped
    assert not pair.server_trace.dropped
    return seen


def test_fixed_bit_is_greased_where_the_peer_takes_it() -> None:  # RFC 9287 §3.1
    seen = fixed_bits()

    for is_up in (True, False):
        assert {False, True} == {bit for up, is_long, bit in seen if up is is_up and not is_long}
    assert all(bit for _, is_long, bit in seen if is_long)  # Initial packets come first in their datagrams


@pytest.mark.parametrize("is_client", [True, False])
def test_fixed_bit_stays_where_one_side_does_not_say_so(is_client: bool) -> None:  # RFC 9287 §3
    plain = QuicConfig(grease=False)

    seen = fixed_bits(**{"client_config" if is_client else "server_config": plain})

    assert all(bit for _, _, bit in seen)


# Sizes


def test_everyone_hears_of_the_size_that_was_found() -> None:  # RFC 8899, RFC 9221 §5
    pair = established()
    before = pair.client.max_datagram_size
    with pytest.raises(DatagramsUnavailable):
        pair.client.send_datagram(bytes(before + 1))
    transfer(pair, 200_000)
    pair.run_for(3.0)
    assert pair.server is not None

    grown = pair.client.max_datagram_size
    assert 250 == pytest.approx(grown - before, abs=5)
    assert 1_452 == pair.client.stats().datagram_size
    assert 1_452 == pair.client.parts.recovery.congestion.datagram_size
    assert pair.client.send_datagram(bytes(grown))
    pair.run_for(1.0)
    assert DatagramReceived(bytes(grown)) in pair.server_events

    for link in (pair.to_server, pair.to_client):
        link.config = replace(link.config, mtu=1_250)
    transfer(pair, 100_000)

    assert before == pair.client.max_datagram_size
    assert 1_200 == pair.client.parts.recovery.congestion.datagram_size


# Numbers


def test_numbers_tell_of_congestion_marks() -> None:  # RFC 9000 §13.4
    pair = established(to_server=LinkConfig(mark=0.05), seed=3)
    transfer(pair, 300_000)
    pair.run_for(1.0)
    assert pair.server is not None
    here, there = pair.client.stats(), pair.server.stats()

    assert ("capable", True) == (here.ecn_state, here.ecn_capable)
    assert 0 < here.ecn_congested == there.ecn_received[CE - 1]
    assert there.ecn_received[0] > 100
    assert 0 == there.ecn_received[1]
    assert here.congestion_window < 10_000_000


def test_numbers_tell_when_marks_are_not_used() -> None:
    pair = established(client_config=QuicConfig(ecn=False))
    bleached = established()

    def bleach(datagram: Datagram) -> bool:
        datagram.ecn = 0
        return True

    bleached.to_server.filter(bleach)
    transfer(bleached, 50_000)

    assert ("off", False) == (pair.client.stats().ecn_state, pair.client.stats().ecn_capable)
    assert ("failed", False) == (bleached.client.stats().ecn_state, bleached.client.stats().ecn_capable)


def test_numbers_tell_of_probes_and_paths() -> None:
    pair = established()
    pair.run_for(1.0)
    assert (0, 1) == (pair.client.stats().pto_count, pair.client.stats().paths)
    pair.client.paths.add(1, pair.now)
    pair.to_server.drop(100)
    pair.client.ping()
    pair.run_for(0.5)

    assert 2 <= pair.client.stats().pto_count
    assert 2 == pair.client.stats().paths


# Congestion control


class Unimpressed(CongestionController):
    """A controller that is not ours: it never slows down."""

    def on_acked(
        self, size: int, sent_time: float, now: float, rtt: float, smoothed_rtt: float, in_flight: int
    ) -> None:
        self.window += size

    def on_lost(self, size: int, count: int, sent_time: float, now: float) -> None: ...


def test_controller_can_be_brought_along() -> None:
    config = QuicConfig(congestion=Unimpressed)
    pair = established(client_config=config, to_server=LinkConfig(loss=0.05), seed=2)
    transfer(pair, 300_000)

    assert isinstance(pair.client.parts.recovery.congestion, Unimpressed)
    assert 0 < pair.client.stats().packets_lost
    assert 300_000 < pair.client.stats().congestion_window


def test_controller_that_does_not_exist_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="cubic, newreno, bbr"):
        QuicConfig(congestion="vegas")
    with pytest.raises(ValueError, match="at least one"):
        QuicConfig(key_update_interval=0)
    with pytest.raises(ValueError, match="at least one"):
        QuicConfig(id_lifetime=-1)


def test_first_packets_are_marked() -> None:  # RFC 9000 §13.4.1
    pair = Pair()
    marks: set[int] = set()

    def note(datagram: Datagram) -> bool:
        marks.add(datagram.ecn)
        return True

    pair.to_server.filter(note)
    pair.run_until(lambda: pair.client.is_confirmed)

    assert {ECT0} == marks
