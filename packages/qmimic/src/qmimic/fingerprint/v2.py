"""Fingerprint version 2: clienthellod's fork, pyquicfp and retina (contract v0.1.0 of 2026).

Four SHA-1 hashes cut to 8 bytes over fields without length prefixes. It sees which frames the first packet has
and which parameters are sent, not their order, number or size.
"""

from dataclasses import dataclass
from typing import Final

import quicvarint
from qwire.transport_parameters import TransportParameters

from ..grease import CANONICAL, PSK_MODES, fold_parameter, fold_tls, is_tls_value
from .flight import Flight
from .hello import ObservedHello
from .v1 import VALUED_PARAMETERS, digest, folded

PSK_MODE_GREASE: Final = 0x0B
ALPN_GREASE: Final = b"\x0a\x0a"

#: Names of the valued parameters in canonical records.
PARAMETER_NAMES: Final = (
    "max_idle_timeout",
    "max_udp_payload_size",
    "initial_max_data",
    "initial_max_stream_data_bidi_local",
    "initial_max_stream_data_bidi_remote",
    "initial_max_stream_data_uni",
    "initial_max_streams_bidi",
    "initial_max_streams_uni",
    "ack_delay_exponent",
    "max_ack_delay",
    "active_connection_id_limit",
)


@dataclass(frozen=True, slots=True)
class V2:
    """The four identifiers, 16 hexadecimal digits each; `super` is over the other three."""

    header: str
    tls: str
    parameters: str
    super: str


def v2(flight: Flight, hello: ObservedHello, parameters: TransportParameters) -> V2:
    """All identifiers of one flight."""
    header = digest(header_material(flight))
    tls = digest(tls_material(hello))
    transport = digest(parameter_material(parameters))
    return V2(header.hex(), tls.hex(), transport.hex(), digest(header + tls + transport).hex())


def header_material(flight: Flight) -> bytes:
    """Header and frame types of the packet with the lowest number."""
    first = flight.first
    header = first.header
    return b"".join(
        (
            header.version.to_bytes(4, "big"),
            len(header.destination_cid).to_bytes(4, "big"),
            len(header.source_cid).to_bytes(4, "big"),
            first.packet_number_size.to_bytes(4, "big"),
            bytes(sorted(set(first.frame_types))),
            b"\1" if header.token else b"\0",
        )
    )


def tls_material(hello: ObservedHello) -> bytes:
    """The ClientHello, its extension ids sorted, reserved values folded."""
    compression = folded(hello.certificate_compression)
    return b"".join(
        (
            hello.legacy_version.to_bytes(4, "big"),
            folded(hello.cipher_suites),
            hello.compression_methods,
            folded(sorted(fold_tls(value) for value in hello.extension_ids)),
            folded(hello.groups),
            hello.point_formats,
            folded(hello.signature_algorithms),
            b"".join(bytes((len(name),)) + name for name in folded_alpn(hello)),
            folded(group for group, _ in hello.key_shares),
            bytes(folded_psk_modes(hello)),
            folded(hello.supported_versions),
            bytes((len(compression),)) + compression if compression else b"",
            (hello.record_size_limit or 0).to_bytes(2, "big"),
        )
    )


def folded_alpn(hello: ObservedHello) -> list[bytes]:
    """ALPN names; a reserved one (two equal bytes ?a) is folded like any TLS value."""
    return [
        ALPN_GREASE if len(name) == 2 and is_tls_value(int.from_bytes(name, "big")) else name
        for name in hello.alpn
    ]


def folded_psk_modes(hello: ObservedHello) -> list[int]:
    return [PSK_MODE_GREASE if mode in PSK_MODES else mode for mode in hello.psk_modes]


def parameter_material(parameters: TransportParameters) -> bytes:
    """Sorted ids, then the decoded values, each in eight bytes; an absent one counts as 0."""
    numbers = parameter_ids(parameters) + parameter_values(parameters)
    return b"".join(number.to_bytes(8, "big") for number in numbers)


def parameter_ids(parameters: TransportParameters) -> list[int]:
    """All ids, reserved ones folded to 27, in rising order."""
    return sorted(fold_parameter(entry.id) for entry in parameters.entries)


def parameter_values(parameters: TransportParameters) -> list[int]:
    """The values that count, in the order of `PARAMETER_NAMES`."""
    return [integer(parameters.get(number)) for number in VALUED_PARAMETERS]


def integer(value: bytes | None) -> int:
    """A parameter that is one varint; 0 when absent or not one."""
    if not value:
        return 0
    try:
        return quicvarint.parse(value)[0]
    except quicvarint.VarintError:
        return 0


def canonical_record(
    flight: Flight, hello: ObservedHello, parameters: TransportParameters, hashes: V2
) -> dict[str, object]:
    """What the hashes are made of, in the shape that conformance corpora use."""
    first = flight.first
    header = first.header
    return {
        "conn_key": header.destination_cid.hex(),
        "quic_header_fp": hashes.header,
        "tls_fp": hashes.tls,
        "qtp_fp": hashes.parameters,
        "super_fp": hashes.super,
        "quic_header": {
            "version": header.version,
            "dcid_len": len(header.destination_cid),
            "scid_len": len(header.source_cid),
            "packet_number_length": first.packet_number_size,
            "sorted_unique_frames": sorted(set(first.frame_types)),
            "token_presence": 1 if header.token else 0,
        },
        "tls": {
            "version": hello.legacy_version,
            "cipher_suites": fold_all(hello.cipher_suites),
            "compression_methods": list(hello.compression_methods),
            "extensions_sorted": sorted(fold_all(hello.extension_ids)),
            "named_groups": fold_all(hello.groups),
            "ec_point_formats": list(hello.point_formats),
            "signature_algorithms": fold_all(hello.signature_algorithms),
            "alpn": [name.decode("latin-1") for name in folded_alpn(hello)],
            "key_share": fold_all([group for group, _ in hello.key_shares]),
            "psk_key_exchange_modes": folded_psk_modes(hello),
            "supported_versions": fold_all(hello.supported_versions),
            "cert_compression_algs": fold_all(hello.certificate_compression),
            "record_size_limit": hello.record_size_limit,
        },
        "qtp": {
            "parameter_ids": parameter_ids(parameters),
            **dict(zip(PARAMETER_NAMES, parameter_values(parameters), strict=True)),
        },
    }


def fold_all(values: list[int]) -> list[int]:
    return [CANONICAL if is_tls_value(value) else value for value in values]
