"""Long headers of versions 1 and 2, and short headers, without keys.

What header protection hides, packet number and low bits of the first byte, is not read here: a parsed header
tells where the packet number begins and where the packet ends. The writers give the unprotected form.
RFC 9000 §17.2 and §17.3, RFC 9369 §3.2.
"""

from __future__ import annotations

from typing import Final, final

from qwire.buffer import BYTES, Reader, Writer, append_uint, append_varint, append_varint_sized, varint_size
from qwire.compiling import mypyc_attr
from qwire.constants import MAX_CID_SIZE, VERSION_1, VERSION_2, VERSION_NEGOTIATION, PacketType
from qwire.errors import DecodeError, Truncated

LONG_HEADER: Final = 0x80
FIXED_BIT: Final = 0x40
SPIN_BIT: Final = 0x20
KEY_PHASE: Final = 0x04
LONG_RESERVED: Final = 0x0C
SHORT_RESERVED: Final = 0x18
PACKET_NUMBER_SIZE: Final = 0x03  # the size less 1

_TYPES_1: Final = (PacketType.INITIAL, PacketType.ZERO_RTT, PacketType.HANDSHAKE, PacketType.RETRY)
_TYPES_2: Final = (PacketType.RETRY, PacketType.INITIAL, PacketType.ZERO_RTT, PacketType.HANDSHAKE)
_BITS_1: Final = {kind: bits << 4 for bits, kind in enumerate(_TYPES_1)}
_BITS_2: Final = {kind: bits << 4 for bits, kind in enumerate(_TYPES_2)}


@final
@mypyc_attr(acyclic=True)
class LongHeader:
    """A long header as far as it is not protected.

    Attributes:
        token: empty unless the packet is an Initial.
        packet_number_offset: where the packet number begins in the datagram.
        end: where the packet ends in the datagram; the next coalesced one begins there.
    """

    __slots__ = (
        "destination_cid",
        "end",
        "packet_number_offset",
        "packet_type",
        "source_cid",
        "token",
        "version",
    )

    def __init__(
        self,
        packet_type: PacketType,
        version: int,
        destination_cid: bytes,
        source_cid: bytes,
        token: bytes,
        packet_number_offset: int,
        end: int,
    ) -> None:
        self.packet_type = packet_type
        self.version = version
        self.destination_cid = destination_cid
        self.source_cid = source_cid
        self.token = token
        self.packet_number_offset = packet_number_offset
        self.end = end

    def __repr__(self) -> str:
        return (
            f"LongHeader({self.packet_type.name}, version=0x{self.version:08x}, "
            f"destination_cid={self.destination_cid.hex()}, source_cid={self.source_cid.hex()}, "
            f"token={len(self.token)} bytes, packet_number_offset={self.packet_number_offset}, end={self.end})"
        )


def long_packet_type(first_byte: int, version: int) -> PacketType:
    """The kind of a long-header packet; the type bits are not protected.

    RFC 9000 §17.2, table 5; RFC 9369 §3.2; RFC 8999 §6 for Version Negotiation.

    Raises:
        DecodeError: neither version 1 nor 2, or not a long header.
    """
    if not first_byte & LONG_HEADER:
        raise DecodeError(f"first byte 0x{first_byte:02x} is not that of a long header")
    if version == VERSION_1:
        return _TYPES_1[first_byte >> 4 & 3]
    if version == VERSION_2:
        return _TYPES_2[first_byte >> 4 & 3]
    if version == VERSION_NEGOTIATION:
        return PacketType.VERSION_NEGOTIATION
    raise DecodeError(f"unknown version 0x{version:08x}")


def parse_long_header(datagram: bytes, start: int = 0, *, fixed_bit: bool = True) -> LongHeader:
    """Read the header of an Initial, 0-RTT or Handshake packet that begins at ``start``.

    RFC 9000 §17.2.2 to §17.2.4, RFC 9369 §3.2.

    Args:
        fixed_bit: require the fixed bit; False once ``grease_quic_bit`` was agreed (RFC 9287).

    Raises:
        DecodeError: another kind of packet, another version, truncated, a connection ID over 20 bytes, or a
            length beyond the datagram.
    """
    total = len(datagram)
    # The smallest header there is: first byte, version, two empty connection IDs, length.
    if total - start < 8:
        raise Truncated(f"truncated: a long header in {total - start} bytes")
    first = datagram[start]
    version = int.from_bytes(datagram[start + 1 : start + 5], "big")
    kind = long_packet_type(first, version)
    if kind is PacketType.RETRY or kind is PacketType.VERSION_NEGOTIATION:
        raise DecodeError(f"{kind.name} has no packet number")
    if fixed_bit and not first & FIXED_BIT:
        raise DecodeError("the fixed bit is 0")
    size = datagram[start + 5]
    position = start + 6 + size
    if size > MAX_CID_SIZE:
        raise DecodeError(f"destination connection ID of {size} bytes")
    if position >= total:
        raise Truncated(f"truncated: destination connection ID of {size} bytes")
    destination_cid = datagram[start + 6 : position]
    size = datagram[position]
    position += 1
    if size > MAX_CID_SIZE:
        raise DecodeError(f"source connection ID of {size} bytes")
    if position + size > total:
        raise Truncated(f"truncated: source connection ID of {size} bytes")
    reader = Reader(datagram, position)
    source_cid = reader.read_bytes(size)
    token = reader.read_bytes(reader.read_varint()) if kind is PacketType.INITIAL else b""
    length = reader.read_varint()
    position = reader.position
    if position + length > total:
        raise Truncated(f"truncated: length {length}, {total - position} bytes left")
    return LongHeader(kind, version, destination_cid, source_cid, token, position, position + length)


def long_header_size(
    packet_type: PacketType,
    destination_cid: bytes,
    source_cid: bytes,
    token: bytes,
    packet_number_size: int,
    length_size: int = 2,
) -> int:
    """Bytes that ``append_long_header`` writes, packet number included."""
    size = 7 + len(destination_cid) + len(source_cid) + length_size + packet_number_size
    if packet_type is PacketType.INITIAL:
        size += varint_size(len(token)) + len(token)
    return size


def append_long_header(
    writer: Writer,
    packet_type: PacketType,
    version: int,
    destination_cid: bytes,
    source_cid: bytes,
    token: bytes,
    packet_number: int,
    packet_number_size: int,
    payload_size: int,
    length_size: int = 2,
) -> None:
    """Write the unprotected header of an Initial, 0-RTT or Handshake packet, packet number included.

    RFC 9000 §17.2, RFC 9369 §3.2. Reserved bits are 0, the fixed bit is 1.

    Args:
        payload_size: bytes that follow the packet number, the AEAD tag included.
        length_size: bytes of the Length field: 1, 2, 4 or 8.

    Raises:
        ValueError: a value that does not fit, a token where none may be, or a packet without packet number.
    """
    if packet_type not in _BITS_1 or packet_type is PacketType.RETRY:
        raise ValueError(f"{packet_type.name} has no long header with a packet number")
    if version == VERSION_1:
        bits = _BITS_1[packet_type]
    elif version == VERSION_2:
        bits = _BITS_2[packet_type]
    else:
        raise ValueError(f"unknown version 0x{version:08x}")
    if not 1 <= packet_number_size <= 4:
        raise ValueError(f"packet number of {packet_number_size} bytes")
    if len(destination_cid) > MAX_CID_SIZE or len(source_cid) > MAX_CID_SIZE:
        raise ValueError("a connection ID over 20 bytes")
    data = writer.data
    data.append(LONG_HEADER | FIXED_BIT | bits | packet_number_size - 1)
    append_uint(data, version, 4)
    data.append(len(destination_cid))
    data += destination_cid
    data.append(len(source_cid))
    data += source_cid
    if packet_type is PacketType.INITIAL:
        append_varint(data, len(token))
        data += token
    elif token:
        raise ValueError(f"a token in a {packet_type.name} packet")
    append_varint_sized(data, packet_number_size + payload_size, length_size)
    append_uint(data, packet_number & (1 << 8 * packet_number_size) - 1, packet_number_size)


def short_header(
    destination_cid: bytes,
    packet_number: int,
    packet_number_size: int,
    key_phase: bool,
    spin: bool,
    fixed_bit: bool = True,
) -> bytes:
    """The unprotected header of a 1-RTT packet, packet number included.

    RFC 9000 §17.3.1, RFC 9287 §3.1. Reserved bits are 0.

    Raises:
        ValueError: ``packet_number_size`` is not 1 to 4.
    """
    if not 1 <= packet_number_size <= 4:
        raise ValueError(f"packet number of {packet_number_size} bytes")
    first = packet_number_size - 1
    if fixed_bit:
        first |= FIXED_BIT
    if key_phase:
        first |= KEY_PHASE
    if spin:
        first |= SPIN_BIT
    if packet_number_size == 1:
        return BYTES[first] + destination_cid + BYTES[packet_number & 0xFF]
    truncated = packet_number & (1 << 8 * packet_number_size) - 1
    return BYTES[first] + destination_cid + truncated.to_bytes(packet_number_size, "big")


def append_short_header(
    writer: Writer,
    destination_cid: bytes,
    packet_number: int,
    packet_number_size: int,
    key_phase: bool,
    spin: bool,
) -> None:
    """Write what `short_header` gives.

    Raises:
        ValueError: ``packet_number_size`` is not 1 to 4.
    """
    writer.data += short_header(destination_cid, packet_number, packet_number_size, key_phase, spin)
