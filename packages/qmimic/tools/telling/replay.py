"""Visits of a profile's client to an aioquic server in virtual time, at the pace of a captured visit.

The server answers at once, and its datagrams reach the client when those of the captured one were read. While the captured
client had something lying unread it was away, and no timer of ours fires. So nothing of what is compared depends on the
machine that this runs on.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from qmimic.capture import CapturedDatagram, CapturedFlow
from qmimic.dissection import dissect_flow
from qmimic.memory import Memory
from qmimic.profile import ClientProfile

from .asked import Asked
from .browser import Browser
from .pace import Pace, calls_for_ack
from .sans_io_server import Server

HELD_BACK: Final = 0.02
#: What the captured server hands out, and aioquic by itself does not.
TOKEN: Final = b"T" + bytes(range(47))
#: Seconds between a visit and the next to the same server.
BETWEEN: Final = 5.0
#: Seconds that a visit goes on behind the last thing that it waits for.
REST: Final = 0.3


@dataclass
class Replay:
    """One visit.

    Attributes:
        finished: when the client had sent its Finished; None before.
        waiting: the server's datagrams that have not been read: when they will be, and their bytes.
        arrived: how many of them came before the Finished, and how many that call for an ACK behind.
        asked: when the page will be.
    """

    browser: Browser
    server: Server
    pace: Pace
    now: float = 0.0
    finished: float | None = None
    waiting: list[tuple[float, bytes]] = field(default_factory=list)
    datagrams: list[CapturedDatagram] = field(default_factory=list)
    arrived: list[int] = field(default_factory=lambda: [0, 0])
    asked: float = math.inf

    def run(self, early: bool) -> None:
        """Let it happen, until a while after the request, or where that went early after the Finished."""
        self.browser.turn(0.0)
        self._exchange()
        end = math.inf
        while True:
            timer, reading = self._timer(), self._reading()
            due = min(timer, reading, self.server.next_timeout(), self.asked)
            if self.finished is not None and end == math.inf:
                last = self.finished if early or self.asked == math.inf else self.asked
                end = last + REST
            if due > end or due == math.inf:
                return
            self.now = max(self.now, due)
            if timer == due:
                self.browser.on_time(self.now)
            elif self.asked == due:
                self.asked = math.inf
                end = self.now + REST
                self.browser.ask(self.now)
            elif reading == due:
                self._read()
            else:
                self._from_server(self.server.send(self.now))
            self._exchange()

    def _reading(self) -> float:
        return self.waiting[0][0] if self.waiting else math.inf

    def _timer(self) -> float:
        """When the client's timer fires: not while it is away."""
        due = max(self.browser.engine.next_timeout(), self.now)
        if due == math.inf:
            return due
        for at, read in self._absences():
            if at <= due < read:
                # What lies there is read first.
                back = math.nextafter(read, math.inf)
                due = min((time for time in self._awake() if due <= time <= read), default=back)
        return due

    def _absences(self) -> list[tuple[float, float]]:
        first, second = self.pace.absences
        done = self.finished
        return [*first, *((at + done, read + done) for at, read in second if done is not None)]

    def _awake(self) -> list[float]:
        first, second = self.pace.awake
        done = self.finished
        return [*first, *(time + done for time in second if done is not None)]

    def _read(self) -> None:
        ready = [data for read, data in self.waiting if read <= self.now]
        del self.waiting[: len(ready)]
        self.datagrams += [CapturedDatagram(self.now * 1000, False, data) for data in ready]
        self.browser.receive(ready, self.now)

    def _exchange(self) -> None:
        """Bring what the client has sent to the server, one after the other, and its answers on their way."""
        sent, self.browser.wire.sent = self.browser.wire.sent, []
        for data in sent:
            self.datagrams.append(CapturedDatagram(self.now * 1000, True, data))
            answers = self.server.receive(data, self.now)
            self._from_server(answers)
        if self.browser.is_established and self.finished is None:
            self.finished = self.now
            if self.pace.pause is not None:
                self.asked = self.now + self.pace.pause

    def _from_server(self, answers: Sequence[bytes]) -> None:
        for data in answers:
            read = self.now + HELD_BACK
            if not self.browser.is_established:
                read = self._next_of(self.pace.opening, 0, read)
            elif self._calls_for_ack(data):
                done = self.now if self.finished is None else self.finished
                read = self._next_of(self.pace.later, 1, read - done) + done
            else:
                read = max((end for start, end in self._absences() if start <= read < end), default=read)
            last = self.waiting[-1][0] if self.waiting else 0.0
            self.waiting.append((max(read, self.now, last), data))

    def _next_of(self, times: Sequence[float], part: int, otherwise: float) -> float:
        place = self.arrived[part]
        self.arrived[part] += 1
        return times[place] if place < len(times) else otherwise

    def _calls_for_ack(self, data: bytes) -> bool:
        seen = [*self.datagrams, CapturedDatagram(self.now * 1000, False, data)]
        return calls_for_ack(
            dissect_flow(CapturedFlow({}, seen, self.browser.secrets()))["datagrams"][-1]["packets"]
        )


def replay(
    profile: ClientProfile,
    pace: Pace,
    wanted: Asked,
    *,
    headers: Sequence[tuple[str, str]] = (),
    seed: str = "0",
    resumed: bool = False,
) -> CapturedFlow:
    """Make a visit; where it is to be resumed another one comes before it."""
    memory = Memory()
    server = Server()
    wall = time.time()  # certificates and tickets are of today
    if resumed:
        visit(Browser(profile, wanted, headers, f"{seed} before", memory, wall), server, Pace(pause=0.05))
        memory.origin(f"{wanted.host}:443").tokens = [TOKEN]
        wall += BETWEEN
    return visit(Browser(profile, wanted, headers, seed, memory, wall, resumed), server, pace, early=resumed)


def visit(browser: Browser, server: Server, pace: Pace, early: bool = False) -> CapturedFlow:
    """One connection."""
    server.connection = None
    made = Replay(browser, server, pace)
    made.run(early)
    browser.rest()
    return CapturedFlow({"kind": "visit", "host": browser.wanted.host}, made.datagrams, browser.secrets())
