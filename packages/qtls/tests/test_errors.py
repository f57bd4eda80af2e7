"""Alerts as errors, and the names of numbers."""

from __future__ import annotations

import pickle

from qtls import DecodeError, LocalAlert, PeerAlert
from qtls.constants import alert_name, group_name, message_name, suite_name


def test_alerts_say_what_and_why() -> None:
    alert = LocalAlert(48, "unknown issuer")

    assert "unknown_ca: unknown issuer" == str(alert)
    assert 0x130 == alert.quic_error  # RFC 9001 §4.8
    assert 0x0A == LocalAlert(10, "wrong level", 0x0A).quic_error
    assert "handshake_failure" == str(PeerAlert(40, ""))


def test_errors_survive_a_pickle() -> None:
    alert = pickle.loads(pickle.dumps(LocalAlert(50, "reason", 7)))
    error = pickle.loads(pickle.dumps(DecodeError("truncated")))

    assert (50, "reason", 7) == (alert.description, alert.reason, alert.quic_error)
    assert ("truncated", 50) == (error.reason, error.alert)


def test_names() -> None:
    assert ("no_application_protocol", "alert 200") == (alert_name(120), alert_name(200))
    assert ("TLS_AES_128_GCM_SHA256", "0x1304") == (suite_name(0x1301), suite_name(0x1304))
    assert ("X25519MLKEM768", "0x0a0a") == (group_name(0x11EC), group_name(0x0A0A))
    assert ("ClientHello", "message type 99") == (message_name(1), message_name(99))
