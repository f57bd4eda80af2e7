"""1-RTT packets by themselves: what nearly all datagrams of a connection are.

Fills them from the sources that have something to say, one by one or, where one source has a lot, in runs; also
the packets that try a path. RFC 9000 §12.2, §14.
"""

from __future__ import annotations

from typing import Final, final

from qwire.frames import PingFrame
from qwire.packet_number import encoded_size

from ..ackhandler.send_mode import SendMode
from ..ackhandler.sent import SentPacketHandler
from ..packet_space import PacketSpace
from ..spaces import APPLICATION
from .builder import MIN_INITIAL_SIZE, PacketBuilder
from .datagram import DatagramWriter, PackedDatagram
from .headers import PacketHeaders
from .run import PacketRun, numbers_of_size, pack_run
from .source import UNHEARD, FrameSource

NOBODY: Final[list[FrameSource]] = []
# Whoever has more to say fills a packet but for so many bytes.
LEFTOVER: Final = 64


@final
class OneRttPacker:
    """Packs 1-RTT packets for one connection; each is reported as sent before the next is packed.

    Attributes:
        sources: who may have something to say, in order of priority.
        is_done: it is known that nothing is left to send in this pass.
    """

    __slots__ = (
        "_active",
        "_headers",
        "_omits_length",
        "_recovery",
        "_space",
        "_writer",
        "is_done",
        "sources",
    )

    def __init__(
        self,
        space: PacketSpace,
        recovery: SentPacketHandler,
        headers: PacketHeaders,
        writer: DatagramWriter,
        omits_length: bool,
    ) -> None:
        self.sources: list[FrameSource] = []
        self.is_done = False
        self._space = space
        self._recovery = recovery
        self._headers = headers
        self._writer = writer
        self._omits_length = omits_length
        # Sources with something to say, found once per pass; None when that has to be found out again.
        self._active: list[FrameSource] | None = None

    def begin_pass(self) -> None:
        """Input has been processed since the last datagram: sources may have something new to say."""
        self._active = None
        self.is_done = False

    def pack(self, now: float, mode: SendMode, limit: int) -> PackedDatagram | None:
        """Build the next datagram, of at most `limit` bytes; None when there is nothing to send in this mode."""
        space = self._space
        phases = space.phases
        if phases is None:
            return None
        self.is_done = False
        may_send = mode is not SendMode.ACK_ONLY and mode is not SendMode.PACED
        owes_probe = mode is SendMode.PROBE and self._recovery.probes_owed(APPLICATION) > 0
        while True:
            active = self._active if may_send else NOBODY
            is_fresh = active is None
            if active is None:
                active = self._active = _with_frames(self.sources)
            if not active and not space.received.has_frames(APPLICATION) and not owes_probe:
                return None
            builder = self._headers.begin_one_rtt(phases, now, limit)
            received = space.received
            if received.ack_pending:
                received.write_frames(builder)
            elif received.is_hasty:
                received.calm(now)
            for source in active:
                source.write_frames(builder)
            if not builder.ack_eliciting and (owes_probe or self._recovery.needs_ping(APPLICATION)):
                builder.append(PingFrame(), UNHEARD)
            if builder.ack_eliciting or is_fresh or not may_send:
                break
            # What was known to be waiting has been said; ask everyone again.
            self._active = None
        payload_size = len(builder.payload)
        if not payload_size:
            return None
        if may_send and builder.limit - payload_size > LEFTOVER:
            # Most likely everything has been said, and the next call need not try.
            self._active = left = _with_frames(active)
            self.is_done = not left and mode is SendMode.ANY and not space.received.ack_pending
        if builder.is_path_probe:
            _expand(builder)
        elif self._omits_length:
            builder.omit_last_length()
        return self._writer.write([builder], now)

    def pack_run(self, now: float, limit: int, count: int, ecn: int) -> PacketRun | None:
        """Up to `count` datagrams of at most `limit` bytes at once, each filled by one frame of the same source.

        Returns:
            None where packets have to be built one by one, by `pack`.
        """
        space = self._space
        phases = space.phases
        if phases is None or space.received.ack_pending:
            return None
        active = self._active
        if active is None:
            active = self._active = _with_frames(self.sources)
        if len(active) != 1:
            return None
        recovery = self._recovery
        headers = self._headers
        number = recovery.next_packet_number(APPLICATION)
        largest_acked = recovery.largest_acked(APPLICATION)
        number_size = encoded_size(number, largest_acked)
        count = min(count, numbers_of_size(number_size, number, largest_acked))
        return pack_run(
            active[0],
            phases.sealer,
            headers.destination_cid,
            number,
            number_size,
            phases.send_phase,
            headers.next_spins(count),
            limit,
            now,
            ecn,
            not headers.clears_fixed_bit(),
            self._omits_length,
            self._writer.observer,
        )

    def pack_mtu_probe(self, now: float, size: int, owner: FrameSource) -> PackedDatagram | None:
        """A packet of exactly `size` bytes whose loss says something about the path only. RFC 8899."""
        phases = self._space.phases
        if phases is None:
            return None
        builder = self._headers.begin_one_rtt(phases, now, size)
        builder.append(PingFrame(), owner)
        builder.pad(builder.room)
        datagram = self._writer.write([builder], now)
        datagram.sent[0].is_mtu_probe = True
        return datagram

    def pack_path(
        self, now: float, source: FrameSource, limit: int, destination_cid: bytes
    ) -> PackedDatagram | None:
        """A full-sized packet with the frames of a path that is not the active one. RFC 9000 §9.1."""
        phases = self._space.phases
        if phases is None:
            return None
        builder = self._headers.begin_one_rtt(phases, now, limit)
        builder.limit += len(builder.destination_cid) - len(destination_cid)
        builder.destination_cid = destination_cid
        source.write_frames(builder)
        if not builder.size:
            return None
        _expand(builder)
        return self._writer.write([builder], now)


def _with_frames(sources: list[FrameSource]) -> list[FrameSource]:
    """Those who have something to say."""
    found: list[FrameSource] = []
    for source in sources:  # a comprehension is a call of its own
        if source.has_frames(APPLICATION):
            found.append(source)
    return found


def _expand(builder: PacketBuilder) -> None:
    """RFC 9000 §8.2.1: probes of a path show that it carries full-sized datagrams."""
    builder.pad(max(0, min(builder.room, MIN_INITIAL_SIZE - builder.total_size())))
