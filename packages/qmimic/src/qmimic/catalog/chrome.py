"""Chrome and Chromium.

Structure and constants were measured on Debian's Chromium and compared with the rules of google/quiche and
BoringSSL. `google_connection_options` is an experiment's value: "ORIG" in builds without field trials.
"""

from dataclasses import replace
from typing import Final

from qcore.packing.habits import PacketHabits

from ..extensions import (
    Alpn,
    ApplicationSettings,
    CompressCertificate,
    EarlyData,
    EchGrease,
    ExtensionSpec,
    KeyShare,
    PskKeyExchangeModes,
    QuicTransportParameters,
    ServerName,
    SignatureAlgorithms,
    SupportedGroups,
    SupportedVersions,
    TrustAnchors,
)
from ..hello import HelloSpec
from ..http3 import Destination, Header, Http3Spec, ReservedFrame, ReservedSetting, Setting
from ..layouts import Chaos, MultiChaos
from ..profile import ClientProfile, EngineSpec, HeaderSpec, RecoverySpec
from ..transport_parameters import (
    GOOGLE_CONNECTION_OPTIONS,
    CachedRtt,
    Integer,
    Opaque,
    ParameterList,
    Reserved,
    SourceConnectionId,
    VersionInformation,
)

GOOGLE_VERSION: Final = 0x4752
DRAFT_VERSION_INFORMATION: Final = 0xFF73DB

HEADER: Final = HeaderSpec(
    destination_cid_size=8,
    source_cid_size=0,
    first_packet_number=1,
    packet_number_sizes=(1, 2, 1),
    shared_packet_numbers=True,
    datagram_size=1250,
    datagram_size_ipv6=1230,
    padding="packet",
)

RECOVERY: Final = RecoverySpec(
    initial_rtt=0.1,  # probes after 0.3, 0.9 and 2.1 seconds
    skip_before_probe=1,
    probe_relayout=True,
    probes_per_timeout=1,
    coalesce=True,
)

HABITS: Final = PacketHabits(
    spin="zero",
    omits_last_length=True,
    handshake_ack_threshold=2,
    handshake_ack_delay=0.001,
    reports_handshake_delay=True,
    answers_each_datagram=True,
    unanswered_number_size=2,
    ignores_first_gap=True,
    early_data="none",
    heeds_any_negotiation=True,
    silence_limit=4.0,
    silence_reason=("25:No recent network activity after {us}us. Timeout:4s num_undecryptable_packets: 0 {}"),
)

# In milliseconds; a third of the captured processes had just begun, and took their time.
GAPS_156: Final = (0.014, 0.017, 0.021, 0.029, 0.048, 0.057, 0.072, 0.154, 2.02, 10.1, 64.2)
GAPS_150: Final = (0.011, 0.014, 0.015, 0.018, 0.02, 0.021, 0.022, 0.03, 0.038, 0.059, 3.68)

ENGINE: Final = EngineSpec(
    ecn=False,
    pmtud=False,
    max_udp_payload=1472,
    token_needs_session=True,
    attempts=3,
    send_gaps=tuple(gap / 1000 for gap in GAPS_156),
)

# The roots that Chromium 156 ships with identifiers, in its order.
TRUST_ANCHORS_156: Final = tuple(
    bytes.fromhex(prefix + last)
    for prefix, lasts in (
        ("82df1302", "01 06 0d 0e 0f 12 13 14"),
        ("839a648c9b2d01", "07 08 09 0a 0b 0c 0d 12 13"),
        ("d67909", "01 04 05 06 07 08 0a 0b 0c 0d 0f"),
    )
    for last in lasts.split()
)

EXTENSIONS: Final[tuple[ExtensionSpec, ...]] = (
    ServerName(),
    SupportedGroups(groups=(0x11EC, 0x001D, 0x0017, 0x0018)),
    SignatureAlgorithms(
        schemes=(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201),
    ),
    Alpn(),
    SupportedVersions(versions=(0x0304,)),
    PskKeyExchangeModes(modes=(1,)),
    KeyShare(groups=(0x11EC, 0x001D)),
    CompressCertificate(algorithms=(2,)),
    ApplicationSettings(id=17613, protocols=("h3",)),
    QuicTransportParameters(),
    EchGrease(kdf=1, aeads=(1,), enc="x25519", payload_sizes=(144, 176, 208, 240)),
    EarlyData(),
)

PARAMETERS: Final = ParameterList(
    order="shuffled",
    entries=(
        Integer(id=0x01, value=30_000),  # max_idle_timeout
        Integer(id=0x03, value=1_472),  # max_udp_payload_size
        Integer(id=0x04, value=15_728_640),  # initial_max_data
        Integer(id=0x05, value=6_291_456),  # initial_max_stream_data_bidi_local
        Integer(id=0x06, value=6_291_456),  # initial_max_stream_data_bidi_remote
        Integer(id=0x07, value=6_291_456),  # initial_max_stream_data_uni
        Integer(id=0x08, value=100),  # initial_max_streams_bidi
        Integer(id=0x09, value=103),  # initial_max_streams_uni
        SourceConnectionId(),
        VersionInformation(grease="random"),
        Integer(id=0x20, value=65_536),  # max_datagram_frame_size
        Opaque(id=GOOGLE_CONNECTION_OPTIONS, value=b"ORIG"),
        Reserved(min_length=0, max_length=15),
        CachedRtt(),
    ),
)

# What Chromium's rule for invented brands is made of (user_agent_utils.cc).
GREASED_SIGNS: Final = (" ", "(", ":", "-", ".", "/", ")", ";", "=", "?", "_")
GREASED_VERSIONS: Final = ("8", "99", "24")
ORDERS_OF_TWO: Final = ((0, 1), (1, 0))
ORDERS_OF_THREE: Final = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))


def brands(major: int, brand: str | None) -> str:
    """The value of sec-ch-ua: an invented brand, Chromium, and the brand of the product if it has one."""
    signs = GREASED_SIGNS
    invented = f"Not{signs[major % 11]}A{signs[(major + 1) % 11]}Brand"
    listed = [f'"{invented}";v="{GREASED_VERSIONS[major % 3]}"', f'"Chromium";v="{major}"']
    order: tuple[int, ...] = ORDERS_OF_TWO[major % 2]
    if brand is not None:
        listed.append(f'"{brand}";v="{major}"')
        order = ORDERS_OF_THREE[major % 6]
    placed = dict(zip(order, listed, strict=True))
    return ", ".join(placed[place] for place in range(len(listed)))


def headers(major: int, brand: str | None) -> tuple[Header, ...]:
    """The fields of a page typed into the address bar, as captured, with "Chrome" where a headless one says so."""
    agent = (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        f"Chrome/{major}.0.0.0 Safari/537.36"
    )
    accept = (
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/jxl,image/avif,image/webp,"
        "image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"
    )
    fields = (
        ("sec-ch-ua", brands(major, brand)),
        ("sec-ch-ua-mobile", "?0"),
        ("sec-ch-ua-platform", '"Linux"'),
        ("upgrade-insecure-requests", "1"),
        ("user-agent", agent),
        ("accept", accept),
        ("sec-fetch-site", "none"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-user", "?1"),
        ("sec-fetch-dest", "document"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("accept-language", "en-US,en;q=0.9"),
        ("priority", "u=0, i"),
    )
    return tuple(Header(name=name, value=value) for name, value in fields)


def resource_headers(major: int, brand: str | None) -> tuple[Header, ...]:
    """The fields of what a page asks for."""
    known = {header.name: header for header in headers(major, brand)}
    values = (
        ("sec-ch-ua-platform", None),
        ("user-agent", None),
        ("sec-ch-ua", None),
        ("sec-ch-ua-mobile", None),
        ("accept", "{accept}"),
        ("sec-fetch-site", "{site}"),
        ("sec-fetch-mode", "{mode}"),
        ("sec-fetch-dest", "{destination}"),
        ("referer", "{referer}"),
        ("accept-encoding", None),
        ("accept-language", None),
        ("priority", "{priority}"),
    )
    return tuple(known[name] if value is None else Header(name=name, value=value) for name, value in values)


PICTURES: Final = "image/jxl,image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
DESTINATIONS: Final = (
    Destination(name="style", accept="text/css,*/*;q=0.1", mode="no-cors", priority="u=0"),
    Destination(name="script", accept="*/*", mode="no-cors", priority="u=1"),
    Destination(name="image", accept=PICTURES, mode="no-cors", priority="u=2, i"),
    Destination(name="empty", accept="*/*", mode="cors", priority="u=1, i"),
)

HTTP3: Final = Http3Spec(
    settings=(
        Setting(id=0x01, value=65_536),  # QPACK_MAX_TABLE_CAPACITY
        Setting(id=0x06, value=262_144),  # MAX_FIELD_SECTION_SIZE
        Setting(id=0x07, value=100),  # QPACK_BLOCKED_STREAMS
        Setting(id=0x33, value=1),  # H3_DATAGRAM
        ReservedSetting(id_bits=32, value_bits=32),
    ),
    reserved_frame=ReservedFrame(id_bits=32, min_length=0, max_length=3),
    stream_order=("control", "decoder", "encoder"),
    lazy_streams=("encoder", "decoder"),
    pseudo_headers=(":method", ":authority", ":scheme", ":path"),
    priority_update="u=0, i",
    qpack_insert="everything",
    qpack_capacity=65_536,
    requests_apart="each",
    headers=headers(156, None),
    resource_headers=resource_headers(156, None),
    destinations=DESTINATIONS,
)

CHROME_156: Final = ClientProfile(
    name="chrome-156",
    client="Chromium",
    version="156.0.8078.79",
    platform="Linux x86-64",
    provenance="captures of Debian's Chromium 156.0.8078.79, November 2026: 739 first flights over IPv4, 12 over IPv6",
    header=HEADER,
    layout=MultiChaos(),
    recovery=RECOVERY,
    habits=HABITS,
    engine=ENGINE,
    parameters=PARAMETERS,
    hello=HelloSpec(
        cipher_suites=(0x1301, 0x1302, 0x1303),
        permute=True,
        extensions=(*EXTENSIONS, TrustAnchors(ids=TRUST_ANCHORS_156)),
    ),
    http3=HTTP3,
)

CHROME_150: Final = replace(
    CHROME_156,
    name="chrome-150",
    version="150.0.7871.100",
    provenance="captures of Debian's Chromium 150.0.7871.100, November 2026: 120 first flights over IPv4",
    engine=replace(ENGINE, send_gaps=tuple(gap / 1000 for gap in GAPS_150)),
    hello=HelloSpec(cipher_suites=(0x1301, 0x1302, 0x1303), permute=True, extensions=EXTENSIONS),
    http3=replace(HTTP3, headers=headers(150, None), resource_headers=resource_headers(150, None)),
)

CHROME_146: Final = replace(
    CHROME_150,
    name="chrome-146",
    client="Chrome",
    version="146",
    platform="desktop",
    provenance="the public quic-fingerprint-conformance corpus: 67 connections; HTTP/3 as in Chromium 156",
    parameters=replace(
        PARAMETERS,
        entries=tuple(
            replace(entry, value=b"10AF")
            if isinstance(entry, Opaque) and entry.id == GOOGLE_CONNECTION_OPTIONS
            else entry
            for entry in PARAMETERS.entries
        ),
    ),
    http3=replace(
        HTTP3, headers=headers(146, "Google Chrome"), resource_headers=resource_headers(146, "Google Chrome")
    ),
)

OLD_EXTENSIONS: Final[tuple[ExtensionSpec, ...]] = (
    ServerName(),
    SupportedGroups(groups=(0x001D, 0x0017, 0x0018)),
    SignatureAlgorithms(
        schemes=(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201),
    ),
    Alpn(),
    SupportedVersions(versions=(0x0304,)),
    PskKeyExchangeModes(modes=(1,)),
    KeyShare(groups=(0x001D,)),
    CompressCertificate(algorithms=(2,)),
    ApplicationSettings(id=17513, protocols=("h3",)),
    QuicTransportParameters(),
    EarlyData(),
)

OLD_PARAMETERS: Final = ParameterList(
    order="shuffled",
    entries=(
        *(
            entry
            for entry in PARAMETERS.entries
            if not isinstance(entry, Opaque | VersionInformation | CachedRtt)
        ),
        VersionInformation(id=DRAFT_VERSION_INFORMATION, grease="random"),
        Opaque(id=GOOGLE_VERSION, value=b"\0\0\0\1"),
        Opaque(id=GOOGLE_CONNECTION_OPTIONS, value=b"RVCM"),
        CachedRtt(),
    ),
)

CHROME_115: Final = replace(
    CHROME_146,
    name="chrome-115",
    version="115",
    provenance="one connection of Chrome 113 in the public quic-fingerprint-conformance corpus; HTTP/3 not measured",
    layout=Chaos(),
    parameters=OLD_PARAMETERS,
    hello=HelloSpec(cipher_suites=(0x1301, 0x1302, 0x1303), permute=True, extensions=OLD_EXTENSIONS),
    http3=replace(
        HTTP3, headers=headers(115, "Google Chrome"), resource_headers=resource_headers(115, "Google Chrome")
    ),
)

PROFILES: Final = (CHROME_156, CHROME_150, CHROME_146, CHROME_115)
