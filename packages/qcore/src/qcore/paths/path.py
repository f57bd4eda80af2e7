"""One network path: a local socket and a peer address, whether that is known to be the peer's, and what may be sent.

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

# RFC 4291 §2.5.5.2: how IPv6 sockets write IPv4 addresses.
MAPPED: Final = "::ffff:"
# RFC 9000 §8.1: bytes sent per byte received, until the address is validated.
AMPLIFICATION: Final = 3
# The budget of a validated path. One more would be no short integer in compiled code, and several times as slow.
UNLIMITED: Final = (1 << 62) - 1
# Challenges of the peer that wait for a response. More than this arrive only in a flood, where each response
# would have to wait for congestion control; the oldest are dropped then.
MAX_RESPONSES: Final = 8
# RFC 9000 §8.2.1: the data of a challenge.
CHALLENGE_SIZE: Final = 8
# RFC 9000 §8.2.1: what a path has to carry; smaller probes prove the address and leave that open.
FULL_SIZE: Final = 1200
# RFC 9000 §8.2.4: validation is given up after three probe timeouts, for which a new path counts with the
# initial round-trip time: 0.333 s and four times half of it, RFC 9002 §6.2.2.
PROBE_TIMEOUTS: Final = 3
NEW_PATH_PTO: Final = 0.999
# What paths share on which nothing is asked: nobody may put anything into these.
NO_CHALLENGES: Final[dict[bytes, float]] = {}
NO_RESPONSES: Final[list[bytes]] = []


def is_same_place(one: Address, other: Address) -> bool:
    """Whether two addresses are one, which sockets of IPv6 write in another way than those of IPv4."""
    return one[1] == other[1] and str(one[0]).removeprefix(MAPPED) == str(other[0]).removeprefix(MAPPED)


class PathState(Enum):
    """How far validation has come."""

    NEW = "new"
    PROBING = "probing"
    VALIDATED = "validated"
    FAILED = "failed"


@final
class Path(FrameSource):
    """A path from one local socket to one peer address.

    Its frames belong into packets that leave on this path and on no other.

    Attributes:
        id: its number on this connection; -1 while it is not kept.
        address: the peer's address, as the socket gives it.
        local: the number of the local socket; the engine does not know what is behind it.
        validated: the address is the peer's. It stays so while a known path is probed again.
        received, sent: bytes of datagrams.
        remote_id: the connection ID that is used on it, if not the common one.
        local_cid: the connection ID that the peer used on it last.
        mtu: what its datagrams may hold, if that is looked for.
        rtt: seconds that the answer to a challenge took; 0 while that is unknown.
        rounds: validations in a row that have failed.
        was_heard: something arrived during the validation that failed last.
        deadline: when `handle_timeout` is due.
        leaves_at: when it is forgotten; `is_kept` says never, on its own.
        is_limited: before validation the three-times limit holds. It does not for the paths that a client chooses:
            another address than the server's gets nothing but a probe now and then.
    """

    __slots__ = (
        "_challenge_due",
        "_challenges",
        "_fails_at",
        "_interval",
        "_is_small",
        "_newest",
        "_received_before",
        "_responses",
        "address",
        "deadline",
        "id",
        "is_kept",
        "is_limited",
        "leaves_at",
        "local",
        "local_cid",
        "mtu",
        "received",
        "remote_id",
        "rounds",
        "rtt",
        "sent",
        "state",
        "validated",
        "was_heard",
    )

    def __init__(self, address: Address, *, validated: bool = False, local: int = 0) -> None:
        self.id = -1
        self.address = address
        self.local = local
        self.validated = validated
        self.received = 0
        self.sent = 0
        self.state = PathState.VALIDATED if validated else PathState.NEW
        self.remote_id: RemoteId | None = None
        self.local_cid = b""
        self.mtu: MtuDiscovery | None = None
        self.rtt = 0.0
        self.rounds = 0
        self.deadline = math.inf
        self.leaves_at = math.inf
        self.is_kept = False
        self.is_limited = True
        # All of this validation, and when they left: any response will do.
        self._challenges = NO_CHALLENGES
        self._newest = b""
        self._challenge_due = False
        self._is_small = False
        self._responses = NO_RESPONSES
        self._interval = 0.0
        self._received_before = 0
        self.was_heard = False
        self._fails_at = math.inf

    def __repr__(self) -> str:
        return (
            f"Path({self.id}, {self.address!r}, local={self.local}, {self.state.value}, "
            f"received={self.received}, sent={self.sent})"
        )

    @property
    def has_failed(self) -> bool:
        """Nobody answered on it."""
        return self.state is PathState.FAILED

    def budget(self) -> int:
        """Bytes of datagrams that may be sent to the address now."""
        if self.validated or not self.is_limited:
            return UNLIMITED
        return AMPLIFICATION * self.received - self.sent

    def on_received(self, size: int) -> None:
        """Count a datagram from the address, whatever was in it. RFC 9000 §8.1."""
        self.received += size

    def on_sent(self, size: int) -> None:
        """Count a datagram to the address, or several."""
        self.sent += size
        mtu = self.mtu
        if mtu is not None and mtu.is_idle and size >= mtu.current:
            mtu.want()

    def leave(self, at: float) -> None:
        """Be forgotten then, unless somebody keeps it."""
        if not self.is_kept:
            self.leaves_at = at

    def set_validated(self) -> None:
        """The address is the peer's: by a response, a Handshake packet, or a token. RFC 9000 §8.1."""
        self.validated = True
        self.state = PathState.VALIDATED
        self.rounds = 0
        self._stop()

    def _stop(self) -> None:
        self.deadline = math.inf
        self._challenges = NO_CHALLENGES
        self._challenge_due = False
        self._is_small = False

    def _challenge(self, data: bytes) -> None:
        self._challenges = {**self._challenges, data: math.inf}
        self._newest = data
        self._challenge_due = True

    def start_validation(self, random: Callable[[int], bytes], now: float, pto: float) -> None:
        """Send a challenge, and again with growing pauses until an answer or the time is over.

        Args:
            pto: the present probe timeout in seconds.
        """
        if self.state is PathState.PROBING:
            return
        self.state = PathState.PROBING
        self._challenges = NO_CHALLENGES
        self._is_small = False
        self._challenge(random(CHALLENGE_SIZE))
        self._interval = pto
        self._received_before = self.received
        self._fails_at = now + PROBE_TIMEOUTS * max(pto, NEW_PATH_PTO)
        self.deadline = min(now + pto, self._fails_at)

    def receive_challenge(self, frame: PathChallengeFrame) -> None:
        """PATH_CHALLENGE that arrived on this path, RFC 9000 §19.17."""
        if len(self._responses) >= MAX_RESPONSES:
            del self._responses[0]
        self._responses = [*self._responses, frame.data]

    def receive_response(
        self, frame: PathResponseFrame, random: Callable[[int], bytes], now: float, pto: float
    ) -> bool:
        """PATH_RESPONSE on any path, RFC 9000 §19.18; True when it is the answer that this path waits for.

        An answer to a challenge in a small datagram proves the address only, and a second validation follows.
        """
        sent = self._challenges.get(frame.data)
        if self.state is not PathState.PROBING or sent is None:
            return False
        self.rtt = max(now - sent, 0.0)
        was_small = self._is_small
        self.set_validated()
        if was_small:  # RFC 9000 §8.2.3
            self.start_validation(random, now, pto)
        return not was_small

    def handle_timeout(self, random: Callable[[int], bytes], now: float) -> bool:
        """Send another challenge, or give up; True if validation has failed just now."""
        if now < self.deadline:
            return False
        if now >= self._fails_at:
            self.validated = False
            self.state = PathState.FAILED
            self.rounds += 1
            self.was_heard = self.received > self._received_before
            # What was sent while the address was proved is not held against it, and what was heard counts no more.
            self.received = self.sent = 0
            self._stop()
            return True
        # RFC 9000 §8.2.1: each challenge has data of its own.
        self._challenge(random(CHALLENGE_SIZE))
        self._interval *= 2
        self.deadline = min(now + self._interval, self._fails_at)
        return False

    def has_frames(self, space: int) -> bool:
        return space == spaces.APPLICATION and (self._challenge_due or bool(self._responses))

    def write_frames(self, builder: PacketBuilder) -> None:
        # Neither frame is repeated when lost: a challenge has its timer, and a response is asked for again.
        if self._responses and builder.append(PathResponseFrame(self._responses[0]), self):
            self._responses = self._responses[1:] or NO_RESPONSES
            builder.is_path_probe = True
        if self._challenge_due and builder.append(PathChallengeFrame(self._newest), self):
            self._challenge_due = False
            self._challenges = {**self._challenges, self._newest: builder.now}
            self._is_small = self._is_small or self.budget() < FULL_SIZE
            builder.is_path_probe = True
