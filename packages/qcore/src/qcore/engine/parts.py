"""The parts of one connection, and how they are put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, final

from qtls.protection import Opener, Sealer
from qwire.transport_parameters import TransportParameters

from ..ackhandler import packet_numbers
from ..ackhandler.ecn import EcnValidator
from ..ackhandler.frequency import AckFrequencyControl
from ..ackhandler.received import ReceivedPacketHandler
from ..ackhandler.rtt import RttEstimator
from ..ackhandler.sent import SentPacketHandler
from ..batch import Address
from ..config import QuicConfig
from ..congestion import make
from ..congestion.pacer import Pacer
from ..control_frames import ControlFrames
from ..crypto_stream import POST_HANDSHAKE_LIMIT, CryptoStream
from ..datagrams import DatagramQueue
from ..flow_control import ConnectionFlow
from ..ids.generator import ConnectionIdGenerator
from ..ids.local import LocalIds
from ..ids.remote import RemoteIds
from ..packet_space import PacketSpace
from ..packing.builder import PacketBuilder
from ..packing.packer import Packer
from ..packing.source import FrameSource
from ..paths.migration import PathManager
from ..paths.mtu import MtuDiscovery
from ..spaces import APPLICATION, COUNT, INITIAL
from ..streams import StreamManager
from ..streams.limits import StreamLimits
from .handshake import Handshake, TlsHandshake
from .idle import IdleTimer
from .receiving import PacketReceiver

SERVER_BASE_SIZE: Final = 1200
# Last bytes of first destination connection IDs whose connections do not spin: one in 16.
NO_SPIN: Final = bytes(range(16))
# Header of a 1-RTT packet, with the largest connection ID and packet number, and its tag.
PACKET_OVERHEAD: Final = 41


@final
class ActivePath(FrameSource):
    """Challenges and responses of whichever path is active."""

    __slots__ = ("_paths",)

    def __init__(self, paths: PathManager) -> None:
        self._paths = paths

    def has_frames(self, space: int) -> bool:
        return self._paths.active.has_frames(space)

    def write_frames(self, builder: PacketBuilder) -> None:
        self._paths.active.write_frames(builder)


# NEW_CONNECTION_ID with a sequence number of eight bytes, a connection ID of twenty, and a reset token. RFC 9000 §19.15.
LARGEST_NEW_ID: Final = 1 + 8 + 1 + 1 + 20 + 16


@final
class EarlyIds(FrameSource):
    """A spare connection ID for the server, beside early data, where the packet has room for the largest."""

    __slots__ = ("_data", "_ids")

    def __init__(self, ids: LocalIds, data: Sequence[FrameSource]) -> None:
        self._ids = ids
        self._data = data

    def has_frames(self, space: int) -> bool:
        if not any(source.has_frames(space) for source in self._data):
            return False
        self._ids.issue()
        return self._ids.has_frames(space)

    def write_frames(self, builder: PacketBuilder) -> None:
        if builder.room >= LARGEST_NEW_ID:
            self._ids.write_frames(builder)


@final
class Parts:
    """Everything one connection consists of.

    Attributes:
        base_size: UDP payload that a path is taken to carry from the start.
        datagram_size: UDP payload that congestion control reckons with.
    """

    __slots__ = (
        "ack_frequency",
        "base_size",
        "control",
        "datagram_size",
        "datagrams",
        "flow",
        "handshake",
        "idle",
        "is_client",
        "local_ids",
        "packer",
        "parameters",
        "paths",
        "receiver",
        "recovery",
        "remote_ids",
        "spaces",
        "streams",
    )

    def __init__(
        self,
        config: QuicConfig,
        parameters: TransportParameters,
        tls: TlsHandshake,
        *,
        is_client: bool,
        address: Address,
        local_cid: bytes,
        remote_cid: bytes,
        original_cid: bytes | None,
        generator: ConnectionIdGenerator,
        reset_token: Callable[[bytes], bytes],
        version: int,
        now: float,
        is_validated: bool,
        local: int = 0,
    ) -> None:
        random = config.random
        policy = config.initial
        is_ipv6 = len(address) == 4 and not str(address[0]).startswith("::ffff:")
        self.is_client = is_client
        self.parameters = parameters
        self.base_size = policy.largest_size(is_ipv6) if is_client else SERVER_BASE_SIZE
        limits = StreamLimits.of(parameters)
        self.flow = ConnectionFlow(limits.data, max(config.max_connection_window, limits.data))
        self.streams = StreamManager(
            is_client=is_client,
            flow=self.flow,
            local=limits,
            send_buffer=config.send_buffer,
            max_stream_window=config.max_stream_window,
            by_number=policy.habits.streams_by_number,
            takes_reset_at=parameters.reset_stream_at,
        )
        self.datagrams = DatagramQueue(parameters.max_datagram_frame_size)
        self.control = ControlFrames()
        self.local_ids = LocalIds(
            first=local_cid, generator=generator, reset_token=reset_token, original=original_cid
        )
        self.remote_ids = RemoteIds(remote_cid, parameters.active_connection_id_limit, config.id_lifetime)
        self.paths = PathManager(
            address, is_client=is_client, validated=is_validated, random=random, local=local
        )
        self.paths.active.mtu = MtuDiscovery(
            base=self.base_size, ceiling=max(config.max_udp_payload, self.base_size), enabled=config.pmtud
        )
        self.datagram_size = self.base_size
        self.recovery = _recovery(config, is_client, self.base_size)
        self.spaces = _spaces(parameters, config.hasty_acks)
        self.ack_frequency = AckFrequencyControl(self.spaces[APPLICATION].received, self.recovery, parameters)
        self.handshake = Handshake(tls, self.spaces)
        self.packer = Packer(
            is_client=is_client,
            spaces=self.spaces,
            recovery=self.recovery,
            policy=policy,
            is_ipv6=is_ipv6,
            random=random,
        )
        headers = self.packer.headers
        headers.destination_cid = remote_cid
        headers.source_cid = local_cid
        headers.version = headers.early_version = version
        # RFC 9000 §17.4: one connection in 16, at least, does not spin. Nobody can choose the first destination of
        # all clients, and it is the same for both sides.
        if (original_cid or remote_cid)[-1:] in NO_SPIN:
            headers.disable_spin()
        self.handshake.holds_tickets = not is_client
        if is_client:
            self.handshake.lay_out = self.packer.begin_flight
        for space in self.spaces[:APPLICATION]:
            self.packer.set_sources(space.index, [space.crypto])
        early: list[FrameSource] = [self.flow, self.streams, self.datagrams]
        self.packer.early_sources = (
            [EarlyIds(self.local_ids, early), *early] if policy.habits.issues_early else early
        )
        self.packer.set_sources(
            APPLICATION,
            [
                self.spaces[APPLICATION].crypto,
                self.control,
                self.ack_frequency,
                ActivePath(self.paths),
                self.local_ids,
                self.remote_ids,
                *early,
            ],
        )
        self.receiver = PacketReceiver(self.spaces, len(local_cid), version, config.versions)
        self.receiver.takes_early = not is_client
        self.receiver.requires_fixed_bit = not parameters.grease_quic_bit
        self.idle = IdleTimer(parameters.max_idle_timeout / 1000, config.keep_alive, now)

    def install_initial_keys(self, sealer: Sealer, opener: Opener) -> None:
        """Keys of Initial packets, which follow from the client's first destination connection ID."""
        self.spaces[INITIAL].sealer = sealer
        self.spaces[INITIAL].opener = opener

    def discard(self, space: int) -> bool:
        """Drop keys and state of a space; False when that has happened before. RFC 9001 §4.9."""
        if self.spaces[space].is_discarded:
            return False
        self.spaces[space].discard()
        self.packer.release(space)
        self.recovery.discard_space(space)
        if space == INITIAL:
            self.receiver.first_opener = None
        return True

    def handle_loss_timeout(self, now: float) -> None:
        """Packets count as lost, or probes are due, of which more than the recovery has to know."""
        recovery = self.recovery
        before = recovery.pto_count
        recovery.handle_timeout(now)
        if recovery.pto_count > before:
            # Where both directions lose packets, probes that bring no news of the others keep both sides probing.
            self.spaces[APPLICATION].received.repeat()
            if self.ack_frequency.is_asking:
                self.ack_frequency.ask_now()
            mtu = self.paths.active.mtu
            if mtu is not None and mtu.on_pto(recovery.pto_count, now):
                self.follow_mtu(now)

    def want_larger(self) -> None:
        """DATAGRAM frames are to be sent, which a larger path MTU has more room for."""
        mtu = self.paths.active.mtu
        if mtu is not None and self.datagrams.max_size:
            mtu.want()

    def follow_mtu(self, now: float) -> None:
        """The active path carries another size than before, or is another path: tell who reckons with that."""
        mtu = self.paths.active.mtu
        if mtu is None or mtu.current == self.datagram_size:
            return
        self.datagram_size = mtu.current
        self.recovery.set_datagram_size(mtu.current)
        self.datagrams.set_room(mtu.current - PACKET_OVERHEAD)
        if self.recovery.observer is not None:
            self.recovery.observer.mtu_changed(now, mtu.current)

    def pto(self) -> float:
        """The probe timeout without backoff, in seconds."""
        recovery = self.recovery
        return recovery.rtt.period + recovery.peer_max_ack_delay


def _recovery(config: QuicConfig, is_client: bool, datagram_size: int) -> SentPacketHandler:
    policy = config.initial
    if is_client and policy.shared_packet_numbers:
        numbers = packet_numbers.shared(policy.first_packet_number)
    else:
        first = policy.first_packet_number if is_client else 0
        numbers = packet_numbers.separate(first, config.random)
    return SentPacketHandler(
        is_client=is_client,
        rtt=RttEstimator(policy.initial_rtt),
        congestion=(
            make(config.congestion, datagram_size)
            if isinstance(config.congestion, str)
            else config.congestion(datagram_size)
        ),
        pacer=Pacer(datagram_size, config.max_pacing_burst),
        numbers=numbers,
        ecn=EcnValidator() if config.ecn else None,
        probes_per_timeout=policy.probes_per_timeout,
        skip_before_probe=policy.skip_before_probe if is_client else 0,
    )


def _spaces(parameters: TransportParameters, learns: bool) -> list[PacketSpace]:
    delay, exponent = parameters.max_ack_delay / 1000, parameters.ack_delay_exponent
    return [
        PacketSpace(
            index,
            CryptoStream(index, total_limit=POST_HANDSHAKE_LIMIT if index == APPLICATION else None),
            ReceivedPacketHandler(index, max_ack_delay=delay, ack_delay_exponent=exponent, learns=learns),
        )
        for index in range(COUNT)
    ]
