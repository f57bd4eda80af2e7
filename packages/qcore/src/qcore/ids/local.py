"""Connection IDs that we issue and the peer puts on its packets.

Keeps the peer supplied up to its limit, replaces what it retires, and reports to the router which IDs lead
here. RFC 9000 §5.1.1, §19.15–19.16.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, final

from qwire.constants import PROTOCOL_VIOLATION
from qwire.frames import Frame, NewConnectionIdFrame, RetireConnectionIdFrame

from .. import spaces
from ..errors import TransportError
from ..packing.source import FrameSource
from .generator import ConnectionIdGenerator

if TYPE_CHECKING:
    from ..packing.builder import PacketBuilder

# A peer needs a spare per path that it tries; each ID costs an entry in the routing table.
MAX_ACTIVE: Final = 8
# RFC 9000 §18.2: what an endpoint accepts if it does not say.
DEFAULT_PEER_LIMIT: Final = 2
# What connections share that have nothing to tell of their IDs: nobody may put anything into these.
NO_NUMBERS: Final[list[int]] = []
NO_IDS: Final[list[bytes]] = []


@final
class LocalIds(FrameSource):
    """The IDs that lead to one connection.

    Args:
        first: our first source connection ID, which has sequence number 0.
        generator: makes further IDs; with size 0 none are issued.
        reset_token: the stateless reset token of an ID.
        original: the destination of the client's first packets, which leads here for a while (server only).

    Attributes:
        added, removed: what `drain_changes` has to tell.
    """

    __slots__ = (
        "_active",
        "_due",
        "_generator",
        "_is_issuing",
        "_limit",
        "_next_sequence",
        "_original",
        "_reset_token",
        "added",
        "removed",
    )

    def __init__(
        self,
        *,
        first: bytes,
        generator: ConnectionIdGenerator,
        reset_token: Callable[[bytes], bytes],
        original: bytes | None = None,
    ) -> None:
        self._generator = generator
        self._reset_token = reset_token
        self._original = original
        self._active: dict[int, bytes] = {0: first}
        self._next_sequence = 1
        self._limit = DEFAULT_PEER_LIMIT
        self._is_issuing = False
        self._due = NO_NUMBERS
        self.added = [first] if original is None else [first, original]
        self.removed = NO_IDS

    def set_peer_limit(self, limit: int) -> None:
        """Take the peer's active_connection_id_limit. RFC 9000 §18.2."""
        self._limit = min(limit, MAX_ACTIVE)
        if self._is_issuing:
            self._fill()

    def issue(self) -> None:
        """Supply the peer with as many IDs as it takes, from now on."""
        self._is_issuing = True
        self._fill()

    def reserve(self) -> tuple[bytes, bytes]:
        """An ID and its reset token for preferred_address, which has sequence number 1. RFC 9000 §5.1.1.

        Raises:
            ValueError: other IDs were issued before, or IDs have no bytes.
        """
        if self._next_sequence != 1 or not self._generator.size:
            raise ValueError("the preferred address takes the second connection ID, and it is not empty")
        sequence = self._make()
        cid = self._active[sequence]
        return cid, self._reset_token(cid)

    def active(self) -> list[bytes]:
        """All IDs that lead here."""
        ids = list(self._active.values())
        if self._original is not None:
            ids.append(self._original)
        return ids

    def owns(self, cid: bytes) -> bool:
        """Whether an ID leads here."""
        return cid == self._original or cid in self._active.values()

    def drop_original(self) -> None:
        """The client uses our IDs by now; its own invention leads nowhere."""
        if self._original is not None:
            if self._original not in self._active.values():
                self.removed = [*self.removed, self._original]
            self._original = None

    def drain_changes(self) -> tuple[list[bytes], list[bytes]]:
        """IDs that lead here, and no longer lead here, since the last call."""
        if not self.added and not self.removed:
            return [], []
        changes = self.added, self.removed
        self.added = self.removed = NO_IDS
        return changes

    def receive_retire(self, frame: RetireConnectionIdFrame, destination_cid: bytes) -> None:
        """RETIRE_CONNECTION_ID in a packet that was sent to `destination_cid`. RFC 9000 §19.16.

        Raises:
            TransportError: PROTOCOL_VIOLATION, never issued, or in use by the very packet.
        """
        sequence = frame.sequence_number
        if sequence >= self._next_sequence:
            raise TransportError(PROTOCOL_VIOLATION, frame.type, f"connection ID {sequence} was never issued")
        cid = self._active.get(sequence)
        if cid is None:
            return
        if not cid:
            raise TransportError(PROTOCOL_VIOLATION, frame.type, "the empty connection ID cannot be retired")
        if cid == destination_cid:
            raise TransportError(
                PROTOCOL_VIOLATION, frame.type, f"connection ID {sequence} is used by its retirement"
            )
        del self._active[sequence]
        if sequence in self._due:
            self._due.remove(sequence)
        if cid in self.added:
            self.added.remove(cid)
        else:
            self.removed = [*self.removed, cid]
        if self._is_issuing:
            self._fill()

    def _fill(self) -> None:
        if not self._generator.size or not self._active.get(0, b"-"):
            return
        while len(self._active) < self._limit:
            self._due = [*self._due, self._make()]

    def _make(self) -> int:
        sequence = self._next_sequence
        cid = self._generator.generate()
        while cid in self._active.values():
            cid = self._generator.generate()
        self._next_sequence += 1
        self._active[sequence] = cid
        self.added = [*self.added, cid]
        return sequence

    def has_frames(self, space: int) -> bool:
        return bool(self._due) and space == spaces.APPLICATION

    def write_frames(self, builder: PacketBuilder) -> None:
        due = self._due
        while due:
            sequence = due[0]
            cid = self._active[sequence]
            frame = NewConnectionIdFrame(sequence, 0, cid, self._reset_token(cid))
            if not builder.append(frame, self):
                return
            due = self._due = due[1:] or NO_NUMBERS

    def on_lost(self, frame: Frame) -> None:
        if isinstance(frame, NewConnectionIdFrame):
            sequence = frame.sequence_number
            if sequence in self._active and sequence not in self._due:
                self._due = [*self._due, sequence]
