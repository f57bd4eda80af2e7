"""Sequential files to contained ones and back. main-schema-14 §4, §5."""

import json
from collections.abc import Sequence

from qlog.reader import Record, Trace
from qlog.writer import CONTAINED, EVENT_SCHEMAS, SEQUENTIAL, encode_record


def to_contained(traces: Sequence[Trace]) -> str:
    """One JSON text with all traces."""
    body: Record = {
        "file_schema": CONTAINED,
        "serialization_format": "application/qlog+json",
        "qlog_format": "JSON",
    }
    if traces:
        for key in ("title", "description"):
            if isinstance(traces[0].header.get(key), str) and "trace" in traces[0].header:
                body[key] = traces[0].header[key]
    body["traces"] = [{**_trace_fields(trace), "events": trace.events} for trace in traces]
    return json.dumps(body, indent=1) + "\n"


def to_sequential(trace: Trace) -> str:
    """One sequence of JSON texts; a sequence holds one trace."""
    body: Record = {
        "file_schema": SEQUENTIAL,
        "serialization_format": "application/qlog+json-seq",
        "qlog_format": "JSON-SEQ",
    }
    for key in ("title", "description"):
        if key in trace.header:
            body[key] = trace.header[key]
    body["trace"] = _trace_fields(trace)
    return "".join([encode_record(body), *(encode_record(event) for event in trace.events)])


def _trace_fields(trace: Trace) -> Record:
    inner = trace.header.get("trace")
    fields = dict(inner) if isinstance(inner, dict) else dict(trace.header)
    fields.setdefault("vantage_point", {"type": trace.vantage_point})
    fields.setdefault("event_schemas", list(EVENT_SCHEMAS))
    return fields
