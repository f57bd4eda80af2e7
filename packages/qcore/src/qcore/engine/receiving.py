"""Datagrams to opened packets.

Finds the packets of a datagram, picks the keys, removes header protection, restores the packet number and opens
the payload. What cannot be opened yet waits, within bounds; what cannot be opened at all is dropped with a
reason. Knows nothing of frames. RFC 9000 §12, RFC 9001 §5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

from qtls.protection import Opener
from qwire.constants import PROTOCOL_VIOLATION, PacketType
from qwire.errors import DecodeError
from qwire.headers import LongHeader, long_packet_type, parse_long_header
from qwire.packet_number import expand

from ..batch import Datagram
from ..errors import TransportError
from ..packet_space import PacketSpace
from ..packing.builder import INITIAL_TYPE, ONE_RTT, SAMPLE_OFFSET, SAMPLE_SIZE, ZERO_RTT
from ..spaces import APPLICATION, HANDSHAKE, INITIAL

# Packets for which keys are still to come. Peers keep 10 to 32; more than one flight is not worth the memory.
MAX_WAITING: Final = 10
# RFC 9001 §5.4.2: shorter packets cannot be sampled, and are dropped.
SHORTEST: Final = SAMPLE_OFFSET + SAMPLE_SIZE

# The low bytes of a number, by their count; a list, since compiled code makes a constant tuple anew each time.
LOW_BYTES: Final = [0, 0xFF, 0xFFFF, 0xFF_FFFF, 0xFFFF_FFFF]
SPACE_OF: Final = {
    PacketType.INITIAL: INITIAL,
    PacketType.HANDSHAKE: HANDSHAKE,
    PacketType.ZERO_RTT: APPLICATION,
    PacketType.ONE_RTT: APPLICATION,
}


@final
class OpenedPacket:
    """A packet whose protection is off."""

    __slots__ = ("header", "packet_number", "packet_type", "payload", "size", "space", "spin")

    def __init__(
        self,
        packet_type: PacketType,
        space: int,
        packet_number: int,
        payload: bytes,
        header: LongHeader | None,
        size: int,
        first_byte: int,
    ) -> None:
        self.packet_type = packet_type
        self.space = space
        self.packet_number = packet_number
        self.payload = payload
        self.header = header
        self.size = size
        self.spin = bool(first_byte & 0x20)  # which has no protection


@final
class WaitingPacket:
    """A packet that waits for keys, alone in its datagram, and when it arrived."""

    __slots__ = ("arrived", "datagram")

    def __init__(self, datagram: Datagram, arrived: float) -> None:
        self.datagram = datagram
        self.arrived = arrived

    @property
    def data(self) -> bytes:
        return self.datagram.data


# What receivers share for which nothing waits, and none of whose masks were made ahead: nobody may put anything into these.
NO_PACKETS: Final[list[WaitingPacket]] = []
NO_MASKS: Final[dict[int, bytes]] = {}


@final
class PacketReceiver:
    """Opens the packets of one connection.

    Attributes:
        version: the version that long headers must show.
        requires_fixed_bit: False when we sent grease_quic_bit (RFC 9287 §3).
        drop_reason: why the last packet was not returned; empty when it waits for keys.
        is_version_change_allowed: a client that has seen no packet of the server yet takes another of its
            `versions` (RFC 9368 §2.3); `changed_version` then holds it.
        takes_early: 0-RTT packets may still be opened, now or once there are keys.
        held_for: seconds that what is being opened has waited for keys.
        run_masks: 16 bytes for each datagram of the batch, if `prepare` found nothing but short headers; else empty.
        early_version: the version of 0-RTT packets, that of the first flight (RFC 9369 §4.1).
        first_opener: server: for Initial packets of that version, which come until the client has heard of another.
    """

    __slots__ = (
        "_masks",
        "changed_version",
        "cid_size",
        "drop_reason",
        "early_version",
        "first_opener",
        "held_for",
        "is_version_change_allowed",
        "requires_fixed_bit",
        "run_masks",
        "spaces",
        "takes_early",
        "version",
        "versions",
        "waiting",
    )

    def __init__(
        self, spaces: Sequence[PacketSpace], cid_size: int, version: int, versions: Sequence[int]
    ) -> None:
        self.spaces = spaces
        self.cid_size = cid_size
        self.version = version
        self.early_version = version
        self.first_opener: Opener | None = None
        self.takes_early = True
        self.versions = versions
        self.drop_reason = ""
        self.is_version_change_allowed = False
        self.changed_version: int | None = None
        self.requires_fixed_bit = True
        self.held_for = 0.0
        self.waiting = NO_PACKETS
        self.run_masks = b""
        self._masks = NO_MASKS

    def forget_masks(self) -> None:
        """The batch is over."""
        self._masks = NO_MASKS
        self.run_masks = b""

    def prepare(self, datagrams: Sequence[Datagram]) -> None:
        """Make the header-protection masks of the short-header datagrams of a batch in one call."""
        phases = self.spaces[APPLICATION].phases
        if phases is None:
            return
        at = 1 + self.cid_size + SAMPLE_OFFSET
        end = at + SAMPLE_SIZE
        samples = [each.data[at:end] for each in datagrams if len(each.data) >= end and each.data[0] < 0x80]
        if not samples:
            return
        masks = phases.opener.masks(b"".join(samples))
        if len(samples) == len(datagrams):
            self.run_masks = masks
            return
        self._masks = {}
        start = 0
        for index, datagram in enumerate(datagrams):
            if len(datagram.data) >= end and datagram.data[0] < 0x80:
                self._masks[index] = masks[start : start + 5]
                start += SAMPLE_SIZE

    def open_next(
        self, datagram: Datagram, position: int, index: int, now: float
    ) -> tuple[OpenedPacket | None, int]:
        """Open the packet that starts at `position` of a datagram, which is number `index` of its batch.

        Returns:
            The packet, or None with `drop_reason`; and where the next packet starts.

        Raises:
            TransportError: reserved bits set, or a key update that is not allowed.
        """
        data = datagram.data
        if data[position] & 0x80:
            return self._open_long(datagram, position, now)
        return self._open_short(datagram, position, index, now), len(data)

    def _open_short(self, datagram: Datagram, position: int, index: int, now: float) -> OpenedPacket | None:
        data = datagram.data
        space = self.spaces[APPLICATION]
        phases = space.phases
        number_at = position + 1 + self.cid_size
        if len(data) < number_at + SHORTEST:
            self._drop("too short to be sampled")
            return None
        if self.requires_fixed_bit and not data[position] & 0x40:
            self._drop("fixed bit is 0")
            return None
        if phases is None or not space.can_open_application:
            self._keep(datagram, position, len(data), now)
            return None
        header = phases.opener.unprotect(
            data, position, number_at, self._mask(index) if position == 0 else b""
        )
        first = header[0]
        number_size = (first & 3) + 1
        number_end = number_at + number_size
        packet_number = _number(header, number_size, space.largest_received)
        payload = phases.open(packet_number, first & 4 != 0, header, data[number_end:], now)
        if payload is None:
            self._drop("does not authenticate")
            return None
        if first & 0x18:  # RFC 9000 §17.3.1, and only after the packet proved genuine
            raise TransportError(PROTOCOL_VIOLATION, None, "reserved bits of a short header are set")
        return OpenedPacket(ONE_RTT, APPLICATION, packet_number, payload, None, len(data) - position, first)

    def _mask(self, index: int) -> bytes:
        """What `prepare` made for datagram number `index`; empty if it made nothing."""
        if self.run_masks and index >= 0:
            return self.run_masks[index * SAMPLE_SIZE : index * SAMPLE_SIZE + 5]
        return self._masks.get(index, b"") if self._masks else b""

    def _open_long(self, datagram: Datagram, position: int, now: float) -> tuple[OpenedPacket | None, int]:
        data = datagram.data
        try:
            header = parse_long_header(data, position, fixed_bit=self.requires_fixed_bit)
        except DecodeError as error:
            self._drop(error.reason)
            return None, len(data)
        end = header.end
        is_early = header.packet_type is ZERO_RTT
        if is_early and not self.takes_early:
            self._drop("0-RTT is not accepted, or over")
            return None, end
        space = self.spaces[SPACE_OF[header.packet_type]]
        opener = space.early_opener if is_early else space.opener
        if (
            self.first_opener is not None
            and header.version == self.early_version
            and header.packet_type is INITIAL_TYPE
        ):
            # RFC 9369 §4.1: these keys are kept until a Handshake packet shows that the client follows.
            opener = self.first_opener
        elif header.version != (self.early_version if is_early else self.version):
            if not (self.is_version_change_allowed and header.version in self.versions):
                self._drop("version of another connection")
                return None, end
            self.changed_version = header.version
            return None, position
        if space.is_discarded:
            self._drop("keys are discarded")
            return None, end
        if opener is None:
            self._keep(datagram, position, end, now)
            return None, end
        number_at = header.packet_number_offset
        if end - number_at < SHORTEST:
            self._drop("too short to be sampled")
            return None, end
        packet = self._open_with(opener, datagram.data, position, header, space)
        return packet, end

    def _open_with(
        self, opener: Opener, data: bytes, position: int, header: LongHeader, space: PacketSpace
    ) -> OpenedPacket | None:
        number_at = header.packet_number_offset
        clear = opener.unprotect(data, position, number_at)
        first = clear[0]
        number_size = (first & 3) + 1
        packet_number = _number(clear, number_size, space.largest_received)
        payload = opener.open(packet_number, clear, data[number_at + number_size : header.end])
        if payload is None:
            self._drop("does not authenticate")
            return None
        if first & 0x0C:  # RFC 9000 §17.2
            raise TransportError(PROTOCOL_VIOLATION, None, "reserved bits of a long header are set")
        return OpenedPacket(
            header.packet_type, space.index, packet_number, payload, header, header.end - position, first
        )

    def end_early(self) -> None:
        """No 0-RTT packet can be opened any more; what waits of them goes."""
        self.takes_early = False
        self.spaces[APPLICATION].early_opener = None
        if self.waiting:
            self.waiting = [each for each in self.waiting if not self._is_early(each.data)]

    def _is_early(self, data: bytes) -> bool:
        if not data[0] & 0x80 or int.from_bytes(data[1:5], "big") != self.early_version:
            return False
        return long_packet_type(data[0], self.early_version) is ZERO_RTT

    def take_waiting(self) -> list[WaitingPacket]:
        """Packets that waited for keys, to be tried again."""
        waiting = self.waiting
        self.waiting = NO_PACKETS
        return waiting

    def _keep(self, datagram: Datagram, position: int, end: int, now: float) -> None:
        if len(self.waiting) >= MAX_WAITING:
            self._drop("too many packets wait for keys")
            return
        kept = Datagram(datagram.data[position:end], datagram.address, datagram.ecn, datagram.local)
        self.waiting = [*self.waiting, WaitingPacket(kept, now - self.held_for)]
        self.drop_reason = ""

    def _drop(self, reason: str) -> None:
        self.drop_reason = reason


def low_bytes(header: bytes, size: int) -> int:
    """What the last `size` bytes of a header tell of the packet number."""
    end = len(header)
    low = header[end - 1]
    if size == 2:
        return header[end - 2] << 8 | low
    return low if size == 1 else int.from_bytes(header[end - size :], "big")


def _number(header: bytes, size: int, largest_received: int) -> int:
    """The packet number of which the low bytes end a header. RFC 9000 A.3."""
    low = header[-1] if size == 1 else low_bytes(header, size)
    expected = largest_received + 1
    # Nearly always the expected one, which is the nearest to itself.
    return expected if low == expected & LOW_BYTES[size] else expand(low, size, largest_received)
