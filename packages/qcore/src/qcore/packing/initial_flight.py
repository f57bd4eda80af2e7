"""The seam through which a first flight gets its shape.

`InitialPolicy` is data: numbers, sizes and habits of Initial packets. `FlightLayout` places the bytes of a
ClientHello into datagrams; it is asked once per flight and places, it does not produce. The defaults are the
minimum that RFC 9000 asks for, and go through the same packer as any other choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final, Literal, Protocol, TypeAlias, final

from qtls.light_dataclass import dataclass, field
from qtls.values import Value
from qwire.frames import CryptoFrame

from ..errors import FlightError
from .habits import PacketHabits

# A peer expands a number by what it has heard last; a gap this wide is within reach of a number of two bytes.
MAX_SKIP: Final = 1 << 14


@final
class Crypto(Value):
    """The flight's CRYPTO bytes from `start` up to `stop`, as one CRYPTO frame."""

    __slots__ = ("start", "stop")

    def __init__(self, start: int, stop: int) -> None:
        self.start: Final = start
        self.stop: Final = stop


@final
class Ping(Value):
    """A PING frame."""

    __slots__ = ()


@final
class Padding(Value):
    """A run of `count` PADDING frames."""

    __slots__ = ("count",)

    def __init__(self, count: int) -> None:
        self.count: Final = count


@final
class Ack(Value):
    """The ACK frame that is due, which stands in front otherwise; nothing if none is."""

    __slots__ = ()


Placement: TypeAlias = Crypto | Ping | Padding | Ack
RandomBytes: TypeAlias = Callable[[int], bytes]


class FlightReason(Enum):
    """Why a flight is laid out."""

    FIRST = "first"
    RETRY = "retry"
    VERSION_NEGOTIATION = "version negotiation"
    SECOND_HELLO = "second hello"
    PROBE = "probe"


class FlightContext:
    """What a layout may look at.

    Attributes:
        crypto: the CRYPTO bytes of the whole flight.
        ranges: what of them has to be placed now, as (start, stop) pairs: everything at first, and what a lost
            packet carried in a probe. In the order in which the bytes were placed before.
        base: offset of `crypto[0]` in the CRYPTO stream; CRYPTO frames carry absolute offsets.
        reason: why this flight is sent.
        random: bytes from the connection's randomness.
        server_name_range: where the host name lies in `crypto`, as (start, stop), or None.
    """

    __slots__ = ("_rooms", "base", "crypto", "random", "ranges", "reason", "server_name_range")

    def __init__(
        self,
        crypto: bytes,
        *,
        rooms: Sequence[int],
        ranges: Sequence[tuple[int, int]] | None = None,
        reason: FlightReason = FlightReason.FIRST,
        random: RandomBytes,
        base: int = 0,
        server_name_range: tuple[int, int] | None = None,
    ) -> None:
        self.crypto = crypto
        self.ranges = ((0, len(crypto)),) if ranges is None else tuple(ranges)
        self.base = base
        self.reason = reason
        self.random = random
        self.server_name_range = server_name_range
        self._rooms = tuple(rooms)

    def room(self, index: int) -> int:
        """Frame bytes that datagram `index` of this flight holds: header, token and tag are paid for."""
        return self._rooms[min(index, len(self._rooms) - 1)]

    def crypto_size(self, start: int, stop: int) -> int:
        """Size of the CRYPTO frame that carries `crypto[start:stop]`."""
        return CryptoFrame(self.base + start, self.crypto[start:stop]).size()


class FlightLayout(Protocol):
    """Places the bytes of a flight."""

    def lay_out(self, flight: FlightContext) -> Sequence[Sequence[Placement]] | None:
        """One sequence of placements per datagram, or None to leave the flight to the ordinary path."""


@dataclass(frozen=True)
class InOrder:
    """The ordinary path: CRYPTO bytes in order, each datagram filled."""

    def lay_out(self, flight: FlightContext) -> Sequence[Sequence[Placement]] | None:
        return None


@dataclass(frozen=True, kw_only=True)
class InitialPolicy:
    """Habits of a client's Initial packets.

    Attributes:
        source_cid_size, destination_cid_size: sizes of the first connection IDs, in bytes (0–20, 8–20).
        first_packet_number: number of the first Initial packet.
        packet_number_sizes: encoded size for each Initial in turn, of which the last repeats; empty for the
            shortest that RFC 9000 §17.1 allows.
        shared_packet_numbers: one counter runs through all spaces, instead of one each.
        packet_number_skips: numbers left out behind each Initial in turn; none behind the others.
        datagram_size, datagram_size_ipv6: exact UDP payload of datagrams that carry an Initial.
        first_datagram_sizes: those of the first such datagrams in turn, where they differ from `datagram_size`; over
            IPv6 smaller by as much as `datagram_size_ipv6` is.
        padding: "packet" fills with PADDING frames, "datagram" with zero bytes behind the packets.
        length_size: bytes of the Length field of Initial packets.
        layout: places the ClientHello.
        skip_before_probe: packet numbers left out before each Initial probe.
        probe_relayout: probes are laid out anew; otherwise the same frames are sent again.
        probes_per_timeout: Initial packets sent per probe timeout (RFC 9002 §6.2.4 allows two).
        initial_rtt: first estimate of the round-trip time in seconds, which sets the first probe timeout.
        coalesce: whether packets of other spaces share a datagram with an Initial.
        habits: what shows in later packets.
    """

    source_cid_size: int = 8
    destination_cid_size: int = 8
    first_packet_number: int = 0
    packet_number_sizes: tuple[int, ...] = ()
    packet_number_skips: tuple[int, ...] = ()
    shared_packet_numbers: bool = False
    datagram_size: int = 1200
    datagram_size_ipv6: int | None = None
    first_datagram_sizes: tuple[int, ...] = ()
    padding: Literal["packet", "datagram"] = "packet"
    length_size: int = 2
    layout: FlightLayout = InOrder()
    skip_before_probe: int = 0
    probe_relayout: bool = True
    probes_per_timeout: int = 2
    initial_rtt: float = 0.333
    coalesce: bool = True
    habits: PacketHabits = field(default_factory=PacketHabits)

    def __post_init__(self) -> None:
        if not 0 <= self.source_cid_size <= 20:
            raise ValueError(f"a source connection ID has 0 to 20 bytes, not {self.source_cid_size}")
        if not 8 <= self.destination_cid_size <= 20:  # RFC 9000 §7.2
            raise ValueError(
                f"a first destination connection ID has 8 to 20 bytes, not {self.destination_cid_size}"
            )
        if any(not 1 <= size <= 4 for size in self.packet_number_sizes):
            raise ValueError("a packet number is encoded in 1 to 4 bytes")
        first = self.first_packet_number
        if not 0 <= first < 1 << 62:  # RFC 9000 §12.3
            raise ValueError(f"{first} is no first packet number")
        # RFC 9000 A.3: a server that has heard nothing yet takes what is left out for zeros.
        size = self.packet_number_size(0)
        if size and first >= 1 << 8 * size:
            raise ValueError(f"first packet number {first} does not fit into {size} byte{'s'[: size - 1]}")
        indexes = range(len(self.first_datagram_sizes) + 1)
        for datagram_size in (
            self.size_for(is_ipv6, index) for is_ipv6 in (False, True) for index in indexes
        ):
            if not 1200 <= datagram_size <= 65_527:  # RFC 9000 §14.1
                raise ValueError(
                    f"a datagram with an Initial packet has 1200 to 65527 bytes, not {datagram_size}"
                )
        if self.padding not in ("packet", "datagram"):
            raise ValueError(f"padding goes into the packet or the datagram, not {self.padding!r}")
        if self.length_size not in (2, 4, 8):
            raise ValueError(f"the Length of an Initial packet takes 2, 4 or 8 bytes, not {self.length_size}")
        for count in (self.skip_before_probe, *self.packet_number_skips):
            if not 0 <= count <= MAX_SKIP:
                raise ValueError(f"cannot skip {count} packet numbers")
        if self.probes_per_timeout < 1:
            raise ValueError("a timeout calls for probes, at least one")
        if not self.initial_rtt > 0:
            raise ValueError(f"a round-trip time of {self.initial_rtt} s")

    def size_for(self, is_ipv6: bool, index: int) -> int:
        """UDP payload of the datagram with the Initial number `index` of the connection."""
        size = (
            self.first_datagram_sizes[index] if index < len(self.first_datagram_sizes) else self.datagram_size
        )
        if is_ipv6 and self.datagram_size_ipv6 is not None:
            size -= self.datagram_size - self.datagram_size_ipv6
        return size

    def largest_size(self, is_ipv6: bool) -> int:
        """The largest UDP payload of a datagram with an Initial packet."""
        return max(self.size_for(is_ipv6, index) for index in range(len(self.first_datagram_sizes) + 1))

    def packet_number_size(self, index: int) -> int:
        """Encoded size for the Initial number `index` of the connection; 0 for the shortest allowed."""
        sizes = self.packet_number_sizes
        return sizes[min(index, len(sizes) - 1)] if sizes else 0

    def packet_number_skip(self, index: int) -> int:
        """Numbers left out behind the Initial number `index` of the connection."""
        return self.packet_number_skips[index] if index < len(self.packet_number_skips) else 0


def check_layout(flight: FlightContext, plan: Sequence[Sequence[Placement]]) -> None:
    """Refuse a plan that overflows a datagram or does not place every byte.

    Raises:
        FlightError: with the datagram, or the first byte, at fault.
    """
    total = len(flight.crypto)
    placed: list[tuple[int, int]] = []
    if not plan:
        raise FlightError("a layout must fill at least one datagram")
    for index, placements in enumerate(plan):
        size = 0
        for placement in placements:
            if isinstance(placement, Crypto):
                if not 0 <= placement.start < placement.stop <= total:
                    raise FlightError(
                        f"CRYPTO bytes {placement.start} to {placement.stop} are not among {total}"
                    )
                placed.append((placement.start, placement.stop))
                size += flight.crypto_size(placement.start, placement.stop)
            elif isinstance(placement, Padding):
                if placement.count < 1:
                    raise FlightError(f"a run of {placement.count} PADDING frames")
                size += placement.count
            elif isinstance(placement, Ping):
                size += 1
        if size == 0:
            raise FlightError(f"datagram {index} of the layout is empty")
        if size > flight.room(index):
            raise FlightError(
                f"datagram {index} holds {flight.room(index)} bytes of frames, the layout puts {size}"
            )
    placed.sort()
    for start, stop in flight.ranges:
        reached = start
        for first, last in placed:
            if first <= reached < last:
                reached = last
        if reached < stop:
            raise FlightError(f"the layout leaves byte {reached} of {total} unplaced")
