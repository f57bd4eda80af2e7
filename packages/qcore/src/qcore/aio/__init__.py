"""QUIC on asyncio: `connect`, `serve`, `Endpoint` and what they give."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .close_info import CloseInfo as CloseInfo
    from .connection import Connection as Connection
    from .endpoint import Endpoint as Endpoint
    from .endpoint import connect as connect
    from .endpoint import serve as serve
    from .errors import UnknownHost as UnknownHost
    from .errors import Unreachable as Unreachable
    from .life import EventProtocol as EventProtocol
    from .listener import Listener as Listener
    from .path import Path as Path
    from .stream import ReceiveStream as ReceiveStream
    from .stream import SendStream as SendStream
    from .stream import Stream as Stream

__all__ = [
    "CloseInfo",
    "Connection",
    "Endpoint",
    "EventProtocol",
    "Listener",
    "Path",
    "ReceiveStream",
    "SendStream",
    "Stream",
    "UnknownHost",
    "Unreachable",
    "connect",
    "serve",
]

_PLACES: Final = {
    "CloseInfo": "close_info",
    "Connection": "connection",
    "Endpoint": "endpoint",
    "EventProtocol": "life",
    "Listener": "listener",
    "Path": "path",
    "ReceiveStream": "stream",
    "SendStream": "stream",
    "Stream": "stream",
    "UnknownHost": "errors",
    "Unreachable": "errors",
    "connect": "endpoint",
    "serve": "endpoint",
}


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{place}"), name)
    return found


def __dir__() -> list[str]:
    return __all__
