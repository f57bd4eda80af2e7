import math
import random

from qcore.aio.alarms import Alarm, Alarms


def test_comes_up_at_its_deadline_and_not_before() -> None:
    alarms: Alarms[str] = Alarms()
    alarm = Alarm("a")
    alarms.set(alarm, 5.0)

    assert 5.0 == alarms.next()
    assert [] == alarms.due(4.9)
    assert [alarm] == alarms.due(5.0)
    assert math.inf == alarms.next()


def test_an_earlier_deadline_takes_over_and_the_later_one_stays() -> None:
    alarms: Alarms[str] = Alarms()
    alarm = Alarm("a")
    alarms.set(alarm, 30.0)
    alarms.set(alarm, 1.0)

    assert [alarm] == alarms.due(1.0)
    alarms.set(alarm, 31.0)  # the old entry moves when its time comes, or somebody asks
    assert 30.0 == alarms.soonest()
    assert [] == alarms.due(30.5)
    assert 31.0 == alarms.next()


def test_what_was_put_off_is_no_reason_to_wake_up() -> None:
    alarms: Alarms[int] = Alarms()
    table = [Alarm(number) for number in range(100)]
    for number, alarm in enumerate(table):
        alarms.set(alarm, 1.0 + number / 1000)
        alarms.set(alarm, 9.0 + number / 1000)

    assert 9.0 == alarms.next()
    assert [] == alarms.due(2.0)
    assert table[:2] == alarms.due(9.0011)


def test_a_cancelled_alarm_lets_its_owner_go() -> None:
    alarms: Alarms[str] = Alarms()
    alarm = Alarm("a")
    alarms.set(alarm, 1.0)
    alarm.cancel()

    assert alarm.owner is None
    assert math.inf == alarms.next()
    assert [] == alarms.due(2.0)


def test_no_deadline_asks_for_nothing() -> None:
    alarms: Alarms[str] = Alarms()
    alarms.set(Alarm("a"), math.inf)

    assert math.inf == alarms.next()


def test_entries_stay_few_however_often_a_deadline_moves() -> None:
    # Idle timeout of 30 s that every packet pushes out, and an ACK delay of 25 ms now and then, for 60 s.
    alarms: Alarms[str] = Alarms()
    alarm = Alarm("a")
    now = 0.0
    for step in range(60_000):
        now = step / 1000
        if alarm in alarms.due(now):
            alarms.set(alarm, now + 30)
        alarms.set(alarm, now + (0.025 if step % 40 == 0 else 30))
        assert len(alarm.pending) <= 3


def test_never_late_against_a_plain_table() -> None:
    seed = 20_260_101
    print("seed", seed)
    chance = random.Random(seed)
    alarms: Alarms[int] = Alarms()
    table = [Alarm(number) for number in range(50)]
    deadlines = [math.inf] * 50
    now = 0.0
    for _ in range(20_000):
        number = chance.randrange(50)
        deadlines[number] = now + chance.choice([0.01, 0.5, 3.0, 30.0, math.inf])
        alarms.set(table[number], deadlines[number])
        if chance.random() < 0.5:
            assert alarms.next() == min(deadlines)
        assert alarms.soonest() <= min(deadlines)
        now += chance.choice([0.0, 0.001, 0.1])
        for alarm in alarms.due(now):
            assert alarm.owner is not None
            if deadlines[alarm.owner] <= now:
                deadlines[alarm.owner] = math.inf
            alarms.set(alarm, deadlines[alarm.owner])
        assert min(deadlines) > now
