"""Numbers of the wire format: versions, packet types, frame types, error codes, transport parameters.

Everything that is compared per packet is a ``Final`` int, so that compiled code sees a constant.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

VERSION_NEGOTIATION: Final = 0  # RFC 8999 §6
VERSION_1: Final = 0x00000001  # RFC 9000 §15
VERSION_2: Final = 0x6B3343CF  # RFC 9369 §3.1

MAX_CID_SIZE: Final = 20  # RFC 9000 §17.2, in versions 1 and 2
MAX_CID_SIZE_INVARIANT: Final = 255  # RFC 8999 §5.1, in any version
MAX_STREAM_COUNT: Final = 1 << 60  # RFC 9000 §4.6
RESET_TOKEN_SIZE: Final = 16  # RFC 9000 §10.3
RETRY_TAG_SIZE: Final = 16  # RFC 9001 §5.8
SAMPLE_SIZE: Final = 16  # RFC 9001 §5.4.2
MIN_RESET_SIZE: Final = 21  # RFC 9000 §10.3


class PacketType(Enum):
    """Kinds of packets, RFC 9000 §17."""

    __hash__ = object.__hash__  # members are singletons, and that of Enum is a call in Python

    INITIAL = "initial"
    ZERO_RTT = "0RTT"
    HANDSHAKE = "handshake"
    RETRY = "retry"
    VERSION_NEGOTIATION = "version_negotiation"
    ONE_RTT = "1RTT"


# Transport error codes, RFC 9000 §20.1 and RFC 9368 §10.2.
NO_ERROR: Final = 0x00
INTERNAL_ERROR: Final = 0x01
CONNECTION_REFUSED: Final = 0x02
FLOW_CONTROL_ERROR: Final = 0x03
STREAM_LIMIT_ERROR: Final = 0x04
STREAM_STATE_ERROR: Final = 0x05
FINAL_SIZE_ERROR: Final = 0x06
FRAME_ENCODING_ERROR: Final = 0x07
TRANSPORT_PARAMETER_ERROR: Final = 0x08
CONNECTION_ID_LIMIT_ERROR: Final = 0x09
PROTOCOL_VIOLATION: Final = 0x0A
INVALID_TOKEN: Final = 0x0B
APPLICATION_ERROR: Final = 0x0C
CRYPTO_BUFFER_EXCEEDED: Final = 0x0D
KEY_UPDATE_ERROR: Final = 0x0E
AEAD_LIMIT_REACHED: Final = 0x0F
NO_VIABLE_PATH: Final = 0x10
VERSION_NEGOTIATION_ERROR: Final = 0x11
CRYPTO_ERROR: Final = 0x100  # to 0x1ff: the low byte is a TLS alert

# Frame types, RFC 9000 §19.
FRAME_PADDING: Final = 0x00
FRAME_PING: Final = 0x01
FRAME_ACK: Final = 0x02
FRAME_ACK_ECN: Final = 0x03
FRAME_RESET_STREAM: Final = 0x04
FRAME_STOP_SENDING: Final = 0x05
FRAME_CRYPTO: Final = 0x06
FRAME_NEW_TOKEN: Final = 0x07
FRAME_STREAM: Final = 0x08  # to 0x0f
STREAM_FIN: Final = 0x01
STREAM_LENGTH: Final = 0x02
STREAM_OFFSET: Final = 0x04
FRAME_STREAM_LAST: Final = 0x0F
FRAME_MAX_DATA: Final = 0x10
FRAME_MAX_STREAM_DATA: Final = 0x11
FRAME_MAX_STREAMS_BIDI: Final = 0x12
FRAME_MAX_STREAMS_UNI: Final = 0x13
FRAME_DATA_BLOCKED: Final = 0x14
FRAME_STREAM_DATA_BLOCKED: Final = 0x15
FRAME_STREAMS_BLOCKED_BIDI: Final = 0x16
FRAME_STREAMS_BLOCKED_UNI: Final = 0x17
FRAME_NEW_CONNECTION_ID: Final = 0x18
FRAME_RETIRE_CONNECTION_ID: Final = 0x19
FRAME_PATH_CHALLENGE: Final = 0x1A
FRAME_PATH_RESPONSE: Final = 0x1B
FRAME_CONNECTION_CLOSE: Final = 0x1C
FRAME_CONNECTION_CLOSE_APPLICATION: Final = 0x1D
FRAME_HANDSHAKE_DONE: Final = 0x1E
FRAME_IMMEDIATE_ACK: Final = 0x1F  # draft-ietf-quic-ack-frequency-14 §5
FRAME_RESET_STREAM_AT: Final = 0x24  # draft-ietf-quic-reliable-stream-reset §4
FRAME_DATAGRAM: Final = 0x30  # RFC 9221 §4
FRAME_DATAGRAM_WITH_LENGTH: Final = 0x31
FRAME_ACK_FREQUENCY: Final = 0xAF  # draft-ietf-quic-ack-frequency-14 §4

# Transport parameters, RFC 9000 §18.2 and what was registered since.
TP_ORIGINAL_DESTINATION_CONNECTION_ID: Final = 0x00
TP_MAX_IDLE_TIMEOUT: Final = 0x01
TP_STATELESS_RESET_TOKEN: Final = 0x02
TP_MAX_UDP_PAYLOAD_SIZE: Final = 0x03
TP_INITIAL_MAX_DATA: Final = 0x04
TP_INITIAL_MAX_STREAM_DATA_BIDI_LOCAL: Final = 0x05
TP_INITIAL_MAX_STREAM_DATA_BIDI_REMOTE: Final = 0x06
TP_INITIAL_MAX_STREAM_DATA_UNI: Final = 0x07
TP_INITIAL_MAX_STREAMS_BIDI: Final = 0x08
TP_INITIAL_MAX_STREAMS_UNI: Final = 0x09
TP_ACK_DELAY_EXPONENT: Final = 0x0A
TP_MAX_ACK_DELAY: Final = 0x0B
TP_DISABLE_ACTIVE_MIGRATION: Final = 0x0C
TP_PREFERRED_ADDRESS: Final = 0x0D
TP_ACTIVE_CONNECTION_ID_LIMIT: Final = 0x0E
TP_INITIAL_SOURCE_CONNECTION_ID: Final = 0x0F
TP_RETRY_SOURCE_CONNECTION_ID: Final = 0x10
TP_VERSION_INFORMATION: Final = 0x11  # RFC 9368 §3
TP_RESET_STREAM_AT: Final = 0x1D  # draft-ietf-quic-reliable-stream-reset §3
TP_MAX_DATAGRAM_FRAME_SIZE: Final = 0x20  # RFC 9221 §3
TP_GREASE_QUIC_BIT: Final = 0x2AB2  # RFC 9287 §3
TP_GOOGLE_INITIAL_RTT: Final = 0x3127  # Chromium, microseconds
TP_GOOGLE_CONNECTION_OPTIONS: Final = 0x3128  # Chromium, four-letter tags
TP_GOOGLE_USER_AGENT: Final = 0x3129  # Chromium, no longer sent
TP_GOOGLE_VERSION: Final = 0x4752  # Chromium
TP_MIN_ACK_DELAY_02: Final = 0xFF02DE1A  # draft-ietf-quic-ack-frequency-02, as Firefox sends it
TP_MIN_ACK_DELAY: Final = 0xFF04DE1B  # draft-ietf-quic-ack-frequency-14 §3, microseconds
TP_RESET_STREAM_AT_07: Final = 0x17F7586D2CB571  # draft-ietf-quic-reliable-stream-reset-07

ERROR_NAMES: Final[dict[int, str]] = {
    NO_ERROR: "NO_ERROR",
    INTERNAL_ERROR: "INTERNAL_ERROR",
    CONNECTION_REFUSED: "CONNECTION_REFUSED",
    FLOW_CONTROL_ERROR: "FLOW_CONTROL_ERROR",
    STREAM_LIMIT_ERROR: "STREAM_LIMIT_ERROR",
    STREAM_STATE_ERROR: "STREAM_STATE_ERROR",
    FINAL_SIZE_ERROR: "FINAL_SIZE_ERROR",
    FRAME_ENCODING_ERROR: "FRAME_ENCODING_ERROR",
    TRANSPORT_PARAMETER_ERROR: "TRANSPORT_PARAMETER_ERROR",
    CONNECTION_ID_LIMIT_ERROR: "CONNECTION_ID_LIMIT_ERROR",
    PROTOCOL_VIOLATION: "PROTOCOL_VIOLATION",
    INVALID_TOKEN: "INVALID_TOKEN",
    APPLICATION_ERROR: "APPLICATION_ERROR",
    CRYPTO_BUFFER_EXCEEDED: "CRYPTO_BUFFER_EXCEEDED",
    KEY_UPDATE_ERROR: "KEY_UPDATE_ERROR",
    AEAD_LIMIT_REACHED: "AEAD_LIMIT_REACHED",
    NO_VIABLE_PATH: "NO_VIABLE_PATH",
    VERSION_NEGOTIATION_ERROR: "VERSION_NEGOTIATION_ERROR",
}

PARAMETER_NAMES: Final[dict[int, str]] = {
    TP_ORIGINAL_DESTINATION_CONNECTION_ID: "original_destination_connection_id",
    TP_MAX_IDLE_TIMEOUT: "max_idle_timeout",
    TP_STATELESS_RESET_TOKEN: "stateless_reset_token",
    TP_MAX_UDP_PAYLOAD_SIZE: "max_udp_payload_size",
    TP_INITIAL_MAX_DATA: "initial_max_data",
    TP_INITIAL_MAX_STREAM_DATA_BIDI_LOCAL: "initial_max_stream_data_bidi_local",
    TP_INITIAL_MAX_STREAM_DATA_BIDI_REMOTE: "initial_max_stream_data_bidi_remote",
    TP_INITIAL_MAX_STREAM_DATA_UNI: "initial_max_stream_data_uni",
    TP_INITIAL_MAX_STREAMS_BIDI: "initial_max_streams_bidi",
    TP_INITIAL_MAX_STREAMS_UNI: "initial_max_streams_uni",
    TP_ACK_DELAY_EXPONENT: "ack_delay_exponent",
    TP_MAX_ACK_DELAY: "max_ack_delay",
    TP_DISABLE_ACTIVE_MIGRATION: "disable_active_migration",
    TP_PREFERRED_ADDRESS: "preferred_address",
    TP_ACTIVE_CONNECTION_ID_LIMIT: "active_connection_id_limit",
    TP_INITIAL_SOURCE_CONNECTION_ID: "initial_source_connection_id",
    TP_RETRY_SOURCE_CONNECTION_ID: "retry_source_connection_id",
    TP_VERSION_INFORMATION: "version_information",
    TP_RESET_STREAM_AT: "reset_stream_at",
    TP_MAX_DATAGRAM_FRAME_SIZE: "max_datagram_frame_size",
    TP_GREASE_QUIC_BIT: "grease_quic_bit",
    TP_GOOGLE_INITIAL_RTT: "google_initial_rtt",
    TP_GOOGLE_CONNECTION_OPTIONS: "google_connection_options",
    TP_GOOGLE_USER_AGENT: "google_user_agent",
    TP_GOOGLE_VERSION: "google_version",
    TP_MIN_ACK_DELAY_02: "min_ack_delay_02",
    TP_MIN_ACK_DELAY: "min_ack_delay",
    TP_RESET_STREAM_AT_07: "reset_stream_at_07",
}


def error_name(code: int) -> str:
    """The registered name of a transport error code, ``CRYPTO_ERROR_0x128`` for alerts, else ``0x1f00``.

    RFC 9000 §20.1.
    """
    name = ERROR_NAMES.get(code)
    if name is not None:
        return name
    if CRYPTO_ERROR <= code <= CRYPTO_ERROR + 0xFF:
        return f"CRYPTO_ERROR_0x{code:x}"
    return f"0x{code:x}"


def parameter_name(id: int) -> str:
    """The name of a transport parameter, ``0x1b`` when it is not known.

    RFC 9000 §18.2.
    """
    return PARAMETER_NAMES.get(id) or f"0x{id:x}"
