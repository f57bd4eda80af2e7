"""What a client does with tickets: finds a session to resume, and makes one of each ticket it gets.

RFC 8446 §4.6.1, RFC 9001 §4.6.1.
"""

from __future__ import annotations

from .config import ClientTLS
from .constants import ILLEGAL_PARAMETER, PROTOCOL_VIOLATION
from .errors import LocalAlert
from .key_schedule import KeySchedule
from .messages.new_session_ticket import EARLY_DATA, NewSessionTicket
from .resumption import Session

__all__ = ["session_of_ticket", "usable_session"]


def usable_session(
    config: ClientTLS,
    given: Session | None,
    key: str,
    server_name: str | None,
    quic_version: int,
    wall_clock: float,
) -> Session | None:
    """The session given, or else the newest kept under ``key``, if it can be offered on a connection like this."""
    session = given
    if session is None and config.sessions is not None:
        session = config.sessions.pop(key)
    if session is None or session.suite not in config.ciphers:
        return None
    return session if session.fits(server_name, quic_version, wall_clock) else None


def session_of_ticket(
    raw: bytes,
    schedule: KeySchedule,
    transcript_hash: bytes,
    *,
    suite: int,
    alpn: str | None,
    server_name: str | None,
    issued_at: float,
    quic_version: int,
    transport_parameters: bytes,
    certificates: tuple[bytes, ...],
) -> Session | None:
    """What the NewSessionTicket ``raw`` makes possible; None if it is to be forgotten at once.

    ``transcript_hash`` is that of all messages of the handshake; the rest is what was negotiated.

    Raises:
        DecodeError: malformed.
        LocalAlert: it permits 0-RTT as QUIC does not.
    """
    ticket = NewSessionTicket.parse(raw)
    # RFC 9001 §4.6.1: in QUIC, 0-RTT is limited by flow control alone.
    if ticket.max_early_data not in (0, EARLY_DATA):
        raise LocalAlert(
            ILLEGAL_PARAMETER, f"ticket permits {ticket.max_early_data} bytes of 0-RTT", PROTOCOL_VIOLATION
        )
    if ticket.lifetime == 0:
        return None
    secret = schedule.derive(b"res master", transcript_hash)
    schedule.rest()
    return Session(
        ticket=ticket.ticket,
        secret=schedule.resumption_psk(secret, ticket.nonce),
        suite=suite,
        alpn=alpn,
        server_name=server_name,
        lifetime=float(ticket.lifetime),
        age_add=ticket.age_add,
        issued_at=issued_at,
        quic_version=quic_version,
        max_early_data=ticket.max_early_data,
        transport_parameters=transport_parameters,
        certificates=certificates,
    )
