"""What happened, for the application.

`QuicEngine.events()` hands these out once per wake-up. Data is not in them: `StreamReadable` says that there is
something to `read`, once, until a read has emptied the stream.
"""

from __future__ import annotations

from typing import Final, TypeAlias, final

from qtls.resumption import Session
from qtls.values import Value

from .batch import Address
from .errors import QuicError


@final
class HandshakeCompleted(Value):
    """The peer's identity and the ALPN choice stand; streams can be used. RFC 9001 §4.1.1."""

    __slots__ = ("alpn", "early_data_accepted", "is_resumed")

    def __init__(self, alpn: str | None, is_resumed: bool, early_data_accepted: bool) -> None:
        self.alpn: Final = alpn
        self.is_resumed: Final = is_resumed
        self.early_data_accepted: Final = early_data_accepted


@final
class HandshakeConfirmed(Value):
    """Both sides know that the handshake is complete. RFC 9001 §4.1.2."""

    __slots__ = ()


@final
class EarlyDataDecided(Value):
    """Client: whether the server took the 0-RTT data. When not, every stream opened early is gone."""

    __slots__ = ("accepted",)

    def __init__(self, accepted: bool) -> None:
        self.accepted: Final = accepted


@final
class StreamOpened(Value):
    """The peer opened a stream."""

    __slots__ = ("stream_id",)

    def __init__(self, stream_id: int) -> None:
        self.stream_id: Final = stream_id


@final
class StreamReadable(Value):
    """There is data, or the end of the stream, to read."""

    __slots__ = ("stream_id",)

    def __init__(self, stream_id: int) -> None:
        self.stream_id: Final = stream_id


@final
class StreamWritable(Value):
    """The send buffer has room again after `send_capacity` was used up."""

    __slots__ = ("stream_id",)

    def __init__(self, stream_id: int) -> None:
        self.stream_id: Final = stream_id


@final
class StreamFinished(Value):
    """Everything sent on the stream, its end included, was acknowledged."""

    __slots__ = ("stream_id",)

    def __init__(self, stream_id: int) -> None:
        self.stream_id: Final = stream_id


@final
class StreamReset(Value):
    """The peer abandoned its sending side (RESET_STREAM)."""

    __slots__ = ("code", "stream_id")

    def __init__(self, stream_id: int, code: int) -> None:
        self.stream_id: Final = stream_id
        self.code: Final = code


@final
class StreamStopped(Value):
    """The peer does not want to read further (STOP_SENDING); our sending side has been reset."""

    __slots__ = ("code", "stream_id")

    def __init__(self, stream_id: int, code: int) -> None:
        self.stream_id: Final = stream_id
        self.code: Final = code


@final
class StreamsAvailable(Value):
    """The peer allows further streams of this kind after a refusal."""

    __slots__ = ("bidirectional",)

    def __init__(self, bidirectional: bool) -> None:
        self.bidirectional: Final = bidirectional


@final
class DatagramReceived(Value):
    """An unreliable datagram, RFC 9221."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data: Final = data


@final
class DatagramsWritable(Value):
    """The queue of outgoing datagrams has room again after a refusal."""

    __slots__ = ()


@final
class SessionReceived(Value):
    """A session ticket to resume from."""

    __slots__ = ("session",)

    def __init__(self, session: Session) -> None:
        self.session: Final = session


@final
class TokenReceived(Value):
    """An address validation token for a later connection, RFC 9000 §8.1.3."""

    __slots__ = ("token",)

    def __init__(self, token: bytes) -> None:
        self.token: Final = token


@final
class PathValidated(Value):
    """The peer has answered on a path. RFC 9000 §8.2."""

    __slots__ = ("path_id",)

    def __init__(self, path_id: int) -> None:
        self.path_id: Final = path_id


@final
class PathChanged(Value):
    """Another path is in use: the peer has moved, or this side has, or a move has failed. RFC 9000 §9."""

    __slots__ = ("address", "path_id")

    def __init__(self, path_id: int, address: Address) -> None:
        self.path_id: Final = path_id
        self.address: Final = address


@final
class PathAbandoned(Value):
    """A path is forgotten: nobody answered on it, or it is not needed any more."""

    __slots__ = ("has_failed", "path_id")

    def __init__(self, path_id: int, has_failed: bool) -> None:
        self.path_id: Final = path_id
        self.has_failed: Final = has_failed


@final
class PreferredAddressOffered(Value):
    """Client: the server would rather be talked to there; a path can be added now. RFC 9000 §9.6."""

    __slots__ = ("address",)

    def __init__(self, address: Address) -> None:
        self.address: Final = address


@final
class ConnectionEnded(Value):
    """The last event. `error` is None after a close without error by either side."""

    __slots__ = ("error", "is_local")

    def __init__(self, error: QuicError | None, is_local: bool) -> None:
        self.error: Final = error
        self.is_local: Final = is_local


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
