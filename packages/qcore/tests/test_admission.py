"""Who is let in. RFC 9000 §8.1."""

from typing import Any

import pytest

from qcore.admission import (
    MAX_HALF_OPEN,
    RETRY_ABOVE,
    Admission,
    Admit,
    Arrival,
    Crowd,
    LoadLimits,
    admit_by_load,
    always_retry,
    network_of,
)
from qwire.constants import VERSION_1


@pytest.mark.parametrize(
    ("rule", "half_open", "is_validated", "admission"),
    [
        (admit_by_load, 0, False, Admission.ACCEPT),
        (admit_by_load, RETRY_ABOVE - 1, False, Admission.ACCEPT),
        (admit_by_load, RETRY_ABOVE, False, Admission.RETRY),
        (admit_by_load, RETRY_ABOVE, True, Admission.ACCEPT),
        (admit_by_load, MAX_HALF_OPEN - 1, True, Admission.ACCEPT),
        (admit_by_load, MAX_HALF_OPEN, False, Admission.REFUSE),
        (admit_by_load, MAX_HALF_OPEN, True, Admission.REFUSE),
        (always_retry, 0, False, Admission.RETRY),
        (always_retry, 0, True, Admission.ACCEPT),
        (always_retry, MAX_HALF_OPEN, True, Admission.REFUSE),
    ],
)
def test_rule(rule: Admit, half_open: int, is_validated: bool, admission: Admission) -> None:
    arrival = Arrival(
        address=("192.0.2.1", 1), version=VERSION_1, is_validated=is_validated, half_open=half_open
    )

    assert admission is rule(arrival)


def test_arrival_cannot_be_changed() -> None:
    arrival = Arrival(address=("192.0.2.1", 1), version=VERSION_1, is_validated=False, half_open=0)
    with pytest.raises(AttributeError):
        arrival.is_validated = True  # type: ignore[misc]  # wrong on purpose


def arrival(**fields: Any) -> Arrival:
    known = {"address": ("192.0.2.1", 1), "version": VERSION_1, "is_validated": False, "half_open": 0}
    return Arrival(**{**known, **fields})


LIMITS = LoadLimits(
    retry_above=100,
    max_half_open=200,
    retry_above_per_network=10,
    max_half_open_per_network=20,
    max_connections=500,
    max_connections_per_network=50,
    max_waiting=5,
)


@pytest.mark.parametrize(
    ("fields", "admission"),
    [
        ({}, Admission.ACCEPT),
        ({"half_open": 99, "half_open_nearby": 9, "connections": 499}, Admission.ACCEPT),
        ({"half_open": 100}, Admission.RETRY),
        ({"half_open": 100, "is_validated": True}, Admission.ACCEPT),
        ({"half_open": 200, "is_validated": True}, Admission.REFUSE),
        ({"half_open_nearby": 10}, Admission.RETRY),
        ({"half_open_nearby": 10, "is_validated": True}, Admission.ACCEPT),
        # Whoever forges an address keeps its owner from nothing: the owner can prove it.
        ({"half_open_nearby": 20}, Admission.RETRY),
        ({"half_open_nearby": 20, "is_validated": True}, Admission.REFUSE),
        ({"connections": 500}, Admission.REFUSE),
        ({"connections_nearby": 49}, Admission.ACCEPT),
        ({"connections_nearby": 50}, Admission.REFUSE),
        ({"waiting": 4}, Admission.ACCEPT),
        ({"waiting": 5}, Admission.REFUSE),
    ],
    ids=str,
)
def test_limits(fields: dict[str, Any], admission: Admission) -> None:
    assert admission is LIMITS(arrival(**fields))


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", bytes.fromhex("20010db800010002")),
        ("fe80::1%eth0", bytes.fromhex("fe80000000000000")),
    ],
)
def test_network(host: str, network: bytes | str) -> None:
    assert network == network_of((host, 443) if ":" not in host else (host, 443, 0, 0))


def counts(crowd: Crowd, host: str = "192.0.2.1") -> tuple[int, int, int, int]:
    seen = crowd.arrival((host, 7), VERSION_1, False, 0)
    return seen.connections, seen.connections_nearby, seen.half_open, seen.half_open_nearby


def test_crowd_counts_everyone_and_neighbours() -> None:
    crowd = Crowd()
    for client, host in enumerate(["192.0.2.1", "192.0.2.1", "192.0.2.9"]):
        crowd.enter(client, (host, 1_000 + client))
    assert (3, 2, 3, 2) == counts(crowd)

    crowd.settle(0)
    crowd.settle(0)
    assert (3, 2, 2, 1) == counts(crowd)
    assert [False, True] == [crowd.is_half_open(0), crowd.is_half_open(1)]

    crowd.leave(1)
    assert (2, 1, 1, 0) == counts(crowd)
    crowd.leave(0)
    crowd.leave("a stranger")
    assert (1, 0, 1, 0) == counts(crowd)
    crowd.leave(2)
    assert (0, 0, 0, 0) == counts(crowd, "192.0.2.9")
    assert not crowd._nearby, "nothing is kept of networks without clients"
