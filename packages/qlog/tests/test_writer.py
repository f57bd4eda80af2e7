"""One trace as JSON text sequences."""

import json
import math

import pytest

from qlog.writer import EVENT_SCHEMAS, TraceWriter


def test_header_comes_first_and_tells_the_format_early() -> None:  # main-schema-14 §3, §5
    records: list[str] = []
    TraceWriter(
        records.append,
        vantage_point="client",
        group_id="0102",
        wall_clock_time="2026-11-22T18:00:00.000Z",
        title="one",
    )
    (record,) = records
    header = json.loads(record[1:])

    assert record.startswith("\x1e{") and record.endswith("}\n")
    assert record.index("application/qlog+json-seq") < 256
    assert "urn:ietf:params:qlog:file:sequential" == header["file_schema"]
    assert "JSON-SEQ" == header["qlog_format"]
    assert "one" == header["title"]
    assert {
        "vantage_point": {"type": "client"},
        "event_schemas": list(EVENT_SCHEMAS),
        "common_fields": {
            "time_format": "relative_to_epoch",
            "reference_time": {
                "clock_type": "monotonic",
                "epoch": "unknown",
                "wall_clock_time": "2026-11-22T18:00:00.000Z",
            },
            "group_id": "0102",
        },
    } == header["trace"]


def test_events_count_milliseconds_from_the_reference() -> None:
    records: list[str] = []
    writer = TraceWriter(records.append, vantage_point="server", reference=100.0)
    writer.event(100.0125, "quic:packet_sent", {"a": 1})

    assert '\x1e{"time":12.5,"name":"quic:packet_sent","data":{"a":1}}\n' == records[1]
    assert 1 == writer.count


def test_text_is_ascii_whatever_a_peer_says() -> None:
    records: list[str] = []
    writer = TraceWriter(records.append, vantage_point="server")
    writer.event(0.0, "quic:connection_closed", {"reason": "\x1e\nü\ud800"})

    assert records[1].isascii()
    assert 1 == records[1].count("\x1e")
    assert 1 == records[1].count("\n")
    assert "\x1e\nü\ud800" == json.loads(records[1][1:])["data"]["reason"]


def test_numbers_that_json_lacks_are_refused() -> None:
    records: list[str] = []
    writer = TraceWriter(records.append, vantage_point="server")

    with pytest.raises(ValueError):
        writer.event(0.0, "quic:x", {"a": math.inf})
    assert 1 == len(records)


def test_flush_is_passed_on() -> None:
    flushed: list[bool] = []
    TraceWriter(lambda text: None, vantage_point="client", flush=lambda: flushed.append(True)).flush()
    TraceWriter(lambda text: None, vantage_point="client").flush()

    assert [True] == flushed
