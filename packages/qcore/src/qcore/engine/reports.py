"""What the observer of a connection hears of it as a whole: how it began, and when its 1-RTT keys change."""

from __future__ import annotations

from typing import final

from ..observer import Observer
from ..spaces import APPLICATION
from .negotiation import Negotiation
from .parts import Parts


@final
class Reports:
    """Made for connections that are watched."""

    __slots__ = ("_generation", "_observer", "_parts")

    def __init__(self, parts: Parts, observer: Observer) -> None:
        self._parts = parts
        self._observer = observer
        self._generation = 0

    def start(self, negotiation: Negotiation, now: float) -> None:
        """The connection begins."""
        parts = self._parts
        self._observer.connection_started(
            now,
            parts.is_client,
            negotiation.local_cid,
            parts.packer.headers.destination_cid,
            negotiation.version,
            parts.paths.active.address,
        )
        if parts.is_client:
            self._observer.parameters_set(now, True, parts.parameters)

    def keys(self, now: float) -> None:
        """Tell of 1-RTT keys that have changed since the last time."""
        phases = self._parts.spaces[APPLICATION].phases
        if phases is not None and phases.generation != self._generation:
            self._generation = phases.generation
            self._observer.keys_updated(now, phases.generation, phases.peer_generation < phases.generation)
