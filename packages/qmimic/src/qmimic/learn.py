"""Captured first flights of one client → a profile that redraws it.

Constants become constants, what varies becomes the narrowest draw that explains it: a size from those seen, a
reserved value, a permutation with its pinned ends. From one flight nothing can be said of what varies, and the
profile is pinned: it repeats what was seen, but for keys, names and connection IDs.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, Literal

import quicvarint
from qwire.constants import VERSION_1, VERSION_2
from qwire.errors import DecodeError

from . import grease
from .capture import CapturedFlow
from .errors import ProfileError
from .fingerprint import FlightCollector
from .hello import HelloSpec
from .learned_extensions import learn_extensions
from .learned_layout import learn_layout
from .neqo import NeqoCidSize, NeqoPacketNumber, NeqoPacketNumberSize
from .observation import (
    CACHED_RTT,
    CONNECTION_ID_PARAMETER,
    RESERVED,
    VERSION_INFORMATION_IDS,
    Observed,
    length_size,
    observe,
    orders,
    padding_of,
    parameter_name_of,
)
from .ordering import Item, order_rule
from .profile import ClientProfile, EngineSpec, HeaderSpec, RecoverySpec
from .sizes import SizeChoice
from .transport_parameters import (
    CachedRtt,
    Integer,
    Opaque,
    ParameterList,
    ParameterSpec,
    Reserved,
    SourceConnectionId,
    VersionInformation,
)

VERSIONS: Final = (VERSION_1, VERSION_2)
IPV6_SHRINK: Final = 20  # the difference of the two IP headers
#: Bytes of a client's first destination connection ID, from which quic-go draws: RFC 9000 §7.2 and §17.2.
CID_SIZES: Final = (8, 20)
#: Bytes of a reserved parameter, from which quiche draws.
RESERVED_SIZES: Final = (0, 15)
#: A rule that gives what was seen less often than this is not the client's.
UNLIKELY: Final = 0.0001
#: Of so many values a drawn bit is the same in all once in 128 times.
ENOUGH_FOR_BITS: Final = 8
#: Of the gaps between datagrams: enough for the long tail that busy machines give them.
GAP_QUANTILES: Final = 11
SHORTEST_GAP: Final = 1e-6  # the clocks of captures


def learn(flows: Iterable[CapturedFlow], *, name: str = "learned") -> ClientProfile:
    """A profile of the client whose connections these are.

    Args:
        flows: captured connections of one client and version. Fresh connections are learned from; resumed ones only
            if there are no others.

    Raises:
        ProfileError: there is no first flight in them, or nobody could speak as it does.
    """
    try:
        return learned(list(flows), name)
    except ProfileError:
        raise
    except (DecodeError, ValueError) as error:
        raise ProfileError(f"no client can speak like this: {error}") from None


def learned(captured: list[CapturedFlow], name: str) -> ClientProfile:
    """The profile; see `learn`.

    Raises:
        ProfileError: there is no first flight.
        DecodeError, ValueError: a transport parameter is malformed, or something else has no sense.
    """
    seen = observe(captured)
    flights = [item for item in seen if not item.is_resumed] or seen
    if not flights:
        raise ProfileError(why_nothing(captured))
    about = next((flow.about for flow in captured if "version" in flow.about), {})
    by_family = {family: [item for item in flights if item.family == family] for family in (4, 6)}
    main = by_family[4] or by_family[6]
    parameters = learn_parameters(main)
    return ClientProfile(
        name=name,
        client=str(about.get("client", "unknown")),
        version=str(about.get("version", "unknown")),
        provenance=provenance(main),
        alpn=tuple(value.decode("latin-1") for value in main[0].fingerprint.hello.alpn),
        header=learn_header(main, by_family[6]),
        layout=learn_layout(main),
        recovery=learn_recovery(main),
        engine=learn_engine(main, parameters),
        parameters=parameters,
        hello=learn_hello(main),
    )


def why_nothing(captured: Iterable[CapturedFlow]) -> str:
    """What to say of captures without a first flight that could be redrawn."""
    collector = FlightCollector(any_packet_number=True, versions=VERSIONS)
    hellos = 0
    for flow in captured:
        for datagram in flow.datagrams:
            if datagram.from_client and collector.receive(datagram.data) is not None:
                hellos += 1
    if not hellos:
        return "no first flight to learn from"
    return (
        f"none of {hellos} ClientHellos is one for QUIC: they have no quic_transport_parameters, or malformed ones "
        "(RFC 9001 §8.2), and no server completes a handshake with such a client"
    )


def provenance(flights: Sequence[Observed]) -> str:
    """What the profile rests on, in words."""
    if len(flights) == 1:
        return "pinned: learned from one captured first flight, which says nothing of what varies"
    return f"learned from {len(flights)} captured first flights"


def learn_header(flights: Sequence[Observed], over_ipv6: Sequence[Observed]) -> HeaderSpec:
    """Connection IDs, packet numbers, sizes."""
    first = flights[0].packets[0]
    cid_sizes = [len(item.packets[0].header.destination_cid) for item in flights]
    numbers = [item.packets[0].packet_number for item in flights]
    sizes = [tuple(packet.packet_number_size for packet in item.packets) for item in flights]
    datagram = Counter(packet.datagram_size for item in flights for packet in item.packets).most_common(1)[0][
        0
    ]
    ipv6 = over_ipv6[0].packets[0].datagram_size if over_ipv6 else max(1200, datagram - IPV6_SHRINK)
    if flights[0].family == 6:
        ipv6 = datagram
    drawn_numbers = len(set(numbers)) > 1
    return HeaderSpec(
        destination_cid_size=learn_cid_size(cid_sizes),
        source_cid_size=len(first.header.source_cid),
        first_packet_number=NeqoPacketNumber() if drawn_numbers else numbers[0],
        packet_number_sizes=NeqoPacketNumberSize()
        if drawn_numbers
        else max(sizes, key=lambda row: len(tuple(row))),
        datagram_size=datagram,
        datagram_size_ipv6=ipv6,
        padding="datagram"
        if any(padding_of(p) == "datagram" for i in flights for p in i.packets)
        else "packet",
        length_size=length_size(flights[0].datagrams[0]),
    )


def learn_cid_size(sizes: Sequence[int]) -> int | NeqoCidSize | SizeChoice:
    """A constant; neqo's rule, whose mark is the weight of its smallest size; or any size between bounds."""
    if len(set(sizes)) == 1:
        return sizes[0]
    smallest, largest = min(sizes), max(sizes)
    if sizes.count(smallest) > 0.4 * len(sizes) and largest <= CID_SIZES[1]:
        return NeqoCidSize(smallest=smallest)
    smallest, largest = bounds(sizes, CID_SIZES)
    return SizeChoice(smallest=max(CID_SIZES[0], smallest), largest=min(CID_SIZES[1], largest))


def bounds(drawn: Sequence[int], usual: tuple[int, int]) -> tuple[int, int]:
    """What uniform draws lie between: the usual bounds, unless so many draws would have shown more of them."""
    smallest, largest = min(drawn), max(drawn)
    if smallest == largest:
        return smallest, largest
    share = (largest + 1 - smallest) / (usual[1] + 1 - usual[0])
    if usual[0] <= smallest and largest <= usual[1] and share ** len(drawn) > UNLIKELY:
        return usual
    # What n draws span is on average (n - 1) / (n + 1) of the whole.
    beyond = round((largest - smallest) / (len(drawn) - 1))
    return smallest - beyond, largest + beyond


def learn_recovery(flights: Sequence[Observed]) -> RecoverySpec:
    """The delay of acknowledgements, which the transport parameters tell."""
    delay = flights[0].fingerprint.parameters.max_ack_delay
    return RecoverySpec(max_ack_delay=min(0.025, delay / 1000))


def learn_engine(flights: Sequence[Observed], parameters: ParameterList) -> EngineSpec:
    """Habits that follow from what is advertised."""
    first = flights[0].fingerprint
    offered = {
        version
        for entry in parameters.entries
        if isinstance(entry, VersionInformation)
        for version in entry.available
    }
    started = first.flight.header.version
    versions = (started, *(version for version in VERSIONS if version in offered and version != started))
    idle = first.parameters.max_idle_timeout
    return EngineSpec(
        versions=versions,
        idle_timeout=idle / 1000 if idle else 30.0,
        ecn=False,
        pmtud=False,
        datagrams=first.parameters.max_datagram_frame_size > 0,
        send_gaps=learn_gaps(flights),
    )


def learn_gaps(flights: Sequence[Observed]) -> tuple[float, ...]:
    """Quantiles of the seconds between two datagrams; none where most leave at once, or nothing can be said."""
    gaps = sorted(after - before for item in flights for before, after in pairwise(item.times_ms))
    if len(gaps) < 2 or gaps[len(gaps) // 2] <= 0:
        return ()
    last = min(GAP_QUANTILES, len(gaps)) - 1
    quantiles = (gaps[round(place * (len(gaps) - 1) / last)] / 1000 for place in range(last + 1))
    return tuple(max(SHORTEST_GAP, gap) for gap in quantiles)


def learn_parameters(flights: Sequence[Observed]) -> ParameterList:
    """Which parameters, with which values, in which order."""
    rule = order_rule([orders(item)["parameters.order"] for item in flights])
    entries = tuple(learn_parameter(name, flights) for name in rule.items)
    kinds: dict[str, Literal["fixed", "shuffled", "rotated"]] = {"permuted": "shuffled", "rotated": "rotated"}
    if rule.front:
        # A list has a tail and no front: what always comes first is a rule of its own only for few captures.
        return ParameterList(order="fixed", entries=entries)
    return ParameterList(order=kinds.get(rule.kind, "fixed"), tail=len(rule.back), entries=entries)


def learn_parameter(name: Item, flights: Sequence[Observed]) -> ParameterSpec:
    """One parameter from all its values."""
    entries = [
        entry
        for item in flights
        for entry in item.fingerprint.parameters.entries
        if parameter_name_of(entry.id) == name
    ]
    if name == RESERVED:
        shortest, longest = bounds([len(entry.value) for entry in entries], RESERVED_SIZES)
        largest = max(entry.id for entry in entries)
        return Reserved(min_length=max(0, shortest), max_length=longest, id_bits=id_bits(largest))
    number = entries[0].id
    if number == CONNECTION_ID_PARAMETER:
        return SourceConnectionId()
    if number in VERSION_INFORMATION_IDS:
        return learn_versions(number, [entry.value for entry in entries])
    if number == CACHED_RTT and 0 < len(entries) < len(flights):
        return CachedRtt()
    value = Counter(entry.value for entry in entries).most_common(1)[0][0]
    return learn_value(number, value, entries[0].id_size, entries[0].length_size)


def id_bits(largest: int) -> int:
    """Bits of the N in 31 * N + 27 that would give ids as large as this; 0 for all below 2^62."""
    bits = ((largest - 27) // 31).bit_length()
    return 0 if bits > 50 else bits


def learn_value(number: int, value: bytes, id_size: int, length_size: int) -> ParameterSpec:
    """An integer where the bytes are one, as short or as long as it was sent."""
    try:
        integer, end = quicvarint.parse(value)
    except quicvarint.VarintError:
        end = -1
    if end != len(value) or id_size or length_size:
        return Opaque(id=number, value=value, id_size=id_size, length_size=length_size)
    is_minimal = quicvarint.size(integer) == len(value)
    return Integer(id=number, value=integer, size=0 if is_minimal else len(value))


def varying_bits(values: Sequence[bytes]) -> bytes:
    """The bits that are not the same in all values; empty if none, or sizes vary.

    Of few values it takes whole groups of four: a bit that is drawn may have been the same in all.
    """
    first = values[0]
    if any(len(value) != len(first) for value in values):
        return b""
    mask = bytearray(len(first))
    for value in values:
        for index, byte in enumerate(value):
            mask[index] |= byte ^ first[index]
    if len(values) < ENOUGH_FOR_BITS:
        mask = bytearray((0xF0 if byte & 0xF0 else 0) | (0x0F if byte & 0x0F else 0) for byte in mask)
    return bytes(mask) if any(mask) else b""


def learn_versions(number: int, values: Sequence[bytes]) -> VersionInformation | Opaque:
    """version_information: the real versions, and where the reserved one stands."""
    rows = [[int.from_bytes(value[at : at + 4], "big") for at in range(4, len(value), 4)] for value in values]
    reserved = [[index for index, version in enumerate(row) if version not in VERSIONS] for row in rows]
    is_odd = any(len(places) > 1 for places in reserved) or len(values[0]) % 4
    if is_odd or any(
        not grease.is_version(row[places[0]]) for row, places in zip(rows, reserved, strict=True) if places
    ):
        # Malformed: of a rule to redraw it by only the bits are known that vary.
        return Opaque(id=number, value=values[0], drawn=varying_bits(values))
    available = tuple(version for version in rows[0] if version in VERSIONS)
    places = {places[0] for places in reserved if places}
    if not places:
        return VersionInformation(id=number, available=available)
    if len(places) > 1:
        return VersionInformation(id=number, available=available, grease="random")
    place = "first" if 0 in places else "last"
    return VersionInformation(id=number, available=available, grease="first" if place == "first" else "last")


def learn_hello(flights: Sequence[Observed]) -> HelloSpec:
    """The ClientHello: its fields, its extensions, and how they move."""
    rule = order_rule([orders(item)["hello.extension_order"] for item in flights])
    hello = flights[0].fingerprint.hello
    pinned = {*rule.front, *rule.back} if rule.kind == "permuted" else set()
    return HelloSpec(
        cipher_suites=tuple(grease.fold_tls(suite) for suite in hello.cipher_suites),
        permute=rule.kind == "permuted",
        extensions=learn_extensions([item.fingerprint.hello for item in flights], rule.items, pinned),
        session_id_size=len(hello.session_id),
    )
