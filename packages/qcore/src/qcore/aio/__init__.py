"""QUIC on asyncio: `connect`, `serve`, `Endpoint` and what they give."""

from .connection import CloseInfo, Connection, EventProtocol
from .endpoint import Endpoint, connect, serve
from .errors import UnknownHost, Unreachable
from .listener import Listener
from .path import Path
from .stream import ReceiveStream, SendStream, Stream

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
