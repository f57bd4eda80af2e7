"""What `Observer` offers, written down by hand: compiled methods do not tell their parameters."""

from typing import Final

_PACKET: Final = (
    "now",
    "packet_type",
    "packet_number",
    "size",
    "frames",
    "destination_cid",
    "source_cid",
)

EVENTS: Final[dict[str, tuple[str, ...]]] = {
    "connection_started": ("now", "is_client", "local_cid", "remote_cid", "version", "address"),
    "connection_state": ("now", "old", "new"),
    "connection_closed": ("now", "is_local", "code", "is_application", "reason"),
    "parameters_set": ("now", "is_local", "parameters"),
    "packet_sent": _PACKET,
    "packet_received": _PACKET,
    "packet_dropped": ("now", "reason", "size"),
    "packet_buffered": ("now", "size"),
    "packet_lost": ("now", "space", "packet_number", "trigger"),
    "datagrams_sent": ("now", "count", "size"),
    "datagrams_received": ("now", "count", "size"),
    "version_negotiated": ("now", "offered", "chosen"),
    "retry_received": ("now", "token"),
    "alpn_chosen": ("now", "alpn"),
    "keys_installed": ("now", "level", "can_send", "can_receive"),
    "keys_discarded": ("now", "level"),
    "keys_updated": ("now", "generation", "is_local"),
    "metrics_updated": (
        "now",
        "smoothed_rtt",
        "minimum_rtt",
        "latest_rtt",
        "rtt_variance",
        "congestion_window",
        "bytes_in_flight",
        "pto_count",
    ),
    "congestion_state": ("now", "old", "new"),
    "mtu_changed": ("now", "size"),
    "ecn_state": ("now", "old", "new"),
    "loss_timer": ("now", "deadline"),
    "probe_sent": ("now", "space"),
    "path_added": ("now", "path_id", "address"),
    "path_validated": ("now", "path_id", "address"),
    "path_changed": ("now", "path_id", "address"),
    "path_abandoned": ("now", "path_id", "address", "has_failed"),
}
