"""A QUIC connection engine without I/O, and its asyncio endpoint.

The names here are what applications use. Below them, `qcore.engine`, `qcore.router` and `qcore.testing` serve
those who bring their own event loop or a simulated network.
"""

from .admission import Admission, Admit, Arrival, LoadLimits, admit_by_load, always_retry
from .aio import (
    Connection,
    Endpoint,
    Listener,
    Path,
    ReceiveStream,
    SendStream,
    Stream,
    connect,
    serve,
)
from .aio.workers import serve_workers
from .config import AckFrequency, QuicConfig
from .errors import (
    ApplicationError,
    CertificateError,
    ConnectionClosed,
    ConnectionRefused,
    DatagramsUnavailable,
    EarlyDataRejected,
    FlightError,
    HandshakeTimeout,
    IdleTimeout,
    PathFailed,
    PathUnavailable,
    QuicError,
    StatelessReset,
    StreamError,
    StreamLimitReached,
    TransportError,
    UnknownStream,
    UsageError,
    VersionMismatch,
)
from .observer import Observer
from .packing.initial_flight import FlightLayout, InitialPolicy
from .stats import ConnectionStats

__version__ = "0.1.0"

__all__ = [
    "AckFrequency",
    "Admission",
    "Admit",
    "ApplicationError",
    "Arrival",
    "CertificateError",
    "Connection",
    "ConnectionClosed",
    "ConnectionRefused",
    "ConnectionStats",
    "DatagramsUnavailable",
    "EarlyDataRejected",
    "Endpoint",
    "FlightError",
    "FlightLayout",
    "HandshakeTimeout",
    "IdleTimeout",
    "InitialPolicy",
    "Listener",
    "LoadLimits",
    "Observer",
    "Path",
    "PathFailed",
    "PathUnavailable",
    "QuicConfig",
    "QuicError",
    "ReceiveStream",
    "SendStream",
    "StatelessReset",
    "Stream",
    "StreamError",
    "StreamLimitReached",
    "TransportError",
    "UnknownStream",
    "UsageError",
    "VersionMismatch",
    "admit_by_load",
    "always_retry",
    "connect",
    "serve",
    "serve_workers",
]
