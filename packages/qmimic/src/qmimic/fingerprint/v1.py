"""Fingerprint version 1: the identifiers of clienthellod before 2026, and of uQUIC's parrots.

Three SHA-1 hashes cut to 8 bytes and one over them. Variable fields are preceded by their length in four
bytes. The header part includes the packet number itself, so clients that draw it have no stable value.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from qwire.transport_parameters import TransportParameters

from ..grease import CANONICAL, fold_parameter, fold_tls, is_tls_value
from .flight import Flight
from .hello import ALPN, ObservedHello, pack_uint16s

#: Parameters whose values count, in this order.
VALUED_PARAMETERS: Final = (0x01, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0E)
RECORD_VERSION: Final = b"\0\0"  # QUIC has no TLS records


@dataclass(frozen=True, slots=True)
class V1:
    """The four identifiers, 16 hexadecimal digits each. `tls` has its extensions sorted."""

    header: str
    tls: str
    parameters: str
    overall: str


def v1(flight: Flight, hello: ObservedHello, parameters: TransportParameters) -> V1:
    """All identifiers of one flight."""
    header = digest(header_material(flight))
    tls = digest(tls_material(hello))
    transport = digest(parameter_material(parameters))
    return V1(header.hex(), tls.hex(), transport.hex(), digest(header + tls + transport).hex())


def digest(material: bytes) -> bytes:
    """The first 8 bytes of SHA-1."""
    return hashlib.sha1(material, usedforsecurity=False).digest()[:8]


def array(data: bytes) -> bytes:
    """`data` behind its length in four bytes."""
    return len(data).to_bytes(4, "big") + data


def header_material(flight: Flight) -> bytes:
    """Header of the packet with the lowest number; frame types of all packets."""
    first = flight.first
    header = first.header
    frame_types = sorted({kind for packet in flight.packets for kind in packet.frame_types})
    return b"".join(
        (
            array(header.version.to_bytes(4, "big")),
            len(header.destination_cid).to_bytes(4, "big"),
            len(header.source_cid).to_bytes(4, "big"),
            array(first.packet_number.to_bytes(first.packet_number_size, "big")),
            array(bytes(frame_types)),
            (1 if header.token else 0).to_bytes(4, "big"),
        )
    )


def tls_material(hello: ObservedHello) -> bytes:
    """The ClientHello, its extension ids sorted, reserved values folded to 0x0a0a."""
    shares = [value for group, share in hello.key_shares for value in (fold_tls(group), len(share))]
    limit = hello.record_size_limit
    return b"".join(
        (
            RECORD_VERSION,
            hello.legacy_version.to_bytes(2, "big"),
            array(folded(hello.cipher_suites)),
            array(hello.compression_methods),
            array(pack_uint16s(sorted(fold_tls(value) for value in hello.extension_ids))),
            array(prefixed(2, folded(hello.groups))),
            array(prefixed(1, hello.point_formats)),
            array(prefixed(2, folded(hello.signature_algorithms))),
            array(hello.body(ALPN) or b""),
            array(pack_uint16s(shares)),
            array(hello.psk_modes),
            array(folded(hello.supported_versions)),
            array(prefixed(1, folded(hello.certificate_compression))),
            array(b"" if limit is None else limit.to_bytes(2, "big")),
        )
    )


def folded(values: Iterable[int]) -> bytes:
    return pack_uint16s([CANONICAL if is_tls_value(value) else value for value in values])


def prefixed(size: int, data: bytes) -> bytes:
    """`data` behind its length in `size` bytes; nothing for nothing."""
    return len(data).to_bytes(size, "big") + data if data else b""


def parameter_material(parameters: TransportParameters) -> bytes:
    """Values with the two length bits of their varint cleared, then the sorted ids."""
    parts = [array(without_length_bits(parameters.get(number) or b"")) for number in VALUED_PARAMETERS]
    identifiers = sorted(fold_parameter(entry.id) for entry in parameters.entries)
    parts.append(len(identifiers).to_bytes(4, "big"))
    parts.extend(number.to_bytes(8, "big") for number in identifiers)
    return b"".join(parts)


def without_length_bits(value: bytes) -> bytes:
    return bytes((value[0] & 0x3F,)) + value[1:] if value else b""
