"""QUIC clients that look like browsers on the wire: profiles, flight layouts, fingerprints."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .catalog import profile, profiles
from .client import Client, connect, get
from .errors import CaptureError, MimicError, ProfileError
from .fingerprint import Fingerprint, fingerprint
from .learn import learn
from .memory import Memory
from .profile import ClientProfile, DrawnClient, ProfileInfo, Resumption

if TYPE_CHECKING:
    from .adapters.httpx import AsyncMimicTransport as AsyncMimicTransport
    from .adapters.httpx import MimicTransport as MimicTransport

__version__ = "0.1.0"

__all__ = [
    "AsyncMimicTransport",
    "CaptureError",
    "Client",
    "ClientProfile",
    "DrawnClient",
    "Fingerprint",
    "Memory",
    "MimicError",
    "MimicTransport",
    "ProfileError",
    "ProfileInfo",
    "Resumption",
    "connect",
    "fingerprint",
    "get",
    "learn",
    "profile",
    "profiles",
]

# They need httpx, which the rest does without.
_LAZY = ("AsyncMimicTransport", "MimicTransport")


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("qmimic.adapters.httpx"), name)
