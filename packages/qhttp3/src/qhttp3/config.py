"""How one side of an HTTP/3 connection behaves and looks: data only, frozen, picklable.

The limits the engine enforces are read from ``settings``, the very entries that go on the wire.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal

from qhttp3.light_dataclass import dataclass, field
from qhttp3.qpack import EncoderPolicy
from qhttp3.settings import H3Settings

if TYPE_CHECKING:
    from qhttp3.raw_frame import RawFrame

DEFAULT_PSEUDO_ORDER: Final = (b":method", b":scheme", b":authority", b":path")
DEFAULT_SETTINGS: Final = H3Settings.build(
    qpack_max_table_capacity=4096,
    qpack_blocked_streams=16,
    max_field_section_size=65536,
)


class StreamKind(Enum):
    """The unidirectional streams each side opens; values are stream types (RFC 9114 §6.2, RFC 9204 §4.2)."""

    __hash__ = object.__hash__  # keys of tables that are looked into for every request

    CONTROL = 0x00
    ENCODER = 0x02
    DECODER = 0x03


@dataclass(frozen=True, kw_only=True)
class H3Config:
    """Configuration of an `H3Engine`.

    Attributes:
        settings: The SETTINGS frame, in wire order.
        stream_order: The order in which stream ids are given to our unidirectional streams.
        lazy_streams: Those of them that are written to only when there is something to say.
        control_frames: Frames sent right behind SETTINGS, such as a reserved one.
        pseudo_order: Order of the pseudo-headers of requests.
        priority_update: Value of a PRIORITY_UPDATE sent before each request that brings none, unless the request has a
            priority field, which is repeated then; None sends none.
        qpack: What our encoder puts into the dynamic table.
        streams_apart: Whether what was waiting leaves in packets of its own before our streams are opened.
        requests_apart: Whether what was waiting leaves before the "first" request, before and behind "each", or as
            it comes ("none").
        early_together: Whether the first request leaves with what was waiting all the same, where both are early data.
        remembered: The server's settings of an earlier connection, for requests in early data.
        remember: Takes the server's settings, to be remembered.
        acknowledgments_together: Section Acknowledgments that may wait for one another, to share a packet, where the
            peer's encoder learns nothing else from them.
        max_fields: Fields accepted in one section.
        max_field_section_size: Limit that holds if ``settings`` give none.
    """

    settings: H3Settings = DEFAULT_SETTINGS
    stream_order: tuple[StreamKind, ...] = (StreamKind.CONTROL, StreamKind.ENCODER, StreamKind.DECODER)
    lazy_streams: frozenset[StreamKind] = frozenset()
    control_frames: tuple[RawFrame, ...] = ()
    pseudo_order: tuple[bytes, ...] = DEFAULT_PSEUDO_ORDER
    priority_update: bytes | None = None
    qpack: EncoderPolicy = field(default_factory=EncoderPolicy)
    streams_apart: bool = False
    requests_apart: Literal["none", "first", "each"] = "none"
    early_together: bool = False
    remembered: H3Settings | None = None
    remember: Callable[[H3Settings], None] | None = None
    acknowledgments_together: int = 16
    max_fields: int = 200
    max_field_section_size: int = 65536

    def __post_init__(self) -> None:
        if sorted(kind.value for kind in self.stream_order) != sorted(kind.value for kind in StreamKind):
            raise ValueError("stream_order names each kind of stream once")
        if StreamKind.CONTROL in self.lazy_streams:
            raise ValueError("RFC 9114 §6.2.1: the control stream is opened at once")
        if self.acknowledgments_together < 1:
            raise ValueError("acknowledgments_together must be positive")
        if self.requests_apart not in ("none", "first", "each"):
            raise ValueError(f"no requests or the first or each go apart, not {self.requests_apart!r}")
