from collections import Counter
from typing import Literal

import pytest

from qmimic import grease
from qmimic.randomness import SeededBytes
from qmimic.transport_parameters import (
    CachedRtt,
    Integer,
    Known,
    Opaque,
    ParameterList,
    ParameterSpec,
    Reserved,
    SourceConnectionId,
    VersionInformation,
)
from qwire.transport_parameters import Parameter


def drawn(entry: ParameterSpec, seed: str = "seed", rtt: float | None = None) -> Parameter | None:
    return entry.draw(SeededBytes(seed), Known(rtt=rtt))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param(Integer(id=0x04, value=15_728_640), "80f00000", id="four bytes"),
        pytest.param(Integer(id=0x08, value=100), "4064", id="two bytes"),
        pytest.param(Integer(id=0x08, value=16, size=4), "80000010", id="longer than needed"),
        pytest.param(Opaque(id=0x3128, value=b"ORIG"), "4f524947", id="opaque"),
        pytest.param(SourceConnectionId(), "", id="connection id, filled in below"),
        pytest.param(VersionInformation(), "0000000100000001", id="versions without a reserved one"),
    ],
)
def test_values(entry: ParameterSpec, expected: str) -> None:
    parameter = drawn(entry)

    assert parameter is not None
    assert expected == parameter.value.hex()


def test_sizes_longer_than_needed_reach_the_wire() -> None:
    parameters = ParameterList(entries=(Opaque(id=0x20, value=b"ab", id_size=4, length_size=2),))

    assert "8000002040026162" == parameters.draw(SeededBytes(0)).encode().hex()


@pytest.mark.parametrize(("place", "expected"), [("first", {0}), ("last", {1}), ("random", {0, 1})])
def test_a_reserved_version_has_its_place(
    place: Literal["first", "last", "random"], expected: set[int]
) -> None:
    places = set()
    for seed in range(40):
        parameter = drawn(VersionInformation(grease=place), str(seed))
        assert parameter is not None
        chosen, *available = (
            int.from_bytes(parameter.value[index : index + 4], "big") for index in range(0, 12, 4)
        )
        assert 1 == chosen
        [label] = [version for version in available if version != 1]
        assert grease.is_version(label)
        places.add(available.index(label))

    assert expected == places


def test_reserved_parameters_vary_in_everything() -> None:
    lengths: Counter[int] = Counter()
    for seed in range(400):
        parameter = drawn(Reserved(), str(seed))
        assert parameter is not None
        assert grease.is_parameter(parameter.id)
        lengths[len(parameter.value)] += 1

    assert set(range(16)) == set(lengths)


def test_round_trip_time_is_sent_only_when_known() -> None:
    assert drawn(CachedRtt()) is None
    parameter = drawn(CachedRtt(), rtt=0.020)
    assert parameter is not None
    assert "80004e20" == parameter.value.hex()  # 20,000 microseconds


def test_orders() -> None:
    entries = tuple(Integer(id=number, value=1) for number in (5, 1, 9, 3, 7))

    def ids(order: Literal["fixed", "shuffled", "ascending"], seed: int) -> list[int]:
        parameters = ParameterList(order=order, entries=entries).draw(SeededBytes(seed))
        return [entry.id for entry in parameters.entries]

    assert [5, 1, 9, 3, 7] == ids("fixed", 1)
    assert [1, 3, 5, 7, 9] == ids("ascending", 1)
    assert [1, 3, 5, 7, 9] == sorted(ids("shuffled", 1))
    assert 20 < len({tuple(ids("shuffled", seed)) for seed in range(30)})


def test_drawn_bits_vary_and_the_others_stay() -> None:
    random = SeededBytes("bits")
    entry = Opaque(id=0x4000, value=b"\xa5\x00", drawn=b"\x0f\x00")
    values = [parameter.value for _ in range(200) if (parameter := entry.draw(random, Known())) is not None]

    assert {bytes((0xA0 | low, 0)) for low in range(16)} == set(values)
    with pytest.raises(ValueError, match="1 bytes say which bits of 2 are drawn"):
        Opaque(id=0x4000, value=b"ab", drawn=b"\x01")
