"""`CloseInfo`: how a connection ended."""

from __future__ import annotations

from typing import Final, final

from qtls.values import Value

from ..errors import QuicError


@final
class CloseInfo(Value):
    """How a connection ended.

    Attributes:
        error: None after a close without error.
        is_local: whether this side ended it.
        code: the error code that was sent or received; None where there was none, as after a timeout.
        reason: the words that came with it.
    """

    __slots__ = ("code", "error", "is_local", "reason")

    def __init__(self, error: QuicError | None, is_local: bool, code: int | None, reason: str) -> None:
        self.error: Final = error
        self.is_local: Final = is_local
        self.code: Final = code
        self.reason: Final = reason
