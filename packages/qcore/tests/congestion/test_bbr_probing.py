"""When and how steeply BBR looks for more bandwidth."""

from qcore.congestion.bbr_probing import MAX_STEEP_ROUNDS, PROBE_WAIT, RENO_ROUNDS, ProbeClock, Slope

MANY = 1e9  # datagrams in flight: no Reno flow would be at its peak so soon


def wait_of(clock: ProbeClock, delivered: int, now: float) -> float:
    """How long a clock waits, to a millisecond."""
    clock.begin(delivered, now)
    return next(ms / 1000 for ms in range(10_000) if clock.is_due(MANY, now + ms / 1000))


def test_a_look_is_due_after_two_to_three_seconds_which_differ() -> None:  # §5.3.3.8
    clock = ProbeClock()
    waits = [wait_of(clock, delivered, 100.0) for delivered in range(0, 1_000_000, 10_007)]

    assert PROBE_WAIT <= min(waits) < 2.1
    assert 2.9 < max(waits) <= PROBE_WAIT + 1.001
    assert len(set(waits)) > 90


def test_a_look_is_due_when_a_reno_flow_would_be_at_its_peak() -> None:  # §5.3.3.8.2
    for datagrams, rounds in ((10, 10), (MANY, RENO_ROUNDS)):
        clock = ProbeClock()
        clock.begin(0, 5.0)
        begun = clock._rounds
        assert begun in (0, 1)
        for _ in range(begun, rounds):
            assert not clock.is_due(datagrams, 5.0)
            clock.on_round()
        assert clock.is_due(datagrams, 5.0)


def test_another_path_is_looked_at_anew_and_not_as_the_one_before() -> None:
    clock = ProbeClock()
    first = wait_of(clock, 0, 1.0)
    clock.restart()
    assert clock.is_due(MANY, 0.001)
    assert first != wait_of(clock, 0, 1.0)


def test_each_round_trip_raises_twice_as_much_as_the_one_before() -> None:  # §5.3.3.5
    slope = Slope()
    window, size = 64_000, 1_000
    raised = []
    for _ in range(8):
        slope.steepen(window, size)
        raised.append(sum(slope.datagrams(size) for _ in range(window // size)))

    assert [1, 2, 4, 8, 16, 32, 64, 64] == raised  # never more than is acknowledged


def test_what_is_left_over_counts_later() -> None:
    slope = Slope()
    slope.steepen(10_000, 1_000)

    assert [0, 0, 1, 0, 1] == [slope.datagrams(size) for size in (4_000, 4_000, 4_000, 4_000, 4_000)]


def test_nothing_is_raised_before_the_first_look_and_behind_the_last() -> None:
    slope = Slope()
    assert 0 == slope.datagrams(1 << 40)
    slope.restart()
    slope.steepen(10_000, 1_000)
    assert 1 == slope.datagrams(10_000)
    slope.stop()
    assert 0 == slope.datagrams(1 << 40)
    slope.restart()
    slope.steepen(10_000, 1_000)
    assert 1 == slope.datagrams(10_000)


def test_the_slope_has_an_end() -> None:
    slope = Slope()
    for _ in range(2 * MAX_STEEP_ROUNDS):
        slope.steepen(1 << 50, 1)

    assert 1 << MAX_STEEP_ROUNDS == slope.datagrams(1 << 50)
