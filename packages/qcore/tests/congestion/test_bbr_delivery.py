"""draft-ietf-ccwg-bbr-06 §4.1."""

import pytest

from qcore.congestion.bbr_delivery import MAX_BURSTS, DeliverySampler, MaxFilter


def test_rate_spans_send_and_acknowledgement() -> None:
    sampler = DeliverySampler()
    sampler.on_sent(1_000, 1_000, 1.0)
    sampler.on_sent(1_000, 2_000, 1.0)
    sample = sampler.on_acked(2_000, 1.0, 1.5, 0.5, 0.0)

    assert (4_000.0, 2_000, 0, 2_000) == (sample.rate, sample.delivered, sample.lost, sample.in_flight)


def test_acknowledgements_that_come_together_do_not_raise_the_rate() -> (
    None
):  # §4.1.1.2.2: the slower end counts
    sampler = DeliverySampler()
    for index in range(10):
        sampler.on_sent(1_000, (index + 1) * 1_000, 1.0 + index * 0.1)
    sampler.on_acked(1_000, 1.0, 2.0, 1.0, 0.0)
    sample = sampler.on_acked(9_000, 1.9, 2.0, 0.1, 0.0)

    assert pytest.approx(10_000, rel=0.12) == sample.rate


def test_samples_shorter_than_a_round_trip_tell_no_rate() -> None:
    sampler = DeliverySampler()
    sampler.on_sent(1_000, 1_000, 1.0)

    assert 0.0 == sampler.on_acked(1_000, 1.0, 1.01, 0.01, 0.05).rate


def test_loss_since_the_send_is_told() -> None:
    sampler = DeliverySampler()
    sampler.on_sent(1_000, 1_000, 1.0)
    sampler.on_sent(1_000, 2_000, 1.1)
    burst = sampler.on_lost(1_000, 1.0)

    assert burst is not None
    assert (1.0, 0, 1_000) == (burst.sent_time, burst.lost, burst.in_flight)
    assert 1_000 == sampler.on_acked(1_000, 1.1, 1.3, 0.2, 0.0).lost


def test_what_the_application_left_idle_is_marked_until_it_is_delivered() -> None:  # §4.1.2.4
    sampler = DeliverySampler()
    sampler.on_sent(1_000, 1_000, 1.0)
    sampler.mark_app_limited(1_000)
    sampler.on_sent(1_000, 2_000, 1.1)
    assert not sampler.on_acked(1_000, 1.0, 1.2, 0.2, 0.0).is_app_limited
    assert sampler.on_acked(1_000, 1.1, 1.3, 0.2, 0.0).is_app_limited
    sampler.on_sent(1_000, 1_000, 1.4)
    assert not sampler.on_acked(1_000, 1.4, 1.6, 0.2, 0.0).is_app_limited


def test_unknown_packets_tell_nothing() -> None:
    sampler = DeliverySampler()
    sampler.on_sent(1_000, 1_000, 1.0)
    sample = sampler.on_acked(1_000, 0.5, 1.5, 1.0, 0.0)

    assert (0.0, -1, 1_000) == (sample.rate, sample.prior_delivered, sampler.delivered)
    assert sampler.on_lost(1_000, 0.7) is None


def test_memory_is_bounded() -> None:
    sampler = DeliverySampler()
    for index in range(3 * MAX_BURSTS):
        sampler.on_sent(1_000, 1_000_000, float(index))

    assert MAX_BURSTS >= len(sampler._bursts) == len(sampler._times)
    assert sampler.find(float(3 * MAX_BURSTS - 1)) is not None
    sampler.forget_before(float(3 * MAX_BURSTS - 10))
    assert len(sampler._bursts) <= 11


def test_filter_keeps_the_largest_of_its_rounds() -> None:
    window = MaxFilter()

    assert [5, 5, 5, 3, 4] == [
        window.update(value, now, 3) for now, value in enumerate((5.0, 3.0, 2.0, 1.0, 4.0))
    ]
