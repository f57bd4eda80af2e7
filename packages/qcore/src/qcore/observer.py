"""What can be watched from outside.

`Observer` is a base class of empty methods. An engine holds one or None and calls it with objects that exist
anyway; formats (qlog and others) live in layers above. An observer that raises is detached and reported.
"""

from __future__ import annotations

from collections.abc import Sequence

from qwire.compiling import mypyc_attr
from qwire.constants import PacketType
from qwire.frames import Frame
from qwire.transport_parameters import TransportParameters

from .batch import Address


@mypyc_attr(allow_interpreted_subclasses=True)
class Observer:
    """Override what is of interest. `now` is the engine's clock in seconds throughout."""

    def connection_started(
        self, now: float, is_client: bool, local_cid: bytes, remote_cid: bytes, version: int, address: Address
    ) -> None: ...

    def connection_state(self, now: float, old: str, new: str) -> None: ...

    def connection_closed(
        self, now: float, is_local: bool, code: int | None, is_application: bool, reason: str
    ) -> None:
        """`code` is None when a timeout or a stateless reset ended the connection."""

    def parameters_set(self, now: float, is_local: bool, parameters: TransportParameters) -> None: ...

    def packet_sent(
        self,
        now: float,
        packet_type: PacketType,
        packet_number: int,
        size: int,
        frames: Sequence[Frame],
        destination_cid: bytes,
        source_cid: bytes,
    ) -> None: ...

    def packet_received(
        self,
        now: float,
        packet_type: PacketType,
        packet_number: int,
        size: int,
        frames: Sequence[Frame],
        destination_cid: bytes,
        source_cid: bytes,
    ) -> None: ...

    def packet_dropped(self, now: float, reason: str, size: int) -> None: ...

    def packet_buffered(self, now: float, size: int) -> None: ...

    def packet_lost(self, now: float, space: int, packet_number: int, trigger: str) -> None:
        """`trigger` is "reordering_threshold", "time_threshold" or "pto_expired"."""

    def datagrams_sent(self, now: float, count: int, size: int) -> None: ...

    def datagrams_received(self, now: float, count: int, size: int) -> None: ...

    def version_negotiated(self, now: float, offered: Sequence[int], chosen: int | None) -> None: ...

    def retry_received(self, now: float, token: bytes) -> None: ...

    def alpn_chosen(self, now: float, alpn: str | None) -> None: ...

    def keys_installed(self, now: float, level: str, can_send: bool, can_receive: bool) -> None: ...

    def keys_discarded(self, now: float, level: str) -> None: ...

    def keys_updated(self, now: float, generation: int, is_local: bool) -> None: ...

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
    ) -> None: ...

    def congestion_state(self, now: float, old: str, new: str) -> None: ...

    def mtu_changed(self, now: float, size: int) -> None:
        """Datagrams of the path in use may have this many bytes of UDP payload now. RFC 8899."""

    def ecn_state(self, now: float, old: str, new: str) -> None:
        """States of RFC 9000 appendix A.4: "testing", "unknown", "capable", "failed"."""

    def loss_timer(self, now: float, deadline: float) -> None:
        """`deadline` is math.inf when the timer is off."""

    def probe_sent(self, now: float, space: int) -> None: ...

    def path_added(self, now: float, path_id: int, address: Address) -> None:
        """A client may use one more path."""

    def path_validated(self, now: float, path_id: int, address: Address) -> None:
        """The peer has answered on a path."""

    def path_changed(self, now: float, path_id: int, address: Address) -> None:
        """Another path is in use: the peer has moved, or this side has."""

    def path_abandoned(self, now: float, path_id: int, address: Address, has_failed: bool) -> None:
        """A path is forgotten, because nobody answered on it or because it is not needed any more."""
