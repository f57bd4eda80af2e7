"""What the streams of a user belong to: a connection, or what shares one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..engine.progress import ConnectionInfo
    from ..errors import QuicError


class StreamTransport(Protocol):
    """What moves the bytes of streams, as `QuicEngine` does."""

    @property
    def info(self) -> ConnectionInfo:
        """What was agreed on for the connection."""

    def open_stream(self, bidirectional: bool = True) -> int:
        """Open a stream; raises `StreamLimitReached` while the peer allows no more."""

    def read(self, stream_id: int, n: int = -1) -> tuple[bytes, bool]:
        """Take up to `n` bytes, -1 for all; and whether the stream has ended with them."""

    def send(self, stream_id: int, data: bytes, fin: bool = False) -> None:
        """Queue all of `data`."""

    def send_capacity(self, stream_id: int) -> int:
        """How much `send` should be given now."""

    def reset(self, stream_id: int, code: int, reliable_size: int = 0) -> None:
        """Abandon sending, but for the first bytes."""

    def stop_sending(self, stream_id: int, code: int) -> None:
        """Ask the peer to stop."""

    def send_datagram(self, data: bytes) -> bool:
        """Queue a datagram; False when the queue is full."""


class StreamHost:
    """What streams need of whatever they belong to.

    Attributes:
        transport: the verbs that move their bytes.
    """

    transport: StreamTransport
    is_clean: bool  # once ended: whether it was without error

    def flush(self) -> None:
        """Send what verbs have made pending, within this turn of the loop."""
        raise NotImplementedError

    def ended_by(self) -> QuicError | None:
        """What reads and writes raise because the connection has ended; None while it is open."""
        raise NotImplementedError

    def forget(self, stream_id: int) -> None:
        """Both directions of a stream are over: nothing more will be reported to it."""
        raise NotImplementedError
