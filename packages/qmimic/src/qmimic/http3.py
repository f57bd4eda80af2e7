"""The HTTP/3 side of a profile: settings, streams, frames sent unasked, order and content of headers.

Data from which the configuration of `qhttp3` for one connection is drawn. RFC 9114, RFC 9204, RFC 9218.
"""

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from qhttp3.config import H3Config, StreamKind
from qhttp3.qpack import EncoderPolicy, Insert
from qhttp3.raw_frame import RawFrame
from qhttp3.settings import H3Settings
from qhttp3.settings import Setting as WireSetting

from . import grease
from .bounds import RESERVED_BITS, VARINT, check, check_span
from .randomness import RandomBytes, below, between

#: How finely shares of connections are told apart.
SHARES: Final = 1_000_000

StreamName: TypeAlias = Literal["control", "encoder", "decoder"]

#: A page typed into the address bar, or behind a link.
DOCUMENT: Final = "document"
#: Sec-Fetch-Dest of what scripts fetch.
FETCH: Final = "empty"
#: What an encoder's dynamic table may hold; a server of any sense allows less.
MAX_CAPACITY: Final = 1 << 24

KINDS: Final[dict[str, StreamKind]] = {
    "control": StreamKind.CONTROL,
    "encoder": StreamKind.ENCODER,
    "decoder": StreamKind.DECODER,
}
INSERTS: Final[dict[str, Insert]] = {item.value: item for item in Insert}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One entry of SETTINGS."""

    id: int = field(metadata={"hex": True})
    value: int

    def __post_init__(self) -> None:
        check("id", self.id, VARINT)
        check("value", self.value, VARINT)

    def draw(self, random: RandomBytes) -> WireSetting:
        return WireSetting(self.id, self.value)


@dataclass(frozen=True, kw_only=True)
class ReservedSetting:
    """A setting that must be ignored, RFC 9114 §7.2.4.1; its number and value have this many random bits."""

    id_bits: int = 32
    value_bits: int = 32

    def __post_init__(self) -> None:
        check("id_bits", self.id_bits, RESERVED_BITS)
        check("value_bits", self.value_bits, 62)

    def draw(self, random: RandomBytes) -> WireSetting:
        return WireSetting(grease.http3_code(random, self.id_bits), below(random, 1 << self.value_bits))


SettingSpec: TypeAlias = Setting | ReservedSetting


@dataclass(frozen=True, kw_only=True)
class ReservedFrame:
    """A frame that must be ignored, RFC 9114 §7.2.8, behind SETTINGS."""

    id_bits: int = 32
    min_length: int = 0
    max_length: int = 0

    def __post_init__(self) -> None:
        check("id_bits", self.id_bits, RESERVED_BITS)
        check_span("the length", self.min_length, self.max_length)

    def draw(self, random: RandomBytes) -> RawFrame:
        number = grease.http3_code(random, self.id_bits)
        return RawFrame(number, random(between(random, self.min_length, self.max_length)))


@dataclass(frozen=True, kw_only=True)
class Header:
    """A field that the client adds to a request that does not have it; `{authority}` in it is filled in."""

    name: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Destination:
    """What a page asks for: its name in Sec-Fetch-Dest, and the values of fields that depend on it."""

    name: str
    accept: str
    mode: str
    priority: str


@dataclass(frozen=True, kw_only=True)
class Http3Spec:
    """How the client speaks HTTP/3.

    Attributes:
        settings: entries of SETTINGS, in wire order.
        reserved_frame: a frame to be ignored, behind SETTINGS.
        stream_order: which of the client's unidirectional streams gets the first number, the second, the third.
        lazy_streams: those written to only when there is something to say.
        pseudo_headers: their order.
        priority_update: value of the PRIORITY_UPDATE sent with each request; None for none.
        qpack_insert: which fields go to the dynamic table.
        qpack_only: if not empty, only these do.
        qpack_capacity: bytes of the table that the encoder uses, where the server allows them.
        qpack_last: whether its instructions follow the section that needs them.
        streams_apart: whether the streams are opened behind, and not beside, what the handshake has to say.
        requests_apart: whether packets with the "first" request or with "each" hold nothing else.
        early_together: share of connections with early data whose first request leaves with the streams all the same.
        qpack_eager: whether the encoder names its capacity before it has something to insert.
        headers: fields of a request for a page, in wire order.
        resource_headers: those of a request that a page makes, in which {accept}, {mode}, {destination}, {priority},
            {site} and {referer} stand for what depends on it.
        fetch_headers: those of a request that a script makes, where they are different.
        destinations: what pages ask for.
    """

    settings: tuple[SettingSpec, ...]
    reserved_frame: ReservedFrame | None = None
    stream_order: tuple[StreamName, ...] = ("control", "encoder", "decoder")
    lazy_streams: tuple[StreamName, ...] = ()
    pseudo_headers: tuple[str, ...] = (":method", ":scheme", ":authority", ":path")
    priority_update: str | None = None
    qpack_insert: Literal["nothing", "repeated", "everything"] = "repeated"
    qpack_only: tuple[str, ...] = ()
    qpack_capacity: int = 4096
    qpack_eager: bool = False
    qpack_last: bool = False
    streams_apart: bool = False
    requests_apart: Literal["none", "first", "each"] = "none"
    early_together: float = 0.0
    headers: tuple[Header, ...] = ()
    resource_headers: tuple[Header, ...] = ()
    fetch_headers: tuple[Header, ...] = ()
    destinations: tuple[Destination, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.early_together <= 1:
            raise ValueError(f"a share of {self.early_together} connections")
        check("qpack_capacity", self.qpack_capacity, MAX_CAPACITY)

    def draw(self, random: RandomBytes) -> H3Config:
        """The configuration of one connection."""
        frames = (self.reserved_frame.draw(random),) if self.reserved_frame is not None else ()
        update = self.priority_update
        return H3Config(
            settings=H3Settings([entry.draw(random) for entry in self.settings]),
            stream_order=tuple(KINDS[name] for name in self.stream_order),
            lazy_streams=frozenset(KINDS[name] for name in self.lazy_streams),
            control_frames=frames,
            pseudo_order=tuple(name.encode() for name in self.pseudo_headers),
            priority_update=None if update is None else update.encode(),
            qpack=EncoderPolicy(
                insert=INSERTS[self.qpack_insert],
                only=frozenset(name.encode() for name in self.qpack_only) or None,
                capacity=self.qpack_capacity,
                eager_capacity=self.qpack_eager,
                instructions_last=self.qpack_last,
            ),
            streams_apart=self.streams_apart,
            requests_apart=self.requests_apart,
            early_together=below(random, SHARES) < self.early_together * SHARES,
            acknowledgments_together=1,  # as browsers do
        )

    def complete(
        self,
        headers: list[tuple[str, str]],
        authority: str = "",
        destination: str = DOCUMENT,
        referer: str = "",
    ) -> list[tuple[str, str]]:
        """A request's own fields with the client's around them, in the client's order.

        A field given by the caller takes the place of the client's; others follow in the order given. An empty
        value takes the client's field away.

        Args:
            destination: "document" for a page, or the name of one of `destinations`.
            referer: URL of the page that asks.

        Raises:
            ValueError: no such destination.
        """
        given: dict[str, list[tuple[str, str]]] = {}
        for name, value in headers:
            given.setdefault(name.lower(), []).append((name.lower(), value))
        templates, values = self.headers, {"authority": authority}
        if destination != DOCUMENT:
            templates, more = self._request_of_a_page(destination, authority, referer)
            values |= more
        elif referer:
            given.setdefault("referer", [("referer", referer)])
        fields: list[tuple[str, str]] = []
        for header in templates:
            value = header.value
            for key, replacement in values.items():
                value = value.replace(f"{{{key}}}", replacement)
            fields.extend(given.pop(header.name, [(header.name, value)]))
        for rest in given.values():
            fields.extend(rest)
        return [(name, value) for name, value in fields if value]

    def _request_of_a_page(
        self, name: str, authority: str, referer: str
    ) -> tuple[tuple[Header, ...], dict[str, str]]:
        known = {item.name: item for item in self.destinations}
        if name not in known:
            names = ", ".join((DOCUMENT, *known))
            raise ValueError(f"no destination {name!r}; there are {names}")
        chosen = known[name]
        site, shown = relation(authority, referer)
        values = {
            "accept": chosen.accept,
            "mode": chosen.mode,
            "destination": name,
            "priority": chosen.priority,
            "site": site,
            "referer": shown,
        }
        return (self.fetch_headers if name == FETCH else ()) or self.resource_headers, values


def relation(authority: str, referer: str) -> tuple[str, str]:
    """What Sec-Fetch-Site says of a request to a host for a page, and what the page tells of itself.

    Fetch §2.2.7 and strict-origin-when-cross-origin of Referrer Policy §3.8. Names of which one ends with the other
    count as the same site: which names are sold to strangers takes a list to know.
    """
    if not referer:
        return "same-origin", ""
    page = urlsplit(referer)
    if page.netloc == authority:
        return "same-origin", referer
    here, there = authority.rpartition(":")[0] or authority, page.hostname or ""
    is_site = here.endswith(f".{there}") or there.endswith(f".{here}") or here == there
    return "same-site" if is_site else "cross-site", f"{page.scheme}://{page.netloc}/"
