"""qlog events of QUIC and HTTP/3: schema, writer, reader, and the observers of the engines.

``qlog.core`` needs qcore and ``qlog.http3`` needs qhttp3; the rest stands on qwire alone.
draft-ietf-quic-qlog-main-schema-14, draft-ietf-quic-qlog-quic-events-12, draft-ietf-quic-qlog-h3-events-12.
"""

from qlog.reader import RecordReader, Trace, load_traces, read_records
from qlog.writer import EVENT_SCHEMAS, TraceWriter

__version__ = "0.1.0"

__all__ = ["EVENT_SCHEMAS", "RecordReader", "Trace", "TraceWriter", "load_traces", "read_records"]
