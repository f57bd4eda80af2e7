"""The observer of qcore: what an engine tells becomes events, in a trace named as soon as it can be."""

import json
import math
from itertools import pairwise

import pytest

from qlog.reader import load_traces
from qlog.writer import TraceWriter
from qwire.constants import VERSION_1, VERSION_2, PacketType
from qwire.frames import AckFrame, CryptoFrame, PingFrame, StreamFrame
from qwire.transport_parameters import Parameter, TransportParameters

pytest.importorskip("qcore.observer")

from qlog.core import MAX_WAITING, CoreTrace

ADDRESS = ("192.0.2.1", 443)


class Opened:
    """What a trace was opened with, and what it holds."""

    def __init__(self) -> None:
        self.names: list[tuple[str, str, float]] = []
        self.text = ""
        self.flushed = 0

    def open(self, cid: bytes, role: str, reference: float) -> TraceWriter:
        self.names.append((cid.hex(), role, reference))
        return TraceWriter(self.write, vantage_point=role, reference=reference, flush=self.flush)

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        self.flushed += 1

    @property
    def events(self) -> list[tuple[str, dict[str, object]]]:
        (trace,) = load_traces(self.text.encode())
        return [
            (str(event["name"]).partition(":")[2], data)
            for event in trace.events
            if isinstance(data := event["data"], dict)
        ]

    def last(self) -> tuple[str, dict[str, object]]:
        return self.events[-1]


def client_trace() -> tuple[Opened, CoreTrace]:
    opened = Opened()
    trace = CoreTrace(opened.open, True)
    trace.connection_started(10.0, True, b"\x01", b"\x02\x03", VERSION_1, ADDRESS)
    return opened, trace


def test_a_client_names_its_trace_at_once() -> None:
    opened, _ = client_trace()

    assert [("0203", "client", 10.0)] == opened.names
    assert [
        (
            "connection_started",
            {
                "local": {"connection_ids": ["01"]},
                "remote": {"ip_v4": "192.0.2.1", "port_v4": 443, "connection_ids": ["0203"]},
            },
        ),
        ("version_information", {"chosen_version": "00000001"}),
    ] == opened.events


def test_a_server_names_its_trace_by_its_parameters() -> None:  # RFC 9000 §7.3
    opened = Opened()
    trace = CoreTrace(opened.open, False)
    trace.connection_started(10.0, False, b"\x01", b"\x02", VERSION_1, ADDRESS)
    trace.packet_received(10.1, PacketType.INITIAL, 0, 1200, [PingFrame()], b"\xaa", b"\x02")

    assert [] == opened.names
    parameters = TransportParameters.build(original_destination_connection_id=b"\xee")
    trace.parameters_set(10.2, True, parameters)
    assert [("ee", "server", 10.0)] == opened.names
    assert ["connection_started", "version_information", "packet_received", "parameters_set"] == [
        name for name, _ in opened.events
    ]


@pytest.mark.parametrize("how", ["closed", "many events"])
def test_a_server_that_never_reads_a_hello_is_named_by_what_came(how: str) -> None:
    opened = Opened()
    trace = CoreTrace(opened.open, False)
    trace.connection_started(10.0, False, b"\x01", b"\x02", VERSION_1, ADDRESS)
    trace.packet_received(10.1, PacketType.INITIAL, 0, 1200, [PingFrame()], b"\xaa", b"\x02")
    if how == "closed":
        trace.connection_closed(11.0, True, None, False, "handshake timeout")
    else:
        for _ in range(MAX_WAITING):
            trace.packet_dropped(10.2, "duplicate", 1200)

    assert [("aa", "server", 10.0)] == opened.names
    assert "packet_received" in dict(opened.events)


def test_packets_carry_header_frames_and_size() -> None:
    opened, trace = client_trace()
    trace.packet_sent(10.001, PacketType.INITIAL, 1, 1200, [CryptoFrame(0, b"hello")], b"\x02\x03", b"\x01")

    assert (
        "packet_sent",
        {
            "header": {
                "packet_type": "initial",
                "packet_number": 1,
                "version": "00000001",
                "scid": "01",
                "dcid": "0203",
            },
            "raw": {"length": 1200},
            "frames": [{"frame_type": "crypto", "offset": 0, "raw": {"length": 5}}],
        },
    ) == opened.last()


def test_connection_ids_of_short_headers_are_told_when_they_change() -> None:  # quic-events-12 §4.4
    opened, trace = client_trace()
    for cid in (b"\x0a", b"\x0a", b"\x0b"):
        trace.packet_sent(10.1, PacketType.ONE_RTT, 1, 40, [PingFrame()], cid, b"")
    trace.packet_received(10.1, PacketType.ONE_RTT, 1, 40, [PingFrame()], b"\x01", b"")

    assert [
        {"initiator": "remote", "new": "0a"},
        {"initiator": "remote", "new": "0b", "old": "0a"},
        {"initiator": "local", "new": "01"},
    ] == [data for name, data in opened.events if name == "connection_id_updated"]


def test_delays_use_the_exponent_of_the_side_that_sent_them() -> None:
    opened, trace = client_trace()
    ack = AckFrame([(0, 0)], 1000)
    trace.parameters_set(10.0, True, TransportParameters.build(ack_delay_exponent=0))
    trace.parameters_set(10.0, False, TransportParameters.build(ack_delay_exponent=10))
    delays = []
    for kind in (PacketType.HANDSHAKE, PacketType.ONE_RTT):
        trace.packet_sent(10.1, kind, 0, 40, [ack], b"", b"")
        trace.packet_received(10.1, kind, 0, 40, [ack], b"", b"")
    for name, data in opened.events:
        if name.startswith("packet_"):
            frames = data["frames"]
            assert isinstance(frames, list)
            delays.append(frames[0]["ack_delay"])

    assert [8.0, 8.0, 1.0, 1024.0] == delays


def test_parameters_that_cannot_be_read_do_not_end_the_trace() -> None:
    opened, trace = client_trace()
    trace.parameters_set(10.0, False, TransportParameters([Parameter(0x0A, b"\x40"), Parameter(4, b"")]))

    assert "parameters_set" == opened.last()[0]


def test_states_have_the_names_of_the_schema() -> None:  # quic-events-12 §4.6
    opened, trace = client_trace()
    states = ["handshaking", "established", "confirmed", "closing", "closed"]
    for old, new in pairwise(states):
        trace.connection_state(10.1, old, new)

    assert [
        ("attempted", "handshake_complete"),
        ("handshake_complete", "handshake_confirmed"),
        ("handshake_confirmed", "closing"),
        ("closing", "closed"),
    ] == [(data["old"], data["new"]) for name, data in opened.events if name == "connection_state_updated"]
    assert 4 == opened.flushed


def test_keys_are_named_by_who_writes_with_them() -> None:
    for is_client, ours, theirs in ((True, "client", "server"), (False, "server", "client")):
        opened = Opened()
        trace = CoreTrace(opened.open, is_client)
        trace.keys_installed(1.0, "handshake", True, False)
        trace.keys_installed(1.0, "0rtt", False, True)
        trace.keys_discarded(1.0, "application")
        trace.keys_updated(1.0, 1, False)
        trace.flush()

        assert [
            ("key_updated", {"key_type": f"{ours}_handshake_secret", "trigger": "tls"}),
            ("key_updated", {"key_type": f"{theirs}_0rtt_secret", "trigger": "tls"}),
            ("key_discarded", {"key_type": f"{ours}_1rtt_secret", "trigger": "tls"}),
            ("key_discarded", {"key_type": f"{theirs}_1rtt_secret", "trigger": "tls"}),
            ("key_updated", {"key_type": f"{ours}_1rtt_secret", "trigger": "remote_update", "key_phase": 1}),
            (
                "key_updated",
                {"key_type": f"{theirs}_1rtt_secret", "trigger": "remote_update", "key_phase": 1},
            ),
        ] == opened.events


def test_metrics_tell_only_what_changed() -> None:  # quic-events-12 §7.2
    opened, trace = client_trace()
    trace.metrics_updated(10.1, 0.05, math.inf, 0.05, 0.025, 12000, 1200, 0)
    trace.metrics_updated(10.2, 0.05, 0.049, 0.05, 0.025, 12000, 2400, 0)
    trace.metrics_updated(10.3, 0.05, 0.049, 0.05, 0.025, 12000, 2400, 0)

    assert [
        {
            "smoothed_rtt": 50.0,
            "latest_rtt": 50.0,
            "rtt_variance": 25.0,
            "congestion_window": 12000,
            "bytes_in_flight": 1200,
            "pto_count": 0,
        },
        {"min_rtt": 49.0, "bytes_in_flight": 2400},
    ] == [data for name, data in opened.events if name == "recovery_metrics_updated"]


def test_the_rest_of_what_an_engine_tells() -> None:
    opened, trace = client_trace()
    before = len(opened.events)
    trace.packet_lost(10.1, 2, 7, "time_threshold")
    trace.packet_dropped(10.1, "duplicate", 40)
    trace.packet_buffered(10.1, 40)
    trace.datagrams_sent(10.1, 3, 3600)
    trace.datagrams_received(10.1, 1, 1200)
    trace.version_negotiated(10.1, [VERSION_1], VERSION_2)
    trace.retry_received(10.1, b"token")
    trace.alpn_chosen(10.1, "h3")
    trace.alpn_chosen(10.1, None)
    trace.congestion_state(10.1, "", "slow_start")
    trace.congestion_state(10.1, "slow_start", "recovery")
    trace.mtu_changed(10.1, 1452)
    trace.ecn_state(10.1, "unknown", "capable")
    trace.loss_timer(10.1, 10.2)
    trace.loss_timer(10.1, math.inf)
    trace.probe_sent(10.1, 0)
    address = ("2001:db8::1", 443, 0, 0)
    trace.path_added(10.1, 1, address)
    trace.path_validated(10.1, 1, address)
    trace.path_changed(10.1, 1, address)
    trace.path_abandoned(10.1, 1, address, True)
    trace.path_abandoned(10.1, 2, address, False)
    trace.connection_closed(10.1, False, 0x0A, False, "why")
    there = {"tuple_id": "1", "tuple_remote": {"ip_v6": "2001:db8::1", "port_v6": 443}}

    assert [
        ("packet_lost", {"header": {"packet_type": "1RTT", "packet_number": 7}, "trigger": "time_threshold"}),
        (
            "packet_dropped",
            {"raw": {"length": 40}, "trigger": "duplicate", "details": {"reason": "duplicate"}},
        ),
        ("packet_buffered", {"raw": {"length": 40}, "trigger": "keys_unavailable"}),
        ("udp_datagrams_sent", {"count": 3, "raw": [{"length": 3600}]}),
        ("udp_datagrams_received", {"count": 1, "raw": [{"length": 1200}]}),
        ("version_information", {"server_versions": ["00000001"], "chosen_version": "6b3343cf"}),
        ("packet_received", {"header": {"packet_type": "retry", "token": {"raw": {"length": 5}}}}),
        ("alpn_information", {"chosen_alpn": {"string_value": "h3"}}),
        ("alpn_information", {}),
        ("congestion_state_updated", {"new": "slow_start"}),
        ("congestion_state_updated", {"new": "recovery", "old": "slow_start"}),
        ("mtu_updated", {"new": 1452}),
        ("ecn_state_updated", {"old": "unknown", "new": "capable"}),
        ("timer_updated", {"timer_type": "loss_timeout", "event_type": "set", "delta": 100.0}),
        ("timer_updated", {"timer_type": "loss_timeout", "event_type": "cancelled"}),
        ("timer_updated", {"timer_type": "pto", "event_type": "expired", "packet_number_space": "initial"}),
        ("tuple_assigned", there),
        ("migration_state_updated", {"new": "probing_successful", **there}),
        ("migration_state_updated", {"new": "migration_complete", **there}),
        ("migration_state_updated", {"new": "probing_abandoned", **there}),
        ("tuple_assigned", {"tuple_id": "1"}),
        ("tuple_assigned", {"tuple_id": "2"}),
        (
            "connection_closed",
            {
                "initiator": "remote",
                "connection_error": "protocol_violation",
                "trigger": "error",
                "reason": "why",
            },
        ),
    ] == opened.events[before:]


def test_long_packet_types_use_the_version_negotiated() -> None:
    opened, trace = client_trace()
    trace.version_negotiated(10.1, [VERSION_2], VERSION_2)
    trace.packet_sent(10.1, PacketType.HANDSHAKE, 0, 40, [PingFrame()], b"", b"")
    header = opened.last()[1]["header"]

    assert isinstance(header, dict)
    assert "6b3343cf" == header["version"]


def test_the_clock_is_that_of_the_last_event() -> None:
    _, trace = client_trace()
    trace.packet_lost(12.5, 0, 0, "pto_expired")

    assert 12.5 == trace.clock()


def test_a_packet_event_stays_small() -> None:
    opened, trace = client_trace()
    frames = [StreamFrame(0, 0, bytes(65000), False)] + [PingFrame()] * 60000
    trace.packet_sent(10.1, PacketType.ONE_RTT, 0, 65527, frames, b"", b"")

    assert len(json.dumps(opened.last()[1])) < 10_000
