"""What happened, for whoever uses `H3Engine`."""

from __future__ import annotations

from typing import Final, TypeAlias, final

from qhttp3.errors import H3_REQUEST_REJECTED
from qhttp3.values import Value

Field = tuple[bytes, bytes]


@final
class HeadersReceived(Value):
    """The head of a request, or of the final response; ``end`` if nothing follows."""

    __slots__ = ("end", "fields", "stream_id")

    def __init__(self, stream_id: int, fields: list[Field], end: bool) -> None:
        self.stream_id: Final = stream_id
        self.fields: Final = fields
        self.end: Final = end


@final
class InformationalReceived(Value):
    """An interim response, status 1xx; the final one follows (RFC 9114 §4.1)."""

    __slots__ = ("fields", "stream_id")

    def __init__(self, stream_id: int, fields: list[Field]) -> None:
        self.stream_id: Final = stream_id
        self.fields: Final = fields


@final
class DataReadable(Value):
    """`H3Engine.read_body` has something: data, or the end. Once, until it returned nothing."""

    __slots__ = ("stream_id",)

    def __init__(self, stream_id: int) -> None:
        self.stream_id: Final = stream_id


@final
class TrailersReceived(Value):
    """Fields after the body; the end follows."""

    __slots__ = ("fields", "stream_id")

    def __init__(self, stream_id: int, fields: list[Field]) -> None:
        self.stream_id: Final = stream_id
        self.fields: Final = fields


@final
class BodyWritable(Value):
    """`H3Engine.send_data` takes data again after it took less than it was given."""

    __slots__ = ("stream_id",)

    def __init__(self, stream_id: int) -> None:
        self.stream_id: Final = stream_id


@final
class SendingStopped(Value):
    """The peer reads no more of what we send on this stream; what it sends still arrives."""

    __slots__ = ("code", "stream_id")

    def __init__(self, stream_id: int, code: int) -> None:
        self.stream_id: Final = stream_id
        self.code: Final = code


@final
class RequestFailed(Value):
    """The request is over before its end. ``is_local``: this side ended it, because of ``reason``."""

    __slots__ = ("code", "is_local", "reason", "stream_id")

    def __init__(self, stream_id: int, code: int, reason: str, is_local: bool) -> None:
        self.stream_id: Final = stream_id
        self.code: Final = code
        self.reason: Final = reason
        self.is_local: Final = is_local

    @property
    def is_unprocessed(self) -> bool:
        """Whether the server says it has done nothing, so that the request can be sent again (RFC 9114 §4.1.1)."""
        return self.code == H3_REQUEST_REJECTED


@final
class SettingsReceived(Value):
    """The peer's SETTINGS arrived; `H3Engine.peer_settings` has them."""

    __slots__ = ()


@final
class GoawayReceived(Value):
    """The peer winds the connection down: requests with this identifier and above were not processed."""

    __slots__ = ("identifier",)

    def __init__(self, identifier: int) -> None:
        self.identifier: Final = identifier


@final
class PriorityUpdated(Value):
    """The client changed the priority of a request, perhaps of one not yet seen (RFC 9218 §7)."""

    __slots__ = ("stream_id", "value")

    def __init__(self, stream_id: int, value: bytes) -> None:
        self.stream_id: Final = stream_id
        self.value: Final = value


@final
class HttpDatagramReceived(Value):
    """An HTTP datagram of a request stream (RFC 9297)."""

    __slots__ = ("data", "stream_id")

    def __init__(self, stream_id: int, data: bytes) -> None:
        self.stream_id: Final = stream_id
        self.data: Final = data


@final
class SessionStreamOpened(Value):
    """The peer opened a stream of a WebTransport session; it is read through `H3Engine.sessions` from now on.

    The session's own request may not have arrived yet, or be over.
    """

    __slots__ = ("session_id", "stream_id")

    def __init__(self, stream_id: int, session_id: int) -> None:
        self.stream_id: Final = stream_id
        self.session_id: Final = session_id


@final
class SessionStreamReadable(Value):
    """A session's stream has something."""

    __slots__ = ("stream_id",)

    def __init__(self, stream_id: int) -> None:
        self.stream_id: Final = stream_id


@final
class SessionStreamWritable(Value):
    """The transport has room again on a session's stream."""

    __slots__ = ("stream_id",)

    def __init__(self, stream_id: int) -> None:
        self.stream_id: Final = stream_id


@final
class SessionStreamReset(Value):
    """The peer abandoned its half of a session's stream; ``code`` is its application's, None for another reason."""

    __slots__ = ("code", "stream_id")

    def __init__(self, stream_id: int, code: int | None) -> None:
        self.stream_id: Final = stream_id
        self.code: Final = code


@final
class SessionStreamStopped(Value):
    """The peer wants no more on a session's stream; ``code`` is its application's, None for another reason."""

    __slots__ = ("code", "stream_id")

    def __init__(self, stream_id: int, code: int | None) -> None:
        self.stream_id: Final = stream_id
        self.code: Final = code


@final
class RequestsAvailable(Value):
    """`H3Engine.send_request` may be tried again after it found no stream."""

    __slots__ = ()


@final
class ConnectionFailed(Value):
    """The peer violated the protocol; the transport has been told to close with ``code``. The last event."""

    __slots__ = ("code", "reason")

    def __init__(self, code: int, reason: str) -> None:
        self.code: Final = code
        self.reason: Final = reason


H3Event: TypeAlias = (
    HeadersReceived
    | InformationalReceived
    | DataReadable
    | TrailersReceived
    | BodyWritable
    | SendingStopped
    | RequestFailed
    | SettingsReceived
    | GoawayReceived
    | PriorityUpdated
    | HttpDatagramReceived
    | SessionStreamOpened
    | SessionStreamReadable
    | SessionStreamWritable
    | SessionStreamReset
    | SessionStreamStopped
    | RequestsAvailable
    | ConnectionFailed
)
