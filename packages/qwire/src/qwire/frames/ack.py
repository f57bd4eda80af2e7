"""ACK, ACK_FREQUENCY and IMMEDIATE_ACK. RFC 9000 §19.3, draft-ietf-quic-ack-frequency-14."""

from __future__ import annotations

from typing import ClassVar, final

from qwire.buffer import BYTES, Reader, Writer, append_varint, encode_varint, varint_at, varint_size
from qwire.compiling import mypyc_attr
from qwire.constants import FRAME_ACK, FRAME_ACK_ECN, FRAME_ACK_FREQUENCY, FRAME_IMMEDIATE_ACK
from qwire.errors import DecodeError
from qwire.frames.base import Frame


@final
@mypyc_attr(acyclic=True)
class AckFrame(Frame):
    """ACK, RFC 9000 §19.3.

    Attributes:
        ranges: inclusive ``(smallest, largest)`` pairs, highest first, neither touching nor overlapping.
        delay: in wire units; the exponent belongs to the connection.
        ecn: the counts ``(ECT(0), ECT(1), ECN-CE)`` of the packet number space, or None.
    """

    __slots__ = ("delay", "ecn", "ranges")
    TYPE: ClassVar[int] = FRAME_ACK
    FIELDS: ClassVar[tuple[str, ...]] = ("ranges", "delay", "ecn")
    ack_eliciting: ClassVar[bool] = False

    def __init__(
        self, ranges: list[tuple[int, int]], delay: int, ecn: tuple[int, int, int] | None = None
    ) -> None:
        self.ranges = ranges
        self.delay = delay
        self.ecn = ecn

    @property
    def type(self) -> int:
        """0x02, or 0x03 with ECN counts."""
        return FRAME_ACK if self.ecn is None else FRAME_ACK_ECN

    @property
    def largest(self) -> int:
        """The highest packet number acknowledged."""
        return self.ranges[0][1]

    def append(self, writer: Writer) -> None:
        """Write the frame.

        Raises:
            ValueError: no ranges, or ranges out of order, touching or overlapping.
        """
        writer.data += self.encode()

    def encode(self) -> bytes:
        """What ``append`` writes, as a string of its own; raises what that raises."""
        ranges = self.ranges
        if not ranges:
            raise ValueError("an ACK frame needs a range")
        ecn = self.ecn
        smallest, largest = ranges[0]
        delay = self.delay
        count = len(ranges)
        length = largest - smallest
        # Nearly all integers of an ACK frame are below 64: no call for those.
        encoded = (
            BYTES[FRAME_ACK if ecn is None else FRAME_ACK_ECN]
            + encode_varint(largest)
            + (BYTES[delay] if 0 <= delay < 0x40 else encode_varint(delay))
            + (BYTES[count - 1] if count <= 0x40 else encode_varint(count - 1))
            + (BYTES[length] if 0 <= length < 0x40 else encode_varint(length))
        )
        if count > 1:
            parts = [encoded]
            for index in range(1, count):
                next_smallest, next_largest = ranges[index]
                # RFC 9000 §19.3.1: one packet number lies between two ranges even when the gap is 0.
                parts.append(encode_varint(smallest - next_largest - 2))
                parts.append(encode_varint(next_largest - next_smallest))
                smallest = next_smallest
            encoded = b"".join(parts)
        if ecn is not None:
            ect0, ect1, ce = ecn
            return (
                encoded
                + encode_varint(ect0)
                + (BYTES[ect1] if 0 <= ect1 < 0x40 else encode_varint(ect1))
                + (BYTES[ce] if 0 <= ce < 0x40 else encode_varint(ce))
            )
        return encoded

    def size(self) -> int:
        """Bytes that ``append`` writes."""
        smallest, largest = self.ranges[0]
        count = len(self.ranges)
        total = 1 + varint_size(largest) + varint_size(self.delay)
        total += varint_size(count - 1) + varint_size(largest - smallest)
        if count > 1:
            for index in range(1, count):
                next_smallest, next_largest = self.ranges[index]
                total += varint_size(smallest - next_largest - 2) + varint_size(next_largest - next_smallest)
                smallest = next_smallest
        ecn = self.ecn
        if ecn is not None:
            total += varint_size(ecn[0]) + varint_size(ecn[1]) + varint_size(ecn[2])
        return total


@final
@mypyc_attr(acyclic=True)
class AckFrequencyFrame(Frame):
    """ACK_FREQUENCY, draft-ietf-quic-ack-frequency-14 §4. ``requested_max_ack_delay`` is in microseconds."""

    __slots__ = (
        "ack_eliciting_threshold",
        "reordering_threshold",
        "requested_max_ack_delay",
        "sequence_number",
    )
    TYPE: ClassVar[int] = FRAME_ACK_FREQUENCY
    FIELDS: ClassVar[tuple[str, ...]] = (
        "sequence_number",
        "ack_eliciting_threshold",
        "requested_max_ack_delay",
        "reordering_threshold",
    )

    def __init__(
        self,
        sequence_number: int,
        ack_eliciting_threshold: int,
        requested_max_ack_delay: int,
        reordering_threshold: int,
    ) -> None:
        self.sequence_number = sequence_number
        self.ack_eliciting_threshold = ack_eliciting_threshold
        self.requested_max_ack_delay = requested_max_ack_delay
        self.reordering_threshold = reordering_threshold

    def append(self, writer: Writer) -> None:
        """Write the frame; the type takes two bytes."""
        data = writer.data
        append_varint(data, FRAME_ACK_FREQUENCY)
        append_varint(data, self.sequence_number)
        append_varint(data, self.ack_eliciting_threshold)
        append_varint(data, self.requested_max_ack_delay)
        append_varint(data, self.reordering_threshold)


@final
@mypyc_attr(acyclic=True)
class ImmediateAckFrame(Frame):
    """IMMEDIATE_ACK, draft-ietf-quic-ack-frequency-14 §5."""

    __slots__ = ()
    TYPE: ClassVar[int] = FRAME_IMMEDIATE_ACK

    def __init__(self) -> None:
        pass

    def append(self, writer: Writer) -> None:
        """Write the type, which is all there is."""
        writer.data.append(FRAME_IMMEDIATE_ACK)

    def size(self) -> int:
        """1."""
        return 1


def parse_ack(data: bytes, position: int, with_ecn: bool) -> tuple[AckFrame, int]:
    """Read the body of an ACK frame, which begins at ``position``.

    RFC 9000 §19.3.

    Returns:
        The frame, and the position behind it. Ranges are inclusive ``(smallest, largest)`` pairs, highest first.
        ``delay`` stays in wire units: the exponent belongs to the connection.

    Raises:
        DecodeError: truncated, or a range or gap that would go below packet number 0.
    """
    # Straight over the bytes: an ACK frame is most of what a sender receives, and has many short integers.
    end = len(data)
    largest, position = varint_at(data, position)
    # From here on nearly all are below 64: no call for those.
    delay = data[position] if position < end else 0x40
    if delay < 0x40:
        position += 1
    else:
        delay, position = varint_at(data, position)
    count = data[position] if position < end else 0x40
    if count < 0x40:
        position += 1
    else:
        count, position = varint_at(data, position)
    length = data[position] if position < end else 0x40
    if length < 0x40:
        position += 1
    else:
        length, position = varint_at(data, position)
    smallest = largest - length
    if smallest < 0:
        raise DecodeError(f"first range of {length} below {largest} reaches below 0")
    ranges = [(smallest, largest)]
    while count > 0:
        gap = data[position] if position < end else 0x40
        if gap < 0x40:
            position += 1
        else:
            gap, position = varint_at(data, position)
        length = data[position] if position < end else 0x40
        if length < 0x40:
            position += 1
        else:
            length, position = varint_at(data, position)
        largest = smallest - gap - 2
        smallest = largest - length
        if smallest < 0:
            raise DecodeError(f"range below 0: gap {gap} and length {length} after {ranges[-1][0]}")
        ranges.append((smallest, largest))
        count -= 1
    ecn: tuple[int, int, int] | None = None
    if with_ecn:
        ect0, position = varint_at(data, position)
        ect1 = data[position] if position < end else 0x40
        if ect1 < 0x40:
            position += 1
        else:
            ect1, position = varint_at(data, position)
        ce = data[position] if position < end else 0x40
        if ce < 0x40:
            position += 1
        else:
            ce, position = varint_at(data, position)
        ecn = (ect0, ect1, ce)
    return AckFrame(ranges, delay, ecn), position


def parse_ack_frequency(reader: Reader) -> AckFrequencyFrame:
    """Read the body of an ACK_FREQUENCY frame. draft-ietf-quic-ack-frequency-14 §4."""
    return AckFrequencyFrame(
        reader.read_varint(), reader.read_varint(), reader.read_varint(), reader.read_varint()
    )
