"""A client's profile: frozen data from which the configuration of each connection is drawn.

A profile says what varies and how; `draw` makes one connection's choices and yields ordinary configuration for
TLS, engine and HTTP/3. Nothing is shared between draws, so a profile dials any number of times, and the same
random bytes give the same connection.
"""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from qcore.config import QuicConfig
from qcore.packing.habits import PacketHabits
from qcore.packing.initial_flight import InitialPolicy, InOrder
from qhttp3.config import H3Config
from qhttp3.settings import H3Settings, Setting
from qtls.client_hello import DefaultHello
from qtls.config import ClientTLS
from qtls.key_exchange import IMPLEMENTED
from qtls.resumption import SessionStore
from qwire.constants import VERSION_1
from qwire.transport_parameters import TransportParameters

from . import toml
from .bounds import UINT32, check_all
from .errors import ProfileError
from .hello import HelloSpec
from .http3 import Http3Spec
from .layouts import Chaos, Chunked, Halving, MultiChaos, NameCut, Pinned, Sampled, Scattered, SniSlicing
from .neqo import NeqoCidSize, NeqoPacketNumber, NeqoPacketNumberSize
from .randomness import RandomBytes
from .sizes import NumberChoice, SizeChoice
from .tokens import KeptToken, TokenSpec
from .transport_parameters import Known, ParameterList

#: A week: what waits longer does not wait for an answer.
MAX_SECONDS: Final = 604_800
#: More attempts at a server that cannot be talked to are a flood.
MAX_ATTEMPTS: Final = 10

Layout: TypeAlias = (
    InOrder | Chaos | MultiChaos | SniSlicing | NameCut | Chunked | Halving | Pinned | Scattered | Sampled
)


@dataclass(frozen=True, kw_only=True)
class HeaderSpec:
    """Initial packets: numbers, connection IDs, sizes.

    Attributes:
        destination_cid_size, source_cid_size: bytes of the two connection IDs of the first packet, or the rule.
        first_packet_number: number of the first packet, or the rule that draws it.
        packet_number_sizes: bytes of each packet number in turn, of which the last repeats; empty for the least
            possible; or the rule.
        packet_number_skips: numbers left out behind each Initial in turn; none behind the others.
        shared_packet_numbers: one counter for all spaces.
        datagram_size, datagram_size_ipv6: UDP payload of every datagram with an Initial.
        first_datagram_sizes: those of the first datagrams in turn, where they differ from `datagram_size`; over IPv6
            smaller by as much as `datagram_size_ipv6` is.
        padding: "packet" fills up inside the packet, "datagram" with zero bytes behind it.
        length_size: bytes of the Length field.
        token: which address validation token the packets carry.
    """

    destination_cid_size: int | NeqoCidSize | SizeChoice = 8
    source_cid_size: int | SizeChoice = 8
    first_packet_number: int | NeqoPacketNumber | NumberChoice = 0
    packet_number_sizes: tuple[int, ...] | NeqoPacketNumberSize = ()
    packet_number_skips: tuple[int, ...] = ()
    shared_packet_numbers: bool = False
    datagram_size: int = 1200
    datagram_size_ipv6: int = 1200
    first_datagram_sizes: tuple[int, ...] = ()
    padding: Literal["packet", "datagram"] = "packet"
    length_size: int = 2
    token: TokenSpec = field(default_factory=KeptToken)


@dataclass(frozen=True, kw_only=True)
class RecoverySpec:
    """Habits of loss recovery that show in the first flights.

    Attributes:
        initial_rtt: seconds; the first probe comes after three times as long (RFC 9002 §6.2.2).
        skip_before_probe: packet numbers left out before each Initial probe.
        probe_relayout: whether a probe is laid out anew.
        probes_per_timeout: Initial packets per probe timeout.
        coalesce: whether other packets share a datagram with an Initial.
        max_ack_delay: seconds.
    """

    initial_rtt: float = 0.333
    skip_before_probe: int = 0
    probe_relayout: bool = True
    probes_per_timeout: int = 2
    coalesce: bool = True
    max_ack_delay: float = 0.025


@dataclass(frozen=True, kw_only=True)
class EngineSpec:
    """Habits of the engine that are not in the first flight.

    Attributes:
        versions: QUIC versions, the preferred one first.
        idle_timeout: seconds of silence after which the connection is gone.
        handshake_timeout: seconds until a connection must stand, unless the caller of one is less patient.
        ecn: whether packets are marked ECT(0).
        pmtud: whether larger datagrams are tried.
        datagrams: whether DATAGRAM frames are taken (RFC 9221).
        max_udp_payload: largest UDP payload in bytes.
        connected_socket: whether the client connects its UDP socket, which shows in the IP identification.
        token_needs_session: whether a token is kept only if a ticket of the server has come before it.
        resumes_version: whether a resumed connection starts with the version that its ticket came over.
        attempts: connections tried, each drawn anew, at a server that speaks none of the versions.
        send_gaps: evenly spaced quantiles, the least and the largest included, of the seconds between two datagrams of a
            captured first flight; empty where the system takes them all at once. Draws have such gaps; what leaves a
            connection leaves as fast as it can.
    """

    versions: tuple[int, ...] = field(default=(VERSION_1,), metadata={"hex": True})
    idle_timeout: float = 30.0
    handshake_timeout: float = 10.0
    ecn: bool = False
    pmtud: bool = True
    datagrams: bool = True
    max_udp_payload: int = 1472
    connected_socket: bool = True
    token_needs_session: bool = False
    resumes_version: bool = False
    attempts: int = 1
    send_gaps: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.send_gaps) == 1 or not all(0 < gap <= MAX_SECONDS for gap in self.send_gaps):
            raise ValueError("gaps are told by two quantiles or more, of above 0 seconds")
        if list(self.send_gaps) != sorted(self.send_gaps):
            raise ValueError("quantiles do not fall")
        if not 1 <= self.attempts <= MAX_ATTEMPTS:
            raise ValueError(f"a server is tried 1 to {MAX_ATTEMPTS} times, not {self.attempts}")
        if not self.versions:
            raise ValueError("at least one QUIC version is needed")
        check_all("a version", self.versions, UINT32)
        if not 0 <= self.idle_timeout <= MAX_SECONDS or not 0 < self.handshake_timeout <= MAX_SECONDS:
            raise ValueError(f"timeouts lie between 0 and {MAX_SECONDS} seconds")


@dataclass(frozen=True, kw_only=True)
class Resumption:
    """What is known of a server from earlier connections.

    Attributes:
        sessions: tickets; one is taken when the connection starts.
        early_data: whether 0-RTT is offered when the ticket allows it.
        token: address validation token for the first packets.
        rtt: seconds of a round trip to the server.
        settings: the server's settings of HTTP/3, which requests in early data rely on; None if unknown.
        version: the QUIC version that the newest ticket came over.
    """

    sessions: SessionStore | None = None
    early_data: bool = True
    token: bytes = field(default=b"", repr=False)
    rtt: float | None = None
    version: int | None = None
    settings: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True, kw_only=True)
class DrawnClient:
    """The configuration of one connection."""

    tls: ClientTLS
    quic: QuicConfig
    http3: H3Config
    connected_socket: bool


@dataclass(frozen=True, kw_only=True)
class ProfileInfo:
    """What there is to know of a profile before it is used."""

    name: str
    client: str
    version: str
    platform: str
    provenance: str


@dataclass(frozen=True, kw_only=True)
class ClientProfile:
    """How one client looks on the wire.

    Attributes:
        name, client, version, platform, provenance: what it is and where the knowledge comes from.
        alpn: protocols offered, unless the caller of a connection wants others.
        header: Initial packets.
        layout: where the bytes of the ClientHello go.
        recovery, habits, engine: later behaviour.
        hello: the ClientHello; None for this stack's own.
        parameters: the transport parameters; None for this stack's own.
        http3: settings, streams and headers; None for this stack's own.
    """

    name: str
    client: str
    version: str
    platform: str = ""
    provenance: str = ""
    alpn: tuple[str, ...] = ("h3",)
    header: HeaderSpec = field(default_factory=HeaderSpec)
    layout: Layout = field(default_factory=InOrder)
    recovery: RecoverySpec = field(default_factory=RecoverySpec)
    habits: PacketHabits = field(default_factory=PacketHabits)
    engine: EngineSpec = field(default_factory=EngineSpec)
    parameters: ParameterList | None = None
    hello: HelloSpec | None = None
    http3: Http3Spec | None = None

    @property
    def info(self) -> ProfileInfo:
        """Name, client, version, platform, provenance."""
        return ProfileInfo(
            name=self.name,
            client=self.client,
            version=self.version,
            platform=self.platform,
            provenance=self.provenance,
        )

    def draw(self, random: RandomBytes, resumption: Resumption | None = None) -> DrawnClient:
        """The configuration of one connection.

        Args:
            random: bytes in the shape of `os.urandom`; the connection goes on using it.
            resumption: what earlier connections to the same server left.
        """
        resumption = resumption or Resumption()
        policy = self._draw_policy(random)
        versions = self._versions(resumption.version)
        known = Known(rtt=resumption.rtt, version=versions[0])
        parameters = None if self.parameters is None else self.parameters.draw(random, known)
        return DrawnClient(
            tls=self._draw_tls(random, resumption),
            quic=self._draw_quic(random, resumption, policy, versions, parameters),
            http3=self._draw_http3(random, resumption),
            connected_socket=self.engine.connected_socket,
        )

    def _draw_http3(self, random: RandomBytes, resumption: Resumption) -> H3Config:
        config = H3Config() if self.http3 is None else self.http3.draw(random)
        if resumption.settings is None:
            return config
        remembered = H3Settings([Setting(*pair) for pair in resumption.settings])
        return replace(config, remembered=remembered)

    def _draw_policy(self, random: RandomBytes) -> InitialPolicy:
        header, recovery = self.header, self.recovery
        cid_size, number = header.destination_cid_size, header.first_packet_number
        source_size = header.source_cid_size
        first = number if isinstance(number, int) else number.draw(random)
        sizes = header.packet_number_sizes
        return InitialPolicy(
            source_cid_size=source_size if isinstance(source_size, int) else source_size.draw(random),
            destination_cid_size=cid_size if isinstance(cid_size, int) else cid_size.draw(random),
            first_packet_number=first,
            packet_number_sizes=sizes if isinstance(sizes, tuple) else sizes.sizes(first),
            packet_number_skips=header.packet_number_skips,
            shared_packet_numbers=header.shared_packet_numbers,
            datagram_size=header.datagram_size,
            datagram_size_ipv6=header.datagram_size_ipv6,
            first_datagram_sizes=header.first_datagram_sizes,
            padding=header.padding,
            length_size=header.length_size,
            layout=self.layout,
            skip_before_probe=recovery.skip_before_probe,
            probe_relayout=recovery.probe_relayout,
            probes_per_timeout=recovery.probes_per_timeout,
            initial_rtt=recovery.initial_rtt,
            coalesce=recovery.coalesce,
            habits=self.habits,
        )

    def _versions(self, remembered: int | None) -> tuple[int, ...]:
        versions = self.engine.versions
        if not self.engine.resumes_version or remembered not in versions:
            return versions
        return (remembered, *(version for version in versions if version != remembered))

    def _draw_tls(self, random: RandomBytes, resumption: Resumption) -> ClientTLS:
        if self.hello is None:
            return ClientTLS(alpn=self.alpn, sessions=resumption.sessions, hello=DefaultHello())
        return ClientTLS(
            alpn=self.alpn,
            groups=tuple(group for group in self.hello.groups if group in IMPLEMENTED),
            ciphers=self.hello.real_suites,
            sessions=resumption.sessions,
            hello=self.hello.draw(random),
        )

    def _draw_quic(
        self,
        random: RandomBytes,
        resumption: Resumption,
        policy: InitialPolicy,
        versions: tuple[int, ...],
        parameters: TransportParameters | None,
    ) -> QuicConfig:
        engine = self.engine
        return QuicConfig(
            versions=versions,
            idle_timeout=engine.idle_timeout,
            handshake_timeout=engine.handshake_timeout,
            ecn=engine.ecn,
            pmtud=engine.pmtud,
            datagrams=engine.datagrams,
            max_udp_payload=engine.max_udp_payload,
            max_ack_delay=self.recovery.max_ack_delay,
            hasty_acks=False,
            early_data=resumption.early_data,
            id_lifetime=0,  # no browser changes connection IDs on the way
            initial=policy,
            parameters=parameters,
            token=self.header.token.draw(random, resumption.token),
            random=random,
        )

    def to_toml(self) -> str:
        """The profile as a file; `from_toml` reads it back."""
        return toml.dumps(self)

    @classmethod
    def from_toml(cls, text: str, find: "Callable[[str], ClientProfile] | None" = None) -> "ClientProfile":
        """Read a profile that `to_toml` wrote, or a person changed.

        With `based_on = "NAME"` the file says only what is different from that profile: its tables are merged, key by
        key; arrays, and tables of another `kind`, take the place of what was there.

        Args:
            find: gives the profile of a name; the built-in ones by default.

        Raises:
            ProfileError: not TOML, or a value that is missing, unknown or impossible.
        """
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ProfileError(f"not TOML: {error}") from None
        if "based_on" in data:
            name = data.pop("based_on")
            if not isinstance(name, str):
                raise ProfileError("based_on: the name of a profile is needed")
            base = (find or find_base)(name)
            below = tomllib.loads(base.to_toml()) | {"provenance": f"based on {base.name}"}
            data = toml.merged(below, data)
        return toml.load(cls, data)


#: Profiles that files may be based on, by name: the built-in ones, which the catalog puts here.
BASES: Final[dict[str, ClientProfile]] = {}


def find_base(name: str) -> ClientProfile:
    """The profile of this name that files may be based on.

    Raises:
        ProfileError: there is none.
    """
    if name not in BASES:
        raise ProfileError(f"based_on: no profile named {name!r}")
    return BASES[name]
