"""Frames to datagrams.

Builds the packets of one datagram, space by space, lets the sources fill them in order of priority, places the
first flight as the layout asks, pads, and seals. It decides what goes where; whether anything may go, and to
which address, is the transmitter's business. RFC 9000 §12.2, §14.1.
"""

from collections.abc import Callable, Sequence
from typing import Final, final

from qtls.protection import Sealer
from qwire.constants import VERSION_1, PacketType
from qwire.frames import Frame, PingFrame
from qwire.packet_number import encoded_size

from ..ackhandler.history import SentPacket
from ..ackhandler.sent import SendMode, SentPacketHandler
from ..key_phases import KeyPhases
from ..observer import Observer
from ..packet_space import PacketSpace
from ..spaces import APPLICATION, HANDSHAKE, INITIAL
from .builder import LONG_HEADER_SIZE, TAG_SIZE, HeaderMasker, PacketBuilder, token_size
from .flight import FlightPlanner
from .initial_flight import FlightReason, InitialPolicy
from .run import PacketRun, numbers_of_size, pack_run
from .source import FrameSource

# RFC 9000 §14.1.
MIN_INITIAL_SIZE: Final = 1200
# A further packet in a datagram pays for its header and tag only when some room for frames is left.
MIN_COALESCE: Final = 64
NOBODY: Final[list[FrameSource]] = []
# Random bits are drawn for so many packets at a time, eight per byte.
RANDOM_BYTES: Final = 8
DATA_TYPES: Final = (PacketType.ONE_RTT, PacketType.ZERO_RTT)
LONG_TYPES: Final = (PacketType.INITIAL, PacketType.HANDSHAKE, PacketType.ZERO_RTT)


@final
class PackedDatagram:
    """One datagram, whose packets wait in the packer's `masker` for header protection.

    Attributes:
        sent: what the loss recovery has to remember of each packet.
        zeros: bytes that follow the packets.
        size: bytes of the datagram.
    """

    __slots__ = ("sent", "size", "zeros")

    def __init__(self) -> None:
        self.sent: list[SentPacket] = []
        self.zeros = 0
        self.size = 0


@final
class Packer:
    """Packs datagrams for one connection.

    Attributes:
        destination_cid, source_cid, version, token: what headers carry now.
        early_version: that of 0-RTT packets, which stay with the first version (RFC 9369 §4.1).
        sources: frame sources by space, in order of priority; `early_sources` may use 0-RTT packets.
        greases_fixed_bit: the peer takes packets whose fixed bit is 0 (RFC 9287 §3.1).
        habits: what shows in packets behind the first flight.
        checks_certificate: a client's server has to prove itself by a certificate.
        masker: holds the packed datagrams until their headers are protected.
    """

    __slots__ = (
        "_active",
        "_flight",
        "_initials",
        "_is_ipv6",
        "_newest_hello",
        "_omits_length",
        "_pings",
        "_policy",
        "_random",
        "_random_bits",
        "_recovery",
        "_smallest_cut",
        "_spins",
        "checks_certificate",
        "destination_cid",
        "early_sources",
        "early_version",
        "greases_fixed_bit",
        "habits",
        "is_client",
        "masker",
        "observer",
        "source_cid",
        "sources",
        "spaces",
        "spin",
        "token",
        "version",
    )

    def __init__(
        self,
        *,
        is_client: bool,
        spaces: Sequence[PacketSpace],
        recovery: SentPacketHandler,
        policy: InitialPolicy,
        is_ipv6: bool,
        random: Callable[[int], bytes],
    ) -> None:
        self.is_client = is_client
        self.spaces = spaces
        self.sources: list[list[FrameSource]] = [[], [], []]
        self.early_sources: list[FrameSource] = []
        self.destination_cid = b""
        self.source_cid = b""
        self.version: int = VERSION_1
        self.early_version: int = VERSION_1
        self.token = b""
        self.spin = False
        self.greases_fixed_bit = False
        self.observer: Observer | None = None
        self._recovery = recovery
        self._policy = policy
        self._is_ipv6 = is_ipv6
        self._initials = 0
        self._newest_hello = -1  # number of the last Initial that asked for an acknowledgement
        self.habits = policy.habits
        self._omits_length = policy.habits.omits_last_length
        self._smallest_cut = policy.habits.smallest_cut
        self._spins = policy.habits.spin == "live"
        self._random = random
        self._random_bits = 1
        self.checks_certificate = False
        if is_client:
            habits = policy.habits
            if habits.ignores_first_gap:
                for space in spaces:
                    space.received.ignore_first_gap()
            for space in spaces[:APPLICATION]:
                space.received.set_handshake_habit(
                    habits.handshake_ack_threshold, habits.handshake_ack_delay, habits.reports_handshake_delay
                )
        self._flight = FlightPlanner(policy, spaces[INITIAL], recovery, random, is_client, is_ipv6)
        self._pings = FrameSource()
        self.masker = HeaderMasker()
        # Sources with something to say, found once per pass; None when that has to be found out again.
        self._active: list[FrameSource] | None = None

    def disable_spin(self) -> None:
        """Tell no round trips by the spin bit. RFC 9000 §17.4."""
        if self.habits.spin == "live":
            self._spins = False

    def begin_flight(
        self,
        reason: FlightReason,
        crypto: bytes | None = None,
        base: int = 0,
        server_name_range: tuple[int, int] | None = None,
    ) -> None:
        """A ClientHello is to be laid out: a new one of bytes `crypto`, or the same once more.

        The first one is laid out here, so that whoever dials hears of a wrong layout; later ones when they are
        packed, since an ACK has to fit beside them.

        Raises:
            FlightError: the layout does not fit.
        """
        self._flight.begin(reason, crypto, base, server_name_range)
        if reason is FlightReason.FIRST:
            self._plan_flight(None)

    def _plan_flight(self, first_room: int | None) -> None:
        overhead = (
            LONG_HEADER_SIZE
            + len(self.destination_cid)
            + len(self.source_cid)
            + token_size(self.token)
            + self._policy.length_size
            + TAG_SIZE
        )
        self._flight.plan(overhead, self._initials, first_room)

    # Datagrams

    def begin_pass(self) -> None:
        """Input has been processed since the last datagram: sources may have something new to say."""
        self._active = None

    def pack(self, now: float, mode: SendMode, limit: int) -> PackedDatagram | None:
        """Build the next datagram, of at most `limit` bytes.

        Returns:
            None when there is nothing to send in this mode, or when what must be sent needs more than `limit`.
        """
        if self._is_settled():
            return self._pack_settled(now, mode, limit)
        builders: list[PacketBuilder] = []
        used = 0
        size = limit
        acks_only = self._owes_acks_first()
        for space in self.spaces:
            if acks_only and space.index == APPLICATION:
                break
            if builders and (size - used < MIN_COALESCE or not self._may_join(builders[0], space)):
                break
            builder = self._pack_space(space, now, mode, size, used, acks_only)
            if builder is None:
                continue
            if space.index == INITIAL and self.is_client:
                size = self._policy.size_for(self._is_ipv6, self._initials - 1)
                if size > limit:
                    return None
            builders.append(builder)
            used += builder.total_size()
        if not builders:
            return None
        return self._finish(builders, used, size, limit, now)

    def _may_join(self, first: PacketBuilder, space: PacketSpace) -> bool:
        """Whether a packet of a space may follow the first one of a datagram."""
        if first.packet_type is not PacketType.INITIAL:
            return True
        if space.index == APPLICATION:
            habits = self.habits
            if space.phases is None:
                if habits.early_data == "none" or (habits.early_data == "last" and self._flight.has_plan):
                    return False
            elif self._policy.padding == "datagram" and not habits.pads_last:
                return False  # a 1-RTT packet has no length: the zeros behind it would be taken for its end
        return self._policy.coalesce

    def _owes_acks_first(self) -> bool:
        """Whether the next datagram acknowledges the server's flight and does nothing else."""
        return (
            self.habits.acks_before_finished
            and self.checks_certificate
            and self.is_client
            and self.spaces[APPLICATION].phases is not None
            and self.spaces[HANDSHAKE].crypto.has_frames(HANDSHAKE)
            and self.spaces[HANDSHAKE].received.has_frames(HANDSHAKE)
        )

    def _pack_settled(self, now: float, mode: SendMode, limit: int) -> PackedDatagram | None:
        """The same once the handshake is over: one 1-RTT packet, with as little ado as possible."""
        space = self.spaces[APPLICATION]
        phases = space.phases
        if phases is None:
            return None
        may_send = mode is not SendMode.ACK_ONLY and mode is not SendMode.PACED
        owes_probe = may_send and self._recovery.probes_owed(APPLICATION) > 0
        while True:
            active = self._active if may_send else NOBODY
            is_fresh = active is None
            if active is None:
                active = self._active = self._find_active()
            if not active and not space.received.has_frames(APPLICATION) and not owes_probe:
                return None
            builder = self._settled_builder(space, phases, now, limit)
            if space.received.ack_pending:
                space.received.write_frames(builder)
            for source in active:
                source.write_frames(builder)
            if not builder.ack_eliciting and (owes_probe or self._recovery.needs_ping(APPLICATION)):
                builder.append(PingFrame(), self._pings)
            if builder.ack_eliciting or is_fresh or not may_send:
                break
            # What was known to be waiting has been said; ask everyone again.
            self._active = None
        if not builder.size:
            return None
        if may_send and builder.room > builder.size:
            # Most likely everything has been said, and the next call need not try.
            self._active = [source for source in self.sources[APPLICATION] if source.has_frames(APPLICATION)]
        self._recovery.take_packet_number(APPLICATION)
        if builder.is_path_probe:
            # RFC 9000 §8.2.1: probes of a path show that it carries full-sized datagrams.
            builder.pad(max(0, min(builder.room, MIN_INITIAL_SIZE - builder.total_size())))
        elif self._omits_length:
            builder.omit_last_length()
        datagram = PackedDatagram()
        self._seal(builder, datagram, now)
        self.masker.end_datagram(1, 0)
        return datagram

    def pack_run(self, now: float, limit: int, count: int, ecn: int) -> PacketRun | None:
        """Up to `count` datagrams of at most `limit` bytes at once, each filled by one frame of the same source.

        Returns:
            None where packets have to be built one by one, by `pack`.
        """
        space = self.spaces[APPLICATION]
        phases = space.phases
        if phases is None or space.received.ack_pending or not self._is_settled():
            return None
        active = self._active
        if active is None:
            active = self._active = self._find_active()
        if len(active) != 1:
            return None
        recovery = self._recovery
        number = recovery.next_packet_number(APPLICATION)
        largest_acked = recovery.largest_acked(APPLICATION)
        number_size = encoded_size(number, largest_acked)
        count = min(count, numbers_of_size(number_size, number, largest_acked))
        spins = [self.spin] * count if self._spins else [self._unreal_spin() for _ in range(count)]
        return pack_run(
            active[0],
            phases.sealer,
            self.destination_cid,
            number,
            number_size,
            phases.send_phase,
            spins,
            limit,
            now,
            ecn,
            not (self.greases_fixed_bit and self._random_bit()),
            self._omits_length,
            self.observer,
        )

    def _is_settled(self) -> bool:
        """Whether only 1-RTT packets are left."""
        return self.spaces[INITIAL].is_discarded and self.spaces[HANDSHAKE].is_discarded

    def _find_active(self) -> list[FrameSource]:
        """The sources that have something to say in 1-RTT packets."""
        return [source for source in self.sources[APPLICATION] if source.has_frames(APPLICATION)]

    def _settled_builder(
        self, space: PacketSpace, phases: KeyPhases, now: float, limit: int
    ) -> PacketBuilder:
        recovery = self._recovery
        number = recovery.next_packet_number(APPLICATION)
        number_size = encoded_size(number, recovery.largest_acked(APPLICATION))
        builder = PacketBuilder(
            APPLICATION,
            PacketType.ONE_RTT,
            number,
            number_size,
            limit - 1 - len(self.destination_cid) - number_size - TAG_SIZE,
            now,
            phases.sealer,
            self.destination_cid,
        )
        builder.key_phase = phases.send_phase
        builder.spin = self.spin if self._spins else self._unreal_spin()
        if self.greases_fixed_bit:
            builder.clears_fixed_bit = self._random_bit()
        builder.smallest_cut = self._smallest_cut
        return builder

    def _pack_space(
        self, space: PacketSpace, now: float, mode: SendMode, size: int, used: int, acks_only: bool = False
    ) -> PacketBuilder | None:
        index = space.index
        sources = self.sources[index]
        if index != APPLICATION:
            sealer, packet_type = space.sealer, LONG_TYPES[index]
        elif space.phases is not None:
            sealer, packet_type = space.phases.sealer, PacketType.ONE_RTT
        elif space.sealer is not None:
            sealer, packet_type = space.sealer, PacketType.ONE_RTT
        else:
            sealer, packet_type = space.early_sealer, PacketType.ZERO_RTT
            sources = self.early_sources
        if (mode is SendMode.ACK_ONLY or mode is SendMode.PACED) and self._recovery.is_stranded(index):
            mode = SendMode.ANY
        if acks_only:
            mode = SendMode.ACK_ONLY
        if sealer is None or not self._wants(space, sources, mode, packet_type):
            return None
        if index == INITIAL and self.is_client:
            size = self._policy.size_for(self._is_ipv6, self._initials)
        builder = self._builder(space, packet_type, sealer, now, size - used)
        if builder.limit < 1:
            return None
        if packet_type is not PacketType.ZERO_RTT:
            space.received.write_frames(builder)
        if (
            self.habits.repeats_hello
            and index == INITIAL
            and builder.size
            and self.is_client
            and self.spaces[HANDSHAKE].sealer is None
        ):
            self._recovery.repeat_outstanding(INITIAL)
        if mode is not SendMode.ACK_ONLY and mode is not SendMode.PACED:
            if index == INITIAL and self._flight.is_active:
                self._fill_flight(builder, space)
            else:
                for source in sources:
                    if source.has_frames(index):
                        source.write_frames(builder)
            if not builder.ack_eliciting and (
                self._recovery.probes_owed(index) or self._recovery.needs_ping(index)
            ):
                builder.append(PingFrame(), self._pings)
        elif self._recovery.needs_ping(index):
            builder.append(PingFrame(), self._pings)
        if not builder.size:
            return None
        self._recovery.take_packet_number(index)
        if index == INITIAL:
            if builder.ack_eliciting:
                self._newest_hello = builder.packet_number
            if self.is_client:
                self._recovery.skip_packet_numbers(index, self._policy.packet_number_skip(self._initials))
            self._initials += 1
        return builder

    def _fill_flight(self, builder: PacketBuilder, space: PacketSpace) -> None:
        if not self._flight.has_plan and space.crypto.has_frames(INITIAL):
            self._plan_flight(builder.room)
        if self._flight.has_plan:
            self._flight.write(builder)
        elif space.crypto.has_frames(INITIAL):
            space.crypto.write_frames(builder)

    def _wants(
        self, space: PacketSpace, sources: Sequence[FrameSource], mode: SendMode, packet_type: PacketType
    ) -> bool:
        index = space.index
        if packet_type is not PacketType.ZERO_RTT and space.received.has_frames(index):
            return True
        if mode is SendMode.ACK_ONLY or mode is SendMode.PACED:
            return False
        if index == INITIAL and self._flight.has_plan:
            return True
        if self._recovery.probes_owed(index):
            return True
        for source in sources:
            if source.has_frames(index):
                return True
        return False

    def _builder(
        self, space: PacketSpace, packet_type: PacketType, sealer: Sealer, now: float, room: int
    ) -> PacketBuilder:
        index = space.index
        recovery = self._recovery
        number = recovery.next_packet_number(index)
        number_size = 0
        if index == INITIAL and self.is_client:
            number_size = self._initial_number_size()
        if not number_size:
            number_size = encoded_size(number, recovery.largest_acked(index))
        phases = space.phases
        builder = PacketBuilder(
            space=index,
            packet_type=packet_type,
            packet_number=number,
            packet_number_size=number_size,
            limit=0,
            now=now,
            sealer=sealer,
            destination_cid=self.destination_cid,
            source_cid=self.source_cid,
            version=self.early_version if packet_type is PacketType.ZERO_RTT else self.version,
            token=self.token if index == INITIAL else b"",
            length_size=self._policy.length_size if index == INITIAL else 2,
            key_phase=phases is not None and phases.send_phase,
            spin=self.spin if self._spins else self._unreal_spin(),
        )
        builder.smallest_cut = self._smallest_cut
        builder.limit = room - builder.header_size() - TAG_SIZE
        # Whoever sorts protocols by first bytes sees those of Initial packets.
        if self.greases_fixed_bit and index != INITIAL:
            builder.clears_fixed_bit = self._random_bit()
        return builder

    def _unreal_spin(self) -> bool:
        """The spin bit of a packet where it does not follow the peer's. RFC 9000 §17.4."""
        return self.habits.spin != "zero" and self._random_bit()

    def _random_bit(self) -> bool:
        if self._random_bits == 1:
            self._random_bits = int.from_bytes(b"\1" + self._random(RANDOM_BYTES), "big")
        bit = self._random_bits & 1
        self._random_bits >>= 1
        return bit == 1

    def _initial_number_size(self) -> int:
        recovery = self._recovery
        unanswered = self.habits.unanswered_number_size
        if (
            unanswered
            and self._initials
            and recovery.largest_acked(INITIAL) < self._newest_hello
            and not recovery.probes_owed(INITIAL)
        ):
            return unanswered
        return self._policy.packet_number_size(self._initials)

    def _finish(
        self, builders: list[PacketBuilder], used: int, size: int, limit: int, now: float
    ) -> PackedDatagram | None:
        """Pad, seal, and write down what was sent."""
        datagram = PackedDatagram()
        first, last = builders[0], builders[-1]
        if self._omits_length and last.packet_type in DATA_TYPES and not last.is_path_probe:
            used -= last.total_size()
            last.omit_last_length()
            used += last.total_size()
        if first.packet_type is PacketType.INITIAL:
            if self.is_client:
                short = size - used
                if self._policy.padding == "datagram":
                    if last.packet_type is PacketType.ONE_RTT and short > 0:
                        last.limit += short
                        last.pad(short)
                    else:
                        datagram.zeros = max(short, 0)
                elif short > 0:
                    first.limit += short
                    first.pad(short)
            elif first.ack_eliciting and used < MIN_INITIAL_SIZE:
                # RFC 9000 §14.1: a server expands these too, and must not where amplification forbids it.
                short = min(MIN_INITIAL_SIZE, limit) - used
                if short > 0:
                    first.pad(short)
        elif first.packet_type is PacketType.ONE_RTT and first.is_path_probe:
            # RFC 9000 §8.2.1: probes of a path show that it carries full-sized datagrams.
            short = min(MIN_INITIAL_SIZE, limit) - used
            if short > 0:
                first.pad(short)
        for builder in builders:
            self._seal(builder, datagram, now)
        datagram.size += datagram.zeros
        self.masker.end_datagram(len(builders), datagram.zeros)
        return datagram

    def _seal(self, builder: PacketBuilder, datagram: PackedDatagram, now: float) -> None:
        builder.pad_for_sample()
        header, ciphertext = builder.seal()
        size = len(header) + len(ciphertext)
        self.masker.add(builder.sealer, header, builder.packet_number_size, ciphertext)
        datagram.size += size
        datagram.sent.append(
            SentPacket(
                builder.packet_number,
                builder.space,
                now,
                size,
                builder.ack_eliciting,
                builder.in_flight,
                builder.frames,
            )
        )
        if self.observer is not None:
            self.observer.packet_sent(
                now,
                builder.packet_type,
                builder.packet_number,
                size,
                [frame for frame, _ in builder.frames],
                builder.destination_cid,
                builder.source_cid,
            )

    def pack_mtu_probe(self, now: float, size: int, owner: FrameSource) -> PackedDatagram | None:
        """A 1-RTT packet of exactly `size` bytes whose loss says something about the path only. RFC 8899."""
        space = self.spaces[APPLICATION]
        if space.phases is None:
            return None
        builder = self._builder(space, PacketType.ONE_RTT, space.phases.sealer, now, size)
        builder.append(PingFrame(), owner)
        builder.pad(builder.room)
        self._recovery.take_packet_number(APPLICATION)
        datagram = PackedDatagram()
        self._seal(builder, datagram, now)
        self.masker.end_datagram(1, 0)
        datagram.sent[0].is_mtu_probe = True
        return datagram

    def pack_path(
        self, now: float, source: FrameSource, limit: int, destination_cid: bytes
    ) -> PackedDatagram | None:
        """A full-sized 1-RTT packet with the frames of a path that is not the active one. RFC 9000 §9.1."""
        space = self.spaces[APPLICATION]
        if space.phases is None:
            return None
        builder = self._builder(space, PacketType.ONE_RTT, space.phases.sealer, now, limit)
        builder.limit += len(builder.destination_cid) - len(destination_cid)
        builder.destination_cid = destination_cid
        source.write_frames(builder)
        if not builder.size:
            return None
        builder.pad(max(0, min(builder.room, MIN_INITIAL_SIZE - builder.total_size())))
        self._recovery.take_packet_number(APPLICATION)
        datagram = PackedDatagram()
        self._seal(builder, datagram, now)
        self.masker.end_datagram(1, 0)
        return datagram

    def pack_close(self, now: float, frames: Sequence[Frame | None], limit: int) -> PackedDatagram | None:
        """A datagram with a CONNECTION_CLOSE in each space that has keys and a frame. RFC 9000 §10.2.3."""
        builders: list[PacketBuilder] = []
        used = 0
        for space, frame in zip(self.spaces, frames, strict=True):
            index = space.index
            sealer, packet_type = space.sealer, LONG_TYPES[index]
            if index == APPLICATION and space.phases is not None:
                sealer, packet_type = space.phases.sealer, PacketType.ONE_RTT
            if frame is None or sealer is None:
                continue
            size = limit
            if index == INITIAL and self.is_client:
                size = self._policy.size_for(self._is_ipv6, self._initials)
            builder = self._builder(space, packet_type, sealer, now, size - used)
            if self.habits.answers_close and index == APPLICATION:
                ack = space.received.ack_frame(now)
                if ack is not None:
                    builder.append(ack, self._pings)
            if builder.limit < 1 or not builder.append(frame, self._pings):
                continue
            self._recovery.take_packet_number(index)
            builders.append(builder)
            used += builder.total_size()
        if not builders:
            return None
        return self._finish(builders, used, self._policy.size_for(self._is_ipv6, self._initials), limit, now)
