"""One network path: a peer address, whether it is known to be the peer's, and what may be sent to it.

Counts the three-times limit of an address that is not validated, and validates with PATH_CHALLENGE.
RFC 9000 §8.1–8.2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Final, final

from qwire.frames import PathChallengeFrame, PathResponseFrame

from .. import spaces
from ..batch import Address
from ..ids.remote import RemoteId
from ..packing.source import FrameSource
from .mtu import MtuDiscovery

if TYPE_CHECKING:
    from ..packing.builder import PacketBuilder

# RFC 9000 §8.1: bytes sent per byte received, until the address is validated.
AMPLIFICATION: Final = 3
# The budget of a validated path.
UNLIMITED: Final = 1 << 62
# Challenges of the peer that wait for a response. More than this arrive only in a flood, where each response
# would have to wait for congestion control; the oldest are dropped then.
MAX_RESPONSES: Final = 8
# RFC 9000 §8.2.1: the data of a challenge.
CHALLENGE_SIZE: Final = 8
# RFC 9000 §8.2.4: validation is given up after three probe timeouts, for which a new path counts with the
# initial round-trip time: 0.333 s and four times half of it, RFC 9002 §6.2.2.
PROBE_TIMEOUTS: Final = 3
NEW_PATH_PTO: Final = 0.999


class PathState(Enum):
    """How far validation has come."""

    NEW = "new"
    PROBING = "probing"
    VALIDATED = "validated"
    FAILED = "failed"


@final
class Path(FrameSource):
    """A path to one peer address.

    Its frames belong into packets that leave on this path and on no other.

    Attributes:
        address: the peer's address, as the socket gives it.
        local: whatever tells local sockets or addresses apart; the engine does not look at it.
        validated: the address is the peer's. It stays so while a known path is probed again.
        received, sent: bytes of datagrams.
        remote_id: the connection ID that is used on it, if not the common one.
        mtu: what its datagrams may hold, if that is looked for.
        deadline: when `handle_timeout` is due.
    """

    __slots__ = (
        "_challenge_due",
        "_challenges",
        "_fails_at",
        "_interval",
        "_responses",
        "address",
        "deadline",
        "local",
        "mtu",
        "received",
        "remote_id",
        "sent",
        "state",
        "validated",
    )

    def __init__(self, address: Address, *, validated: bool = False, local: object = None) -> None:
        self.address = address
        self.local = local
        self.validated = validated
        self.received = 0
        self.sent = 0
        self.state = PathState.VALIDATED if validated else PathState.NEW
        self.remote_id: RemoteId | None = None
        self.mtu: MtuDiscovery | None = None
        self.deadline = math.inf
        self._challenges: list[bytes] = []  # all that were sent in this validation: any response will do
        self._challenge_due = False
        self._responses: list[bytes] = []
        self._interval = 0.0
        self._fails_at = math.inf

    def __repr__(self) -> str:
        return f"Path({self.address!r}, {self.state.value}, received={self.received}, sent={self.sent})"

    def budget(self) -> int:
        """Bytes of datagrams that may be sent to the address now."""
        if self.validated:
            return UNLIMITED
        return AMPLIFICATION * self.received - self.sent

    def on_received(self, size: int) -> None:
        """Count a datagram from the address, whatever was in it. RFC 9000 §8.1."""
        self.received += size

    def on_sent(self, size: int) -> None:
        """Count a datagram to the address."""
        self.sent += size

    def set_validated(self) -> None:
        """The address is the peer's: by a response, a Handshake packet, or a token. RFC 9000 §8.1."""
        self.validated = True
        self.state = PathState.VALIDATED
        self.deadline = math.inf
        self._challenges.clear()
        self._challenge_due = False

    def start_validation(self, random: Callable[[int], bytes], now: float, pto: float) -> None:
        """Send a challenge, and again with growing pauses until an answer or the time is over.

        Args:
            pto: the present probe timeout in seconds.
        """
        if self.state is PathState.PROBING:
            return
        self.state = PathState.PROBING
        self._challenges = [random(CHALLENGE_SIZE)]
        self._challenge_due = True
        self._interval = pto
        self._fails_at = now + PROBE_TIMEOUTS * max(pto, NEW_PATH_PTO)
        self.deadline = min(now + pto, self._fails_at)

    def receive_challenge(self, frame: PathChallengeFrame) -> None:
        """PATH_CHALLENGE that arrived on this path, RFC 9000 §19.17."""
        if len(self._responses) >= MAX_RESPONSES:
            del self._responses[0]
        self._responses.append(frame.data)

    def receive_response(self, frame: PathResponseFrame) -> bool:
        """PATH_RESPONSE on any path, RFC 9000 §19.18; True when it is the answer that this path waits for."""
        if self.state is not PathState.PROBING or frame.data not in self._challenges:
            return False
        self.set_validated()
        return True

    def handle_timeout(self, random: Callable[[int], bytes], now: float) -> bool:
        """Send another challenge, or give up; True if validation has failed just now."""
        if now < self.deadline:
            return False
        if now >= self._fails_at:
            self.validated = False
            self.state = PathState.FAILED
            self.deadline = math.inf
            self._challenges.clear()
            self._challenge_due = False
            return True
        # RFC 9000 §8.2.1: each challenge has data of its own.
        self._challenges.append(random(CHALLENGE_SIZE))
        self._challenge_due = True
        self._interval *= 2
        self.deadline = min(now + self._interval, self._fails_at)
        return False

    @property
    def needs_full_datagram(self) -> bool:
        """Whether the next datagram tests the path, and so is as large as the budget allows up to 1200 bytes.

        RFC 9000 §8.2.1–8.2.2.
        """
        return self._challenge_due or bool(self._responses)

    def has_frames(self, space: int) -> bool:
        return space == spaces.APPLICATION and (self._challenge_due or bool(self._responses))

    def write_frames(self, builder: PacketBuilder) -> None:
        # Neither frame is repeated when lost: a challenge has its timer, and a response is asked for again.
        if self._responses and builder.append(PathResponseFrame(self._responses[0]), self):
            del self._responses[0]
        if self._challenge_due and builder.append(PathChallengeFrame(self._challenges[-1]), self):
            self._challenge_due = False
