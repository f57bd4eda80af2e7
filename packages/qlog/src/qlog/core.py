"""The engine's events as a trace: an observer of qcore.

A trace is named by the original destination connection ID. A client knows it at once, a server when it has read
the ClientHello; until then events are kept, a bounded number of them. RFC 9000 §7.3, main-schema-14 §7.3.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final, final

from qcore.batch import Address
from qcore.observer import Observer
from qlog import events
from qlog.packets import header_of, version_text
from qlog.writer import TraceWriter
from qwire.constants import TP_ACK_DELAY_EXPONENT, PacketType
from qwire.errors import DecodeError
from qwire.frames import Frame
from qwire.transport_parameters import TransportParameters

# A ClientHello in many pieces takes some packets; whoever needs more is named by what it sent first.
MAX_WAITING: Final = 200

STATES: Final = {  # the engine's to those of quic-events-12 §4.6
    "handshaking": "attempted",
    "established": "handshake_complete",
    "confirmed": "handshake_confirmed",
}
LEVELS: Final = {
    "initial": "initial",
    "0rtt": "0rtt",
    "early": "0rtt",
    "handshake": "handshake",
    "1rtt": "1rtt",
    "application": "1rtt",
}
OpenTrace = Callable[[bytes, str, float], TraceWriter]
"""Makes the writer of a trace: original destination connection ID, ``client`` or ``server``, time of the start."""


@final
class CoreTrace(Observer):
    """Writes what an engine tells into a trace.

    Attributes:
        writer: None until the name of the trace is known.
    """

    def __init__(self, open_trace: OpenTrace, is_client: bool) -> None:
        self._open = open_trace
        self._is_client = is_client
        self._waiting: list[tuple[float, str, events.Data]] = []
        self._now = 0.0
        self._version = 0
        self._exponents = {True: 3, False: 3}  # is it ours
        self._metrics: events.Data = {}
        self._cids: dict[bool, bytes] = {}
        self._first_cid: bytes | None = None
        self.writer: TraceWriter | None = None

    def clock(self) -> float:
        """When the engine last told something; the clock of observers that have none, such as HTTP/3's."""
        return self._now

    def event(self, now: float, name: str, data: events.Data) -> None:
        """Add an event to the trace."""
        self._now = now
        writer = self.writer
        if writer is not None:
            writer.event(now, name, data)
            return
        self._waiting.append((now, name, data))
        if len(self._waiting) >= MAX_WAITING:
            self._start(self._first_cid or b"")

    def flush(self) -> None:
        """Let readers find what was told so far."""
        if self.writer is None:
            self._start(self._first_cid or b"")
        if self.writer is not None:
            self.writer.flush()

    def _start(self, original_cid: bytes) -> None:
        if self.writer is not None or not self._waiting:
            return
        role = "client" if self._is_client else "server"
        self.writer = self._open(original_cid, role, self._waiting[0][0])
        waiting, self._waiting = self._waiting, []
        for now, name, data in waiting:
            self.writer.event(now, name, data)

    # What the engine tells

    def connection_started(
        self, now: float, is_client: bool, local_cid: bytes, remote_cid: bytes, version: int, address: Address
    ) -> None:
        self._is_client = is_client
        self._version = version
        data = events.connection_started(address, local_cid, remote_cid)
        self.event(now, events.CONNECTION_STARTED, data)
        information = {"chosen_version": version_text(version)}
        self.event(now, events.VERSION_INFORMATION, dict(information))
        if is_client:
            self._start(remote_cid)

    def connection_state(self, now: float, old: str, new: str) -> None:
        data: events.Data = {"old": STATES.get(old, old), "new": STATES.get(new, new)}
        self.event(now, events.CONNECTION_STATE_UPDATED, data)
        self.flush()

    def connection_closed(
        self, now: float, is_local: bool, code: int | None, is_application: bool, reason: str
    ) -> None:
        data = events.connection_closed(is_local, code, is_application, reason)
        self.event(now, events.CONNECTION_CLOSED, data)
        self.flush()

    def parameters_set(self, now: float, is_local: bool, parameters: TransportParameters) -> None:
        self.event(now, events.PARAMETERS_SET, events.parameters_set(is_local, parameters))
        try:
            exponent = parameters.get_integer(TP_ACK_DELAY_EXPONENT)
        except DecodeError:  # the engine closes the connection for that; the trace goes on
            exponent = None
        if exponent is not None and exponent <= 20:
            self._exponents[is_local] = exponent
        original = parameters.original_destination_connection_id
        if original is not None and is_local and not self._is_client:
            self._start(original)

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
        if packet_type is PacketType.ONE_RTT:
            self._note_cid(now, False, destination_cid)
        header = header_of(packet_type, packet_number, self._version, destination_cid, source_cid)
        exponent = self._exponents[True] if packet_type is PacketType.ONE_RTT else 3
        self.event(now, events.PACKET_SENT, events.packet(header, frames, size, exponent))

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
        if self._first_cid is None:
            self._first_cid = destination_cid
        if packet_type is PacketType.ONE_RTT:
            self._note_cid(now, True, destination_cid)
        header = header_of(packet_type, packet_number, self._version, destination_cid, source_cid)
        exponent = self._exponents[False] if packet_type is PacketType.ONE_RTT else 3
        self.event(now, events.PACKET_RECEIVED, events.packet(header, frames, size, exponent))

    def _note_cid(self, now: float, is_local: bool, cid: bytes) -> None:
        """1-RTT packets are told without connection ID, so its changes are. quic-events-12 §4.4."""
        old = self._cids.get(is_local)
        if cid == old:
            return
        self._cids[is_local] = cid
        data: events.Data = {"initiator": "local" if is_local else "remote", "new": cid.hex()}
        if old is not None:
            data["old"] = old.hex()
        self.event(now, events.CONNECTION_ID_UPDATED, data)

    def packet_dropped(self, now: float, reason: str, size: int) -> None:
        self.event(now, events.PACKET_DROPPED, events.packet_dropped(reason, size))

    def packet_buffered(self, now: float, size: int) -> None:
        self.event(now, events.PACKET_BUFFERED, events.packet_buffered(size))

    def packet_lost(self, now: float, space: int, packet_number: int, trigger: str) -> None:
        self.event(now, events.PACKET_LOST, events.packet_lost(space, packet_number, trigger))

    def datagrams_sent(self, now: float, count: int, size: int) -> None:
        self.event(now, events.UDP_DATAGRAMS_SENT, events.datagrams(count, size))

    def datagrams_received(self, now: float, count: int, size: int) -> None:
        self.event(now, events.UDP_DATAGRAMS_RECEIVED, events.datagrams(count, size))

    def version_negotiated(self, now: float, offered: Sequence[int], chosen: int | None) -> None:
        if chosen is not None:
            self._version = chosen
        self.event(now, events.VERSION_INFORMATION, events.version_information(offered, chosen))

    def retry_received(self, now: float, token: bytes) -> None:
        self.event(now, events.PACKET_RECEIVED, events.retry_received(token))

    def alpn_chosen(self, now: float, alpn: str | None) -> None:
        data: events.Data = {} if alpn is None else {"chosen_alpn": {"string_value": alpn}}
        self.event(now, events.ALPN_INFORMATION, data)

    def keys_installed(self, now: float, level: str, can_send: bool, can_receive: bool) -> None:
        for is_ours, there in ((True, can_send), (False, can_receive)):
            if there:
                data = events.key_changed(self._key_type(level, is_ours), "tls")
                self.event(now, events.KEY_UPDATED, data)

    def keys_discarded(self, now: float, level: str) -> None:
        for is_ours in (True, False):
            data = events.key_changed(self._key_type(level, is_ours), "tls")
            self.event(now, events.KEY_DISCARDED, data)

    def keys_updated(self, now: float, generation: int, is_local: bool) -> None:
        trigger = "local_update" if is_local else "remote_update"
        for is_ours in (True, False):
            data = events.key_changed(self._key_type("1rtt", is_ours), trigger, generation)
            self.event(now, events.KEY_UPDATED, data)

    def _key_type(self, level: str, is_ours: bool) -> str:
        side = "client" if is_ours is self._is_client else "server"
        return f"{side}_{LEVELS.get(level, level)}_secret"

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
        data: events.Data = {}
        old = self._metrics
        for name, seconds in (
            ("smoothed_rtt", smoothed_rtt),
            ("min_rtt", minimum_rtt),
            ("latest_rtt", latest_rtt),
            ("rtt_variance", rtt_variance),
        ):
            if math.isfinite(seconds):
                value = round(seconds * 1000, 3)
                if old.get(name) != value:
                    data[name] = value
        for name, count in (
            ("congestion_window", congestion_window),
            ("bytes_in_flight", bytes_in_flight),
            ("pto_count", pto_count),
        ):
            if old.get(name) != count:
                data[name] = count
        if data:  # quic-events-12 §7.2: only what changed
            old.update(data)
            self.event(now, events.RECOVERY_METRICS_UPDATED, data)

    def congestion_state(self, now: float, old: str, new: str) -> None:
        data: events.Data = {"new": new}
        if old:
            data["old"] = old
        self.event(now, events.CONGESTION_STATE_UPDATED, data)

    def mtu_changed(self, now: float, size: int) -> None:
        self.event(now, events.MTU_UPDATED, {"new": size})

    def ecn_state(self, now: float, old: str, new: str) -> None:
        self.event(now, events.ECN_STATE_UPDATED, {"old": old, "new": new})

    def loss_timer(self, now: float, deadline: float) -> None:
        self.event(now, events.TIMER_UPDATED, events.timer_set("loss_timeout", deadline - now))

    def probe_sent(self, now: float, space: int) -> None:
        self.event(now, events.TIMER_UPDATED, events.timer_expired("pto", space))

    def path_added(self, now: float, path_id: int, address: Address) -> None:
        data: events.Data = {"tuple_id": str(path_id), "tuple_remote": events.endpoint(address)}
        self.event(now, events.TUPLE_ASSIGNED, data)

    def path_validated(self, now: float, path_id: int, address: Address) -> None:
        self._migration(now, "probing_successful", path_id, address)

    def path_changed(self, now: float, path_id: int, address: Address) -> None:
        self._migration(now, "migration_complete", path_id, address)

    def path_abandoned(self, now: float, path_id: int, address: Address, has_failed: bool) -> None:
        if has_failed:
            self._migration(now, "probing_abandoned", path_id, address)
        # quic-events-12 §4.7: without addresses, the number is no longer in use.
        self.event(now, events.TUPLE_ASSIGNED, {"tuple_id": str(path_id)})

    def _migration(self, now: float, state: str, path_id: int, address: Address) -> None:
        data: events.Data = {
            "new": state,
            "tuple_id": str(path_id),
            "tuple_remote": events.endpoint(address),
        }
        self.event(now, events.MIGRATION_STATE_UPDATED, data)
