"""Priorities of requests, as clients ask for them.

RFC 9218 §4.
"""

from __future__ import annotations

from qhttp3.light_dataclass import dataclass
from qhttp3.priority_field import DEFAULT_URGENCY


@dataclass(frozen=True)
class Priority:
    """Urgency from 0, most urgent, to 7; incremental if the client can use the response piece by piece."""

    urgency: int = DEFAULT_URGENCY
    incremental: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.urgency <= 7:
            raise ValueError(f"urgency {self.urgency} is not between 0 and 7")

    def encode(self) -> bytes:
        """Give the field value, defaults left out."""
        parts = []
        if self.urgency != DEFAULT_URGENCY:
            parts.append(b"u=%d" % self.urgency)
        if self.incremental:
            parts.append(b"i")
        return b", ".join(parts)
