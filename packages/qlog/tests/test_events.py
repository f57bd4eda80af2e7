"""Data of events from plain values."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qlog import events
from qwire.transport_parameters import Parameter, PreferredAddress, TransportParameters


def test_parameters_are_told_by_name() -> None:  # quic-events-12 §5.3
    parameters = TransportParameters.build(
        original_destination_connection_id=b"\x01\x02",
        stateless_reset_token=b"secret!!" * 2,
        max_idle_timeout=30000,
        initial_max_data=5,
        disable_active_migration=True,
        preferred_address=PreferredAddress(
            b"\x7f\0\0\1", 443, bytes(15) + b"\1", 8443, b"\xaa", b"secret!!" * 2
        ),
        min_ack_delay=1000,
        version_information=(1, (1,)),
    )
    data = events.parameters_set(True, parameters)

    assert {
        "initiator": "local",
        "original_destination_connection_id": "0102",
        "max_idle_timeout": 30000,
        "initial_max_data": 5,
        "disable_active_migration": True,
        "preferred_address": {
            "ip_v4": "127.0.0.1",
            "port_v4": 443,
            "ip_v6": "0000:0000:0000:0000:0000:0000:0000:0001",
            "port_v6": 8443,
            "connection_id": "aa",
        },
        "min_ack_delay": 1000,
        "unknown_parameters": [{"id": 0x11, "value": "0000000100000001"}],
    } == data
    assert b"secret".hex() not in json.dumps(data)


def test_parameters_that_cannot_be_read_are_unknown_and_long_ones_cut() -> None:
    parameters = TransportParameters(
        [Parameter(4, b"\x40"), Parameter(0x1B, bytes(5000)), Parameter(13, b"")]
    )

    assert {
        "initiator": "remote",
        "unknown_parameters": [
            {"id": 4, "value": "40"},
            {"id": 0x1B, "value": "00" * 32, "raw": {"length": 5000}},
            {"id": 13, "value": ""},
        ],
    } == events.parameters_set(False, parameters)


@given(st.binary(max_size=300))
def test_any_parameters_can_be_written(data: bytes) -> None:  # ngtcp2 CVE-2026-40170
    try:
        parameters = TransportParameters.parse(data)
    except ValueError:
        return
    assert len(json.dumps(events.parameters_set(False, parameters))) < 64 * 200


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(
            (True, 0x0A, False, "why"),
            {
                "initiator": "local",
                "connection_error": "protocol_violation",
                "trigger": "error",
                "reason": "why",
            },
            id="violation",
        ),
        pytest.param(
            (False, 0, False, ""),
            {"initiator": "remote", "connection_error": "no_error", "trigger": "unspecified"},
            id="no error",
        ),
        pytest.param(
            (False, 0x77, False, ""),
            {"initiator": "remote", "connection_error": "unknown", "error_code": 0x77, "trigger": "error"},
            id="unknown code",
        ),
        pytest.param(
            (True, 256, True, ""),
            {
                "initiator": "local",
                "application_error": "unknown",
                "error_code": 256,
                "trigger": "application",
            },
            id="application",
        ),
        pytest.param(
            (True, None, False, "idle timeout"),
            {"initiator": "local", "trigger": "idle_timeout", "reason": "idle timeout"},
            id="idle",
        ),
        pytest.param(
            (True, None, False, "Stateless Reset"),
            {"initiator": "local", "trigger": "stateless_reset", "reason": "Stateless Reset"},
            id="reset",
        ),
        pytest.param((True, None, False, ""), {"initiator": "local", "trigger": "aborted"}, id="unknown"),
    ],
)
def test_connection_closed(
    arguments: tuple[bool, int | None, bool, str], expected: dict[str, object]
) -> None:
    assert expected == events.connection_closed(*arguments)


@pytest.mark.parametrize(
    ("reason", "trigger"),
    [
        ("does not authenticate", "decryption_failure"),
        ("keys are discarded", "key_unavailable"),
        ("too many packets wait for keys", "rejected"),
        ("duplicate", "duplicate"),
        ("unknown address", "rejected"),
        ("version of another connection", "unsupported"),
        ("fixed bit is 0", "invalid"),
    ],
)
def test_packet_dropped(reason: str, trigger: str) -> None:
    data = events.packet_dropped(reason, 40)

    assert {"raw": {"length": 40}, "trigger": trigger, "details": {"reason": reason}} == data


def test_addresses_of_both_families() -> None:
    assert {"ip_v4": "127.0.0.1", "port_v4": 443} == events.endpoint(("127.0.0.1", 443))
    assert {"ip_v6": "::1", "port_v6": 443, "connection_ids": ["aa"]} == events.endpoint(
        ("::1", 443, 0, 0), b"\xaa"
    )
    assert {} == events.endpoint(None)


def test_timers() -> None:
    assert {"timer_type": "pto", "event_type": "cancelled"} == events.timer_set("pto", math.inf)
    assert {"timer_type": "pto", "event_type": "set", "delta": 25.0} == events.timer_set("pto", 0.025)
    assert {"timer_type": "pto", "event_type": "set", "delta": 0.0} == events.timer_set("pto", -1.0)
    assert "handshake" == events.timer_expired("pto", 1)["packet_number_space"]


def test_lost_packets_name_their_space() -> None:
    names = [events.packet_lost(space, 3, "time_threshold")["header"] for space in range(3)]

    assert [
        {"packet_type": "initial", "packet_number": 3},
        {"packet_type": "handshake", "packet_number": 3},
        {"packet_type": "1RTT", "packet_number": 3},
    ] == names


def test_versions() -> None:
    assert {"server_versions": ["00000001", "6b3343cf"]} == events.version_information((1, 0x6B3343CF), None)
    assert {"chosen_version": "00000001"} == events.version_information((), 1)


def test_retry_hides_the_token() -> None:
    assert {"header": {"packet_type": "retry", "token": {"raw": {"length": 5}}}} == events.retry_received(
        b"token"
    )


def test_keys_have_names_and_no_bytes() -> None:
    assert {
        "key_type": "client_1rtt_secret",
        "trigger": "local_update",
        "key_phase": 1,
    } == events.key_changed("client_1rtt_secret", "local_update", 1)
