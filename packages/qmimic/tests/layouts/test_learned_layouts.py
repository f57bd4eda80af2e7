"""Layouts that exist for clients other than browsers: quic-go's cut, equal pieces, arrangements that were seen."""

import pytest

from qcore.packing.initial_flight import Crypto, FlightContext, Padding, Placement, check_layout
from qmimic.layouts import Arrangement, Chunked, NameCut, Sampled
from qmimic.randomness import SeededBytes

ROOM = 1240


def context(size: int, seed: int = 1, name: tuple[int, int] | None = (60, 80)) -> FlightContext:
    return FlightContext(bytes(size), rooms=[ROOM], random=SeededBytes(seed), server_name_range=name)


def crypto(placements: list[Placement]) -> list[tuple[int, int]]:
    return [(item.start, item.stop) for item in placements if isinstance(item, Crypto)]


def test_the_second_half_of_the_name_comes_later() -> None:
    flight = context(1501)
    plan = NameCut(mixed=False).lay_out(flight)

    assert plan is not None
    check_layout(flight, plan)
    first, second = map(list, plan)
    assert (0, 70) == crypto(first)[0]
    assert 80 == crypto(first)[1][0]
    assert [(70, 80), (crypto(first)[1][1], 1501)] == crypto(second)
    assert isinstance(second[0], Padding)


def test_frames_are_mixed_and_padding_moves() -> None:
    plans = [NameCut(padding="back").lay_out(context(1501, seed)) for seed in range(40)]

    assert {(0, 70), (80, 1241)} == {crypto(list(plan[0]))[0] for plan in plans if plan}
    assert all(isinstance(plan[1][-1], Padding) for plan in plans if plan)


def test_a_name_that_is_not_there_is_not_cut() -> None:
    assert NameCut().lay_out(context(900, name=None)) is None
    assert NameCut().lay_out(context(2000, name=(1400, 1420))) is None


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (800, [[(0, 800)]]),
        (1799, [[(0, 900)], [(900, 1799)]]),
        (1802, [[(0, 900)], [(900, 1800), (1800, 1802)]]),
    ],
)
def test_equal_pieces(size: int, expected: list[list[tuple[int, int]]]) -> None:
    flight = context(size)
    plan = Chunked(size=900).lay_out(flight)

    assert plan is not None
    check_layout(flight, plan)
    assert expected == [crypto(list(part)) for part in plan]


def test_pieces_larger_than_a_packet_are_left_to_the_ordinary_path() -> None:
    assert Chunked(size=1235).lay_out(context(1500)) is None
    with pytest.raises(ValueError, match="at least one byte"):
        Chunked(size=0)


SEEN = Sampled(
    flights=(
        Arrangement(datagrams=("crypto 500:, ping, crypto :500, padding",)),
        Arrangement(datagrams=("crypto :1000, padding", "padding 5, crypto 1000:, padding")),
        Arrangement(datagrams=("crypto :-300, padding", "crypto -300:")),
    )
)


@pytest.mark.parametrize(("size", "fitting"), [(900, 3), (1500, 2), (2200, 1), (3000, 0)])
def test_one_of_those_that_fit_is_taken(size: int, fitting: int) -> None:
    plans = []
    for seed in range(60):
        flight = context(size, seed)
        plan = SEEN.lay_out(flight)
        if plan is not None:
            check_layout(flight, plan)
            plans.append(repr(plan))

    assert fitting == len(set(plans))


def test_arrangements_are_checked_when_they_are_made() -> None:
    with pytest.raises(ValueError, match="padding"):
        Arrangement(datagrams=("crypto :1, nothing",))
    with pytest.raises(ValueError, match="at least one flight"):
        Sampled(flights=())
