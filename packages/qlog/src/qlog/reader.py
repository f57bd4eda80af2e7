"""Traces read back: sequences as a stream, contained files whole.

Tolerant, as files end in the middle of a record when a process dies: what is no JSON object is counted and
skipped. Newline-delimited JSON of earlier drafts is read too. main-schema-14 §4, §5, §11; RFC 7464 §2.3.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias, final

Record: TypeAlias = dict[str, object]

SEPARATOR: Final = b"\x1e"
# A record holds one packet; a thousand times the largest is no trace any more.
MAX_RECORD: Final = 64 << 20
LARGEST: Final = 1 << 64


@dataclass(slots=True)
class Trace:
    """One trace.

    Attributes:
        header: the header record, or the trace object of a contained file less its events.
        skipped: texts that were no JSON object.
    """

    header: Record = field(default_factory=dict)
    events: list[Record] = field(default_factory=list)
    skipped: int = 0

    @property
    def vantage_point(self) -> str:
        """``client``, ``server``, ``network`` or ``unknown``."""
        kind = _object(_object(self.header, "trace") or self.header, "vantage_point").get("type")
        return kind if isinstance(kind, str) else "unknown"

    @property
    def common_fields(self) -> Record:
        """Fields that hold for every event."""
        return _object(_object(self.header, "trace") or self.header, "common_fields")

    @property
    def group_id(self) -> str:
        """The original destination connection ID, empty when it is not told."""
        common = self.common_fields
        group = common.get("group_id") or common.get("ODCID")
        return group if isinstance(group, str) else ""


@final
class RecordReader:
    """Cuts a byte stream into JSON objects.

    Attributes:
        skipped: texts that were no JSON object.
    """

    __slots__ = ("_by_lines", "_pending", "skipped")

    def __init__(self) -> None:
        self._pending = b""
        self._by_lines: bool | None = None
        self.skipped = 0

    def feed(self, data: bytes) -> list[Record]:
        """The objects that end within ``data``."""
        pending = self._pending + data
        if self._by_lines is None:
            if not pending.strip():
                self._pending = pending
                return []
            self._by_lines = not pending.lstrip().startswith(SEPARATOR)
        *whole, self._pending = pending.split(b"\n" if self._by_lines else SEPARATOR)
        if len(self._pending) > MAX_RECORD:
            self._pending = b""
            self.skipped += 1
        return self._parse(whole)

    def close(self) -> list[Record]:
        """The last object, if the stream ended behind a whole one."""
        pending, self._pending = self._pending, b""
        return self._parse([pending])

    def _parse(self, texts: list[bytes]) -> list[Record]:
        records: list[Record] = []
        for text in texts:
            if not text.strip():
                continue
            record = _parse_object(text)
            if record is None:
                self.skipped += 1
            else:
                records.append(record)
        return records


def read_records(chunks: Iterable[bytes]) -> Iterator[Record]:
    """Every object of a sequence, the header first, as it comes."""
    reader = RecordReader()
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.close()


def load_traces(data: bytes) -> list[Trace]:
    """The traces of a file of either kind; never raises for what is in it.

    A sequence gives one trace, a contained file as many as it has. Times are made to count from the beginning.
    """
    if not data.lstrip().startswith(SEPARATOR):
        whole = _parse_object(data)
        if whole is not None and "traces" in whole:
            traces = [_contained(entry) for entry in _list(whole, "traces") if isinstance(entry, dict)]
            for trace in traces:
                _make_absolute(trace)
            return traces
    reader = RecordReader()
    records = reader.feed(data) + reader.close()
    trace = Trace()
    if records and "name" not in records[0]:
        trace.header = records.pop(0)
    trace.events = [record for record in records if isinstance(record.get("name"), str)]
    trace.skipped = reader.skipped + len(records) - len(trace.events)
    _make_absolute(trace)
    return [trace]


def as_number(value: object) -> float | None:
    """A finite number of at most 64 bits, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if -LARGEST <= value <= LARGEST else None


def _contained(entry: Record) -> Trace:
    events = _list(entry, "events")
    kept = [event for event in events if isinstance(event, dict) and isinstance(event.get("name"), str)]
    rest = {key: value for key, value in entry.items() if key != "events"}
    return Trace(rest, kept, len(events) - len(kept))


def _make_absolute(trace: Trace) -> None:
    """Turn times that count from the event before into times from the beginning. main-schema-14 §7.1."""
    default = trace.common_fields.get("time_format", "relative_to_epoch")
    now = 0.0
    for event in trace.events:
        value = as_number(event.get("time")) or 0.0
        kind = event.pop("time_format", default)
        now = now + value if kind in ("relative_to_previous_event", "delta") else value
        event["time"] = now
    if default in ("relative_to_previous_event", "delta"):
        trace.common_fields["time_format"] = "relative_to_epoch"


def _parse_object(text: bytes) -> Record | None:
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):  # not JSON, not UTF-8, or nested beyond reason
        return None
    return value if isinstance(value, dict) else None


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")


def _object(record: Record, key: str) -> Record:
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def _list(record: Record, key: str) -> list[object]:
    value = record.get(key)
    return value if isinstance(value, list) else []
