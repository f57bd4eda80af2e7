"""A datagram opened for analyzers: packets, headers, frames, without a connection.

qwire has no keys. A ``KeySource`` opens the packets it can; of the others the header is told. Whatever cannot be
understood is reported in ``error`` of the packet, never raised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from qwire.constants import SAMPLE_SIZE, PacketType
from qwire.datagram import DatagramPart, split
from qwire.errors import DecodeError
from qwire.frames import Frame, parse_frames
from qwire.headers import (
    KEY_PHASE,
    LONG_HEADER,
    LONG_RESERVED,
    PACKET_NUMBER_SIZE,
    SHORT_RESERVED,
    SPIN_BIT,
)
from qwire.packet_number import expand
from qwire.unprotected import Retry, VersionNegotiation


@dataclass(frozen=True, slots=True)
class OpenedPacket:
    """What a key source makes of a protected packet.

    ``first_byte`` is without header protection; ``packet_number`` is complete as far as the source knows what
    came before, and took ``packet_number_size`` bytes.
    """

    first_byte: int
    packet_number: int
    packet_number_size: int
    payload: bytes


class KeySource(Protocol):
    """Whoever has keys: of Initial packets everybody, of the others the owner of a key log."""

    def open(
        self,
        packet_type: PacketType,
        version: int,
        destination_cid: bytes,
        packet: bytes,
        packet_number_offset: int,
    ) -> OpenedPacket | None:
        """Open one packet, given from its first to its last byte; None when no key fits.

        ``version`` is 0 for a 1-RTT packet. ``open_packet`` does the work once keys are found.
        """

    def short_cid_size(self, packet: bytes) -> int | None:
        """The size of the destination connection ID of a 1-RTT packet; None when it is not known."""


@dataclass(slots=True)
class DissectedPacket:
    """One packet of a datagram, or a range of it that is no packet.

    Attributes:
        start, end: the range of the datagram.
        packet_type: None for a range that is no packet; ``error`` says what it looks like.
        version: 0 for a 1-RTT packet and for Version Negotiation.
        packet_number, first_byte, payload: None unless the packet was opened.
        frames: as many as could be read, a run of PADDING as one.
        supported_versions: of a Version Negotiation packet.
        integrity_tag: of a Retry packet.
        error: empty when everything was understood.
    """

    start: int
    end: int
    packet_type: PacketType | None
    version: int = 0
    destination_cid: bytes = b""
    source_cid: bytes = b""
    token: bytes = b""
    first_byte: int | None = None
    packet_number: int | None = None
    packet_number_size: int = 0
    payload: bytes | None = None
    frames: list[Frame] = field(default_factory=list)
    supported_versions: tuple[int, ...] = ()
    integrity_tag: bytes = b""
    error: str = ""

    @property
    def is_opened(self) -> bool:
        """Whether the payload is known."""
        return self.payload is not None

    @property
    def key_phase(self) -> bool | None:
        """Of an opened 1-RTT packet."""
        if self.packet_type is not PacketType.ONE_RTT or self.first_byte is None:
            return None
        return self.first_byte & KEY_PHASE != 0

    @property
    def spin(self) -> bool | None:
        """Of an opened 1-RTT packet."""
        if self.packet_type is not PacketType.ONE_RTT or self.first_byte is None:
            return None
        return self.first_byte & SPIN_BIT != 0


def dissect(
    datagram: bytes, keys: KeySource | None = None, *, fixed_bit: bool = True
) -> list[DissectedPacket]:
    """Everything that can be told about ``datagram``, in order; nothing is raised for what is in it.

    RFC 9000 §12.2, §17. Without ``keys`` headers only. ``fixed_bit`` as in ``qwire.datagram.split``.
    """
    packets: list[DissectedPacket] = []
    for part in split(datagram, fixed_bit=fixed_bit):
        packet = DissectedPacket(part.start, part.end, part.packet_type, error=part.reason)
        packets.append(packet)
        if part.header is not None:
            _dissect_long(datagram, part, packet, keys)
        elif part.packet_type is PacketType.ONE_RTT:
            # RFC 9000 §12.2: coalesced packets go to one connection ID, so the first one tells its size.
            known = len(packets[0].destination_cid) if len(packets) > 1 else None
            _dissect_short(datagram, packet, keys, known)
        elif part.packet_type is not None:
            _dissect_unprotected(datagram[part.start : part.end], packet)
    return packets


def open_packet(
    packet: bytes,
    packet_number_offset: int,
    masks: Callable[[bytes], bytes],
    open_payload: Callable[[int, bytes, bytes], bytes | None],
    largest_received: int = -1,
) -> OpenedPacket | None:
    """Take the protection off ``packet``; None when it is too short or does not authenticate.

    RFC 9001 §5.4.

    Args:
        masks: 16 bytes of sample to a header-protection mask, of which the first 5 bytes are used.
        open_payload: packet number, header and ciphertext to the payload, or None.
        largest_received: completes the packet number; -1 takes it as it is sent.
    """
    sample_offset = packet_number_offset + 4
    if sample_offset + SAMPLE_SIZE > len(packet):
        return None
    mask = masks(packet[sample_offset : sample_offset + SAMPLE_SIZE])
    hidden = LONG_RESERVED if packet[0] & LONG_HEADER else SHORT_RESERVED | KEY_PHASE
    first = packet[0] ^ mask[0] & (hidden | PACKET_NUMBER_SIZE)
    size = (first & PACKET_NUMBER_SIZE) + 1
    stop = packet_number_offset + size
    sent = bytes([packet[packet_number_offset + index] ^ mask[index + 1] for index in range(size)])
    header = bytes([first]) + packet[1:packet_number_offset] + sent
    packet_number = expand(int.from_bytes(sent, "big"), size, largest_received)
    payload = open_payload(packet_number, header, packet[stop:])
    if payload is None:
        return None
    return OpenedPacket(first, packet_number, size, payload)


def _dissect_long(
    datagram: bytes, part: DatagramPart, packet: DissectedPacket, keys: KeySource | None
) -> None:
    header = part.header
    assert header is not None
    packet.version = header.version
    packet.destination_cid = header.destination_cid
    packet.source_cid = header.source_cid
    packet.token = header.token
    if keys is not None:
        raw = datagram[part.start : part.end]
        offset = header.packet_number_offset - part.start
        opened = keys.open(header.packet_type, header.version, header.destination_cid, raw, offset)
        _fill(packet, opened, LONG_RESERVED)


def _dissect_short(
    datagram: bytes, packet: DissectedPacket, keys: KeySource | None, known_cid_size: int | None
) -> None:
    raw = datagram[packet.start : packet.end]
    size = known_cid_size
    if size is None and keys is not None:
        size = keys.short_cid_size(raw)
    if size is None:
        return
    if len(raw) < 1 + size:
        packet.error = f"truncated: connection ID of {size} bytes, {len(raw) - 1} left"
        return
    packet.destination_cid = raw[1 : 1 + size]
    if keys is not None:
        opened = keys.open(PacketType.ONE_RTT, 0, packet.destination_cid, raw, 1 + size)
        _fill(packet, opened, SHORT_RESERVED)


def _dissect_unprotected(raw: bytes, packet: DissectedPacket) -> None:
    try:
        if packet.packet_type is PacketType.RETRY:
            retry = Retry.parse(raw)
            packet.version = retry.version
            packet.destination_cid, packet.source_cid = retry.destination_cid, retry.source_cid
            packet.token, packet.integrity_tag = retry.token, retry.integrity_tag
        else:
            negotiation = VersionNegotiation.parse(raw)
            packet.destination_cid = negotiation.destination_cid
            packet.source_cid = negotiation.source_cid
            packet.supported_versions = negotiation.versions
    except DecodeError as error:
        packet.error = error.reason


def _fill(packet: DissectedPacket, opened: OpenedPacket | None, reserved: int) -> None:
    if opened is None:
        packet.error = "no key opens it"
        return
    packet.first_byte = opened.first_byte
    packet.packet_number = opened.packet_number
    packet.packet_number_size = opened.packet_number_size
    packet.payload = opened.payload
    try:
        parse_frames(opened.payload, None, packet.frames)
        parse_frames(opened.payload, packet.packet_type)
    except DecodeError as error:
        kind = "" if error.frame_type is None else f"frame 0x{error.frame_type:02x}: "
        packet.error = kind + error.reason
        return
    # RFC 9000 §12.4, §17.2, §17.3.1
    if not opened.payload:
        packet.error = "no frames"
    elif opened.first_byte & reserved:
        packet.error = "the reserved bits are not 0"
