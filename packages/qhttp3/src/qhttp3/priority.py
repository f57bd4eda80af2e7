"""Priorities of requests: the value of the Priority field and of PRIORITY_UPDATE.

RFC 9218 §4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DEFAULT_URGENCY: Final = 3


@dataclass(frozen=True, slots=True)
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


def parse_priority(value: bytes) -> Priority:
    """Read a field value; members that are unknown or out of range count as absent (RFC 9218 §4)."""
    urgency = DEFAULT_URGENCY
    incremental = False
    for member in value.split(b","):
        key, separator, rest = member.strip(b" \t").partition(b"=")
        rest = rest.partition(b";")[0].strip(b" \t")
        if key == b"u" and len(rest) == 1 and b"0" <= rest <= b"7":
            urgency = rest[0] - 0x30
        elif key.partition(b";")[0] == b"i":
            if not separator or rest == b"?1":
                incremental = True
            elif rest == b"?0":
                incremental = False
    return Priority(urgency, incremental)
