"""When silence lasts too long, and what is then owed to the peer.

Keeps the probe timeout with its backoff and the number of probes that each space owes. Knows when no timeout may
run, and when one must although nothing is in flight. Sends nothing. RFC 9002 §6.2.
"""

# ruff: noqa: FURB136, PLR1730 - per packet, and min() is a call

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, final

from ..spaces import APPLICATION, COUNT, HANDSHAKE, INITIAL
from .history import SentHistory
from .rtt import RttEstimator

PROBES_PER_TIMEOUT: Final = 2  # RFC 9002 §6.2.4 allows one or two
# Backoff ends here: a path that comes back is noticed within a minute.
MAX_PTO: Final = 60.0
MAX_BACKOFF: Final = 16
# RFC 9002 §6.2.3: how often a handshake is helped along before its probe timeout. Once makes good a lost packet, four
# times the third of all packets; a peer that repeats itself without end gets no more than that.
MAX_HURRIES: Final = 4
# What connections share that owe no probes: nobody may put anything into it.
NONE_OWED: Final = [0] * COUNT


@final
class ProbeTimer:
    """The probe timeout of one connection.

    Attributes:
        count: timeouts in a row without an answer.
        total: probes owed in all spaces.
        space: the space to which the last `deadline` belonged.
        is_address_validated: whether the peer may send without limit. RFC 9002 §6.2.2.1.
        is_blocked: whether this side may not send, since its peer's address is not validated.
        is_confirmed: whether the handshake is confirmed.
        has_handshake_keys: whether Handshake packets can be sent.
        last_activity: when something was sent or acknowledged.
        hurry_at: when the handshake is helped along without a timeout; math.inf when it is not.

    Args:
        per_timeout: packets that a timeout calls for.
    """

    __slots__ = (
        "_expired_at",
        "_hurried_at",
        "_hurries",
        "_is_client",
        "_lacks_keys",
        "_owed",
        "_per_timeout",
        "count",
        "has_handshake_keys",
        "hurry_at",
        "is_address_validated",
        "is_blocked",
        "is_confirmed",
        "last_activity",
        "space",
        "total",
    )

    def __init__(self, is_client: bool, per_timeout: int = PROBES_PER_TIMEOUT) -> None:
        self._is_client = is_client
        self._per_timeout = per_timeout
        self._owed = NONE_OWED
        self._expired_at = -math.inf
        self._hurries = MAX_HURRIES
        self._hurried_at = -math.inf
        self._lacks_keys = False
        self.hurry_at = math.inf
        self.count = 0
        self.total = 0
        self.space = INITIAL
        # A client cannot know whether the server may answer; a server knows that the client may.
        self.is_address_validated = not is_client
        self.is_blocked = False
        self.is_confirmed = False
        self.has_handshake_keys = False
        self.last_activity = -math.inf

    def deadline(self, histories: list[SentHistory], rtt: RttEstimator, max_ack_delay: float) -> float:
        """The earliest probe timeout; math.inf when none runs. RFC 9002 §6.2.1.

        It counts from the last packet that elicits an answer, or from the timeout before, if that is later: a timeout
        that could send no probe does not expire again at once.
        """
        earliest = math.inf
        if self.is_blocked:
            return earliest
        backoff = 1 << (self.count if self.count < MAX_BACKOFF else MAX_BACKOFF)
        for space in range(COUNT):
            history = histories[space]
            if not history.ack_eliciting:
                continue
            period = rtt.period
            if space == APPLICATION:
                if not self.is_confirmed:
                    continue
                period += max_ack_delay
            started = history.last_eliciting_time
            if started < self._expired_at:
                started = self._expired_at
            period *= backoff
            deadline = started + (period if period < MAX_PTO else MAX_PTO)
            if deadline < earliest:
                earliest = deadline
                self.space = space
        if (
            earliest == math.inf
            and self._is_client
            and not self.is_confirmed
            and self.last_activity > -math.inf
        ):
            # RFC 9002 §6.2.2.1: the server may be waiting for more bytes before it may answer. An acknowledged Handshake
            # packet is no end of that if the address has changed since.
            self.space = HANDSHAKE if self.has_handshake_keys else INITIAL
            started = max(self.last_activity, self._expired_at)
            earliest = started + min(rtt.period * backoff, MAX_PTO)
        return earliest if earliest < self.hurry_at else self.hurry_at

    def expire(self, histories: Sequence[SentHistory], now: float) -> None:
        """The timeout of `space` has come: back off, and owe probes. RFC 9002 §6.2.1, §6.2.4."""
        self.count += 1
        self._expired_at = now
        self._owe(self.space, self._per_timeout if histories[self.space].ack_eliciting else 1)
        # What else is in flight goes along in the same datagram.
        for other in (INITIAL, HANDSHAKE):
            if other != self.space and histories[other].ack_eliciting:
                self._owe(other, 1)
        # So does what a client has said behind its Finished: it has no timeout of its own yet. Early data before that waits.
        is_finished = self._is_client and histories[HANDSHAKE].ack_eliciting > 0
        if is_finished and self.space == HANDSHAKE and histories[APPLICATION].ack_eliciting:
            self._owe(APPLICATION, 1)

    def hurry(self, now: float, delay: float = 0.0, *, lacks_keys: bool = False) -> None:
        """The peer lacks part of the handshake, or may do so: help it along before the timeout. RFC 9002 §6.2.3.

        Args:
            delay: how long to wait for what may only be late.
            lacks_keys: it is this client that lacks something, and asks for it with a PING if need be.
        """
        if self._hurries and not self.is_confirmed and self.hurry_at == math.inf:
            self._hurries -= 1
            self._hurried_at = now
            self.hurry_at = now + delay
            self._lacks_keys = lacks_keys

    def expire_hurry(self, histories: Sequence[SentHistory]) -> None:
        """Owe probes in spaces where nothing was sent since. The backoff stays as it is."""
        self.hurry_at = math.inf
        for space in (INITIAL, HANDSHAKE):
            history = histories[space]
            if history.ack_eliciting and history.last_eliciting_time < self._hurried_at:
                self._owe(space, self._per_timeout)
        if not self.total and self._lacks_keys and not self.has_handshake_keys:
            self._owe(INITIAL, 1)
        if not self.total:
            self._hurries += 1

    def owed(self, space: int) -> int:
        """Ack-eliciting packets that a space should send."""
        return self._owed[space]

    def on_sent(self, space: int) -> bool:
        """An ack-eliciting packet was sent; whether it paid a probe."""
        if not self._owed[space]:
            return False
        self._owe(space, self._owed[space] - 1)
        return True

    def on_answered(self) -> None:
        """The peer has acknowledged something new: probes that were not sent yet are not needed."""
        # RFC 9002 §6.2.1: the backoff stays while a client is unsure whether the server may send.
        if self.is_address_validated:
            self.count = 0
        elif self.count and self._hurries:
            # It stays so that the server is not probed without end; it is alive, and a few times are no end.
            self._hurries -= 1
            self.count = 0
        if self.total:
            self.cancel()

    def cancel(self) -> None:
        """Nothing is owed."""
        self._owed = NONE_OWED
        self.total = 0

    def on_space_discarded(self, space: int) -> None:
        """The keys of a space are gone. RFC 9002 §6.2.2."""
        self._owe(space, 0)
        self.count = 0
        if space == HANDSHAKE:
            self.hurry_at = math.inf
        if space == INITIAL:
            self.has_handshake_keys = True

    def _owe(self, space: int, count: int) -> None:
        more = count - self._owed[space]
        if not more:
            return
        self.total += more
        if self._owed is NONE_OWED:
            self._owed = NONE_OWED.copy()
        self._owed[space] = count
