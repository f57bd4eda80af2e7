"""Connection IDs that the peer gave us, which we put on our packets.

Knows which is in use, which are spare, and which have to be given back. RFC 9000 §5.1.2, §19.15–19.16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from qtls.mac import equal
from qwire.compiling import mypyc_attr
from qwire.constants import CONNECTION_ID_LIMIT_ERROR, FRAME_ENCODING_ERROR, PROTOCOL_VIOLATION
from qwire.frames import Frame, NewConnectionIdFrame, RetireConnectionIdFrame

from .. import spaces
from ..errors import TransportError
from ..packing.source import FrameSource
from .generator import MAX_SIZE

if TYPE_CHECKING:
    from ..packing.builder import PacketBuilder

# RFC 9000 §5.1.2: a peer that makes us retire IDs faster than it acknowledges that is cut off at this
# multiple of the number of IDs we keep.
RETIRING_PER_ACTIVE: Final = 2
# What connections share that give no IDs back: nobody may put anything into these.
NO_NUMBERS: Final[list[int]] = []
NO_RETIRED: Final[dict[int, None]] = {}  # a set takes four times as much


@final
@mypyc_attr(acyclic=True)
class RemoteId:
    """One ID of the peer.

    Attributes:
        sequence: its sequence number.
        cid: its bytes.
        reset_token: what a stateless reset for it ends with; None if unknown.
        is_retired: it must not be used any more.
        is_spare: it was never used.
    """

    __slots__ = ("cid", "is_retired", "is_spare", "reset_token", "sequence")

    def __init__(self, sequence: int, cid: bytes, reset_token: bytes | None) -> None:
        self.sequence = sequence
        self.cid = cid
        self.reset_token = reset_token
        self.is_retired = False
        self.is_spare = False

    def __repr__(self) -> str:
        return f"RemoteId(sequence={self.sequence}, cid={self.cid.hex()}, is_retired={self.is_retired})"


@final
class RemoteIds(FrameSource):
    """The IDs of the peer.

    Args:
        first: the destination of our first packets.
        active_limit: how many IDs we said we would keep (active_connection_id_limit).
        lifetime: packets sent to one ID before another takes its place; 0 for no such change.

    Attributes:
        current: the ID in use on the active path.
        current_cid: its bytes.
    """

    __slots__ = (
        "_due",
        "_known",
        "_lifetime",
        "_limit",
        "_retire_prior_to",
        "_retiring",
        "_sent",
        "current",
        "current_cid",
    )

    def __init__(self, first: bytes, active_limit: int, lifetime: int = 0) -> None:
        self._lifetime = lifetime
        self._sent = 0
        self.current = RemoteId(0, first, None)
        self.current_cid = first
        self._limit = max(active_limit, 2)  # RFC 9000 §18.2: never less
        self._known: dict[int, RemoteId] = {0: self.current}
        self._retire_prior_to = 0
        self._due = NO_NUMBERS
        # Retired, and not known to be known by the peer; bounded by RETIRING_PER_ACTIVE.
        self._retiring = NO_RETIRED

    @property
    def spare_count(self) -> int:
        """IDs that were never used."""
        return sum([remote_id.is_spare for remote_id in self._known.values()])

    def replace_first(self, cid: bytes) -> None:
        """The server has chosen its ID, in a Retry or its first Initial packet. RFC 9000 §7.2."""
        first = self._known.get(0)
        if first is not None:
            first.cid = cid
            if self.current is first:
                self.current_cid = cid

    def set_first_token(self, token: bytes) -> None:
        """The server's stateless_reset_token parameter. RFC 9000 §18.2."""
        first = self._known.get(0)
        if first is not None:
            first.reset_token = token

    def add_preferred(self, cid: bytes, token: bytes) -> None:
        """The ID in the server's preferred_address, with sequence number 1. RFC 9000 §5.1.1."""
        self._add(RemoteId(1, cid, token))

    def _add(self, remote_id: RemoteId) -> None:
        self._known[remote_id.sequence] = remote_id
        remote_id.is_spare = True

    def receive_new(self, frame: NewConnectionIdFrame) -> None:
        """NEW_CONNECTION_ID, RFC 9000 §19.15.

        Raises:
            TransportError: FRAME_ENCODING_ERROR, an impossible size or retire_prior_to; PROTOCOL_VIOLATION,
                an ID that contradicts an earlier one; CONNECTION_ID_LIMIT_ERROR, too many at once, or too
                many to retire.
        """
        sequence = frame.sequence_number
        cid = frame.connection_id
        if not 1 <= len(cid) <= MAX_SIZE:
            raise TransportError(FRAME_ENCODING_ERROR, frame.type, f"a connection ID of {len(cid)} bytes")
        if frame.retire_prior_to > sequence:
            raise TransportError(
                FRAME_ENCODING_ERROR,
                frame.type,
                f"connection ID {sequence} retires those before {frame.retire_prior_to}",
            )
        if not self.current_cid:
            raise TransportError(PROTOCOL_VIOLATION, frame.type, "the peer uses an empty connection ID")
        known = self._known.get(sequence)
        if known is not None:
            if known.cid != cid or not _same_token(known.reset_token, frame.stateless_reset_token):
                raise TransportError(
                    PROTOCOL_VIOLATION, frame.type, f"connection ID {sequence} was another before"
                )
        else:
            for other in self._known.values():
                if other.cid == cid:
                    raise TransportError(
                        PROTOCOL_VIOLATION,
                        frame.type,
                        f"connection ID {sequence} equals number {other.sequence}",
                    )
            if sequence < self._retire_prior_to:
                # RFC 9000 §19.15: it comes late, and is given back at once.
                self._give_back(sequence, frame)
            else:
                self._add(RemoteId(sequence, cid, frame.stateless_reset_token))
        if frame.retire_prior_to > self._retire_prior_to:
            self._retire_prior_to = frame.retire_prior_to
            for other in list(self._known.values()):
                if other.sequence < frame.retire_prior_to:
                    self._drop(other)
                    self._give_back(other.sequence, frame)
            if self.current.is_retired:
                self._use_spare()
        if len(self._known) > self._limit:
            raise TransportError(
                CONNECTION_ID_LIMIT_ERROR,
                frame.type,
                f"{len(self._known)} connection IDs, {self._limit} allowed",
            )

    def _give_back(self, sequence: int, frame: Frame | None) -> None:
        if sequence in self._retiring:
            return
        if frame is not None and len(self._retiring) >= RETIRING_PER_ACTIVE * self._limit:
            raise TransportError(
                CONNECTION_ID_LIMIT_ERROR,
                frame.type,
                f"{len(self._retiring)} retired connection IDs not acknowledged",
            )
        if self._retiring:
            self._retiring[sequence] = None
        else:
            self._retiring = {sequence: None}
        self._due = [*self._due, sequence]

    def _drop(self, remote_id: RemoteId) -> None:
        remote_id.is_retired = True
        self._known.pop(remote_id.sequence, None)
        remote_id.is_spare = False

    def _use_spare(self) -> bool:
        remote_id = self.take()
        if remote_id is None:
            return False
        self.current = remote_id
        self.current_cid = remote_id.cid
        return True

    def take(self) -> RemoteId | None:
        """An ID that was never used, for another path; None if the peer gave no spare one. RFC 9000 §9.5."""
        spare = [remote_id.sequence for remote_id in self._known.values() if remote_id.is_spare]
        if not spare:
            return None
        taken = self._known[min(spare)]
        taken.is_spare = False
        return taken

    def use(self, remote_id: RemoteId) -> None:
        """Make an ID from `take` the one in use. The one before stays: its path may be needed again."""
        if not remote_id.is_retired:
            self.current = remote_id
            self.current_cid = remote_id.cid

    def retire(self, remote_id: RemoteId) -> None:
        """Give an ID back to the peer. RFC 9000 §5.1.2."""
        if not remote_id.is_retired and remote_id.cid:
            self._drop(remote_id)
            self._give_back(remote_id.sequence, None)

    def on_sent(self, count: int) -> bool:
        """Count packets; True when the ID in use has served its time."""
        self._sent += count
        if not self._lifetime or self._sent < self._lifetime:
            return False
        self._sent = 0
        return True

    def rotate(self) -> bool:
        """Go on with a spare ID and give the present one back; False when there is none."""
        before = self.current
        if not self._use_spare():
            return False
        self.retire(before)
        return True

    def is_reset_token(self, token: bytes) -> bool:
        """Whether a datagram that ends with this is a stateless reset. RFC 9000 §10.3.1.

        Every token is compared, in constant time. Tokens of spare IDs do not count: they were never used.
        """
        found = False
        for remote_id in self._known.values():
            expected = remote_id.reset_token
            if expected is not None and not remote_id.is_spare:
                found |= equal(expected, token)
        return found

    def has_frames(self, space: int) -> bool:
        return bool(self._due) and space == spaces.APPLICATION

    def write_frames(self, builder: PacketBuilder) -> None:
        due = self._due
        while due:
            if not builder.append(RetireConnectionIdFrame(due[0]), self):
                return
            due = self._due = due[1:] or NO_NUMBERS

    def on_acked(self, frame: Frame) -> None:
        if isinstance(frame, RetireConnectionIdFrame):
            self._retiring.pop(frame.sequence_number, None)
            if frame.sequence_number in self._due:
                self._due.remove(frame.sequence_number)

    def on_lost(self, frame: Frame) -> None:
        if isinstance(frame, RetireConnectionIdFrame):
            sequence = frame.sequence_number
            if sequence in self._retiring and sequence not in self._due:
                self._due = [*self._due, sequence]


def _same_token(known: bytes | None, told: bytes) -> bool:
    return known is not None and equal(known, told)
