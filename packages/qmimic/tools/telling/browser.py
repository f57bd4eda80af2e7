"""The client of `qmimic.Client` without its sockets.

The same engine, the same HTTP/3, and the turns of the driver of `qcore.aio`, in which what arrives is answered; time is an
argument.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, cast

from qcore.aio.connection import Connection
from qcore.batch import Address, Datagram, SendBatch
from qcore.engine.engine import QuicEngine
from qcore.events import Event, HandshakeCompleted
from qcore.router import Router
from qhttp3.aio.connection import H3Connection
from qhttp3.config import H3Config
from qmimic.dissection import parse_key_log
from qmimic.memory import Memory
from qmimic.profile import ClientProfile
from qmimic.randomness import SeededBytes

from .asked import Asked
from .visits import certificate

ADDRESS: Final[Address] = ("192.0.2.1", 443)
#: Seconds that the client is busy with what it has read: so ACKs are delayed by something, as anywhere.
WORK: Final = 0.0002
READ_SIZE: Final = 1 << 18


class Wire:
    """What HTTP/3 needs of a connection: an engine, and ways to have it send.

    Attributes:
        sent: datagrams that have left and nobody has taken yet.
    """

    def __init__(self, engine: QuicEngine) -> None:
        self.engine = engine
        self.is_closed = False
        self.protocol: H3Connection | None = None
        self.saved: list[Event] = []  # of before there was HTTP/3
        self.now = 0.0
        self.sent: list[bytes] = []

    def attach(self, protocol: H3Connection) -> None:
        self.protocol = protocol
        protocol.on_events(self.saved)

    def flush(self) -> None:
        """Nothing: every turn ends with sending."""

    def flush_now(self) -> None:
        batch = SendBatch()
        while self.engine.transmit(self.now, batch):
            self.sent += [datagram.data for datagram in batch.datagrams()]
            batch.clear()

    def ended_by(self) -> None:
        return None


class Browser:
    """A profile's client on its way to one page.

    Args:
        wanted: what it will ask for.
        headers: in place of the profile's.
        memory: what it knows of the server; what it learns goes there.
        wall: Unix time at the beginning.
        early: the request goes in 0-RTT.
    """

    def __init__(
        self,
        profile: ClientProfile,
        wanted: Asked,
        headers: Sequence[tuple[str, str]],
        seed: str,
        memory: Memory,
        wall: float,
        early: bool = False,
    ) -> None:
        random = SeededBytes(seed)
        self.key_log: list[str] = []
        self.memory = memory
        self.key = f"{wanted.host}:443"
        drawn = profile.draw(random, memory.resumption(self.key))
        tls = replace(drawn.tls, ca=certificate().ca_pem, keylog=self.key_log.append)
        self.router = Router(random=random, wall_offset=wall)
        self.engine = self.router.connect(
            ADDRESS,
            tls=tls,
            config=drawn.quic,
            server_name=wanted.host,
            now=0.0,
            wall_clock=wall,
            session=None if tls.sessions is None else tls.sessions.pop(wanted.host),
        )
        self.wire = Wire(self.engine)
        self.is_stepwise = drawn.quic.initial.habits.answers_each_datagram
        self.config: H3Config = replace(drawn.http3, remember=self._remember)
        self.spec = profile.http3
        self.wanted, self.headers = wanted, headers
        self.is_established = False
        if early:
            self._start()
            self.ask(0.0)

    def ask(self, now: float) -> None:
        """Request the page."""
        self.wire.now = now
        http = self.wire.protocol
        assert http is not None
        assert self.spec is not None
        wanted = self.wanted
        fields = [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", wanted.host),
            (":path", wanted.path),
            *self.spec.complete(list(self.headers), wanted.host, wanted.destination, wanted.referer),
        ]
        http.engine.send_request([(name.encode(), value.encode()) for name, value in fields], end=True)
        http.pump()
        http.set_apart()
        self.turn(now)

    def receive(self, datagrams: Sequence[bytes], now: float) -> None:
        """Take what was read at once."""
        items = [Datagram(data, ADDRESS) for data in datagrams]
        for part in [[item] for item in items] if self.is_stepwise else [items]:
            self.router.receive(part, now)
            self.turn(now + WORK)

    def on_time(self, now: float) -> None:
        """Do what is due."""
        self.engine.handle_timeout(now)
        self.turn(now)

    def turn(self, now: float) -> None:
        """Hand out events, send, and hand out what that brought up."""
        self.wire.now = now
        self._deliver()
        self.wire.flush_now()
        self._deliver()

    def secrets(self) -> dict[str, bytes]:
        """Of its key log."""
        secrets: dict[str, bytes] = {}
        for known in parse_key_log("\n".join(self.key_log)).values():
            secrets.update(known)
        return secrets

    def rest(self) -> None:
        """The visit is over."""
        self.memory.origin(self.key).rtt = self.engine.stats().smoothed_rtt

    def _deliver(self) -> None:
        events = self.engine.events()
        is_done = any(isinstance(event, HandshakeCompleted) for event in events)
        self.is_established = self.is_established or is_done
        http = self.wire.protocol
        if http is not None:
            http.on_events(events)
            if http.engine.has_request(0):
                http.engine.read_body(0, READ_SIZE)
            return
        self.wire.saved += events
        if is_done:
            self._start()

    def _start(self) -> None:
        http = H3Connection(cast(Connection, self.wire), self.config)
        http.start()

    def _remember(self, settings: Any) -> None:
        self.memory.origin(self.key).settings = tuple(settings.pairs())
