"""A ClientHello on its way into datagrams.

Asks the layout of the `InitialPolicy` where the bytes go, checks the answer, and places datagram after datagram
of it: at first, after a Retry or Version Negotiation, and in probes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, final

from qwire.buffer import varint_size
from qwire.frames import PingFrame
from qwire.packet_number import encoded_size

from ..ackhandler.sent import SentPacketHandler
from ..errors import FlightError, caused
from ..packet_space import PacketSpace
from ..spaces import INITIAL
from .builder import PacketBuilder
from .initial_flight import (
    Ack,
    Crypto,
    FlightContext,
    FlightReason,
    InitialPolicy,
    InOrder,
    Padding,
    Ping,
    Placement,
    check_layout,
)
from .source import UNHEARD

# A flight is a ClientHello: eight datagrams are more than any client sends.
MAX_FLIGHT: Final = 8
# A token of a server may leave next to nothing of a datagram. A layout need not know how to cut a hello so small.
SMALLEST_ROOM: Final = 256
# What connections share that have sent their flight, or need no plan for it: nobody may put anything into it.
NO_PLAN: Final[list[Sequence[Placement]]] = []


@final
class FlightPlanner:
    """Lays out the Initial CRYPTO bytes of a client whose policy has a layout.

    Attributes:
        is_active: there is a layout to ask; otherwise CRYPTO frames go the ordinary path.
        has_plan: datagrams of a plan wait to be sent.
    """

    __slots__ = (
        "_base",
        "_crypto",
        "_is_ipv6",
        "_name_range",
        "_placed",
        "_plan",
        "_policy",
        "_random",
        "_reason",
        "_recovery",
        "_space",
        "is_active",
    )

    def __init__(
        self,
        policy: InitialPolicy,
        space: PacketSpace,
        recovery: SentPacketHandler,
        random: Callable[[int], bytes],
        is_client: bool,
        is_ipv6: bool,
    ) -> None:
        self._is_ipv6 = is_ipv6
        self.is_active = is_client and not isinstance(policy.layout, InOrder)
        self._policy = policy
        self._space = space
        self._recovery = recovery
        self._random = random
        self._reason = FlightReason.FIRST
        self._crypto = b""
        self._base = 0
        self._name_range: tuple[int, int] | None = None
        self._plan = NO_PLAN
        self._placed = NO_PLAN

    @property
    def has_plan(self) -> bool:
        return bool(self._plan)

    def begin(
        self,
        reason: FlightReason,
        crypto: bytes | None = None,
        base: int = 0,
        server_name_range: tuple[int, int] | None = None,
    ) -> None:
        """A ClientHello is to be laid out: a new one of bytes `crypto`, or the same once more."""
        if crypto is not None:
            self._crypto = crypto
            self._base = base
            self._name_range = server_name_range
        self._reason = reason
        self._plan = self._placed = NO_PLAN

    def release(self) -> None:
        """The flight has arrived; nothing of it is sent again."""
        self._crypto = b""
        self._plan = self._placed = NO_PLAN

    def plan(self, overhead: int, first_index: int, first_room: int | None) -> None:
        """Ask the layout where the waiting bytes of the ClientHello go.

        Args:
            overhead: bytes of a datagram with an Initial that are neither packet number nor frames.
            first_index: how many Initial packets have been sent, which decides sizes.
            first_room: bytes for frames in the first of the datagrams, if that is known already.

        Raises:
            FlightError: the layout does not fit, or fails.
        """
        if not self.is_active or self._plan:
            return
        base = self._base
        stop = base + len(self._crypto)
        pending = self._space.crypto.pending_ranges()
        if not pending or any(first < base or last > stop for first, last in pending):
            return
        ranges = [(first - base, last - base) for first, last in pending]
        if self._reason is FlightReason.PROBE and not self._policy.probe_relayout:
            self._plan = [plan for plan in self._placed if _touches(plan, ranges)]
            return
        reason, self._reason = self._reason, FlightReason.PROBE
        rooms = self._rooms(overhead, first_index, first_room)
        if min(rooms) < SMALLEST_ROOM:
            return
        flight = FlightContext(
            self._crypto,
            ranges=ranges,
            rooms=rooms,
            reason=reason,
            random=self._random,
            base=base,
            server_name_range=self._name_range,
        )
        plan = self._ask(flight)
        if plan is None:
            return
        check_layout(flight, plan)
        self._plan = list(plan)
        if reason is not FlightReason.PROBE:
            self._placed = list(plan)

    def _ask(self, flight: FlightContext) -> Sequence[Sequence[Placement]] | None:
        try:
            return self._policy.layout.lay_out(flight)
        except FlightError:
            raise
        except Exception as error:
            raise caused(FlightError(f"the layout failed: {error!r}"), error) from error

    def _rooms(self, overhead: int, first_index: int, first_room: int | None) -> list[int]:
        """Frame bytes in each of the next datagrams that carry an Initial."""
        policy = self._policy
        rooms = []
        number = self._recovery.next_packet_number(INITIAL)
        for index in range(first_index, first_index + MAX_FLIGHT):
            number_size = policy.packet_number_size(index)
            unanswered = policy.habits.unanswered_number_size
            if unanswered and index and self._reason is not FlightReason.PROBE:
                number_size = unanswered
            if not number_size:
                number_size = encoded_size(number, self._recovery.largest_acked(INITIAL))
            rooms.append(policy.size_for(self._is_ipv6, index) - overhead - number_size)
            number += 1 + policy.packet_number_skip(index)
        if first_room is not None:
            rooms[0] = first_room
        return rooms

    def write(self, builder: PacketBuilder) -> None:
        """Put the next datagram's frames into a packet.

        An ACK that has become due since the plan was made takes its room from the padding. Where that is not enough,
        the ordinary path takes over, and what it leaves is planned for again.
        """
        crypto = self._space.crypto
        base = self._base
        placements = self._plan.pop(0)
        excess = self._size(placements) - builder.room
        if excess > sum(placement.count for placement in placements if isinstance(placement, Padding)):
            self._plan = NO_PLAN
            crypto.write_frames(builder)
            return
        ack = builder.take_ack() if any(isinstance(placement, Ack) for placement in placements) else None
        for placement in placements:
            if isinstance(placement, Crypto):
                builder.append(crypto.take_range(base + placement.start, base + placement.stop), crypto)
            elif isinstance(placement, Padding):
                given_up = max(0, min(excess, placement.count))
                excess -= given_up
                builder.pad(placement.count - given_up)
            elif isinstance(placement, Ping):
                builder.append(PingFrame(), UNHEARD)
            elif ack is not None:
                builder.append(*ack)
                ack = None

    def _size(self, placements: Sequence[Placement]) -> int:
        """Bytes that placements take in a packet."""
        size = 0
        for placement in placements:
            if isinstance(placement, Crypto):
                start = self._base + placement.start
                count = placement.stop - placement.start
                size += 1 + varint_size(start) + varint_size(count) + count
            elif isinstance(placement, Padding):
                size += placement.count
            elif isinstance(placement, Ping):
                size += 1
        return size


def _touches(plan: Sequence[Placement], ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether a datagram's placements carry any byte of the ranges."""
    return any(
        isinstance(placement, Crypto) and placement.start < stop and start < placement.stop
        for placement in plan
        for start, stop in ranges
    )
