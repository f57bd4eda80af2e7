"""What clients say of the priority of a request: the value of the Priority field and of PRIORITY_UPDATE.

RFC 9218 §4.
"""

from __future__ import annotations

from typing import Final

DEFAULT_URGENCY: Final = 3


def read_priority(value: bytes) -> tuple[int, bool]:
    """Urgency and incremental; members that are unknown or out of range count as absent."""
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
    return urgency, incremental
