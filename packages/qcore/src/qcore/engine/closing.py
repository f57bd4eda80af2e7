"""The end of a connection: which CONNECTION_CLOSE goes out, and how often. RFC 9000 §10.2."""

from __future__ import annotations

from typing import Final, final

from qwire.constants import APPLICATION_ERROR, CONNECTION_REFUSED, CRYPTO_ERROR, NO_ERROR
from qwire.frames import ConnectionCloseFrame, Frame

from ..errors import ApplicationError, CertificateError, ConnectionRefused, QuicError, TransportError
from .handshake import CERTIFICATE_ALERTS

# A reason is for people; a datagram has to hold it.
MAX_REASON: Final = 512


@final
class Closing:
    """The close frame of each space, and the pace at which it is repeated.

    Attributes:
        error: what the application is told; None for an orderly close.
        is_pending: a datagram with the close has to go out.
    """

    __slots__ = (
        "_frame_type",
        "_received",
        "_threshold",
        "code",
        "error",
        "is_application",
        "is_pending",
        "reason",
    )

    def __init__(self, code: int, reason: str, is_application: bool, frame_type: int | None = None) -> None:
        self.code = code
        self.reason = reason
        self.is_application = is_application
        self.error: QuicError | None = None
        self.is_pending = True
        self._frame_type = frame_type
        self._received = 0
        self._threshold = 1

    @classmethod
    def of(cls, error: TransportError) -> Closing:
        """The close that reports a violation."""
        closing = cls(error.code, error.reason, False, error.frame_type)
        closing.error = error
        return closing

    def on_received(self) -> None:
        """A packet came while closing: repeat the close for the 1st, 2nd, 4th, 8th … of them (§10.2.1)."""
        self._received += 1
        if self._received >= self._threshold:
            self._threshold *= 2
            self.is_pending = True

    def frames(self, is_confirmed: bool, has_application_keys: bool) -> list[Frame | None]:
        """A frame per space; before confirmation the peer may lack keys, so every level carries one (§10.2.3)."""
        reason = self.reason.encode()[:MAX_REASON]
        last = ConnectionCloseFrame(self.code, self._frame_type or 0, reason, self.is_application)
        if is_confirmed:
            return [None, None, last]
        if self.is_application:
            # An application's code and reason are not for packets that an observer can read.
            early = ConnectionCloseFrame(APPLICATION_ERROR, 0, b"", False)
        else:
            early = last
        return [early, early, last if has_application_keys else None]


def error_from_peer(frame: ConnectionCloseFrame) -> QuicError | None:
    """What a CONNECTION_CLOSE of the peer means to the application; None for an orderly end."""
    reason = frame.reason.decode("utf-8", "replace")
    if frame.application:
        return ApplicationError(frame.error_code, reason, is_local=False) if frame.error_code else None
    if frame.error_code == NO_ERROR:
        return None
    if frame.error_code == CONNECTION_REFUSED:
        return ConnectionRefused(reason, is_local=False)
    kind = CertificateError if frame.error_code - CRYPTO_ERROR in CERTIFICATE_ALERTS else TransportError
    return kind(frame.error_code, frame.frame_type or None, reason, is_local=False)
