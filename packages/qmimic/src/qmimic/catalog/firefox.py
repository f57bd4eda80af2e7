"""Firefox.

Structure and constants were measured on Mozilla's builds for Linux and compared with the rules of mozilla/neqo and NSS.
"""

from dataclasses import replace
from typing import Final

from qcore.packing.habits import PacketHabits

from ..extensions import (
    Alpn,
    CompressCertificate,
    DelegatedCredentials,
    EarlyData,
    EchGrease,
    ExtensionSpec,
    Fill,
    KeyShare,
    PskKeyExchangeModes,
    QuicTransportParameters,
    Raw,
    RecordSizeLimit,
    ServerName,
    SignatureAlgorithms,
    StatusRequest,
    SupportedGroups,
    SupportedVersions,
)
from ..hello import HelloSpec
from ..http3 import Destination, Header, Http3Spec, ReservedFrame, Setting
from ..layouts import InOrder, SniSlicing
from ..neqo import NeqoCidSize, NeqoPacketNumber, NeqoPacketNumberSize
from ..profile import ClientProfile, EngineSpec, HeaderSpec, RecoverySpec
from ..transport_parameters import (
    Integer,
    Opaque,
    ParameterList,
    ParameterSpec,
    SourceConnectionId,
    VersionInformation,
)

VERSION_2: Final = 0x6B3343CF
MIN_ACK_DELAY: Final = 0xFF02DE1A
RESET_STREAM_AT: Final = 0x1D
GREASE_QUIC_BIT: Final = 0x2AB2
DRAFT_VERSION_INFORMATION: Final = 0xFF73DB
MAX_DATAGRAM_FRAME_SIZE: Final = 0x20
# What Firefox shows around an encrypted ClientHello: max_ack_delay, its connection ID and version_information.
OUTER_PARAMETERS: Final = (0x0B, 0x0F, 0x11)

HEADER: Final = HeaderSpec(
    destination_cid_size=NeqoCidSize(smallest=8),
    source_cid_size=3,
    first_packet_number=NeqoPacketNumber(),
    packet_number_sizes=NeqoPacketNumberSize(),
    datagram_size=1252,
    datagram_size_ipv6=1232,
    padding="datagram",
)

RECOVERY: Final = RecoverySpec(
    initial_rtt=0.1,  # probes after 0.3, 0.9, 2.1, 4.5 seconds
    probe_relayout=False,
    probes_per_timeout=2,
    coalesce=True,
    max_ack_delay=0.02,
)

HABITS: Final = PacketHabits(
    spin="random",
    reports_handshake_delay=True,
    acks_before_finished=True,
    repeats_hello=True,
    early_data="last",
    issues_early=True,
    smallest_cut=1,
    answers_close=True,
    streams_by_number=True,
    pads_last=True,
    silence_limit=30.0,  # seven timeouts have passed by then, the last after 19 seconds
)

ENGINE: Final = EngineSpec(ecn=False, pmtud=False, connected_socket=False, attempts=2, handshake_timeout=30.0)

# In milliseconds, before Firefox left it to the system to send several datagrams at once.
GAPS_140: Final = (0.012, 0.014, 0.016, 0.017, 0.037, 0.046, 0.055, 0.077, 0.399, 1.83, 7.58)

SIGNATURES: Final = (
    0x0403,
    0x0503,
    0x0603,
    0x0203,
    0x0804,
    0x0805,
    0x0806,
    0x0401,
    0x0501,
    0x0601,
    0x0201,
)


def hello(fresh: int, resumed: int, compression: tuple[int, ...]) -> HelloSpec:
    """The ClientHello, with these sizes of the payload of ECH GREASE and these compressions of certificates."""
    permuted: tuple[ExtensionSpec, ...] = (
        ServerName(),
        Raw(id=23),  # extended_master_secret
        Raw(id=65281, value=b"\0"),  # renegotiation_info
        SupportedGroups(groups=(0x11EC, 0x001D, 0x0017, 0x0018, 0x0019)),
        Alpn(),
        StatusRequest(),
        DelegatedCredentials(schemes=(0x0403, 0x0503, 0x0603, 0x0203)),
        KeyShare(groups=(0x11EC, 0x001D, 0x0017), share_x25519=True),
        SupportedVersions(versions=(0x0304,)),
        SignatureAlgorithms(schemes=SIGNATURES),
        PskKeyExchangeModes(modes=(1,)),
        RecordSizeLimit(limit=16_385),
        *((CompressCertificate(algorithms=compression),) if compression else ()),
        EarlyData(),
    )
    ech = EchGrease(
        pinned=True, kdf=1, aeads=(1, 3), payload_sizes=(fresh,), resumed_payload_sizes=(resumed,)
    )
    return HelloSpec(
        cipher_suites=(0x1301, 0x1303, 0x1302),
        permute=True,
        extensions=(*permuted, QuicTransportParameters(pinned=True, outer=OUTER_PARAMETERS), ech),
    )


def parameters(
    *, streams: int, datagram: int, versions: tuple[int, ...] = (1,), more: tuple[ParameterSpec, ...] = ()
) -> ParameterList:
    """The transport parameters, in their one order; `more` stands behind version_information."""
    return ParameterList(
        order="fixed",
        entries=(
            Integer(id=0x01, value=30_000),  # max_idle_timeout
            Integer(id=0x04, value=25_165_824),  # initial_max_data
            Integer(id=0x05, value=12_582_912),  # initial_max_stream_data_bidi_local
            Integer(id=0x06, value=1_048_576),  # initial_max_stream_data_bidi_remote
            Integer(id=0x07, value=1_048_576),  # initial_max_stream_data_uni
            Integer(id=0x08, value=streams),  # initial_max_streams_bidi
            Integer(id=0x09, value=streams),  # initial_max_streams_uni
            Integer(id=0x0B, value=20),  # max_ack_delay
            Integer(id=0x0E, value=8),  # active_connection_id_limit
            SourceConnectionId(),
            VersionInformation(available=versions, grease="first"),
            *more,
            Integer(id=MIN_ACK_DELAY, value=1_000),
            Integer(id=MAX_DATAGRAM_FRAME_SIZE, value=datagram),
        ),
    )


PICTURES: Final = "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"
PICTURES_159: Final = "image/avif,image/jxl,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"


def destinations(pictures: str) -> tuple[Destination, ...]:
    """What pages ask for. Pictures in sight have priority "u=4, i" once Firefox knows that they are."""
    return (
        Destination(name="style", accept="text/css,*/*;q=0.1", mode="no-cors", priority="u=2"),
        Destination(name="script", accept="*/*", mode="no-cors", priority="u=2"),
        Destination(name="image", accept=pictures, mode="no-cors", priority="u=5, i"),
        Destination(name="empty", accept="*/*", mode="cors", priority="u=4"),
    )


def resource_headers(version: str, middle: tuple[str, str]) -> tuple[Header, ...]:
    """The fields of what a page asks for; `middle` are Alt-Used and Referer in their order."""
    values = {
        "user-agent": f"Mozilla/5.0 (X11; Linux x86_64; rv:{version}) Gecko/20100101 Firefox/{version}",
        "accept": "{accept}",
        "accept-language": "en-US,en;q=0.9",
        "accept-encoding": "gzip, deflate, br, zstd",
        **{name: {"alt-used": "{authority}", "referer": "{referer}"}[name] for name in middle},
        "sec-fetch-dest": "{destination}",
        "sec-fetch-mode": "{mode}",
        "sec-fetch-site": "{site}",
        "priority": "{priority}",
    }
    return tuple(Header(name=name, value=value) for name, value in values.items())


def http3(version: str, pictures: str = PICTURES) -> Http3Spec:
    """Settings, streams and headers, with this version in the User-Agent."""
    fields = (
        ("user-agent", f"Mozilla/5.0 (X11; Linux x86_64; rv:{version}) Gecko/20100101 Firefox/{version}"),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("accept-language", "en-US,en;q=0.9"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("alt-used", "{authority}"),
        ("upgrade-insecure-requests", "1"),
        ("sec-fetch-dest", "document"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-site", "none"),
        ("sec-fetch-user", "?1"),
        ("priority", "u=0, i"),
    )
    return Http3Spec(
        settings=(
            Setting(id=0x01, value=65_536),  # QPACK_MAX_TABLE_CAPACITY
            Setting(id=0x07, value=20),  # QPACK_BLOCKED_STREAMS
            Setting(id=0x2B603742, value=0),  # ENABLE_WEBTRANSPORT of drafts
            Setting(id=0xFFD277, value=1),  # H3_DATAGRAM of drafts
            Setting(id=0x33, value=1),  # H3_DATAGRAM
            Setting(id=0x08, value=1),  # ENABLE_CONNECT_PROTOCOL
        ),
        reserved_frame=ReservedFrame(id_bits=57, min_length=0, max_length=7),
        stream_order=("control", "encoder", "decoder"),
        pseudo_headers=(":method", ":scheme", ":authority", ":path"),
        qpack_insert="everything",
        qpack_only=(
            "alt-used",
            "priority",
            "sec-fetch-dest",
            "sec-fetch-mode",
            "sec-fetch-site",
            "sec-fetch-user",
        ),
        qpack_capacity=65_536,
        qpack_eager=True,
        qpack_last=True,
        streams_apart=True,
        requests_apart="first",
        early_together=0.4,  # 6 of 16 captured connections
        headers=tuple(Header(name=name, value=value) for name, value in fields),
        resource_headers=resource_headers(version, ("alt-used", "referer")),
        fetch_headers=resource_headers(version, ("referer", "alt-used")),
        destinations=destinations(pictures),
    )


FIREFOX_ESR_153: Final = ClientProfile(
    name="firefox-esr-153",
    client="Firefox ESR",
    version="153.7.0esr",
    platform="Linux x86-64",
    provenance="captures of Firefox ESR 153.7.0, November 2026: 280 first flights over IPv4, 24 over IPv6",
    header=HEADER,
    layout=SniSlicing(),
    recovery=RECOVERY,
    habits=HABITS,
    engine=ENGINE,
    parameters=parameters(streams=100, datagram=65_535),
    hello=hello(fresh=239, resumed=367, compression=(1, 3, 2)),
    http3=http3("153.0"),
)

FIREFOX_ESR_140: Final = replace(
    FIREFOX_ESR_153,
    name="firefox-esr-140",
    version="140.12.0esr",
    provenance="captures of Firefox ESR 140.12.0, November 2026: 80 first flights over IPv4",
    header=replace(HEADER, first_packet_number=0),
    engine=replace(ENGINE, send_gaps=tuple(gap / 1000 for gap in GAPS_140)),
    parameters=parameters(streams=16, datagram=1_200),
    hello=hello(fresh=207, resumed=335, compression=()),
    http3=http3("140.0"),
)

FIREFOX_159: Final = replace(
    FIREFOX_ESR_153,
    name="firefox-159",
    client="Firefox",
    version="159.0",
    provenance="captures of Firefox 159.0 of Debian sid, November 2026: 120 first flights over IPv4",
    engine=replace(ENGINE, versions=(1, VERSION_2), resumes_version=True),
    parameters=parameters(
        streams=100, datagram=65_535, versions=(VERSION_2, 1), more=(Opaque(id=RESET_STREAM_AT),)
    ),
    hello=hello(fresh=240, resumed=368, compression=(1, 3, 2)),
    http3=replace(http3("159.0", PICTURES_159), early_together=0.75),  # 8 of 10
)

# RFC 7919's groups are listed as they were, though nobody takes them over QUIC.
OLD_GROUPS: Final = (0x001D, 0x0017, 0x0018, 0x0019, 0x0100, 0x0101, 0x0102, 0x0103, 0x0104)

FIREFOX_116: Final = replace(
    FIREFOX_ESR_140,
    name="firefox-116",
    client="Firefox",
    version="116",
    platform="desktop",
    provenance=(
        "uQUIC's parrot of 2023, with min_ack_delay where it draws a reserved parameter; HTTP/3 as in ESR 140"
    ),
    # Destination connection IDs of 8, 9 and 15 bytes are uQUIC's 116A, 116B and 116C: draws of one rule.
    header=replace(
        HEADER,
        first_packet_number=0,
        packet_number_sizes=(1,),
        datagram_size=1357,
        datagram_size_ipv6=1337,
    ),
    layout=InOrder(),
    parameters=ParameterList(
        order="shuffled",
        entries=(
            Integer(id=0x01, value=30_000),  # max_idle_timeout
            Integer(id=0x04, value=25_165_824),  # initial_max_data
            Integer(id=0x05, value=12_582_912),  # initial_max_stream_data_bidi_local
            Integer(id=0x06, value=1_048_576),  # initial_max_stream_data_bidi_remote
            Integer(id=0x07, value=1_048_576),  # initial_max_stream_data_uni
            Integer(id=0x08, value=16),  # initial_max_streams_bidi
            Integer(id=0x09, value=16),  # initial_max_streams_uni
            Integer(id=0x0B, value=20),  # max_ack_delay
            Opaque(id=0x0C),  # disable_active_migration
            Integer(id=0x0E, value=8),  # active_connection_id_limit
            SourceConnectionId(),
            VersionInformation(id=DRAFT_VERSION_INFORMATION, grease="first"),
            Integer(id=MIN_ACK_DELAY, value=1_000),
            Integer(id=MAX_DATAGRAM_FRAME_SIZE, value=1_200),
            Opaque(id=GREASE_QUIC_BIT),
        ),
    ),
    hello=HelloSpec(
        cipher_suites=(0x1301, 0x1303, 0x1302),
        extensions=(
            ServerName(),
            Raw(id=23),  # extended_master_secret
            Raw(id=65281, value=b"\0"),  # renegotiation_info
            SupportedGroups(groups=OLD_GROUPS),
            Alpn(),
            StatusRequest(),
            DelegatedCredentials(schemes=(0x0403, 0x0503, 0x0603, 0x0203)),
            KeyShare(groups=(0x001D,)),
            SupportedVersions(versions=(0x0304,)),
            SignatureAlgorithms(schemes=SIGNATURES),
            PskKeyExchangeModes(modes=(1,)),
            RecordSizeLimit(limit=16_385),
            QuicTransportParameters(),
            EarlyData(),
            Fill(size=512, above=255),
        ),
    ),
    http3=http3("116.0"),
)

PROFILES: Final = (FIREFOX_159, FIREFOX_ESR_153, FIREFOX_ESR_140, FIREFOX_116)
