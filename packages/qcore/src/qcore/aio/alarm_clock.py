"""One timer for all the sockets of an event loop, and one pass of sending in each of its turns.

A thousand clients are a thousand sockets. With a timer each, nearly every packet would make one, because the ACK that it
asks for is due before anything else of its connection; and each timer that fires would be a wake-up of its own. Together
they have one, which most packets leave as it is. And who asks one server after another has both sent in the same turn:
the ACK of what one has answered, and the question to the next.
"""

from __future__ import annotations

import asyncio
import math
import time
from threading import get_ident
from typing import Final, final

from .alarms import Alarm, Alarms
from .driven import Driven, Sleeper

# Loops fire timers a little early or in steps of a millisecond; what is due within one is handled now, so that
# a timer that fired never finds nothing to do and fires again at once.
TIMER_SLACK: Final = 0.001


@final
class AlarmClock:
    """The alarms of one event loop. Made by `AlarmClock.of`, and to be given back by `leave`."""

    __slots__ = ("_alarms", "_deadline", "_is_ringing", "_loop", "_timer", "_turns", "_users")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._alarms: Alarms[Driven] = Alarms()
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = math.inf  # of the timer
        self._is_ringing = False
        self._turns: list[Sleeper] = []
        self._users = 0

    @staticmethod
    def of(loop: asyncio.AbstractEventLoop) -> AlarmClock:
        """The clock of a loop, shared by all that is open on it."""
        thread = get_ident()
        clock = CLOCKS.get(thread)
        if clock is None or clock._loop is not loop:
            clock = CLOCKS[thread] = AlarmClock(loop)
        clock._users += 1
        return clock

    def leave(self) -> None:
        """One of the users is done with; its alarms have been cancelled."""
        self._users -= 1
        if self._users:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        thread = get_ident()
        if CLOCKS.get(thread) is self:
            del CLOCKS[thread]

    def set(self, alarm: Alarm[Driven], deadline: float) -> None:
        """See to it that an alarm comes up; `arrange` is to be called once all of a turn are set."""
        self._alarms.set(alarm, deadline)

    def arrange(self) -> None:
        """Have the timer fire in time for the first alarm, perhaps once for nothing."""
        if self._is_ringing:
            return
        if self._timer is not None:
            if self._deadline <= self._alarms.soonest():
                return
            self._timer.cancel()
            self._timer = None
        deadline = self._alarms.next()
        if deadline == math.inf:
            return
        self._deadline = deadline
        self._timer = self._loop.call_later(max(0.0, deadline - time.monotonic()), self.ring)

    def soon(self, sleeper: Sleeper) -> None:
        """Wake one before the loop waits again, with all others that ask for it within the turn."""
        self._turns.append(sleeper)
        if len(self._turns) == 1:
            self._loop.call_soon(self._on_turn)

    def _on_turn(self) -> None:
        turns = self._turns
        self._turns = []
        for sleeper in turns:
            try:
                sleeper.on_turn()
            except Exception as error:  # noqa: BLE001 - a bug behind one socket must not stop the others
                self._report(error)

    def ring(self) -> None:
        """Wake those whose alarms have come up."""
        self._timer = None
        sleepers: dict[Sleeper, list[Driven]] = {}
        for alarm in self._alarms.due(time.monotonic() + TIMER_SLACK):
            driven = alarm.owner
            if driven is not None:
                sleepers.setdefault(driven.sleeper, []).append(driven)
        self._is_ringing = True
        for sleeper, due in sleepers.items():
            try:
                sleeper.on_alarms(due)
            except Exception as error:  # noqa: BLE001 - a bug behind one socket must not stop the others
                self._report(error)
        self._is_ringing = False
        self.arrange()

    def _report(self, error: Exception) -> None:
        self._loop.call_exception_handler(
            {"message": "Connections were not looked after in time", "exception": error}
        )


# By thread, that of the loop which runs there.
CLOCKS: Final[dict[int, AlarmClock]] = {}
