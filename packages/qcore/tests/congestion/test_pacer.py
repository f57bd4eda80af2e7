import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcore.congestion.pacer import Pacer

SIZE = 1200


def paced(rate: float, burst: int = 16) -> Pacer:
    pacer = Pacer(SIZE, burst)
    pacer.set_rate(rate, 0.0)
    return pacer


def drain(pacer: Pacer, now: float) -> int:
    """Send until the pacer says no; how many datagrams went."""
    count = 0
    while pacer.is_ready(now):
        pacer.on_sent(SIZE)
        count += 1
        assert count < 100_000
    return count


def test_a_burst_leaves_at_once() -> None:  # RFC 9002 §7.7
    pacer = paced(100_000.0)

    assert 16 == drain(pacer, 0.0)
    assert 0.0 < pacer.deadline < math.inf


def test_what_follows_is_spread() -> None:  # RFC 9002 §7.7
    pacer = paced(120_000.0)
    now = 0.0
    sent = drain(pacer, now)
    while now < 1.0:
        now = pacer.deadline
        sent += drain(pacer, now)

    assert pytest.approx(16 + 100, abs=2) == sent


def test_fast_paths_send_more_at_once() -> None:
    pacer = paced(120_000_000.0)
    drain(pacer, 0.0)
    first = pacer.deadline

    assert pytest.approx(0.001, rel=0.2) == first
    assert pytest.approx(100, abs=2) == drain(pacer, first)


def test_rest_is_saved_up_to_the_bound() -> None:
    pacer = paced(120_000.0)
    drain(pacer, 0.0)

    assert 16 == drain(pacer, 100.0)


def test_while_waiting_nothing_leaves_early() -> None:
    pacer = paced(120_000_000.0)
    drain(pacer, 0.0)

    assert not pacer.is_ready(pacer.deadline * 0.9)
    assert pacer.is_ready(pacer.deadline)
    assert math.inf == pacer.deadline


def test_a_faster_rate_shortens_the_wait() -> None:
    pacer = paced(12_000.0)
    drain(pacer, 0.0)
    before = pacer.deadline
    pacer.set_rate(120_000.0, 0.0)

    assert pytest.approx(before / 10) == pacer.deadline


def test_debt_is_paid_off() -> None:
    pacer = paced(120_000.0)
    drain(pacer, 0.0)
    pacer.on_sent(2 * SIZE)  # probes do not ask
    drain(pacer, 0.0)
    now = pacer.deadline
    sent = drain(pacer, now)
    while now < 1.0:
        now = pacer.deadline
        sent += drain(pacer, now)

    assert pytest.approx(98, abs=3) == sent


def test_without_a_rate_nothing_waits() -> None:
    assert Pacer(SIZE).is_ready(5.0)
    pacer = Pacer(SIZE)
    pacer.on_sent(100 * SIZE)

    assert pacer.is_ready(5.0)


def test_larger_datagrams_make_larger_bursts() -> None:
    pacer = paced(120_000.0, burst=10)
    pacer.set_datagram_size(2400)
    drain(pacer, 0.0)

    assert 10 * 2400 // SIZE - 1 == drain(pacer, 100.0)


def test_another_path_starts_with_a_full_bucket() -> None:
    pacer = paced(120_000.0)
    drain(pacer, 0.0)
    pacer.reset()

    assert 16 == drain(pacer, 0.0)


def test_empty_bursts_are_refused() -> None:
    with pytest.raises(ValueError, match="burst of 0"):
        Pacer(SIZE, 0)


@given(
    st.floats(1.0, 1e12),
    st.integers(1, 64),
    st.floats(0.0, 1e7),
    st.lists(st.tuples(st.floats(0.0, 1e9), st.floats(0.0, 10.0)), max_size=30),
)
def test_a_deadline_is_kept(rate: float, burst: int, now: float, changes: list[tuple[float, float]]) -> None:
    pacer = Pacer(SIZE, burst)
    pacer.set_rate(rate, now)
    for other_rate, pause in changes:
        for _ in range(2 * burst):
            if not pacer.is_ready(now):
                break
            pacer.on_sent(SIZE)
        pacer.set_rate(other_rate, now)
        if not pacer.is_ready(now):
            now = max(now, pacer.deadline)
            assert pacer.is_ready(now)
            assert pacer.is_ready(now + pause)
        now += pause


@pytest.mark.parametrize("size", [1_000, 1_200])
@pytest.mark.parametrize("rate", [0.0, 2e6, 5e7])
def test_a_run_is_as_long_as_asking_for_each_datagram_allows(size: int, rate: float) -> None:
    one_by_one, together = (Pacer(1_200, 16) for _ in range(2))
    now = 1.0
    for step in range(40):
        now += 0.0007 * (step % 4)
        for pacer in (one_by_one, together):
            pacer.set_rate(rate, now)
        if not together.is_ready(now):
            assert not one_by_one.is_ready(now)
            continue
        count = together.run_length(size, 64)
        together.on_sent(size * count)
        allowed = 0
        while allowed < 64 and one_by_one.is_ready(now):
            one_by_one.on_sent(size)
            allowed += 1

        assert allowed == count
        assert one_by_one.is_ready(now) == together.is_ready(now)
        assert one_by_one.deadline == together.deadline
