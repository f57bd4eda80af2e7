"""An observer that remembers, for assertions on what an engine did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar, final

from qwire.constants import PacketType
from qwire.frames import Frame
from qwire.transport_parameters import TransportParameters

from ..batch import Address
from ..observer import Observer

F = TypeVar("F", bound=Frame)


@dataclass(frozen=True, slots=True)
class TracedPacket:
    """A packet as the engine saw it."""

    time: float
    packet_type: PacketType
    packet_number: int
    size: int
    frames: tuple[Frame, ...]


@final
class Trace(Observer):
    """Lists what happened, by the name of the observer's method."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.sent: list[TracedPacket] = []
        self.received: list[TracedPacket] = []
        self.dropped: list[str] = []
        self.lost: list[tuple[int, int, str]] = []
        self.states: list[str] = []
        self.parameters: dict[bool, TransportParameters] = {}

    def count(self, name: str) -> int:
        """How often an event happened, e.g. ``count("probe_sent")``."""
        return self.names.count(name)

    def frames_sent(self, kind: type[F]) -> list[F]:
        return [frame for packet in self.sent for frame in packet.frames if isinstance(frame, kind)]

    def frames_received(self, kind: type[F]) -> list[F]:
        return [frame for packet in self.received for frame in packet.frames if isinstance(frame, kind)]

    def connection_state(self, now: float, old: str, new: str) -> None:
        self.names.append("connection_state")
        self.states.append(new)

    def parameters_set(self, now: float, is_local: bool, parameters: TransportParameters) -> None:
        self.names.append("parameters_set")
        self.parameters[is_local] = parameters

    def packet_sent(
        self,
        now: float,
        packet_type: PacketType,
        packet_number: int,
        size: int,
        frames: Sequence[Frame],
        destination_cid: bytes,
        source_cid: bytes,
    ) -> None:
        self.names.append("packet_sent")
        self.sent.append(TracedPacket(now, packet_type, packet_number, size, tuple(frames)))

    def packet_received(
        self,
        now: float,
        packet_type: PacketType,
        packet_number: int,
        size: int,
        frames: Sequence[Frame],
        destination_cid: bytes,
        source_cid: bytes,
    ) -> None:
        self.names.append("packet_received")
        self.received.append(TracedPacket(now, packet_type, packet_number, size, tuple(frames)))

    def packet_dropped(self, now: float, reason: str, size: int) -> None:
        self.names.append("packet_dropped")
        self.dropped.append(reason)

    def packet_lost(self, now: float, space: int, packet_number: int, trigger: str) -> None:
        self.names.append("packet_lost")
        self.lost.append((space, packet_number, trigger))

    def version_negotiated(self, now: float, offered: Sequence[int], chosen: int | None) -> None:
        self.names.append("version_negotiated")

    def retry_received(self, now: float, token: bytes) -> None:
        self.names.append("retry_received")

    def keys_installed(self, now: float, level: str, can_send: bool, can_receive: bool) -> None:
        self.names.append("keys_installed")

    def keys_discarded(self, now: float, level: str) -> None:
        self.names.append("keys_discarded")

    def keys_updated(self, now: float, generation: int, is_local: bool) -> None:
        self.names.append("keys_updated")

    def probe_sent(self, now: float, space: int) -> None:
        self.names.append("probe_sent")

    def path_added(self, now: float, path_id: int, address: Address) -> None:
        self.names.append("path_added")

    def path_validated(self, now: float, path_id: int, address: Address) -> None:
        self.names.append("path_validated")

    def path_changed(self, now: float, path_id: int, address: Address) -> None:
        self.names.append("path_changed")

    def path_abandoned(self, now: float, path_id: int, address: Address, has_failed: bool) -> None:
        self.names.append("path_abandoned")
