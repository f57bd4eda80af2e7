"""A drawn connection from its beginning to its end, and what has to hold in between.

Every byte arrives once and in order, or the connection ends with an error that has a type. No timer stands still,
nobody gets more than three times what it sent before it has proved its address, and nothing is left behind.
"""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Final

from qcore.admission import admit_by_load, always_retry
from qcore.batch import Datagram
from qcore.engine.engine import QuicEngine
from qcore.errors import (
    HandshakeTimeout,
    IdleTimeout,
    QuicError,
    StatelessReset,
    StreamLimitReached,
    TransportError,
)
from qcore.events import (
    DatagramReceived,
    EarlyDataDecided,
    Event,
    PathValidated,
    SessionReceived,
    StreamReset,
    StreamStopped,
)
from qcore.testing import Pair, Seeded
from qcore.testing.pair import START, WALL
from qtls.config import ClientTLS, ServerTLS
from qtls.resumption import MemorySessionStore
from qwire.constants import INVALID_TOKEN, NO_VIABLE_PATH

from .drawing import Plan, Transfer
from .fixed_certificate import fixed_certificate

# The worst links carry a packet in two at best, over seconds; idle time-outs end what does not move at all.
LIMIT: Final = 600.0
# Turns of the clock without a step of it: a timer that is due, is handled, and stays due.
MAX_STANDSTILL: Final = 1_000
RESET_CODE: Final = 77
STOP_CODE: Final = 99
ANSWER: Final = b"an answer"
SECOND_SOCKET: Final = ("10.0.7.1", 50_700)
COMPLETE: Final = "complete"


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a connection went.

    Attributes:
        outcome: "complete", or the name of the error that ended it.
        duration: seconds of virtual time.
        handshake: seconds until the client's handshake was complete; math.inf if it never was.
        datagrams: datagrams put on both links.
    """

    outcome: str
    duration: float
    handshake: float
    datagrams: int


class Sending:
    """The streams of one side.

    Attributes:
        waiting: transfers with their indexes that have no stream yet.
        streams: what is or was sent on which stream, and when it was opened.
    """

    def __init__(self, name: str, plan: Plan, transfers: tuple[Transfer, ...]) -> None:
        self.waiting = list(enumerate(transfers))
        self.streams: dict[int, tuple[Transfer, bytes, float]] = {}
        self.resets: set[int] = set()
        self._label = f"{name} {plan.seed}"
        self._started: list[tuple[int, Transfer]] = []

    def start(self, engine: QuicEngine, bidirectional: bool, now: float) -> None:
        """Open as many streams as the peer allows."""
        while self.waiting:
            index, transfer = self.waiting[0]
            try:
                stream = engine.open_stream(bidirectional)
            except StreamLimitReached:
                return
            self._started.append(self.waiting.pop(0))
            data = Seeded(f"{self._label} {index}")(transfer.size)
            self.streams[stream] = (transfer, data, now)
            engine.send(stream, data, True)

    def reset_due(self, engine: QuicEngine, now: float) -> None:
        for stream, (transfer, _, since) in self.streams.items():
            if transfer.fate == "reset" and stream not in self.resets and now >= since + transfer.patience:
                self.resets.add(stream)
                engine.reset(stream, RESET_CODE)

    def start_over(self) -> None:
        """The server has not taken 0-RTT: the streams are gone."""
        self.waiting = sorted([*self._started, *self.waiting], key=lambda each: each[0])
        self.streams.clear()
        self.resets.clear()
        self._started.clear()


class Run:
    """One connection of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        made = fixed_certificate()
        self._server_tls = ServerTLS(
            certs=made.chain, alpn=("test",), early_data=plan.takes_early, ticket_keys=(bytes(32),)
        )
        self._client_tls = ClientTLS(alpn=("test",), ca=made.ca_pem, sessions=MemorySessionStore())
        if plan.resumes:
            self._take_ticket()
        self.pair = Pair(
            seed=plan.seed,
            client_config=plan.client,
            server_config=plan.server,
            client_tls=self._client_tls,
            server_tls=self._server_tls,
            to_server=plan.to_server,
            to_client=plan.to_client,
            admit=always_retry if plan.retries else admit_by_load,
            wall=WALL + 60.0,
        )
        self._up = Sending("up", plan, plan.uploads)
        self._down = Sending("down", plan, plan.downloads)
        self._rebindings = list(plan.rebindings)
        self._updates = list(plan.key_updates)
        self._datagrams = list(plan.datagrams)
        self._arrived: dict[str, Counter[bytes]] = {"client": Counter(), "server": Counter()}
        self._seen = {"client": 0, "server": 0}
        self._over: set[tuple[str, int]] = set()
        self._path: int | None = None
        self._has_moved = False
        self._last = -math.inf
        self._standstill = 0
        self._established_at = math.inf
        if plan.forgets:
            self.pair.to_client.filter(self._is_mapped)

    def _take_ticket(self) -> None:
        """A connection before, on a clean link."""
        pair = Pair(
            seed=self.plan.seed + (1 << 32),
            client_tls=self._client_tls,
            server_tls=self._server_tls,
            server_config=self.plan.server,
        )
        pair.run_until(lambda: any(isinstance(event, SessionReceived) for event in pair.client_events))

    def go(self) -> Result:
        """Run it to its end.

        Raises:
            AssertionError: something went wrong that no network may bring about.
        """
        pair = self.pair
        pair.run_until(lambda: self._is_done() or self._has_ended(), LIMIT)
        is_done = self._is_done()
        self._check_bytes(is_done)
        outcome = COMPLETE if is_done else self._why()
        if is_done:
            self._let_streams_end()
            pair.client.close()
        self._end()
        return Result(
            outcome=outcome,
            duration=pair.now - START,
            handshake=self._established_at - START,
            datagrams=pair.to_server.sent + pair.to_client.sent,
        )

    # What both sides do

    def _is_done(self) -> bool:
        """Let both sides do what they want to; True when all has arrived."""
        self._step()
        if self._up.waiting or self._down.waiting or self.pair.server is None:
            return False
        return all(
            self._has_arrived("server", stream) and ("client", stream) in self.pair.finished
            for stream in self._up.streams
        ) and all(self._has_arrived("client", stream) for stream in self._down.streams)

    def _has_arrived(self, side: str, stream: int) -> bool:
        return (side, stream) in self.pair.finished or (side, stream) in self._over

    def _has_ended(self) -> bool:
        pair = self.pair
        return pair.client.is_closed or (pair.server is not None and pair.server.is_closed)

    def _step(self) -> None:
        pair = self.pair
        now = pair.now
        client, server = pair.client, pair.server
        self._check_always(now)
        self._heed("client", client, pair.client_events)
        if server is not None:
            self._heed("server", server, pair.server_events)
        while self._rebindings and self._rebindings[0][0] <= now:
            pair.client_address = self._rebindings.pop(0)[1]
        if not client.is_closed:
            self._act_as_client(client, now)
        if server is not None and not server.is_closed:
            self._act_as_server(server, now)
        if server is not None and server.is_terminated:
            pair.router.forget(server)  # as endpoints do; its client gets a stateless reset then
        while self._updates and self._updates[0][0] <= now:
            engine = client if self._updates.pop(0)[1] else server
            if engine is not None and engine.is_confirmed and not engine.is_closed:
                engine.update_keys()

    def _act_as_client(self, client: QuicEngine, now: float) -> None:
        if client.is_established:
            self._established_at = min(self._established_at, now)
        if client.is_established or client.can_send_early:
            self._up.start(client, True, now)
            self._up.reset_due(client, now)
        if client.is_established:
            self._send_datagrams(client, 0)
        moves_at = self.plan.moves_at
        if moves_at is not None and client.is_confirmed and now >= moves_at and self._path is None:
            self._start_moving(client, now)

    def _start_moving(self, client: QuicEngine, now: float) -> None:
        if not client.parts.remote_ids.spare_count:
            return
        self.pair.client_sockets[1] = SECOND_SOCKET
        self._path = client.paths.add(1, now)
        if self.plan.probes:
            client.paths.probe(self._path, now)
        else:
            client.paths.switch(self._path, now)

    def _act_as_server(self, server: QuicEngine, now: float) -> None:
        if server.is_established:
            self._down.start(server, False, now)
            self._down.reset_due(server, now)
            self._send_datagrams(server, 1)

    def _send_datagrams(self, engine: QuicEngine, side: int) -> None:
        while self._datagrams[side] and engine.send_datagram(f"{side} {self._datagrams[side]}".encode()):
            self._datagrams[side] -= 1

    # What both sides hear

    def _heed(self, side: str, engine: QuicEngine, events: list[Event]) -> None:
        fresh = events[self._seen[side] :]
        self._seen[side] = len(events)
        if engine.is_closed:
            return
        theirs = self._up if side == "server" else self._down
        ours = self._down if side == "server" else self._up
        for event in fresh:
            if isinstance(event, DatagramReceived):
                self._arrived[side][event.data] += 1
            elif isinstance(event, EarlyDataDecided) and not event.accepted:
                self._up.start_over()
            elif isinstance(event, StreamReset):
                assert RESET_CODE == event.code or STOP_CODE == event.code, event
                self._over.add((side, event.stream_id))
            elif isinstance(event, StreamStopped):
                assert STOP_CODE == event.code, event
                assert ours.streams[event.stream_id][0].fate == "stopped", event
            elif isinstance(event, PathValidated) and event.path_id == self._path and not self._has_moved:
                self._has_moved = True
                engine.paths.switch(event.path_id, self.pair.now)
        if side == "server":
            self._answer(engine)
        for stream, (transfer, _, _) in theirs.streams.items():
            key = (side, stream)
            is_new = key not in self._over and key not in self.pair.finished
            if transfer.fate == "stopped" and is_new and self.pair.received.get(key):
                engine.stop_sending(stream, STOP_CODE)
                self._over.add(key)

    def _answer(self, server: QuicEngine) -> None:
        """The server ends its half of each stream whose other half is over."""
        for stream in self._up.streams:
            key = ("answered", stream)
            if self._has_arrived("server", stream) and key not in self._over:
                self._over.add(key)
                server.send(stream, ANSWER, True)

    # What has to hold

    def _is_mapped(self, datagram: Datagram) -> bool:
        return datagram.address == self.pair.client_address or datagram.address == SECOND_SOCKET

    def _check_always(self, now: float) -> None:
        self._standstill = self._standstill + 1 if now == self._last else 0
        self._last = now
        assert self._standstill < MAX_STANDSTILL, f"time stands still at {now}"
        for engine in (self.pair.client, self.pair.server):
            if engine is not None and not engine.is_closed:
                assert 0 <= engine.stats().bytes_in_flight, "less than nothing is in flight"
                for path in engine.parts.paths.paths():
                    assert path.validated or engine.is_client or path.sent <= 3 * path.received, (
                        f"{path.sent} bytes sent for {path.received} to an address that is not validated"
                    )

    def _check_bytes(self, is_done: bool) -> None:
        pair = self.pair
        for side, sending in (("server", self._up), ("client", self._down)):
            for stream, (transfer, data, _) in sending.streams.items():
                got = bytes(pair.received.get((side, stream), b""))
                assert data[: len(got)] == got, f"wrong bytes on stream {stream} of {transfer}"
                is_whole = (side, stream) in pair.finished
                assert not is_whole or data == got, f"bytes are missing on stream {stream} of {transfer}"
                assert is_whole or not is_done or transfer.fate != "whole", f"stream {stream} did not end"
        if is_done:
            for stream in self._up.streams:
                assert ANSWER == pair.received["client", stream], f"the answer on stream {stream}"
        for index, side in enumerate(("server", "client")):
            known = {f"{index} {number + 1}".encode() for number in range(self.plan.datagrams[index])}
            assert set(self._arrived[side]) <= known, "a datagram that nobody sent"
            assert all(count == 1 for count in self._arrived[side].values()), "a datagram came twice"

    def _why(self) -> str:
        errors = self._errors()
        assert errors, "a side has ended without an error"
        error = errors[-1] if isinstance(errors[0], StatelessReset) else errors[0]
        if isinstance(error, TransportError):
            return f"TransportError 0x{error.code:x}"
        return type(error).__name__

    def _errors(self) -> list[QuicError]:
        pair = self.pair
        errors = [pair.client.error, pair.server.error if pair.server is not None else None]
        return [error for error in errors if error is not None]

    def _is_allowed(self, error: QuicError) -> bool:
        """Whether the network can have brought an error about."""
        if isinstance(error, IdleTimeout | HandshakeTimeout):
            return True
        if isinstance(error, StatelessReset):
            return self.pair.server is not None and self.pair.server.error is not None
        if not isinstance(error, TransportError) or self.plan.is_stable:
            return False
        # RFC 9000 §8.1.4: the client came back with the token of a Retry from another address. §9.3.2: or it was
        # found at none of its addresses.
        return NO_VIABLE_PATH == error.code or (self.plan.retries and INVALID_TOKEN == error.code)

    # Nothing is left

    def _let_streams_end(self) -> None:
        """What was acknowledged is forgotten on both sides."""
        pair = self.pair

        def are_gone() -> bool:
            self._step()
            assert pair.server is not None
            return self._has_ended() or not (
                pair.client.stats().open_streams or pair.server.stats().open_streams
            )

        pair.run_until(are_gone, LIMIT)

    def _end(self) -> None:
        """Both sides come to an end."""
        pair = self.pair
        pair.run_until(
            lambda: pair.client.is_terminated and (pair.server is None or pair.server.is_terminated), LIMIT
        )
        for error in self._errors():
            assert self._is_allowed(error), f"{error!r}"
        for router, engine in ((pair.client_router, pair.client), (pair.router, pair.server)):
            if engine is not None:
                assert math.inf == engine.next_timeout(), "a timer is left"
                router.forget(engine)
                left = [other for other in router._by_cid.values() if other is engine]
                assert not left, f"{len(left)} connection IDs are left"
                assert 0 == router.half_open, "it counts as half open"
        assert not pair.client_router._by_address, "the address is left"
