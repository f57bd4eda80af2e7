"""One packet under construction.

Collects frames up to a size, remembers who wrote them, and turns into header and protected payload. Header
protection is not applied here: `HeaderMasker` does that for all packets of a pass in one call.
"""

from struct import Struct
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
# A mask of 16 bytes: one for the first byte, four for the packet number, and eleven that nobody needs.
MASKS: Final = Struct(">BI11x")
# The shape of one datagram that is one packet.
ALONE: Final = [(1, 0)]
# A larger amount of data is not cut to leave less than this at the end of a packet: it would cost the peer as
# much work as a full frame.
SMALLEST_CUT: Final = 32


@final
class PacketBuilder:
    """Takes frames for one packet.

    Attributes:
        space: packet-number space.
        room: bytes left for frames.
        frames: (frame, source) pairs so far.
        ack_eliciting, in_flight: as RFC 9002 §2 defines them.
        smallest_cut: bytes of data below which a frame is not cut to fill the packet.
        clears_fixed_bit: its fixed bit is 0 (RFC 9287).
        is_path_probe: it tests a path, and its datagram is to be as large as every path must carry.
    """

    __slots__ = (
        "_data",
        "_writer",
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
        self._writer = Writer()
        self._data = self._writer.data

    @property
    def room(self) -> int:
        return self.limit - len(self._data)

    @property
    def size(self) -> int:
        """Bytes of frames so far."""
        return len(self._data)

    def append(self, frame: Frame, owner: FrameSource) -> bool:
        """Add a frame; False, and nothing written, when it does not fit."""
        data = self._data
        start = len(data)
        frame.append(self._writer)
        if len(data) > self.limit:
            del data[start:]
            return False
        self.frames.append((frame, owner))
        if frame.ack_eliciting:
            self.ack_eliciting = True
            self.in_flight = True
        return True

    def take_ack(self) -> tuple[Frame, FrameSource] | None:
        """Take an ACK that is all there is so far out again, to be put in elsewhere."""
        if len(self.frames) != 1 or not isinstance(self.frames[0][0], AckFrame):
            return None
        self._data.clear()
        return self.frames.pop()

    def pad(self, count: int) -> None:
        """Add `count` PADDING frames, which nobody needs to hear of. RFC 9000 §19.1."""
        self._data.extend(bytes(count))
        self.in_flight = True

    def omit_last_length(self) -> None:
        """Take the Length out of the frame that ends the packet; nothing may be added afterwards. RFC 9000 §19.8."""
        if not self.frames:
            return
        frame = self.frames[-1][0]
        if not isinstance(frame, StreamFrame | DatagramFrame) or not frame.has_length:
            return
        data = self._data
        start = len(data) - frame.size()
        frame.has_length = False
        if start + frame.size() + self.packet_number_size < SAMPLE_OFFSET:
            frame.has_length = True  # what fills the packet up for a sample would become part of the frame
            return
        del data[start:]
        frame.append(self._writer)

    def pad_for_sample(self) -> None:
        """Make the packet long enough for a header-protection sample."""
        short = SAMPLE_OFFSET - self.packet_number_size - len(self._data)
        if short > 0:
            self._data.extend(bytes(short))

    def header_size(self) -> int:
        """Bytes before the frames."""
        if self.packet_type is PacketType.ONE_RTT:
            return 1 + len(self.destination_cid) + self.packet_number_size
        size = LONG_HEADER_SIZE + len(self.destination_cid) + len(self.source_cid) + self.length_size
        if self.packet_type is PacketType.INITIAL:
            size += token_size(self.token)
        return size + self.packet_number_size

    def total_size(self) -> int:
        """Bytes of the whole packet as it stands."""
        return self.header_size() + len(self._data) + TAG_SIZE

    def seal(self) -> tuple[bytes, bytes]:
        """Header, still without header protection, and encrypted payload."""
        payload = bytes(self._data)
        if self.packet_type is PacketType.ONE_RTT:
            header = short_header(
                self.destination_cid,
                self.packet_number,
                self.packet_number_size,
                self.key_phase,
                self.spin,
                not self.clears_fixed_bit,
            )
        else:
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
                len(payload) + TAG_SIZE,
                self.length_size,
            )
            if self.clears_fixed_bit:
                writer.data[0] &= ~FIXED_BIT
            header = bytes(writer.data)
        return header, self.sealer.seal(self.packet_number, header, payload)


def token_size(token: bytes) -> int:
    """Bytes that an Initial header spends on its token and the token's length."""
    count = len(token)
    return count + (1 if count < 64 else 2 if count < 16_384 else 4)


@final
class HeaderMasker:
    """Header protection for all packets of one pass. RFC 9001 §5.4.

    Sealed packets wait here as headers and payloads; `finish` makes the masks of each key in one call and
    returns the datagrams in order.
    """

    __slots__ = ("_packets", "_samples", "_shape")

    def __init__(self) -> None:
        self._packets: list[tuple[Sealer, bytes, int, bytes]] = []
        self._samples: list[bytes] = []
        # Packets of each datagram, and the zero bytes that follow them.
        self._shape: list[tuple[int, int]] = []

    def add(self, sealer: Sealer, header: bytes, number_size: int, ciphertext: bytes) -> None:
        """Queue a packet, whose packet number ends its header."""
        self._packets.append((sealer, header, number_size, ciphertext))
        start = SAMPLE_OFFSET - number_size
        self._samples.append(ciphertext[start : start + SAMPLE_SIZE])

    def end_datagram(self, packets: int, zeros: int) -> None:
        """The last `packets` packets and so many zero bytes make a datagram."""
        self._shape.append((packets, zeros))

    def finish(self) -> list[bytes]:
        """The datagrams, protected."""
        packets = self._packets
        if len(packets) == 1 and self._shape == ALONE:
            sealer, header, number_size, ciphertext = packets[0]
            alone = masked(header, number_size, sealer.masks(self._samples[0])) + ciphertext
            packets.clear()
            self._samples.clear()
            self._shape.clear()
            return [alone]
        done: list[bytes] = []
        start = 0
        while start < len(packets):
            sealer = packets[start][0]
            stop = start + 1
            while stop < len(packets) and packets[stop][0] is sealer:
                stop += 1
            masks = sealer.masks(b"".join(self._samples[start:stop]))
            for (first_mask, number_mask), (_, header, number_size, ciphertext) in zip(
                MASKS.iter_unpack(masks), packets[start:stop], strict=True
            ):
                done.append(_masked(header, number_size, first_mask, number_mask) + ciphertext)
            start = stop
        if len(done) != len(self._shape) or any(zeros for _, zeros in self._shape):
            done = self._join(done)
        self._packets = []
        self._samples = []
        self._shape = []
        return done

    def _join(self, packets: list[bytes]) -> list[bytes]:
        datagrams: list[bytes] = []
        at = 0
        for count, zeros in self._shape:
            datagrams.append(b"".join(packets[at : at + count]) + bytes(zeros))
            at += count
        return datagrams


def masked(header: bytes, number_size: int, mask: bytes) -> bytes:
    """Apply a five-byte mask to the first byte and the packet number of a header. RFC 9001 §5.4.1."""
    return _masked(header, number_size, mask[0], int.from_bytes(mask[1:5], "big"))


def _masked(header: bytes, number_size: int, first_mask: int, number_mask: int) -> bytes:
    # The bits in play: the low four (long) or five (short) of the first byte, and the number at the end. As one integer,
    # since that takes the fewest steps.
    size = len(header)
    first_bits = first_mask & (0x0F if header[0] & 0x80 else 0x1F)
    mask = first_bits << 8 * (size - 1) | number_mask >> 32 - 8 * number_size
    return (int.from_bytes(header, "big") ^ mask).to_bytes(size, "big")
