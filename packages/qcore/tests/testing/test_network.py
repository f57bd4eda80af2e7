"""Links in virtual time: each trait alone."""

import math
from itertools import pairwise

import pytest

from qcore.batch import Datagram
from qcore.testing import Link, LinkConfig

ADDRESS = ("192.0.2.1", 443)


def datagram(size: int = 1_000, ecn: int = 0, fill: int = 0) -> Datagram:
    return Datagram(bytes((fill,)) * size, ADDRESS, ecn)


def carried(config: LinkConfig, count: int = 1_000, size: int = 1_000, ecn: int = 0) -> list[Datagram]:
    """What arrives of many datagrams that are sent a millisecond apart."""
    link = Link(config, seed=1)
    arrived: list[Datagram] = []
    for number in range(count):
        link.send(datagram(size, ecn, number & 0xFF), number / 1_000)
        arrived += link.deliver(number / 1_000)
    return arrived + link.deliver(math.inf)


def test_plain_link_keeps_everything_in_order() -> None:
    arrived = carried(LinkConfig())

    assert [number & 0xFF for number in range(1_000)] == [each.data[0] for each in arrived]


def test_delay() -> None:
    link = Link(LinkConfig(delay=0.1))
    assert math.inf == link.next_delivery()
    link.send(datagram(), 5.0)

    assert 5.1 == link.next_delivery()
    assert [] == link.deliver(5.099)
    assert 1 == len(link.deliver(5.1))
    assert math.inf == link.next_delivery()


def test_jitter_spreads_arrivals() -> None:
    link = Link(LinkConfig(delay=0.1, jitter=0.05), seed=2)
    times = []
    for _ in range(200):
        link.send(datagram(), 0.0)
        times.append(link.next_delivery())
        link.deliver(math.inf)

    assert 0.1 <= min(times) < 0.105
    assert 0.145 < max(times) <= 0.15


@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_loss(share: float) -> None:
    assert 1_000 * (1 - share) == pytest.approx(len(carried(LinkConfig(loss=share))), abs=50)


def test_run_of_losses_is_bounded() -> None:
    arrived = [each.data[0] for each in carried(LinkConfig(loss=1.0, max_loss_run=3), 100)]

    assert list(range(3, 100, 4)) == arrived


def test_duplicates() -> None:
    arrived = carried(LinkConfig(duplicate=0.3))

    assert 1_300 == pytest.approx(len(arrived), abs=60)


def test_reordering() -> None:
    arrived = [each.data[0] for each in carried(LinkConfig(reorder=0.1, reorder_delay=0.005), 250)]

    assert sorted(arrived) == list(range(250))
    late = sum(later < earlier for earlier, later in pairwise(arrived))
    assert 10 <= late <= 40


def test_corruption_changes_one_byte() -> None:
    arrived = carried(LinkConfig(corrupt=1.0), 200, size=50)
    for number, each in enumerate(arrived):
        assert 1 == sum(byte != number & 0xFF for byte in each.data)
        assert 50 == len(each.data)


def test_mtu() -> None:
    link = Link(LinkConfig(mtu=1_000))
    for size in (999, 1_000, 1_001):
        link.send(datagram(size), 0.0)

    assert [999, 1_000] == [len(each.data) for each in link.deliver(math.inf)]
    assert (3, 1, 2) == (link.sent, link.dropped, link.delivered)


def test_rate_spaces_datagrams() -> None:
    link = Link(LinkConfig(delay=0.0, rate=100_000))
    times = []
    for _ in range(4):
        link.send(datagram(), 0.0)
    while link.next_delivery() != math.inf:
        times.append(link.next_delivery())
        link.deliver(times[-1])

    assert pytest.approx([0.01, 0.02, 0.03, 0.04]) == times


def test_queue_drops_its_tail() -> None:
    link = Link(LinkConfig(delay=0.0, rate=100_000, queue=5_000))
    for _ in range(20):
        link.send(datagram(), 0.0)

    assert 6 == len(link.deliver(math.inf)), "one on its way and five behind it"
    link.send(datagram(), 1.0)
    assert 1 == len(link.deliver(math.inf)), "the queue is empty again"


@pytest.mark.parametrize(("ecn", "marked"), [(0, 0), (1, 1_000), (2, 1_000), (3, 1_000)])
def test_only_capable_datagrams_are_marked(ecn: int, marked: int) -> None:  # RFC 3168 §5
    arrived = carried(LinkConfig(mark=1.0), ecn=ecn)

    assert marked == sum(each.ecn == 3 for each in arrived)
    assert 1_000 == len(arrived)


def test_black_hole() -> None:
    link = Link(LinkConfig(black_holes=((1.0, 2.0), (3.0, 4.0))))
    for now in (0.9, 1.0, 1.9, 2.0, 3.5, 4.0):
        link.send(datagram(fill=int(now * 10)), now)

    assert [9, 20, 40] == [each.data[0] for each in link.deliver(math.inf)]


def test_next_ones_are_dropped_by_hand() -> None:
    link = Link()
    link.drop(2)
    for number in range(4):
        link.send(datagram(fill=number), 0.0)

    assert [2, 3] == [each.data[0] for each in link.deliver(math.inf)]


def test_filters_see_every_datagram_and_may_change_it() -> None:
    link = Link()

    def change(each: Datagram) -> bool:
        each.data = each.data[:5]
        return True

    link.filter(change)
    link.filter(lambda each: each.data[0] != 1)
    for number in range(3):
        link.send(datagram(fill=number), 0.0)

    assert [bytes(5), b"\x02" * 5] == [each.data for each in link.deliver(math.inf)]


def test_same_seed_same_fate() -> None:
    config = LinkConfig(loss=0.2, duplicate=0.2, reorder=0.2, corrupt=0.2, jitter=0.01)
    one, other = ([each.data for each in carried(config, 300)] for _ in range(2))

    assert one == other
    assert one != [each.data for each in carried_with_seed(config, 2)]


def carried_with_seed(config: LinkConfig, seed: int) -> list[Datagram]:
    link = Link(config, seed)
    for number in range(300):
        link.send(datagram(fill=number & 0xFF), number / 1_000)
    return link.deliver(math.inf)
