"""aioquic as a client and as a server of the rig.

Its connection takes the time as an argument, so it runs in virtual time; only the ages of tickets and certificates
come from the clock of the machine. Around the connection stands what aioquic's own asyncio classes do.
"""

import math
import os
from collections.abc import Callable, Sequence

from aioquic._buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import (
    ConnectionIdIssued,
    ConnectionIdRetired,
    ConnectionTerminated,
    HandshakeCompleted,
    QuicEvent,
    StreamDataReceived,
)
from aioquic.quic.packet import (
    QuicPacketType,
    encode_quic_retry,
    encode_quic_version_negotiation,
    pull_quic_header,
)
from aioquic.quic.retry import QuicRetryTokenHandler
from aioquic.tls import SessionTicket

from qcore.batch import Address, Datagram

from .sides import Application, RequestLines, request_line

# Event loops run timers a little late; a timer of aioquic that runs at its very deadline can stay due.
LATENESS = 0.0001


class Connection:
    """A connection that speaks HTTP/0.9 for an application."""

    def __init__(self, quic: QuicConnection, application: Application) -> None:
        self.quic = quic
        self.application = application
        self.ended: ConnectionTerminated | None = None
        self.completed: HandshakeCompleted | None = None
        self.issued: list[bytes] = []
        self.retired: list[bytes] = []
        self._lines = RequestLines()

    def receive(self, datagram: Datagram, now: float) -> None:
        self.quic.receive_datagram(datagram.data, datagram.address, now)
        self.advance()

    def handle_timeout(self, now: float) -> None:
        if self.next_timeout() <= now:
            self.quic.handle_timer(now)
            self.advance()

    def transmit(self, now: float) -> list[Datagram]:
        sent = [Datagram(data, address) for data, address in self.quic.datagrams_to_send(now)]
        self.advance()
        return sent

    def next_timeout(self) -> float:
        due = self.quic.get_timer()
        return math.inf if due is None else due + LATENESS

    def advance(self) -> None:
        """Pass on what has happened."""
        while (event := self.quic.next_event()) is not None:
            self.on_event(event)
        if self.completed is not None and self.ended is None:
            self.application.on_turn(self)

    def on_event(self, event: QuicEvent) -> None:
        if isinstance(event, StreamDataReceived):
            self.on_stream_data(event)
        elif isinstance(event, HandshakeCompleted):
            self.completed = event
        elif isinstance(event, ConnectionTerminated):
            self.ended = event
        elif isinstance(event, ConnectionIdIssued):
            self.issued.append(event.connection_id)
        elif isinstance(event, ConnectionIdRetired):
            self.retired.append(event.connection_id)

    def on_stream_data(self, event: StreamDataReceived) -> None:
        if self.quic.configuration.is_client:
            self.application.on_body(event.stream_id, event.data, event.end_stream)
        elif (name := self._lines.receive(event.stream_id, event.data, event.end_stream)) is not None:
            self.application.on_request(self, event.stream_id, name)

    def ask(self, name: bytes) -> int | None:
        stream_id = self.quic.get_next_available_stream_id()
        self.quic.send_stream_data(stream_id, request_line(name), True)  # waits for the limit by itself
        return stream_id

    def answer(self, stream_id: int, content: bytes) -> None:
        self.quic.send_stream_data(stream_id, content, True)


MakeConnection = Callable[[QuicConnection, Application], Connection]


class AioquicServer:
    """Takes connections, each with an application of its own, as aioquic's asyncio server does."""

    def __init__(
        self,
        make_application: Callable[[], Application],
        *,
        configuration: QuicConfiguration,
        retry: bool,
        make_connection: MakeConnection = Connection,
    ) -> None:
        self.connections: list[Connection] = []
        self._configuration = configuration
        self._make_application = make_application
        self._make_connection = make_connection
        self._retry = QuicRetryTokenHandler() if retry else None
        self._by_cid: dict[bytes, Connection] = {}
        self._replies: list[Datagram] = []
        self._tickets: dict[bytes, SessionTicket] = {}

    def receive(self, datagrams: Sequence[Datagram], now: float) -> None:
        for datagram in datagrams:
            connection = self._find(datagram, now)
            if connection is not None:
                connection.receive(datagram, now)
                self._note_ids(connection)

    def _find(self, datagram: Datagram, now: float) -> Connection | None:
        try:
            header = pull_quic_header(
                Buffer(data=datagram.data), host_cid_length=self._configuration.connection_id_length
            )
        except ValueError:
            return None
        if (
            header.packet_type != QuicPacketType.VERSION_NEGOTIATION
            and header.version is not None
            and header.version not in self._configuration.supported_versions
        ):
            data = encode_quic_version_negotiation(
                source_cid=header.destination_cid,
                destination_cid=header.source_cid,
                supported_versions=self._configuration.supported_versions,
            )
            self._replies.append(Datagram(data, datagram.address))
            return None
        found = self._by_cid.get(header.destination_cid)
        if found is not None or header.packet_type != QuicPacketType.INITIAL or len(datagram.data) < 1200:
            return found
        original, retried = header.destination_cid, None
        if self._retry is not None:
            if not header.token:
                source_cid = os.urandom(8)
                token = self._retry.create_token(
                    address=datagram.address,
                    original_destination_connection_id=header.destination_cid,
                    retry_source_connection_id=source_cid,
                    now=now,
                )
                assert header.version is not None
                data = encode_quic_retry(
                    version=header.version,
                    source_cid=source_cid,
                    destination_cid=header.source_cid,
                    original_destination_cid=header.destination_cid,
                    retry_token=token,
                )
                self._replies.append(Datagram(data, datagram.address))
                return None
            original = self._retry.validate_token(
                address=datagram.address,
                destination_cid=header.destination_cid,
                token=header.token,
                now=now,
            )
            retried = header.destination_cid
        quic = QuicConnection(
            configuration=self._configuration,
            original_destination_connection_id=original,
            retry_source_connection_id=retried,
            session_ticket_fetcher=lambda ticket: self._tickets.pop(ticket, None),
            session_ticket_handler=lambda ticket: self._tickets.update({ticket.ticket: ticket}),
        )
        connection = self._make_connection(quic, self._make_application())
        self.connections.append(connection)
        self._by_cid[header.destination_cid] = connection
        self._by_cid[quic.host_cid] = connection
        return connection

    def _note_ids(self, connection: Connection) -> None:
        for cid in connection.issued:
            self._by_cid[cid] = connection
        for cid in connection.retired:
            self._by_cid.pop(cid, None)
        connection.issued.clear()
        connection.retired.clear()

    def handle_timeout(self, now: float) -> None:
        for connection in self.connections:
            connection.handle_timeout(now)

    def transmit(self, now: float) -> list[Datagram]:
        sent, self._replies = self._replies, []
        for connection in self.connections:
            sent += connection.transmit(now)
            self._note_ids(connection)
        return sent

    def next_timeout(self) -> float:
        return min(
            (connection.next_timeout() for connection in self.connections if connection.ended is None),
            default=math.inf,
        )


class AioquicClient:
    """One connection.

    Attributes:
        tickets: sessions that the server gave.
    """

    def __init__(
        self,
        application: Application,
        address: Address,
        *,
        configuration: QuicConfiguration,
        now: float,
        early: bool = False,
        make_connection: MakeConnection = Connection,
    ) -> None:
        self.tickets: list[SessionTicket] = []
        self.quic = QuicConnection(configuration=configuration, session_ticket_handler=self.tickets.append)
        self.connection = make_connection(self.quic, application)
        self.quic.connect(address, now)
        if early:
            application.on_turn(self.connection)

    @property
    def is_ended(self) -> bool:
        return self.connection.ended is not None

    @property
    def failure(self) -> object:
        """How the connection ended, if it was not without error."""
        ended = self.connection.ended
        return ended if ended is not None and ended.error_code else None

    @property
    def is_confirmed(self) -> bool:
        return bool(self.quic._handshake_confirmed)

    @property
    def version(self) -> int:
        assert self.quic._version is not None
        return self.quic._version

    @property
    def is_resumed(self) -> bool:
        return self.connection.completed is not None and self.connection.completed.session_resumed

    @property
    def early_accepted(self) -> bool:
        return self.connection.completed is not None and self.connection.completed.early_data_accepted

    def update_keys(self) -> bool:
        self.quic.request_key_update()
        return True

    def close(self) -> None:
        self.quic.close()

    def receive(self, datagrams: Sequence[Datagram], now: float) -> None:
        for datagram in datagrams:
            self.connection.receive(datagram, now)

    def handle_timeout(self, now: float) -> None:
        self.connection.handle_timeout(now)

    def transmit(self, now: float) -> list[Datagram]:
        return self.connection.transmit(now)

    def next_timeout(self) -> float:
        return self.connection.next_timeout()
