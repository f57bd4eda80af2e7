"""QUIC clients that look like browsers on the wire: profiles, flight layouts, fingerprints."""

from .catalog import profile, profiles
from .client import Client, connect, get
from .errors import CaptureError, MimicError, ProfileError
from .fingerprint import Fingerprint, fingerprint
from .memory import Memory
from .profile import ClientProfile, DrawnClient, ProfileInfo, Resumption

__version__ = "0.1.0"

__all__ = [
    "CaptureError",
    "Client",
    "ClientProfile",
    "DrawnClient",
    "Fingerprint",
    "Memory",
    "MimicError",
    "ProfileError",
    "ProfileInfo",
    "Resumption",
    "connect",
    "fingerprint",
    "get",
    "profile",
    "profiles",
]
