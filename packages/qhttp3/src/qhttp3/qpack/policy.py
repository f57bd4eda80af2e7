"""What an encoder puts into the dynamic table: data, so that other implementations' habits can be described.

RFC 9204 §2.1 leaves all of this to the encoder.
"""

from __future__ import annotations

from enum import Enum

from qhttp3.light_dataclass import dataclass


class Insert(Enum):
    """Which fields are worth an entry."""

    NOTHING = "nothing"
    REPEATED = "repeated"  # from the second time on that a field, or an unknown name, is seen
    EVERYTHING = "everything"  # at first sight, as Chromium does


@dataclass(frozen=True, kw_only=True)
class EncoderPolicy:
    """How an encoder uses the dynamic table.

    Attributes:
        insert: Which fields are inserted.
        only: If given, names other than these are not inserted.
        never: Names never inserted.
        sensitive: Names that are also marked never to be indexed by anybody (the N bit, RFC 9204 §7.1.3).
        capacity: What we want to use of the capacity the peer allows, in bytes.
        may_block: Whether entries may be used before the peer is known to have them (RFC 9204 §2.1.2).
        draining: Entries within this fraction of the capacity, at the old end, are duplicated rather than used,
            because their eviction is near (RFC 9204 §2.1.1.1).
        eager_capacity: Announce the capacity as soon as it is known instead of before the first insertion.
        instructions_last: Hand instructions to the transport behind the section that needs them, not before it.
    """

    insert: Insert = Insert.REPEATED
    only: frozenset[bytes] | None = None
    never: frozenset[bytes] = frozenset()
    sensitive: frozenset[bytes] = frozenset((b"authorization", b"proxy-authorization"))
    capacity: int = 4096
    may_block: bool = True
    draining: float = 0.25
    eager_capacity: bool = False
    instructions_last: bool = False
