"""Events of the quic namespace: their names, and their data from plain values.

Fields without a value are left out. Durations are given in seconds and written in milliseconds.
quic-events-12 §4 to §7.
"""

import math
from collections.abc import Sequence
from typing import Final

from qlog.frames import frames_of, transport_error_of
from qlog.packets import (
    PACKET_TYPE_OF_SPACE,
    SPACES,
    VALUE_SIZE,
    text_of,
    token_of,
    version_text,
)
from qwire import constants as c
from qwire.errors import DecodeError
from qwire.frames import Frame
from qwire.transport_parameters import PreferredAddress, TransportParameters

CONNECTION_STARTED: Final = "quic:connection_started"
CONNECTION_CLOSED: Final = "quic:connection_closed"
CONNECTION_ID_UPDATED: Final = "quic:connection_id_updated"
CONNECTION_STATE_UPDATED: Final = "quic:connection_state_updated"
VERSION_INFORMATION: Final = "quic:version_information"
ALPN_INFORMATION: Final = "quic:alpn_information"
PARAMETERS_SET: Final = "quic:parameters_set"
PACKET_SENT: Final = "quic:packet_sent"
PACKET_RECEIVED: Final = "quic:packet_received"
PACKET_DROPPED: Final = "quic:packet_dropped"
PACKET_BUFFERED: Final = "quic:packet_buffered"
PACKET_LOST: Final = "quic:packet_lost"
UDP_DATAGRAMS_SENT: Final = "quic:udp_datagrams_sent"
UDP_DATAGRAMS_RECEIVED: Final = "quic:udp_datagrams_received"
TUPLE_ASSIGNED: Final = "quic:tuple_assigned"
MTU_UPDATED: Final = "quic:mtu_updated"
ECN_STATE_UPDATED: Final = "quic:ecn_state_updated"
MIGRATION_STATE_UPDATED: Final = "quic:migration_state_updated"
TIMER_UPDATED: Final = "quic:timer_updated"
KEY_UPDATED: Final = "quic:key_updated"
KEY_DISCARDED: Final = "quic:key_discarded"
RECOVERY_METRICS_UPDATED: Final = "quic:recovery_metrics_updated"
CONGESTION_STATE_UPDATED: Final = "quic:congestion_state_updated"

Data = dict[str, object]

_INTEGERS: Final = (
    c.TP_MAX_IDLE_TIMEOUT,
    c.TP_MAX_UDP_PAYLOAD_SIZE,
    c.TP_INITIAL_MAX_DATA,
    c.TP_INITIAL_MAX_STREAM_DATA_BIDI_LOCAL,
    c.TP_INITIAL_MAX_STREAM_DATA_BIDI_REMOTE,
    c.TP_INITIAL_MAX_STREAM_DATA_UNI,
    c.TP_INITIAL_MAX_STREAMS_BIDI,
    c.TP_INITIAL_MAX_STREAMS_UNI,
    c.TP_ACK_DELAY_EXPONENT,
    c.TP_MAX_ACK_DELAY,
    c.TP_ACTIVE_CONNECTION_ID_LIMIT,
    c.TP_MAX_DATAGRAM_FRAME_SIZE,
)
_CONNECTION_IDS: Final = (
    c.TP_ORIGINAL_DESTINATION_CONNECTION_ID,
    c.TP_INITIAL_SOURCE_CONNECTION_ID,
    c.TP_RETRY_SOURCE_CONNECTION_ID,
)
_FLAGS: Final = (c.TP_DISABLE_ACTIVE_MIGRATION, c.TP_GREASE_QUIC_BIT, c.TP_RESET_STREAM_AT)
MAX_PARAMETERS: Final = 64


def endpoint(address: tuple[object, ...] | None, cid: bytes | None = None) -> Data:
    """A TupleEndpointInfo. quic-events-12 §8.5."""
    data: Data = {}
    if address is not None:
        family = "v6" if ":" in str(address[0]) else "v4"
        data[f"ip_{family}"], data[f"port_{family}"] = str(address[0]), address[1]
    if cid is not None:
        data["connection_ids"] = [cid.hex()]
    return data


def connection_started(address: tuple[object, ...] | None, local_cid: bytes, remote_cid: bytes) -> Data:
    """Both ends; this side's address is the socket's business and not told. quic-events-12 §4.2."""
    return {"local": endpoint(None, local_cid), "remote": endpoint(address, remote_cid)}


def connection_closed(is_local: bool, code: int | None, is_application: bool, reason: str) -> Data:
    """Who closed, with what. quic-events-12 §4.3. ``code`` None: a timeout or a stateless reset."""
    data: Data = {"initiator": "local" if is_local else "remote"}
    if code is None:
        # The engine tells these ends by their words alone.
        lowered = reason.lower()
        known = {"reset": "stateless_reset", "version": "version_mismatch", "idle": "idle_timeout"}
        data["trigger"] = next((known[word] for word in known if word in lowered), "aborted")
    elif is_application:
        data["application_error"] = "unknown"
        data["error_code"] = code
        data["trigger"] = "application"
    else:
        error = transport_error_of(code)
        data["connection_error"] = error["error"]
        if "error_code" in error:
            data["error_code"] = code
        data["trigger"] = "unspecified" if code == c.NO_ERROR else "error"
    if reason:
        data["reason"] = text_of(reason)
    return data


def version_information(offered: Sequence[int], chosen: int | None) -> Data:
    """Versions of the server, and what was chosen. quic-events-12 §5.1."""
    data: Data = {}
    if offered:
        data["server_versions"] = [version_text(version) for version in offered[:MAX_PARAMETERS]]
    if chosen is not None:
        data["chosen_version"] = version_text(chosen)
    return data


def parameters_set(is_local: bool, parameters: TransportParameters) -> Data:
    """Transport parameters as sent; bytes that a peer chose are cut, reset tokens are left out.

    quic-events-12 §5.3. A value that cannot be read is told as unknown.
    """
    data: Data = {"initiator": "local" if is_local else "remote"}
    unknown: list[Data] = []
    for entry in parameters.entries[:MAX_PARAMETERS]:
        name = c.parameter_name(entry.id)
        try:
            if entry.id in _INTEGERS or entry.id == c.TP_MIN_ACK_DELAY:
                data[name] = parameters.get_integer(entry.id)
            elif entry.id in _CONNECTION_IDS:
                data[name] = entry.value[:VALUE_SIZE].hex()
            elif entry.id in _FLAGS:
                data[name] = True
            elif entry.id == c.TP_PREFERRED_ADDRESS:
                data[name] = _preferred_address(PreferredAddress.parse(entry.value))
            elif entry.id != c.TP_STATELESS_RESET_TOKEN:
                unknown.append(_unknown_parameter(entry.id, entry.value))
        except DecodeError:
            unknown.append(_unknown_parameter(entry.id, entry.value))
    if unknown:
        data["unknown_parameters"] = unknown
    return data


def _preferred_address(value: PreferredAddress) -> Data:
    groups = [value.ipv6_address[index : index + 2].hex() for index in range(0, 16, 2)]
    return {
        "ip_v4": ".".join([str(byte) for byte in value.ipv4_address]),
        "port_v4": value.ipv4_port,
        "ip_v6": ":".join(groups),
        "port_v6": value.ipv6_port,
        "connection_id": value.connection_id.hex(),
    }


def _unknown_parameter(id: int, value: bytes) -> Data:
    data: Data = {"id": id, "value": value[:VALUE_SIZE].hex()}
    if len(value) > VALUE_SIZE:
        data["raw"] = {"length": len(value)}
    return data


def packet(header: Data, frames: Sequence[Frame], size: int, ack_delay_exponent: int) -> Data:
    """A packet sent or received; ``size`` in bytes, tag included. quic-events-12 §5.5, §5.6."""
    return {"header": header, "raw": {"length": size}, "frames": frames_of(frames, ack_delay_exponent)}


def retry_received(token: bytes) -> Data:
    """A Retry packet, told as a packet received. quic-events-12 §5.6."""
    return {"header": {"packet_type": "retry", "token": token_of(token)}}


_DROP_TRIGGERS: Final = (  # words in the engine's reason, most telling first
    ("authenticate", "decryption_failure"),
    ("wait for keys", "rejected"),
    ("keys", "key_unavailable"),
    ("duplicate", "duplicate"),
    ("address", "rejected"),
    ("version", "unsupported"),
)


def packet_dropped(reason: str, size: int) -> Data:
    """quic-events-12 §5.7; the engine's own words go to ``details``."""
    trigger = next((trigger for word, trigger in _DROP_TRIGGERS if word in reason), "invalid")
    return {"raw": {"length": size}, "trigger": trigger, "details": {"reason": text_of(reason)}}


def packet_buffered(size: int) -> Data:
    """quic-events-12 §5.8."""
    return {"raw": {"length": size}, "trigger": "keys_unavailable"}


def packet_lost(space: int, packet_number: int, trigger: str) -> Data:
    """quic-events-12 §7.4."""
    header = {"packet_type": PACKET_TYPE_OF_SPACE[space], "packet_number": packet_number}
    return {"header": header, "trigger": trigger}


def datagrams(count: int, size: int) -> Data:
    """Datagrams that went through the socket together: how many, and their bytes. quic-events-12 §5.10."""
    return {"count": count, "raw": [{"length": size}]}


def timer_set(kind: str, delay: float) -> Data:
    """A timer that was set, or cancelled when ``delay`` is infinite. quic-events-12 §5.21."""
    if math.isinf(delay):
        return {"timer_type": kind, "event_type": "cancelled"}
    return {"timer_type": kind, "event_type": "set", "delta": round(max(0.0, delay) * 1000, 3)}


def timer_expired(kind: str, space: int) -> Data:
    """A timer that fired. quic-events-12 §5.21."""
    return {"timer_type": kind, "event_type": "expired", "packet_number_space": SPACES[space]}


def key_changed(key_type: str, trigger: str, key_phase: int | None = None) -> Data:
    """A key installed, updated or discarded; the key itself is never written. quic-events-12 §6."""
    data: Data = {"key_type": key_type, "trigger": trigger}
    if key_phase is not None:
        data["key_phase"] = key_phase
    return data
