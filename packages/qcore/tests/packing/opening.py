"""Initial packets as anyone on the path can read them. RFC 9001 §5.2."""

from dataclasses import dataclass

from qtls.initial import initial_keys
from qwire.constants import PacketType
from qwire.frames import CryptoFrame, Frame, PaddingFrame, parse_frames
from qwire.headers import LongHeader, parse_long_header
from qwire.packet_number import expand


@dataclass(frozen=True)
class OpenedInitial:
    """One Initial packet of a client.

    Attributes:
        first_byte: without header protection.
        length_size: bytes of its Length field.
        size: of the packet; `datagram_size` is that of the datagram it came in.
    """

    header: LongHeader
    first_byte: int
    packet_number: int
    packet_number_size: int
    length_size: int
    frames: tuple[Frame, ...]
    size: int
    datagram_size: int

    @property
    def shape(self) -> list[tuple[int, int] | str | int]:
        """CRYPTO as (start, stop), PADDING as its size, everything else by name."""
        return [
            (frame.offset, frame.offset + len(frame.data))
            if isinstance(frame, CryptoFrame)
            else frame.count
            if isinstance(frame, PaddingFrame)
            else type(frame).__name__
            for frame in self.frames
        ]


def open_initial(data: bytes, key_cid: bytes, largest: int = -1) -> OpenedInitial | None:
    """Open the Initial packet that begins a datagram of a client; None if the keys are others.

    Args:
        key_cid: what the keys follow from.
        largest: the largest packet number seen before.
    """
    header = parse_long_header(data)
    assert header.packet_type is PacketType.INITIAL
    opener = initial_keys(key_cid, header.version).client_opener
    number_at = header.packet_number_offset
    clear = opener.unprotect(data, 0, number_at)
    number_size = (clear[0] & 3) + 1
    number = expand(int.from_bytes(clear[-number_size:], "big"), number_size, largest)
    payload = opener.open(number, clear, data[number_at + number_size : header.end])
    if payload is None:
        return None
    token_at = 7 + len(header.destination_cid) + len(header.source_cid)
    token_length_size = 1 << (data[token_at] >> 6)
    return OpenedInitial(
        header=header,
        first_byte=clear[0],
        packet_number=number,
        packet_number_size=number_size,
        length_size=number_at - token_at - token_length_size - len(header.token),
        frames=tuple(parse_frames(payload, PacketType.INITIAL)),
        size=header.end,
        datagram_size=len(data),
    )


def open_flight(datagrams: list[bytes]) -> list[OpenedInitial]:
    """The Initial packets of a client's datagrams, from the first one on; others are left out."""
    opened: list[OpenedInitial] = []
    key_cids: list[bytes] = []
    for data in datagrams:
        kind = 0x80 if data[1:5] == b"\0\0\0\1" else 0x90
        if data[0] & 0xB0 != kind:
            continue
        cid = parse_long_header(data).destination_cid
        if cid not in key_cids:
            key_cids.insert(0, cid)  # the first one, or that of a Retry
        largest = opened[-1].packet_number if opened else -1
        packet = next(filter(None, [open_initial(data, key_cid, largest) for key_cid in key_cids]), None)
        assert packet is not None, "does not authenticate"
        opened.append(packet)
    return opened


def crypto_of(packets: list[OpenedInitial]) -> bytes:
    """The CRYPTO bytes of packets, put in order; every byte must be there."""
    pieces = sorted(
        (frame.offset, frame.data)
        for packet in packets
        for frame in packet.frames
        if isinstance(frame, CryptoFrame)
    )
    data = b""
    for offset, piece in pieces:
        assert offset <= len(data), f"byte {len(data)} is missing"
        data = data[:offset] + piece + data[offset + len(piece) :]
    return data
