"""QUIC clients that look like browsers on the wire: profiles, flight layouts, fingerprints."""

from .errors import CaptureError, MimicError, ProfileError
from .fingerprint import Fingerprint, fingerprint

__version__ = "0.1.0"

__all__ = [
    "CaptureError",
    "Fingerprint",
    "MimicError",
    "ProfileError",
    "fingerprint",
]
