"""What WebTransport says on the wire: settings, stream prefixes, error codes, the close of a session, protocols.

Several drafts of draft-ietf-webtrans-http3 are in use at once: browsers speak -02 and -07, others -13 to -16. They
agree on streams, datagrams and capsules; they differ in how support is told and in the token of the CONNECT. A server
here tells all of them, and a client chooses the newest that its server tells. Limits on a session as a whole (-13 §5)
are used by neither side unless both ask for them, and this one does not.
"""

from __future__ import annotations

from typing import Final

import quicvarint
from qhttp3.errors import H3_DATAGRAM_ERROR, StreamViolation
from qhttp3.settings import ENABLE_CONNECT_PROTOCOL, H3_DATAGRAM, H3Settings, Setting

ENABLE_WEBTRANSPORT: Final = 0x2B60_3742  # -02 to -06
WEBTRANSPORT_MAX_SESSIONS: Final = 0xC671_706A  # -07 to -12
WT_MAX_SESSIONS: Final = 0x14E9_CD29  # -13 and -14
WT_ENABLED: Final = 0x2C7C_F000  # from -15 on
OFFERS: Final = (ENABLE_WEBTRANSPORT, WEBTRANSPORT_MAX_SESSIONS, WT_MAX_SESSIONS, WT_ENABLED)
TOKEN: Final = b"webtransport"  # of the CONNECT, up to -14
TOKEN_15: Final = b"webtransport-h3"
DRAFT_02_REQUEST: Final = (b"sec-webtransport-http3-draft02", b"1")
DRAFT_02_RESPONSE: Final = (b"sec-webtransport-http3-draft", b"draft02")

# §4.2, §4.3: what streams of a session begin with, before the session's id.
UNI_STREAM: Final = 0x54
BIDI_SIGNAL: Final = 0x41

CLOSE_SESSION: Final = 0x2843  # §6
DRAIN_SESSION: Final = 0x78AE  # §4.7
MAX_REASON: Final = 1024  # §6
PROTOCOLS: Final = b"wt-available-protocols"  # §3.3
PROTOCOL: Final = b"wt-protocol"

BUFFERED_STREAM_REJECTED: Final = 0x3994_BD84  # §9.5
SESSION_GONE: Final = 0x170D_7B68
# §4.4: codes of applications have a range of HTTP/3's, which has a reserved code in every 31.
FIRST_CODE: Final = 0x52E4_A40F_A8DB
LAST_CODE: Final = 0x52E5_AC98_3162

DEFAULT_SESSIONS: Final = 16


def with_webtransport(
    settings: H3Settings, *, is_client: bool, sessions: int = DEFAULT_SESSIONS
) -> H3Settings:
    """Settings that offer WebTransport, too, in all drafts.

    Args:
        sessions: at once on one connection, by a client's wish.
    """
    added = [(H3_DATAGRAM, 1), (ENABLE_WEBTRANSPORT, 1), (WEBTRANSPORT_MAX_SESSIONS, sessions)]
    if not is_client:
        # More than one session in -13 and -14 would mean limits on each.
        added += [(ENABLE_CONNECT_PROTOCOL, 1), (WT_MAX_SESSIONS, 1), (WT_ENABLED, 1)]
    known = {identifier for identifier, _ in added}
    kept = [entry for entry in settings.entries if entry.identifier not in known]
    return H3Settings([*kept, *(Setting(*entry) for entry in added)])


def is_offered(settings: H3Settings) -> bool:
    """Whether settings tell of WebTransport, in any draft."""
    for entry in settings.entries:
        if entry.value > 0 and entry.identifier in OFFERS:
            return True
    return False


def token_for(settings: H3Settings) -> bytes | None:
    """The token of a CONNECT to a server with these settings; None if it takes no sessions."""
    if not (is_offered(settings) and settings.h3_datagram and settings.enable_connect_protocol):
        return None
    return TOKEN_15 if settings.get(WT_ENABLED) == 1 else TOKEN


def stream_prefix(session_id: int, bidirectional: bool) -> bytes:
    """What a stream of a session begins with (§4.2, §4.3)."""
    out = bytearray()
    quicvarint.append(out, BIDI_SIGNAL if bidirectional else UNI_STREAM)
    quicvarint.append(out, session_id)
    return bytes(out)


def encode_code(code: int) -> int:
    """The HTTP/3 error code that stands for an application's, of 32 bits (§4.4).

    Raises:
        ValueError: it has more bits.
    """
    if not 0 <= code < 1 << 32:
        raise ValueError(f"codes of WebTransport have 32 bits, not {code:#x}")
    return FIRST_CODE + code + code // 0x1E


def decode_code(code: int) -> int | None:
    """The application's error code that an HTTP/3 code stands for; None if it is not one of those (§4.4)."""
    if not FIRST_CODE <= code <= LAST_CODE or (code - 0x21) % 0x1F == 0:
        return None
    shifted = code - FIRST_CODE
    return shifted - shifted // 0x1F


def encode_close(code: int, reason: str) -> bytes:
    """The value of a CLOSE_SESSION capsule; words beyond its limit are cut off (§6)."""
    if not 0 <= code < 1 << 32:
        raise ValueError(f"codes of WebTransport have 32 bits, not {code:#x}")
    words = reason.encode()[:MAX_REASON].decode(errors="ignore").encode()
    return code.to_bytes(4, "big") + words


def parse_close(value: bytes) -> tuple[int, str]:
    """Code and reason of a CLOSE_SESSION capsule.

    Raises:
        StreamViolation: too short or too long, or not UTF-8.
    """
    if not 4 <= len(value) <= 4 + MAX_REASON:
        raise StreamViolation(H3_DATAGRAM_ERROR, f"CLOSE_SESSION of {len(value)} bytes")
    try:
        return int.from_bytes(value[:4], "big"), value[4:].decode()
    except UnicodeDecodeError:
        raise StreamViolation(H3_DATAGRAM_ERROR, "CLOSE_SESSION with a reason that is not UTF-8") from None
