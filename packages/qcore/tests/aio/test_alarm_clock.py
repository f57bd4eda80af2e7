import asyncio
import math
import time

from qcore.aio.alarm_clock import AlarmClock
from qcore.aio.driven import Driven, Sleeper

from ..engine.sites import Site

LONG_AGO = 0.0


class Heard:
    """Keeps whom it was woken for, one list for each time."""

    def __init__(self) -> None:
        self.rings: list[list[Driven]] = []
        self.turns = 0
        self.first = asyncio.Event()

    def on_alarms(self, due: list[Driven]) -> None:
        self.rings.append(due)
        self.first.set()

    def on_turn(self) -> None:
        self.turns += 1
        self.first.set()


class Deaf:
    def on_alarms(self, due: list[Driven]) -> None:
        raise RuntimeError("not now")

    def on_turn(self) -> None:
        raise RuntimeError("not now")


def driven_by(sleeper: Sleeper) -> Driven:
    engine = Site(("::1", 1)).dial(("::1", 2))
    return Driven(engine, sleeper)


def test_all_that_is_open_on_a_loop_shares_its_clock() -> None:
    async def main() -> AlarmClock:
        loop = asyncio.get_running_loop()
        clock = AlarmClock.of(loop)
        assert clock is AlarmClock.of(loop)
        clock.leave()
        assert clock is AlarmClock.of(loop)
        clock.leave()
        clock.leave()
        return clock

    assert asyncio.run(main()) is not asyncio.run(main())


def test_those_due_together_are_told_together() -> None:
    async def main() -> None:
        clock = AlarmClock.of(asyncio.get_running_loop())
        first, second = Heard(), Heard()
        connections = [driven_by(first), driven_by(first), driven_by(second)]
        for driven in connections:
            clock.set(driven.alarm, LONG_AGO)
        clock.arrange()
        await second.first.wait()
        clock.leave()

        assert [connections[:2]] == first.rings
        assert [connections[2:]] == second.rings

    asyncio.run(main())


def test_an_earlier_alarm_does_not_wait_for_the_timer_of_a_later_one() -> None:
    async def main() -> None:
        clock = AlarmClock.of(asyncio.get_running_loop())
        heard = Heard()
        late, early = driven_by(heard), driven_by(heard)
        clock.set(late.alarm, time.monotonic() + 1_000)
        clock.arrange()
        clock.set(early.alarm, time.monotonic() + 0.001)
        clock.arrange()
        await heard.first.wait()
        clock.leave()

        assert [[early]] == heard.rings

    asyncio.run(main())


def test_a_fault_behind_one_socket_does_not_stop_the_others() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        faults: list[object] = []
        loop.set_exception_handler(lambda _, context: faults.append(context["exception"]))
        clock = AlarmClock.of(loop)
        heard = Heard()
        deaf, other = driven_by(Deaf()), driven_by(heard)
        clock.set(deaf.alarm, LONG_AGO)
        clock.set(other.alarm, LONG_AGO)
        clock.arrange()
        await heard.first.wait()
        clock.leave()

        assert ["not now"] == [str(fault) for fault in faults]
        assert [[other]] == heard.rings

    asyncio.run(main())


def test_nothing_is_left_in_a_loop_that_everybody_has_left() -> None:
    async def main() -> None:
        clock = AlarmClock.of(asyncio.get_running_loop())
        heard = Heard()
        driven = driven_by(heard)
        clock.set(driven.alarm, math.inf)
        clock.set(driven.alarm, LONG_AGO)
        clock.arrange()
        driven.alarm.cancel()
        clock.leave()
        for _ in range(5):
            await asyncio.sleep(0)

        assert [] == heard.rings

    asyncio.run(main())


def test_those_who_ask_within_a_turn_of_the_loop_share_the_next() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        faults: list[object] = []
        loop.set_exception_handler(lambda _, context: faults.append(context["exception"]))
        clock = AlarmClock.of(loop)
        first, late = Heard(), Heard()
        clock.soon(first)
        loop.call_soon(clock.soon, late)  # runs behind the turn that was asked for first
        clock.soon(Deaf())
        clock.soon(first)
        await first.first.wait()
        assert (2, 0) == (first.turns, late.turns)
        await late.first.wait()
        clock.leave()

        assert (2, 1) == (first.turns, late.turns)
        assert ["not now"] == [str(fault) for fault in faults]

    asyncio.run(main())
