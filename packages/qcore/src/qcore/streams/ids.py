"""Stream ID arithmetic.

The two low bits of a stream ID tell who opened it and whether it has two directions; the rest counts streams
of that kind. RFC 9000 §2.1.
"""

from __future__ import annotations

from typing import Final

SERVER_BIT: Final = 0x1
UNIDIRECTIONAL_BIT: Final = 0x2
# Kinds of stream: the two low bits.
CLIENT_BIDI: Final = 0x0
SERVER_BIDI: Final = 0x1
CLIENT_UNI: Final = 0x2
SERVER_UNI: Final = 0x3

# RFC 9000 §4.6: more streams than this cannot be numbered.
MAX_STREAM_COUNT: Final = 1 << 60


def stream_id(kind: int, index: int) -> int:
    """The ID of stream number `index` (from 0) of a kind."""
    return index << 2 | kind


def stream_index(stream_id: int) -> int:
    """How many streams of the same kind have lower IDs."""
    return stream_id >> 2


def stream_kind(stream_id: int) -> int:
    """The two low bits."""
    return stream_id & 3


def kind_of(is_client: bool, bidirectional: bool) -> int:
    """The kind of stream that a side opens."""
    return (0 if is_client else SERVER_BIT) | (0 if bidirectional else UNIDIRECTIONAL_BIT)


def is_bidirectional(stream_id: int) -> bool:
    """Whether both sides send on the stream."""
    return not stream_id & UNIDIRECTIONAL_BIT


def is_client_initiated(stream_id: int) -> bool:
    """Whether the client opened the stream."""
    return not stream_id & SERVER_BIT
