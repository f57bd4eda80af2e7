"""How a connection behaves: `QuicConfig`.

Frozen and picklable, so that one configuration serves any number of connections. Whatever is advertised in
transport parameters is read back from their encoding and enforced.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from typing import Final

from qtls.light_dataclass import dataclass, field
from qwire.constants import (
    TP_INITIAL_SOURCE_CONNECTION_ID,
    TP_RESET_STREAM_AT_07,
    TP_VERSION_INFORMATION,
    VERSION_1,
    VERSION_2,
)
from qwire.transport_parameters import Parameter, TransportParameters

from .ackhandler.frequency import LONGEST_DELAY
from .congestion import NAMES, CongestionController
from .errors import UsageError
from .key_phases import UPDATE_INTERVAL
from .packing.initial_flight import InitialPolicy

# RFC 9000 §18.2: limits above 2^60 streams cannot be expressed as stream IDs.
MAX_STREAMS: Final = 1 << 60
# RFC 9000 §5.1.1: IDs that the peer may have issued to us at one time: one in use, and one for each of three paths or
# changes of path at once. Each is drawn, sent, kept and routed by both sides of every connection.
ACTIVE_CONNECTION_ID_LIMIT: Final = 4
MIB: Final = 1 << 20
# RFC 9368 §3, and the id that drafts of it used.
VERSION_INFORMATION_IDS: Final = (TP_VERSION_INFORMATION, 0xFF73DB)
# What an engine reads from the parameters that it sends. Any other entry may hold anything.
ENFORCED: Final = (
    "max_idle_timeout",
    "initial_max_data",
    "initial_max_stream_data_bidi_local",
    "initial_max_stream_data_bidi_remote",
    "initial_max_stream_data_uni",
    "initial_max_streams_bidi",
    "initial_max_streams_uni",
    "ack_delay_exponent",
    "max_ack_delay",
    "active_connection_id_limit",
    "max_datagram_frame_size",
    "min_ack_delay",
    "min_ack_delay_02",
)


@dataclass(frozen=True, kw_only=True)
class AckFrequency:
    """What a sender asks of its peer. Fewer acknowledgements cost both sides less work, and tell the sender less.

    Attributes:
        threshold: ack-eliciting packets that may arrive without an acknowledgement.
        max_delay: seconds that one of them may wait; None for what the peer has announced.
        reordering: packets that may overtake a missing one before it is told of; 0 to tell nothing at once.
    """

    threshold: int = 10
    max_delay: float | None = None
    reordering: int = 3

    def __post_init__(self) -> None:
        if self.threshold < 0 or self.reordering < 0:
            raise ValueError("a threshold is not negative")
        if self.max_delay is not None and not 0 < self.max_delay <= LONGEST_DELAY:
            raise ValueError(f"an acknowledgement waits at most {LONGEST_DELAY} s, not {self.max_delay}")


@dataclass(frozen=True, kw_only=True)
class QuicConfig:
    """Configuration of one side of a connection.

    Attributes:
        versions: QUIC versions in order of preference.
        original_version: client: the version of the first flight; the first of `versions` unless given. A server
            that speaks a preferred one answers in that (RFC 9368 §2.3).
        idle_timeout: seconds of silence after which the connection is gone; 0 switches it off.
        handshake_timeout: seconds within which the handshake must complete.
        keep_alive: seconds of silence after which a PING keeps the connection alive; None for never.
        stream_window, max_stream_window: flow-control window per stream, first and largest, in bytes.
        connection_window, max_connection_window: the same for the whole connection.
        max_bidi, max_uni: streams of each kind that the peer may have open.
        send_buffer: bytes per stream that may wait for acknowledgement before a writer has to wait.
        datagrams: whether to take DATAGRAM frames (RFC 9221).
        max_datagram_frame_size: the largest of them.
        reset_stream_at: take RESET_STREAM_AT (draft-ietf-quic-reliable-stream-reset).
        congestion: name of a congestion controller, "cubic", "newreno" or "bbr"; or what makes one of your own from the
            size of a datagram, a subclass of `qcore.congestion.CongestionController` for example.
        key_update_interval: packets after which the 1-RTT keys are changed (RFC 9001 §6).
        id_lifetime: packets sent to one connection ID of the peer before another takes its place; 0 to keep it.
        max_udp_payload: the largest UDP payload that is received or sent.
        max_ack_delay: the longest delay of an ACK, in seconds.
        hasty_acks: a delayed ACK waits for something to share a packet with. Where one has waited in vain, the next ones leave
            at once, until something comes that they could have waited for. False to delay all alike.
        min_ack_delay: the shortest delay that the peer may ask for with ACK_FREQUENCY, in seconds; None to take no
            such wishes (draft-ietf-quic-ack-frequency-14).
        ack_frequency: what to ask of a peer that takes them; None for acknowledgements as RFC 9000 has them.
        max_pacing_burst: datagrams that may leave at once.
        ecn: mark packets and react to congestion marks.
        pmtud: look for a larger path MTU (RFC 8899).
        early_data: offer or take 0-RTT.
        migration: allow the peer to change its address, and go to the address that a server prefers.
        preferred_addresses: server: where clients shall go after the handshake, at most one IPv4 and one IPv6
            address, each with its port. Somebody has to listen there (RFC 9000 §9.6).
        grease: send reserved transport parameters, and take and send packets with any fixed bit (RFC 9287).
        initial: habits of the first flight.
        parameters: transport parameters to send exactly so, in this order. An initial_source_connection_id in
            them is filled in, and so is the version after Version Negotiation; the limits in them take the place of the fields above.
        token: address validation token for the first Initial.
        qlog: directory for qlog traces, for layers above.
        random: source of randomness; simulations and drawings give a seeded one.
    """

    versions: tuple[int, ...] = (VERSION_1, VERSION_2)
    original_version: int | None = None
    idle_timeout: float = 30.0
    handshake_timeout: float = 10.0
    keep_alive: float | None = None
    stream_window: int = MIB
    max_stream_window: int = 16 * MIB
    connection_window: int = 2 * MIB
    max_connection_window: int = 24 * MIB
    max_bidi: int = 100
    max_uni: int = 100
    send_buffer: int = 2 * MIB
    datagrams: bool = True
    max_datagram_frame_size: int = 65_535
    reset_stream_at: bool = True
    congestion: str | Callable[[int], CongestionController] = "cubic"
    key_update_interval: int = UPDATE_INTERVAL
    id_lifetime: int = 10_000
    max_udp_payload: int = 1_452
    max_ack_delay: float = 0.025
    hasty_acks: bool = True
    min_ack_delay: float | None = 0.001
    ack_frequency: AckFrequency | None = None
    max_pacing_burst: int = 32
    ecn: bool = True
    pmtud: bool = True
    early_data: bool = True
    migration: bool = True
    preferred_addresses: tuple[tuple[str, int], ...] = ()
    grease: bool = True
    initial: InitialPolicy = field(default_factory=InitialPolicy)
    parameters: TransportParameters | None = None
    token: bytes = b""
    qlog: str | None = None
    random: Callable[[int], bytes] = os.urandom

    def __post_init__(self) -> None:
        if not self.versions:
            raise ValueError("at least one QUIC version is needed")
        if self.original_version is not None and self.original_version not in self.versions:
            raise ValueError(f"original_version 0x{self.original_version:x} is not one of versions")
        for name in ("stream_window", "connection_window", "send_buffer"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be positive")
        for name in ("max_bidi", "max_uni"):
            if not 0 <= getattr(self, name) <= MAX_STREAMS:
                raise ValueError(f"{name} must lie between 0 and 2^60")
        if self.max_udp_payload < 1200:  # RFC 9000 §14
            raise ValueError("max_udp_payload must be at least 1200")
        if self.min_ack_delay is not None and not 0 <= self.min_ack_delay <= self.max_ack_delay:
            raise ValueError("min_ack_delay is above max_ack_delay")
        if isinstance(self.congestion, str) and self.congestion not in NAMES:
            raise UsageError(f"no congestion controller {self.congestion!r}; known are {', '.join(NAMES)}")
        if self.key_update_interval < 1 or self.id_lifetime < 0:
            raise ValueError("keys and connection IDs serve for at least one packet")
        if self.preferred_addresses:
            from .paths.preferred import offer

            offer(self.preferred_addresses, bytes(8), bytes(16))  # raises when it cannot be said
        if self.parameters is not None:
            for name in ENFORCED:
                getattr(self.parameters, name)  # raises when it cannot be read

    @cached_property
    def announced(self) -> tuple[Parameter, ...]:
        """The transport parameters that follow from the fields above, the same for all connections but for their IDs."""
        built = TransportParameters.build(
            max_idle_timeout=round(self.idle_timeout * 1000),
            max_udp_payload_size=max(self.max_udp_payload, 1472),
            initial_max_data=self.connection_window,
            initial_max_stream_data_bidi_local=self.stream_window,
            initial_max_stream_data_bidi_remote=self.stream_window,
            initial_max_stream_data_uni=self.stream_window,
            initial_max_streams_bidi=self.max_bidi,
            initial_max_streams_uni=self.max_uni,
            max_ack_delay=round(self.max_ack_delay * 1000),
            disable_active_migration=not self.migration,
            active_connection_id_limit=ACTIVE_CONNECTION_ID_LIMIT,
            initial_source_connection_id=b"",
            version_information=(self.versions[0], self.versions),
            max_datagram_frame_size=self.max_datagram_frame_size if self.datagrams else 0,
            reset_stream_at=self.reset_stream_at,
            grease_quic_bit=self.grease,
            min_ack_delay=None if self.min_ack_delay is None else round(self.min_ack_delay * 1_000_000),
        )
        late = (Parameter(TP_RESET_STREAM_AT_07, b""),) if self.reset_stream_at else ()
        return (*built.entries, *late)

    @cached_property
    def enforced(self) -> TransportParameters:
        """The limits that hold whatever the IDs of a connection are."""
        return TransportParameters(self.announced) if self.parameters is None else self.parameters

    @cached_property
    def cid_at(self) -> int:
        """Where among them the connection ID stands."""
        return [entry.id for entry in self.announced].index(TP_INITIAL_SOURCE_CONNECTION_ID)


def local_parameters(
    config: QuicConfig,
    source_cid: bytes,
    *,
    server_only: tuple[Parameter, ...] = (),
    version: int,
) -> TransportParameters:
    """The transport parameters that this side sends. RFC 9000 §18.2.

    Args:
        source_cid: our first connection ID.
        server_only: entries that only a server sends, put in front.
        version: the version of the first flight, for version_information (RFC 9368 §3).
    """
    if config.parameters is None:
        entries = list(config.announced)
        entries[config.cid_at] = Parameter(TP_INITIAL_SOURCE_CONNECTION_ID, source_cid)
        if version != config.versions[0]:
            entries = [_filled_in(entry, source_cid, config.versions[0], version) for entry in entries]
        if config.grease:
            # RFC 9000 §18.1: parameters with an id of the form 31 * N + 27 are there to be ignored.
            drawn = config.random(7)
            seed = int.from_bytes(drawn[:4], "big")
            entries.append(Parameter(31 * (seed >> 2) + 27, drawn[4 : 4 + (seed & 3)]))
    else:
        entries = [
            _filled_in(entry, source_cid, config.versions[0], version) for entry in config.parameters.entries
        ]
    return TransportParameters([*server_only, *entries])


def _filled_in(entry: Parameter, source_cid: bytes, first_version: int, version: int) -> Parameter:
    """A prescribed parameter with what only the connection knows."""
    if entry.id == TP_INITIAL_SOURCE_CONNECTION_ID:
        return Parameter(entry.id, source_cid, entry.id_size, entry.length_size)
    if entry.id in VERSION_INFORMATION_IDS and version != first_version:
        # RFC 9368 §4: the chosen version is that of the packet, also after Version Negotiation.
        chosen = first_version.to_bytes(4, "big")
        if entry.value[:4] == chosen:
            value = version.to_bytes(4, "big") + entry.value[4:]
            return Parameter(entry.id, value, entry.id_size, entry.length_size)
    return entry
