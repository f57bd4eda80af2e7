"""Streams: ordered bytes, one or two directions each. RFC 9000 §2–4."""

from .limits import StreamLimits
from .manager import StreamManager

__all__ = ["StreamLimits", "StreamManager"]
