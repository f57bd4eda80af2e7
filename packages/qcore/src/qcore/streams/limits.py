"""How many streams each side may open, and how much may be sent on a new one.

`PeerStreams` and `LocalStreams` count one kind of stream each: which are open, which are allowed, and what
the other side has to be told. RFC 9000 §4.6.
"""

from __future__ import annotations

from typing import final

from qwire.constants import STREAM_LIMIT_ERROR
from qwire.frames import Frame
from qwire.transport_parameters import TransportParameters

from ..errors import TransportError
from .ids import MAX_STREAM_COUNT
from .ranges import RangeSet


@final
class StreamLimits:
    """The limits in the transport parameters of one side. RFC 9000 §18.2.

    Attributes:
        data: bytes on the whole connection.
        bidi_local, bidi_remote: bytes on a stream with two directions that this side, or its peer, opens.
        uni: bytes on a stream with one direction.
        streams_bidi, streams_uni: streams that the peer of this side may open.
    """

    __slots__ = ("bidi_local", "bidi_remote", "data", "streams_bidi", "streams_uni", "uni")

    def __init__(
        self, *, data: int, bidi_local: int, bidi_remote: int, uni: int, streams_bidi: int, streams_uni: int
    ) -> None:
        self.data = data
        self.bidi_local = bidi_local
        self.bidi_remote = bidi_remote
        self.uni = uni
        self.streams_bidi = streams_bidi
        self.streams_uni = streams_uni

    @classmethod
    def of(cls, parameters: TransportParameters) -> StreamLimits:
        """Read the limits from transport parameters, of either side."""
        return StreamLimits(
            data=parameters.initial_max_data,
            bidi_local=parameters.initial_max_stream_data_bidi_local,
            bidi_remote=parameters.initial_max_stream_data_bidi_remote,
            uni=parameters.initial_max_stream_data_uni,
            streams_bidi=parameters.initial_max_streams_bidi,
            streams_uni=parameters.initial_max_streams_uni,
        )

    def values(self) -> dict[str, int]:
        """All limits by name."""
        return {
            "data": self.data,
            "bidi_local": self.bidi_local,
            "bidi_remote": self.bidi_remote,
            "uni": self.uni,
            "streams_bidi": self.streams_bidi,
            "streams_uni": self.streams_uni,
        }


@final
class PeerStreams:
    """One kind of stream that the peer opens.

    Streams below the highest one count as open without existing here: only the ranges that were never heard
    of are kept, so that a jump in IDs costs one entry.

    Attributes:
        limit: how many we have advertised.
        opened: how many the peer has opened, those it skipped included.
        is_due: MAX_STREAMS is to be sent.
    """

    __slots__ = ("_allowed", "_first_limit", "_unheard", "is_due", "limit", "opened")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.opened = 0
        self.is_due = False
        self._first_limit = limit
        self._allowed = limit
        self._unheard = RangeSet()

    def admit(self, index: int, frame: Frame) -> bool:
        """Whether this is the first frame of stream number `index`; otherwise the stream exists or is closed.

        Raises:
            TransportError: STREAM_LIMIT_ERROR. RFC 9000 §4.6.
        """
        if index >= self.opened:
            if index >= self.limit:
                raise TransportError(
                    STREAM_LIMIT_ERROR,
                    frame.type,
                    f"stream number {index + 1} of its kind, {self.limit} allowed",
                )
            if index > self.opened:
                self._unheard.add(self.opened, index)
            self.opened = index + 1
            return True
        if index in self._unheard:
            self._unheard.remove(index, index + 1)
            return True
        return False

    def has_closed(self, index: int) -> bool:
        """Whether stream number `index`, which does not exist, has existed."""
        return 0 <= index < self.opened and index not in self._unheard

    def on_closed(self) -> None:
        """One of them is closed on both sides and was read by the application: allow another."""
        if self._allowed < MAX_STREAM_COUNT:
            self._allowed += 1
        # RFC 9000 §4.6 leaves the moment open: it is when half of what the peer had at first is used up.
        if self.limit - self.opened <= self._first_limit >> 1:
            self.is_due = True

    def on_blocked(self) -> None:
        """The peer wants more; it gets what has become free since."""
        if self._allowed > self.limit:
            self.is_due = True

    def advance(self) -> int:
        """The limit to advertise now, which is remembered as advertised."""
        self.limit = self._allowed
        return self.limit


@final
class LocalStreams:
    """One kind of stream that we open.

    Attributes:
        opened: how many were opened.
        limit: how many the peer allows.
        is_wanted: an application was refused and waits.
        is_blocked_due: STREAMS_BLOCKED is to be sent.
    """

    __slots__ = ("_blocked_at", "is_blocked_due", "is_wanted", "limit", "opened")

    def __init__(self) -> None:
        self.opened = 0
        self.limit = 0
        self.is_wanted = False
        self.is_blocked_due = False
        self._blocked_at = -1

    def refuse(self) -> None:
        """An application wanted one more than is allowed: tell the peer, once per limit. RFC 9000 §19.14."""
        self.is_wanted = True
        if self._blocked_at != self.limit:
            self._blocked_at = self.limit
            self.is_blocked_due = True

    def allow(self, limit: int) -> bool:
        """Take a limit, which never falls; whether somebody who waits can go on."""
        if limit <= self.limit:
            return False
        self.limit = limit
        self.is_blocked_due = False
        if self.is_wanted and self.opened < limit:
            self.is_wanted = False
            return True
        return False

    def restart(self) -> None:
        """Forget what was opened in rejected early data. RFC 9001 §4.6.2."""
        self.opened = 0
        self.limit = 0
        self.is_blocked_due = False
        self._blocked_at = -1
