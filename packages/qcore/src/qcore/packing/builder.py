"""One packet under construction.

Collects frames up to a size, remembers who wrote them, and turns into a header and what it protects. What is
done to many packets at once is not done here: see `datagram`.
"""

from __future__ import annotations

from typing import Final, final

from qtls.protection import Sealer
from qwire.buffer import Writer
from qwire.constants import PacketType
from qwire.frames import AckFrame, DatagramFrame, Frame, StreamFrame
from qwire.headers import FIXED_BIT, append_long_header, short_header

from .source import FrameSource

TAG_SIZE: Final = 16
# RFC 9000 §14.1.
MIN_INITIAL_SIZE: Final = 1200
# RFC 9001 §5.4.2: the sample starts four bytes behind the start of the packet number, so packet number and
# payload must have four bytes together.
SAMPLE_OFFSET: Final = 4
SAMPLE_SIZE: Final = 16
# Length of a long header without connection IDs, token and packet number: first byte, version, two sizes.
LONG_HEADER_SIZE: Final = 7
# Looked up once: a member of an Enum of another package costs more than a frame header.
ONE_RTT: Final = PacketType.ONE_RTT
ZERO_RTT: Final = PacketType.ZERO_RTT
INITIAL_TYPE: Final = PacketType.INITIAL
# A larger amount of data is not cut to leave less than this at the end of a packet: it would cost the peer as
# much work as a full frame.
SMALLEST_CUT: Final = 32


@final
class PacketBuilder:
    """Takes frames for one packet.

    Attributes:
        space: packet-number space.
        limit: bytes that there are for frames.
        payload: the frames so far, as they are written.
        frames: (frame, source) pairs so far.
        ack_eliciting, in_flight: as RFC 9002 §2 defines them.
        smallest_cut: bytes of data below which a frame is not cut to fill the packet.
        clears_fixed_bit: its fixed bit is 0 (RFC 9287).
        is_path_probe: it tests a path, and its datagram is to be as large as every path must carry.
    """

    __slots__ = (
        "ack_eliciting",
        "clears_fixed_bit",
        "destination_cid",
        "frames",
        "in_flight",
        "is_path_probe",
        "key_phase",
        "length_size",
        "limit",
        "now",
        "packet_number",
        "packet_number_size",
        "packet_type",
        "payload",
        "sealer",
        "smallest_cut",
        "source_cid",
        "space",
        "spin",
        "token",
        "version",
    )

    def __init__(
        self,
        space: int,
        packet_type: PacketType,
        packet_number: int,
        packet_number_size: int,
        limit: int,
        now: float,
        sealer: Sealer,
        destination_cid: bytes,
        source_cid: bytes = b"",
        version: int = 0,
        token: bytes = b"",
        length_size: int = 2,
        key_phase: bool = False,
        spin: bool = False,
    ) -> None:
        self.space = space
        self.packet_type = packet_type
        self.packet_number = packet_number
        self.packet_number_size = packet_number_size
        self.limit = limit
        self.now = now
        self.frames: list[tuple[Frame, FrameSource]] = []
        self.ack_eliciting = False
        self.in_flight = False
        self.sealer = sealer
        self.destination_cid = destination_cid
        self.source_cid = source_cid
        self.version = version
        self.token = token
        self.length_size = length_size
        self.key_phase = key_phase
        self.spin = spin
        self.is_path_probe = False
        self.clears_fixed_bit = False
        self.smallest_cut = SMALLEST_CUT
        self.payload = b""

    @property
    def room(self) -> int:
        """Bytes left for frames."""
        return self.limit - len(self.payload)

    @property
    def size(self) -> int:
        """Bytes of frames so far."""
        return len(self.payload)

    def append(self, frame: Frame, owner: FrameSource) -> bool:
        """Add a frame; False, and nothing written, when it does not fit."""
        data = frame.encode()
        payload = self.payload
        if len(payload) + len(data) > self.limit:
            return False
        self.payload = payload + data if payload else data
        self.frames.append((frame, owner))
        if frame.ack_eliciting:
            self.ack_eliciting = True
            self.in_flight = True
        return True

    def take_ack(self) -> tuple[Frame, FrameSource] | None:
        """Take an ACK that is all there is so far out again, to be put in elsewhere."""
        if len(self.frames) != 1 or not isinstance(self.frames[0][0], AckFrame):
            return None
        self.payload = b""
        return self.frames.pop()

    def pad(self, count: int) -> None:
        """Add `count` PADDING frames, which nobody needs to hear of. RFC 9000 §19.1."""
        self.payload += bytes(count)
        self.in_flight = True

    def omit_last_length(self) -> None:
        """Take the Length out of the frame that ends the packet; nothing may be added afterwards. RFC 9000 §19.8."""
        if not self.frames:
            return
        frame = self.frames[-1][0]
        if not isinstance(frame, StreamFrame | DatagramFrame) or not frame.has_length:
            return
        start = len(self.payload) - frame.size()
        frame.has_length = False
        if start + frame.size() + self.packet_number_size < SAMPLE_OFFSET:
            frame.has_length = True  # what fills the packet up for a sample would become part of the frame
            return
        self.payload = self.payload[:start] + frame.encode()

    def pad_for_sample(self) -> None:
        """Make the packet long enough for a header-protection sample."""
        short = SAMPLE_OFFSET - self.packet_number_size - len(self.payload)
        if short > 0:
            self.payload += bytes(short)

    def header_size(self) -> int:
        """Bytes before the frames."""
        if self.packet_type is ONE_RTT:
            return 1 + len(self.destination_cid) + self.packet_number_size
        size = LONG_HEADER_SIZE + len(self.destination_cid) + len(self.source_cid) + self.length_size
        if self.packet_type is INITIAL_TYPE:
            size += token_size(self.token)
        return size + self.packet_number_size

    def total_size(self) -> int:
        """Bytes of the whole packet as it stands."""
        size = len(self.payload) + TAG_SIZE
        if self.packet_type is ONE_RTT:  # as `header_size`, which is a call
            return 1 + len(self.destination_cid) + self.packet_number_size + size
        return self.header_size() + size

    def header(self) -> bytes:
        """The header, still without header protection."""
        if self.packet_type is ONE_RTT:
            return short_header(
                self.destination_cid,
                self.packet_number,
                self.packet_number_size,
                self.key_phase,
                self.spin,
                not self.clears_fixed_bit,
            )
        writer = Writer()
        append_long_header(
            writer,
            self.packet_type,
            self.version,
            self.destination_cid,
            self.source_cid,
            self.token,
            self.packet_number,
            self.packet_number_size,
            len(self.payload) + TAG_SIZE,
            self.length_size,
        )
        if self.clears_fixed_bit:
            writer.data[0] &= ~FIXED_BIT
        return bytes(writer.data)

    def protect(self) -> bytes:
        """The packet as it leaves."""
        return self.sealer.protect(self.packet_number, self.packet_number_size, self.header(), self.payload)


def token_size(token: bytes) -> int:
    """Bytes that an Initial header spends on its token and the token's length."""
    count = len(token)
    return count + (1 if count < 64 else 2 if count < 16_384 else 4)
