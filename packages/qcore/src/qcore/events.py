"""What happened, for the application.

`QuicEngine.events()` hands these out once per wake-up. Data is not in them: `StreamReadable` says that there is
something to `read`, once, until a read has emptied the stream.
"""

from dataclasses import dataclass
from typing import TypeAlias

from qtls.resumption import Session

from .batch import Address
from .errors import QuicError


@dataclass(slots=True, frozen=True)
class HandshakeCompleted:
    """The peer's identity and the ALPN choice stand; streams can be used. RFC 9001 §4.1.1."""

    alpn: str | None
    is_resumed: bool
    early_data_accepted: bool


@dataclass(slots=True, frozen=True)
class HandshakeConfirmed:
    """Both sides know that the handshake is complete. RFC 9001 §4.1.2."""


@dataclass(slots=True, frozen=True)
class EarlyDataDecided:
    """Client: whether the server took the 0-RTT data. When not, every stream opened early is gone."""

    accepted: bool


@dataclass(slots=True, frozen=True)
class StreamOpened:
    """The peer opened a stream."""

    stream_id: int


@dataclass(slots=True, frozen=True)
class StreamReadable:
    """There is data, or the end of the stream, to read."""

    stream_id: int


@dataclass(slots=True, frozen=True)
class StreamWritable:
    """The send buffer has room again after `send_capacity` was used up."""

    stream_id: int


@dataclass(slots=True, frozen=True)
class StreamFinished:
    """Everything sent on the stream, its end included, was acknowledged."""

    stream_id: int


@dataclass(slots=True, frozen=True)
class StreamReset:
    """The peer abandoned its sending side (RESET_STREAM)."""

    stream_id: int
    code: int


@dataclass(slots=True, frozen=True)
class StreamStopped:
    """The peer does not want to read further (STOP_SENDING); our sending side has been reset."""

    stream_id: int
    code: int


@dataclass(slots=True, frozen=True)
class StreamsAvailable:
    """The peer allows further streams of this kind after a refusal."""

    bidirectional: bool


@dataclass(slots=True, frozen=True)
class DatagramReceived:
    """An unreliable datagram, RFC 9221."""

    data: bytes


@dataclass(slots=True, frozen=True)
class DatagramsWritable:
    """The queue of outgoing datagrams has room again after a refusal."""


@dataclass(slots=True, frozen=True)
class SessionReceived:
    """A session ticket to resume from."""

    session: Session


@dataclass(slots=True, frozen=True)
class TokenReceived:
    """An address validation token for a later connection, RFC 9000 §8.1.3."""

    token: bytes


@dataclass(slots=True, frozen=True)
class PathValidated:
    """The peer has answered on a path. RFC 9000 §8.2."""

    path_id: int


@dataclass(slots=True, frozen=True)
class PathChanged:
    """Another path is in use: the peer has moved, or this side has, or a move has failed. RFC 9000 §9."""

    path_id: int
    address: Address


@dataclass(slots=True, frozen=True)
class PathAbandoned:
    """A path is forgotten: nobody answered on it, or it is not needed any more."""

    path_id: int
    has_failed: bool


@dataclass(slots=True, frozen=True)
class PreferredAddressOffered:
    """Client: the server would rather be talked to there; a path can be added now. RFC 9000 §9.6."""

    address: Address


@dataclass(slots=True, frozen=True)
class ConnectionEnded:
    """The last event. `error` is None after a close without error by either side."""

    error: QuicError | None
    is_local: bool


Event: TypeAlias = (
    HandshakeCompleted
    | HandshakeConfirmed
    | EarlyDataDecided
    | StreamOpened
    | StreamReadable
    | StreamWritable
    | StreamFinished
    | StreamReset
    | StreamStopped
    | StreamsAvailable
    | DatagramReceived
    | DatagramsWritable
    | SessionReceived
    | TokenReceived
    | PathValidated
    | PathChanged
    | PathAbandoned
    | PreferredAddressOffered
    | ConnectionEnded
)
