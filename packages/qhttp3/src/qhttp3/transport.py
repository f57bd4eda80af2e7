"""What HTTP/3 needs of a transport: streams with back-pressure, and datagrams.

`qcore.engine.engine.QuicEngine` satisfies it; so does anything else that numbers streams as RFC 9000 §2.1.
"""

from __future__ import annotations

from typing import Protocol


class StreamTransport(Protocol):
    """The verbs `H3Engine` calls. None of them waits."""

    def open_stream(self, bidirectional: bool = True) -> int:
        """Open a stream and give its id; a RuntimeError if the peer allows no more now."""

    def send(self, stream_id: int, data: bytes, fin: bool = False) -> None:
        """Queue data, all of it."""

    def send_capacity(self, stream_id: int) -> int:
        """Give how many bytes `send` should take now; if not above zero, the transport reports room once there is."""

    def read(self, stream_id: int, n: int = -1) -> tuple[bytes, bool]:
        """Take up to ``n`` bytes that have arrived, all if negative; and whether the stream has ended with them."""

    def reset(self, stream_id: int, code: int) -> None:
        """Abandon sending."""

    def stop_sending(self, stream_id: int, code: int) -> None:
        """Ask the peer to abandon sending, and drop what arrives."""

    def set_priority(self, stream_id: int, urgency: int, incremental: bool) -> None:
        """Say when a stream is sent: urgency 0 before 7; of one urgency incremental ones in turn, others by number.

        Until then all are incremental, of urgency 3; nothing happens if the stream is over.
        """

    def send_datagram(self, data: bytes) -> bool:
        """Queue an unreliable datagram; False if there is no room."""

    def close(self, code: int = 0, reason: str = "", *, application: bool = True) -> None:
        """Close the connection with an application error code."""


class EndedTransport:
    """A transport whose connection is over: what arrived can still be read, and nothing is sent."""

    def __init__(self, transport: StreamTransport) -> None:
        self._transport = transport

    def open_stream(self, bidirectional: bool = True) -> int:
        raise RuntimeError("the connection is over")

    def send(self, stream_id: int, data: bytes, fin: bool = False) -> None:
        pass

    def send_capacity(self, stream_id: int) -> int:
        return 0

    def read(self, stream_id: int, n: int = -1) -> tuple[bytes, bool]:
        return self._transport.read(stream_id, n)

    def reset(self, stream_id: int, code: int) -> None:
        pass

    def stop_sending(self, stream_id: int, code: int) -> None:
        pass

    def set_priority(self, stream_id: int, urgency: int, incremental: bool) -> None:
        pass

    def send_datagram(self, data: bytes) -> bool:
        return False

    def close(self, code: int = 0, reason: str = "", *, application: bool = True) -> None:
        pass


def is_request_stream(stream_id: int) -> bool:
    """Tell whether a stream id is client-initiated and bidirectional (RFC 9000 §2.1)."""
    return stream_id & 3 == 0


def is_unidirectional(stream_id: int) -> bool:
    """Tell whether a stream id is unidirectional (RFC 9000 §2.1)."""
    return stream_id & 2 != 0
