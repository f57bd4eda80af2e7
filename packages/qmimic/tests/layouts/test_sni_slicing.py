"""Firefox's cuts, with figures that follow from its rule."""

import pytest

from qcore.packing.initial_flight import Crypto, FlightContext, check_layout
from qmimic.layouts import SniSlicing

ROOM = 1_200


@pytest.mark.parametrize(
    ("size", "name", "first"),
    [
        pytest.param(1_000, (100, 110), [(105, 1_000), (0, 105)], id="one datagram holds both sides"),
        pytest.param(1_900, (100, 110), [(1_055, 1_900), (0, 105)], id="name near the beginning"),
        pytest.param(1_900, (1_800, 1_810), [(1_805, 1_900), (0, 855)], id="name near the end"),
        pytest.param(3_000, (1_500, 1_510), [(1_505, 2_005), (0, 500)], id="name in the middle"),
    ],
)
def test_first_datagram(size: int, name: tuple[int, int], first: list[tuple[int, int]]) -> None:
    flight = FlightContext(bytes(size), rooms=[ROOM], random=bytes, server_name_range=name)
    plan = SniSlicing().lay_out(flight)

    assert plan is not None
    assert first == [(item.start, item.stop) for item in plan[0] if isinstance(item, Crypto)]


@pytest.mark.parametrize("room", [300, 1_110, 1_180])
@pytest.mark.parametrize("size", [800, 1_871, 2_200, 5_505])
def test_every_place_of_the_name_can_be_laid_out(size: int, room: int) -> None:
    # A left side that fills the first datagram alone once left an empty range on the right.
    for start in range(1, size - 14, 5):
        flight = FlightContext(bytes(size), rooms=[room], random=bytes, server_name_range=(start, start + 14))
        plan = SniSlicing().lay_out(flight)
        assert plan is not None
        check_layout(flight, plan)
