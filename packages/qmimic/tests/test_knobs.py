"""Every field of a profile reaches the wire, or the configuration that later behaviour follows."""

import pickle
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from qcore.packing.habits import PacketHabits
from qmimic.catalog import BUILT_IN, profile
from qmimic.draw import draw_flows
from qmimic.extensions import (
    ApplicationSettings,
    CompressCertificate,
    DelegatedCredentials,
    EarlyData,
    EchGrease,
    Fill,
    Grease,
    KeyShare,
    PskKeyExchangeModes,
    Raw,
    RecordSizeLimit,
    SignatureAlgorithms,
    StatusRequest,
    SupportedGroups,
    SupportedVersions,
    TrustAnchors,
)
from qmimic.hello import HelloSpec
from qmimic.http3 import Http3Spec, Setting
from qmimic.layouts import (
    Chaos,
    Chunked,
    Halving,
    MultiChaos,
    NameCut,
    Pinned,
    PinnedDatagram,
    Scattered,
    ScatteredDatagram,
    SniSlicing,
)
from qmimic.neqo import NeqoCidSize, NeqoPacketNumber
from qmimic.profile import ClientProfile, EngineSpec, HeaderSpec, RecoverySpec
from qmimic.randomness import SeededBytes
from qmimic.sizes import NumberChoice, SizeChoice
from qmimic.tokens import FixedToken, RandomToken
from qmimic.transport_parameters import (
    CachedRtt,
    Integer,
    Opaque,
    ParameterList,
    Reserved,
    SourceConnectionId,
    VersionInformation,
)

BASE = profile("chrome-156")
OLD = profile("firefox-116")
assert BASE.parameters is not None
ENTRIES = BASE.parameters.entries


def flights(chosen: ClientProfile, *, family: Any = 4, resumed: bool = False) -> list[list[bytes]]:
    drawn = draw_flows(
        chosen, seed=3, count=6, server_names=["www.example.com"], family=family, resumed=resumed
    )
    return [flow.payloads for flow in drawn]


def with_header(**changes: Any) -> ClientProfile:
    return replace(BASE, header=replace(BASE.header, **changes))


def with_layout(**changes: Any) -> ClientProfile:
    assert isinstance(BASE.layout, MultiChaos)
    return replace(BASE, layout=replace(BASE.layout, **changes))


def with_hello(**changes: Any) -> ClientProfile:
    assert BASE.hello is not None
    return replace(BASE, hello=replace(BASE.hello, **changes))


def with_parameters(*entries: Any, order: Any = "shuffled") -> ClientProfile:
    assert BASE.parameters is not None
    return replace(BASE, parameters=ParameterList(order=order, entries=entries or BASE.parameters.entries))


def pinned(*frames: str) -> ClientProfile:
    rest = "crypto 901:" if ":901" in frames[0] else "crypto 900:"
    first, second = PinnedDatagram(frames=(*frames, "padding")), PinnedDatagram(frames=(rest, "padding"))
    return replace(BASE, layout=Pinned(datagrams=(first, second)))


def name_cut(**changes: Any) -> ClientProfile:
    return replace(with_hello(permute=False), layout=NameCut(**changes))


def scattered(**changes: Any) -> ClientProfile:
    drawn = {"max_crypto": 6, "max_pings": 5, "max_paddings": 4}
    rule = ScatteredDatagram(**{**drawn, **changes})
    rest = replace(rule, ranges=("1000:",)) if rule.ranges else rule
    return replace(BASE, layout=Scattered(datagrams=(rule, rest)))


def old_with(fill: Fill) -> ClientProfile:
    assert OLD.hello is not None
    extensions = tuple(item for item in OLD.hello.extensions if not isinstance(item, Fill))
    return replace(OLD, hello=replace(OLD.hello, extensions=(*extensions, fill)))


def with_extension(extension: Any) -> ClientProfile:
    """The base with one extension in place of its kind, or added."""
    assert BASE.hello is not None
    others = tuple(item for item in BASE.hello.extensions if type(item) is not type(extension))
    return with_hello(extensions=(*others, extension))


def added(entry: Any) -> ClientProfile:
    assert BASE.parameters is not None
    return with_parameters(*BASE.parameters.entries, entry)


SCATTERED: dict[str, dict[str, Any]] = {
    "ranges": {"ranges": (":1000",)},
    "crypto": {"crypto": 800},
    "min_crypto": {"min_crypto": 5},
    "max_crypto": {"max_crypto": 3},
    "min_pings": {"min_pings": 4},
    "max_pings": {"max_pings": 1},
    "min_paddings": {"min_paddings": 3},
    "max_paddings": {"max_paddings": 1},
    "fill": {"fill": False, "min_paddings": 3},
    "length": {"length": 1100},
}
FIRST_FLIGHT = {
    "header.destination_cid_size": (with_header(), with_header(destination_cid_size=12)),
    "header.source_cid_size": (with_header(), with_header(source_cid_size=3)),
    "header.first_packet_number": (with_header(), with_header(first_packet_number=7)),
    "header.packet_number_sizes": (with_header(), with_header(packet_number_sizes=(2, 2))),
    "header.packet_number_skips": (with_header(), with_header(packet_number_skips=(3,))),
    "header.first_datagram_sizes": (with_header(), with_header(first_datagram_sizes=(1300, 1251))),
    "header.token": (with_header(), with_header(token=FixedToken(value=b"t"))),
    "FixedToken.value": (
        with_header(token=FixedToken(value=b"t")),
        with_header(token=FixedToken(value=b"u")),
    ),
    "RandomToken.size": (with_header(token=RandomToken(size=9)), with_header(token=RandomToken(size=8))),
    "RandomToken.prefix": (
        with_header(token=RandomToken(size=9)),
        with_header(token=RandomToken(size=9, prefix=b"p")),
    ),
    "NumberChoice.smallest": (
        with_header(first_packet_number=NumberChoice(smallest=0, largest=200)),
        with_header(first_packet_number=NumberChoice(smallest=190, largest=200)),
    ),
    "NumberChoice.largest": (
        with_header(first_packet_number=NumberChoice(smallest=0, largest=200)),
        with_header(first_packet_number=NumberChoice(smallest=0, largest=10)),
    ),
    "header, drawn source": (
        with_header(),
        with_header(source_cid_size=SizeChoice(smallest=3, largest=9)),
    ),
    "header.datagram_size": (with_header(), with_header(datagram_size=1300)),
    "header.padding": (with_header(), with_header(padding="datagram", datagram_size=1400)),
    "header.length_size": (with_header(), with_header(length_size=4)),
    "header, drawn size": (with_header(), with_header(destination_cid_size=NeqoCidSize())),
    "NeqoCidSize.smallest": (
        with_header(destination_cid_size=NeqoCidSize()),
        with_header(destination_cid_size=NeqoCidSize(smallest=18)),
    ),
    "header, drawn number": (
        with_header(packet_number_sizes=(2,)),
        with_header(packet_number_sizes=(2,), first_packet_number=NeqoPacketNumber()),
    ),
    "layout": (BASE, replace(BASE, layout=SniSlicing())),
    "MultiChaos.min_head": (with_layout(), with_layout(min_head=100)),
    "MultiChaos.head_span": (with_layout(), with_layout(head_span=200)),
    "Chaos.min_cuts": (with_layout(), with_layout(chaos=Chaos(min_cuts=9))),
    "Chaos.max_cuts": (with_layout(), with_layout(chaos=Chaos(max_cuts=3))),
    "Chaos.min_pings": (with_layout(), with_layout(chaos=Chaos(min_pings=9))),
    "Chaos.max_pings": (with_layout(), with_layout(chaos=Chaos(max_pings=3))),
    "alpn": (BASE, replace(BASE, alpn=("h3", "hq-interop"))),
    "hello.cipher_suites": (BASE, with_hello(cipher_suites=(0x1303, 0x1301))),
    "hello.permute": (BASE, with_hello(permute=False)),
    "hello.session_id_size": (BASE, with_hello(session_id_size=32)),
    "SupportedGroups.groups": (BASE, with_extension(SupportedGroups(groups=(0x11EC, 0x001D, 0x0017)))),
    "SignatureAlgorithms.schemes": (BASE, with_extension(SignatureAlgorithms(schemes=(0x0403, 0x0804)))),
    "reserved version": (BASE, with_extension(SupportedVersions(versions=(0x0A0A, 0x0304)))),
    "SupportedVersions.versions": (BASE, with_extension(SupportedVersions(versions=(0x0304, 0x0303)))),
    "PskKeyExchangeModes.modes": (BASE, with_extension(PskKeyExchangeModes(modes=(1, 0)))),
    "KeyShare.groups": (BASE, with_extension(KeyShare(groups=(0x001D,)))),
    "KeyShare.share_x25519": (BASE, with_extension(KeyShare(groups=(0x11EC, 0x001D), share_x25519=True))),
    "CompressCertificate.algorithms": (BASE, with_extension(CompressCertificate(algorithms=(1, 2)))),
    "ApplicationSettings.id": (BASE, with_extension(ApplicationSettings(id=17513))),
    "ApplicationSettings.protocols": (
        replace(BASE, alpn=("h3", "x")),
        replace(with_extension(ApplicationSettings(protocols=("x",))), alpn=("h3", "x")),
    ),
    "EchGrease.kdf": (BASE, with_extension(EchGrease(kdf=2, payload_sizes=(144,)))),
    "EchGrease.aeads": (BASE, with_extension(EchGrease(aeads=(1, 3), payload_sizes=(144, 176, 208, 240)))),
    "EchGrease.enc": (BASE, with_extension(EchGrease(enc="x25519", payload_sizes=(144,)))),
    "EchGrease.enc_size": (BASE, with_extension(EchGrease(enc_size=65, payload_sizes=(144,)))),
    "EchGrease.payload_sizes": (BASE, with_extension(EchGrease(payload_sizes=(239,)))),
    "TrustAnchors.ids": (BASE, with_extension(TrustAnchors(ids=(b"\1\2",)))),
    "TrustAnchors.shuffled": (
        with_extension(TrustAnchors(ids=(b"\1\2", b"\3"))),
        with_extension(TrustAnchors(ids=(b"\1\2", b"\3"), shuffled=True)),
    ),
    "DelegatedCredentials": (BASE, with_extension(DelegatedCredentials(schemes=(0x0403,)))),
    "DelegatedCredentials.schemes": (
        with_extension(DelegatedCredentials(schemes=(0x0403,))),
        with_extension(DelegatedCredentials(schemes=(0x0503,))),
    ),
    "RecordSizeLimit.limit": (
        with_extension(RecordSizeLimit(limit=16_385)),
        with_extension(RecordSizeLimit(limit=4_001)),
    ),
    "StatusRequest": (BASE, with_extension(StatusRequest())),
    "Raw.id": (with_extension(Raw(id=0x5500)), with_extension(Raw(id=0x5501))),
    "Raw.value": (with_extension(Raw(id=0x5500)), with_extension(Raw(id=0x5500, value=b"x"))),
    "Grease": (BASE, with_extension(Grease())),
    "Grease.min_size": (with_extension(Grease()), with_extension(Grease(min_size=3, max_size=3))),
    "Grease.zeros": (
        with_extension(Grease(min_size=3, max_size=3)),
        with_extension(Grease(min_size=3, max_size=3, zeros=True)),
    ),
    "Fill": (OLD, old_with(Fill(size=500))),
    "Fill.size": (OLD, old_with(Fill(size=500))),
    "Fill.above": (OLD, old_with(Fill(above=500))),
    "PinnedDatagram.frames": (pinned("crypto :900"), pinned("crypto :901")),
    "Pinned.datagrams": (pinned("crypto :900"), pinned("crypto :900", "ping")),
    **{
        f"ScatteredDatagram.{name}": (scattered(), scattered(**changes))
        for name, changes in SCATTERED.items()
    },
    "Scattered.datagrams": (
        scattered(),
        replace(BASE, layout=Scattered(datagrams=(ScatteredDatagram(), ScatteredDatagram()))),
    ),
    "parameters.tail": (
        with_parameters(order="shuffled"),
        replace(BASE, parameters=ParameterList(order="shuffled", tail=5, entries=ENTRIES)),
    ),
    "pinned": (with_extension(StatusRequest()), with_extension(StatusRequest(pinned=True))),
    "parameters.suppressed": (
        BASE,
        replace(BASE, parameters=ParameterList(suppressed=(1,), order="shuffled", entries=ENTRIES)),
    ),
    "parameters.suppressed, reserved": (
        BASE,
        replace(BASE, parameters=ParameterList(suppressed=(27,), order="shuffled", entries=ENTRIES)),
    ),
    "parameters.order": (BASE, with_parameters(order="ascending")),
    "Integer.id": (added(Integer(id=0x4000, value=5)), added(Integer(id=0x4001, value=5))),
    "Integer.value": (added(Integer(id=0x4000, value=5)), added(Integer(id=0x4000, value=6))),
    "Integer.size": (added(Integer(id=0x4000, value=5)), added(Integer(id=0x4000, value=5, size=2))),
    "Opaque.id": (added(Opaque(id=0x4000)), added(Opaque(id=0x4001))),
    "Opaque.value": (added(Opaque(id=0x4000)), added(Opaque(id=0x4000, value=b"x"))),
    "Opaque.drawn": (
        added(Opaque(id=0x4000, value=b"x")),
        added(Opaque(id=0x4000, value=b"x", drawn=b"\x0f")),
    ),
    "Opaque.id_size": (added(Opaque(id=0x4000)), added(Opaque(id=0x4000, id_size=8))),
    "Opaque.length_size": (added(Opaque(id=0x4000)), added(Opaque(id=0x4000, length_size=2))),
    "Reserved.min_length": (with_parameters(Reserved()), with_parameters(Reserved(min_length=15))),
    "Reserved.id_bits": (with_parameters(Reserved()), with_parameters(Reserved(id_bits=8))),
    "SizeChoice.smallest": (
        with_header(destination_cid_size=SizeChoice(smallest=8, largest=12)),
        with_header(destination_cid_size=SizeChoice(smallest=9, largest=12)),
    ),
    "SizeChoice.largest": (
        with_header(destination_cid_size=SizeChoice(smallest=8, largest=12)),
        with_header(destination_cid_size=SizeChoice(smallest=8, largest=13)),
    ),
    "NameCut.mixed": (name_cut(), name_cut(mixed=False)),
    "NameCut.padding": (name_cut(), name_cut(padding="back")),
    **{
        f"Halving.{name}": (
            replace(with_hello(permute=False), layout=Halving()),
            replace(with_hello(permute=False), layout=Halving(**{name: value})),
        )
        for name, value in {"cuts": 3, "largest_gap": 1}.items()
    },
    "Chunked.size": (replace(BASE, layout=Chunked(size=800)), replace(BASE, layout=Chunked(size=801))),
    "Reserved.max_length": (with_parameters(Reserved()), with_parameters(Reserved(max_length=0))),
    "VersionInformation.id": (
        added(VersionInformation(id=0x4000)),
        added(VersionInformation(id=0xFF73DB)),
    ),
    "VersionInformation.chosen": (
        added(VersionInformation(id=0x4000)),
        added(VersionInformation(id=0x4000, chosen=2)),
    ),
    "VersionInformation.available": (
        added(VersionInformation(id=0x4000)),
        added(VersionInformation(id=0x4000, available=(1, 2))),
    ),
    "VersionInformation.grease": (
        added(VersionInformation(id=0x4000)),
        added(VersionInformation(id=0x4000, grease="first")),
    ),
    "SourceConnectionId.id": (added(SourceConnectionId(id=0x4000)), added(SourceConnectionId(id=0x4001))),
}


@pytest.mark.parametrize("name", FIRST_FLIGHT)
def test_a_changed_field_changes_the_flight(name: str) -> None:
    before, after = FIRST_FLIGHT[name]

    assert before != after
    assert flights(before) != flights(after)


def test_a_field_for_ipv6_changes_flights_over_ipv6_only() -> None:
    changed = with_header(datagram_size_ipv6=1240)

    assert flights(BASE) == flights(changed)
    assert flights(BASE, family=6) != flights(changed, family=6)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(
            with_hello(extensions=tuple(i for i in BASE.hello.extensions if not isinstance(i, EarlyData))),  # type: ignore[union-attr] # the profile has a hello
            id="EarlyData",
        ),
        pytest.param(added(CachedRtt(id=0x4000)), id="CachedRtt"),
    ],
)
def test_a_field_for_resumption_changes_resumed_flights_only(changed: ClientProfile) -> None:
    sizes = [[len(data) for data in flight] for flight in flights(changed)]

    assert [[1250, 1250]] * 6 == sizes
    assert flights(BASE, resumed=True) != flights(changed, resumed=True)


RECOVERY: dict[str, Any] = {
    "initial_rtt": 0.2,
    "skip_before_probe": 0,
    "probe_relayout": False,
    "probes_per_timeout": 2,
    "coalesce": False,
    "max_ack_delay": 0.02,
}
ENGINE: dict[str, Any] = {
    "versions": (1, 0x6B3343CF),
    "idle_timeout": 5.0,
    "handshake_timeout": 5.0,
    "ecn": True,
    "pmtud": True,
    "datagrams": False,
    "max_udp_payload": 1300,
    "connected_socket": False,
}
HTTP3: dict[str, Any] = {
    "settings": (Setting(id=1, value=0),),
    "reserved_frame": None,
    "stream_order": ("control", "encoder", "decoder"),
    "lazy_streams": (),
    "pseudo_headers": (":method", ":path", ":scheme", ":authority"),
    "priority_update": None,
    "qpack_insert": "nothing",
    "qpack_only": ("user-agent",),
    "qpack_capacity": 0,
    "qpack_eager": True,
    "qpack_last": True,
    "streams_apart": True,
    "requests_apart": "first",
}
HABITS: dict[str, Any] = {
    "spin": "random",
    "omits_last_length": False,
    "handshake_ack_threshold": 1,
    "handshake_ack_delay": 0.0,
    "reports_handshake_delay": False,
    "answers_each_datagram": False,
    "acks_before_finished": True,
    "repeats_hello": True,
    "unanswered_number_size": 0,
    "early_data": "any",
    "ignores_first_gap": False,
    "issues_early": True,
    "smallest_cut": 1,
    "answers_close": True,
    "streams_by_number": True,
    "pads_last": True,
    "heeds_any_negotiation": False,
    "silence_limit": 1.0,
    "silence_reason": "",
}
assert BASE.http3 is not None
CONFIGURATION = {
    "header.shared_packet_numbers": with_header(shared_packet_numbers=False),
    **{
        f"recovery.{name}": replace(BASE, recovery=replace(BASE.recovery, **{name: value}))
        for name, value in RECOVERY.items()
    },
    **{
        f"habits.{name}": replace(BASE, habits=replace(BASE.habits, **{name: value}))
        for name, value in HABITS.items()
    },
    **{
        f"engine.{name}": replace(BASE, engine=replace(BASE.engine, **{name: value}))
        for name, value in ENGINE.items()
    },
    **{
        f"http3.{name}": replace(BASE, http3=replace(BASE.http3, **{name: value}))
        for name, value in HTTP3.items()
    },
}


@pytest.mark.parametrize("name", CONFIGURATION)
def test_a_changed_field_changes_the_configuration(name: str) -> None:
    def drawn(chosen: ClientProfile) -> Any:
        result = chosen.draw(SeededBytes(1))
        return replace(result, quic=replace(result.quic, random=bytes))

    assert drawn(BASE) != drawn(CONFIGURATION[name])


COVERED = {
    *FIRST_FLIGHT,
    *CONFIGURATION,
    "header.datagram_size_ipv6",
    "NeqoPacketNumber",
    "CachedRtt.id",
    "MultiChaos.chaos",
    "hello.extensions",
    "parameters.entries",
    "Grease.max_size",
    "engine.token_needs_session",  # test_memory
    "engine.resumes_version",  # test_profile
    "engine.send_gaps",  # test_draw
    "engine.attempts",  # test_profiles among the tests of interoperability
    "EchGrease.resumed_payload_sizes",  # test_firefox
    "http3.headers",  # test_http3
    "http3.resource_headers",
    "http3.fetch_headers",
    "http3.destinations",
    "ScatteredDatagram.ack",  # test_pinned
    "http3.early_together",  # test_draw
}


@pytest.mark.parametrize(
    ("prefix", "cls"),
    [
        ("header", HeaderSpec),
        ("recovery", RecoverySpec),
        ("habits", PacketHabits),
        ("engine", EngineSpec),
        ("hello", HelloSpec),
        ("http3", Http3Spec),
        ("parameters", ParameterList),
        *(
            (cls.__name__, cls)
            for cls in (
                MultiChaos,
                Chaos,
                NeqoCidSize,
                NeqoPacketNumber,
                SizeChoice,
                NumberChoice,
                FixedToken,
                RandomToken,
                NameCut,
                Chunked,
                Halving,
                Integer,
                Opaque,
                SourceConnectionId,
                VersionInformation,
                Reserved,
                CachedRtt,
                SupportedGroups,
                SignatureAlgorithms,
                SupportedVersions,
                PskKeyExchangeModes,
                KeyShare,
                CompressCertificate,
                ApplicationSettings,
                EchGrease,
                TrustAnchors,
                DelegatedCredentials,
                RecordSizeLimit,
                Raw,
                Grease,
                Fill,
                Pinned,
                PinnedDatagram,
                Scattered,
                ScatteredDatagram,
            )
        ),
    ],
)
def test_no_field_is_left_out_of_these_tests(prefix: str, cls: Any) -> None:
    names = {f"{prefix}.{item.name}" for item in fields(cls) if item.name != "pinned"}

    assert names <= COVERED


@pytest.mark.parametrize("name", BUILT_IN)
def test_profiles_are_files_and_pickles(name: str) -> None:
    chosen = BUILT_IN[name]

    assert chosen == ClientProfile.from_toml(chosen.to_toml())
    assert chosen == pickle.loads(pickle.dumps(chosen))
    assert is_dataclass(pickle.loads(pickle.dumps(chosen.draw(SeededBytes(1)))))


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_profile_draws(name: str) -> None:
    drawn = flights(BUILT_IN[name])

    assert drawn == flights(BUILT_IN[name])
    assert all(1200 <= len(data) <= 1400 for flight in drawn for data in flight)
