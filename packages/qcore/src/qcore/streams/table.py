"""Which streams there are, and who may open them.

Finds the stream that a verb or a frame is about, creates it when the peer opens it, and forgets it when
nothing can happen to it any more. RFC 9000 §2.1, §3, §4.6.
"""

from __future__ import annotations

from typing import final

from qwire.constants import PROTOCOL_VIOLATION, STREAM_STATE_ERROR
from qwire.frames import Frame

from ..errors import StreamLimitReached, TransportError, UnknownStream
from .ids import UNIDIRECTIONAL_BIT, kind_of, stream_id, stream_index
from .limits import LocalStreams, PeerStreams, StreamLimits
from .receive import ReceiveStream
from .send import SendStream
from .stream import Stream


@final
class StreamTable:
    """The streams of one connection by ID.

    Args:
        is_client: which side this is.
        limits: what we have advertised.
        send_buffer: bound of each stream's send buffer.
        max_window: the largest window of a stream.

    Attributes:
        streams: those that exist.
        local, peer: counts of the streams that we, and the peer, open; first those with two directions, then
            those with one.
    """

    __slots__ = (
        "_is_client",
        "_kinds",
        "_limits",
        "_max_window",
        "_peer_limits",
        "_send_buffer",
        "local",
        "peer",
        "streams",
    )

    def __init__(self, *, is_client: bool, limits: StreamLimits, send_buffer: int, max_window: int) -> None:
        self._is_client = is_client
        self._kinds = (kind_of(is_client, True), kind_of(is_client, False))  # of streams that we open
        self._limits = limits
        self._peer_limits: StreamLimits | None = None
        self._send_buffer = send_buffer
        self._max_window = max_window
        self.streams: dict[int, Stream] = {}
        self.local = (LocalStreams(), LocalStreams())
        self.peer = (PeerStreams(limits.streams_bidi), PeerStreams(limits.streams_uni))

    def is_local(self, stream_id: int) -> bool:
        """Whether we open streams with such IDs."""
        return (stream_id & 1 == 0) is self._is_client

    def set_peer_limits(self, limits: StreamLimits) -> None:
        """Take the peer's limits for the sending halves to come.

        Raises:
            TransportError: PROTOCOL_VIOLATION, a limit is lower than it was for early data. RFC 9000 §7.4.1.
        """
        if self._peer_limits is not None:
            remembered = self._peer_limits.values()
            for name, value in limits.values().items():
                if value < remembered[name]:
                    raise TransportError(
                        PROTOCOL_VIOLATION,
                        None,
                        f"limit {name} is {value}, was {remembered[name]} for early data",
                    )
        self._peer_limits = limits

    def restart(self) -> None:
        """Forget all streams and the peer's limits: early data was rejected. RFC 9001 §4.6.2."""
        self.streams.clear()
        self._peer_limits = None
        for local in self.local:
            local.restart()

    def send_limit(self, stream_id: int) -> int:
        """The credit that the peer gives a new stream; 0 before its limits are known. RFC 9000 §18.2."""
        limits = self._peer_limits
        if limits is None:
            return 0
        if stream_id & UNIDIRECTIONAL_BIT:
            return limits.uni
        return limits.bidi_remote if (stream_id & 1 == 0) is self._is_client else limits.bidi_local

    def open(self, bidirectional: bool) -> Stream:
        """Open a stream of our own.

        Raises:
            StreamLimitReached: the peer allows no more now.
        """
        which = 0 if bidirectional else 1
        local = self.local[which]
        if local.opened >= local.limit:
            local.refuse()
            kind = "bidirectional" if bidirectional else "unidirectional"
            raise StreamLimitReached(f"the peer allows {local.limit} {kind} streams")
        opened = stream_id(self._kinds[which], local.opened)
        local.opened += 1
        return self._create(opened, True)

    def of_verb(self, stream_id: int, *, sending: bool) -> Stream | None:
        """The stream of a verb; None if it is closed and forgotten.

        Raises:
            UnknownStream: it was never opened, or has no such side here.
        """
        stream = self.streams.get(stream_id)
        if stream is not None:
            if (stream.send if sending else stream.receive) is None:
                raise UnknownStream(
                    f"stream {stream_id} has no {'sending' if sending else 'receiving'} side here"
                )
            return stream
        is_local = self.is_local(stream_id)
        which = (stream_id & UNIDIRECTIONAL_BIT) >> 1
        index = stream_index(stream_id)
        if is_local:
            was_opened = 0 <= index < self.local[which].opened
        else:
            was_opened = self.peer[which].has_closed(index)
        if not was_opened:
            raise UnknownStream(f"stream {stream_id} was never opened")
        if which and is_local is not sending:
            raise UnknownStream(
                f"stream {stream_id} has no {'sending' if sending else 'receiving'} side here"
            )
        return None

    def of_frame(self, stream_id: int, frame: Frame, *, sending: bool) -> tuple[Stream | None, bool]:
        """The stream that a frame is about, created if the peer opens it with this frame.

        Args:
            sending: whether the frame is about our sending side; otherwise it is about the peer's.

        Returns:
            The stream, or None if it is closed; and whether it is new.

        Raises:
            TransportError: STREAM_STATE_ERROR, there is no such side or we have not opened it;
                STREAM_LIMIT_ERROR. RFC 9000 §3, §4.6, §19.4–19.13.
        """
        is_local = (stream_id & 1 == 0) is self._is_client
        if stream_id & UNIDIRECTIONAL_BIT and is_local is not sending:
            side = "send" if is_local else "receive"
            raise TransportError(STREAM_STATE_ERROR, frame.type, f"stream {stream_id} is {side}-only here")
        stream = self.streams.get(stream_id)
        if stream is not None:
            return stream, False
        which = (stream_id & UNIDIRECTIONAL_BIT) >> 1
        index = stream_index(stream_id)
        if is_local:
            if index >= self.local[which].opened:
                raise TransportError(
                    STREAM_STATE_ERROR, frame.type, f"stream {stream_id} was never opened by us"
                )
            return None, False
        if not self.peer[which].admit(index, frame):
            return None, False
        return self._create(stream_id, False), True

    def _create(self, stream_id: int, is_local: bool) -> Stream:
        is_bidi = not stream_id & UNIDIRECTIONAL_BIT
        send: SendStream | None = None
        receive: ReceiveStream | None = None
        if is_local or is_bidi:
            send = SendStream(stream_id, self.send_limit(stream_id), self._send_buffer)
        if is_bidi or not is_local:
            limits = self._limits
            window = limits.uni if not is_bidi else limits.bidi_local if is_local else limits.bidi_remote
            receive = ReceiveStream(stream_id, window, self._max_window)
        stream = Stream(stream_id, send, receive)
        self.streams[stream_id] = stream
        return stream

    def forget_if_over(self, stream: Stream) -> None:
        """Drop a stream to which nothing can happen; frames that come late for it are ignored."""
        stream_id = stream.stream_id
        if stream.is_over and stream_id in self.streams:
            del self.streams[stream_id]
            stream.owed = 0
            if (stream_id & 1 == 0) is not self._is_client:
                self.peer[(stream_id & UNIDIRECTIONAL_BIT) >> 1].on_closed()
