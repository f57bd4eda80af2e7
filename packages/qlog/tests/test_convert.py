"""Sequences to contained files and back."""

import json

from qlog.convert import to_contained, to_sequential
from qlog.reader import load_traces
from qlog.writer import TraceWriter


def sequence() -> str:
    records: list[str] = []
    writer = TraceWriter(records.append, vantage_point="server", group_id="aa", title="one")
    for index in range(3):
        writer.event(index / 1000, "quic:packet_sent", {"index": index})
    return "".join(records)


def test_a_trace_survives_both_ways() -> None:
    text = sequence()
    traces = load_traces(text.encode())
    contained = to_contained(traces)
    (back,) = load_traces(contained.encode())

    assert traces[0].events == back.events
    assert ("server", "aa") == (back.vantage_point, back.group_id)
    (again,) = load_traces(to_sequential(back).encode())
    assert traces[0].events == again.events
    assert traces[0].header["trace"] == again.header["trace"]


def test_a_contained_file_has_what_the_schema_wants() -> None:  # main-schema-14 §4
    body = json.loads(to_contained(load_traces(sequence().encode())))

    assert "urn:ietf:params:qlog:file:contained" == body["file_schema"]
    assert "application/qlog+json" == body["serialization_format"]
    assert "one" == body["title"]
    assert {"common_fields", "event_schemas", "events", "vantage_point"} == set(body["traces"][0])


def test_several_traces_fit_a_contained_file() -> None:
    traces = load_traces(sequence().encode()) * 2

    assert 2 == len(load_traces(to_contained(traces).encode()))
