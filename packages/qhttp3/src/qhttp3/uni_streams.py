"""Unidirectional streams: ours, opened in the configured order, and the peer's, told apart by their type.

Ours carry control frames and QPACK instructions out. The peer's are read as they arrive, because all three are
bounded by nature; unknown ones are refused unread. RFC 9114 §6.2, RFC 9204 §4.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import quicvarint
from qhttp3.config import H3Config, StreamKind
from qhttp3.errors import (
    H3_CLOSED_CRITICAL_STREAM,
    H3_ID_ERROR,
    H3_STREAM_CREATION_ERROR,
    ConnectionViolation,
)
from qhttp3.frames import is_reserved
from qhttp3.transport import StreamTransport
from qhttp3.webtransport import BIDI_SIGNAL, UNI_STREAM

if TYPE_CHECKING:
    from qhttp3.observer import Observer
    from qhttp3.session_streams import SessionStreams

PUSH_STREAM: Final = 0x01

# Encoder instructions are written only while the stream has this much room: they must not wait behind data that
# the peer can only release by reading them (RFC 9204 §2.1.3).
ENCODER_ROOM: Final = 4096
# A peer that lets its decoder or control instructions from us pile up beyond this is not reading them.
MAX_BACKLOG: Final = 1 << 16
# Bytes before the stream type is known.
_MAX_TYPE_SIZE: Final = 8


class LocalStreams:
    """Our control, encoder and decoder streams.

    Args:
        goes_first: they are as urgent as can be, since what they say can be needed to read everything else.

    Attributes:
        overrun: Name of one that the peer does not read while it makes us say ever more, or None.
    """

    __slots__ = (
        "_config",
        "_goes_first",
        "_ids",
        "_observer",
        "_pending",
        "_unopened",
        "_unwritten",
        "overrun",
        "transport",
    )

    def __init__(
        self,
        transport: StreamTransport,
        config: H3Config,
        observer: Observer | None,
        goes_first: bool = False,
    ) -> None:
        self.transport = transport
        self._config = config
        self._goes_first = goes_first
        self.overrun: str | None = None
        self._observer = observer
        self._unopened = list(config.stream_order)
        self._ids: dict[StreamKind, int] = {}
        self._unwritten = {kind: bytes((kind.value,)) for kind in config.stream_order}
        self._pending: dict[StreamKind, bytearray] = {}

    def open(self, greeting: bytes) -> bool:
        """Open the streams; ``greeting`` is what the control stream begins with.

        Returns:
            False if the transport refused; call again when it has streams.
        """
        while self._unopened:
            kind = self._unopened[0]
            try:
                stream_id = self.transport.open_stream(False)
            except RuntimeError:
                return False
            del self._unopened[0]
            self._ids[kind] = stream_id
            if self._goes_first:
                self.transport.set_priority(stream_id, 0, True)
            if self._observer is not None:
                self._observer.stream_type_set(stream_id, _NAMES[kind], True, kind.value)
        self.write(StreamKind.CONTROL, greeting)
        for kind in self._config.stream_order:
            if kind not in self._config.lazy_streams and kind in self._unwritten:
                self.write(kind, b"")
        for kind, data in self._pending.items():
            self.write(kind, bytes(data))
        self._pending.clear()
        return True

    def is_open(self) -> bool:
        """Whether `open` has done all it had to."""
        return not self._unopened

    def id_of(self, kind: StreamKind) -> int:
        """Give the id of one of our streams, -1 while it is not open."""
        return self._ids.get(kind, -1)

    def kind_of(self, stream_id: int) -> StreamKind | None:
        """Tell which of our streams an id belongs to."""
        for kind, known in self._ids.items():
            if known == stream_id:
                return kind
        return None

    def write(self, kind: StreamKind, data: bytes) -> None:
        """Send bytes on one of our streams, its type first if nothing was sent yet."""
        if self._unopened:
            self._pending.setdefault(kind, bytearray()).extend(data)
            return
        stream_id = self._ids[kind]
        prefix = self._unwritten.pop(kind, None)
        if prefix is not None:
            data = prefix + data
        elif self.transport.send_capacity(stream_id) < -MAX_BACKLOG:
            self.overrun = _NAMES[kind]
        self.transport.send(stream_id, data)

    def can_insert(self) -> bool:
        """Whether the encoder stream has room for instructions that nobody waits for."""
        return (
            not self._unopened and self.transport.send_capacity(self._ids[StreamKind.ENCODER]) >= ENCODER_ROOM
        )


class PeerStreams:
    """The peer's unidirectional streams: which one is what.

    `read` gives the bytes that arrived on a known stream; the engine passes them to the part that owns them.
    """

    __slots__ = ("_beginnings", "_ids", "_is_client", "_observer", "_refused", "_sessions", "transport")

    def __init__(
        self,
        transport: StreamTransport,
        is_client: bool,
        observer: Observer | None,
        sessions: SessionStreams | None = None,
    ) -> None:
        self.transport = transport
        self._sessions = sessions  # None if we take no WebTransport
        self._is_client = is_client
        self._observer = observer
        self._ids: dict[int, StreamKind] = {}
        self._beginnings: dict[int, bytes] = {}
        self._refused: dict[int, None] = {}

    def read(self, stream_id: int) -> tuple[StreamKind | None, bytes]:
        """Read what a stream has.

        Returns:
            Its kind, or None if that is not known yet or of no interest; and the bytes behind the type.

        Raises:
            ConnectionViolation: a critical stream a second time or ended, or a push.
        """
        if stream_id in self._refused:
            return None, b""
        data, end = self.transport.read(stream_id)
        kind = self._ids.get(stream_id)
        if kind is None:
            data = self._beginnings.pop(stream_id, b"") + data
            if not data or len(data) < 1 << (data[0] >> 6):
                # RFC 9114 §6.2: it may end before it says what it is.
                if not end:
                    self._beginnings[stream_id] = data
                return None, b""
            type_id, position = quicvarint.parse(data)
            if type_id == UNI_STREAM and self._sessions is not None:
                self._pass_on(stream_id, data, position, end)
                return None, b""
            kind = self._classify(stream_id, type_id, end)
            if kind is None:
                return None, b""
            data = data[position:]
        if end:
            raise ConnectionViolation(H3_CLOSED_CRITICAL_STREAM, f"{_NAMES[kind]} stream ended")
        return kind, data

    def read_bidirectional(self, stream_id: int) -> None:
        """Read the prefix of a bidirectional stream that a server has opened: only sessions have such streams.

        Raises:
            ConnectionViolation: it has none (RFC 9114 §6.1).
        """
        data, end = self.transport.read(stream_id)
        data = self._beginnings.pop(stream_id, b"") + data
        if data and len(data) >= 1 << (data[0] >> 6):
            type_id, position = quicvarint.parse(data)
            if type_id != BIDI_SIGNAL:
                raise ConnectionViolation(
                    H3_STREAM_CREATION_ERROR, f"stream {stream_id} of the server is of no session"
                )
            self._pass_on(stream_id, data, position, end)
        elif not end:
            self._beginnings[stream_id] = data

    def _pass_on(self, stream_id: int, data: bytes, position: int, end: bool) -> None:
        """The stream is of a session, if the session's id has arrived."""
        assert self._sessions is not None, "asked before"
        if position < len(data) and len(data) >= position + (1 << (data[position] >> 6)):
            session_id, position = quicvarint.parse(data, position)
            self._sessions.accept(stream_id, session_id, data[position:], end)
        elif not end:
            self._beginnings[stream_id] = data

    def on_reset(self, stream_id: int) -> None:
        """Take note of a reset.

        Raises:
            ConnectionViolation: it was a critical stream.
        """
        self._beginnings.pop(stream_id, None)
        self._refused.pop(stream_id, None)
        kind = self._ids.get(stream_id)
        if kind is not None:
            raise ConnectionViolation(H3_CLOSED_CRITICAL_STREAM, f"{_NAMES[kind]} stream reset")

    def _classify(self, stream_id: int, type_id: int, end: bool) -> StreamKind | None:
        kind = _KINDS.get(type_id)
        if self._observer is not None:
            name = _NAMES[kind] if kind is not None else "push" if type_id == PUSH_STREAM else "unknown"
            self._observer.stream_type_set(
                stream_id, "reserved" if is_reserved(type_id) else name, False, type_id
            )
        if kind is not None:
            # RFC 9114 §6.2.1, RFC 9204 §4.2: one of each.
            if kind in self._ids.values():
                raise ConnectionViolation(H3_STREAM_CREATION_ERROR, f"second {_NAMES[kind]} stream")
            self._ids[stream_id] = kind
            return kind
        if type_id == PUSH_STREAM:
            # RFC 9114 §4.6, §6.2.2: we never send MAX_PUSH_ID, so no push is allowed; and clients never push.
            if self._is_client:
                raise ConnectionViolation(H3_ID_ERROR, "push stream, but no push was allowed")
            raise ConnectionViolation(H3_STREAM_CREATION_ERROR, "push stream from a client")
        # RFC 9114 §6.2: unknown types are not an error; nobody here would read them.
        if not end:
            self._refused[stream_id] = None
            self.transport.stop_sending(stream_id, H3_STREAM_CREATION_ERROR)
        return None


_KINDS: Final = {kind.value: kind for kind in StreamKind}
_NAMES: Final = {
    StreamKind.CONTROL: "control",
    StreamKind.ENCODER: "qpack_encoder",
    StreamKind.DECODER: "qpack_decoder",
}
