"""Visits of a profile's client to an aioquic server in virtual time, at the pace of a captured visit.

The client is the one of `qmimic.Client` without its sockets: the same engine, the same HTTP/3, and the turns of the
driver of `qcore.aio`, in which what arrives is answered. The server answers at once, and its datagrams reach the client
when those of the captured one were read. While the captured client had something lying unread it was away, and no timer
of ours fires. So nothing of what is compared depends on the machine that this runs on.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from qcore.aio.connection import Connection
from qcore.batch import Address, Datagram, SendBatch
from qcore.engine.engine import QuicEngine
from qcore.events import Event, HandshakeCompleted
from qcore.router import Router
from qhttp3.aio.connection import H3Connection
from qhttp3.config import H3Config
from qmimic.capture import CapturedDatagram, CapturedFlow
from qmimic.dissection import dissect_flow, parse_key_log
from qmimic.memory import Memory
from qmimic.profile import ClientProfile
from qmimic.randomness import SeededBytes

from .asked import Asked
from .pace import Pace, calls_for_ack
from .visits import certificate

ADDRESS: Final[Address] = ("192.0.2.1", 443)
CLIENT: Final[Address] = ("192.0.2.2", 50_000)
HELD_BACK: Final = 0.02
#: What the captured server hands out, and aioquic by itself does not.
TOKEN: Final = b"T" + bytes(range(47))
#: Seconds between a visit and the next to the same server.
BETWEEN: Final = 5.0
#: Seconds that the client is busy with what it has read: so ACKs are delayed by something, as anywhere.
WORK: Final = 0.0002
READ_SIZE: Final = 1 << 18
#: Seconds that a visit goes on behind the last thing that it waits for.
REST: Final = 0.3


@dataclass
class Server:
    """An aioquic server that answers every request with a few bytes, for one client after the other.

    Attributes:
        tickets: those handed out and not yet used.
    """

    tickets: dict[bytes, Any] = field(default_factory=dict)
    connection: Any = None
    http: Any = None

    def receive(self, data: bytes, now: float) -> list[bytes]:
        """Take a datagram; what is answered."""
        if self.connection is None:
            self._accept(data)
        self.connection.receive_datagram(data, CLIENT, now)
        return self.send(now)

    def send(self, now: float) -> list[bytes]:
        """What is due, timers included."""
        due = self.next_timeout()
        if due <= now:
            self.connection.handle_timer(now)
        self._handle_events()
        return [data for data, _ in self.connection.datagrams_to_send(now)]

    def next_timeout(self) -> float:
        timer = None if self.connection is None else self.connection.get_timer()
        return math.inf if timer is None else timer

    def _accept(self, data: bytes) -> None:
        from aioquic.quic.configuration import QuicConfiguration
        from aioquic.quic.connection import QuicConnection

        configuration = QuicConfiguration(
            is_client=False, alpn_protocols=["h3"], max_datagram_frame_size=65_536
        )
        made = certificate()
        configuration.certificate, configuration.certificate_chain, configuration.private_key = made_for_aioquic(
            made.chain.certificate_pem(), made.chain.key_pem()
        )
        self.http = None
        self.connection = QuicConnection(
            configuration=configuration,
            original_destination_connection_id=data[6 : 6 + data[5]],
            session_ticket_fetcher=lambda label: self.tickets.pop(label, None),
            session_ticket_handler=lambda ticket: self.tickets.__setitem__(ticket.ticket, ticket),
        )

    def _handle_events(self) -> None:
        from aioquic.h3.connection import H3Connection as Http
        from aioquic.h3.events import HeadersReceived
        from aioquic.quic.events import ProtocolNegotiated

        while (event := self.connection.next_event()) is not None:
            if isinstance(event, ProtocolNegotiated):
                self.http = Http(self.connection)
            for happened in self.http.handle_event(event) if self.http else ():
                if isinstance(happened, HeadersReceived):
                    fields = [(b":status", b"200"), (b"content-type", b"text/html")]
                    self.http.send_headers(happened.stream_id, fields)
                    self.http.send_data(happened.stream_id, bytes(60), end_stream=True)


def made_for_aioquic(certificate_pem: bytes, key_pem: bytes) -> tuple[Any, list[Any], Any]:
    """The leaf, the rest of the chain and the key, as aioquic wants them."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509 import load_pem_x509_certificates

    leaf, *chain = load_pem_x509_certificates(certificate_pem)
    return leaf, chain, load_pem_private_key(key_pem, None)


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
