"""The peer's control stream: bytes in, frames out, and the rules about which may come when.

RFC 9114 §6.2.1, §7.2; RFC 9218 §7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from qhttp3 import frames
from qhttp3.errors import (
    H3_EXCESSIVE_LOAD,
    H3_FRAME_UNEXPECTED,
    H3_ID_ERROR,
    H3_MISSING_SETTINGS,
    ConnectionViolation,
)
from qhttp3.settings import H3Settings
from qhttp3.transport import is_request_stream

if TYPE_CHECKING:
    from qhttp3.observer import Observer

# A frame we understand is kept until it is whole; none of them needs more.
MAX_PAYLOAD: Final = 4096


class Goaway:
    """GOAWAY, RFC 9114 §7.2.6."""

    __slots__ = ("identifier",)

    def __init__(self, identifier: int) -> None:
        self.identifier = identifier


class PriorityUpdate:
    """PRIORITY_UPDATE of a request, RFC 9218 §7.2."""

    __slots__ = ("stream_id", "value")

    def __init__(self, stream_id: int, value: bytes) -> None:
        self.stream_id = stream_id
        self.value = value


ControlFrame: TypeAlias = H3Settings | Goaway | PriorityUpdate


class ControlStream:
    """Reads the peer's control stream."""

    __slots__ = (
        "_buffer",
        "_goaway",
        "_has_settings",
        "_is_client",
        "_max_push_id",
        "_observer",
        "_skip",
        "stream_id",
    )

    def __init__(self, is_client: bool, observer: Observer | None) -> None:
        self.stream_id = -1
        self._is_client = is_client
        self._observer = observer
        self._buffer = b""
        self._skip = 0  # bytes left of a frame nobody needs
        self._has_settings = False
        self._goaway = -1
        self._max_push_id = -1

    def receive(self, data: bytes) -> list[ControlFrame]:
        """Take bytes of the stream, its type left out; gives the frames that matter to the engine.

        Raises:
            ConnectionViolation: a frame is malformed or must not come here or now.
        """
        received: list[ControlFrame] = []
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        position = 0
        end = len(data)
        while True:
            if self._skip:
                step = min(self._skip, end - position)
                self._skip -= step
                position += step
                if self._skip:
                    return received
            frame_type, length, start = frames.parse_frame_header(data, position)
            if start < 0:
                self._buffer = data[position:]
                return received
            is_known = self._admit(frame_type, length)
            if not is_known:
                self._report(frame_type, length)
                self._skip = length
                position = start
                continue
            if start + length > end:
                self._buffer = data[position:]
                return received
            position = start + length
            outcome = self._interpret(frame_type, data[start:position])
            if outcome is not None:
                received.append(outcome)

    def _admit(self, frame_type: int, length: int) -> bool:
        # Decided from the header alone, so that nothing is kept of what will be refused.
        if not self._has_settings and frame_type != frames.SETTINGS:
            raise ConnectionViolation(H3_MISSING_SETTINGS, f"frame 0x{frame_type:x} before SETTINGS")
        if frame_type in frames.CONTROL_FRAMES:
            if length > MAX_PAYLOAD:
                raise ConnectionViolation(H3_EXCESSIVE_LOAD, f"frame 0x{frame_type:x} of {length} bytes")
            if frame_type == frames.SETTINGS and self._has_settings:
                raise ConnectionViolation(H3_FRAME_UNEXPECTED, "second SETTINGS")
            # RFC 9114 §7.2.7, RFC 9218 §7.1: these go from client to server only.
            if self._is_client and frame_type in _FROM_CLIENTS:
                raise ConnectionViolation(H3_FRAME_UNEXPECTED, f"frame 0x{frame_type:x} from a server")
            return True
        if frame_type in _ON_REQUESTS or frame_type in frames.HTTP2_FRAMES:
            raise ConnectionViolation(H3_FRAME_UNEXPECTED, f"frame 0x{frame_type:x} on the control stream")
        return False

    def _interpret(self, frame_type: int, payload: bytes) -> ControlFrame | None:
        if frame_type == frames.SETTINGS:
            self._has_settings = True
            settings = H3Settings.parse(payload)
            self._report(frame_type, len(payload))
            return settings
        if frame_type == frames.GOAWAY:
            return self._goaway_frame(payload)
        if frame_type == frames.PRIORITY_UPDATE:
            stream_id, value = frames.parse_id_and_rest(payload, "PRIORITY_UPDATE")
            self._report(frame_type, len(payload), stream_id, value)
            if not is_request_stream(stream_id):
                raise ConnectionViolation(H3_ID_ERROR, f"PRIORITY_UPDATE of stream {stream_id}, no request")
            return PriorityUpdate(stream_id, value)
        if frame_type == frames.PRIORITY_UPDATE_PUSH:
            push_id, value = frames.parse_id_and_rest(payload, "PRIORITY_UPDATE")
            self._report(frame_type, len(payload), push_id, value)
            # RFC 9218 §7.2: of a push that was never promised; we promise none.
            raise ConnectionViolation(H3_ID_ERROR, f"PRIORITY_UPDATE of push {push_id}, never promised")
        if frame_type == frames.MAX_PUSH_ID:
            push_id = frames.parse_id(payload, "MAX_PUSH_ID")
            self._report(frame_type, len(payload), push_id)
            if push_id < self._max_push_id:
                raise ConnectionViolation(H3_ID_ERROR, f"MAX_PUSH_ID {push_id} after {self._max_push_id}")
            self._max_push_id = push_id
            return None
        push_id = frames.parse_id(payload, "CANCEL_PUSH")
        self._report(frame_type, len(payload), push_id)
        # RFC 9114 §7.2.3: above what was allowed (client), or never promised (server).
        raise ConnectionViolation(H3_ID_ERROR, f"CANCEL_PUSH of push {push_id}, which does not exist")

    def _goaway_frame(self, payload: bytes) -> Goaway:
        identifier = frames.parse_id(payload, "GOAWAY")
        self._report(frames.GOAWAY, len(payload), identifier)
        # RFC 9114 §5.2, §7.2.6: a server names a request stream, a client a push; it never grows.
        if self._is_client and not is_request_stream(identifier):
            raise ConnectionViolation(H3_ID_ERROR, f"GOAWAY with stream {identifier}, no request")
        if 0 <= self._goaway < identifier:
            raise ConnectionViolation(H3_ID_ERROR, f"GOAWAY {identifier} after {self._goaway}")
        self._goaway = identifier
        return Goaway(identifier)

    def _report(self, frame_type: int, length: int, value: int | None = None, data: bytes = b"") -> None:
        if self._observer is not None:
            self._observer.frame_parsed(self.stream_id, frame_type, length, value=value, data=data)


_FROM_CLIENTS: Final = frozenset((frames.MAX_PUSH_ID, frames.PRIORITY_UPDATE, frames.PRIORITY_UPDATE_PUSH))
_ON_REQUESTS: Final = frozenset((frames.DATA, frames.HEADERS, frames.PUSH_PROMISE))
