"""Client Initial packets, opened with the keys that everybody can derive.

An Initial is protected with keys made from the client's first destination connection ID, so the first flight
can be read by any observer (RFC 9001 §5.2). What does not open with the client's key is not a client's first
flight and is passed over: server packets, later packets, noise.
"""

from typing import Final, final

from qtls.initial import InitialKeys, initial_keys
from qwire.constants import PacketType
from qwire.errors import DecodeError
from qwire.frames import CryptoFrame, PaddingFrame, PingFrame, parse_frames
from qwire.headers import LongHeader, parse_long_header

SAMPLE_OFFSET: Final = 4  # RFC 9001 §5.4.2: as if the packet number had four bytes
SAMPLE_SIZE: Final = 16
TAG_SIZE: Final = 16
LONG_HEADER_BITS: Final = 0xC0


@final
class ClientInitial:
    """One opened Initial packet.

    `packet_number` is the number as it was sent, not expanded. `frame_types` keeps the order of the wire, a run
    of PADDING counting once; `crypto` holds (offset, data) pairs in the same order. `size` is the packet's,
    `datagram_size` that of the UDP payload around it.
    """

    __slots__ = (
        "crypto",
        "datagram_size",
        "frame_types",
        "header",
        "packet_number",
        "packet_number_size",
        "payload",
        "size",
    )

    def __init__(
        self,
        header: LongHeader,
        packet_number: int,
        packet_number_size: int,
        payload: bytes,
        frame_types: list[int],
        crypto: list[tuple[int, bytes]],
        datagram_size: int,
    ) -> None:
        self.header = header
        self.packet_number = packet_number
        self.packet_number_size = packet_number_size
        self.payload = payload
        self.frame_types = frame_types
        self.crypto = crypto
        self.size = header.end
        self.datagram_size = datagram_size


def initial_header(datagram: bytes, versions: tuple[int, ...]) -> LongHeader | None:
    """The header of the Initial packet that `datagram` begins with, or None when it begins otherwise."""
    if len(datagram) < 7 or datagram[0] & LONG_HEADER_BITS != LONG_HEADER_BITS:
        return None
    if int.from_bytes(datagram[1:5], "big") not in versions:
        return None
    try:
        header = parse_long_header(datagram)
    except DecodeError:
        return None
    return header if header.packet_type is PacketType.INITIAL else None


def open_initial(datagram: bytes, header: LongHeader, keys: InitialKeys) -> ClientInitial | None:
    """Remove both protections from a client's Initial packet.

    Returns:
        None if the packet does not authenticate, or holds a frame other than PADDING, PING and CRYPTO: such a
        packet belongs to a later stage of the handshake.
    """
    opened = unprotect_initial(datagram, header, keys)
    if opened is None:
        return None
    packet_number, packet_number_size, payload = opened
    try:
        frames = parse_frames(payload)
    except DecodeError:
        return None
    frame_types: list[int] = []
    crypto: list[tuple[int, bytes]] = []
    for frame in frames:
        if isinstance(frame, CryptoFrame):
            crypto.append((frame.offset, frame.data))
        elif not isinstance(frame, PaddingFrame | PingFrame):
            return None
        frame_types.append(frame.type)
    return ClientInitial(
        header, packet_number, packet_number_size, payload, frame_types, crypto, len(datagram)
    )


def unprotect_initial(
    datagram: bytes, header: LongHeader, keys: InitialKeys
) -> tuple[int, int, bytes] | None:
    """Packet number as sent, its size and the payload of a client's Initial packet; None if it does not open."""
    start = header.packet_number_offset
    sample_start = start + SAMPLE_OFFSET
    if header.end > len(datagram) or sample_start + SAMPLE_SIZE > header.end:
        return None
    opener = keys.client_opener
    mask = opener.masks(datagram[sample_start : sample_start + SAMPLE_SIZE])
    first_byte = datagram[0] ^ (mask[0] & 0x0F)
    size = (first_byte & 0x03) + 1
    number = int.from_bytes(datagram[start : start + size], "big") ^ int.from_bytes(mask[1 : 1 + size], "big")
    if header.end - start - size < TAG_SIZE:
        return None
    clear_header = bytes((first_byte,)) + datagram[1:start] + number.to_bytes(size, "big")
    payload = opener.open(number, clear_header, datagram[start + size : header.end])
    return None if payload is None else (number, size, payload)


def keys_of(header: LongHeader) -> InitialKeys:
    """The Initial keys of the connection that a first Initial with this header opens."""
    return initial_keys(header.destination_cid, header.version)
