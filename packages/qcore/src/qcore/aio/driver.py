"""Runs the engines of one socket on an event loop.

The alarm clock of the loop has its timer and tells when its turn has come. After each input - datagrams, a timer, verbs of the
application - it hands out events, sends what is pending and sets one alarm. Verbs of one turn of the loop
share one pass of sending, and so does an acknowledgement with the answer that tasks give to what arrived.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, final

from ..batch import Address, Datagram, SendBatch
from ..engine.engine import QuicEngine
from ..router import Router
from .alarm_clock import TIMER_SLACK, AlarmClock
from .driven import Driven
from .local_sockets import LocalSockets
from .udp import SocketOwner, UdpSocket

# Batches that one engine may send before others get their turn: 256 datagrams.
BATCHES_PER_TURN: Final = 4
# While the system takes no datagrams, timers are not looked at more often than this.
BLOCKED_DELAY: Final = 0.005
# A connection that had nothing to do for so long, in seconds, takes less memory. To go on costs it 10 us in a loop, and
# some hundred where nothing is in the caches: those that are asked for something every few seconds had better not rest.
REST_AFTER: Final = 5.0
# Before that rests what has been without work for so many times as long as it was at work: of many connections that are
# opened for later, few have ciphers at a time, and what one lets go of serves the next.
REST_PER_WORK: Final = 4.0
# Those that come to rest do so together, so many times a second, and not each in a wake-up of its own.
RESTS_PER_SECOND: Final = 16


# What drivers share that have none of a kind: nobody may put anything into it.
NOBODY: Final[set[Driven]] = set()


@final
class Driver(SocketOwner):
    """Feeds a router from a socket, and a socket from its engines.

    Args:
        adopt: makes the `Driven` of an engine that the router created for an arriving connection.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        udp: UdpSocket,
        router: Router,
        adopt: Callable[[QuicEngine], Driven],
    ) -> None:
        self._loop = loop
        self._udp = udp
        self._locals = LocalSockets(self)
        self._router = router
        self._adopt = adopt
        self._driven: dict[QuicEngine, Driven] = {}
        self._dialling = NOBODY
        self._stepwise = NOBODY  # clients that answer one datagram before the next
        self._alarms = AlarmClock.of(loop)
        self._queue: list[Driven] = []
        self._is_flush_scheduled = False
        self._is_delivering = False  # input is being handed out, and what verbs make pending is sent after it
        self._is_blocked = False
        self._is_closed = False
        self._batch = SendBatch()
        self._clock = time.monotonic
        self._last = 0.0

    def start(self) -> None:
        self._udp.start(self)

    def now(self) -> float:
        """Monotonic seconds, never behind a deadline whose timer has fired early.

        Not the loop's own clock: some loops read it once per turn and in milliseconds, too coarse for round trips.
        """
        now = self._clock()
        if now < self._last:
            return self._last
        self._last = now
        return now

    def dial(self, driven: Driven, with_early_data: bool) -> None:
        """Drive one more engine, of a client that is about to begin; its first flight leaves at once.

        With early data it leaves within this turn of the loop, so that the data can share it.
        """
        self._driven[driven.engine] = driven
        if self._dialling:
            self._dialling.add(driven)
        else:
            self._dialling = {driven}
        if _answers_each(driven.engine):
            if self._stepwise:
                self._stepwise.add(driven)
            else:
                self._stepwise = {driven}
        if with_early_data or self._is_delivering:
            self.wake(driven)
        else:
            self.flush(driven)

    def wake(self, driven: Driven) -> None:
        """A verb was used on the engine: look at it before the loop waits again."""
        if not driven.is_queued:
            self._enqueue(driven)
        if not self._is_delivering and not self._is_flush_scheduled:
            self._schedule_flush()

    def flush(self, driven: Driven) -> None:
        """Send at once what an engine has to say, so that what follows shares no packet with it; not from `on_events`."""
        self._enqueue(driven)
        self._flush()

    def send_ahead(self, driven: Driven) -> None:
        """Send what an engine has to say so far, while more of it is being made; also from `on_events`.

        Events and alarms wait for the pass that follows.
        """
        self.wake(driven)
        if self._is_closed or driven.alarm.owner is None:
            return
        self._transmit(driven, self.now())
        if self._batch.count:
            self._send()

    @property
    def address(self) -> Address:
        """That of the first socket."""
        return self._udp.address

    def add_socket(self, udp: UdpSocket, driven: Driven | None = None) -> int:
        """Another socket, by its number; all that arrives there is for one engine, or for whom it says."""
        number = self._locals.add(udp)
        if driven is not None:
            self._router.own(number, driven.engine)
        return number

    def remove_socket(self, number: int) -> None:
        """Close a socket that was added; nothing happens to the first, whose number is 0."""
        self._router.disown(number)
        self._locals.remove(number)

    def close(self) -> None:
        """Close all connections and the socket, after one more pass of sending."""
        if self._is_closed:
            return
        for driven in list(self._driven.values()):
            driven.abort()
        self._flush()
        self._is_closed = True
        self._udp.close()
        self._locals.close()
        for driven in list(self._driven.values()):
            self._release(driven)
        self._alarms.leave()

    # Inputs

    def on_datagrams(self, datagrams: Sequence[Datagram]) -> None:
        if self._stepwise:
            self._stepwise = {driven for driven in self._stepwise if _answers_each(driven.engine)} or NOBODY
        if not self._stepwise:
            self._take(datagrams)
            return
        for datagram in datagrams:
            self._take((datagram,))

    def _take(self, datagrams: Sequence[Datagram]) -> None:
        now = self.now()
        woken = False
        touched = self._router.receive(datagrams, now, settles=True)
        self._is_delivering = True
        try:
            for engine in touched:
                driven = self._driven.get(engine)
                if driven is None:
                    driven = self._driven[engine] = self._adopt(engine)
                self._enqueue(driven)
                if engine.is_established and driven in self._dialling:
                    self._end_dial(driven)
                if self._deliver(driven):
                    woken = True
            for engine in self._router.accepted():
                driven = self._driven.get(engine)
                if driven is not None and driven.on_accepted():
                    woken = True
        finally:
            self._is_delivering = False
        if woken:
            self._schedule_flush()
        else:
            self._flush()

    def _end_dial(self, driven: Driven) -> None:
        """A client's handshake is complete: errors of the socket do not concern it any more.

        Its Finished, which the server waits for, leaves before anybody hears of that; not where packets have the habits
        of a browser, in which it shares a datagram with the first streams.
        """
        self._dialling.discard(driven)
        if not self._dialling:
            self._dialling = NOBODY
        if not driven.engine.config.initial.habits.answers_each_datagram:
            self.send_ahead(driven)

    def on_writable(self) -> None:
        self._is_blocked = False
        self._flush()

    def on_socket_error(self, error: OSError, address: Address | None) -> None:
        # Only who is dialling listens: later on ICMP messages can be stale or forged. RFC 9000 §14.2.1.
        for driven in list(self._dialling):
            if driven.engine.is_established or driven.alarm.owner is None:
                self._dialling.discard(driven)
            elif self._udp.is_connected or driven.engine.address == address:
                driven.on_socket_error(error, self.now())
                self.wake(driven)

    def on_alarms(self, due: list[Driven]) -> None:
        now = self.now()
        until = now + TIMER_SLACK
        for driven in due:
            if driven.alarm.owner is None:
                continue
            try:
                deadline = driven.engine.next_timeout()
                if deadline > until:
                    rests_at = _rest_time(driven)
                    if rests_at <= until:
                        driven.engine.rest()
                    elif rests_at < deadline:
                        deadline = rests_at
                    self._alarms.set(driven.alarm, deadline)
                    continue
                if deadline > now:
                    self._last = now = deadline
                driven.engine.handle_timeout(now)
            except Exception as error:  # noqa: BLE001 - a bug in one connection must not stop the others
                self._fault(driven, error)
            self._enqueue(driven)
            self._deliver(driven)
        self._flush()

    # Outputs

    def _enqueue(self, driven: Driven) -> None:
        if not driven.is_queued and driven.alarm.owner is not None:
            driven.is_queued = True
            self._queue.append(driven)

    def _deliver(self, driven: Driven) -> bool:
        try:
            events = driven.engine.events()
            return bool(events) and driven.on_events(events)
        except Exception as error:  # noqa: BLE001 - a bug in one connection must not stop the others
            self._fault(driven, error)
            return True

    def _fault(self, driven: Driven, error: Exception) -> None:
        """Report a bug and end the connection it happened on, so that the others go on."""
        self._loop.call_exception_handler(
            {"message": "QUIC connection ended by an internal error", "exception": error}
        )
        if driven.is_faulty:
            self._release(driven)
            return
        driven.is_faulty = True
        driven.on_fault(error)
        self.wake(driven)

    def _schedule_flush(self) -> None:
        if not self._is_flush_scheduled and not self._is_closed:
            self._is_flush_scheduled = True
            self._alarms.soon(self)

    def on_turn(self) -> None:
        self._is_flush_scheduled = False
        self._flush()

    def _flush(self) -> None:
        """Send for all engines that were touched; then hand out what that brought up, and set the timer.

        What need not be done before comes behind: the peer is at work meanwhile.
        """
        if self._is_closed:
            return
        now = self.now()
        batch = self._batch
        queue = self._queue
        self._queue = []
        while not self._is_blocked and self._router.transmit(now, batch) and batch.full:
            self._send()
        for driven in queue:
            driven.is_queued = False
            if driven.alarm.owner is None:
                continue
            self._transmit(driven, now)
        if batch.count:
            self._send()
        for driven in queue:
            if driven.alarm.owner is None:
                continue
            try:
                self._settle(driven, now)
            except Exception as error:  # noqa: BLE001 - a bug in one connection must not stop the others
                self._fault(driven, error)
        if not self._is_closed:  # by somebody who heard of an event
            self._alarms.arrange()

    def _settle(self, driven: Driven, now: float) -> None:
        """Behind a turn: have one engine do what could wait, hand out its events, and set its alarm."""
        if driven.engine.settle(now):
            self.wake(driven)
        self._deliver(driven)
        if driven.engine.is_terminated:
            self._release(driven)
            return
        deadline = driven.engine.next_timeout()
        if self._is_blocked and deadline < now + BLOCKED_DELAY:
            deadline = now + BLOCKED_DELAY  # it wants to send, and cannot before the socket takes more
        driven.last_turn = now
        if not driven.first_turn:
            driven.first_turn = now
        self._alarms.set(driven.alarm, min(deadline, _rest_time(driven)))

    def _transmit(self, driven: Driven, now: float) -> None:
        """Have one engine add to the batch what it may send."""
        batch = self._batch
        try:
            for _ in range(BATCHES_PER_TURN):
                if self._is_blocked:
                    break
                added = driven.engine.transmit(now, batch)
                if not batch.full:
                    return
                self._send()
                if not added:
                    return
        except Exception as error:  # noqa: BLE001 - a bug in one connection must not stop the others
            self._fault(driven, error)
            return
        # More to send than one turn allows, or than the system takes: go on when it is our turn again.
        self._enqueue(driven)
        if not self._is_blocked:
            self._schedule_flush()

    def _send(self) -> None:
        if self._locals and not self._locals.send(self._batch):
            self._is_blocked = True
        if not self._udp.send(self._batch):
            self._is_blocked = True

    def _release(self, driven: Driven) -> None:
        driven.alarm.cancel()
        self._dialling.discard(driven)
        self._stepwise.discard(driven)
        if self._driven.pop(driven.engine, None) is not None:
            self._router.forget(driven.engine)
            driven.on_released()


def _rest_time(driven: Driven) -> float:
    """When a connection rests that has nothing to do from its last turn on."""
    last = driven.last_turn
    delay = min(REST_AFTER, (last - driven.first_turn) * REST_PER_WORK)
    return int((last + delay) * RESTS_PER_SECOND + 1) / RESTS_PER_SECOND


def _answers_each(engine: QuicEngine) -> bool:
    """Whether a client is in that part of its life in which it answers datagrams one by one."""
    return engine.config.initial.habits.answers_each_datagram and not (
        engine.is_confirmed or engine.is_closed
    )
