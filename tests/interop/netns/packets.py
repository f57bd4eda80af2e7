"""IP and UDP, as far as a link has to know them: whose packet it is, and what is to be changed about it."""

import ipaddress
import struct
from typing import NamedTuple

UDP = 17
UDP_HEADER = 8


class Endpoint(NamedTuple):
    """An address and a port."""

    host: str
    port: int


class UdpPacket(NamedTuple):
    """Where things are in an IP packet that holds UDP."""

    source: Endpoint
    target: Endpoint
    ecn: int
    header_size: int
    payload: bytes

    @property
    def payload_at(self) -> int:
        return self.header_size + UDP_HEADER


def parse_udp(packet: bytes) -> UdpPacket | None:
    """Look into an IP packet; None if it holds something else than UDP."""
    if packet[0] >> 4 == 4:
        size, protocol, ecn = (packet[0] & 15) * 4, packet[9], packet[1] & 3
        source, target = packet[12:16], packet[16:20]
    else:
        size, protocol, ecn = 40, packet[6], packet[1] >> 4 & 3
        source, target = packet[8:24], packet[24:40]
    if protocol != UDP or len(packet) < size + UDP_HEADER:
        return None
    source_port, target_port = struct.unpack_from("!HH", packet, size)
    return UdpPacket(
        Endpoint(str(ipaddress.ip_address(source)), source_port),
        Endpoint(str(ipaddress.ip_address(target)), target_port),
        ecn,
        size,
        packet[size + UDP_HEADER :],
    )


def with_byte(packet: bytes, at: int, value: int) -> bytes:
    """The packet with one byte of its payload changed, and a checksum that does not tell."""
    changed = bytearray(packet)
    changed[at] = value
    _fill_udp_checksum(changed)
    return bytes(changed)


def with_source(packet: bytes, source: Endpoint) -> bytes:
    """The packet as if another IPv4 host or port had sent it."""
    return _rewritten(packet, 12, 0, source)


def with_target(packet: bytes, target: Endpoint) -> bytes:
    """The packet on its way to another IPv4 host or port."""
    return _rewritten(packet, 16, 2, target)


def _rewritten(packet: bytes, host_at: int, port_at: int, endpoint: Endpoint) -> bytes:
    changed = bytearray(packet)
    size = (changed[0] & 15) * 4
    changed[host_at : host_at + 4] = ipaddress.IPv4Address(endpoint.host).packed
    struct.pack_into("!H", changed, size + port_at, endpoint.port)
    changed[10:12] = b"\0\0"
    struct.pack_into("!H", changed, 10, _checksum(bytes(changed[:size])))
    _fill_udp_checksum(changed)
    return bytes(changed)


def _fill_udp_checksum(packet: bytearray) -> None:
    """RFC 768, RFC 8200 §8.1."""
    is_ipv4 = packet[0] >> 4 == 4
    size = (packet[0] & 15) * 4 if is_ipv4 else 40
    length = len(packet) - size
    packet[size + 6 : size + 8] = b"\0\0"
    addresses = bytes(packet[12:20] if is_ipv4 else packet[8:40])
    pseudo = addresses + struct.pack("!II", length, UDP)
    struct.pack_into("!H", packet, size + 6, _checksum(pseudo + bytes(packet[size:])) or 0xFFFF)


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
