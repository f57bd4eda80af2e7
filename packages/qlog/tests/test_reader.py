"""Traces read back, whole, cut and broken."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qlog.reader import RecordReader, load_traces, read_records
from qlog.writer import TraceWriter, encode_record

OBJECTS = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=5,
    ),
    max_size=4,
)


def sequence(count: int) -> bytes:
    records: list[str] = []
    writer = TraceWriter(records.append, vantage_point="client", group_id="aa")
    for index in range(count):
        writer.event(index / 1000, "quic:packet_sent", {"index": index})
    return "".join(records).encode()


@given(st.lists(OBJECTS, min_size=1, max_size=6), st.data())
def test_records_survive_any_chunking(records: list[dict[str, object]], data: st.DataObject) -> None:
    text = "".join([encode_record(record) for record in records]).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    chunks = [text[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(text)], strict=True)]

    assert records == list(read_records(chunks))


def test_records_come_as_soon_as_they_end() -> None:
    reader = RecordReader()

    assert [] == reader.feed(b'\x1e{"a":')
    assert [] == reader.feed(
        b"1}\n"
    )  # another byte of the text could follow: only the next separator ends it
    assert [{"a": 1}] == reader.feed(b"\x1e")
    assert [{"b": 2}] == reader.feed(b'{"b":2}\n\x1e')
    assert [] == reader.close()


def test_a_sequence_cut_anywhere_gives_what_is_whole() -> None:
    data = sequence(3)
    for cut in range(len(data)):
        (trace,) = load_traces(data[:cut])
        assert [index for index, _ in enumerate(trace.events)] == [
            event["data"]["index"] for event in trace.events if isinstance(event["data"], dict)
        ]
        assert len(trace.events) < 3 or cut == len(data) - 1
        assert trace.skipped <= 1


def test_broken_records_are_counted_and_skipped() -> None:
    data = (
        sequence(2)
        + b"\x1e{broken\n\x1e[1,2]\n\x1eNaN\n"
        + b'\x1e{"time":9,"name":"quic:x","data":{"v":NaN}}\n'
    )
    (trace,) = load_traces(data + b'\x1e{"no":"name"}\n')

    assert 2 == len(trace.events)
    assert 5 == trace.skipped


def test_header_is_told() -> None:
    (trace,) = load_traces(sequence(1))

    assert "client" == trace.vantage_point
    assert "aa" == trace.group_id
    assert "relative_to_epoch" == trace.common_fields["time_format"]


def test_contained_files_have_many_traces() -> None:
    traces = [
        {
            "vantage_point": {"type": kind},
            "common_fields": {"ODCID": kind},
            "events": [{"time": 1, "name": "a:b"}, 5],
        }
        for kind in ("client", "server")
    ]
    loaded = load_traces(json.dumps({"file_schema": "x", "traces": [*traces, "error"]}).encode())

    assert ["client", "server"] == [trace.vantage_point for trace in loaded]
    assert ["client", "server"] == [trace.group_id for trace in loaded]
    assert [1, 1] == [len(trace.events) for trace in loaded]
    assert [1, 1] == [trace.skipped for trace in loaded]


@pytest.mark.parametrize("name", ["relative_to_previous_event", "delta"])
def test_times_count_from_the_beginning(name: str) -> None:  # main-schema-14 §7.1
    header: dict[str, object] = {"trace": {"common_fields": {"time_format": name}}}
    events: list[dict[str, object]] = [
        {"time": 1500, "name": "a"},
        {"time": 5, "name": "a"},
        {"time": 17.5, "name": "a"},
    ]
    data = "".join([encode_record(record) for record in (header, *events)]).encode()
    (trace,) = load_traces(data)

    assert [1500, 1505, 1522.5] == [event["time"] for event in trace.events]
    assert "relative_to_epoch" == trace.common_fields["time_format"]


@pytest.mark.parametrize("time", [None, "soon", True, 1e999, 10**400, [1]], ids=str)
def test_odd_times_are_zero(time: object) -> None:
    text = json.dumps({"time": time, "name": "a"}).replace("Infinity", "1e999")
    (trace,) = load_traces(f"\x1e{text}\n".encode())

    assert [0.0] == [event["time"] for event in trace.events]


def test_lines_of_earlier_drafts_are_read() -> None:  # draft-02 NDJSON
    data = (
        b'{"qlog_version":"draft-02","trace":{"vantage_point":{"type":"server"}}}\n{"time":1,"name":"a:b"}\n'
    )
    (trace,) = load_traces(data)

    assert "server" == trace.vantage_point
    assert ["a:b"] == [event["name"] for event in trace.events]


@given(st.binary(max_size=200))
def test_nothing_is_raised_for_any_bytes(data: bytes) -> None:
    for prefix in (b"", b"\x1e", b'{"traces":', b'{"traces":[{"events":[', b"\x1e{"):
        for trace in load_traces(prefix + data):
            assert trace.vantage_point
            assert isinstance(trace.group_id, str)


@given(OBJECTS, st.lists(OBJECTS, max_size=3))
def test_nothing_is_raised_for_any_objects(
    header: dict[str, object], events: list[dict[str, object]]
) -> None:
    sequential = "".join(
        [encode_record({"trace": header})] + [encode_record({**e, "name": "n"}) for e in events]
    )
    contained = json.dumps({"traces": [{**header, "events": events}]})
    for text in (sequential, contained):
        for trace in load_traces(text.encode()):
            assert trace.vantage_point
            assert isinstance(trace.common_fields, dict)


def test_deep_nesting_is_skipped() -> None:
    (trace,) = load_traces(b"\x1e" + b'{"a":' * 100_000 + b"\n" + sequence(1))

    assert 1 == trace.skipped
