"""TLS 1.3 for QUIC: client and server handshakes and packet protection."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .adapters.files import load_certificate_chain as load_certificate_chain
    from .certificates import CertificateChain as CertificateChain
    from .config import ClientTLS as ClientTLS
    from .config import ServerTLS as ServerTLS
    from .constants import Level as Level
    from .errors import DecodeError as DecodeError
    from .errors import LocalAlert as LocalAlert
    from .errors import PeerAlert as PeerAlert
    from .resumption import MemorySessionStore as MemorySessionStore
    from .resumption import Session as Session
    from .resumption import SessionStore as SessionStore

__version__ = "0.1.0"

__all__ = [
    "CertificateChain",
    "ClientTLS",
    "DecodeError",
    "Level",
    "LocalAlert",
    "MemorySessionStore",
    "PeerAlert",
    "ServerTLS",
    "Session",
    "SessionStore",
    "load_certificate_chain",
]

# Loaded when first asked for: what reads certificates takes longer to load than all the rest.
_PLACES: Final = {
    "CertificateChain": "certificates",
    "ClientTLS": "config",
    "DecodeError": "errors",
    "Level": "constants",
    "LocalAlert": "errors",
    "MemorySessionStore": "resumption",
    "PeerAlert": "errors",
    "ServerTLS": "config",
    "Session": "resumption",
    "SessionStore": "resumption",
    "load_certificate_chain": "adapters.files",
}


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{place}"), name)
    return found


def __dir__() -> list[str]:
    return __all__
