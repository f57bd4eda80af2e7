"""One trace as JSON text sequences: a header record, then a record per event.

Where the text goes is a callable of the caller; nothing is kept. main-schema-14 §5 (QlogFileSeq), RFC 7464.
"""

import json
from collections.abc import Callable, Mapping
from typing import Final, final

SEQUENTIAL: Final = "urn:ietf:params:qlog:file:sequential"
CONTAINED: Final = "urn:ietf:params:qlog:file:contained"
EVENT_SCHEMAS: Final = (
    "urn:ietf:params:qlog:events:quic-12",
    "urn:ietf:params:qlog:events:http3-12",
    "urn:ietf:params:qlog:events:loglevel-14",
)
"""The event schemas of the events that this package writes."""

RECORD_SEPARATOR: Final = "\x1e"
_encode: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@final
class TraceWriter:
    """Writes one trace through ``write``; the header goes out at once.

    Attributes:
        reference: the monotonic time, in seconds, from which the trace counts.
        count: events written.
    """

    __slots__ = ("_flush", "_write", "count", "reference")

    def __init__(
        self,
        write: Callable[[str], object],
        *,
        vantage_point: str,
        group_id: str = "",
        reference: float = 0.0,
        wall_clock_time: str | None = None,
        title: str = "",
        flush: Callable[[], object] | None = None,
    ) -> None:
        """Start the trace.

        Args:
            write: takes one whole record, ASCII, separator and line feed included.
            vantage_point: ``client``, ``server``, ``network`` or ``unknown``.
            group_id: the original destination connection ID in hex.
            wall_clock_time: RFC 3339, about when ``reference`` was.
            flush: called when a reader should find what was written so far.
        """
        self._write = write
        self._flush = flush
        self.reference = reference
        self.count = 0
        self._write(encode_record(header(vantage_point, group_id, wall_clock_time, title)))

    def event(self, now: float, name: str, data: Mapping[str, object]) -> None:
        """Write one event; ``now`` in seconds of the same clock as ``reference``.

        main-schema-14 §7. Times are written in milliseconds.

        Raises:
            ValueError: a number that JSON does not have.
        """
        self.count += 1
        time = round((now - self.reference) * 1000, 4)
        self._write(encode_record({"time": time, "name": name, "data": data}))

    def flush(self) -> None:
        """Let readers find what was written so far."""
        if self._flush is not None:
            self._flush()


def header(
    vantage_point: str, group_id: str, wall_clock_time: str | None, title: str = ""
) -> dict[str, object]:
    """The first record of a sequential file.

    main-schema-14 §5. ``file_schema`` and ``serialization_format`` come first, so that tools recognize a file by
    its beginning (§3); ``qlog_format`` is for tools that know only earlier drafts.
    """
    reference: dict[str, object] = {"clock_type": "monotonic", "epoch": "unknown"}
    if wall_clock_time is not None:
        reference["wall_clock_time"] = wall_clock_time
    common: dict[str, object] = {"time_format": "relative_to_epoch", "reference_time": reference}
    if group_id:
        common["group_id"] = group_id
    trace = {
        "vantage_point": {"type": vantage_point},
        "event_schemas": list(EVENT_SCHEMAS),
        "common_fields": common,
    }
    record: dict[str, object] = {
        "file_schema": SEQUENTIAL,
        "serialization_format": "application/qlog+json-seq",
        "qlog_format": "JSON-SEQ",
    }
    if title:
        record["title"] = title
    record["trace"] = trace
    return record


def encode_record(record: Mapping[str, object]) -> str:
    """One JSON text of a sequence. RFC 7464 §2.2."""
    return f"{RECORD_SEPARATOR}{_encode(record)}\n"
