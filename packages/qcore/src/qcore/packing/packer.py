"""Frames to datagrams.

Builds the packets of one datagram, space by space, lets the sources fill them in order of priority, places the
first flight as the layout asks, and pads. It decides what goes where; whether anything may go, and to which
address, is the transmitter's business. RFC 9000 §12.2, §14.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, final

from qtls.protection import Sealer
from qwire.constants import PacketType
from qwire.frames import Frame, PingFrame

from ..ackhandler.send_mode import SendMode
from ..ackhandler.sent import SentPacketHandler
from ..packet_space import PacketSpace
from ..spaces import APPLICATION, HANDSHAKE, INITIAL
from .builder import (
    INITIAL_TYPE,
    LONG_HEADER_SIZE,
    MIN_INITIAL_SIZE,
    ONE_RTT,
    TAG_SIZE,
    ZERO_RTT,
    PacketBuilder,
    token_size,
)
from .datagram import DatagramWriter, PackedDatagram
from .flight import FlightPlanner
from .headers import PacketHeaders
from .initial_flight import FlightReason, InitialPolicy
from .one_rtt import OneRttPacker
from .run import PacketRun
from .source import UNHEARD, FrameSource

# A further packet in a datagram pays for its header and tag only when some room for frames is left.
MIN_COALESCE: Final = 64
DATA_TYPES: Final = (PacketType.ONE_RTT, PacketType.ZERO_RTT)
# Who has something to say in a space without keys.
NO_SOURCES: Final[list[FrameSource]] = []
LONG_TYPES: Final = (PacketType.INITIAL, PacketType.HANDSHAKE, PacketType.ZERO_RTT)


@final
class Packer:
    """Packs datagrams for one connection.

    Attributes:
        headers: what the headers of all packets carry now.
        sources: frame sources by space, in order of priority; `early_sources` may use 0-RTT packets.
        one_rtt: packs what needs no other packets beside it.
        habits: what shows in packets behind the first flight.
        checks_certificate: a client's server has to prove itself by a certificate.
        is_settled: only 1-RTT packets are left.
        writer: holds the packed datagrams until their headers are protected.
    """

    __slots__ = (
        "_flight",
        "_handshake",
        "_has_number_sizes",
        "_has_skips",
        "_initial",
        "_initial_size",
        "_initials",
        "_is_ipv6",
        "_newest_hello",
        "_omits_length",
        "_policy",
        "_recovery",
        "checks_certificate",
        "early_sources",
        "habits",
        "headers",
        "is_client",
        "is_settled",
        "one_rtt",
        "sources",
        "spaces",
        "writer",
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
        habits = policy.habits
        self.is_client = is_client
        self.is_settled = False
        self.spaces = spaces
        self._initial = spaces[INITIAL]
        self._handshake = spaces[HANDSHAKE]
        self.headers = PacketHeaders(recovery, habits, policy.length_size, random)
        self.writer = DatagramWriter()
        self.one_rtt = OneRttPacker(
            spaces[APPLICATION], recovery, self.headers, self.writer, habits.omits_last_length
        )
        self.sources: list[list[FrameSource]] = [[], [], []]
        self.early_sources: list[FrameSource] = []
        self.habits = habits
        self.checks_certificate = False
        self._recovery = recovery
        self._policy = policy
        self._is_ipv6 = is_ipv6
        # What most policies say of all Initial packets alike is asked for once; a size of 0 is one that differs.
        has_sizes = is_client and not policy.first_datagram_sizes
        self._initial_size = policy.size_for(is_ipv6, 0) if has_sizes else 0
        self._has_number_sizes = bool(policy.packet_number_sizes)
        self._has_skips = bool(policy.packet_number_skips)
        self._initials = 0
        self._newest_hello = (
            -1
        )  # number of the last Initial that asked for an acknowledgement; -1 behind 0-RTT
        self._omits_length = habits.omits_last_length
        if is_client:
            if habits.ignores_first_gap:
                for space in spaces:
                    space.received.ignore_first_gap()
            for space in spaces[:APPLICATION]:
                space.received.set_handshake_habit(
                    habits.handshake_ack_threshold, habits.handshake_ack_delay, habits.reports_handshake_delay
                )
        self._flight = FlightPlanner(policy, spaces[INITIAL], recovery, random, is_client, is_ipv6)

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
        headers = self.headers
        overhead = (
            LONG_HEADER_SIZE
            + len(headers.destination_cid)
            + len(headers.source_cid)
            + token_size(headers.token)
            + self._policy.length_size
            + TAG_SIZE
        )
        self._flight.plan(overhead, self._initials, first_room)

    def set_sources(self, space: int, sources: list[FrameSource]) -> None:
        """Who has something to say in a space, in order of priority."""
        self.sources[space] = sources
        if space == APPLICATION:
            self.one_rtt.sources = sources

    def release(self, space: int) -> None:
        """The keys of a space are gone: nobody says anything there."""
        self.sources[space] = NO_SOURCES
        self.is_settled = self._handshake.is_discarded and self._initial.is_discarded
        if space == INITIAL:
            self._flight.release()

    # Datagrams

    def pack(self, now: float, mode: SendMode, limit: int) -> PackedDatagram | None:
        """Build the next datagram, of at most `limit` bytes.

        Returns:
            None when there is nothing to send in this mode, or when what must be sent needs more than `limit`.
        """
        if self.is_settled:
            return self.one_rtt.pack(now, mode, limit)
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
                size = self._size_of(self._initials - 1)
                if size > limit:
                    return None
            builders.append(builder)
            used += builder.total_size()
        if not builders:
            return None
        return self._finish(builders, used, size, limit, now)

    def _may_join(self, first: PacketBuilder, space: PacketSpace) -> bool:
        """Whether a packet of a space may follow the first one of a datagram."""
        if first.packet_type is not INITIAL_TYPE:
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

    def _pack_space(
        self, space: PacketSpace, now: float, mode: SendMode, size: int, used: int, acks_only: bool = False
    ) -> PacketBuilder | None:
        index = space.index
        sources = self.sources[index]
        if index != APPLICATION:
            sealer, packet_type = space.sealer, LONG_TYPES[index]
        elif space.phases is not None:
            sealer, packet_type = space.phases.sealer, ONE_RTT
        elif space.sealer is not None:
            sealer, packet_type = space.sealer, ONE_RTT
        else:
            sealer, packet_type = space.early_sealer, ZERO_RTT
            sources = self.early_sources
        if (mode is SendMode.ACK_ONLY or mode is SendMode.PACED) and self._recovery.is_stranded(index):
            mode = SendMode.ANY
        if acks_only:
            mode = SendMode.ACK_ONLY
        if sealer is None or not self._wants(space, sources, mode, packet_type):
            return None
        if index == INITIAL and self.is_client:
            size = self._size_of(self._initials)
        builder = self._begin(space, packet_type, sealer, now, size - used)
        if builder.limit < 1:
            return None
        if packet_type is not ZERO_RTT:
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
                builder.append(PingFrame(), UNHEARD)
        elif self._recovery.needs_ping(index):
            builder.append(PingFrame(), UNHEARD)
        if not builder.size:
            return None
        self._recovery.take_packet_number(index)
        if index == INITIAL:
            if builder.ack_eliciting:
                self._newest_hello = builder.packet_number
            if self.is_client and self._has_skips:
                self._recovery.skip_packet_numbers(index, self._policy.packet_number_skip(self._initials))
            self._initials += 1
        elif packet_type is ZERO_RTT:
            self._newest_hello = -1  # it stands between that Initial and the next, and sizes are as ever
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
        if packet_type is not ZERO_RTT and space.received.has_frames(index):
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

    def _begin(
        self, space: PacketSpace, packet_type: PacketType, sealer: Sealer, now: float, room: int
    ) -> PacketBuilder:
        number_size = self._initial_number_size() if space.index == INITIAL and self.is_client else 0
        phases = space.phases
        key_phase = phases is not None and phases.send_phase
        return self.headers.begin(space.index, packet_type, sealer, now, room, number_size, key_phase)

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
        return self._policy.packet_number_size(self._initials) if self._has_number_sizes else 0

    def _size_of(self, index: int) -> int:
        """UDP payload of the datagram with a client's Initial of that number."""
        return self._initial_size or self._policy.size_for(self._is_ipv6, index)

    def _finish(
        self, builders: list[PacketBuilder], used: int, size: int, limit: int, now: float
    ) -> PackedDatagram:
        """Pad and seal."""
        zeros = 0
        first, last = builders[0], builders[-1]
        if self._omits_length and last.packet_type in DATA_TYPES and not last.is_path_probe:
            used -= last.total_size()
            last.omit_last_length()
            used += last.total_size()
        if first.packet_type is INITIAL_TYPE:
            if self.is_client:
                short = size - used
                if self._policy.padding == "datagram":
                    if last.packet_type is ONE_RTT and short > 0:
                        last.limit += short
                        last.pad(short)
                    else:
                        zeros = max(short, 0)
                elif short > 0:
                    first.limit += short
                    first.pad(short)
            elif first.ack_eliciting and used < MIN_INITIAL_SIZE:
                # RFC 9000 §14.1: a server expands these too, and must not where amplification forbids it.
                short = min(MIN_INITIAL_SIZE, limit) - used
                if short > 0:
                    first.pad(short)
        elif first.packet_type is ONE_RTT and first.is_path_probe:
            # RFC 9000 §8.2.1: probes of a path show that it carries full-sized datagrams.
            short = min(MIN_INITIAL_SIZE, limit) - used
            if short > 0:
                first.pad(short)
        return self.writer.write(builders, now, zeros)

    def pack_run(self, now: float, limit: int, count: int, ecn: int) -> PacketRun | None:
        """Up to `count` datagrams of at most `limit` bytes at once, each filled by one frame of the same source.

        Returns:
            None where packets have to be built one by one, by `pack`.
        """
        return self.one_rtt.pack_run(now, limit, count, ecn) if self.is_settled else None

    def pack_close(self, now: float, frames: Sequence[Frame | None], limit: int) -> PackedDatagram | None:
        """A datagram with a CONNECTION_CLOSE in each space that has keys and a frame. RFC 9000 §10.2.3."""
        builders: list[PacketBuilder] = []
        used = 0
        for space, frame in zip(self.spaces, frames, strict=True):
            index = space.index
            sealer, packet_type = space.sealer, LONG_TYPES[index]
            if index == APPLICATION and space.phases is not None:
                sealer, packet_type = space.phases.sealer, ONE_RTT
            if frame is None or sealer is None:
                continue
            size = limit
            if index == INITIAL and self.is_client:
                size = self._size_of(self._initials)
            builder = self._begin(space, packet_type, sealer, now, size - used)
            if self.habits.answers_close and index == APPLICATION:
                ack = space.received.ack_frame(now)
                if ack is not None:
                    builder.append(ack, UNHEARD)
            if builder.limit < 1 or not builder.append(frame, UNHEARD):
                continue
            self._recovery.take_packet_number(index)
            builders.append(builder)
            used += builder.total_size()
        if not builders:
            return None
        return self._finish(builders, used, self._size_of(self._initials), limit, now)
