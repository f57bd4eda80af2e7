"""Keeps a failing observer away from the connection."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, final

from qhttp3.observer import Field, Observer

LOGGER: Final = logging.getLogger("qhttp3")


@final
class Guard(Observer):
    """Passes every call on; the first exception is logged, and ends the observation."""

    def __init__(self, observer: Observer) -> None:
        self._observer: Observer | None = observer

    def _pass(self, method: Callable[..., None], *arguments: Any) -> None:
        try:
            method(*arguments)
        except Exception:
            LOGGER.exception("an observer failed and is detached")
            self._observer = None

    def parameters_set(self, is_local: bool, entries: Sequence[tuple[int, int]]) -> None:
        if self._observer is not None:
            self._pass(self._observer.parameters_set, is_local, entries)

    def stream_type_set(
        self, stream_id: int, stream_type: str, is_local: bool, type_id: int | None = None
    ) -> None:
        if self._observer is not None:
            self._pass(self._observer.stream_type_set, stream_id, stream_type, is_local, type_id)

    def frame_created(
        self,
        stream_id: int,
        frame_type: int,
        length: int,
        fields: Sequence[Field] = (),
        value: int | None = None,
        data: bytes = b"",
    ) -> None:
        if self._observer is not None:
            self._pass(self._observer.frame_created, stream_id, frame_type, length, fields, value, data)

    def frame_parsed(
        self,
        stream_id: int,
        frame_type: int,
        length: int,
        fields: Sequence[Field] = (),
        value: int | None = None,
        data: bytes = b"",
    ) -> None:
        if self._observer is not None:
            self._pass(self._observer.frame_parsed, stream_id, frame_type, length, fields, value, data)

    def datagram_created(self, stream_id: int, length: int) -> None:
        if self._observer is not None:
            self._pass(self._observer.datagram_created, stream_id, length)

    def datagram_parsed(self, stream_id: int, length: int) -> None:
        if self._observer is not None:
            self._pass(self._observer.datagram_parsed, stream_id, length)

    def priority_updated(self, stream_id: int, value: bytes) -> None:
        if self._observer is not None:
            self._pass(self._observer.priority_updated, stream_id, value)

    def push_resolved(self, push_id: int, decision: str) -> None:
        if self._observer is not None:
            self._pass(self._observer.push_resolved, push_id, decision)

    def goaway_sent(self, identifier: int) -> None:
        if self._observer is not None:
            self._pass(self._observer.goaway_sent, identifier)

    def goaway_received(self, identifier: int) -> None:
        if self._observer is not None:
            self._pass(self._observer.goaway_received, identifier)

    def encoder_instructions(self, is_local: bool, size: int) -> None:
        if self._observer is not None:
            self._pass(self._observer.encoder_instructions, is_local, size)

    def decoder_instructions(self, is_local: bool, size: int) -> None:
        if self._observer is not None:
            self._pass(self._observer.decoder_instructions, is_local, size)

    def stream_blocked(self, stream_id: int, is_blocked: bool) -> None:
        if self._observer is not None:
            self._pass(self._observer.stream_blocked, stream_id, is_blocked)

    def stream_failed(self, stream_id: int, code: int, reason: str, is_local: bool) -> None:
        if self._observer is not None:
            self._pass(self._observer.stream_failed, stream_id, code, reason, is_local)

    def connection_failed(self, code: int, reason: str) -> None:
        if self._observer is not None:
            self._pass(self._observer.connection_failed, code, reason)
