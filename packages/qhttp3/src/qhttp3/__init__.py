"""HTTP/3 and QPACK over any stream transport, with an asyncio client and an ASGI server."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qhttp3.config import H3Config, StreamKind
from qhttp3.engine import H3Engine
from qhttp3.errors import GoingAway, MalformedMessage, UsageError, error_name
from qhttp3.frames import RawFrame
from qhttp3.observer import Observer
from qhttp3.priority import Priority
from qhttp3.qpack import EncoderPolicy, Insert
from qhttp3.settings import H3Settings, Setting
from qhttp3.transport import StreamTransport

if TYPE_CHECKING:
    from qhttp3.adapters.asgi import serve_asgi as serve_asgi
    from qhttp3.adapters.httpx import AsyncHTTP3Transport as AsyncHTTP3Transport
    from qhttp3.adapters.httpx import HTTP3Transport as HTTP3Transport
    from qhttp3.aio.client import Client as Client
    from qhttp3.aio.client import Response as Response
    from qhttp3.aio.webtransport import SessionRefused as SessionRefused
    from qhttp3.aio.webtransport import WebTransportSession as WebTransportSession
    from qhttp3.aio.webtransport_server import serve_webtransport as serve_webtransport

__version__ = "0.1.0"

__all__ = [
    "AsyncHTTP3Transport",
    "Client",
    "EncoderPolicy",
    "GoingAway",
    "H3Config",
    "H3Engine",
    "H3Settings",
    "HTTP3Transport",
    "Insert",
    "MalformedMessage",
    "Observer",
    "Priority",
    "RawFrame",
    "Response",
    "SessionRefused",
    "Setting",
    "StreamKind",
    "StreamTransport",
    "UsageError",
    "WebTransportSession",
    "error_name",
    "serve_asgi",
    "serve_webtransport",
]

# These need qcore, which the engine does without: they are imported when first asked for.
_LAZY = {
    "AsyncHTTP3Transport": "qhttp3.adapters.httpx",
    "Client": "qhttp3.aio.client",
    "HTTP3Transport": "qhttp3.adapters.httpx",
    "Response": "qhttp3.aio.client",
    "SessionRefused": "qhttp3.aio.webtransport",
    "WebTransportSession": "qhttp3.aio.webtransport",
    "serve_asgi": "qhttp3.adapters.asgi",
    "serve_webtransport": "qhttp3.aio.webtransport_server",
}


def __getattr__(name: str) -> Any:
    place = _LAZY.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(place), name)
