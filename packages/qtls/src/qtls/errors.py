"""Errors that leave qtls.

``LocalAlert`` says that this side refuses, ``PeerAlert`` that the other side did. ``DecodeError`` comes from
parsers used alone; the handshakes turn it into a ``LocalAlert``. RFC 8446 §6, RFC 9001 §4.8.
"""

from __future__ import annotations

from .constants import DECODE_ERROR, ECH_REQUIRED, alert_name


class Alert(Exception):
    """Base of both alerts.

    ``quic_error`` is the transport error code: CRYPTO_ERROR with the alert in it (RFC 9001 §4.8), unless QUIC has a code
    of its own for the case.
    """

    def __init__(self, description: int, reason: str, quic_error: int | None = None) -> None:
        super().__init__(description, reason, quic_error)
        self.description = description
        self.reason = reason
        self.quic_error = 0x100 + description if quic_error is None else quic_error

    def __str__(self) -> str:
        return (
            f"{alert_name(self.description)}: {self.reason}" if self.reason else alert_name(self.description)
        )


class LocalAlert(Alert):
    """This side ends the handshake; ``description`` is the alert to send."""


class EchRejected(LocalAlert):
    """The server did not decrypt the ClientHello, but proved to be the public name: alert ech_required.

    ``retry_configs`` is the ECHConfigList to try again with, on a new connection and only once; empty when the server
    does without ECH. RFC 9849 §6.1.6.
    """

    def __init__(self, reason: str, retry_configs: bytes) -> None:
        super().__init__(ECH_REQUIRED, reason)
        self.retry_configs = retry_configs

    def __reduce__(self) -> tuple[type[EchRejected], tuple[str, bytes]]:
        return EchRejected, (self.reason, self.retry_configs)


class PeerAlert(Alert):
    """The peer ended the handshake with alert ``description``."""


class DecodeError(ValueError):
    """Bytes that are not the message they claim to be.

    ``alert`` is what RFC 8446 asks a handshake to answer; most often decode_error.
    """

    def __init__(self, reason: str, alert: int = DECODE_ERROR) -> None:
        super().__init__(reason, alert)
        self.reason = reason
        self.alert = alert

    def __str__(self) -> str:
        return self.reason
