"""The table of deadlines."""

import math

import pytest

from qcore.engine.timers import NAMES, TimerTable, is_due


def test_new_table_waits_for_nothing() -> None:
    assert math.inf == TimerTable().next()


def test_earliest_deadline_is_next() -> None:
    table = TimerTable()
    table.idle = 30.0
    table.loss = 2.0
    table.ack = 2.5
    assert 2.0 == table.next()

    table.loss = math.inf
    assert 2.5 == table.next()


@pytest.mark.parametrize("name", NAMES)
def test_each_deadline_counts(name: str) -> None:
    table = TimerTable()
    setattr(table, name, 5.0)

    assert 5.0 == table.next()


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
    assert due is is_due(deadline, now)


def test_clear_all_switches_everything_off() -> None:
    table = TimerTable()
    for number, name in enumerate(NAMES):
        setattr(table, name, float(number))
    table.clear_all()

    assert math.inf == table.next()


def test_what_is_armed_is_shown() -> None:
    table = TimerTable()
    table.keys = 1.5

    assert "TimerTable(keys 1.500000)" == repr(table)
