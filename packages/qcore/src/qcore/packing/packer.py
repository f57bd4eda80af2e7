"""Frames to datagrams.

Builds the packets of one datagram, space by space, lets the sources fill them in order of priority, places the
first flight as the layout asks, pads, and seals. It decides what goes where; whether anything may go, and to
which address, is the transmitter's business. RFC 9000 §12.2, §14.1.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, final

from qtls.protection import Sealer
from qwire.constants import VERSION_1, PacketType
from qwire.frames import Frame, PingFrame
from qwire.packet_number import encoded_size

from ..ackhandler.history import SentPacket
from ..ackhandler.sent import SendMode, SentPacketHandler
from ..observer import Observer
from ..packet_space import PacketSpace
from ..spaces import APPLICATION, INITIAL
from .builder import LONG_HEADER_SIZE, TAG_SIZE, PacketBuilder, token_size
from .initial_flight import (
    Crypto,
    FlightContext,
    FlightReason,
    InitialPolicy,
    InOrder,
    Padding,
    Placement,
    check_layout,
)
from .source import FrameSource

# RFC 9000 §14.1.
MIN_INITIAL_SIZE: Final = 1200
# A further packet in a datagram pays for its header and tag only when some room for frames is left.
MIN_COALESCE: Final = 64
# A flight is a ClientHello: eight datagrams are more than any client sends.
MAX_FLIGHT: Final = 8
LONG_TYPES: Final = (PacketType.INITIAL, PacketType.HANDSHAKE, PacketType.ZERO_RTT)


@final
class PackedDatagram:
    """One datagram, sealed but for header protection.

    Attributes:
        packets: (sealer, header, packet number size, ciphertext) of each packet.
        sent: what the loss recovery has to remember of each packet.
        zeros: bytes that follow the packets.
        size: bytes of the datagram.
    """

    __slots__ = ("packets", "sent", "size", "zeros")

    def __init__(self) -> None:
        self.packets: list[tuple[Sealer, bytes, int, bytes]] = []
        self.sent: list[SentPacket] = []
        self.zeros = 0
        self.size = 0


@final
class Packer:
    """Packs datagrams for one connection.

    Attributes:
        destination_cid, source_cid, version, token: what headers carry now.
        sources: frame sources by space, in order of priority; `early_sources` may use 0-RTT packets.
    """

    __slots__ = (
        "_flight",
        "_flight_base",
        "_has_layout",
        "_initials",
        "_is_ipv6",
        "_name_range",
        "_pings",
        "_placed",
        "_plan",
        "_policy",
        "_random",
        "_reason",
        "_recovery",
        "destination_cid",
        "early_sources",
        "is_client",
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
        self.token = b""
        self.spin = False
        self.observer: Observer | None = None
        self._recovery = recovery
        self._policy = policy
        self._is_ipv6 = is_ipv6
        self._random = random
        self._initials = 0
        self._reason = FlightReason.FIRST
        self._flight = b""
        self._flight_base = 0
        self._name_range: tuple[int, int] | None = None
        self._plan: deque[Sequence[Placement]] = deque()
        self._placed: list[Sequence[Placement]] = []
        self._pings = FrameSource()
        self._has_layout = is_client and not isinstance(policy.layout, InOrder)

    # The first flight

    def begin_flight(
        self,
        reason: FlightReason,
        crypto: bytes | None = None,
        base: int = 0,
        server_name_range: tuple[int, int] | None = None,
    ) -> None:
        """A ClientHello is to be laid out: a new one of bytes `crypto`, or the same once more."""
        if crypto is not None:
            self._flight = crypto
            self._flight_base = base
            self._name_range = server_name_range
        self._reason = reason
        self._plan.clear()
        self._placed.clear()

    def plan_flight(self) -> None:
        """Ask the layout where the waiting bytes of the ClientHello go.

        Raises:
            FlightError: the layout does not fit.
        """
        if not self._has_layout:
            return
        base = self._flight_base
        stop = base + len(self._flight)
        pending = self.spaces[INITIAL].crypto.pending_ranges()
        if any(first < base or last > stop for first, last in pending):
            return
        ranges = [(first - base, last - base) for first, last in pending]
        if self._reason is FlightReason.PROBE and not self._policy.probe_relayout:
            self._plan.extend(plan for plan in self._placed if _touches(plan, ranges))
            return
        flight = FlightContext(
            self._flight,
            ranges=ranges,
            rooms=self._rooms(),
            reason=self._reason,
            random=self._random,
            base=base,
            server_name_range=self._name_range,
        )
        plan = self._policy.layout.lay_out(flight)
        if plan is None:
            return
        check_layout(flight, plan)
        self._plan.extend(plan)
        if self._reason is not FlightReason.PROBE:
            self._placed = list(plan)
        self._reason = FlightReason.PROBE

    def _rooms(self) -> list[int]:
        """Frame bytes in each of the next datagrams that carry an Initial."""
        size = self._policy.size_for(self._is_ipv6) - self._initial_overhead()
        rooms = []
        for index in range(MAX_FLIGHT):
            number_size = self._policy.packet_number_size(self._initials + index)
            if not number_size:
                number = self._recovery.next_packet_number(INITIAL) + index
                number_size = encoded_size(number, self._recovery.largest_acked(INITIAL))
            rooms.append(size - number_size)
        ack = (
            self.spaces[INITIAL].received.ack_frame(0.0)
            if self.spaces[INITIAL].received.ack_pending
            else None
        )
        if ack is not None:
            rooms[0] -= ack.size()
        return rooms

    def _initial_overhead(self) -> int:
        """Bytes of an Initial packet that are neither packet number nor frames."""
        return (
            LONG_HEADER_SIZE
            + len(self.destination_cid)
            + len(self.source_cid)
            + token_size(self.token)
            + self._policy.length_size
            + TAG_SIZE
        )

    def _place(self, builder: PacketBuilder, placements: Sequence[Placement]) -> None:
        crypto = self.spaces[INITIAL].crypto
        base = self._flight_base
        for placement in placements:
            if isinstance(placement, Crypto):
                builder.append(crypto.take_range(base + placement.start, base + placement.stop), crypto)
            elif isinstance(placement, Padding):
                builder.pad(min(placement.count, builder.room))
            else:
                builder.append(PingFrame(), self._pings)

    # Datagrams

    def pack(self, now: float, mode: SendMode, limit: int) -> PackedDatagram | None:
        """Build the next datagram, of at most `limit` bytes.

        Returns:
            None when there is nothing to send in this mode, or when what must be sent needs more than `limit`.
        """
        builders: list[PacketBuilder] = []
        used = 0
        size = limit
        for space in self.spaces:
            if builders and (size - used < MIN_COALESCE or not self._policy.coalesce):
                break
            builder = self._pack_space(space, now, mode, size, used)
            if builder is None:
                continue
            if space.index == INITIAL and self.is_client:
                size = self._policy.size_for(self._is_ipv6)
                if size > limit:
                    return None
            builders.append(builder)
            used += builder.total_size()
        if not builders:
            return None
        return self._finish(builders, used, size, limit, now)

    def _pack_space(
        self, space: PacketSpace, now: float, mode: SendMode, size: int, used: int
    ) -> PacketBuilder | None:
        index = space.index
        sources = self.sources[index]
        if index != APPLICATION:
            sealer, packet_type = space.sealer, LONG_TYPES[index]
        elif space.phases is not None:
            sealer, packet_type = space.phases.sealer, PacketType.ONE_RTT
        else:
            sealer, packet_type = space.early_sealer, PacketType.ZERO_RTT
            sources = self.early_sources
        if (mode is SendMode.ACK_ONLY or mode is SendMode.PACED) and self._recovery.is_stranded(index):
            mode = SendMode.ANY
        if sealer is None or not self._wants(space, sources, mode, packet_type):
            return None
        if index == INITIAL and self.is_client:
            size = self._policy.size_for(self._is_ipv6)
        builder = self._builder(space, packet_type, sealer, now, size - used)
        if builder.limit < 1:
            return None
        if packet_type is not PacketType.ZERO_RTT:
            space.received.write_frames(builder)
        if mode is not SendMode.ACK_ONLY and mode is not SendMode.PACED:
            if index == INITIAL and self._has_layout:
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
        if index == INITIAL:
            self._initials += 1
        self._recovery.take_packet_number(index)
        return builder

    def _fill_flight(self, builder: PacketBuilder, space: PacketSpace) -> None:
        if not self._plan and space.crypto.has_frames(INITIAL):
            self.plan_flight()
        if self._plan:
            self._place(builder, self._plan.popleft())
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
        if index == INITIAL and self._plan:
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
            number_size = self._policy.packet_number_size(self._initials)
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
            version=self.version,
            token=self.token if index == INITIAL else b"",
            length_size=self._policy.length_size if index == INITIAL else 2,
            key_phase=phases is not None and phases.send_phase,
            spin=self.spin,
        )
        builder.limit = room - builder.header_size() - TAG_SIZE
        return builder

    def _finish(
        self, builders: list[PacketBuilder], used: int, size: int, limit: int, now: float
    ) -> PackedDatagram | None:
        """Pad, seal, and write down what was sent."""
        datagram = PackedDatagram()
        first = builders[0]
        if first.packet_type is PacketType.INITIAL:
            if self.is_client:
                short = size - used
                if self._policy.padding == "datagram":
                    datagram.zeros = max(short, 0)
                elif short > 0:
                    first.limit += short
                    first.pad(short)
            elif first.ack_eliciting and used < MIN_INITIAL_SIZE:
                # RFC 9000 §14.1: a server expands these too, and must not where amplification forbids it.
                short = min(MIN_INITIAL_SIZE, limit) - used
                if short > 0:
                    first.pad(short)
        elif first.packet_type is PacketType.ONE_RTT and _carries_path_frames(first):
            # RFC 9000 §8.2.1: probes of a path show that it carries full-sized datagrams.
            short = min(MIN_INITIAL_SIZE, limit) - used
            if short > 0:
                first.pad(short)
        for builder in builders:
            self._seal(builder, datagram, now)
        datagram.size += datagram.zeros
        return datagram

    def _seal(self, builder: PacketBuilder, datagram: PackedDatagram, now: float) -> None:
        builder.pad_for_sample()
        header, ciphertext = builder.seal()
        size = len(header) + len(ciphertext)
        datagram.packets.append((builder.sealer, header, builder.packet_number_size, ciphertext))
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
            size = self._policy.size_for(self._is_ipv6) if index == INITIAL and self.is_client else limit
            builder = self._builder(space, packet_type, sealer, now, size - used)
            if builder.limit < 1 or not builder.append(frame, self._pings):
                continue
            self._recovery.take_packet_number(index)
            builders.append(builder)
            used += builder.total_size()
        if not builders:
            return None
        return self._finish(builders, used, self._policy.size_for(self._is_ipv6), limit, now)


def _touches(plan: Sequence[Placement], ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether a datagram's placements carry any byte of the ranges."""
    return any(
        isinstance(placement, Crypto) and placement.start < stop and start < placement.stop
        for placement in plan
        for start, stop in ranges
    )


def _carries_path_frames(builder: PacketBuilder) -> bool:
    return any(frame.type in (0x1A, 0x1B) for frame, _ in builder.frames)
