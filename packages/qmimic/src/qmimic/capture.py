"""Capture files: pcap, pcapng and captures-jsonl → datagrams, in the order they were taken.

Three kinds of file give one kind of value, a `CapturedFlow` per pair of addresses. Packets that are not whole
UDP datagrams are passed over; a file that cannot be read gives one `CaptureError`.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, TypeAlias

from .errors import CaptureError
from .pcap import is_pcap, read_frames

Endpoint: TypeAlias = tuple[bytes, int]  # packed address and port

LINK_NULL: Final = 0
LINK_ETHERNET: Final = 1
LINK_RAW: Final = frozenset((12, 14, 101))
LINK_LOOP: Final = 108
LINK_LINUX_COOKED: Final = 113
LINK_IPV4: Final = 228
LINK_IPV6: Final = 229
LINK_LINUX_COOKED_2: Final = 276
LINK_TYPES: Final = LINK_RAW | {
    LINK_NULL,
    LINK_ETHERNET,
    LINK_LOOP,
    LINK_LINUX_COOKED,
    LINK_IPV4,
    LINK_IPV6,
    LINK_LINUX_COOKED_2,
}

ETHERTYPE_IPV4: Final = 0x0800
ETHERTYPE_IPV6: Final = 0x86DD
VLAN_TAGS: Final = frozenset((0x8100, 0x88A8, 0x9100))
PROTOCOL_UDP: Final = 17
# RFC 8200 §4.1: hop-by-hop options, routing, destination options; a fragment header ends the search.
IPV6_OPTIONS: Final = frozenset((0, 43, 60))
MAX_IPV6_OPTIONS: Final = 8

#: More than any observer's session holds; a larger file is read in parts.
MAX_FILE_SIZE: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class CapturedDatagram:
    """One UDP payload: milliseconds since the flow's first, its direction, its bytes."""

    time_ms: float
    from_client: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class CapturedFlow:
    """The datagrams between two addresses; who sent first is the client.

    `about` says what the file tells of the flow: client, version, host, addresses, …; `secrets` maps NSS
    key-log labels to secrets.
    """

    about: dict[str, Any]
    datagrams: list[CapturedDatagram]
    secrets: dict[str, bytes] = field(default_factory=dict)

    @property
    def payloads(self) -> list[bytes]:
        """UDP payloads of both directions."""
        return [datagram.data for datagram in self.datagrams]

    @property
    def client_payloads(self) -> list[bytes]:
        """UDP payloads that the client sent."""
        return [datagram.data for datagram in self.datagrams if datagram.from_client]


def read_capture(path: str | Path) -> list[CapturedFlow]:
    """Read a capture file of any of the three kinds, told apart by content.

    Raises:
        CaptureError: the file is absent, of another kind, or broken.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_FILE_SIZE:
            raise CaptureError(f"{path}: larger than {MAX_FILE_SIZE >> 20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise CaptureError(f"{path}: {error.strerror or error}") from None
    try:
        if is_pcap(data):
            return flows_of(read_packets(data))
        if data.lstrip()[:1] == b"{":
            return list(parse_jsonl(data))
    except CaptureError as error:
        raise CaptureError(f"{path}: {error}") from None
    raise CaptureError(f"{path}: not a pcap, pcapng or captures-jsonl file")


def read_packets(data: bytes) -> Iterator[tuple[float, Endpoint, Endpoint, bytes]]:
    """(time in seconds, source, destination, UDP payload) of each UDP datagram of a pcap or pcapng file.

    Raises:
        CaptureError: the file is broken, or all of it of link types that are not known.
    """
    known, unknown = set(), set()
    for frame in read_frames(data):
        if frame.link_type not in LINK_TYPES:
            unknown.add(frame.link_type)
            continue
        known.add(frame.link_type)
        packet = network_packet(frame.link_type, frame.data)
        if packet is not None:
            datagram = udp_datagram(packet)
            if datagram is not None:
                yield (frame.time, *datagram)
    if unknown and not known:
        raise CaptureError(f"link type {', '.join(map(str, sorted(unknown)))} is not supported")


def network_packet(link_type: int, frame: bytes) -> bytes | None:
    """The IP packet in a frame of one of `LINK_TYPES`, or None when there is none."""
    if link_type == LINK_ETHERNET:
        offset = 12
        while frame[offset : offset + 2] and int.from_bytes(frame[offset : offset + 2], "big") in VLAN_TAGS:
            offset += 4
        return after_ethertype(frame, offset)
    if link_type in LINK_RAW or link_type in (LINK_IPV4, LINK_IPV6):
        return frame
    if link_type in (LINK_NULL, LINK_LOOP):
        return frame[4:]
    if link_type == LINK_LINUX_COOKED:
        return after_ethertype(frame, 14)
    return frame[20:] if link_type == LINK_LINUX_COOKED_2 and is_ip(frame[:2]) else None


def after_ethertype(frame: bytes, offset: int) -> bytes | None:
    return frame[offset + 2 :] if is_ip(frame[offset : offset + 2]) else None


def is_ip(ethertype: bytes) -> bool:
    return int.from_bytes(ethertype, "big") in (ETHERTYPE_IPV4, ETHERTYPE_IPV6)


def udp_datagram(packet: bytes) -> tuple[Endpoint, Endpoint, bytes] | None:
    """(source, destination, payload) of an IP packet that holds a whole UDP datagram, or None."""
    if len(packet) < 20:
        return None
    version = packet[0] >> 4
    if version == 4:
        header_size = (packet[0] & 0x0F) * 4
        is_fragment = int.from_bytes(packet[6:8], "big") & 0x3FFF
        if packet[9] != PROTOCOL_UDP or is_fragment or header_size < 20:
            return None
        source, destination = packet[12:16], packet[16:20]
        udp = packet[header_size : max(header_size, int.from_bytes(packet[2:4], "big"))]
    elif version == 6:
        source, destination = packet[8:24], packet[24:40]
        udp = after_ipv6_options(packet)
    else:
        return None
    size = int.from_bytes(udp[4:6], "big")
    if len(udp) < 8 or not 8 <= size <= len(udp):
        return None
    source_port = int.from_bytes(udp[0:2], "big")
    destination_port = int.from_bytes(udp[2:4], "big")
    return (source, source_port), (destination, destination_port), udp[8:size]


def after_ipv6_options(packet: bytes) -> bytes:
    """The UDP part of an IPv6 packet; empty when it carries something else. RFC 8200 §4."""
    next_header = packet[6]
    rest = packet[40:]
    for _ in range(MAX_IPV6_OPTIONS):
        if next_header == PROTOCOL_UDP:
            return rest
        if next_header not in IPV6_OPTIONS or len(rest) < 8:
            return b""
        next_header, size = rest[0], (rest[1] + 1) * 8
        rest = rest[size:]
    return b""


def flows_of(packets: Iterator[tuple[float, Endpoint, Endpoint, bytes]]) -> list[CapturedFlow]:
    """Group datagrams by their pair of addresses, in the order of each flow's first datagram."""
    flows: dict[tuple[Endpoint, Endpoint], CapturedFlow] = {}
    starts: dict[tuple[Endpoint, Endpoint], float] = {}
    for time, source, destination, payload in packets:
        key, from_client = (source, destination), True
        if key not in flows and (destination, source) in flows:
            key, from_client = (destination, source), False
        if key not in flows:
            about = {"client": address_text(source), "server": address_text(destination)}
            flows[key] = CapturedFlow(about, [])
            starts[key] = time
        elapsed = float(time - starts[key]) * 1000
        flows[key].datagrams.append(CapturedDatagram(elapsed, from_client, payload))
    return list(flows.values())


def address_text(endpoint: Endpoint) -> str:
    """`192.0.2.1:443` or `[2001:db8::1]:443`."""
    address = ip_address(endpoint[0])
    return f"[{address}]:{endpoint[1]}" if address.version == 6 else f"{address}:{endpoint[1]}"


def parse_jsonl(data: bytes) -> Iterator[CapturedFlow]:
    """Flows of a captures-jsonl file: a JSON object a line, an object a connection.

    Raises:
        CaptureError: with the number of the line that is not one.
    """
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield flow_of_object(json.loads(line))
        except RecursionError:
            raise CaptureError(f"line {number}: nested too deeply") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CaptureError(f"line {number}: not a captured connection ({error})") from None


def flow_of_object(item: dict[str, Any]) -> CapturedFlow:
    """One connection of a captures-jsonl file; datagrams whose bytes were not kept are left out."""
    datagrams = [
        CapturedDatagram(float(entry["t"]), entry["dir"] == "c", bytes.fromhex(entry["hex"]))
        for entry in item["datagrams"]
        if "hex" in entry
    ]
    secrets = {label: bytes.fromhex(value) for label, value in item.get("secrets", {}).items()}
    about = {key: value for key, value in item.items() if key not in ("datagrams", "secrets")}
    return CapturedFlow(about, datagrams, secrets)


def flow_to_object(flow: CapturedFlow) -> dict[str, Any]:
    """The inverse of `flow_of_object`."""
    item: dict[str, Any] = dict(flow.about)
    if flow.secrets:
        item["secrets"] = {label: value.hex() for label, value in flow.secrets.items()}
    item["datagrams"] = datagram_objects(flow.datagrams)
    return item


def datagram_objects(datagrams: Sequence[CapturedDatagram]) -> list[dict[str, Any]]:
    """Datagrams in the schema of captures-jsonl."""
    return [
        {"t": entry.time_ms, "dir": "c" if entry.from_client else "s", "hex": entry.data.hex()}
        for entry in datagrams
    ]
