"""What the two sides tell each other in transport parameters: making ours, checking and obeying theirs.

RFC 9000 §7.3, §7.4, §18; RFC 9368 §3.
"""

from __future__ import annotations

from typing import Final, final

from qwire.constants import (
    PROTOCOL_VIOLATION,
    TP_ORIGINAL_DESTINATION_CONNECTION_ID,
    TP_PREFERRED_ADDRESS,
    TP_RETRY_SOURCE_CONNECTION_ID,
    TP_STATELESS_RESET_TOKEN,
    TRANSPORT_PARAMETER_ERROR,
)
from qwire.errors import DecodeError
from qwire.preferred_address import PreferredAddress
from qwire.transport_parameters import Parameter, TransportParameters

from ..config import QuicConfig, local_parameters
from ..errors import TransportError
from .parts import Parts
from .version import check_negotiated, choose_compatible

# What a server that takes 0-RTT must not lower: RFC 9000 §7.4.1, RFC 9221 §3.
EARLY_LIMITS: Final = (
    "active_connection_id_limit",
    "initial_max_data",
    "initial_max_stream_data_bidi_local",
    "initial_max_stream_data_bidi_remote",
    "initial_max_stream_data_uni",
    "initial_max_streams_bidi",
    "initial_max_streams_uni",
    "max_datagram_frame_size",
    "reset_stream_at",  # draft-ietf-quic-reliable-stream-reset §3
)


@final
class Negotiation:
    """Connection IDs and versions of a handshake, and the parameters that have to agree with them.

    Attributes:
        original_cid: destination connection ID of the client's very first Initial.
        retry_cid: source connection ID of the Retry, if there was one.
        local_cid, peer_cid: first source connection IDs of both sides.
        original_version, version: that of the first flight, and that in use.
        after_negotiation: a Version Negotiation packet came before.
        peer: the peer's parameters once they are known.
        preferred: server: the preferred address that is offered.
        remembered: client: those of an earlier connection, which 0-RTT data relies on.
    """

    __slots__ = (
        "after_negotiation",
        "config",
        "is_client",
        "local_cid",
        "original_cid",
        "original_version",
        "peer",
        "peer_cid",
        "preferred",
        "remembered",
        "retry_cid",
        "version",
    )

    def __init__(
        self, config: QuicConfig, *, is_client: bool, original_cid: bytes, local_cid: bytes, version: int
    ) -> None:
        self.is_client = is_client
        self.config = config
        self.original_cid = original_cid
        self.retry_cid: bytes | None = None
        self.local_cid = local_cid
        self.peer_cid = b""
        self.original_version = version
        self.version = version
        self.after_negotiation = False
        self.peer: TransportParameters | None = None
        self.preferred: PreferredAddress | None = None
        self.remembered: TransportParameters | None = None

    def local_parameters(self, reset_token: bytes | None = None) -> TransportParameters:
        """What we send; a server proves which connection IDs it saw (RFC 9000 §7.3)."""
        server_only: list[Parameter] = []
        if not self.is_client:
            server_only.append(Parameter(TP_ORIGINAL_DESTINATION_CONNECTION_ID, self.original_cid))
            if reset_token is not None:
                server_only.append(Parameter(TP_STATELESS_RESET_TOKEN, reset_token))
            if self.preferred is not None:
                server_only.append(Parameter(TP_PREFERRED_ADDRESS, self.preferred.encode()))
            if self.retry_cid is not None:
                server_only.append(Parameter(TP_RETRY_SOURCE_CONNECTION_ID, self.retry_cid))
        return local_parameters(
            self.config, self.local_cid, server_only=tuple(server_only), version=self.version
        )

    def read_peer(self, data: bytes) -> TransportParameters:
        """Parse and check the peer's parameters.

        Raises:
            TransportError: TRANSPORT_PARAMETER_ERROR, VERSION_NEGOTIATION_ERROR.
        """
        try:
            parameters = TransportParameters.parse(data)
            parameters.validate(is_client=not self.is_client)
        except DecodeError as error:
            raise TransportError(TRANSPORT_PARAMETER_ERROR, None, error.reason) from error
        self._check_ids(parameters)
        if self.is_client:
            check_negotiated(
                self.config.versions,
                self.original_version,
                self.version,
                parameters,
                self.after_negotiation,
            )
        else:
            self.version = choose_compatible(self.config.versions, self.original_version, parameters)
        self.peer = parameters
        return parameters

    def _check_ids(self, parameters: TransportParameters) -> None:
        """RFC 9000 §7.3: the IDs in the parameters are those in the packets."""
        _expect("initial_source_connection_id", parameters.initial_source_connection_id, self.peer_cid)
        if self.is_client:
            _expect(
                "original_destination_connection_id",
                parameters.original_destination_connection_id,
                self.original_cid,
            )
            _expect("retry_source_connection_id", parameters.retry_source_connection_id, self.retry_cid)

    def remember(self, parameters: TransportParameters, parts: Parts) -> None:
        """Client: put the limits of an earlier connection into force, for 0-RTT data. RFC 9000 §7.4.1."""
        self.remembered = parameters
        parts.streams.set_peer_limits(parameters)
        parts.datagrams.set_peer_limit(parameters.max_datagram_frame_size)

    def allows_early(self, remembered: bytes, present: bytes) -> bool:
        """Server: whether 0-RTT data of a client that remembers such parameters can be taken. RFC 9000 §7.4.1."""
        if not self.config.early_data:
            return False
        try:
            return (
                find_lowered(TransportParameters.parse(remembered), TransportParameters.parse(present))
                is None
            )
        except DecodeError:
            return False

    def apply(self, parts: Parts) -> None:
        """Put the peer's limits into force.

        Raises:
            TransportError: PROTOCOL_VIOLATION, the server took 0-RTT and lowers a limit. RFC 9000 §7.4.1.
        """
        peer = self.peer
        if peer is None:
            raise TransportError(PROTOCOL_VIOLATION, None, "a handshake without transport parameters")
        if self.remembered is not None:
            lowered = find_lowered(self.remembered, peer)
            if lowered is not None:
                raise TransportError(PROTOCOL_VIOLATION, None, lowered)
        parts.streams.set_peer_limits(peer)
        parts.local_ids.set_peer_limit(peer.active_connection_id_limit)
        parts.idle.on_peer_timeout(peer.max_idle_timeout / 1000)
        parts.recovery.set_peer_ack_delay(peer.ack_delay_exponent, peer.max_ack_delay / 1000)
        parts.ack_frequency.set_peer(peer)
        # RFC 9287 §3.1; who offers to take such packets sends them as well.
        parts.packer.headers.greases_fixed_bit = peer.grease_quic_bit and parts.parameters.grease_quic_bit
        parts.datagrams.set_peer_limit(peer.max_datagram_frame_size)
        mtu = parts.paths.active.mtu
        if mtu is not None:
            mtu.set_ceiling(min(peer.max_udp_payload_size, max(self.config.max_udp_payload, parts.base_size)))
        if self.is_client and peer.stateless_reset_token is not None:
            parts.remote_ids.set_first_token(peer.stateless_reset_token)
        preferred = peer.preferred_address
        if preferred is not None:
            parts.remote_ids.add_preferred(preferred.connection_id, preferred.stateless_reset_token)


def find_lowered(remembered: TransportParameters, present: TransportParameters) -> str | None:
    """The first limit for 0-RTT that is lower than it was, in words."""
    for name in EARLY_LIMITS:
        before, now = getattr(remembered, name), getattr(present, name)
        if now < before:
            return f"{name} is {int(now)}, was {int(before)} for early data"
    return None


def _expect(name: str, told: bytes | None, seen: bytes | None) -> None:
    if told != seen:
        raise TransportError(
            TRANSPORT_PARAMETER_ERROR, None, f"{name} is {_shown(told)}, and the packets say {_shown(seen)}"
        )


def _shown(cid: bytes | None) -> str:
    return "absent" if cid is None else cid.hex() or "empty"
