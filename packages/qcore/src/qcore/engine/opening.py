"""How the parts of a connection come to be, on either side."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, final

from qtls.config import ClientTLS, ServerTLS
from qtls.errors import LocalAlert
from qtls.events import KeysInstalled, TlsEvent
from qtls.initial import InitialKeys, initial_keys
from qtls.resumption import Session
from qwire.errors import DecodeError
from qwire.headers import LongHeader
from qwire.transport_parameters import TransportParameters

from ..batch import Address
from ..config import QuicConfig
from ..errors import UsageError, caused
from ..ids.generator import ConnectionIdGenerator
from ..packing.builder import SAMPLE_OFFSET, SAMPLE_SIZE
from ..packing.initial_flight import FlightReason
from .handshake import TlsHandshake
from .negotiation import Negotiation
from .parts import Parts

if TYPE_CHECKING:
    from qtls.client import ClientHandshake
    from qtls.server import ServerHandshake


@final
class Opening:
    """A connection about to begin.

    Attributes:
        tls_events: what TLS said at the start.
        restart_tls: client: makes the handshake anew, for another version, and gives its ClientHello.
    """

    __slots__ = ("negotiation", "parts", "restart_tls", "tls_events")

    def __init__(
        self,
        parts: Parts,
        negotiation: Negotiation,
        tls_events: list[TlsEvent],
        restart_tls: Callable[[], tuple[TlsHandshake, bytes]] | None = None,
    ) -> None:
        self.parts = parts
        self.negotiation = negotiation
        self.tls_events = tls_events
        self.restart_tls = restart_tls


@final
class FirstInitial:
    """What a server learns from the client's first Initial packet.

    Attributes:
        destination_cid: that of this packet, which its keys follow from.
        original_cid: that of the very first Initial: another one if a Retry came between.
        local: the socket that it arrived at.
        is_validated: a token has proved the client's address.
        keys: those of Initial packets, once they are known.
    """

    __slots__ = (
        "destination_cid",
        "is_retried",
        "is_validated",
        "keys",
        "local",
        "original_cid",
        "source_cid",
        "version",
    )

    def __init__(
        self,
        *,
        destination_cid: bytes,
        source_cid: bytes,
        version: int,
        original_cid: bytes,
        local: int = 0,
        is_retried: bool = False,
        is_validated: bool = False,
        keys: InitialKeys | None = None,
    ) -> None:
        self.destination_cid = destination_cid
        self.source_cid = source_cid
        self.version = version
        self.original_cid = original_cid
        self.local = local
        self.is_retried = is_retried
        self.is_validated = is_validated
        self.keys = keys

    def is_genuine(self, data: bytes, header: LongHeader) -> bool:
        """Whether the packet authenticates.

        Asked before there is any state for a client: a damaged packet would name connection IDs that nobody has.
        """
        self.keys = initial_keys(self.destination_cid, self.version)
        opener = self.keys.client_opener
        number_at = header.packet_number_offset
        if len(data) < number_at + SAMPLE_OFFSET + SAMPLE_SIZE or header.end < number_at + SAMPLE_OFFSET:
            return False
        clear = opener.unprotect(data, 0, number_at)
        number = int.from_bytes(clear[number_at:], "big")  # RFC 9000 A.3: the first one is not shortened
        return opener.open(number, clear, data[len(clear) : header.end]) is not None


def open_client(
    *,
    address: Address,
    tls: ClientTLS,
    config: QuicConfig,
    server_name: str | None,
    session: Session | None,
    session_key: str | None = None,
    generator: ConnectionIdGenerator,
    reset_token: Callable[[bytes], bytes],
    now: float,
    wall_clock: float,
) -> Opening:
    """The parts of a client, with its first flight laid out.

    Args:
        session: what to resume from; without one, the session store of the TLS configuration is asked.
        session_key: what sessions are kept under in that store; the server name by default.

    Raises:
        FlightError: the layout in the configuration does not fit the ClientHello.
        UsageError: the TLS configuration cannot make a ClientHello, or the session is damaged.
    """
    version = config.versions[0] if config.original_version is None else config.original_version
    local_cid = generator.generate()
    original_cid = config.random(config.initial.destination_cid_size)
    negotiation = Negotiation(
        config, is_client=True, original_cid=original_cid, local_cid=local_cid, version=version
    )

    def make_tls(parameters: TransportParameters, early_data: bool) -> tuple[ClientHandshake, list[TlsEvent]]:
        handshake = _client_handshake()(
            tls,
            server_name=server_name,
            transport_parameters=parameters.encode(),
            quic_version=negotiation.version,
            random=config.random,
            wall_clock=wall_clock,
            session=session,
            session_key=session_key,
            early_data=early_data,
        )
        try:
            return handshake, handshake.start()
        except (LocalAlert, ValueError) as error:
            raise caused(UsageError(f"no ClientHello can be made: {error}"), error) from error

    def restart_tls() -> tuple[TlsHandshake, bytes]:
        handshake, _ = make_tls(negotiation.local_parameters(), False)
        return handshake, handshake.client_hello

    parameters = negotiation.local_parameters()
    handshake, events = make_tls(parameters, config.early_data)
    parts = Parts(
        config,
        parameters,
        handshake,
        is_client=True,
        address=address,
        local_cid=local_cid,
        remote_cid=original_cid,
        original_cid=None,
        generator=generator,
        reset_token=reset_token,
        version=version,
        now=now,
        is_validated=True,
    )
    keys = initial_keys(original_cid, version)
    parts.install_initial_keys(keys.client_sealer, keys.server_opener)
    parts.packer.headers.token = config.token
    parts.receiver.is_version_change_allowed = True
    parts.handshake.wall_offset = wall_clock - now
    others = parts.handshake.queue(events)
    if handshake.session is not None and any(isinstance(event, KeysInstalled) for event in others):
        negotiation.remember(_remembered(handshake.session), parts)
    parts.packer.begin_flight(FlightReason.FIRST, handshake.client_hello)
    return Opening(parts, negotiation, others, restart_tls)


def open_server(
    first: FirstInitial,
    *,
    address: Address,
    tls: ServerTLS,
    config: QuicConfig,
    generator: ConnectionIdGenerator,
    reset_token: Callable[[bytes], bytes],
    now: float,
    wall_clock: float,
    on_client_parameters: Callable[[bytes], bytes],
) -> Opening:
    """The parts of a server for a client whose first Initial packet has arrived.

    Args:
        on_client_parameters: called with the client's transport parameters once its ClientHello is read; answers
            with ours.
    """
    local_cid = generator.generate()
    negotiation = Negotiation(
        config, is_client=False, original_cid=first.original_cid, local_cid=local_cid, version=first.version
    )
    negotiation.peer_cid = first.source_cid
    if first.is_retried:
        negotiation.retry_cid = first.destination_cid
    handshake = _server_handshake()(
        tls,
        transport_parameters=on_client_parameters,
        quic_version=first.version,
        random=config.random,
        wall_clock=wall_clock,
        early_parameters=negotiation.allows_early,
    )
    parts = Parts(
        config,
        config.enforced,
        handshake,
        is_client=False,
        address=address,
        local_cid=local_cid,
        remote_cid=first.source_cid,
        original_cid=first.destination_cid,
        generator=generator,
        reset_token=reset_token,
        version=first.version,
        now=now,
        is_validated=first.is_validated,
        local=first.local,
    )
    if config.preferred_addresses and generator.size:
        cid, token = parts.local_ids.reserve()
        from ..paths.preferred import offer

        negotiation.preferred = offer(config.preferred_addresses, cid, token)
    keys = first.keys or initial_keys(first.destination_cid, first.version)
    parts.install_initial_keys(keys.server_sealer, keys.client_opener)
    parts.handshake.wall_offset = wall_clock - now
    return Opening(parts, negotiation, [])


@cache
def _client_handshake() -> type[ClientHandshake]:
    """Loaded late, for servers dial nobody."""
    from qtls.client import ClientHandshake

    return ClientHandshake


@cache
def _server_handshake() -> type[ServerHandshake]:
    """Loaded late: with it comes what reads certificates, which clients may never need."""
    from qtls.server import ServerHandshake

    return ServerHandshake


def _remembered(session: Session) -> TransportParameters:
    """The transport parameters that came with a session."""
    try:
        return TransportParameters.parse(session.transport_parameters)
    except DecodeError as error:
        reason = f"the transport parameters of the session cannot be read: {error.reason}"
        raise caused(UsageError(reason), error) from error
