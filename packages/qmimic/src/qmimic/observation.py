"""First flights as they were seen, taken apart: the ground that `diff` and `learn` stand on.

An `Observed` is one flight with its datagrams. `values` gives what can be compared for equality, `numbers` what is
compared as a distribution, `orders` what is compared as a rule of ordering. All three name things by dotted paths, so
that a report reads the same whatever the client.
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import quicvarint
from qcore.packing.initial_flight import FlightContext
from qwire.constants import VERSION_1, VERSION_2
from qwire.errors import DecodeError
from qwire.frames import CryptoFrame, PaddingFrame, parse_frames
from qwire.headers import parse_long_header
from qwire.transport_parameters import TransportParameters

from . import grease
from .capture import CapturedFlow
from .curve25519 import may_be_public_key
from .fingerprint import Fingerprint, FlightCollector, fingerprint_flight
from .fingerprint.initials import ClientInitial
from .ordering import Item, shown

VERSIONS: Final = (VERSION_1, VERSION_2)
PRE_SHARED_KEY: Final = 41
ECH: Final = 0xFE0D
TRUST_ANCHORS: Final = 0xCA34
KEY_SHARE: Final = 51
#: Extensions whose bodies are described piece by piece, or differ on every connection.
DESCRIBED: Final = frozenset(
    (0, 10, 13, 16, 27, 28, PRE_SHARED_KEY, 43, 45, KEY_SHARE, 57, TRUST_ANCHORS, ECH)
)
#: Of the form 31 * N + 27 and not reserved: min_ack_delay.
ASSIGNED: Final = frozenset((0xFF02DE1A,))
VERSION_INFORMATION_IDS: Final = (0x11, 0xFF73DB)
CONNECTION_ID_PARAMETER: Final = 0x0F
CACHED_RTT: Final = 0x3127
RESERVED: Final = "grease"
X25519: Final = 0x001D
X25519MLKEM768: Final = 0x11EC
TAG_SIZE: Final = 16


@dataclass(frozen=True, slots=True)
class Observed:
    """One first flight.

    Attributes:
        fingerprint: hashes, packets and ClientHello.
        datagrams: its UDP payloads in the order of their arrival.
        times_ms: when they arrived, the first at 0.
        family: IP version, as far as the capture tells.
    """

    fingerprint: Fingerprint
    datagrams: tuple[bytes, ...]
    times_ms: tuple[float, ...]
    family: int

    @property
    def is_resumed(self) -> bool:
        """Whether a session is offered."""
        return PRE_SHARED_KEY in self.fingerprint.hello.extension_ids

    @property
    def packets(self) -> list[ClientInitial]:
        return self.fingerprint.flight.packets


def observe(flows: Iterable[CapturedFlow]) -> list[Observed]:
    """The first flights of captured connections, one for each connection ID."""
    return [item for flow in flows for item in observe_flow(flow)]


def observe_flow(flow: CapturedFlow) -> Iterator[Observed]:
    """First flights on one pair of addresses; usually one."""
    collector = FlightCollector(any_packet_number=True, versions=VERSIONS)
    seen: dict[bytes, list[tuple[float, bytes]]] = {}
    family = 6 if flow.about.get("family") == 6 or str(flow.about.get("client", "")).startswith("[") else 4
    for datagram in flow.datagrams:
        if not datagram.from_client:
            continue
        try:
            cid = parse_long_header(datagram.data).destination_cid
        except DecodeError:
            continue
        seen.setdefault(cid, []).append((datagram.time_ms, datagram.data))
        flight = collector.receive(datagram.data)
        found = fingerprint_flight(flight) if flight is not None else None
        if found is not None:
            sent = seen[cid]
            times = tuple(time - sent[0][0] for time, _ in sent)
            yield Observed(found, tuple(data for _, data in sent), times, family)


# What is compared for equality


def values(item: Observed) -> dict[str, Hashable]:
    """Everything that is the same on all connections of many clients, and takes few values on the others."""
    return {
        **header_values(item),
        **layout_values(item),
        **hello_values(item),
        **parameter_values(item.fingerprint.parameters),
        "hash.v1": item.fingerprint.v1.overall,
        "hash.v1.tls": item.fingerprint.v1.tls,
        "hash.v1.parameters": item.fingerprint.v1.parameters,
        "hash.v2.header": item.fingerprint.v2.header,
        "hash.v2.tls": item.fingerprint.v2.tls,
        "hash.v2.parameters": item.fingerprint.v2.parameters,
        "hash.v2": item.fingerprint.v2.super,
        "hash.ja4": item.fingerprint.ja4.value,
    }


def header_values(item: Observed) -> dict[str, Hashable]:
    """Of the headers of the Initial packets, and of the datagrams around them."""
    packets = item.packets
    header = packets[0].header
    numbers = [packet.packet_number for packet in packets]
    return {
        "header.version": f"0x{header.version:08x}",
        "header.source_cid_size": len(header.source_cid),
        "header.token_size": len(header.token),
        "header.packet_number_sizes": tuple(packet.packet_number_size for packet in packets),
        "header.packet_number_steps": tuple(after - before for before, after in pairwise(numbers)),
        "header.length_sizes": tuple(length_size(data) for data in item.datagrams[: len(packets)]),
        "datagrams.count": len(packets),
        "datagrams.sizes": tuple(packet.datagram_size for packet in packets),
        "datagrams.padding": tuple(padding_of(packet) for packet in packets),
    }


def length_size(datagram: bytes) -> int:
    """Bytes of the Length field of the Initial packet at the beginning."""
    position = 5
    position += 1 + datagram[position]
    position += 1 + datagram[position]
    token, position = quicvarint.parse(datagram, position)
    return 1 << (datagram[position + token] >> 6)


def padding_of(packet: ClientInitial) -> str:
    """How a datagram comes to its size: "packet", "datagram" (bytes behind the packet), "none"."""
    if packet.datagram_size > packet.size:
        return "datagram"
    return "packet" if 0 in packet.frame_types else "none"


def layout_values(item: Observed) -> dict[str, Hashable]:
    """Which bytes the first packet carries, and what kinds of frames there are."""
    total = len(item.fingerprint.flight.client_hello)
    found: dict[str, Hashable] = {}
    for index, packet in enumerate(item.packets, 1):
        names = {0: "PADDING", 1: "PING", 6: "CRYPTO"}
        kinds = sorted(set(packet.frame_types))
        found[f"layout.packet{index}.frames"] = "+".join(names.get(kind, str(kind)) for kind in kinds)
        found[f"layout.packet{index}.bytes"] = coverage(stretches(packet), total)
    return found


def stretches(packet: ClientInitial) -> list[tuple[int, int]]:
    """The byte ranges that a packet carries, joined where they touch, in rising order."""
    joined: list[tuple[int, int]] = []
    for offset, data in sorted(packet.crypto):
        if joined and joined[-1][1] == offset:
            joined[-1] = (joined[-1][0], offset + len(data))
        else:
            joined.append((offset, offset + len(data)))
    return joined


def coverage(ranges: list[tuple[int, int]], total: int) -> str:
    """In words: "everything", "beginning and end", "beginning", "middle", "end", or how many stretches."""
    if not ranges:
        return "nothing"
    if len(ranges) > 2:
        return f"{len(ranges)} stretches"
    has_start, has_end = ranges[0][0] == 0, ranges[-1][1] == total
    if len(ranges) == 1:
        words = {(True, True): "everything", (True, False): "beginning", (False, True): "end"}
        return words.get((has_start, has_end), "middle")
    words = {(True, True): "beginning and end", (True, False): "beginning and middle"}
    return words.get((has_start, has_end), "middle and end" if has_end else "2 stretches of the middle")


def hello_values(item: Observed) -> dict[str, Hashable]:
    """Of the ClientHello; reserved values are folded to 0x0a0a."""
    hello = item.fingerprint.hello
    shares = dict(hello.key_shares)
    found: dict[str, Hashable] = {
        "hello.legacy_version": f"0x{hello.legacy_version:04x}",
        "hello.session_id_size": len(hello.session_id),
        "hello.compression_methods": hello.compression_methods.hex(),
        "hello.cipher_suites": folded(hello.cipher_suites),
        "hello.extensions": tuple(sorted(grease.fold_tls(number) for number in hello.extension_ids)),
        "hello.groups": folded(hello.groups),
        "hello.key_shares": tuple(
            (f"0x{grease.fold_tls(group):04x}", len(share)) for group, share in hello.key_shares
        ),
        "hello.signature_algorithms": folded(hello.signature_algorithms),
        "hello.alpn": tuple(name.decode("latin-1") for name in hello.alpn),
        "hello.supported_versions": folded(hello.supported_versions),
        "hello.psk_modes": hello.psk_modes.hex(),
        "hello.certificate_compression": tuple(hello.certificate_compression),
        "hello.record_size_limit": hello.record_size_limit,
    }
    if X25519 in shares and X25519MLKEM768 in shares:
        found["hello.x25519_key_is_shared"] = shares[X25519MLKEM768].endswith(shares[X25519])
    malformed = [
        value
        for value in (*hello.cipher_suites, *hello.extension_ids, *hello.groups, *hello.supported_versions)
        if value & 0x0F0F == 0x0A0A and not grease.is_tls_value(value)
    ]
    found["hello.malformed_grease"] = bool(malformed)
    reserved = [body for number, body in hello.extensions if grease.is_tls_value(number)]
    for index, body in enumerate(reserved, 1):
        found[f"hello.grease{index}.size"] = len(body)
    for number, body in hello.extensions:
        if number not in DESCRIBED and not grease.is_tls_value(number):
            found[f"hello.extension.{number}"] = body.hex()
    anchors = hello.body(TRUST_ANCHORS)
    if anchors is not None:
        found["hello.trust_anchors"] = tuple(sorted(trust_anchors(anchors)))
    ech = hello.body(ECH)
    if ech is not None and len(ech) > 10:
        size = int.from_bytes(ech[6:8], "big")
        found["hello.ech.kdf"] = int.from_bytes(ech[1:3], "big")
        found["hello.ech.aead"] = int.from_bytes(ech[3:5], "big")
        found["hello.ech.enc_size"] = size
        found["hello.ech.enc_is_a_key"] = may_be_public_key(ech[8 : 8 + size])
        found["hello.ech.payload_size"] = int.from_bytes(ech[8 + size : 10 + size], "big")
    return found


def trust_anchors(body: bytes) -> tuple[str, ...]:
    """The identifiers in trust_anchors, in hexadecimal."""
    found: list[str] = []
    position = 2
    while position < len(body):
        stop = position + 1 + body[position]
        found.append(body[position + 1 : stop].hex())
        position = stop
    return tuple(found)


def folded(numbers: Iterable[int]) -> tuple[str, ...]:
    return tuple(f"0x{grease.fold_tls(number):04x}" for number in numbers)


def parameter_name_of(number: int) -> Item:
    """An id, or "grease" for a reserved one."""
    if number not in ASSIGNED and grease.is_parameter(number):
        return RESERVED
    return number


def parameter_values(parameters: TransportParameters) -> dict[str, Hashable]:
    """Of the transport parameters; values as they are encoded."""
    names = [parameter_name_of(entry.id) for entry in parameters.entries]
    found: dict[str, Hashable] = {"parameters.ids": tuple(sorted(map(shown, names)))}
    found["parameters.google_initial_rtt"] = "sent" if CACHED_RTT in names else "not sent"
    found["parameters.grease.count"] = names.count(RESERVED)
    found["parameters.version_information.id"] = tuple(
        f"0x{number:x}" for number in VERSION_INFORMATION_IDS if number in names
    )
    for entry, name in zip(parameters.entries, names, strict=True):
        if name == RESERVED:
            found["parameters.grease.id_size"] = entry.id_size or quicvarint.size(entry.id)
            continue
        if entry.id_size or entry.length_size:
            found[f"parameters.{shown(name)}.encoding"] = (entry.id_size, entry.length_size)
        if name in VERSION_INFORMATION_IDS:
            found.update(version_values(entry.value))
        elif name == CONNECTION_ID_PARAMETER:
            found["parameters.0xf.size"] = len(entry.value)
        elif name != CACHED_RTT:
            found[f"parameters.{shown(name)}"] = entry.value.hex()
    return found


def version_values(value: bytes) -> dict[str, Hashable]:
    """Of version_information: the list with reserved versions named, and whether they are well formed."""
    versions = [int.from_bytes(value[start : start + 4], "big") for start in range(0, len(value), 4)]
    words = [
        RESERVED
        if grease.is_version(version)
        else f"0x{version:08x}"
        if version in VERSIONS
        else "malformed grease"
        for version in versions
    ]
    return {
        "parameters.version_information.chosen": words[0] if words else "",
        "parameters.version_information.available": tuple(words[1:]),
        "parameters.version_information.grease": "malformed"
        if "malformed grease" in words
        else "well formed",
    }


# What is compared as a distribution


def numbers(item: Observed) -> dict[str, float]:
    """Sizes, counts and places that are drawn, or follow from what is."""
    packets = item.packets
    hello = item.fingerprint.hello
    client_hello = item.fingerprint.flight.client_hello
    found: dict[str, float] = {
        "header.destination_cid_size": len(packets[0].header.destination_cid),
        "header.first_packet_number": packets[0].packet_number,
        "hello.size_without_name": len(client_hello) - len(hello.server_name or ""),
    }
    for index, packet in enumerate(packets, 1):
        found.update(frame_numbers(f"layout.packet{index}", packet))
    first = stretches(packets[0])
    if len(packets) > 1 and first and first[0][0] == 0:
        found["layout.head"] = first[0][1]
    rtt = item.fingerprint.parameters.get(CACHED_RTT)
    for entry in item.fingerprint.parameters.entries:
        if parameter_name_of(entry.id) == RESERVED:
            found["parameters.grease.length"] = len(entry.value)
    if rtt:
        found["parameters.google_initial_rtt.size"] = len(rtt)
    return found


def frame_numbers(prefix: str, packet: ClientInitial) -> dict[str, float]:
    """Counts and sizes of the frames of one packet."""
    frames = parse_frames(packet.payload)
    crypto = [frame for frame in frames if isinstance(frame, CryptoFrame)]
    runs = [frame.size() for frame in frames if isinstance(frame, PaddingFrame)]
    sizes = [len(frame.data) for frame in crypto]
    offsets = [frame.offset for frame in crypto]
    return {
        f"{prefix}.crypto_frames": len(crypto),
        f"{prefix}.crypto_bytes": sum(sizes),
        f"{prefix}.smallest_crypto": min(sizes, default=0),
        f"{prefix}.largest_crypto": max(sizes, default=0),
        f"{prefix}.inversions": sum(
            one > other for place, one in enumerate(offsets) for other in offsets[place + 1 :]
        ),
        f"{prefix}.pings": packet.frame_types.count(1),
        f"{prefix}.padding_runs": len(runs),
        f"{prefix}.padding_bytes": sum(runs),
        f"{prefix}.largest_padding": max(runs, default=0),
        f"{prefix}.size": packet.size,
        f"{prefix}.first_kind": packet.frame_types[0],
        f"{prefix}.last_kind": packet.frame_types[-1],
    }


# What is compared as a rule of ordering


def orders(item: Observed) -> dict[str, tuple[Item, ...]]:
    """Extensions and transport parameters in the order of the wire; reserved ones under one name."""
    return {
        "hello.extension_order": extension_order(item),
        "hello.trust_anchor_order": trust_anchors(item.fingerprint.hello.body(TRUST_ANCHORS) or b""),
        "parameters.order": tuple(
            parameter_name_of(entry.id) for entry in item.fingerprint.parameters.entries
        ),
    }


def extension_order(item: Observed) -> tuple[Item, ...]:
    """Extension ids in order; the reserved ones are numbered, since a hello may have two."""
    names: list[Item] = []
    reserved = 0
    for number in item.fingerprint.hello.extension_ids:
        if grease.is_tls_value(number):
            reserved += 1
            names.append(f"{RESERVED}{reserved}")
        else:
            names.append(number)
    return tuple(names)


def rooms_of(item: Observed) -> list[int]:
    """Frame bytes that each datagram of the flight could hold."""
    rooms: list[int] = []
    for packet in item.packets:
        behind = packet.datagram_size - packet.size if padding_of(packet) == "datagram" else 0
        rooms.append(len(packet.payload) + behind)
    return rooms


def context_of(item: Observed) -> FlightContext:
    """What a layout would have been given for this flight; its randomness is all zeros."""
    return FlightContext(item.fingerprint.flight.client_hello, rooms=rooms_of(item), random=bytes)
