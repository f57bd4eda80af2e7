"""pcap and pcapng files → captured frames.

All kinds of both: either byte order, microseconds and nanoseconds, several sections and interfaces of different link
types. A file that ends in the middle of a packet gives those before, as a capture that was interrupted does; one that
makes no sense is refused. Only what is in the file is ever held in memory, whatever lengths it claims.
draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from .errors import CaptureError

#: Byte order and fractions of a second, by magic number.
PCAP_KINDS: Final[dict[bytes, tuple[str, int]]] = {
    bytes.fromhex("a1b2c3d4"): (">", 1_000_000),
    bytes.fromhex("d4c3b2a1"): ("<", 1_000_000),
    bytes.fromhex("a1b23c4d"): (">", 1_000_000_000),
    bytes.fromhex("4d3cb2a1"): ("<", 1_000_000_000),
}
PCAP_HEADER_SIZE: Final = 24
PCAP_RECORD_SIZE: Final = 16

SECTION_HEADER: Final = 0x0A0D0D0A
PCAPNG_MAGIC: Final = bytes.fromhex("0a0d0d0a")
BYTE_ORDERS: Final = {bytes.fromhex("1a2b3c4d"): ">", bytes.fromhex("4d3c2b1a"): "<"}
INTERFACE: Final = 1
PACKET: Final = 2  # obsolete, and still written by some
SIMPLE_PACKET: Final = 3
ENHANCED_PACKET: Final = 6
BLOCK_OVERHEAD: Final = 12  # type, and the length at both ends

OPTION_END: Final = 0
OPTION_RESOLUTION: Final = 9
OPTION_OFFSET: Final = 14
#: Fractions of a second by default.
MICROSECONDS: Final = 1_000_000
#: A resolution beyond 2^-63 or 10^-19 seconds does not fit 64 bits of time.
MAX_POWERS: Final = {10: 19, 2: 63}

#: What libpcap itself takes for the largest packet of any link.
MAX_FRAME: Final = 262_144


class Frame(NamedTuple):
    """What was captured of one packet on a link: seconds, the type of link (LINKTYPE_…), bytes."""

    time: float
    link_type: int
    data: bytes


class Interface(NamedTuple):
    """One interface of a pcapng section: its times count 1 / `divisor` seconds from `offset`."""

    link_type: int
    snap_length: int
    divisor: int
    offset: int


def is_pcap(data: bytes) -> bool:
    """Whether a file that begins so is a pcap or pcapng file."""
    return data[:4] in PCAP_KINDS or data[:4] == PCAPNG_MAGIC


def read_frames(data: bytes) -> Iterator[Frame]:
    """The frames of a pcap or pcapng file, in its order.

    Raises:
        CaptureError: it is broken, other than by its end.
    """
    if data[:4] == PCAPNG_MAGIC:
        return pcapng_frames(data)
    return pcap_frames(data)


def pcap_frames(data: bytes) -> Iterator[Frame]:
    """The frames of a pcap file."""
    if len(data) < PCAP_HEADER_SIZE:
        raise CaptureError("broken capture file (its header is cut)")
    order, divisor = PCAP_KINDS[data[:4]]
    # Above the 16 bits of the link type are flags about checksums at the end of frames.
    link_type = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    record = struct.Struct(order + "4I")
    at = PCAP_HEADER_SIZE
    while at + PCAP_RECORD_SIZE <= len(data):
        seconds, fraction, size, _ = record.unpack_from(data, at)
        if size > MAX_FRAME:
            raise CaptureError(f"broken capture file (a packet of {size} bytes)")
        at += PCAP_RECORD_SIZE
        if at + size > len(data):
            return
        yield Frame(seconds + fraction / divisor, link_type, data[at : at + size])
        at += size


def pcapng_frames(data: bytes) -> Iterator[Frame]:
    """The frames of a pcapng file."""
    order = "<"
    interfaces: list[Interface] = []
    at = 0
    time = 0.0
    has_interface = False
    while at + BLOCK_OVERHEAD <= len(data):
        if data[at : at + 4] == PCAPNG_MAGIC:
            found = BYTE_ORDERS.get(data[at + 8 : at + 12])
            if found is None:
                raise CaptureError("broken capture file (a section of no byte order)")
            order, interfaces = found, []
        kind, size = struct.unpack_from(order + "II", data, at)
        if size < BLOCK_OVERHEAD or size % 4:
            raise CaptureError(f"broken capture file (a block of {size} bytes)")
        if at + size > len(data):
            break
        body = data[at + 8 : at + size - 4]
        at += size
        try:
            if kind == INTERFACE:
                interfaces.append(interface_of(body, order))
                has_interface = True
            elif kind in (ENHANCED_PACKET, PACKET, SIMPLE_PACKET):
                frame = frame_of(kind, body, order, interfaces, time)
                time = frame.time
                yield frame
        except (struct.error, IndexError):
            raise CaptureError(f"broken capture file (block of type {kind})") from None
    if not has_interface:
        raise CaptureError("broken capture file (it describes no interface)")


def interface_of(body: bytes, order: str) -> Interface:
    """An interface description block."""
    link_type, _, snap_length = struct.unpack_from(order + "HHI", body)
    divisor, offset = MICROSECONDS, 0
    at = 8
    while at + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, at)
        if code == OPTION_END:
            break
        value = body[at + 4 : at + 4 + size]
        if code == OPTION_RESOLUTION and value:
            base = 2 if value[0] & 0x80 else 10
            divisor = base ** min(value[0] & 0x7F, MAX_POWERS[base])
        elif code == OPTION_OFFSET and len(value) == 8:
            offset = struct.unpack(order + "q", value)[0]
        at += 4 + size + -size % 4
    return Interface(link_type, snap_length, divisor, offset)


def frame_of(kind: int, body: bytes, order: str, interfaces: list[Interface], before: float) -> Frame:
    """The frame in a packet block; one without a time of its own has that of the packet before it.

    Raises:
        struct.error, IndexError: the block is too short, or names an interface that there is none of.
    """
    if kind == SIMPLE_PACKET:
        interface = interfaces[0]
        (size,) = struct.unpack_from(order + "I", body)
        if interface.snap_length:
            size = min(size, interface.snap_length)
        return Frame(before, interface.link_type, body[4 : 4 + size])
    shape = "IIIII" if kind == ENHANCED_PACKET else "HHIIII"
    fields = struct.unpack_from(order + shape, body)
    interface = interfaces[fields[0]]
    high, low, size, _ = fields[-4:]
    time = interface.offset + (high << 32 | low) / interface.divisor
    if size > len(body) - 20:
        raise struct.error("more bytes than the block has")
    return Frame(time, interface.link_type, body[20 : 20 + size])
