"""TLS 1.3 for QUIC: client and server handshakes and packet protection."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .config import ClientTLS, ServerTLS
from .constants import Level
from .errors import DecodeError, LocalAlert, PeerAlert
from .resumption import MemorySessionStore, Session, SessionStore

if TYPE_CHECKING:
    from .adapters.files import load_certificate_chain as load_certificate_chain
    from .certificates import CertificateChain as CertificateChain

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

# What reads certificates takes longer to load than all the rest: it is imported when first asked for.
_LAZY = {
    "CertificateChain": "qtls.certificates",
    "load_certificate_chain": "qtls.adapters.files",
}


def __getattr__(name: str) -> Any:
    place = _LAZY.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(place), name)
