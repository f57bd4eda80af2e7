"""One request and its response: frames to messages in one direction, messages to frames in the other.

Reads from the transport what it needs to find the next frame and no more of the body than was asked for, so that
the transport's flow control holds the peer back. RFC 9114 §4.1, §7.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Final

from qhttp3 import frames, headers
from qhttp3.config import StreamKind
from qhttp3.errors import (
    H3_FRAME_ERROR,
    H3_FRAME_UNEXPECTED,
    H3_ID_ERROR,
    H3_MESSAGE_ERROR,
    H3_REQUEST_INCOMPLETE,
    ConnectionViolation,
    StreamViolation,
    UsageError,
)
from qhttp3.events import (
    BodyWritable,
    DataReadable,
    Field,
    H3Event,
    HeadersReceived,
    InformationalReceived,
    TrailersReceived,
)
from qhttp3.qpack import Decoder, Encoder, SectionTooLarge
from qhttp3.transport import StreamTransport
from qhttp3.uni_streams import LocalStreams
from qhttp3.webtransport import BIDI_SIGNAL

if TYPE_CHECKING:
    from qhttp3.observer import Observer

# Read at once while looking for a frame: the head of a message with the beginning of a small body.
READ_SIZE: Final = 4096
# Below this, frame header and payload are joined, so that the transport gets one piece.
JOIN_SIZE: Final = 4096
# What streams share that wait for no more of a HEADERS frame: nobody may put anything into it.
NO_PIECES: Final[list[bytes]] = []


class Phase(Enum):
    """What the peer's half of the stream brings next."""

    HEAD = "head"
    BODY = "body"
    TRAILED = "trailed"
    ENDED = "ended"


class RequestStream:
    """A bidirectional stream that carries one request.

    Violations leave through exceptions; the engine decides what becomes of stream and connection.
    """

    __slots__ = (
        "_buffer",
        "_content_left",
        "_data_left",
        "_decoder",
        "_emit",
        "_encoder",
        "_fin",
        "_is_blocked",
        "_is_client",
        "_is_short_of_room",
        "_is_signalled",
        "_local",
        "_missing",
        "_observer",
        "_pieces",
        "_position",
        "_prioritize",
        "_skip",
        "_takes_sessions",
        "allows_extended_connect",
        "has_sent_head",
        "is_head_request",
        "is_received",
        "is_sent",
        "phase",
        "rest",
        "session_id",
        "stop_code",
        "stream_id",
        "transport",
    )

    def __init__(
        self,
        stream_id: int,
        transport: StreamTransport,
        *,
        is_client: bool,
        local: LocalStreams,
        encoder: Encoder,
        decoder: Decoder,
        emit: Callable[[H3Event], None],
        observer: Observer | None,
        allows_extended_connect: bool = False,
        takes_sessions: bool = False,
        prioritize: Callable[[int, list[Field]], None] | None = None,
    ) -> None:
        self.stream_id = stream_id
        self.session_id = -1  # of the WebTransport session to which the stream has turned out to belong,
        self.rest = b"", False  # with what came behind its prefix, and whether that is all
        self.stop_code = -1  # with which the peer reads no more of us
        self._takes_sessions = takes_sessions and not is_client
        self.phase = Phase.HEAD
        self.allows_extended_connect = allows_extended_connect
        self.has_sent_head = False  # of the request, or of the final response
        self.is_head_request = False  # its response has no body
        self._is_short_of_room = False
        self.transport = transport
        self._is_client = is_client
        self._local = local
        self._encoder = encoder
        self._decoder = decoder
        self._emit = emit
        self._observer = observer
        self._prioritize = prioritize
        self._buffer = b""
        self._position = 0
        self._fin = False
        self._data_left = 0  # of the payload of a DATA frame
        self._skip = 0  # of the payload of a frame nobody knows
        self._pieces = NO_PIECES  # of the payload of a HEADERS frame,
        self._missing = 0  # of which so much has not come
        self._is_blocked = False  # by QPACK
        self._is_signalled = False  # DataReadable was given and the body not read dry since
        self._content_left = -1  # by Content-Length; -1 without
        self.is_received = False  # the peer's half is over
        self.is_sent = False  # our half is over

    # Receiving

    def on_readable(self) -> None:
        """The transport has something."""
        self._advance()
        self._signal()

    def on_unblocked(self) -> None:
        """The dynamic table has what the kept field section needs."""
        self._is_blocked = False
        fields = self._decoder.resume(self.stream_id)
        if fields is None:
            self._is_blocked = True
            return
        self._report_blocked(False)
        self._on_fields(fields)
        self._advance()
        self._signal()

    def read_body(self, n: int = -1) -> tuple[bytes, bool]:
        """Take up to ``n`` bytes of the body, all that has arrived if negative; and whether the message has ended."""
        pieces: list[bytes] = []
        size = 0
        while n < 0 or size < n:
            if not self._data_left:
                self._advance()
                if not self._data_left:
                    break
            available = len(self._buffer) - self._position
            if not available:
                if not self._fill(-1 if n < 0 else n - size):
                    break
                continue
            take = min(available, self._data_left)
            if n >= 0:
                take = min(take, n - size)
            end = self._position + take
            pieces.append(self._buffer[self._position : end])
            self._position = end
            self._data_left -= take
            size += take
        if n < 0 or size < n:
            self._is_signalled = False
        else:
            self._advance()
        return (pieces[0] if len(pieces) == 1 else b"".join(pieces)), self.phase is Phase.ENDED

    def stop_reading(self, code: int) -> None:
        """Want nothing further from the peer."""
        if self.phase is Phase.ENDED:
            return
        if self._missing or self._is_blocked or self.phase is not Phase.TRAILED:
            self._decoder.cancel(self.stream_id)
        self.abandon()
        if not self._fin:
            self.transport.stop_sending(self.stream_id, code)

    def abandon(self) -> None:
        """Forget what was received and expect no more."""
        self.phase = Phase.ENDED
        self.is_received = True
        self._buffer = b""
        self._position = self._data_left = self._skip = self._missing = 0
        self._pieces = NO_PIECES
        self._is_blocked = False

    def _signal(self) -> None:
        if self._is_signalled or self._is_blocked or self.phase is Phase.HEAD:
            return
        if self.phase is Phase.ENDED or self._data_left:
            self._is_signalled = True
            self._emit(DataReadable(self.stream_id))

    def _fill(self, n: int) -> bool:
        # Only when the buffer lacks something; False when the transport has nothing more now.
        if self._fin:
            if self._data_left or self._skip or self._missing:
                raise ConnectionViolation(H3_FRAME_ERROR, f"stream {self.stream_id} ended within a frame")
            return False
        data, self._fin = self.transport.read(self.stream_id, n)
        if data:
            self._buffer = (
                self._buffer[self._position :] + data if self._position < len(self._buffer) else data
            )
            self._position = 0
            return True
        return self._fin

    def _advance(self) -> None:
        # Go on to the next byte of a body, or as far as the data goes.
        while not self._data_left and not self._is_blocked and self.phase is not Phase.ENDED:
            if self._missing:
                self._collect()
                if self._missing:
                    return
            elif self._skip:
                step = min(self._skip, len(self._buffer) - self._position)
                self._position += step
                self._skip -= step
                if self._skip and not self._fill(READ_SIZE):
                    return
            elif self._position == len(self._buffer):  # between two frames
                if self._fin:
                    self._on_end()
                    return
                if not self._fill(READ_SIZE):
                    return
            else:
                frame_type, length, start = frames.parse_frame_header(self._buffer, self._position)
                if start >= 0:
                    self._position = start
                    self._on_frame(frame_type, length)
                elif self._fin:
                    raise ConnectionViolation(H3_FRAME_ERROR, f"stream {self.stream_id} ended within a frame")
                elif not self._fill(READ_SIZE):
                    return
        if self._data_left and self._fin and len(self._buffer) - self._position < self._data_left:
            raise ConnectionViolation(H3_FRAME_ERROR, f"stream {self.stream_id} ended within a frame")

    def _on_frame(self, frame_type: int, length: int) -> None:
        if frame_type == frames.DATA:
            if self.phase is not Phase.BODY:
                raise ConnectionViolation(
                    H3_FRAME_UNEXPECTED, f"DATA on stream {self.stream_id}, {_WHERE[self.phase]}"
                )
            if self._observer is not None:
                self._observer.frame_parsed(self.stream_id, frame_type, length)
            if self._content_left >= 0:
                self._content_left -= length
                if self._content_left < 0:
                    raise StreamViolation(H3_MESSAGE_ERROR, "more data than content-length says")
            self._data_left = length
        elif frame_type == frames.HEADERS:
            if self.phase is Phase.TRAILED:
                raise ConnectionViolation(
                    H3_FRAME_UNEXPECTED, f"HEADERS on stream {self.stream_id} after the trailers"
                )
            # What is encoded in more bytes than we accept decoded is not worth collecting.
            if length > self._decoder.max_section_size:
                raise SectionTooLarge(f"HEADERS of {length} bytes")
            self._missing = length
            if not length:
                self._on_section(b"")
        elif frame_type in _FORBIDDEN:
            if frame_type == frames.PUSH_PROMISE and self._is_client:
                # RFC 9114 §7.2.5: above the maximum, for we allow none.
                raise ConnectionViolation(H3_ID_ERROR, "PUSH_PROMISE, but no push was allowed")
            raise ConnectionViolation(
                H3_FRAME_UNEXPECTED, f"frame 0x{frame_type:x} on stream {self.stream_id}"
            )
        else:
            if self._takes_sessions and frame_type == BIDI_SIGNAL and self.phase is Phase.HEAD:
                self._turn_over(length)
                return
            # A stream of a session says so in its first bytes (draft-ietf-webtrans-http3 §4.3).
            self._takes_sessions = False
            if self._observer is not None:
                self._observer.frame_parsed(self.stream_id, frame_type, length)
            self._skip = length

    def _turn_over(self, session_id: int) -> None:
        """This is no request."""
        self.session_id = session_id
        self.rest = self._buffer[self._position :], self._fin
        self.abandon()
        self.is_sent = self._is_signalled = True

    def _collect(self) -> None:
        # Gather the payload of HEADERS, reading exactly what is missing once the buffer is used up.
        section = b""
        while self._missing:
            available = len(self._buffer) - self._position
            if not available:
                if not self._fill(self._missing):
                    return
                continue
            end = self._position + (min(available, self._missing))
            section = self._buffer[self._position : end]
            self._position = end
            self._missing -= len(section)
            if self._pieces:
                self._pieces.append(section)
            elif self._missing:
                self._pieces = [section]
        if self._pieces:
            section = b"".join(self._pieces)
            self._pieces = NO_PIECES
        self._on_section(section)

    def _on_section(self, section: bytes) -> None:
        fields = self._decoder.decode(self.stream_id, section)
        if fields is None:
            self._is_blocked = True
            self._report_blocked(True)
            return
        if self._observer is not None:
            self._observer.frame_parsed(self.stream_id, frames.HEADERS, len(section), fields)
        self._on_fields(fields)

    def _on_fields(self, fields: list[Field]) -> None:
        if self.phase is not Phase.HEAD:
            headers.check_trailers(fields)
            self.phase = Phase.TRAILED
            self._emit(TrailersReceived(self.stream_id, fields))
            return
        if self._is_client:
            status, content_length = headers.check_response(fields)
            if status < 200:
                self._emit(InformationalReceived(self.stream_id, fields))
                return
            # RFC 9110 §6.4.1: these have no content, whatever Content-Length says.
            if self.is_head_request or status in (204, 304):
                content_length = None
        else:
            content_length = headers.check_request(fields, self.allows_extended_connect)
            if self._prioritize is not None:
                self._prioritize(self.stream_id, fields)
        self._content_left = -1 if content_length is None else content_length
        self.phase = Phase.BODY
        # Most messages without a body say so in the same packet.
        if not self._fin and self._position >= len(self._buffer):
            self._fill(READ_SIZE)
        end = self._fin and self._position >= len(self._buffer)
        if end:
            self._on_end()
            self._is_signalled = True
        self._emit(HeadersReceived(self.stream_id, fields, end))

    def _on_end(self) -> None:
        if self.phase is Phase.HEAD:
            if self._is_client:
                raise StreamViolation(H3_MESSAGE_ERROR, "no response")
            raise StreamViolation(H3_REQUEST_INCOMPLETE, "no request")
        if self._content_left > 0:
            raise StreamViolation(
                H3_MESSAGE_ERROR, f"{self._content_left} bytes less than content-length says"
            )
        self.phase = Phase.ENDED
        self.is_received = True

    def _report_blocked(self, is_blocked: bool) -> None:
        if self._observer is not None:
            self._observer.stream_blocked(self.stream_id, is_blocked)

    # Sending

    def send_headers(self, fields: Sequence[Field], end: bool, data: bytes = b"") -> None:
        """Send a field section: the head of a message, an interim response, or trailers.

        ``data`` are bytes of frames that go with it.
        """
        if self.is_sent:
            raise UsageError(f"stream {self.stream_id} takes no further data")
        section = self._encoder.encode_again(self.stream_id, fields)
        has_instructions = False
        if section is None:
            section = self._encoder.encode(self.stream_id, fields, can_insert=self._can_insert())
            has_instructions = self._encoder.has_instructions
        is_last = self._encoder.instructions_last
        if has_instructions and not is_last:
            self._send_instructions()
        if self._observer is not None:
            self._observer.frame_created(self.stream_id, frames.HEADERS, len(section), fields)
        frame = frames.frame_header(frames.HEADERS, len(section)) + section
        self.transport.send(self.stream_id, frame + data if data else frame, end)
        if has_instructions and is_last:
            self._send_instructions()
        self.is_sent = end

    def _send_instructions(self) -> None:
        instructions = self._encoder.take_instructions()
        self._local.write(StreamKind.ENCODER, instructions)
        if self._observer is not None:
            self._observer.encoder_instructions(True, len(instructions))

    def send_message(self, fields: Sequence[Field], data: bytes) -> int:
        """Send a head and as much of the body as the transport has room for; gives how much that was."""
        size = len(data)
        # A small body goes with its head, for whose size nobody asks either.
        if size > JOIN_SIZE or not size:
            self.send_headers(fields, not size)
            return self.send_data(data, True) if size else 0
        if self._observer is None:
            self.send_headers(fields, True, frames.frame_header(frames.DATA, size) + data)
            return size
        self.send_headers(fields, False)
        return self.send_data(data, True)

    def send_data(self, data: bytes, end: bool) -> int:
        """Send as much of a body as the transport has room for; gives how much that was."""
        if self.is_sent or not self.has_sent_head:
            raise UsageError(f"stream {self.stream_id} takes no data now")
        size = len(data)
        if size:
            # The frame header comes on top: a transport takes what it is given.
            size = min(size, self.transport.send_capacity(self.stream_id))
            if size <= 0:
                self._is_short_of_room = True
                return 0
        is_last = end and size == len(data)
        is_part = size < len(data)
        if is_part:
            data = data[:size]
        if not size:
            if is_last:
                self.transport.send(self.stream_id, b"", True)
        else:
            if self._observer is not None:
                self._observer.frame_created(self.stream_id, frames.DATA, size)
            header = frames.frame_header(frames.DATA, size)
            if size <= JOIN_SIZE:
                self.transport.send(self.stream_id, header + data, is_last)
            else:
                self.transport.send(self.stream_id, header, False)
                self.transport.send(self.stream_id, data, is_last)
        if is_part:
            # Asked when there is no room, the transport will say when there is.
            self._is_short_of_room = self.transport.send_capacity(self.stream_id) <= 0
            if not self._is_short_of_room:
                self._emit(BodyWritable(self.stream_id))
        self.is_sent = is_last
        return size

    def on_writable(self) -> None:
        """The transport has room again."""
        if self._is_short_of_room and not self.is_sent:
            self._is_short_of_room = False
            self._emit(BodyWritable(self.stream_id))

    def on_stopped(self, code: int) -> None:
        """The peer reads no more; the transport has reset our half."""
        self.is_sent = True
        self.stop_code = code

    def reset(self, code: int) -> None:
        """Abandon sending."""
        if not self.is_sent:
            self.is_sent = True
            self.transport.reset(self.stream_id, code)

    def _can_insert(self) -> bool:
        return self._encoder.table.capacity > 0 and self._local.can_insert()


_FORBIDDEN: Final = frames.CONTROL_FRAMES | frames.HTTP2_FRAMES | {frames.PUSH_PROMISE}
_WHERE: Final = {Phase.HEAD: "before HEADERS", Phase.TRAILED: "after the trailers"}
