"""This stack as a client and as a server of the rig."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from qcore.admission import Admit
from qcore.batch import Address, Datagram, SendBatch
from qcore.config import QuicConfig
from qcore.engine.engine import QuicEngine
from qcore.errors import StreamLimitReached
from qcore.events import Event, HandshakeCompleted, StreamReadable
from qcore.router import Router
from qcore.testing import Seeded, Trace
from qtls.config import ClientTLS, ServerTLS

from .sides import Application, RequestLines, request_line


class Connection:
    """An engine that speaks HTTP/0.9 for an application.

    Attributes:
        early: whether the application begins before the handshake is complete.
    """

    def __init__(self, engine: QuicEngine, application: Application, *, early: bool = False) -> None:
        self.engine = engine
        self.application = application
        self.early = early
        self._may_speak = False
        self._lines = RequestLines()

    def advance(self) -> None:
        """Pass on what has happened."""
        for event in self.engine.events():
            self.on_event(event)
        if (self._may_speak or (self.early and self.engine.can_send_early)) and not self.engine.is_closed:
            self.application.on_turn(self)

    def on_event(self, event: Event) -> None:
        if isinstance(event, HandshakeCompleted):
            self._may_speak = True
        elif isinstance(event, StreamReadable):
            data, end = self.engine.read(event.stream_id)
            if self.engine.is_client:
                self.application.on_body(event.stream_id, data, end)
            elif (name := self._lines.receive(event.stream_id, data, end)) is not None:
                self.application.on_request(self, event.stream_id, name)

    def ask(self, name: bytes) -> int | None:
        try:
            stream_id = self.engine.open_stream()
        except StreamLimitReached:
            return None
        self.engine.send(stream_id, request_line(name), True)
        return stream_id

    def answer(self, stream_id: int, content: bytes) -> None:
        self.engine.send(stream_id, content, True)


MakeConnection = Callable[[QuicEngine, Application], Connection]


class OurServer:
    """Takes connections, each with an application of its own.

    Attributes:
        traces: what was observed, one per connection.
    """

    def __init__(
        self,
        make_application: Callable[[], Application],
        *,
        tls: ServerTLS,
        config: QuicConfig,
        admit: Admit | None,
        seed: int,
        wall_offset: float,
        make_connection: MakeConnection = Connection,
    ) -> None:
        random = Seeded(f"{seed} server")
        self.connections: dict[QuicEngine, Connection] = {}
        self.traces: list[Trace] = []
        self._make_application = make_application
        self._make_connection = make_connection
        self._router = Router(random=random, wall_offset=wall_offset)
        self._router.listen(
            tls=tls, config=replace(config, random=random), admit=admit, observer_factory=self._trace
        )

    def _trace(self) -> Trace:
        self.traces.append(Trace())
        return self.traces[-1]

    def receive(self, datagrams: Sequence[Datagram], now: float) -> None:
        for engine in self._router.receive(datagrams, now):
            if engine not in self.connections:
                self.connections[engine] = self._make_connection(engine, self._make_application())
        self._advance()

    def handle_timeout(self, now: float) -> None:
        for engine in self.connections:
            if engine.next_timeout() <= now:
                engine.handle_timeout(now)
        self._advance()

    def transmit(self, now: float) -> list[Datagram]:
        sent = collect(partial(self._router.transmit, now))
        for engine in self.connections:
            sent += collect(partial(engine.transmit, now))
        self._advance()
        return sent

    def next_timeout(self) -> float:
        return min((engine.next_timeout() for engine in self.connections), default=math.inf)

    def _advance(self) -> None:
        for engine, connection in list(self.connections.items()):
            connection.advance()
            if engine.is_terminated:
                self._router.forget(engine)
                del self.connections[engine]


class OurClient:
    """One connection.

    Attributes:
        trace: what was observed.
    """

    def __init__(
        self,
        application: Application,
        address: Address,
        *,
        tls: ClientTLS,
        config: QuicConfig,
        seed: int,
        now: float,
        wall_offset: float,
        early: bool = False,
        make_connection: MakeConnection = Connection,
    ) -> None:
        random = Seeded(f"{seed} client")
        self.trace = Trace()
        self._router = Router(random=random, wall_offset=wall_offset)
        self.engine = self._router.connect(
            address,
            tls=tls,
            config=replace(config, random=random),
            server_name=None,
            now=now,
            wall_clock=now + wall_offset,
            observer=self.trace,
        )
        self.connection = make_connection(self.engine, application)
        self.connection.early = early
        self.connection.advance()

    @property
    def is_ended(self) -> bool:
        return self.engine.is_closed

    @property
    def failure(self) -> object:
        """How the connection ended, if it was not without error."""
        return self.engine.error

    @property
    def is_confirmed(self) -> bool:
        return self.engine.is_confirmed

    @property
    def version(self) -> int:
        return self.engine.info.version

    @property
    def is_resumed(self) -> bool:
        return self.engine.info.resumed

    @property
    def early_accepted(self) -> bool:
        return self.engine.info.early_accepted

    def update_keys(self) -> bool:
        return self.engine.update_keys()

    def close(self) -> None:
        self.engine.close()

    def receive(self, datagrams: Sequence[Datagram], now: float) -> None:
        self._router.receive(datagrams, now)
        self.connection.advance()

    def handle_timeout(self, now: float) -> None:
        self.engine.handle_timeout(now)
        self.connection.advance()

    def transmit(self, now: float) -> list[Datagram]:
        sent = collect(partial(self.engine.transmit, now))
        self.connection.advance()
        return sent

    def next_timeout(self) -> float:
        return self.engine.next_timeout()


def collect(transmit: Callable[[SendBatch], int]) -> list[Datagram]:
    """All that an engine or a router has to send now."""
    sent: list[Datagram] = []
    batch = SendBatch()
    while transmit(batch):
        sent += batch.datagrams()
        batch.clear()
    return sent
