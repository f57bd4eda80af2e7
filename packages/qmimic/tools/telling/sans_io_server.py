"""An aioquic server without sockets, which can be talked to in virtual time."""

import math
from dataclasses import dataclass, field
from typing import Any, Final

from qcore.batch import Address

from .visits import certificate

CLIENT: Final[Address] = ("192.0.2.2", 50_000)


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
        configuration.certificate, configuration.certificate_chain, configuration.private_key = (
            made_for_aioquic(made.chain.certificate_pem(), made.chain.key_pem())
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
