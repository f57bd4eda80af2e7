"""The table of deadlines."""

import math

import pytest

from qcore.engine import timers
from qcore.engine.timers import TimerTable


def test_new_table_waits_for_nothing() -> None:
    assert math.inf == TimerTable().next()


def test_earliest_deadline_is_next() -> None:
    table = TimerTable()
    table.set(timers.IDLE, 30.0)
    table.set(timers.LOSS, 2.0)
    table.set(timers.ACK, 2.5)
    assert 2.0 == table.next()

    table.clear(timers.LOSS)
    assert 2.5 == table.next()


@pytest.mark.parametrize(
    ("deadline", "now", "due"),
    [
        pytest.param(5.0, 4.999, False, id="before"),
        pytest.param(5.0, 5.0, True, id="at the deadline"),
        pytest.param(5.0, 6.0, True, id="after"),
        pytest.param(math.inf, 6.0, False, id="off"),
        pytest.param(math.inf, math.inf, False, id="off at the end of time"),
    ],
)
def test_due(deadline: float, now: float, due: bool) -> None:
    table = TimerTable()
    table.set(timers.PATH, deadline)

    assert due is table.is_due(timers.PATH, now)


def test_clear_all_switches_everything_off() -> None:
    table = TimerTable()
    for slot in range(timers.COUNT):
        table.set(slot, float(slot))
    table.clear_all()

    assert math.inf == table.next()


def test_every_slot_has_a_name_and_shows_it() -> None:
    assert timers.COUNT == len(timers.NAMES)
    table = TimerTable()
    table.set(timers.KEYS, 1.5)

    assert "TimerTable(keys 1.500000)" == repr(table)
