"""HTTP/3 and QPACK over any stream transport, with an asyncio client and an ASGI server."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from qhttp3.adapters.asgi import serve_asgi as serve_asgi
    from qhttp3.adapters.httpx import AsyncHTTP3Transport as AsyncHTTP3Transport
    from qhttp3.adapters.httpx import HTTP3Transport as HTTP3Transport
    from qhttp3.aio.client import Client as Client
    from qhttp3.aio.client import Response as Response
    from qhttp3.aio.webtransport import SessionRefused as SessionRefused
    from qhttp3.aio.webtransport import WebTransportSession as WebTransportSession
    from qhttp3.aio.webtransport_server import serve_webtransport as serve_webtransport
    from qhttp3.config import H3Config as H3Config
    from qhttp3.config import StreamKind as StreamKind
    from qhttp3.engine import H3Engine as H3Engine
    from qhttp3.errors import GoingAway as GoingAway
    from qhttp3.errors import MalformedMessage as MalformedMessage
    from qhttp3.errors import UsageError as UsageError
    from qhttp3.errors import error_name as error_name
    from qhttp3.observer import Observer as Observer
    from qhttp3.priority import Priority as Priority
    from qhttp3.qpack.policy import EncoderPolicy as EncoderPolicy
    from qhttp3.qpack.policy import Insert as Insert
    from qhttp3.raw_frame import RawFrame as RawFrame
    from qhttp3.settings import H3Settings as H3Settings
    from qhttp3.settings import Setting as Setting
    from qhttp3.transport import StreamTransport as StreamTransport

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

# Loaded when first asked for: some of these need qcore, which the engine does without.
_PLACES: Final = {
    "AsyncHTTP3Transport": "qhttp3.adapters.httpx",
    "Client": "qhttp3.aio.client",
    "EncoderPolicy": "qhttp3.qpack.policy",
    "GoingAway": "qhttp3.errors",
    "H3Config": "qhttp3.config",
    "H3Engine": "qhttp3.engine",
    "H3Settings": "qhttp3.settings",
    "HTTP3Transport": "qhttp3.adapters.httpx",
    "Insert": "qhttp3.qpack.policy",
    "MalformedMessage": "qhttp3.errors",
    "Observer": "qhttp3.observer",
    "Priority": "qhttp3.priority",
    "RawFrame": "qhttp3.raw_frame",
    "Response": "qhttp3.aio.client",
    "SessionRefused": "qhttp3.aio.webtransport",
    "WebTransportSession": "qhttp3.aio.webtransport",
    "Setting": "qhttp3.settings",
    "StreamKind": "qhttp3.config",
    "StreamTransport": "qhttp3.transport",
    "UsageError": "qhttp3.errors",
    "error_name": "qhttp3.errors",
    "serve_asgi": "qhttp3.adapters.asgi",
    "serve_webtransport": "qhttp3.aio.webtransport_server",
}


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(place), name)
    return found


def __dir__() -> list[str]:
    return __all__
