"""QUIC clients that look like browsers on the wire: profiles, flight layouts, fingerprints."""

from .catalog import profile, profiles
from .errors import CaptureError, MimicError, ProfileError
from .fingerprint import Fingerprint, fingerprint
from .profile import ClientProfile, DrawnClient, ProfileInfo, Resumption

__version__ = "0.1.0"

__all__ = [
    "CaptureError",
    "ClientProfile",
    "DrawnClient",
    "Fingerprint",
    "MimicError",
    "ProfileError",
    "ProfileInfo",
    "Resumption",
    "fingerprint",
    "profile",
    "profiles",
]
