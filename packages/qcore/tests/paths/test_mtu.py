"""The search for a larger datagram. RFC 8899."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Final

import pytest

from qcore.paths.mtu import BLACK_HOLE_PAUSE, GRANULARITY, MAX_PROBES, RAISE_INTERVAL, MtuDiscovery
from qwire.frames import PingFrame

RTT: Final = 0.05
PING: Final = PingFrame()


def search(mtu: MtuDiscovery, carries: Callable[[int], bool], now: float = 0.0) -> list[tuple[float, int]]:
    """Run the search to its end over a path that carries some sizes; gives times and sizes of the probes."""
    probes: list[tuple[float, int]] = []
    while mtu.deadline < now + RAISE_INTERVAL / 2:
        now = max(now, mtu.deadline)
        size = mtu.probe_size(now)
        assert size > mtu.current
        mtu.on_probe_sent(size, now, RTT)
        probes.append((now, size))
        assert 0 == mtu.probe_size(now + 100)
        if carries(size):
            mtu.on_acked(PING)
        else:
            mtu.on_lost(PING)
    return probes


@pytest.mark.parametrize("limit", [1200, 1210, 1252, 1280, 1300, 1400, 1451, 1452, 1500])
def test_finds_what_the_path_carries(limit: int) -> None:
    mtu = MtuDiscovery(ceiling=1452)
    mtu.start(0.0)

    probes = search(mtu, lambda size: size <= limit)

    assert mtu.current <= limit
    assert mtu.current == 1452 or mtu.current > limit - GRANULARITY
    assert len(probes) <= 5 * MAX_PROBES
    assert 1452 == probes[0][1]


def test_probes_are_five_round_trips_apart() -> None:
    mtu = MtuDiscovery(ceiling=1452)
    mtu.start(3.0)

    probes = search(mtu, lambda size: size <= 1300, now=3.0)

    gaps = [later - sooner for (sooner, _), (later, _) in pairwise(probes)]
    assert [5 * RTT] * len(gaps) == pytest.approx(gaps)


def test_one_lost_probe_does_not_decide() -> None:  # RFC 8899 §5.1.2
    mtu = MtuDiscovery(ceiling=1452)
    mtu.start(0.0)
    losses = iter([False, False, True])

    probes = search(mtu, lambda size: next(losses))

    assert [1452] * 3 == [size for _, size in probes]
    assert 1452 == mtu.current
    assert math.inf == mtu.deadline


def test_tries_again_after_a_long_time() -> None:  # RFC 8899 §5.1.1
    mtu = MtuDiscovery(ceiling=1452)
    mtu.start(0.0)
    last = search(mtu, lambda size: size <= 1300)[-1][0]
    found = mtu.current

    assert last + RAISE_INTERVAL == mtu.deadline
    assert 0 == mtu.probe_size(mtu.deadline - 1)
    search(mtu, lambda size: True, now=mtu.deadline)
    assert (1452, True) == (mtu.current, found <= 1300)


def test_nothing_to_find_or_switched_off() -> None:
    for mtu in (MtuDiscovery(ceiling=1200), MtuDiscovery(ceiling=1452, enabled=False)):
        mtu.start(0.0)
        assert math.inf == mtu.deadline
        assert 0 == mtu.probe_size(1000.0)
        assert 1200 == mtu.current


def test_the_ceiling_may_fall() -> None:
    mtu = MtuDiscovery(ceiling=1452)
    mtu.start(0.0)
    search(mtu, lambda size: True)

    mtu.set_ceiling(1300)
    assert 1300 == mtu.current
    mtu.set_ceiling(100)
    assert 1200 == mtu.current


def test_an_error_of_the_socket_counts_as_too_large() -> None:  # attack A6
    mtu = MtuDiscovery(ceiling=1452)
    mtu.start(0.0)
    size = mtu.probe_size(0.0)
    mtu.on_probe_sent(size, 0.0, RTT)

    mtu.on_too_big(size)

    assert mtu.probe_size(mtu.deadline) < size
    mtu.on_too_big(1200)
    assert 1200 == mtu.current


def found(size: int = 1452) -> MtuDiscovery:
    mtu = MtuDiscovery(ceiling=size)
    mtu.start(0.0)
    search(mtu, lambda size: True)
    assert size == mtu.current
    return mtu


def test_a_black_hole_is_noticed_by_losses() -> None:  # RFC 8899 §4.3
    mtu = found()

    assert [False, False, True] == [mtu.on_packets_lost(1452, 10.0) for _ in range(3)]
    assert 1200 == mtu.current
    assert 0 == mtu.probe_size(10.0 + BLACK_HOLE_PAUSE - 1)
    search(mtu, lambda size: size <= 1280, now=10.0 + BLACK_HOLE_PAUSE)
    assert 1260 < mtu.current <= 1280


def test_congestion_is_no_black_hole() -> None:
    mtu = found()

    for _ in range(10):
        assert not mtu.on_packets_lost(1452, 10.0)
        assert not mtu.on_packets_lost(1452, 10.0)
        mtu.on_packets_acked(1452)
    for _ in range(10):
        assert not mtu.on_packets_lost(1200, 10.0)
    assert 1452 == mtu.current


def test_small_acknowledgements_prove_nothing() -> None:
    mtu = found()
    mtu.on_packets_lost(1452, 10.0)
    mtu.on_packets_lost(1452, 10.0)
    mtu.on_packets_acked(60)

    assert mtu.on_packets_lost(1452, 10.0)


def test_a_black_hole_is_noticed_by_silence() -> None:
    mtu = found()

    assert [False, False, True, False] == [mtu.on_pto(count, 10.0) for count in (1, 2, 3, 4)]
    assert 1200 == mtu.current


def test_fate_of_a_probe_from_before_the_fall_is_ignored() -> None:
    mtu = MtuDiscovery(ceiling=1452)
    mtu.start(0.0)
    mtu.on_probe_sent(mtu.probe_size(0.0), 0.0, RTT)
    mtu.on_acked(PING)
    mtu.on_pto(3, 1.0)

    mtu.on_acked(PING)

    assert 1200 == mtu.current


def test_search_waits_for_permission_and_for_somebody_who_wants_it() -> None:  # RFC 9000 §14.3
    mtu = MtuDiscovery(ceiling=1452)
    mtu.want()
    assert math.inf == mtu.deadline

    mtu.permit(5.0)
    assert math.inf == mtu.deadline
    mtu.want()
    assert 5.0 == mtu.deadline
    search(mtu, lambda size: True, now=5.0)
    mtu.want()
    assert (math.inf, 1452) == (mtu.deadline, mtu.current)
