"""What happened, for whoever uses `H3Engine`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from qhttp3.errors import H3_REQUEST_REJECTED

Field = tuple[bytes, bytes]


@dataclass(slots=True, frozen=True)
class HeadersReceived:
    """The head of a request, or of the final response; ``end`` if nothing follows."""

    stream_id: int
    fields: list[Field]
    end: bool


@dataclass(slots=True, frozen=True)
class InformationalReceived:
    """An interim response, status 1xx; the final one follows (RFC 9114 §4.1)."""

    stream_id: int
    fields: list[Field]


@dataclass(slots=True, frozen=True)
class DataReadable:
    """`H3Engine.read_body` has something: data, or the end. Once, until it returned nothing."""

    stream_id: int


@dataclass(slots=True, frozen=True)
class TrailersReceived:
    """Fields after the body; the end follows."""

    stream_id: int
    fields: list[Field]


@dataclass(slots=True, frozen=True)
class BodyWritable:
    """`H3Engine.send_data` takes data again after it took less than it was given."""

    stream_id: int


@dataclass(slots=True, frozen=True)
class SendingStopped:
    """The peer reads no more of what we send on this stream; what it sends still arrives."""

    stream_id: int
    code: int


@dataclass(slots=True, frozen=True)
class RequestFailed:
    """The request is over before its end. ``is_local``: this side ended it, because of ``reason``."""

    stream_id: int
    code: int
    reason: str
    is_local: bool

    @property
    def is_unprocessed(self) -> bool:
        """Whether the server says it has done nothing, so that the request can be sent again (RFC 9114 §4.1.1)."""
        return self.code == H3_REQUEST_REJECTED


@dataclass(slots=True, frozen=True)
class SettingsReceived:
    """The peer's SETTINGS arrived; `H3Engine.peer_settings` has them."""


@dataclass(slots=True, frozen=True)
class GoawayReceived:
    """The peer winds the connection down: requests with this identifier and above were not processed."""

    identifier: int


@dataclass(slots=True, frozen=True)
class PriorityUpdated:
    """The client changed the priority of a request, perhaps of one not yet seen (RFC 9218 §7)."""

    stream_id: int
    value: bytes


@dataclass(slots=True, frozen=True)
class HttpDatagramReceived:
    """An HTTP datagram of a request stream (RFC 9297)."""

    stream_id: int
    data: bytes


@dataclass(slots=True, frozen=True)
class SessionStreamOpened:
    """The peer opened a stream of a WebTransport session; it is read through `H3Engine.sessions` from now on.

    The session's own request may not have arrived yet, or be over.
    """

    stream_id: int
    session_id: int


@dataclass(slots=True, frozen=True)
class SessionStreamReadable:
    """A session's stream has something."""

    stream_id: int


@dataclass(slots=True, frozen=True)
class SessionStreamWritable:
    """The transport has room again on a session's stream."""

    stream_id: int


@dataclass(slots=True, frozen=True)
class SessionStreamReset:
    """The peer abandoned its half of a session's stream; ``code`` is its application's, None for another reason."""

    stream_id: int
    code: int | None


@dataclass(slots=True, frozen=True)
class SessionStreamStopped:
    """The peer wants no more on a session's stream; ``code`` is its application's, None for another reason."""

    stream_id: int
    code: int | None


@dataclass(slots=True, frozen=True)
class RequestsAvailable:
    """`H3Engine.send_request` may be tried again after it found no stream."""


@dataclass(slots=True, frozen=True)
class ConnectionFailed:
    """The peer violated the protocol; the transport has been told to close with ``code``. The last event."""

    code: int
    reason: str


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
