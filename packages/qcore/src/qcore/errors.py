"""Errors that applications see.

`QuicError` is how a connection or a stream ended; it is also an `OSError`, so that code written for sockets
catches it. `UsageError` is a mistake of the caller: it is raised before anything has changed.
"""

from __future__ import annotations

import errno
from typing import TypeVar

from qtls.constants import alert_name
from qwire.constants import CONNECTION_REFUSED, CRYPTO_ERROR, error_name


class QuicError(OSError):
    """Something ended a connection or a stream."""


class TransportError(QuicError):
    """A violation of the transport protocol, seen by us or reported by the peer. RFC 9000 §20.1.

    Attributes:
        code: the error code on the wire.
        frame_type: the frame that was at fault, or None.
        reason: what was wrong, in words.
        is_local: True when this side saw the violation.
    """

    def __init__(
        self, code: int, frame_type: int | None = None, reason: str = "", is_local: bool = True
    ) -> None:
        self.code = code
        self.frame_type = frame_type
        self.reason = reason
        self.is_local = is_local
        super().__init__(self._text())

    def _text(self) -> str:
        side = "" if self.is_local else "peer: "
        name = (
            f"{alert_name(self.code - CRYPTO_ERROR)} (0x{self.code:x})"
            if CRYPTO_ERROR <= self.code < CRYPTO_ERROR + 0x100
            else error_name(self.code)
        )
        frame = "" if self.frame_type is None else f" in frame type 0x{self.frame_type:x}"
        return f"{side}{name}{frame}: {self.reason}" if self.reason else f"{side}{name}{frame}"


class CertificateError(TransportError):
    """The peer's certificate, or ours in the eyes of the peer, was refused. RFC 9001 §4.8."""


class ApplicationError(QuicError):
    """The application of one side closed the connection with a code of its protocol. RFC 9000 §20.2."""

    def __init__(self, code: int, reason: str = "", is_local: bool = False) -> None:
        self.code = code
        self.reason = reason
        self.is_local = is_local
        side = "" if is_local else "peer: "
        super().__init__(f"{side}application error 0x{code:x}" + (f": {reason}" if reason else ""))


class StreamError(QuicError):
    """One direction of one stream was ended early: RESET_STREAM or STOP_SENDING. RFC 9000 §3."""

    def __init__(self, stream_id: int, code: int, is_local: bool = False) -> None:
        self.stream_id = stream_id
        self.code = code
        self.is_local = is_local
        side = "" if is_local else "by the peer "
        super().__init__(f"stream {stream_id} ended {side}with code 0x{code:x}")


class IdleTimeout(QuicError, TimeoutError):
    """Nothing was heard for the negotiated idle timeout. RFC 9000 §10.1."""


class HandshakeTimeout(QuicError, TimeoutError):
    """The handshake did not complete within the configured time."""


class StatelessReset(QuicError, ConnectionResetError):
    """The peer has lost the state of this connection. RFC 9000 §10.3."""


class PathFailed(QuicError, TimeoutError):
    """Nobody answers on a path, or it was closed; the connection goes on by another. RFC 9000 §8.2.4."""


class VersionMismatch(QuicError):
    """The two sides share no QUIC version. RFC 9000 §6."""


class ConnectionRefused(TransportError, ConnectionRefusedError):
    """No endpoint listens there, as this side's system says, or the server does not take the connection."""

    def __init__(self, reason: str = "", is_local: bool = True) -> None:
        super().__init__(CONNECTION_REFUSED, None, reason, is_local)
        self.errno = errno.ECONNREFUSED

    def _text(self) -> str:
        return self.reason if self.is_local else super()._text()


class EarlyDataRejected(QuicError):
    """The server did not accept 0-RTT; what was sent on this stream has to be sent again. RFC 9001 §4.6.2."""


class UsageError(RuntimeError):
    """A call that makes no sense in the present state; nothing has changed."""


class ConnectionClosed(UsageError):
    """The connection is closing or closed."""


class StreamLimitReached(UsageError):
    """The peer allows no further stream of this kind now; `StreamsAvailable` tells when it does."""


class UnknownStream(UsageError):
    """There is no such stream, or it has no such direction."""


class DatagramsUnavailable(UsageError):
    """The peer does not take datagrams, or this one is too large for the path. RFC 9221."""


class PathUnavailable(UsageError):
    """Another path cannot be had now. RFC 9000 §9."""


class FlightError(UsageError):
    """A flight layout overflows a datagram or leaves bytes of the ClientHello unplaced."""


ErrorType = TypeVar("ErrorType", bound=Exception)


def caused(error: ErrorType, cause: Exception) -> ErrorType:
    """`error` with its cause, which mypyc leaves out of "raise ... from"."""
    error.__cause__ = cause
    return error
