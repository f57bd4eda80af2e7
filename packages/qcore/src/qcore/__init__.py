"""A QUIC connection engine without I/O, and its asyncio endpoint.

The names here are what applications use. Below them, `qcore.engine`, `qcore.router` and `qcore.testing` serve
those who bring their own event loop or a simulated network.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .admission import Admission as Admission
    from .admission import Admit as Admit
    from .admission import Arrival as Arrival
    from .admission import LoadLimits as LoadLimits
    from .admission import admit_by_load as admit_by_load
    from .admission import always_retry as always_retry
    from .aio.connection import Connection as Connection
    from .aio.endpoint import Endpoint as Endpoint
    from .aio.endpoint import connect as connect
    from .aio.endpoint import serve as serve
    from .aio.listener import Listener as Listener
    from .aio.path import Path as Path
    from .aio.stream import ReceiveStream as ReceiveStream
    from .aio.stream import SendStream as SendStream
    from .aio.stream import Stream as Stream
    from .aio.workers.serving import serve_workers as serve_workers
    from .config import AckFrequency as AckFrequency
    from .config import QuicConfig as QuicConfig
    from .errors import ApplicationError as ApplicationError
    from .errors import CertificateError as CertificateError
    from .errors import ConnectionClosed as ConnectionClosed
    from .errors import ConnectionRefused as ConnectionRefused
    from .errors import DatagramsUnavailable as DatagramsUnavailable
    from .errors import EarlyDataRejected as EarlyDataRejected
    from .errors import FlightError as FlightError
    from .errors import HandshakeTimeout as HandshakeTimeout
    from .errors import IdleTimeout as IdleTimeout
    from .errors import PathFailed as PathFailed
    from .errors import PathUnavailable as PathUnavailable
    from .errors import QuicError as QuicError
    from .errors import StatelessReset as StatelessReset
    from .errors import StreamError as StreamError
    from .errors import StreamLimitReached as StreamLimitReached
    from .errors import TransportError as TransportError
    from .errors import UnknownStream as UnknownStream
    from .errors import UsageError as UsageError
    from .errors import VersionMismatch as VersionMismatch
    from .observer import Observer as Observer
    from .packing.initial_flight import FlightLayout as FlightLayout
    from .packing.initial_flight import InitialPolicy as InitialPolicy
    from .stats import ConnectionStats as ConnectionStats

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

# What a name needs is loaded when the name is first asked for: clients serve nobody, and servers dial nobody.
_PLACES: Final = {
    "AckFrequency": "config",
    "Admission": "admission",
    "Admit": "admission",
    "ApplicationError": "errors",
    "Arrival": "admission",
    "CertificateError": "errors",
    "Connection": "aio.connection",
    "ConnectionClosed": "errors",
    "ConnectionRefused": "errors",
    "ConnectionStats": "stats",
    "DatagramsUnavailable": "errors",
    "EarlyDataRejected": "errors",
    "Endpoint": "aio.endpoint",
    "FlightError": "errors",
    "FlightLayout": "packing.initial_flight",
    "HandshakeTimeout": "errors",
    "IdleTimeout": "errors",
    "InitialPolicy": "packing.initial_flight",
    "Listener": "aio.listener",
    "LoadLimits": "admission",
    "Observer": "observer",
    "Path": "aio.path",
    "PathFailed": "errors",
    "PathUnavailable": "errors",
    "QuicConfig": "config",
    "QuicError": "errors",
    "ReceiveStream": "aio.stream",
    "SendStream": "aio.stream",
    "StatelessReset": "errors",
    "Stream": "aio.stream",
    "StreamError": "errors",
    "StreamLimitReached": "errors",
    "TransportError": "errors",
    "UnknownStream": "errors",
    "UsageError": "errors",
    "VersionMismatch": "errors",
    "admit_by_load": "admission",
    "always_retry": "admission",
    "connect": "aio.endpoint",
    "serve": "aio.endpoint",
    "serve_workers": "aio.workers.serving",
}


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{place}"), name)
    return found


def __dir__() -> list[str]:
    return __all__
