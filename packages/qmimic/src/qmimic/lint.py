"""What in a profile would give it away or break: found before anything is dialled.

Looks at the profile's data, and at flights drawn from it, fresh and resumed, over both IP families, with short and
long server names. An error would break a connection or can be recognised from one flight; a warning is something
that no client is known to do, or that a peer may trip over.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from qcore.errors import UsageError
from qtls import constants as tls
from qtls.cert_compression import available
from qtls.key_exchange import IMPLEMENTED
from qwire.constants import VERSION_1, VERSION_2, parameter_name
from qwire.errors import DecodeError
from qwire.transport_parameters import TransportParameters

from . import grease
from .draw import Family, draw_flows
from .extensions import (
    ApplicationSettings,
    CompressCertificate,
    Extension,
    KeyShare,
    Raw,
    SignatureAlgorithms,
)
from .fingerprint import Fingerprint, fingerprint
from .hello import HelloSpec
from .profile import ClientProfile, HeaderSpec
from .tokens import FixedToken, RandomToken
from .transport_parameters import GOOGLE_INITIAL_RTT, Integer, Opaque, ParameterList

Severity = Literal["error", "warning"]

VERSIONS: Final = (VERSION_1, VERSION_2)
#: Draws of each kind that are looked at: enough for what is drawn from a handful of values.
DRAWS: Final = 5
LONG_NAME: Final = ".".join(("a" * 63, "b" * 63, "c" * 63, "d" * 57, "com"))
NAMES: Final = ("a.example", "www.example.com", LONG_NAME)

#: Ids that happen to be of the form 31 * N + 27 and mean something: min_ack_delay.
ASSIGNED: Final = frozenset((0xFF02DE1A,))
VERSION_INFORMATION_IDS: Final = (0x11, 0xFF73DB)
#: Parameters without which no stream of that kind can be used; absent means 0 (RFC 9000 §18.2).
CREDIT: Final = {
    0x04: "nothing may be sent to it",
    0x05: "no response can be received",
    0x07: "HTTP/3's control and QPACK streams cannot be received",
    0x09: "HTTP/3's control and QPACK streams cannot be opened to it",
}
HTTP3_UNI_STREAMS: Final = 3  # RFC 9114 §6.2
REQUIRED_EXTENSIONS: Final = {
    tls.EXT_SUPPORTED_GROUPS: "supported_groups",
    tls.EXT_SIGNATURE_ALGORITHMS: "signature_algorithms",
    tls.EXT_ALPN: "application_layer_protocol_negotiation",
    tls.EXT_SUPPORTED_VERSIONS: "supported_versions",
    tls.EXT_KEY_SHARE: "key_share",
    tls.EXT_QUIC_TRANSPORT_PARAMETERS: "quic_transport_parameters",
}
#: Extensions that change the handshake: sent as raw bytes, nothing stands behind them.
NOT_RAW: Final = {
    35: "session_ticket, which TLS 1.3 does not use",
    41: "pre_shared_key, whose binders have to be computed",
    42: "early_data, which is only sent with a session",
    44: "cookie, which only a HelloRetryRequest brings",
}
APPLICATION_SETTINGS_IDS: Final = (17_513, 17_613)
SUITES: Final = (0x1301, 0x1302, 0x1303)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: how bad, a short name of the kind, and what exactly."""

    severity: Severity
    kind: str
    message: str


def lint(profile: ClientProfile) -> list[Finding]:
    """Everything that is found, errors first, each once."""
    found = [
        *check_header(profile.header),
        *check_hello(profile.hello),
        *check_constants(profile.parameters),
        *check_flights(profile),
    ]
    unique: dict[Finding, Finding] = {}
    for finding in found:
        unique.setdefault(without_draw(finding), finding)
    return sorted(unique.values(), key=lambda finding: (finding.severity != "error", finding.kind))


def without_draw(finding: Finding) -> Finding:
    """The same without a number that other draws have otherwise: one example of it is enough."""
    if not finding.message.startswith("version 0x"):
        return finding
    return replace(finding, message=finding.message.partition(" is ")[2])


def check_flights(profile: ClientProfile) -> Iterator[Finding]:
    """Draw flights of every kind and look at them."""
    kinds: tuple[tuple[Family, bool, tuple[str, ...]], ...] = (
        (4, False, NAMES),
        (6, False, (LONG_NAME,)),
        (4, True, (LONG_NAME,)),
        (6, True, (LONG_NAME,)),
    )
    for family, resumed, names in kinds:
        for name in names:
            where = f"IPv{family}, {'resumed' if resumed else 'fresh'}, {len(name)}-byte name"
            try:
                flows = list(
                    draw_flows(
                        profile, seed=1, count=DRAWS, server_names=[name], family=family, resumed=resumed
                    )
                )
            except (UsageError, ValueError) as error:
                yield Finding("error", "overflow", f"cannot be sent ({where}): {error}")
                continue
            payloads = [data for flow in flows for data in flow.payloads]
            sizes = allowed_sizes(profile, family)
            others = sorted({len(data) for data in payloads} - sizes)
            if others:
                expected = " or ".join(map(str, sorted(sizes)))
                yield Finding(
                    "error", "overflow", f"datagrams of {others} bytes instead of {expected} ({where})"
                )
            found = fingerprint(payloads, any_pn=True, versions=VERSIONS)
            if len(found) != len(flows):
                yield Finding(
                    "error", "unreadable", f"first flights that no observer can put together ({where})"
                )
            for item in found:
                yield from check_wire(profile, item)


def allowed_sizes(profile: ClientProfile, family: Family) -> set[int]:
    """The sizes that datagrams of a first flight may have."""
    header = profile.header
    less = 0 if family == 4 else header.datagram_size - header.datagram_size_ipv6
    return {size - less for size in (*header.first_datagram_sizes, header.datagram_size)}


def check_header(header: HeaderSpec) -> Iterator[Finding]:
    """What the headers of Initial packets say."""
    if isinstance(header.token, FixedToken | RandomToken):
        yield Finding(
            "warning",
            "token",
            "is made up: no server knows it, and one that looks answers with Retry or not at all (RFC 9000 §8.1.3)",
        )


def check_wire(profile: ClientProfile, item: Fingerprint) -> Iterator[Finding]:
    """One flight as an observer sees it."""
    yield from check_parameters(profile, item.parameters)
    hello = item.hello
    for number, name in REQUIRED_EXTENSIONS.items():
        if number not in hello.extension_ids:
            yield Finding("error", "missing extension", f"{name} is not sent")
    for kind, values in (
        ("cipher suite", hello.cipher_suites),
        ("extension", hello.extension_ids),
        ("group", hello.groups),
        ("TLS version", hello.supported_versions),
        ("key share group", [group for group, _ in hello.key_shares]),
    ):
        for value in values:
            if looks_reserved(value):
                yield Finding(
                    "error",
                    "malformed GREASE",
                    f"{kind} 0x{value:04x} is like a reserved value, but not one of 0x0a0a to 0xfafa",
                )
        repeated = sorted({value for value in values if values.count(value) > 1})
        if repeated and kind != "cipher suite":
            listed = ", ".join(f"0x{value:04x}" for value in repeated)
            yield Finding("error", "repeated", f"{kind} {listed} is sent twice")
    if hello.session_id:
        yield Finding("error", "session id", "legacy_session_id is not empty (RFC 9001 §8.4)")
    shares = [group for group, _ in hello.key_shares]
    if not set(shares) <= set(hello.groups):
        yield Finding("error", "key shares", "a key share for a group that supported_groups does not list")


def looks_reserved(value: int) -> bool:
    """Of the form 0x?a?a, but with two different digits."""
    return value & 0x0F0F == 0x0A0A and not grease.is_tls_value(value)


def check_parameters(profile: ClientProfile, parameters: TransportParameters) -> Iterator[Finding]:
    """The transport parameters of one flight."""
    ids = [entry.id for entry in parameters.entries]
    repeated = sorted({f"{parameter_name(number)} (0x{number:x})" for number in ids if ids.count(number) > 1})
    if repeated:
        yield Finding("error", "repeated", f"parameter sent twice (RFC 9000 §7.4): {', '.join(repeated)}")
    reserved = [number for number in ids if grease.is_parameter(number)]
    if len(reserved) > 1:
        yield Finding(
            "error",
            "double id 27",
            f"{len(reserved)} parameters of the form 31 * N + 27, where observers know one for each client",
        )
    if grease.CANONICAL_PARAMETER in ids:
        yield Finding("error", "malformed GREASE", "parameter id 27 itself: no client draws the smallest one")
    try:
        parameters.validate(is_client=True)
    except DecodeError as error:
        yield Finding("error", "invalid parameter", str(error))
    if parameters.get(0x0F) is None:
        yield Finding(
            "error", "missing parameter", "initial_source_connection_id is mandatory (RFC 9000 §7.3)"
        )
    for number, consequence in CREDIT.items():
        if not integer_of(parameters, number):
            severity: Severity = "error" if "h3" in profile.alpn else "warning"
            yield Finding(
                severity, "missing parameter", f"{parameter_name(number)} is absent or 0: {consequence}"
            )
    yield from check_limits(profile, parameters)
    yield from check_versions(profile, parameters)


def check_limits(profile: ClientProfile, parameters: TransportParameters) -> Iterator[Finding]:
    """What is advertised against what the engine of this stack will do."""
    engine = profile.engine
    try:
        datagram = parameters.max_datagram_frame_size
        udp = parameters.max_udp_payload_size
        delay = parameters.max_ack_delay
        exponent = parameters.ack_delay_exponent
        idle = parameters.max_idle_timeout
        uni = parameters.initial_max_streams_uni
    except DecodeError:
        return  # named by validate
    if datagram and not engine.datagrams:
        yield Finding(
            "error",
            "unkept limit",
            f"max_datagram_frame_size {datagram} is advertised, DATAGRAM is switched off",
        )
    if not datagram and engine.datagrams and parameters.get(0x20) is None and profile.parameters is not None:
        yield Finding("warning", "unkept limit", "DATAGRAM is switched on and not advertised")
    if udp > 65_527:
        yield Finding("warning", "unkept limit", f"max_udp_payload_size {udp} is more than UDP can carry")
    own_delay = round(profile.recovery.max_ack_delay * 1000)
    if own_delay > delay:
        yield Finding(
            "error",
            "unkept limit",
            f"max_ack_delay {delay} ms is advertised, acknowledgements wait up to {own_delay} ms",
        )
    if exponent > 20:
        yield Finding("error", "invalid parameter", f"ack_delay_exponent {exponent} is above 20")
    own_idle = round(engine.idle_timeout * 1000)
    if idle and own_idle and own_idle != idle:
        yield Finding(
            "warning",
            "unkept limit",
            f"max_idle_timeout {idle} ms is advertised, the engine has {own_idle} ms",
        )
    if uni and uni < HTTP3_UNI_STREAMS and "h3" in profile.alpn:
        yield Finding("error", "unkept limit", f"initial_max_streams_uni {uni} is less than HTTP/3 needs")
    if not integer_of(parameters, 0x0E) and parameters.get(0x0E) is not None:
        yield Finding("error", "invalid parameter", "active_connection_id_limit is below 2")


def integer_of(parameters: TransportParameters, number: int) -> int:
    """An integer parameter, or 0 where it is absent or malformed."""
    names = {
        0x04: "initial_max_data",
        0x05: "initial_max_stream_data_bidi_local",
        0x07: "initial_max_stream_data_uni",
        0x09: "initial_max_streams_uni",
        0x0E: "active_connection_id_limit",
    }
    try:
        value: int = getattr(parameters, names[number])
    except DecodeError:
        return 0
    return value


def check_versions(profile: ClientProfile, parameters: TransportParameters) -> Iterator[Finding]:
    """version_information, RFC 9368, under the id it has and the one that drafts gave it."""
    values = [(number, parameters.get(number)) for number in VERSION_INFORMATION_IDS]
    present = [(number, value) for number, value in values if value is not None]
    if len(present) == 2:
        yield Finding("error", "version_information", "sent under the id of the RFC and that of drafts")
    for number, value in present:
        if number == 0xFF73DB and is_recent(profile):
            yield Finding(
                "error",
                "version_information",
                "sent under the id of drafts, 0xff73db, which clients of this hello's time have left for 0x11",
            )
        if len(value) % 4 or len(value) < 4:
            yield Finding("error", "version_information", f"{len(value)} bytes are no list of versions")
            continue
        versions = [int.from_bytes(value[start : start + 4], "big") for start in range(0, len(value), 4)]
        if versions[0] not in profile.engine.versions:
            yield Finding(
                "error",
                "version_information",
                f"chosen version 0x{versions[0]:08x} is not one that is spoken",
            )
        if versions[0] not in versions[1:]:
            yield Finding(
                "error", "version_information", "the chosen version is not among the available ones"
            )
        for version in versions[1:]:
            if version in VERSIONS or grease.is_version(version):
                if version in VERSIONS and version not in profile.engine.versions:
                    yield Finding(
                        "error", "version_information", f"version 0x{version:08x} is offered and not spoken"
                    )
                continue
            yield Finding(
                "error",
                "malformed GREASE",
                f"version 0x{version:08x} is neither known nor of the form 0x?a?a?a?a (RFC 9000 §15)",
            )


def is_recent(profile: ClientProfile) -> bool:
    """Whether the hello is one of 2024 or later: a hybrid group, or ALPS under its new number."""
    hello = profile.hello
    if hello is None:
        return True
    return tls.X25519MLKEM768 in hello.groups or any(
        isinstance(item, ApplicationSettings) and item.id == 17_613 for item in hello.extensions
    )


def check_constants(parameters: ParameterList | None) -> Iterator[Finding]:
    """Parameters that are sent as constants, and are none."""
    for entry in parameters.entries if parameters is not None else ():
        if isinstance(entry, Integer | Opaque) and entry.id == GOOGLE_INITIAL_RTT:
            yield Finding(
                "error",
                "cached round trip",
                "google_initial_rtt is sent always; Chrome sends it to servers whose round trip it has measured",
            )


def check_hello(hello: HelloSpec | None) -> Iterator[Finding]:
    """What a server could choose from the ClientHello and this stack could not do."""
    if hello is None:
        return
    strange = [suite for suite in hello.real_suites if suite not in SUITES]
    if strange:
        yield Finding("error", "cipher suites", f"not implemented: {listed(strange)}")
    for group in hello.groups:
        if group not in IMPLEMENTED and not looks_reserved(group):
            yield Finding(
                "warning",
                "groups",
                f"0x{group:04x} is offered and not implemented: a server that insists on it ends the handshake",
            )
    for extension in hello.extensions:
        yield from check_extension(extension)


def check_extension(extension: Extension) -> Iterator[Finding]:
    """One extension by itself."""
    if isinstance(extension, CompressCertificate):
        missing = [number for number in extension.algorithms if number not in available()]
        if missing:
            yield Finding(
                "error", "certificate compression", f"offered and not implemented here: {listed(missing)}"
            )
    elif isinstance(extension, KeyShare):
        strange = [
            group for group in extension.groups if group not in IMPLEMENTED and not grease.is_tls_value(group)
        ]
        if strange:
            yield Finding("error", "key shares", f"no key can be made for {listed(strange)}")
    elif isinstance(extension, SignatureAlgorithms):
        if not extension.schemes:
            yield Finding("error", "signature algorithms", "the list is empty")
    elif isinstance(extension, ApplicationSettings):
        if extension.id not in APPLICATION_SETTINGS_IDS:
            yield Finding(
                "error", "application settings", f"{extension.id} is no number that ALPS has had over QUIC"
            )
    elif isinstance(extension, Raw):
        if extension.id in NOT_RAW:
            yield Finding("error", "raw extension", f"{extension.id} is {NOT_RAW[extension.id]}")
        elif extension.id in REQUIRED_EXTENSIONS:
            yield Finding(
                "warning",
                "raw extension",
                f"{REQUIRED_EXTENSIONS[extension.id]} is sent as constant bytes, the same on every connection",
            )


def listed(values: Sequence[int]) -> str:
    """Numbers in hexadecimal, for a message."""
    return ", ".join(f"0x{value:04x}" for value in values)
