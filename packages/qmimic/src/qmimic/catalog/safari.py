"""Safari.

Structure and constants were read from the public corpus's captures of macOS; the first flight is one datagram. The
HTTP/3 side was not measured: settings and header order are those that public fingerprint collections list.
"""

from typing import Final

from ..extensions import (
    Alpn,
    CompressCertificate,
    Grease,
    KeyShare,
    PskKeyExchangeModes,
    QuicTransportParameters,
    Raw,
    ServerName,
    SignatureAlgorithms,
    StatusRequest,
    SupportedGroups,
    SupportedVersions,
)
from ..grease import CANONICAL
from ..hello import HelloSpec
from ..http3 import Header, Http3Spec, ReservedSetting, Setting
from ..profile import ClientProfile, EngineSpec, HeaderSpec, RecoverySpec
from ..transport_parameters import Integer, Opaque, ParameterList, SourceConnectionId

SIGNED_CERTIFICATE_TIMESTAMP: Final = 18

HELLO: Final = HelloSpec(
    cipher_suites=(CANONICAL, 0x1301, 0x1302, 0x1303),
    extensions=(
        Grease(),
        ServerName(),
        SupportedGroups(groups=(CANONICAL, 0x001D, 0x0017, 0x0018, 0x0019)),
        Alpn(),
        StatusRequest(),
        # 0x0805 is listed twice, as in all BoringSSL clients of Apple.
        SignatureAlgorithms(
            schemes=(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201)
        ),
        Raw(id=SIGNED_CERTIFICATE_TIMESTAMP),
        KeyShare(groups=(CANONICAL, 0x001D)),
        PskKeyExchangeModes(modes=(1,)),
        SupportedVersions(versions=(CANONICAL, 0x0304)),
        QuicTransportParameters(),
        CompressCertificate(algorithms=(1,)),
        Grease(min_size=1, max_size=1, zeros=True),
    ),
)

PARAMETERS: Final = ParameterList(
    order="rotated",
    tail=1,
    entries=(
        Integer(id=0x04, value=16_777_216),  # initial_max_data
        Integer(id=0x05, value=2_097_152),  # initial_max_stream_data_bidi_local
        Integer(id=0x06, value=2_097_152),  # initial_max_stream_data_bidi_remote
        Integer(id=0x07, value=2_097_152),  # initial_max_stream_data_uni
        Integer(id=0x09, value=103),  # initial_max_streams_uni
        Integer(id=0x0E, value=64),  # active_connection_id_limit
        SourceConnectionId(),
        Opaque(id=0xFF080808, value=b"\4"),  # Apple's own
    ),
)

USER_AGENT: Final = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Safari/605.1.15"
)
HEADERS: Final = (
    ("sec-fetch-dest", "document"),
    ("user-agent", USER_AGENT),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("sec-fetch-site", "none"),
    ("sec-fetch-mode", "navigate"),
    ("accept-language", "en-US,en;q=0.9"),
    ("priority", "u=0, i"),
    ("accept-encoding", "gzip, deflate, br"),
)

SAFARI_18_5: Final = ClientProfile(
    name="safari-18.5",
    client="Safari",
    version="18.5",
    platform="macOS",
    provenance="the public quic-fingerprint-conformance corpus: 7 connections; HTTP/3 not measured",
    header=HeaderSpec(
        destination_cid_size=8,
        source_cid_size=0,
        first_packet_number=0,
        packet_number_sizes=(1,),
        datagram_size=1200,
        datagram_size_ipv6=1200,
        padding="packet",
    ),
    recovery=RecoverySpec(),
    # No idle timeout of its own is advertised.
    engine=EngineSpec(ecn=False, pmtud=False, datagrams=False),
    parameters=PARAMETERS,
    hello=HELLO,
    http3=Http3Spec(
        settings=(
            Setting(id=0x01, value=16_383),  # QPACK_MAX_TABLE_CAPACITY
            Setting(id=0x07, value=100),  # QPACK_BLOCKED_STREAMS
            ReservedSetting(id_bits=32, value_bits=32),
        ),
        pseudo_headers=(":method", ":scheme", ":authority", ":path"),
        qpack_capacity=16_383,
        headers=tuple(Header(name=name, value=value) for name, value in HEADERS),
    ),
)

PROFILES: Final = (SAFARI_18_5,)
