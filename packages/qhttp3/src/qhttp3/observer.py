"""What a trace of HTTP/3 hears: one empty method per event, called with values that exist anyway.

The engine holds an ``Observer`` or None. Subclass it, override what you want, and keep it quick: it runs inside
the engine. An HTTP/3 engine has no clock; an observer that needs the time brings its own.
The events follow draft-ietf-quic-qlog-h3-events.
"""

from __future__ import annotations

from collections.abc import Sequence

Field = tuple[bytes, bytes]  # name, value


class Observer:
    """Base class of HTTP/3 observers; every method does nothing."""

    def parameters_set(self, is_local: bool, entries: Sequence[tuple[int, int]]) -> None:
        """SETTINGS were sent or received: ``(identifier, value)`` pairs in wire order."""

    def stream_type_set(
        self, stream_id: int, stream_type: str, is_local: bool, type_id: int | None = None
    ) -> None:
        """A stream got its role.

        ``stream_type`` is one of ``request``, ``control``, ``push``, ``qpack_encoder``, ``qpack_decoder``,
        ``reserved``, ``unknown``; ``type_id`` is the number on the wire of a unidirectional stream.
        """

    def frame_created(
        self,
        stream_id: int,
        frame_type: int,
        length: int,
        fields: Sequence[Field] = (),
        value: int | None = None,
        data: bytes = b"",
    ) -> None:
        """A frame was written.

        ``length`` is the payload's. ``fields`` are those of HEADERS; ``value`` the identifier in GOAWAY,
        MAX_PUSH_ID, CANCEL_PUSH and PRIORITY_UPDATE; ``data`` the priority field value of PRIORITY_UPDATE.
        """

    def frame_parsed(
        self,
        stream_id: int,
        frame_type: int,
        length: int,
        fields: Sequence[Field] = (),
        value: int | None = None,
        data: bytes = b"",
    ) -> None:
        """A frame was read; DATA is reported at its header. Arguments as for `frame_created`."""

    def datagram_created(self, stream_id: int, length: int) -> None:
        """An HTTP datagram was handed to the transport (RFC 9297)."""

    def datagram_parsed(self, stream_id: int, length: int) -> None:
        """An HTTP datagram arrived (RFC 9297)."""

    def priority_updated(self, stream_id: int, value: bytes) -> None:
        """The peer changed the priority of a request (RFC 9218)."""

    def push_resolved(self, push_id: int, decision: str) -> None:
        """A push was ``claimed`` or ``abandoned``; this stack abandons all."""

    def goaway_sent(self, identifier: int) -> None:
        """GOAWAY was written (RFC 9114 §5.2)."""

    def goaway_received(self, identifier: int) -> None:
        """GOAWAY was read (RFC 9114 §5.2)."""

    def encoder_instructions(self, is_local: bool, size: int) -> None:
        """QPACK encoder instructions were sent (local) or received: so many bytes."""

    def decoder_instructions(self, is_local: bool, size: int) -> None:
        """QPACK decoder instructions were sent (local) or received: so many bytes."""

    def stream_blocked(self, stream_id: int, is_blocked: bool) -> None:
        """A field section waits for dynamic table entries, or no longer does (RFC 9204 §2.1.2)."""

    def stream_failed(self, stream_id: int, code: int, reason: str, is_local: bool) -> None:
        """A request ended early, by a violation, a cancellation or the peer's reset."""

    def connection_failed(self, code: int, reason: str) -> None:
        """The peer violated the protocol; the connection closes with ``code``."""
