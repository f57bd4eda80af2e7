"""TLS 1.3 for QUIC: client and server handshakes and packet protection."""

from .adapters.files import load_certificate_chain
from .certificates import CertificateChain
from .config import ClientTLS, ServerTLS
from .constants import Level
from .errors import DecodeError, LocalAlert, PeerAlert
from .resumption import MemorySessionStore, Session, SessionStore

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
