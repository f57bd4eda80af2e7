"""Keeps a failing observer away from the connection."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, final

from qwire.constants import PacketType
from qwire.frames import Frame
from qwire.transport_parameters import TransportParameters

from ..batch import Address
from ..observer import Observer

LOGGER: Final = logging.getLogger("qcore")


@final
class Guard(Observer):
    """Passes every call on; the first exception is logged, and ends the observation."""

    __slots__ = ("_observer",)

    def __init__(self, observer: Observer) -> None:
        self._observer: Observer | None = observer

    def _pass(self, method: Callable[..., None], *arguments: Any) -> None:
        try:
            method(*arguments)
        except Exception:
            LOGGER.exception("an observer failed and is detached")
            self._observer = None

    def connection_started(
        self, now: float, is_client: bool, local_cid: bytes, remote_cid: bytes, version: int, address: Address
    ) -> None:
        if self._observer is not None:
            self._pass(
                self._observer.connection_started, now, is_client, local_cid, remote_cid, version, address
            )

    def connection_state(self, now: float, old: str, new: str) -> None:
        if self._observer is not None:
            self._pass(self._observer.connection_state, now, old, new)

    def connection_closed(
        self, now: float, is_local: bool, code: int | None, is_application: bool, reason: str
    ) -> None:
        if self._observer is not None:
            self._pass(self._observer.connection_closed, now, is_local, code, is_application, reason)

    def parameters_set(self, now: float, is_local: bool, parameters: TransportParameters) -> None:
        if self._observer is not None:
            self._pass(self._observer.parameters_set, now, is_local, parameters)

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
        if self._observer is not None:
            self._pass(
                self._observer.packet_sent,
                now,
                packet_type,
                packet_number,
                size,
                frames,
                destination_cid,
                source_cid,
            )

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
        if self._observer is not None:
            self._pass(
                self._observer.packet_received,
                now,
                packet_type,
                packet_number,
                size,
                frames,
                destination_cid,
                source_cid,
            )

    def packet_dropped(self, now: float, reason: str, size: int) -> None:
        if self._observer is not None:
            self._pass(self._observer.packet_dropped, now, reason, size)

    def packet_buffered(self, now: float, size: int) -> None:
        if self._observer is not None:
            self._pass(self._observer.packet_buffered, now, size)

    def packet_lost(self, now: float, space: int, packet_number: int, trigger: str) -> None:
        if self._observer is not None:
            self._pass(self._observer.packet_lost, now, space, packet_number, trigger)

    def datagrams_sent(self, now: float, count: int, size: int) -> None:
        if self._observer is not None:
            self._pass(self._observer.datagrams_sent, now, count, size)

    def datagrams_received(self, now: float, count: int, size: int) -> None:
        if self._observer is not None:
            self._pass(self._observer.datagrams_received, now, count, size)

    def version_negotiated(self, now: float, offered: Sequence[int], chosen: int | None) -> None:
        if self._observer is not None:
            self._pass(self._observer.version_negotiated, now, offered, chosen)

    def retry_received(self, now: float, token: bytes) -> None:
        if self._observer is not None:
            self._pass(self._observer.retry_received, now, token)

    def alpn_chosen(self, now: float, alpn: str | None) -> None:
        if self._observer is not None:
            self._pass(self._observer.alpn_chosen, now, alpn)

    def keys_installed(self, now: float, level: str, can_send: bool, can_receive: bool) -> None:
        if self._observer is not None:
            self._pass(self._observer.keys_installed, now, level, can_send, can_receive)

    def keys_discarded(self, now: float, level: str) -> None:
        if self._observer is not None:
            self._pass(self._observer.keys_discarded, now, level)

    def keys_updated(self, now: float, generation: int, is_local: bool) -> None:
        if self._observer is not None:
            self._pass(self._observer.keys_updated, now, generation, is_local)

    def metrics_updated(
        self,
        now: float,
        smoothed_rtt: float,
        minimum_rtt: float,
        latest_rtt: float,
        rtt_variance: float,
        congestion_window: int,
        bytes_in_flight: int,
        pto_count: int,
    ) -> None:
        if self._observer is not None:
            self._pass(
                self._observer.metrics_updated,
                now,
                smoothed_rtt,
                minimum_rtt,
                latest_rtt,
                rtt_variance,
                congestion_window,
                bytes_in_flight,
                pto_count,
            )

    def congestion_state(self, now: float, old: str, new: str) -> None:
        if self._observer is not None:
            self._pass(self._observer.congestion_state, now, old, new)

    def mtu_changed(self, now: float, size: int) -> None:
        if self._observer is not None:
            self._pass(self._observer.mtu_changed, now, size)

    def ecn_state(self, now: float, old: str, new: str) -> None:
        if self._observer is not None:
            self._pass(self._observer.ecn_state, now, old, new)

    def loss_timer(self, now: float, deadline: float) -> None:
        if self._observer is not None:
            self._pass(self._observer.loss_timer, now, deadline)

    def probe_sent(self, now: float, space: int) -> None:
        if self._observer is not None:
            self._pass(self._observer.probe_sent, now, space)

    def path_added(self, now: float, path_id: int, address: Address) -> None:
        if self._observer is not None:
            self._pass(self._observer.path_added, now, path_id, address)

    def path_changed(self, now: float, path_id: int, address: Address) -> None:
        if self._observer is not None:
            self._pass(self._observer.path_changed, now, path_id, address)

    def path_abandoned(self, now: float, path_id: int, address: Address, has_failed: bool) -> None:
        if self._observer is not None:
            self._pass(self._observer.path_abandoned, now, path_id, address, has_failed)

    def path_validated(self, now: float, path_id: int, address: Address) -> None:
        if self._observer is not None:
            self._pass(self._observer.path_validated, now, path_id, address)
